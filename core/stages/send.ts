/**
 * send: slot, attempt on disk, last look, bytes. An item that the last look refuses leaves its batch
 * and the rest is sent without it.
 */
import { type Credentials, connect, type Item, type ItemResult, performAction } from '../delivery/perform.ts'
import { contactWindows, takeRequest } from '../delivery/quotas.ts'
import { CredentialsMissing } from '../kit/errors.ts'
import { HandOverRefused } from '../kit/http.ts'
import { sealJson } from '../seal.ts'
import type { DeliverPorts, Halted, Line, Permitted, Sent } from './deliver-ports.ts'
import { faultOf, isStorageFault } from './fault.ts'
import type { MapAnswers } from './map.ts'

/** How long deliveries wait that the hub's own database kept from leaving. */
const STORAGE_MS = 5_000

export interface SendAnswers {
  readonly sent: Sent[]
  readonly halted: Halted[]
}

export async function sendMapped({ mapped, halted }: MapAnswers, ports: DeliverPorts): Promise<SendAnswers> {
  const groups = new Map<string, Permitted[]>()
  for (const item of mapped) {
    const { row, line, action } = item.leased
    // Batch actions go together; single ones each on their own, so that one slow answer holds up one.
    const key = action.batch ? `${line.destination.id}\0${row.action}` : row.id
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  const answers = await Promise.all(
    [...groups.values()].map((group) => group[0]!.leased.line.limiter.queue.add(() => perform(group, ports))),
  )
  return { sent: answers.flatMap(({ sent }) => sent), halted: [...halted, ...answers.flatMap(({ halted }) => halted)] }
}

async function perform(group: readonly Permitted[], ports: DeliverPorts): Promise<SendAnswers> {
  const { line, row } = group[0]!.leased
  const sent: Sent[] = []
  const halted: Halted[] = []
  let left = [...group]
  // A batch that is rebuilt without a refused item is still the same attempt of the others.
  const begun = new Set<string>()
  while (left.length > 0) {
    const refused = new Map<string, Halted>()
    const byDelivery = new Map(left.map((item) => [item.item.delivery.id, item]))
    const results = await performAction({
      definition: line.destination.definition,
      action: row.action,
      settings: line.destination.settings,
      now: new Date(ports.clock()),
      items: left.map(({ item }) => item),
      http: (items) => httpFor(items, byDelivery, begun, refused, line, ports),
    })
    const again: Permitted[] = []
    results.forEach((result, index) => {
      const permitted = left[index]!
      const halt = refused.get(permitted.item.delivery.id)
      if (halt) halted.push(halt)
      else if (result.status === 'refused') again.push(permitted)
      else sent.push({ permitted, result })
    })
    // Nothing was refused and still nothing left: the vendor's answer is unknown, not another round.
    if (refused.size === 0 && again.length > 0) {
      sent.push(
        ...again.map((permitted) => ({
          permitted,
          result: { status: 'retry', reason: 'cancelled before it was handed over' } satisfies ItemResult,
        })),
      )
      break
    }
    left = again
  }
  return { sent, halted }
}

function httpFor(
  items: readonly Item[],
  byDelivery: ReadonlyMap<string, Permitted>,
  begun: Set<string>,
  refused: Map<string, Halted>,
  line: Line,
  ports: DeliverPorts,
) {
  const mine = items.map(({ delivery }) => byDelivery.get(delivery.id)!)
  const wait = (retryAt: number, detail: string): never => {
    for (const { leased } of mine) refused.set(leased.row.id, { leased, code: 'WAITING', retryAt, detail })
    throw new HandOverRefused(detail)
  }
  /** Trouble of our own database is no verdict on these deliveries: nothing left, they wait for it. */
  const guarded = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (!isStorageFault(error)) throw error
      ports.fault(faultOf(`deliver ${line.destination.id}`, error))
      wait(ports.clock() + STORAGE_MS, 'the database of the hub did not answer')
    }
  }
  return connect(line.destination.definition, line.destination.settings, {
    credentials: line.credentials && waiting(line.credentials, wait, ports),
    slot: (job) =>
      line.limiter.slot(async () => {
        await guarded(async () => {
          const until = await takeRequest(line.destination, ports.clock(), ports.state)
          if (until !== undefined) wait(until, 'the quota of the account is used up')
        })
        return job()
      }),
    transport: line.transport,
    lastLook: () =>
      guarded(async () => {
        await begin(mine, begun, refused, line, ports)
        const looked = await ports.looks.ask(
          mine.map(({ leased }) => leased),
          ports,
        )
        for (const { item } of mine) {
          const halt = looked.get(item.delivery.id)
          if (halt) refused.set(item.delivery.id, halt)
        }
        if (mine.some(({ item }) => refused.has(item.delivery.id)))
          throw new HandOverRefused('an item of this request may not leave')
      }),
  })
}

/** Without a token nothing of these items leaves: they wait, and it counts as no attempt of theirs. */
function waiting(
  credentials: Credentials,
  wait: (retryAt: number, detail: string) => never,
  ports: DeliverPorts,
): Credentials {
  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      if (error instanceof CredentialsMissing) wait(ports.clock() + (error.retryAfterMs ?? 0), error.message)
      if (!isStorageFault(error)) throw error
      ports.fault(faultOf('deliver', error))
      return wait(ports.clock() + STORAGE_MS, 'the database of the hub did not answer')
    }
  }
  return {
    token: () => guarded(credentials.token()),
    renewed: (refused) => guarded(credentials.renewed(refused)),
    refused: (token) => guarded(credentials.refused(token)),
  }
}

/** The attempts of these items, on disk with their frozen payloads; a batch that is rebuilt begins none twice. */
async function begin(
  items: readonly Permitted[],
  begun: Set<string>,
  refused: Map<string, Halted>,
  line: Line,
  ports: DeliverPorts,
): Promise<void> {
  const starting = items.filter(({ item }) => !begun.has(item.delivery.id))
  if (starting.length === 0) return
  const now = ports.clock()
  const { held, full } = await ports.attempts.begin(
    starting.map(({ leased: { row, action }, payload, dataKey }) => ({
      deliveryId: row.id,
      lease: row.lease!,
      ...(row.payload === null && { payload: sealJson(ports.keys.unwrap(dataKey), payload) }),
      ...(action.echo && { echo: ports.keys.echo(action.echo(payload as never)) }),
      windows: contactWindows(line.destination, row, now),
    })),
    now,
  )
  for (const { item, leased } of starting) {
    const { id } = item.delivery
    const retryAt = full.get(id)
    if (held.has(id)) begun.add(id)
    else if (retryAt !== undefined)
      refused.set(id, { leased, code: 'WAITING', retryAt, detail: 'the quota of this contact is used up' })
    // Somebody else has it or settled it: there is no row of ours left to settle.
    else refused.set(id, { leased, code: 'GOAL_REACHED' })
  }
}
