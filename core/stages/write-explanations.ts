/** What rules decided goes to disk: one row for a person and an event, however many rules answered to it. */
import type { Transaction } from 'kysely'
import { type PackedDecision, pack } from '../decision/packed.ts'
import { newId } from '../ids.ts'
import { insertMany, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { Batch } from './batch.ts'

export async function writeExplanations(
  { rows, now }: Batch,
  dialect: StateStore['dialect'],
  trx: Transaction<Tables>,
): Promise<void> {
  const together = new Map<string, { personId: string; eventId: string; at: string; packed: PackedDecision[] }>()
  for (const { personId, explanation, compiled } of rows.explanations) {
    const { eventId, at } = explanation
    const key = `${personId}\0${eventId}\0${at}`
    let row = together.get(key)
    if (!row) {
      row = { personId, eventId, at, packed: [] }
      together.set(key, row)
    }
    row.packed.push(pack(explanation, compiled))
  }
  await insertMany(
    trx,
    dialect,
    'explanations',
    ['id', 'person_id', 'event_id', 'at', 'body'],
    [...together.values()].map(({ personId, eventId, at, packed }) => [
      newId(now),
      personId,
      eventId,
      Date.parse(at),
      JSON.stringify(packed),
    ]),
  )
  await insertMany(
    trx,
    dialect,
    'explanations_latest',
    ['person_id', 'rule', 'event_id', 'at', 'body'],
    [...rows.latest.values()].map(({ personId, explanation, compiled }) => [
      personId,
      explanation.rule,
      explanation.eventId,
      Date.parse(explanation.at),
      JSON.stringify(pack(explanation, compiled)),
    ]),
    'on conflict (person_id, rule) do update set event_id = excluded.event_id, at = excluded.at, body = excluded.body',
  )
}
