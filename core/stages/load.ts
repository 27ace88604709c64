/** Everything a batch needs, in a few queries. */
import type { CanonicalEvent } from '../../schemas/event.ts'
import { EVENT_SCHEMA_VERSION } from '../../schemas/event.ts'
import type { OpenTimer } from '../../schemas/profile.ts'
import { loadSuppressed } from '../requests/suppression.ts'
import { loadBudgets } from '../rules/budgets.ts'
import { loadOffers, type Offers } from '../rules/offer-codes.ts'
import { unsealJson } from '../seal.ts'
import { chunks } from '../stores/open.ts'
import type { SealedEvent } from './apply.ts'
import { type Batch, loadBlocked, loadFacts, loadPeople, loadPeopleOfNodes } from './batch.ts'
import type { Fresh } from './deduplicate.ts'
import { factKey } from './facts.ts'
import { type HeldEvent, loadHeld } from './hold.ts'
import { type Identified, type Named, namesOf } from './identify.ts'
import type { NodeState, PersonState } from './people.ts'
import type { ProcessPorts } from './ports.ts'

const NO_OFFERS: Offers = new Map()

export interface Loaded {
  /** Key of what this batch holds. */
  readonly heldKey: { id: string; wrapped: Uint8Array }
  /** Held events of the people an event reaches, oldest first, those held earlier in this batch included. */
  heldFor(identified: Identified): HeldEvent[]
  /** Tells of an event held in this batch. */
  addHeld(identified: Identified): void
}

export async function loadBatch(fresh: readonly Fresh[], batch: Batch, ports: ProcessPorts): Promise<Loaded> {
  const { state, keys, sealKeys, settings } = ports
  const named = fresh.map(({ input }) => namesOf(input.record.event, batch))
  const identifiers = new Map(named.flat().map(({ hmac }) => [hmac, Buffer.from(hmac, 'hex')]))
  for (const [hmac, since] of await loadSuppressed(state.db, keys, [...identifiers.keys()]))
    batch.suppressed.set(hmac, since)
  await loadBlocked(batch, state, [...identifiers.values()])
  await loadPeople(batch, state, [...identifiers.values()])
  const facts = fresh.map(({ input }) => factKey(input.record.event)).filter((key) => key !== undefined)
  await loadFacts(batch, state, facts)
  await loadBudgets(settings.rules, batch.budgets, state.db)
  await loadOffers(settings.offers ?? NO_OFFERS, batch.offers, batch.budgets, state.db)

  const asked = new Map<string, Buffer>()
  fresh.forEach(({ input: { record } }, index) => {
    const names = named[index]!
    const answers = record.event.consent.length > 0 || settings.purposes.openedBy(record.event).length > 0
    if (!answers && !mayJoin(names, batch)) return
    for (const { hmac } of names) {
      asked.set(hmac, identifiers.get(hmac)!)
      const node = batch.nodes.get(hmac)
      for (const other of node ? batch.person(node.personId).nodes : [])
        asked.set(other.hmac, Buffer.from(other.hmac, 'hex'))
    }
  })
  const held = new Map<string, HeldEvent & { hmacs: string[] }>()
  if (asked.size > 0) {
    const waiting = await loadHeld([...asked.values()], batch.now, keys, state)
    const theirs = waiting.map((entry) => ({ ...entry, hmacs: namesOf(entry.event, batch).map(({ hmac }) => hmac) }))
    for (const entry of theirs) held.set(entry.id, entry)
    await loadPeople(
      batch,
      state,
      theirs.flatMap(({ hmacs }) => hmacs.map((hmac) => Buffer.from(hmac, 'hex'))),
    )
    await loadFacts(
      batch,
      state,
      waiting.map(({ event }) => factKey(event)).filter((key) => key !== undefined),
    )
  }
  return {
    heldKey: await sealKeys.held(batch.now),
    heldFor(identified) {
      if (held.size === 0) return []
      const theirs = new Set(identified.named.map(({ hmac }) => hmac))
      for (const { hmac } of identified.named) {
        const node = batch.nodes.get(hmac)
        for (const other of node ? batch.person(node.personId).nodes : []) theirs.add(other.hmac)
      }
      return [...held.values()]
        .filter(({ id, hmacs }) => !batch.releasedHeld.has(id) && hmacs.some((hmac) => theirs.has(hmac)))
        .sort((a, b) =>
          a.event.occurredAt < b.event.occurredAt
            ? -1
            : a.event.occurredAt > b.event.occurredAt
              ? 1
              : a.id < b.id
                ? -1
                : 1,
        )
    },
    addHeld(identified) {
      held.set(identified.event.id, {
        id: identified.event.id,
        event: identified.event,
        hmacs: identified.named.map(({ hmac }) => hmac),
      })
    },
  }
}

/** Its identifiers are not all known as one person yet: what is held for one of them may become another's. */
function mayJoin(names: readonly Named[], batch: Batch): boolean {
  const people = new Set<unknown>()
  for (const { hmac } of names) {
    const node = batch.nodes.get(hmac)
    people.add(node ? batch.person(node.personId) : hmac)
  }
  return people.size > 1
}

export interface StartEvent {
  readonly event: CanonicalEvent
  readonly node: NodeState
  readonly deviceNode: NodeState | undefined
}

export interface DueTimers {
  readonly people: readonly PersonState[]
  /** The event that started a timer, when history still has it. */
  startOf(person: PersonState, timer: Pick<OpenTimer, 'rule' | 'correlation' | 'dueAt'>): StartEvent | undefined
}

const MOST_PEOPLE = 500

export async function loadTimers(watermark: number, batch: Batch, ports: ProcessPorts): Promise<DueTimers> {
  const { state, keys } = ports
  const due = await state.db
    .selectFrom('wakeups')
    .select('person_id')
    .where('due_at', '<=', watermark)
    .orderBy('due_at')
    .limit(MOST_PEOPLE)
    .execute()
  if (due.length === 0) return { people: [], startOf: () => undefined }
  await loadBudgets(ports.settings.rules, batch.budgets, state.db)
  await loadOffers(ports.settings.offers ?? NO_OFFERS, batch.offers, batch.budgets, state.db)
  await loadPeople(
    batch,
    state,
    [],
    due.map(({ person_id }) => person_id),
  )
  const people = due.map(({ person_id }) => batch.persons.get(person_id)).filter((person) => person !== undefined)
  const ids = people.flatMap((person) =>
    person.profile.timers
      .filter((timer) => Date.parse(timer.graceUntil) <= watermark)
      .map(({ startEventId }) => startEventId),
  )
  const starts = new Map<string, Omit<StartEvent, 'deviceNode'> & { readonly device: string }>()
  const nodes = new Map(people.flatMap((person) => person.nodes.map((node) => [node.id, node] as const)))
  for (const part of chunks(ids))
    for (const row of await state.db.selectFrom('history').selectAll().where('id', 'in', part).execute()) {
      const node = nodes.get(row.node_id)
      if (!node) continue
      const sealed = unsealJson<SealedEvent>(keys.unwrap(node.dataKey), row.sealed)
      starts.set(row.id, { event: eventOf(row, sealed), node, device: sealed.device })
    }
  await loadPeopleOfNodes(
    batch,
    state,
    [...starts.values()].map(({ device }) => device),
  )
  return {
    people,
    startOf(person, timer) {
      const open = person.profile.timers.find(
        (other) => other.rule === timer.rule && other.correlation === timer.correlation && other.dueAt === timer.dueAt,
      )
      const start = open && starts.get(open.startEventId)
      return start && { event: start.event, node: start.node, deviceNode: batch.node(start.device) }
    },
  }
}

export interface HistoryRow {
  readonly id: string
  readonly type: string
  readonly name: string
  readonly occurred_at: number
  readonly received_at: number
  readonly source_id: string
  readonly connector: string
}

/** The kept event as it was, out of a history row. */
export function eventOf(row: HistoryRow, sealed: SealedEvent): CanonicalEvent {
  return {
    schemaVersion: EVENT_SCHEMA_VERSION,
    id: row.id,
    messageId: sealed.messageId,
    type: row.type as CanonicalEvent['type'],
    name: row.name,
    occurredAt: new Date(row.occurred_at).toISOString(),
    receivedAt: new Date(row.received_at).toISOString(),
    source: {
      id: row.source_id,
      connector: row.connector,
      payloadHash: '',
      ...(sealed.originalName !== undefined && { originalName: sealed.originalName }),
    },
    subject: {
      identifiers: [...sealed.identifiers],
      ...(sealed.previousId !== undefined && { previousId: sealed.previousId }),
    },
    traits: { ...sealed.traits },
    properties: { ...sealed.properties },
    context: { ...sealed.context },
    consent: [],
  }
}
