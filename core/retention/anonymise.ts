/**
 * Anonymisation by aggregation (LGPD art. 5 XI, art. 12): of kept events only counts per day, event and source
 * remain, and only where at least k people are in the cell; smaller cells are suppressed. What is left holds no
 * row per person, so there is nothing a key or a second table could lead back. What remains as risk: somebody who
 * knows all other people of a cell knows that the last one was in it; k is stated so that this can be judged.
 */
import { sql } from 'kysely'
import type { ResolvedPolicy } from '../../consent/retention/policies.ts'
import type { RetentionContext } from './context.ts'
import { dueQuery } from './due.ts'
import { isHeld } from './holds.ts'

export interface AnonymisedCell {
  readonly ids: readonly string[]
  readonly kept: boolean
}

/** One cell, whole: its people could not be counted otherwise. @returns undefined when nothing is due. */
export async function anonymiseCell(
  resolved: ResolvedPolicy,
  runId: string,
  context: RetentionContext,
): Promise<AnonymisedCell | undefined> {
  const due = await dueQuery(resolved, context)
  if (!due) return undefined
  const free = sql`(${due}) d join history x on x.id = d.id where not ${isHeld(resolved.policy.class)}`
  const day = sql<number>`(x.occurred_at / 86400000)`
  // Names of pages are written by people; of those calls only the kind is told.
  const name = sql<string>`case when x.type = 'track' then x.name else x.type end`
  const first = await sql<{ day: number; name: string; source_id: string }>`
    select ${day} as day, ${name} as name, x.source_id from ${free} order by x.occurred_at, x.name, x.source_id limit 1
  `.execute(context.db)
  const cell = first.rows[0]
  if (!cell) return undefined
  const { rows } = await sql<{ id: string; person_id: string | null }>`
    select d.id, d.person_id from ${free} and ${day} = ${cell.day} and ${name} = ${cell.name} and x.source_id = ${cell.source_id}
  `.execute(context.db)
  const people = new Set(rows.map(({ person_id }) => person_id)).size
  const kept = people >= (resolved.policy.anonymise?.k ?? Number.POSITIVE_INFINITY)
  if (kept)
    await context.db
      .insertInto('anonymous_counts')
      .values({
        day: new Date(Number(cell.day) * 86_400_000).toISOString().slice(0, 10),
        name: cell.name,
        source_id: cell.source_id,
        run_id: runId,
        events: rows.length,
        people,
      })
      .execute()
  return { ids: rows.map(({ id }) => id), kept }
}

export interface MethodStated {
  readonly method: 'aggregate'
  readonly k: number
  readonly kept: number
  readonly suppressed: number
}
