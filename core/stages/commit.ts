/** The one state transaction of a batch: everything the stages changed, with the log position in it. */
import type { Transaction } from 'kysely'
import { mergeAudiences, writeAudiences } from '../audiences/rows.ts'
import { nextWake } from '../decision/wake.ts'
import { edgeKey } from '../identity/edge-memory.ts'
import { liftSuppressions } from '../requests/suppression.ts'
import { releaseReservations, takeBudgets } from '../rules/budgets.ts'
import { takeCodes } from '../rules/offer-codes.ts'
import { seal, sealJson } from '../seal.ts'
import { chunks, insertMany, runIn, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { Batch } from './batch.ts'
import { dedupeTable, ensureDedupeTable, recode } from './deduplicate.ts'
import { lockPeople } from './lock.ts'
import { NEW_DELIVERY, NEW_OFFERED_DELIVERY } from './new-delivery.ts'
import { writePlanCounts } from './note-plan.ts'
import { writeGaps } from './note-unanswered.ts'
import { writeExplanations } from './write-explanations.ts'

/** The state moved on without us: another process holds this partition. Nothing was written. */
export class PositionTaken extends Error {
  override readonly name = 'PositionTaken'
}

export interface PositionMove {
  readonly partition: number
  readonly logId: string
  readonly from: number
  readonly to: number
}

/** @param also written in the same transaction. */
export async function commitBatch(
  batch: Batch,
  state: StateStore,
  move: PositionMove | undefined,
  also?: (trx: Transaction<Tables>) => Promise<void>,
): Promise<void> {
  await state.transaction(async (trx) => {
    if (move && move.to !== move.from) await movePosition(trx, move)
    // One embedded process takes its batches one after the other; timers are checked everywhere all the same.
    if (state.dialect === 'postgres' || !move) await lockPeople(batch, state.dialect, trx)
    await takeBudgets(batch.budgets, batch.now, state.dialect, trx)
    await takeCodes(batch.offers, batch.now, state.dialect, trx)
    await writePeople(batch, state, trx)
    await writeConsent(batch, state, trx)
    await writeSuppressions(batch, trx)
    await writeEvents(batch, state, trx)
    await writeDecisions(batch, state, trx)
    await writeCounts(batch, state, trx)
    await also?.(trx)
  })
  for (const [a, b, , , , refused, strength] of batch.rows.edges.values())
    batch.identity.edges.add(edgeKey(a as string, b as string, strength as string, refused as string | null))
}

async function movePosition(trx: Transaction<Tables>, move: PositionMove): Promise<void> {
  const result = await trx
    .updateTable('positions')
    .set({ position: move.to })
    .where('partition', '=', move.partition)
    .where('log_id', '=', move.logId)
    .where('position', '=', move.from)
    .executeTakeFirst()
  if (Number(result.numUpdatedRows) !== 1)
    throw new PositionTaken(`position ${move.from} of partition ${move.partition} was moved by another process`)
}

async function writePeople(batch: Batch, { dialect }: StateStore, trx: Transaction<Tables>): Promise<void> {
  const { keys } = batch
  const nodes: unknown[][] = []
  const identifiers: unknown[][] = []
  const values: { id: string; sealed: Buffer }[] = []
  for (const node of batch.nodes.values()) {
    const sealed = node.newValue === undefined ? null : seal(keys.unwrap(node.dataKey), node.newValue)
    if (node.isNew) {
      nodes.push([
        node.id,
        node.personId,
        node.subject,
        isDevice(node.type) ? 1 : 0,
        node.dataKey,
        node.proofKey,
        node.foundedAt,
      ])
      identifiers.push([Buffer.from(node.hmac, 'hex'), node.type, node.id, sealed, node.foundedAt])
    } else if (sealed) values.push({ id: node.id, sealed })
  }
  await insertMany(
    trx,
    dialect,
    'nodes',
    ['id', 'person_id', 'subject', 'device', 'data_key', 'proof_key', 'founded_at'],
    nodes,
  )
  await insertMany(trx, dialect, 'identifiers', ['hmac', 'type', 'node_id', 'sealed', 'first_seen_at'], identifiers)
  for (const { id, sealed } of values)
    await trx.updateTable('identifiers').set({ sealed }).where('node_id', '=', id).execute()

  for (const [from, into] of batch.merged) {
    const target = batch.person(into).id
    await trx.updateTable('nodes').set({ person_id: target }).where('person_id', '=', from).execute()
    await trx.updateTable('persons').set({ merged_into: target }).where('id', '=', from).execute()
    await trx.updateTable('persons').set({ merged_into: target }).where('merged_into', '=', from).execute()
    await trx
      .updateTable('deliveries')
      .set({ person_id: target })
      .where('person_id', '=', from)
      .where('settled_at', 'is', null)
      .execute()
    await trx.updateTable('caps').set({ person_id: target }).where('person_id', '=', from).execute()
    await mergeAudiences(from, target, trx)
    await trx.deleteFrom('wakeups').where('person_id', '=', from).execute()
  }
  const persons: unknown[][] = []
  const unheard: unknown[][] = []
  const wakeups: unknown[][] = []
  const asleep: string[] = []
  for (const person of batch.persons.values()) {
    if (!person.dirty || batch.merged.has(person.id)) continue
    const written = person.unheard ? unheard : persons
    written.push([person.id, person.seq, JSON.stringify(person.profile), null, batch.now])
    const due = nextWake(person.profile, person.profile.measuresDueAt)
    if (due !== undefined) wakeups.push([person.id, due])
    else if (!person.isNew) asleep.push(person.id)
  }
  await insertMany(
    trx,
    dialect,
    'persons',
    ['id', 'seq', 'profile', 'merged_into', 'updated_at'],
    persons,
    'on conflict (id) do update set seq = excluded.seq, profile = excluded.profile, updated_at = excluded.updated_at',
  )
  // Time alone is no sign of life: the periods of retention run from when somebody was heard of.
  await insertMany(
    trx,
    dialect,
    'persons',
    ['id', 'seq', 'profile', 'merged_into', 'updated_at'],
    unheard,
    'on conflict (id) do update set seq = excluded.seq, profile = excluded.profile',
  )
  await insertMany(
    trx,
    dialect,
    'wakeups',
    ['person_id', 'due_at'],
    wakeups,
    'on conflict (person_id) do update set due_at = excluded.due_at',
  )
  await runIn(trx, dialect, 'delete from wakeups where person_id in ({list})', asleep)
  await insertMany(
    trx,
    dialect,
    'edges',
    ['node_a', 'node_b', 'event_id', 'source_id', 'at', 'refused', 'strength'],
    [...batch.rows.edges.values()],
    // The first evidence stays; a join replaces a refusal, and a statement what was only seen together.
    `on conflict (node_a, node_b) do update set refused = null, strength = excluded.strength,
      event_id = case when edges.refused is null then edges.event_id else excluded.event_id end,
      source_id = case when edges.refused is null then edges.source_id else excluded.source_id end,
      at = case when edges.refused is null then edges.at else excluded.at end
    where excluded.refused is null and (edges.refused is not null
      or (edges.strength = 'together' and excluded.strength = 'stated'))`,
  )
  await insertMany(
    trx,
    dialect,
    'merge_log',
    ['id', 'from_person', 'into_person', 'event_id', 'reason', 'at', 'node_a', 'node_b', 'before_hash'],
    batch.rows.merges,
  )

  const traits: unknown[][] = []
  for (const node of batch.nodes.values()) {
    const row = batch.traits.get(node.id)
    if (row?.dirty) traits.push([node.id, sealJson(keys.unwrap(node.dataKey), row.sealed), batch.now])
  }
  await insertMany(
    trx,
    dialect,
    'node_traits',
    ['node_id', 'sealed', 'updated_at'],
    traits,
    'on conflict (node_id) do update set sealed = excluded.sealed, updated_at = excluded.updated_at',
  )
}

const isDevice = (type: string) => type === 'anonymousId' || type === 'ga_client_id' || type === 'device_id'

async function writeConsent(batch: Batch, { dialect }: StateStore, trx: Transaction<Tables>): Promise<void> {
  const rows = [...batch.changedStatuses.values()].map(({ nodeId, purpose, status }) => [
    nodeId,
    purpose,
    status.status,
    JSON.stringify(status),
    batch.statuses.get(nodeId)!.get(purpose)!.updatedAt,
  ])
  await insertMany(
    trx,
    dialect,
    'consent_status',
    ['node_id', 'purpose', 'status', 'body', 'updated_at'],
    rows,
    'on conflict (node_id, purpose) do update set status = excluded.status, body = excluded.body, updated_at = excluded.updated_at',
  )
  await insertMany(
    trx,
    dialect,
    'ledger_pending',
    ['id', 'node_id', 'subject', 'purpose', 'at', 'public', 'sealed'],
    batch.rows.ledger,
  )
  await insertMany(
    trx,
    dialect,
    'withdrawals',
    ['id', 'node_id', 'purpose', 'at', 'origin_kind', 'origin_ref', 'entry_id'],
    batch.rows.withdrawals,
  )
}

async function writeSuppressions(batch: Batch, trx: Transaction<Tables>): Promise<void> {
  for (const [hmac, eventId] of batch.liftedSuppressions)
    await liftSuppressions(trx, batch.keys, [hmac], { eventId, at: batch.now })
}

async function writeEvents(batch: Batch, { dialect }: StateStore, trx: Transaction<Tables>): Promise<void> {
  const { rows } = batch
  const days = new Map<number, unknown[][]>()
  for (const { day, row } of rows.dedupe) {
    let list = days.get(day)
    if (!list) {
      list = []
      days.set(day, list)
    }
    list.push(row)
  }
  for (const [day, list] of days) {
    await ensureDedupeTable(trx, dialect, day)
    // In the order of the tree they go into: neighbours share pages.
    list.sort(([a], [b]) => Buffer.compare(a as Buffer, b as Buffer))
    await insertMany(trx, dialect, dedupeTable(day), ['hash', 'body', 'event_id', 'code'], list)
  }
  await recode(rows.recoded, trx, dialect)
  await insertMany(
    trx,
    dialect,
    'history',
    [
      'id',
      'node_id',
      'person_seq',
      'type',
      'name',
      'occurred_at',
      'received_at',
      'source_id',
      'connector',
      'purposes',
      'amounts',
      'sealed',
      'taken',
      'taken_at',
    ],
    rows.history,
  )
  await insertMany(
    trx,
    dialect,
    'history_inputs',
    ['id', 'node_id', 'person_seq', 'kind', 'at', 'body'],
    rows.historyInputs,
  )
  const facts = [...batch.facts.values()].filter((fact) => fact.isNew || fact.dirty)
  await insertMany(
    trx,
    dialect,
    'facts',
    ['key', 'kind', 'node_id', 'connector', 'event_id', 'amounts', 'purposes', 'at'],
    facts.map((fact) => [
      fact.key,
      fact.kind,
      fact.nodeId,
      fact.connector,
      fact.eventId,
      JSON.stringify(fact.amounts),
      JSON.stringify(fact.purposes),
      fact.at,
    ]),
    'on conflict (key) do update set node_id = excluded.node_id, connector = excluded.connector, amounts = excluded.amounts, purposes = excluded.purposes',
  )
  await insertMany(trx, dialect, 'held', ['id', 'key_id', 'sealed', 'received_at', 'expires_at'], rows.held)
  await insertMany(trx, dialect, 'held_identifiers', ['hmac', 'held_id'], rows.heldIdentifiers)
  for (const part of chunks([...batch.releasedHeld])) {
    await trx.deleteFrom('held').where('id', 'in', part).execute()
    await trx.deleteFrom('held_identifiers').where('held_id', 'in', part).execute()
  }
  await insertMany(
    trx,
    dialect,
    'quarantine',
    [
      'id',
      'source_id',
      'connector',
      'code',
      'path',
      'message',
      'key_id',
      'sealed',
      'status',
      'fences',
      'received_at',
      'expires_at',
    ],
    rows.quarantine,
    'on conflict (id) do nothing',
  )
}

async function writeDecisions(batch: Batch, { dialect }: StateStore, trx: Transaction<Tables>): Promise<void> {
  const { rows } = batch
  nameWhoRemains(batch)
  await cancelDeliveries(batch, trx)
  const plain = rows.deliveries.filter(({ length }) => length === NEW_DELIVERY.length)
  const offered = rows.deliveries.filter(({ length }) => length === NEW_OFFERED_DELIVERY.length)
  await insertMany(trx, dialect, 'deliveries', NEW_DELIVERY, plain, 'on conflict (id) do nothing')
  await insertMany(trx, dialect, 'deliveries', NEW_OFFERED_DELIVERY, offered, 'on conflict (id) do nothing')
  const caps = [...batch.persons.values()].flatMap((person) =>
    batch.merged.has(person.id)
      ? []
      : person.caps.filter((cap) => cap.isNew).map((cap) => [cap.key, person.id, cap.at, cap.deliveryId]),
  )
  await insertMany(
    trx,
    dialect,
    'caps',
    ['key', 'person_id', 'at', 'delivery_id'],
    caps,
    'on conflict (key, delivery_id) do nothing',
  )
  const remaining = new Set([...batch.merged.keys()].map((id) => batch.person(id).id))
  await writeAudiences({ stays: batch.stays, pushes: batch.pushes, merged: remaining, now: batch.now }, dialect, trx)
  await writeExplanations(batch, dialect, trx)
}

/** However many rules have the same goal, what waits of a person is looked at once. */
async function cancelDeliveries(batch: Batch, trx: Transaction<Tables>): Promise<void> {
  const byPerson = Map.groupBy(batch.cancels, ({ personId }) => batch.person(personId).id)
  for (const people of chunks([...byPerson.keys()])) {
    const waiting = await trx
      .selectFrom('deliveries')
      .select(['id', 'person_id', 'rule', 'since'])
      .where('person_id', 'in', people)
      .where('rule', 'is not', null)
      .where('settled_at', 'is', null)
      .where('status', 'in', ['queued', 'retry'])
      .execute()
    const reached = Map.groupBy(
      waiting,
      ({ person_id, rule, since }) =>
        byPerson.get(person_id)!.find((cancel) => cancel.rule === rule && since !== null && since <= cancel.at)?.reason,
    )
    for (const [reason, rows] of reached) {
      if (reason === undefined) continue
      const cancelled = await trx
        .updateTable('deliveries')
        .set({ status: 'cancelled', reason, settled_at: batch.now })
        .where(
          'id',
          'in',
          rows.map(({ id }) => id),
        )
        .where('settled_at', 'is', null)
        .where('status', 'in', ['queued', 'retry'])
        .returning(['id', 'destination'])
        .execute()
      for (const { destination } of cancelled) batch.count(`destination:${destination}`, reason)
      await releaseReservations(
        trx,
        cancelled.map(({ id }) => id),
      )
    }
  }
}

/** What was decided for somebody who was merged later in the same batch is the remaining person's. */
function nameWhoRemains(batch: Batch): void {
  const { merged, rows } = batch
  if (merged.size === 0) return
  for (const row of [...batch.stays.begun, ...batch.stays.ended, ...batch.pushes.values()])
    row.personId = batch.person(row.personId).id
  for (const row of rows.deliveries) row[DELIVERY_PERSON] = batch.person(row[DELIVERY_PERSON] as string).id
  for (const decided of rows.explanations) decided.personId = batch.person(decided.personId).id
  const latest = [...rows.latest.values()].sort((a, b) => (a.explanation.at < b.explanation.at ? -1 : 1))
  rows.latest.clear()
  for (const decided of latest) {
    decided.personId = batch.person(decided.personId).id
    rows.latest.set(`${decided.personId}\0${decided.explanation.rule}`, decided)
  }
}

/** Place of the person in the rows of deliveries. */
const DELIVERY_PERSON = 4

async function writeCounts(batch: Batch, state: StateStore, trx: Transaction<Tables>): Promise<void> {
  await writeRollups(trx, state.dialect, batch.counts)
  await writeGaps(trx, state, batch)
  await writePlanCounts(trx, state, batch)
}

/** @param counts `minute\0origin\0code` -> how many more. */
export async function writeRollups(
  trx: Transaction<Tables>,
  dialect: StateStore['dialect'],
  counts: Iterable<readonly [key: string, count: number]>,
): Promise<void> {
  const rows = [...counts].map(([key, count]) => {
    const [minute, origin, code] = key.split('\0') as [string, string, string]
    return [Number(minute), origin, code, count]
  })
  await insertMany(
    trx,
    dialect,
    'rollups',
    ['minute', 'origin', 'code', 'count'],
    rows,
    'on conflict (minute, origin, code) do update set count = rollups.count + excluded.count',
  )
}
