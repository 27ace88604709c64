/**
 * Dead and uncertain deliveries once more. Who may go is asked before anything moves: consent as it is now, fences,
 * goals, suppression; never those to whom the same was delivered. They are mapped anew and have a rate budget of their own.
 */
import type { Purposes } from '../../consent/purposes.ts'
import type { RedrivePreview } from '../../schemas/deliveries.ts'
import type { DestinationSettings } from '../config.ts'
import type { RuleSet } from '../decision/index.ts'
import { createAttemptWriter } from '../delivery/attempts.ts'
import { createBreaker } from '../delivery/breaker.ts'
import { createLimiter } from '../delivery/limiter.ts'
import { maskedContact } from '../delivery/masked-contact.ts'
import type { Keys } from '../keys.ts'
import type { Transport } from '../kit/http.ts'
import type { LogReader } from '../log/event-log.ts'
import { unseal } from '../seal.ts'
import type { Action, DeliverPorts, DeliveryRow, Leased, Line } from '../stages/deliver-ports.ts'
import { createLooks, permitLeased } from '../stages/permit.ts'
import { chunks, type StateStore } from '../stores/open.ts'
import { readFilter, readTime } from './commands.ts'
import { type Command, CommandError, type CommandResult } from './context.ts'
import { filterDeliveries } from './delivery-filter.ts'

/** One call takes so many; the rest is another call's. */
const MOST = 5_000
const AT_ONCE = 200
const MOST_SAMPLES = 20

export interface RedrivePorts {
  readonly state: StateStore
  readonly keys: Keys
  readonly purposes: Purposes
  readonly rules: RuleSet
  readonly destinations: ReadonlyMap<string, DestinationSettings>
  readonly log: LogReader
  readonly publicUrl: string
  readonly clock: () => number
}

/** @param process carries out what must be written in the state. */
export async function redriveDeliveries(
  command: Command,
  ports: RedrivePorts,
  process: (command: Command) => Promise<CommandResult>,
): Promise<RedrivePreview> {
  const { state } = ports
  const now = ports.clock()
  const found = await matching(readFilter(command.args['filter']), state)
  const rows = found.slice(0, MOST)
  const delivered = await deliveredAlready(rows, state)
  const verdicts = new Map<string, string>()
  const lines = new Map<string, Line>()
  for (const part of chunks(rows, AT_ONCE))
    for (const [id, code] of await askNow(
      part.filter(({ id }) => !delivered.has(id)),
      lines,
      ports,
    ))
      verdicts.set(id, code)
  for (const id of delivered) verdicts.set(id, 'DELIVERED')

  const going = rows.filter(({ id }) => !verdicts.has(id))
  const leftOut = new Map<string, number>()
  for (const code of verdicts.values()) leftOut.set(code, (leftOut.get(code) ?? 0) + 1)
  const budgets = budgetsOf(going, ports.destinations, now)
  const dryRun = command.args['dryRun'] === true
  if (!dryRun && going.length > 0) {
    const done = await process({
      name: 'requeueDeliveries',
      args: {
        ids: going.map(({ id }) => id),
        perSecond: Object.fromEntries(budgets.map(({ destination, perSecond }) => [destination, perSecond])),
      },
      actor: command.actor,
    })
    if (!done.ok) throw new CommandError(done.code, done.message)
  }
  return {
    deliveries: going.length,
    people: new Set(going.map(({ person_id }) => person_id)).size,
    mayRepeat: going.filter(({ status, kind }) => status === 'uncertain' && kind === 'message').length,
    leftOut: [...leftOut].sort((a, b) => b[1] - a[1]).map(([code, count]) => ({ code, count })),
    budgets,
    samples: dryRun ? await samplesOf(rows, verdicts, ports) : [],
    more: found.length > MOST,
    dryRun,
  }
}

/** A quarter of what the vendor allows: what is new keeps its pace. */
const budgetOf = (destination: DestinationSettings | undefined) => (destination?.definition.limits.perSecond ?? 1) / 4

function budgetsOf(
  rows: readonly DeliveryRow[],
  destinations: RedrivePorts['destinations'],
  now: number,
): RedrivePreview['budgets'] {
  const counts = new Map<string, number>()
  for (const { destination } of rows) counts.set(destination, (counts.get(destination) ?? 0) + 1)
  return [...counts].map(([destination, deliveries]) => {
    const perSecond = budgetOf(destinations.get(destination))
    return { destination, deliveries, perSecond, lastAt: Math.round(now + ((deliveries - 1) * 1000) / perSecond) }
  })
}

/** One row more than is taken tells that there are more. */
function matching(filter: Readonly<Record<string, unknown>>, { db }: StateStore): Promise<DeliveryRow[]> {
  const { from, since, to, ...words } = filter
  return filterDeliveries(db, {
    ...Object.fromEntries(Object.entries(words).map(([word, value]) => [word, String(value)])),
    from: readTime(from ?? since),
    to: readTime(to),
  })
    .selectAll()
    .where('status', 'in', ['dead', 'uncertain'])
    .orderBy('ord')
    .limit(MOST + 1)
    .execute()
}

/** Rows beside which the same was delivered: to the same person, for the same event, by the same action and rule. */
async function deliveredAlready(rows: readonly DeliveryRow[], { db }: StateStore): Promise<Set<string>> {
  const keyOf = (row: Pick<DeliveryRow, 'event_id' | 'destination' | 'action' | 'person_id' | 'rule'>) =>
    [row.event_id, row.destination, row.action, row.person_id, row.rule].join('\0')
  const delivered = new Set<string>()
  for (const part of chunks([...new Set(rows.map(({ event_id }) => event_id))]))
    for (const row of await db
      .selectFrom('deliveries')
      .select(['event_id', 'destination', 'action', 'person_id', 'rule'])
      .where('event_id', 'in', part)
      .where('status', '=', 'delivered')
      .execute())
      delivered.add(keyOf(row))
  return new Set(rows.filter((row) => delivered.has(keyOf(row))).map(({ id }) => id))
}

/** @returns row id -> the exit it would take now, for those that would not leave. */
async function askNow(
  rows: readonly DeliveryRow[],
  lines: Map<string, Line>,
  ports: RedrivePorts,
): Promise<Map<string, string>> {
  const refused = new Map<string, string>()
  const leased: Leased[] = []
  for (const row of rows) {
    const destination = ports.destinations.get(row.destination)
    const action = destination?.definition.actions[row.action] as Action | undefined
    if (!destination || !action) refused.set(row.id, 'UNDECLARED')
    // Its time to be of use starts anew: whoever re-drives it wants it sent.
    else {
      const line = lines.get(destination.id) ?? lineOf(destination)
      lines.set(destination.id, line)
      leased.push({ row: { ...row, expires_at: null }, line, action })
    }
  }
  if (leased.length === 0) return refused
  const { halted } = await permitLeased(leased, deliverPorts(ports), { all: false })
  for (const { leased: one, code } of halted) refused.set(one.row.id, code)
  return refused
}

/** Asking sends nothing: a transport is never reached. */
const silent: Transport = () => Promise.reject(new Error('a question sends nothing'))

function lineOf(destination: DestinationSettings): Line {
  return {
    destination,
    transport: silent,
    limiter: createLimiter(destination.definition.limits),
    breaker: createBreaker(),
  }
}

function deliverPorts(ports: RedrivePorts): DeliverPorts {
  const { state, keys, purposes, rules, log, publicUrl, clock } = ports
  return {
    state,
    keys,
    purposes,
    rules,
    freshRules: async () => rules,
    log,
    publicUrl,
    clock,
    lines: new Map(),
    attempts: createAttemptWriter(state),
    looks: createLooks(),
    count: () => {},
    tell: () => {},
    fault: () => {},
    leases: new Set(),
    stop: new AbortController().signal,
  }
}

async function samplesOf(
  rows: readonly DeliveryRow[],
  verdicts: ReadonlyMap<string, string>,
  { state, keys }: RedrivePorts,
): Promise<RedrivePreview['samples']> {
  // Some of both, those that go first.
  const going = rows.filter(({ id }) => !verdicts.has(id)).slice(0, MOST_SAMPLES / 2)
  const staying = rows.filter(({ id }) => verdicts.has(id)).slice(0, MOST_SAMPLES - going.length)
  const chosen = [...going, ...staying]
  const contacts = new Map<string, string>()
  if (chosen.length > 0)
    for (const row of await state.db
      .selectFrom('nodes')
      .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
      .select(['nodes.person_id', 'nodes.data_key', 'identifiers.type', 'identifiers.sealed'])
      .where(
        'nodes.person_id',
        'in',
        chosen.map(({ person_id }) => person_id),
      )
      .where('identifiers.type', 'in', ['email', 'phone'])
      .where('identifiers.sealed', 'is not', null)
      .orderBy('identifiers.type')
      .execute())
      if (!contacts.has(row.person_id))
        contacts.set(
          row.person_id,
          maskedContact(row.type, unseal(keys.unwrap(row.data_key), row.sealed!).toString('utf8')),
        )
  return chosen.map((row) => ({
    id: row.id,
    destination: row.destination,
    action: row.action,
    rule: row.rule,
    contact: contacts.get(row.person_id) ?? null,
    code: verdicts.get(row.id) ?? null,
  }))
}
