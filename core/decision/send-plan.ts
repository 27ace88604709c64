/** When a message may leave: the time the rule chose, moved out of what is quiet. Pure. */

import { DAY_MS, wallClock } from './calendar.ts'
import { interrupts } from './caps.ts'
import { bestTime } from './channel.ts'
import type { Deciding } from './deciding.ts'
import { nearestAllowed, nextAllowed, type SendTimes, type Silence, silenceAt, timeOfDay } from './quiet-hours.ts'
import type { CompiledRule } from './ruleset.ts'
import { zoneFor } from './zone.ts'

export interface Planned {
  /** Epoch milliseconds; undefined: there is no such time. */
  readonly at: number | undefined
  /** Later than now. */
  readonly held: boolean
  /** What it was moved out of. */
  readonly silence: Silence | undefined
  /** IANA name: whose clock. */
  readonly zone: string
}

const ANY_TIME: SendTimes = { zone: { zone: 'person' }, quiet: undefined, holidays: undefined, windows: undefined }

export function planSend(
  { nowMs, state, context }: Pick<Deciding, 'nowMs' | 'state' | 'context'>,
  { rule, times }: CompiledRule,
  channel: string | undefined,
): Planned {
  const organization = context.zones?.organization ?? 'America/Sao_Paulo'
  const zone = zoneFor(times?.zone ?? ANY_TIME.zone, state.zone, rule.unless.purpose, organization)
  const { send_at: sendAt } = rule.then
  if (!interrupts(channel) || (!times && !sendAt)) return { at: nowMs, held: false, silence: undefined, zone }
  const wanted = sendAt
    ? nextTime(
        (sendAt.learn ? bestTime(state, rule.unless.purpose, zone, nowMs) : undefined) ?? timeOfDay(sendAt.time),
        nowMs,
        zone,
      )
    : nowMs
  const silence = times && silenceAt(times, wanted, zone)
  const at =
    !times || !silence ? wanted : sendAt ? nearestAllowed(times, wanted, nowMs, zone) : nextAllowed(times, wanted, zone)
  return { at, held: at !== undefined && at > nowMs, silence, zone }
}

/** The next instant at which it is that late; where the clock jumps over it, the jump. */
export function nextTime(ofDay: number, now: number, zone: string): number {
  const hour: SendTimes = {
    ...ANY_TIME,
    windows: new Map(
      [1, 2, 3, 4, 5, 6, 7].map((day) => [day, [{ from: ofDay % DAY_MS, to: (ofDay % DAY_MS) + 60_000 }]]),
    ),
  }
  if (wallClock(now, zone).ms === ofDay) return now
  // From the end of the minute it is in on: a minute that has begun is over.
  const from = silenceAt(hour, now, zone) ? now : now + 60_000
  return nextAllowed(hour, from, zone) ?? now
}

/** Whether a delivery of the rule may not leave now; asked again just before it does. */
export function silentUntil(
  compiled: CompiledRule,
  zone: string,
  channel: string | undefined,
  now: number,
): { readonly until: number | undefined; readonly skip: boolean } | undefined {
  const { times } = compiled
  if (!times || !interrupts(channel) || !silenceAt(times, now, zone)) return undefined
  return { until: nextAllowed(times, now, zone), skip: times.onHit === 'skip' }
}
