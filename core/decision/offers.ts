/** Offers: what goes with a message, who may have it, and how many there are. Pure. */
import { DateTime } from 'luxon'
import type { OfferConfig } from '../../schemas/offers.ts'
import type { BudgetUse } from './budget.ts'
import { clause } from './clauses.ts'
import { type Clause, type Compiled, compileConditions, type RuleView } from './compile.ts'
import { parseDuration } from './duration.ts'

export interface CompiledOffer {
  readonly id: string
  readonly config: OfferConfig
  /** Epoch milliseconds: from (inclusive), to (exclusive). */
  readonly fromMs: number
  readonly toMs: number
  readonly who: Compiled
  readonly perPerson: { readonly max: number; readonly windowMs: number } | undefined
}

/** Our choice: where a limit per person names no window, it is a year. */
const YEAR_MS = 365 * 86_400_000

/** Days are those of the organisation's zone: from the first instant of `from` to the last of `to`. */
export function compileOffer(id: string, config: OfferConfig, zone: string): CompiledOffer {
  const day = (text: string, end: boolean) => {
    const start = DateTime.fromISO(text, { zone }).startOf('day')
    return (end ? start.plus({ days: 1 }).startOf('day') : start).toMillis()
  }
  const { person } = config.limits ?? {}
  return {
    id,
    config,
    fromMs: config.from === undefined ? Number.NEGATIVE_INFINITY : day(config.from, false),
    toMs: config.to === undefined ? Number.POSITIVE_INFINITY : day(config.to, true),
    who: compileConditions(config.who, `offers.${id}.who`),
    perPerson: person && {
      max: person.max,
      windowMs: person.window === undefined ? YEAR_MS : parseDuration(person.window),
    },
  }
}

/** What of the offers is known when a rule decides: everything committed, and this batch. */
export interface OfferBook {
  find(id: string): CompiledOffer | undefined
  /** How many are left, of codes or of the limit; Infinity when there is neither. */
  left(id: string): number
}

export const offerKey = (id: string): string => `offer:${id}`
export const TOTAL = 'offer/total'

/** Why this person cannot have it now; undefined when they can. @param uses times (ISO) they were given it. */
export function offerRefusal(
  { id, config, fromMs, toMs, who, perPerson }: CompiledOffer,
  view: RuleView,
  uses: readonly string[],
  left: number,
): Clause | undefined {
  const no = (what: string, en: string, pt: string, value: Clause['value']) =>
    clause(`then.offer.${what}`, en, pt, false, value)
  if (view.now < fromMs || view.now >= toMs)
    return no(
      'valid',
      `the offer "${id}" is valid (${config.from ?? '…'} to ${config.to ?? '…'})`,
      `a oferta "${id}" está valendo (${config.from ?? '…'} a ${config.to ?? '…'})`,
      id,
    )
  const clauses = who.explain(view)
  if (!who.holds(clauses)) {
    const broken = clauses.find(({ ok }) => !ok)!
    return { ...broken, id: 'then.offer.who' }
  }
  if (perPerson) {
    const used = uses.filter((at) => Date.parse(at) > view.now - perPerson.windowMs).length
    if (used >= perPerson.max)
      return no(
        'person',
        `had the offer "${id}" fewer than ${perPerson.max} times`,
        `recebeu a oferta "${id}" menos de ${perPerson.max} vezes`,
        used,
      )
  }
  if (left <= 0) return no('left', `the offer "${id}" is not used up`, `a oferta "${id}" não se esgotou`, 0)
  return undefined
}

/** Part of the total limit that a delivery takes. */
export function offerUses({ id, config }: CompiledOffer, deliveryId: string): BudgetUse[] {
  const max = config.limits?.total
  return max === undefined ? [] : [{ rule: offerKey(id), bucket: TOTAL, amount: 1, max, deliveryId }]
}

/** How long uses of offers have to be remembered, in milliseconds. */
export const offerMemoryMs = (offers: Iterable<CompiledOffer>): number =>
  Math.max(0, ...[...offers].map(({ perPerson }) => perPerson?.windowMs ?? 0))
