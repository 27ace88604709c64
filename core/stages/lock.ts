/**
 * A person changes in one transaction at a time. Their rows are locked in ascending id, so that two processes never
 * wait for each other, and must be as they were loaded: whoever came second begins anew with what the first one wrote.
 */
import type { Transaction } from 'kysely'
import type { Dialect } from '../stores/migrations.ts'
import { chunks } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { Batch } from './batch.ts'

/** Somebody of this batch was changed by another process since it was loaded. Nothing was written: load again. */
export class PersonTaken extends Error {
  override readonly name = 'PersonTaken'
}

/** @throws PersonTaken */
export async function lockPeople(batch: Batch, dialect: Dialect, trx: Transaction<Tables>): Promise<void> {
  const ids = [...batch.persons.values()].filter(({ isNew, dirty }) => !isNew && dirty).map(({ id }) => id)
  for (const part of chunks(ids.sort())) {
    const rows = await trx
      .selectFrom('persons')
      .select(['id', 'seq', 'merged_into'])
      .where('id', 'in', part)
      .orderBy('id')
      .$if(dialect === 'postgres', (query) => query.forUpdate())
      .execute()
    const stored = new Map(rows.map((row) => [row.id, row]))
    for (const id of part) {
      const row = stored.get(id)
      if (!row || row.merged_into !== null || row.seq !== batch.loadedSeqs.get(id))
        throw new PersonTaken(`person ${id} was changed by another process`)
    }
  }
}
