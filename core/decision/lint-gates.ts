/** What the schema cannot say about `unless`, `then` and `experiment`. */
import { IANAZone } from 'luxon'
import type { OfferConfig } from '../../schemas/offers.ts'
import type { Rule } from '../../schemas/rule.ts'
import { CALENDAR_WINDOWS, interrupts } from './caps.ts'
import { actionsOf, compileSendTimes, offersOf, partsOf, type ThenPart } from './compile-gates.ts'
import { durationProblem } from './duration.ts'
import { branchProblems } from './lint-branches.ts'
import { nextAllowed } from './quiet-hours.ts'

type Path = readonly (string | number)[]
interface Found {
  readonly path: Path
  readonly message: string
}

/** Problems that can be seen without the configuration. */
export function gateProblems(rule: Rule): Found[] {
  return [...capProblems(rule), ...timeProblems(rule), ...thenProblems(rule), ...variantProblems(rule)]
}

const zoneProblem = (zone: string | undefined, path: Path): Found[] =>
  zone === undefined || IANAZone.isValidZone(zone)
    ? []
    : [{ path, message: `"${zone}" is no time zone: write one such as America/Sao_Paulo` }]

const clockProblems = (
  { zone, default_zone: byDefault }: { zone?: string; default_zone?: string },
  path: Path,
): Found[] => [
  ...(zone === 'person' || zone === 'organization' ? [] : zoneProblem(zone, [...path, 'zone'])),
  ...zoneProblem(byDefault, [...path, 'default_zone']),
  ...(byDefault !== undefined && zone !== undefined && zone !== 'person'
    ? [
        {
          path: [...path, 'default_zone'],
          message: `"default_zone" stands in for the person's zone, and this names ${zone}: remove it`,
        },
      ]
    : []),
]

function capProblems({ unless: { caps = [] } }: Rule): Found[] {
  return caps.flatMap((cap, index): Found[] => {
    const path = ['unless', 'caps', index]
    const at = [...path, 'window']
    if (cap.count !== 'calendar') {
      const message = durationProblem(cap.window)
      return [
        ...(message ? [{ path: at, message }] : []),
        ...(cap.zone !== undefined || cap.default_zone !== undefined
          ? [
              {
                path: [...path, cap.zone === undefined ? 'default_zone' : 'zone'],
                message: 'a rolling window is the same in every zone: remove it, or write "count: calendar"',
              },
            ]
          : []),
      ]
    }
    return [
      ...(Object.hasOwn(CALENDAR_WINDOWS, cap.window)
        ? []
        : [
            {
              path: at,
              message: `"count: calendar" counts days, weeks or months: write P1D, P7D or P1M, not ${cap.window}`,
            },
          ]),
      ...clockProblems(cap, path),
    ]
  })
}

function timeProblems({ unless, then }: Rule): Found[] {
  const { quiet_hours: quiet, send_windows: windows = [] } = unless
  const path = ['unless', 'quiet_hours']
  const found: Found[] = []
  if (quiet) {
    found.push(...clockProblems(quiet, path))
    if ((quiet.from === undefined) !== (quiet.to === undefined))
      found.push({ path, message: '"quiet_hours" needs both "from" and "to"; for holidays alone leave out both' })
    if (quiet.from === undefined && quiet.to === undefined && !quiet.holidays && windows.length === 0)
      found.push({ path, message: '"quiet_hours" says nothing: add "from" and "to", or "holidays: BR"' })
    if (quiet.from !== undefined && quiet.from === quiet.to)
      found.push({ path: [...path, 'to'], message: '"from" and "to" are the same time: nothing would ever be sent' })
    if (quiet.from === '24:00')
      found.push({ path: [...path, 'from'], message: 'write "00:00", the beginning of a day' })
  }
  for (const [index, { from, to }] of windows.entries())
    if (from >= to)
      found.push({
        path: ['unless', 'send_windows', index, 'to'],
        message: `a window ends on the day it begins: "${to}" is not after "${from}"; write one window up to "24:00" and one from "00:00"`,
      })
  if (then.send_at?.time === '24:00') found.push({ path: ['then', 'send_at', 'time'], message: 'write "00:00"' })
  if (found.length > 0) return found
  const times = compileSendTimes(unless)
  // From any Monday: what leaves no gap in months leaves none at all.
  if (times && nextAllowed(times, Date.parse('2026-01-05T12:00:00Z'), 'America/Sao_Paulo') === undefined)
    found.push({
      path: ['unless', quiet ? 'quiet_hours' : 'send_windows'],
      message: 'these leave no time at which anything may be sent: the windows lie inside the quiet hours',
    })
  return found
}

function thenProblems(rule: Rule): Found[] {
  const { then, unless } = rule
  const found: Found[] = partsOf(rule).flatMap(({ part, path }) => sendProblems(part, path))
  for (const { part, path } of partsOf(rule))
    if (!part.all && !part.send && !(part === then && then.branches))
      found.push({
        path,
        message: `"${path.at(-1) === 'then' ? 'then' : path.slice(-2).join('.')}" does nothing: add "all" with actions, or "send" with one per channel`,
      })
  found.push(...branchProblems(rule))
  if (then.send_at && unless.quiet_hours?.on_hit === 'skip')
    found.push({
      path: ['then', 'send_at'],
      message:
        'a chosen time inside quiet hours moves to their edge, and "on_hit: skip" would drop it instead: use "hold"',
    })
  return found
}

function sendProblems({ channel: choice, send }: ThenPart['part'], path: Path): Found[] {
  if (!send)
    return choice
      ? [
          {
            path: [...path, 'channel'],
            message: '"channel" chooses among the actions of "send": add "send: {email: {…}, whatsapp: {…}}"',
          },
        ]
      : []
  const channels = Object.keys(send)
  const { order, fallback, require } = choice ?? {}
  const found: Found[] = []
  for (const [key, list] of [
    ['order', order === 'preferred' ? [] : (order ?? [])],
    ['fallback', fallback ?? []],
  ] as const)
    for (const [index, channel] of list.entries())
      if (!channels.includes(channel))
        found.push({
          path: [...path, 'channel', key, index],
          message: `"send" has no action for the channel "${channel}": it has ${channels.join(', ')}`,
        })
  for (const needed of ['consent', 'reachable'] as const)
    if (require && !require.includes(needed))
      found.push({
        path: [...path, 'channel', 'require'],
        message: `${needed === 'consent' ? 'without consent nothing is sent' : 'whoever cannot be reached gets nothing'}: write [consent, reachable] or leave "require" out`,
      })
  return found
}

function variantProblems({ experiment }: Rule): Found[] {
  const seen = new Set<string>()
  return (experiment?.variants ?? []).flatMap(({ id }, index): Found[] => {
    if (!seen.has(id)) {
      seen.add(id)
      return []
    }
    return [
      {
        path: ['experiment', 'variants', index, 'id'],
        message: `variant "${id}" is there twice: give this one another id`,
      },
    ]
  })
}

// ---------------------------------------------------------------- against the configuration

export interface GateSurroundings {
  readonly purposes: readonly string[]
  readonly destinations: Readonly<Record<string, Readonly<Record<string, { readonly channel?: string | undefined }>>>>
  readonly offers?: Readonly<Record<string, OfferConfig>>
  /** Whether a purpose is a contract; left out: not asked. */
  readonly transactional?: (purpose: string) => boolean
}

const list = (names: readonly string[]) => (names.length === 0 ? '(none)' : names.join(', '))

export function gateSurroundingProblems(rule: Rule, surroundings: GateSurroundings): Found[] {
  return [...actionProblems(rule, surroundings), ...offerProblems(rule, surroundings)]
}

function actionProblems(rule: Rule, { destinations, purposes, transactional }: GateSurroundings): Found[] {
  const found: Found[] = []
  const channels: { channel: string | undefined; purpose: string }[] = []
  for (const { action: named, key, path } of actionsOf(rule)) {
    const { destination, action, purpose } = named
    const actions = Object.hasOwn(destinations, destination) ? destinations[destination]! : undefined
    if (!actions)
      found.push({
        path: [...path, 'destination'],
        message: `destination "${destination}" is not in the configuration: use ${list(Object.keys(destinations))}, or add it under destinations`,
      })
    else if (!Object.hasOwn(actions, action))
      found.push({
        path: [...path, 'action'],
        message: `destination "${destination}" has no action "${action}": use ${list(Object.keys(actions))}`,
      })
    else {
      const { channel } = actions[action]!
      channels.push({ channel: typeof key === 'string' ? key : channel, purpose: purpose ?? rule.unless.purpose })
      if (typeof key === 'string' && channel !== undefined && channel !== key)
        found.push({
          path,
          message: `${destination}.${action} is ${channel} and stands under "${key}": write it under "${channel}"`,
        })
    }
    if (purpose !== undefined && !purposes.includes(purpose))
      found.push({
        path: [...path, 'purpose'],
        message: `purpose "${purpose}" is not in the configuration: use ${list(purposes)}, or add it under purposes`,
      })
  }
  if (found.length > 0) return found
  // What nothing can ever use up, or fall into, would be a promise without effect.
  const counted = channels.filter(({ channel, purpose }) => channel !== undefined && !transactional?.(purpose))
  for (const [index, cap] of (rule.unless.caps ?? []).entries())
    if (cap.per !== 'person+rule' && counted.length === 0)
      found.push({
        path: ['unless', 'caps', index, 'per'],
        message: channels.every(({ channel }) => channel === undefined)
          ? `"per: ${cap.per}" counts messages on a channel and no action of this rule has one: use "per: person+rule"`
          : `"per: ${cap.per}" does not count messages that a contract owes the person: use "per: person+rule"`,
      })
  const { quiet_hours: quiet, send_windows: windows } = rule.unless
  if ((quiet || windows) && !channels.some(({ channel }) => interrupts(channel)))
    found.push({
      path: ['unless', quiet ? 'quiet_hours' : 'send_windows'],
      message: 'no action of this rule disturbs anybody (none has a channel, or it is ads, onsite or task): remove it',
    })
  return found
}

function offerProblems(rule: Rule, { offers = {} }: GateSurroundings): Found[] {
  return offersOf(rule).flatMap(({ id, path }): Found[] =>
    Object.hasOwn(offers, id)
      ? []
      : [
          {
            path,
            message: `offer "${id}" is not in the configuration: use ${list(Object.keys(offers))}, or add it under offers`,
          },
        ],
  )
}
