/**
 * The migration comparison and the policy simulation: on events of a file, and on what the hub itself has seen.
 * Counts and reasons only; nobody is named.
 */
import { rudderLetsThrough, segmentLetsThrough } from '../../consent/compare.ts'
import { isHalt, permit } from '../../consent/gate.ts'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { applySignal, type PurposeStatus } from '../../consent/status.ts'
import { type CanonicalEvent, DEVICE_IDENTIFIER_TYPES } from '../../schemas/event.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { factsOf } from '../stages/facts-of-person.ts'
import { personStatus } from '../stages/identify.ts'
import type { PersonState } from '../stages/people.ts'
import type { StatusPorts } from './status.ts'

export interface Difference {
  readonly destination: string
  readonly rule: 'segment' | 'rudderstack'
  /** theirs: they would have sent it and we do not. ours: we send it and they would not have. */
  readonly only: 'theirs' | 'ours'
  /** Headline reason of our gate, with its article; empty where we send. */
  readonly reason: string
  readonly events: number
  readonly people: number
}

export interface Comparison {
  readonly events: number
  /** Pairs of event and destination on which both agree. */
  readonly same: number
  readonly differences: readonly Difference[]
}

/** Statuses as the events themselves make them, in the order given: a file has no state beside it. */
export function createComparison(purposes: Purposes) {
  const statuses = new Map<string, PurposeStatus>()
  const found = new Map<
    string,
    { difference: Omit<Difference, 'events' | 'people'>; events: number; people: Set<string> }
  >()
  let events = 0
  let same = 0
  let ids = 0

  const whose = (event: CanonicalEvent, { id, scope }: Purpose) => {
    const { identifiers } = event.subject
    const who =
      scope === 'device'
        ? (identifiers.find(({ type }) => DEVICE_IDENTIFIER_TYPES.includes(type)) ?? identifiers[0])
        : identifiers[0]
    return `${who?.type}:${who?.value}\0${id}`
  }

  return {
    add(event: CanonicalEvent, raw: { readonly integrations?: unknown; readonly context?: unknown }): void {
      events++
      const verified = event.subject.identifiers[0]?.type === 'userId'
      for (const signal of event.consent) {
        const purpose = purposes.get(signal.purpose)
        if (!purpose) continue
        const key = whose(event, purpose)
        const { next } = applySignal(statuses.get(key), signal, {
          receivedAt: event.receivedAt,
          newId: () => `compare-${++ids}`,
          ends: purpose.ends,
          verified,
        })
        statuses.set(key, next)
      }
      const context = raw.context as Readonly<Record<string, unknown>> | undefined
      for (const destination of purposes.destinations.values()) {
        const served = [...destination.purposes].flatMap((id) => purposes.get(id) ?? [])
        const rule = event.source.connector === 'rudderstack' ? 'rudderstack' : 'segment'
        const categories = [
          ...new Set(served.flatMap(({ signals }) => (rule === 'segment' ? signals.segment : signals.rudder) ?? [])),
        ]
        const theirs =
          rule === 'segment'
            ? segmentLetsThrough(destination.id, categories, {
                consent: context?.['consent'],
                integrations: raw.integrations,
              })
            : rudderLetsThrough(categories, context?.['consentManagement'])
        const answers = served.map((purpose) =>
          permit({
            purpose,
            destinationId: destination.id,
            statusOf: (one) => statuses.get(whose(event, one)),
            purposes,
            fences: [],
            now: event.receivedAt,
          }),
        )
        const ours = answers.some((answer) => !isHalt(answer))
        if (ours === theirs) {
          same++
          continue
        }
        const halt = answers.find(isHalt)
        const reason = ours ? '' : halt ? wordsOf(halt.reasons[0]) : 'undeclared_destination (6 I)'
        const difference = {
          destination: destination.id,
          rule,
          only: theirs ? 'theirs' : 'ours',
          reason,
        } as const
        const key = JSON.stringify(difference)
        const known = found.get(key) ?? { difference, events: 0, people: new Set<string>() }
        known.events++
        const first = event.subject.identifiers[0]
        known.people.add(`${first?.type}:${first?.value}`)
        found.set(key, known)
      }
    },
    result(): Comparison {
      return {
        events,
        same,
        differences: [...found.values()]
          .map((one) => ({ ...one.difference, events: one.events, people: one.people.size }))
          .sort((a, b) => b.events - a.events),
      }
    },
  }
}

const wordsOf = (reason: { readonly code: string; readonly art: string } | undefined) =>
  reason ? `${reason.code} (${reason.art})` : ''

// ---------------------------------------------------------------- another policy on what was delivered

export interface Simulated {
  readonly destination: string
  readonly purpose: string
  /** Deliveries of the period that the policy of now permits. */
  readonly now: number
  /** Of the same deliveries, those that the other policy permits. */
  readonly then: number
  /** Why the other policy would not, with how many. */
  readonly blocked: Readonly<Record<string, number>>
  /** Those that are blocked now and would be permitted then. */
  readonly unblocked: number
}

const PART = 500

/** Every delivery since `from` asked again, with the answers people have given by now, under both policies. */
export async function simulate(
  other: Purposes,
  from: number,
  ports: Pick<StatusPorts, 'state' | 'keys' | 'purposes'>,
  now: number,
): Promise<Simulated[]> {
  const at = new Date(now).toISOString()
  const groups = new Map<string, { now: number; then: number; unblocked: number; blocked: Record<string, number> }>()
  let after = ''
  for (;;) {
    const rows = await ports.state.db
      .selectFrom('deliveries')
      .select(['id', 'destination', 'purpose', 'person_id', 'node_id'])
      .where('created_at', '>=', from)
      .where('id', '>', after)
      .where('event_id', 'not like', 'withdrawal:%')
      .orderBy('id')
      .limit(PART)
      .execute()
    if (rows.length === 0) break
    after = rows.at(-1)!.id
    const batch = new Batch(now, ports.keys)
    const ids = [...new Set(rows.map(({ person_id }) => person_id))]
    const merged = new Map(
      (
        await ports.state.db
          .selectFrom('persons')
          .select(['id', 'merged_into'])
          .where('id', 'in', ids)
          .where('merged_into', 'is not', null)
          .execute()
      ).map(({ id, merged_into }) => [id, merged_into!]),
    )
    await loadPeople(batch, ports.state, [], [...new Set(ids.map((id) => merged.get(id) ?? id))])
    for (const row of rows) {
      const person = batch.persons.get(merged.get(row.person_id) ?? row.person_id)
      const key = `${row.destination}\0${row.purpose}`
      const group = groups.get(key) ?? { now: 0, then: 0, unblocked: 0, blocked: {} }
      groups.set(key, group)
      const ask = (purposes: Purposes) =>
        permit({
          purpose: purposes.get(row.purpose),
          destinationId: row.destination,
          statusOf: (one) => person && statusIn(person, row.node_id, one, batch),
          purposes,
          fences: [],
          now: at,
          ...factsOf(person, purposes, at),
        })
      const [today, then] = [ask(ports.purposes), ask(other)]
      if (!isHalt(today)) group.now++
      if (!isHalt(then)) {
        group.then++
        if (isHalt(today)) group.unblocked++
      } else if (!isHalt(today)) {
        const reason = wordsOf(then.reasons[0])
        group.blocked[reason] = (group.blocked[reason] ?? 0) + 1
      }
    }
  }
  return [...groups]
    .map(([key, group]) => {
      const [destination, purpose] = key.split('\0') as [string, string]
      return { destination, purpose, ...group }
    })
    .sort((a, b) => (a.destination < b.destination ? -1 : 1))
}

/** For a device-scoped purpose any device of the person stands in: the delivery's own is sealed with its payload. */
function statusIn(
  person: PersonState,
  nodeId: string,
  { id, scope }: Purpose,
  batch: Batch,
): PurposeStatus | undefined {
  const own = scope === 'device' ? batch.statuses.get(nodeId)?.get(id)?.status : undefined
  return own ?? personStatus(person.nodes, id, batch)?.row.status
}
