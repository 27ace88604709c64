/**
 * Legal holds: what a proceeding needs stays, whatever a policy says (LGPD art. 7 VI, art. 16 I), and is not
 * used meanwhile (art. 5 XIII). A hold is about one person, or about a range of time in one kind of data or all.
 */
import { type RawBuilder, sql } from 'kysely'
import type { DataClass, LegalHold } from '../../schemas/retention.ts'
import { chunks, type Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'

/** SQL that is true for rows `d(person_id, at)` that a hold in force keeps. */
export function isHeld(kind: DataClass): RawBuilder<boolean> {
  return sql<boolean>`(coalesce(d.person_id, '') in (
      select coalesce(p.merged_into, h.person_id) from legal_holds h left join persons p on p.id = h.person_id
      where h.kind = 'person' and h.released_at is null)
    or exists (
      select 1 from legal_holds h where h.kind = 'range' and h.released_at is null
      and (h.class is null or h.class = ${kind})
      and (h.from_at is null or d.at >= h.from_at) and (h.to_at is null or d.at < h.to_at)))`
}

export function holdsInForce(db: Db): Promise<Tables['legal_holds'][]> {
  return db.selectFrom('legal_holds').selectAll().where('released_at', 'is', null).orderBy('set_at').execute()
}

/** Those of these people whose data may be neither deleted nor used. Merges since the hold was set are followed. */
export async function heldPersons(db: Db, personIds: readonly string[]): Promise<ReadonlySet<string>> {
  const held = new Set<string>()
  for (const part of chunks(personIds)) {
    const rows = await db
      .selectFrom('legal_holds as h')
      .leftJoin('persons as p', 'p.id', 'h.person_id')
      .select((eb) => eb.fn.coalesce('p.merged_into', 'h.person_id').as('person'))
      .where('h.kind', '=', 'person')
      .where('h.released_at', 'is', null)
      .where((eb) => eb(eb.fn.coalesce('p.merged_into', 'h.person_id'), 'in', part))
      .execute()
    for (const { person } of rows) if (person !== null) held.add(person)
  }
  return held
}

/** Whether a hold on a range keeps a row of this kind and time. */
export function rangeHolds(holds: readonly Tables['legal_holds'][], kind: DataClass, at: number): boolean {
  return holds.some(
    (hold) =>
      hold.kind === 'range' &&
      (hold.class === null || hold.class === kind) &&
      (hold.from_at === null || at >= hold.from_at) &&
      (hold.to_at === null || at < hold.to_at),
  )
}

/** @param subjects ledger subject by person id. */
export function asHold(row: Tables['legal_holds'], subjects: ReadonlyMap<string, string>): LegalHold {
  return {
    id: row.id,
    kind: row.kind as LegalHold['kind'],
    subject: row.person_id === null ? null : (subjects.get(row.person_id) ?? null),
    class: row.class as LegalHold['class'],
    from: row.from_at,
    to: row.to_at,
    ref: row.ref,
    reason: row.reason,
    setBy: row.set_by,
    setAt: row.set_at,
    releasedBy: row.released_by,
    releasedAt: row.released_at,
    releaseReason: row.release_reason,
  }
}

/** The first ledger subject of each person: how people are named where nobody's name may stand. */
export async function subjectsOf(db: Db, personIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const part of chunks([...new Set(personIds)])) {
    const rows = await db
      .selectFrom('nodes')
      .leftJoin('persons', (join) => join.onRef('persons.merged_into', '=', 'nodes.person_id'))
      .select(['nodes.person_id', 'nodes.subject', 'persons.id as merged'])
      .where((eb) => eb.or([eb('nodes.person_id', 'in', part), eb('persons.id', 'in', part)]))
      .orderBy('nodes.id', 'desc')
      .execute()
    for (const { person_id, subject, merged } of rows) {
      found.set(person_id, subject)
      if (merged !== null) found.set(merged, subject)
    }
  }
  return found
}
