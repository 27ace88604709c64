/** Several people in one order of time, and what they share: budgets of rules, offers and their codes. */
import type { BudgetUse } from '../decision/budget.ts'
import { offersOf } from '../decision/compile-gates.ts'
import type { CompiledRule, RuleSet } from '../decision/index.ts'
import { offerKey, TOTAL } from '../decision/offers.ts'
import { BudgetCounts } from '../rules/budgets.ts'
import { OfferCounts, type Offers } from '../rules/offer-codes.ts'
import type { Db } from '../stores/open.ts'
import type { PersonHistory } from './history.ts'
import { type Releasing, Replay, type Replayed, type ReplayOptions } from './person.ts'
import { Queue } from './queue.ts'

/**
 * Several people in the order in which things happened to them: where what one of them takes is no longer there for the
 * next. All of them are in memory.
 * @param onTime told how far time has come, before anything happens then.
 */
export function replayTogether(
  given: readonly { readonly history: PersonHistory; readonly options: ReplayOptions }[],
  onTime: (at: number) => void,
): readonly Replayed[] {
  const replays = given.map(({ history, options }) => new Replay(history, options))
  const queue = new Queue<Replay>()
  for (const replay of replays) {
    const at = replay.nextAt()
    if (at !== undefined) queue.add(at, replay)
  }
  for (let next = queue.take(); next; next = queue.take()) {
    onTime(next.at)
    next.one.goOn()
    const at = next.one.nextAt()
    if (at !== undefined) queue.add(at, next.one)
  }
  return replays.map((replay) => replay.result())
}

/** Rules of which one person may be stopped by what another one took. */
export const sharesLimits =
  (offers: Offers = new Map()) =>
  ({ rule }: CompiledRule): boolean =>
    rule.budget !== undefined ||
    offersOf(rule).some(({ id }) => {
      const config = offers.get(id)?.config
      return config?.limits?.total !== undefined || config?.codes !== undefined
    })

/** What is spent of budgets, by people together, from a moment on; before it nothing is counted and nothing is short. */
export class SpentTogether extends BudgetCounts implements Releasing {
  counting = false
  /** Something was asked for, counted or not. */
  asked = 0
  readonly #byDelivery = new Map<string, BudgetUse[]>()

  override used(rule: string, bucket: string): number {
    return this.counting ? super.used(rule, bucket) : 0
  }

  override take(use: BudgetUse): void {
    this.asked += 1
    if (!this.counting) return
    super.take(use)
    const theirs = this.#byDelivery.get(use.deliveryId)
    if (theirs) theirs.push(use)
    else this.#byDelivery.set(use.deliveryId, [use])
  }

  release(deliveryIds: ReadonlySet<string>): void {
    for (const id of deliveryIds) {
      for (const { rule, bucket, amount } of this.#byDelivery.get(id) ?? [])
        this.load(rule, bucket, this.used(rule, bucket) - amount)
      this.#byDelivery.delete(id)
    }
  }
}

/** Codes given by people together, from a moment on. */
export class GivenTogether extends OfferCounts {
  counting = false
  asked = 0

  override free(offer: string): number | undefined {
    return this.counting ? super.free(offer) : undefined
  }

  override take(offer: string, deliveryId: string): void {
    this.asked += 1
    if (this.counting) super.take(offer, deliveryId)
  }
}

/** What there was of the offers of these rules at a moment (epoch milliseconds), as far as it is still known. */
export async function loadOffersOf(
  rules: RuleSet,
  known: Offers,
  at: number,
  { budgets, offers }: { readonly budgets: BudgetCounts; readonly offers: OfferCounts },
  db: Db,
): Promise<void> {
  const ids = [...new Set(rules.current.flatMap(({ rule }) => offersOf(rule).map(({ id }) => id)))]
  for (const id of ids) {
    const config = known.get(id)?.config
    if (config?.codes !== undefined) {
      const { n } = await db
        .selectFrom('offer_codes')
        .select((eb) => eb.fn.countAll().as('n'))
        .where('offer', '=', id)
        .where((eb) => eb.or([eb('delivery_id', 'is', null), eb('at', '>=', at)]))
        .executeTakeFirstOrThrow()
      offers.load(id, Number(n))
    }
    if (config?.limits?.total === undefined) continue
    const used = await db
      .selectFrom('rule_budgets')
      .select('used')
      .where('rule', '=', offerKey(id))
      .where('bucket', '=', TOTAL)
      .executeTakeFirst()
    const since = await db
      .selectFrom('budget_uses')
      .select((eb) => eb.fn.sum<number>('amount').as('n'))
      .where('rule', '=', offerKey(id))
      .where('at', '>=', at)
      .executeTakeFirst()
    budgets.load(offerKey(id), TOTAL, Math.max(0, (used?.used ?? 0) - Number(since?.n ?? 0)))
  }
}
