/**
 * What a rule may spend: deliveries and money, by the hour and day of the organisation's clock and in total. Pure.
 * Whoever is held out costs nothing, but is stopped by a spent budget like everybody, or the arms would differ.
 */
import { DateTime } from 'luxon'
import type { Rule } from '../../schemas/rule.ts'
import { clause } from './clauses.ts'
import type { Clause } from './compile.ts'

const PERIODS = ['hour', 'day', 'total'] as const
type Period = (typeof PERIODS)[number]

/** One counter of a rule. */
export interface BudgetLimit {
  /** sends/day/2026-11-24, money/total. */
  readonly bucket: string
  readonly kind: 'sends' | 'money'
  readonly period: Period
  readonly max: number
  /** What one delivery takes from it. */
  readonly amount: number
}

/** A part of a budget taken by a delivery. */
export interface BudgetUse {
  readonly rule: string
  readonly bucket: string
  readonly amount: number
  readonly max: number
  readonly deliveryId: string
}

/** What of the budgets is known when a rule decides: everything other processes committed, and this batch. */
export interface BudgetBook {
  /** IANA name: whose hours and days. */
  readonly zone: string
  used(rule: string, bucket: string): number
}

/** @param now ISO. */
export function budgetLimits({ budget }: Pick<Rule, 'budget'>, now: string, zone: string): BudgetLimit[] {
  if (!budget) return []
  const { sends, money } = budget
  return PERIODS.flatMap((period) => [
    ...(sends?.[period] === undefined
      ? []
      : [
          { kind: 'sends' as const, period, bucket: bucket('sends', period, now, zone), max: sends[period], amount: 1 },
        ]),
    ...(money?.[period] === undefined
      ? []
      : [
          {
            kind: 'money' as const,
            period,
            bucket: bucket('money', period, now, zone),
            max: money[period],
            amount: money.cost,
          },
        ]),
  ])
}

function bucket(kind: string, period: Period, now: string, zone: string): string {
  if (period === 'total') return `${kind}/total`
  const local = DateTime.fromISO(now, { zone })
  // With the offset: an hour that comes twice when summer time ends is two hours.
  return `${kind}/${period}/${local.toFormat(period === 'day' ? 'yyyy-MM-dd' : "yyyy-MM-dd'T'HHZZZ")}`
}

const WORDS = {
  hour: { en: 'this hour', pt: 'desta hora' },
  day: { en: 'today', pt: 'de hoje' },
  total: { en: 'in total', pt: 'total' },
} as const

/** The first limit that one more delivery would pass; undefined while there is room. @param taken deliveries of this decision so far. */
export function spentClause(
  rule: Pick<Rule, 'id' | 'budget'>,
  book: BudgetBook | undefined,
  now: string,
  taken: number,
): Clause | undefined {
  if (!rule.budget || !book) return undefined
  for (const { bucket, kind, period, max, amount } of budgetLimits(rule, now, book.zone)) {
    const used = book.used(rule.id, bucket) + taken * amount
    if (used + amount <= max) continue
    return clause(
      `budget.${kind}.${period}`,
      `there is room in the rule's budget (${kind === 'sends' ? 'deliveries' : 'money'} ${WORDS[period].en}: ${max})`,
      `há saldo no orçamento da regra (${kind === 'sends' ? 'entregas' : 'valor'} ${WORDS[period].pt}: ${max})`,
      false,
      used,
    )
  }
  return undefined
}

export function budgetUses(
  rule: Pick<Rule, 'id' | 'budget'>,
  book: BudgetBook | undefined,
  now: string,
  deliveryId: string,
): BudgetUse[] {
  return book
    ? budgetLimits(rule, now, book.zone).map(({ bucket, amount, max }) => ({
        rule: rule.id,
        bucket,
        amount,
        max,
        deliveryId,
      }))
    : []
}
