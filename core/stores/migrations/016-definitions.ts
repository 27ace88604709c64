/** 016-definitions: what audiences, computed traits and scores were at any time, so that a replay holds people against it. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export interface DefinitionTables {
  /** One row each time they became others; nothing of anybody. */
  measure_definitions: {
    /** ULID made when they came into force: its order is that of `history.taken` and `history_inputs.id`. */
    id: string
    hash: string
    at: number
    /** JSON: audiences, computed and scores as the configuration had them. */
    body: string
  }
}

export async function definitionTables(db: Kysely<Tables>): Promise<void> {
  await sql
    .raw(
      'create table measure_definitions (id text primary key, hash text not null, at bigint not null, body text not null)',
    )
    .execute(db)
}
