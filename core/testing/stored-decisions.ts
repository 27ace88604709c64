/** Everything that was decided and stored, read as those read it who have to explain it. */
import { decidedOf, type StoredDecision, unmatchedOf } from '../explain/stored.ts'
import type { StateStore } from '../stores/open.ts'

/** Oldest first. */
export const storedDecisions = async ({ db }: Pick<StateStore, 'db'>): Promise<StoredDecision[]> =>
  decidedOf(
    (await db.selectFrom('explanations').select('person_id').distinct().execute()).map((row) => row.person_id),
    db,
  )

/** Of triggers that fired and did not match: the newest per person and rule. */
export const storedUnmatched = async ({ db }: Pick<StateStore, 'db'>): Promise<StoredDecision[]> =>
  unmatchedOf(
    (await db.selectFrom('explanations_latest').select('person_id').distinct().execute()).map((row) => row.person_id),
    db,
  )
