/** `unless` and `then` of a rule, ready to be asked. Pure. */
import type { Rule } from '../../schemas/rule.ts'
import { type RuleAction, WEEKDAYS } from '../../schemas/rule-gates.ts'
import { LONGEST } from './calendar.ts'
import { CALENDAR_WINDOWS, type CompiledCap } from './caps.ts'
import { parseDuration } from './duration.ts'
import { type SendTimes, type Stretch, timeOfDay } from './quiet-hours.ts'
import type { ZoneChoice } from './zone.ts'

const zoneChoice = ({
  zone = 'person',
  default_zone: defaultZone,
}: {
  zone?: string
  default_zone?: string
}): ZoneChoice => ({
  zone,
  ...(defaultZone !== undefined && { defaultZone }),
})

export function compileCaps({ caps = [] }: Pick<Rule['unless'], 'caps'>): CompiledCap[] {
  return caps.map((cap) => {
    const period = cap.count === 'calendar' ? (CALENDAR_WINDOWS[cap.window] ?? 'day') : undefined
    return {
      per: cap.per,
      max: cap.max,
      windowMs: period ? LONGEST[period] : parseDuration(cap.window),
      period,
      zone: zoneChoice(cap),
    }
  })
}

export interface CompiledTimes extends SendTimes {
  readonly onHit: 'hold' | 'skip'
}

/** Undefined when the rule may send at any time. */
export function compileSendTimes({
  quiet_hours: quiet,
  send_windows: windows,
}: Pick<Rule['unless'], 'quiet_hours' | 'send_windows'>): CompiledTimes | undefined {
  if (!quiet && !windows) return undefined
  const { from, to, holidays } = quiet ?? {}
  const byDay = new Map<number, Stretch[]>()
  for (const { days = WEEKDAYS, ...window } of windows ?? [])
    for (const day of days) {
      const weekday = WEEKDAYS.indexOf(day) + 1
      byDay.set(weekday, [...(byDay.get(weekday) ?? []), { from: timeOfDay(window.from), to: timeOfDay(window.to) }])
    }
  return {
    zone: zoneChoice(quiet ?? {}),
    quiet: from !== undefined && to !== undefined ? { from: timeOfDay(from), to: timeOfDay(to) } : undefined,
    holidays: holidays && new Set<string>([holidays].flat().filter((day) => day !== 'BR')),
    windows: windows && byDay,
    onHit: quiet?.on_hit ?? 'hold',
  }
}

export interface PlacedAction {
  readonly action: RuleAction
  /** Place in `then.all`, or the channel under `then.send`. */
  readonly key: number | string
  readonly path: readonly (string | number)[]
}

type Then = Rule['then']

/** `then` itself, or one of its branches. */
export interface ThenPart {
  readonly part: Pick<Then, 'all' | 'channel' | 'send' | 'offer'>
  readonly path: readonly (string | number)[]
}

/** Everything a rule may come to, with its place. */
export const partsOf = ({ then }: Pick<Rule, 'then'>): ThenPart[] => [
  { part: then, path: ['then'] },
  ...(then.branches ?? []).map((part, index) => ({ part, path: ['then', 'branches', index] })),
]

/** Every action a rule names. */
export function actionsOf(rule: Pick<Rule, 'then'>): PlacedAction[] {
  return partsOf(rule).flatMap(({ part, path }) => [
    ...(part.all ?? []).map((action, index) => ({ action, key: index, path: [...path, 'all', index] })),
    ...Object.entries(part.send ?? {}).map(([channel, action]) => ({
      action,
      key: channel,
      path: [...path, 'send', channel],
    })),
  ])
}

/** Ids of every offer a rule may give, with its place. */
export function offersOf(rule: Pick<Rule, 'then' | 'experiment'>): { id: string; path: (string | number)[] }[] {
  const listed = (offer: string | string[] | undefined, path: (string | number)[]) =>
    offer === undefined ? [] : [offer].flat().map((id) => ({ id, path }))
  return [
    ...partsOf(rule).flatMap(({ part, path }) => listed(part.offer, [...path, 'offer'])),
    ...(rule.experiment?.variants ?? []).flatMap(({ offer }, index) =>
      listed(offer, ['experiment', 'variants', index, 'offer']),
    ),
  ]
}
