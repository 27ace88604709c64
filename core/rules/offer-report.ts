/** How offers stand: codes and limits that are left, and which rules gave them. */
import type { OfferReport } from '../../schemas/offers.ts'
import type { LoadedConfig } from '../config.ts'
import { compileOffer, offerKey, TOTAL } from '../decision/offers.ts'
import type { CommandHandlers } from '../server/context.ts'
import type { Db } from '../stores/open.ts'

/** Deliveries that gave their offer back. */
const GIVEN_BACK = ['blocked', 'cancelled', 'suppressed'] as const

export function offerCommands({ config }: Pick<LoadedConfig, 'config'>): CommandHandlers {
  const zone = config.organization.timezone ?? 'America/Sao_Paulo'
  const offers = Object.entries(config.offers ?? {}).map(([id, offer]) => compileOffer(id, offer, zone))
  return {
    async offersList(_args, { state: { db }, now }): Promise<OfferReport[]> {
      if (offers.length === 0) return []
      const ids = offers.map(({ id }) => id)
      const [codes, used, given] = [await codesIn(db, ids), await usedOf(db, ids), await givenOf(db, ids)]
      return offers.map(({ id, config: { title, from, to, limits, codes: file }, fromMs, toMs }) => {
        const pool = file === undefined ? null : (codes.get(id) ?? { total: 0, given: 0, left: 0 })
        const total = limits?.total
        const limit = total === undefined ? null : { total, used: used.get(id) ?? 0 }
        const left = Math.min(
          pool?.left ?? Number.POSITIVE_INFINITY,
          limit ? Math.max(0, limit.total - limit.used) : Number.POSITIVE_INFINITY,
        )
        return {
          id,
          title,
          from: from ?? null,
          to: to ?? null,
          valid: now >= fromMs && now < toMs,
          left: Number.isFinite(left) ? left : null,
          limit,
          codes: pool,
          rules: given.get(id) ?? [],
        }
      })
    },
  }
}

async function codesIn(db: Db, ids: readonly string[]) {
  const rows = await db
    .selectFrom('offer_codes')
    .select((eb) => ['offer', eb.fn.countAll().as('total'), eb.fn.count('delivery_id').as('given')])
    .where('offer', 'in', ids)
    .groupBy('offer')
    .execute()
  return new Map(
    rows.map(({ offer, total, given }) => [
      offer,
      { total: Number(total), given: Number(given), left: Number(total) - Number(given) },
    ]),
  )
}

async function usedOf(db: Db, ids: readonly string[]): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('rule_budgets')
    .select(['rule', 'used'])
    .where('rule', 'in', ids.map(offerKey))
    .where('bucket', '=', TOTAL)
    .execute()
  return new Map(rows.map(({ rule, used }) => [rule.slice(offerKey('').length), used]))
}

async function givenOf(db: Db, ids: readonly string[]): Promise<Map<string, OfferReport['rules']>> {
  const rows = await db
    .selectFrom('deliveries')
    .select((eb) => ['offer', 'rule', 'status', eb.fn.countAll().as('n')])
    .where('offer', 'in', ids)
    .where('arm', '=', 'treated')
    .where('status', 'not in', GIVEN_BACK)
    .groupBy(['offer', 'rule', 'status'])
    .orderBy('rule')
    .execute()
  const byOffer = new Map<string, OfferReport['rules']>()
  for (const { offer, rule, status, n } of rows) {
    if (offer == null || rule === null) continue
    const rules = byOffer.get(offer) ?? []
    byOffer.set(offer, rules)
    let one = rules.find((other) => other.rule === rule)
    if (!one) {
      one = { rule, given: 0, delivered: 0 }
      rules.push(one)
    }
    one.given += Number(n)
    if (status === 'delivered') one.delivered += Number(n)
  }
  return byOffer
}
