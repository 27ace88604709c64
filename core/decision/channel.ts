/** On which channel to write to somebody, in which order to try, and at what time of day. Pure. */
import type { Static } from 'typebox'
import type { Engagement, OpenProfile } from '../../schemas/profile.ts'
import type { Then } from '../../schemas/rule-gates.ts'
import { wallClock } from './calendar.ts'

/** Open traits by which people say it. */
const TRAITS = ['preferred_channel', 'canal_preferido'] as const
/** Our choice: what somebody clicked on half a year ago says little about today. */
const REMEMBERED_MS = 180 * 86_400_000
/** Our choice: below this many, an hour is chance. */
const ENOUGH = 3

export interface Preference {
  readonly channel: string
  readonly why: 'said' | 'clicked' | 'opened'
}

const ofPurpose = (profile: Pick<OpenProfile, 'engaged'>, purpose: string, now: number): Engagement[] =>
  (profile.engaged ?? []).filter(
    ({ at, purposes }) => purposes.includes(purpose) && Date.parse(at) > now - REMEMBERED_MS && Date.parse(at) <= now,
  )

/**
 * Their own word, else the channel of the newest click, else of the newest opening: mail programs open messages by
 * themselves, and nobody clicks by themselves. Only channels the rule has are taken.
 */
export function preferredChannel(
  profile: Pick<OpenProfile, 'engaged' | 'traits'>,
  purpose: string,
  channels: readonly string[],
  now: number,
): Preference | undefined {
  for (const name of TRAITS) {
    const trait = Object.hasOwn(profile.traits, name) ? profile.traits[name] : undefined
    if (!trait || !(trait.purposes.length === 0 || trait.purposes.includes(purpose))) continue
    const said = String(trait.value).toLowerCase().replace('e-mail', 'email')
    if (channels.includes(said)) return { channel: said, why: 'said' }
  }
  const known = ofPurpose(profile, purpose, now).filter(({ channel }) => channels.includes(channel))
  for (const [kind, why] of [
    ['click', 'clicked'],
    ['open', 'opened'],
  ] as const) {
    const newest = known.filter((one) => one.kind === kind).reduce<Engagement | undefined>(later, undefined)
    if (newest) return { channel: newest.channel, why }
  }
  return undefined
}

const later = (a: Engagement | undefined, b: Engagement) => (a && a.at >= b.at ? a : b)

/** Channels in the order in which they are tried; each once, and only those under `send`. */
export function channelOrder(
  then: Pick<Static<typeof Then>, 'channel' | 'send'>,
  preferred: Preference | undefined,
): string[] {
  const channels = Object.keys(then.send ?? {})
  const { order = channels, fallback = channels } = then.channel ?? {}
  const first = order === 'preferred' ? (preferred ? [preferred.channel] : []) : order
  return [...new Set([...first, ...fallback])].filter((channel) => channels.includes(channel))
}

/**
 * The hour of the day, as milliseconds since midnight, at which this person most often opens or clicks; the earlier
 * of two. Undefined while too little is known.
 */
export function bestTime(
  profile: Pick<OpenProfile, 'engaged'>,
  purpose: string,
  zone: string,
  now: number,
): number | undefined {
  const hours = new Map<number, number>()
  for (const { at } of ofPurpose(profile, purpose, now)) {
    const hour = Math.floor(wallClock(Date.parse(at), zone).ms / 3_600_000)
    hours.set(hour, (hours.get(hour) ?? 0) + 1)
  }
  const total = [...hours.values()].reduce((sum, count) => sum + count, 0)
  if (total < ENOUGH) return undefined
  const [best] = [...hours].sort(([a, x], [b, y]) => y - x || a - b)
  return best && best[0] * 3_600_000
}
