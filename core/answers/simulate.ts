/**
 * Another policy on what the hub has seen: events it kept and deliveries it made, asked again. With the answers
 * people have given by now, under both, so that only the policy differs. Counts and reasons; nobody is named.
 */
import { collect, isHalt, permit } from '../../consent/gate.ts'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import type { PurposeStatus } from '../../consent/status.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { factsOf } from '../stages/facts-of-person.ts'
import { personStatus } from '../stages/identify.ts'
import type { PersonState } from '../stages/people.ts'
import { wordsOf } from './compare.ts'
import type { StatusPorts } from './status.ts'

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

export interface SimulatedCollect {
  readonly source: string
  readonly purpose: string
  /** Events of the period that the policy of now would keep for this purpose. */
  readonly now: number
  readonly then: number
}

const PART = 500

/**
 * Every event kept since `from`, asked again. What was dropped left only a count, so a policy that keeps more cannot be
 * measured by it: it can only say what it would keep of what was kept.
 */
export async function simulateCollect(
  other: Purposes,
  from: number,
  ports: Pick<StatusPorts, 'state' | 'keys' | 'purposes'>,
  now: number,
): Promise<SimulatedCollect[]> {
  const at = new Date(now).toISOString()
  const groups = new Map<string, { now: number; then: number }>()
  let after = ''
  for (;;) {
    const rows = await ports.state.db
      .selectFrom('history')
      .innerJoin('nodes', 'nodes.id', 'history.node_id')
      .select(['history.id', 'history.node_id', 'history.type', 'history.name', 'history.source_id', 'nodes.person_id'])
      .where('history.received_at', '>=', from)
      .where('history.id', '>', after)
      .orderBy('history.id')
      .limit(PART)
      .execute()
    if (rows.length === 0) break
    after = rows.at(-1)!.id
    const batch = new Batch(now, ports.keys)
    await loadPeople(batch, ports.state, [], [...new Set(rows.map(({ person_id }) => person_id))], { all: false })
    for (const row of rows) {
      const person = batch.persons.get(row.person_id)
      if (!person) continue
      const event = { type: row.type as CanonicalEvent['type'], name: row.name }
      const kept = (purposes: Purposes): readonly string[] => {
        const statusOf = (one: Purpose) => statusIn(person, row.node_id, one, batch)
        const answer = collect(event, statusOf, purposes, at, factsOf(person, purposes, at))
        return answer.effect === 'keep' ? answer.allowed.map(({ id }) => id) : []
      }
      const count = (purpose: string, which: 'now' | 'then') => {
        const key = `${row.source_id}\0${purpose}`
        const group = groups.get(key) ?? { now: 0, then: 0 }
        group[which]++
        groups.set(key, group)
      }
      for (const purpose of kept(ports.purposes)) count(purpose, 'now')
      for (const purpose of kept(other)) count(purpose, 'then')
    }
  }
  return [...groups]
    .map(([key, group]) => {
      const [source, purpose] = key.split('\0') as [string, string]
      return { source, purpose, ...group }
    })
    .sort((a, b) => (`${a.source} ${a.purpose}` < `${b.source} ${b.purpose}` ? -1 : 1))
}

/** Every delivery since `from` asked again, with the answers people have given by now, under both policies. */
export async function simulateDeliveries(
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
