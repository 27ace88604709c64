/** 017-lists: how destinations were told of audiences, so that people can be taken out of a list that is no longer defined. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export interface ListTables {
  /** One row per audience and destination that was ever defined together; nothing of anybody. */
  audience_lists: {
    audience: string
    destination: string
    /** JSON `{add, remove, with, purpose}`, as last defined. */
    told: string
    /** JSON of the same shape: how it was before, while everybody told so is told anew. */
    former: string | null
    /** Hash of the definitions that brought the change. */
    hash: string
    /** Somebody emptied the list at the vendor by hand, and said so. */
    closed_at: number | null
    closed_by: string | null
    reason: string | null
  }
}

export async function listTables(db: Kysely<Tables>): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  await run(
    'create table audience_lists (audience text not null, destination text not null, told text not null, former text, hash text not null, closed_at bigint, closed_by text, reason text, primary key (audience, destination))',
  )
}
