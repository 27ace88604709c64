/** How much one person may receive: which caps a delivery counts in, and whether one more fits. Pure. */
import { LONGEST, type Period, startOfPeriod } from './calendar.ts'
import type { ActionFacts } from './decision.ts'
import { durationWords, type Language } from './duration.ts'
import type { CompiledRule } from './ruleset.ts'
import type { ZoneChoice } from './zone.ts'

/** Channels on which nobody is interrupted: they do not use up what a person may receive, and know no quiet hours. */
const SILENT_CHANNELS: readonly string[] = ['ads', 'onsite', 'task']

export const interrupts = (channel: string | undefined): channel is string =>
  channel !== undefined && !SILENT_CHANNELS.includes(channel)

export interface CompiledCap {
  readonly per: 'person' | 'person+channel' | 'person+rule'
  readonly max: number
  /** Milliseconds; of a calendar period the longest it may be. */
  readonly windowMs: number
  /** Undefined: a rolling window. */
  readonly period: Period | undefined
  readonly zone: ZoneChoice
}

/** What a window of a calendar cap stands for. */
export const CALENDAR_WINDOWS: Readonly<Record<string, Period>> = { P1D: 'day', P7D: 'week', P1W: 'week', P1M: 'month' }

export const CAP_WORDS = {
  person: { en: 'to this person', pt: 'para esta pessoa' },
  'person+channel': { en: 'to this person on this channel', pt: 'para esta pessoa neste canal' },
  'person+rule': { en: 'to this person by this rule', pt: 'para esta pessoa por esta regra' },
} as const

const PERIOD_WORDS = {
  day: { en: 'within the day', pt: 'no dia' },
  week: { en: 'within the week', pt: 'na semana' },
  month: { en: 'within the month', pt: 'no mês' },
} as const

export function capWindowWords({ period, windowMs }: CompiledCap, language: Language): string {
  if (period) return PERIOD_WORDS[period][language]
  return language === 'pt'
    ? `no período de ${durationWords(windowMs, 'pt')}`
    : `within ${durationWords(windowMs, 'en')}`
}

/**
 * Undefined when a cap of that kind does not concern the action.
 * @param transactional the purpose of the action is a contract: such messages are owed to the person, so the caps
 * per person and per channel neither stop nor count them. Our choice, as at Braze and Customer.io; what the rule limits
 * of itself (`person+rule`) holds all the same.
 */
export function capKey(
  per: CompiledCap['per'],
  compiled: CompiledRule,
  { channel }: Pick<ActionFacts, 'channel'>,
  transactional = false,
): string | undefined {
  if (per === 'person+rule') return `rule:${compiled.rule.id}`
  if (channel === undefined || transactional) return undefined
  if (per === 'person+channel') return `channel:${channel}`
  return interrupts(channel) ? 'person' : undefined
}

/** What one delivery uses up, also for the caps of other rules. */
export function capKeys(compiled: CompiledRule, facts: Pick<ActionFacts, 'channel'>, transactional = false): string[] {
  const own = compiled.caps.some((cap) => cap.per === 'person+rule') ? (['person+rule'] as const) : []
  return (['person', 'person+channel', ...own] as const).flatMap(
    (per) => capKey(per, compiled, facts, transactional) ?? [],
  )
}

/**
 * How many count against one more at `at`. A message that waits counts when it will leave, so what is due later is
 * looked at too: of all windows that hold `at` the fullest one counts.
 * @param uses epoch milliseconds, in any order. @param zone IANA name, for calendar caps.
 */
export function usedAt({ period, windowMs }: CompiledCap, uses: readonly number[], at: number, zone: string): number {
  if (period) {
    const start = startOfPeriod(at, period, zone)
    // Only what is near enough to lie in the same period has its own looked up.
    return uses.filter((use) => Math.abs(use - at) < LONGEST[period] && startOfPeriod(use, period, zone) === start)
      .length
  }
  const near = uses.filter((use) => use > at - windowMs && use < at + windowMs).sort((a, b) => a - b)
  let most = 0
  // A window (end - w, end] that holds `at` is fullest when it ends with a use or with `at` itself.
  for (const end of [at, ...near.filter((use) => use > at)])
    most = Math.max(most, near.filter((use) => use > end - windowMs && use <= end).length)
  return most
}
