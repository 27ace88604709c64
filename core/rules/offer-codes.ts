/**
 * Offers in the database: how many are left when a batch is loaded, and which code a delivery gets, reserved in the
 * transaction that writes it. Two processes never give the same code: whoever comes second decides again.
 */
import type { Transaction } from 'kysely'
import { type CompiledOffer, offerKey, TOTAL } from '../decision/offers.ts'
import { chunks, type Db, insertMany, run, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { type BudgetCounts, BudgetTaken } from './budgets.ts'

export type Offers = ReadonlyMap<string, CompiledOffer>

/** What is left of offers, as read and as taken since in this batch. */
export class OfferCounts {
  readonly taken: { readonly offer: string; readonly deliveryId: string }[] = []
  readonly #free = new Map<string, number>()

  /** @param free codes nobody has. */
  load(offer: string, free: number): void {
    this.#free.set(offer, free)
  }

  /** Undefined: it has no codes of which each is given once. */
  free(offer: string): number | undefined {
    return this.#free.get(offer)
  }

  take(offer: string, deliveryId: string): void {
    const free = this.#free.get(offer)
    if (free === undefined) return
    this.#free.set(offer, free - 1)
    this.taken.push({ offer, deliveryId })
  }
}

/** Of limits and codes what is scarcer. */
export function leftOf(offer: CompiledOffer, counts: OfferCounts, budgets: BudgetCounts): number {
  const { total } = offer.config.limits ?? {}
  const room = total === undefined ? Number.POSITIVE_INFINITY : total - budgets.used(offerKey(offer.id), TOTAL)
  return Math.min(room, counts.free(offer.id) ?? Number.POSITIVE_INFINITY)
}

export async function loadOffers(offers: Offers, counts: OfferCounts, budgets: BudgetCounts, db: Db): Promise<void> {
  if (offers.size === 0) return
  const pools = [...offers.values()].filter(({ config }) => config.codes !== undefined).map(({ id }) => id)
  for (const id of pools) counts.load(id, 0)
  if (pools.length > 0)
    for (const { offer, n } of await db
      .selectFrom('offer_codes')
      .select((eb) => ['offer', eb.fn.countAll().as('n')])
      .where('offer', 'in', pools)
      .where('delivery_id', 'is', null)
      .groupBy('offer')
      .execute())
      counts.load(offer, Number(n))
  const limited = [...offers.keys()].map(offerKey)
  for (const { rule, bucket, used } of await db
    .selectFrom('rule_budgets')
    .select(['rule', 'bucket', 'used'])
    .where('rule', 'in', limited)
    .execute())
    budgets.load(rule, bucket, used)
}

const TAKE = (skipLocked: string) => `update offer_codes set delivery_id = ?, at = ?
  where offer = ? and delivery_id is null and code = (
    select code from offer_codes where offer = ? and delivery_id is null order by ord limit 1 ${skipLocked})
  returning code`

/** @throws BudgetTaken when another process gave the last code away since. */
export async function takeCodes(
  { taken }: OfferCounts,
  now: number,
  dialect: StateStore['dialect'],
  trx: Transaction<Tables>,
): Promise<void> {
  for (const { offer, deliveryId } of taken) {
    // A transaction that is repeated finds the code it gave.
    const had = await trx.selectFrom('offer_codes').select('code').where('delivery_id', '=', deliveryId).execute()
    if (had.length > 0) continue
    const rows = await run(trx, dialect, TAKE(dialect === 'postgres' ? 'for update skip locked' : ''), [
      deliveryId,
      now,
      offer,
      offer,
    ])
    if (rows.length === 0) throw new BudgetTaken(`the last code of offer ${offer} was given by another process`)
  }
}

/** Codes of deliveries that did not happen; one that may have been seen stays with whom it was for. */
export async function releaseCodes(trx: Transaction<Tables>, deliveryIds: readonly string[]): Promise<void> {
  for (const part of chunks(deliveryIds))
    await trx
      .updateTable('offer_codes')
      .set({ delivery_id: null, at: null })
      .where('delivery_id', 'in', part)
      .where('delivery_id', 'not in', (eb) =>
        eb.selectFrom('attempts').select('delivery_id').where('delivery_id', 'in', part),
      )
      .execute()
}

/** delivery -> its code. */
export async function codesOf(deliveryIds: readonly string[], db: Db): Promise<Map<string, string>> {
  const codes = new Map<string, string>()
  for (const part of chunks(deliveryIds))
    for (const { delivery_id, code } of await db
      .selectFrom('offer_codes')
      .select(['delivery_id', 'code'])
      .where('delivery_id', 'in', part)
      .execute())
      codes.set(delivery_id!, code)
  return codes
}

/** Codes of the files that the database does not know yet; what is there stays, given or not. */
export async function storeCodes(lists: ReadonlyMap<string, readonly string[]>, state: StateStore): Promise<void> {
  for (const [offer, codes] of lists) {
    const known = await state.db
      .selectFrom('offer_codes')
      .select((eb) => eb.fn.countAll().as('n'))
      .where('offer', '=', offer)
      .executeTakeFirst()
    // A list grows at its end: nothing is written where it is no longer than it was.
    if (Number(known?.n ?? 0) >= codes.length) continue
    await state.transaction((trx) =>
      insertMany(
        trx,
        state.dialect,
        'offer_codes',
        ['offer', 'code', 'ord'],
        codes.map((code, ord) => [offer, code, ord]),
        'on conflict (offer, code) do nothing',
      ),
    )
  }
}
