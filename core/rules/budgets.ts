/**
 * Budgets in the database: a snapshot for each batch, taken parts written with it. The update itself asks for room, so
 * two processes together never pass a limit: whoever comes second writes nothing and decides again.
 */
import type { Transaction } from 'kysely'
import type { BudgetUse } from '../decision/budget.ts'
import type { RuleSet } from '../decision/index.ts'
import { chunks, type Db, insertMany, run, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { releaseCodes } from './offer-codes.ts'

/** How long uses and the counters of hours and days are kept: longer than a delivery may wait. */
export const BUDGETS_KEPT_MS = 40 * 86_400_000

/** A budget was used up by another process since it was read. Nothing was written: decide again. */
export class BudgetTaken extends Error {
  override readonly name = 'BudgetTaken'
}

/** What is used, as read and as taken since in this batch. */
export class BudgetCounts {
  readonly uses: BudgetUse[] = []
  readonly #used = new Map<string, number>()

  load(rule: string, bucket: string, used: number): void {
    this.#used.set(`${rule}\0${bucket}`, used)
  }

  used(rule: string, bucket: string): number {
    return this.#used.get(`${rule}\0${bucket}`) ?? 0
  }

  take(use: BudgetUse): void {
    this.uses.push(use)
    this.load(use.rule, use.bucket, this.used(use.rule, use.bucket) + use.amount)
  }
}

const budgeted = new WeakMap<RuleSet, readonly string[]>()

export async function loadBudgets(rules: RuleSet, counts: BudgetCounts, db: Db): Promise<void> {
  let ids = budgeted.get(rules)
  if (!ids) {
    const all = [...rules.current, ...(rules.shadows?.current ?? [])]
    ids = [...new Set(all.flatMap(({ rule }) => (rule.budget ? (rule.id.split('~')[0] as string) : [])))]
    budgeted.set(rules, ids)
  }
  for (const part of chunks(ids))
    for (const { rule, bucket, used } of await db
      .selectFrom('rule_budgets')
      .select(['rule', 'bucket', 'used'])
      .where('rule', 'in', part)
      .execute())
      counts.load(rule, bucket, used)
}

const TAKE = `insert into rule_budgets (rule, bucket, used, at) values (?, ?, ?, ?)
  on conflict (rule, bucket) do update set used = rule_budgets.used + excluded.used, at = excluded.at
  where rule_budgets.used + excluded.used <= ?
  returning used`

/** @throws BudgetTaken */
export async function takeBudgets(
  { uses }: BudgetCounts,
  now: number,
  dialect: StateStore['dialect'],
  trx: Transaction<Tables>,
): Promise<void> {
  if (uses.length === 0) return
  const sums = new Map<string, { rule: string; bucket: string; amount: number; max: number }>()
  for (const { rule, bucket, amount, max } of uses) {
    const key = `${rule}\0${bucket}`
    const sum = sums.get(key)
    sums.set(key, { rule, bucket, amount: (sum?.amount ?? 0) + amount, max: Math.max(sum?.max ?? 0, max) })
  }
  // In one order everywhere, so that two processes never wait for each other.
  for (const [, { rule, bucket, amount, max }] of [...sums].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const rows = await run(trx, dialect, TAKE, [rule, bucket, amount, now, max])
    if (rows.length === 0) throw new BudgetTaken(`the budget ${bucket} of rule ${rule} was used up by another process`)
  }
  await insertMany(
    trx,
    dialect,
    'budget_uses',
    ['delivery_id', 'bucket', 'rule', 'amount', 'at'],
    uses.map(({ deliveryId, bucket, rule, amount }) => [deliveryId, bucket, rule, amount, now]),
    'on conflict (delivery_id, bucket) do nothing',
  )
}

/** What deliveries that did not happen had taken, of caps, budgets and codes, is free again. */
export async function releaseReservations(trx: Transaction<Tables>, deliveryIds: readonly string[]): Promise<void> {
  await releaseCodes(trx, deliveryIds)
  for (const part of chunks(deliveryIds)) {
    await trx.deleteFrom('caps').where('delivery_id', 'in', part).execute()
    const uses = await trx.deleteFrom('budget_uses').where('delivery_id', 'in', part).returningAll().execute()
    for (const { rule, bucket, amount } of uses)
      await trx
        .updateTable('rule_budgets')
        .set(({ eb }) => ({ used: eb('used', '-', amount) }))
        .where('rule', '=', rule)
        .where('bucket', '=', bucket)
        .execute()
  }
}

/** Counters of hours and days long over, and uses that nothing can give back any more. */
export async function forgetBudgets(db: Db, now: number): Promise<void> {
  await db
    .deleteFrom('budget_uses')
    .where('at', '<', now - BUDGETS_KEPT_MS)
    .execute()
  await db
    .deleteFrom('rule_budgets')
    .where('at', '<', now - BUDGETS_KEPT_MS)
    .where('bucket', 'not like', '%/total')
    .execute()
}
