/** Asks recipients, one after the other, until each has answered or somebody has to do it by hand. */
import type { RecipientOperation, Right, SystemConfig } from '../../schemas/requests.ts'
import type { Keys } from '../keys.ts'
import type { Command, CommandResult } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import { openRequest } from './sealed.ts'
import type { VendorResult, Vendors } from './vendors.ts'

const IDLE_MS = 30_000
const FIRST_WAIT_MS = 60_000
const LONGEST_WAIT_MS = 6 * 3_600_000
/** About two days of tries; then it is a task for a person. */
const MOST_ATTEMPTS = 12

export interface RunnerPorts {
  readonly state: StateStore
  readonly keys: Keys
  readonly vendors: Vendors
  readonly systems: readonly SystemConfig[]
  readonly clock: () => number
  run(command: Command): Promise<CommandResult>
  /** A request may have ended. */
  settled(id: string): Promise<void>
  fault(error: unknown): void
}

export interface Runner {
  wake(): void
  /** Resolves when nobody who is due is left unasked. */
  drained(): Promise<void>
  stop(): Promise<void>
}

export function startRunner(ports: RunnerPorts): Runner {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let again = false

  const round = async (): Promise<void> => {
    do {
      again = false
      const due = await ports.state.db
        .selectFrom('request_recipients')
        .innerJoin('requests', 'requests.id', 'request_recipients.request_id')
        .selectAll('request_recipients')
        .select(['requests.right_id', 'requests.received_at', 'requests.data_key', 'requests.sealed'])
        .where('request_recipients.status', 'in', ['pending', 'retry'])
        .where('request_recipients.next_at', '<=', ports.clock())
        .where('requests.closed_at', 'is', null)
        .orderBy('request_recipients.next_at')
        .limit(50)
        .execute()
      for (const row of due) {
        if (stopped) return
        const content = openRequest(row, ports.keys)
        const subject = content.vendor ?? {}
        const system = ports.systems.find(({ name }) => name === row.recipient)
        const result: VendorResult =
          row.kind === 'opendsr' && system
            ? await ports.vendors.openDsr(
                system,
                { id: row.request_id, right: row.right_id as Right, receivedAt: row.received_at },
                subject,
              )
            : await ports.vendors.call(row.recipient, row.operation as RecipientOperation, subject, content.corrections)
        const spent = row.attempts + 1 >= MOST_ATTEMPTS
        const wait = result.retryAfterMs ?? Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** row.attempts)
        const told = await ports.run({
          name: 'settleRequestRecipient',
          actor: 'hub',
          args: {
            id: row.request_id,
            recipient: row.recipient,
            operation: row.operation,
            status: result.status === 'retry' && spent ? 'failed' : result.status,
            answer: result.answer,
            nextAt: ports.clock() + wait,
            ...(result.content !== undefined && {
              file: {
                name: `${row.recipient}.json`,
                mediaType: 'application/json',
                base64: Buffer.from(result.content).toString('base64'),
              },
            }),
          },
        })
        if (!told.ok && told.code !== 'CLOSED') ports.fault(new Error(`recipient of a request: ${told.code}`))
        await ports.settled(row.request_id)
      }
      if (due.length === 50) again = true
    } while (again && !stopped)
  }
  const start = (): Promise<void> => {
    clearTimeout(timer)
    running ??= round()
      .catch((error) => ports.fault(error))
      .finally(() => {
        running = undefined
        if (!stopped) timer = setTimeout(start, IDLE_MS).unref()
      })
    return running
  }
  timer = setTimeout(start, 1000).unref()

  return {
    wake() {
      again = true
      void start()
    },
    async drained() {
      again = true
      await start()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
