/** What keeps the ledger from signing or copying, kept for whoever looks: the officer must not have to read logs. */
import type { LedgerProblem } from '../../schemas/ledger.ts'
import type { Db, StateStore } from '../stores/open.ts'

type Kind = LedgerProblem['what']

const keyOf = (what: Kind) => `ledger:${what}`

export async function noteProblem(state: StateStore, what: Kind, problem: Omit<LedgerProblem, 'what'>): Promise<void> {
  const value = JSON.stringify({ what, ...problem })
  await state.transaction((db) =>
    db
      .insertInto('meta')
      .values({ key: keyOf(what), value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute(),
  )
}

export async function clearProblem(state: StateStore, what: Kind): Promise<void> {
  const known = await state.db.selectFrom('meta').select('key').where('key', '=', keyOf(what)).executeTakeFirst()
  if (known) await state.transaction((db) => db.deleteFrom('meta').where('key', '=', keyOf(what)).execute())
}

export async function readProblems(db: Db): Promise<LedgerProblem[]> {
  const keys = (['signing', 'anchoring'] as const).map(keyOf)
  const rows = await db.selectFrom('meta').select('value').where('key', 'in', keys).execute()
  return rows.map(({ value }) => JSON.parse(value) as LedgerProblem)
}
