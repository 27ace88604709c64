/** Two people turn out to be one: their open profiles become one. Pure, and the order of the two does not matter. */
import type { OpenProfile } from '../../schemas/profile.ts'
import { mergeComputed } from '../audiences/computed.ts'
import { mergeMeasured } from '../audiences/pushes.ts'
import { mergeEntries } from '../decision/measures.ts'
import { mergeSequences } from '../decision/sequences.ts'
import { mergeSessions } from '../decision/sessions.ts'
import { mergeContact } from '../stages/contact-facts.ts'
import { youngerOf } from '../stages/facts-of-person.ts'

const newest = <T extends { at: string }>(a: T | undefined, b: T | undefined): T | undefined =>
  !a ? b : !b ? a : a.at >= b.at ? a : b

/** ISO 8601 UTC compares as text. */
const earlier = (a: string, b: string) => [a, b].sort()[0]!

function mergeTimes(a: OpenProfile['recent'] = {}, b: OpenProfile['recent'] = {}): OpenProfile['recent'] {
  const times: OpenProfile['recent'] = {}
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)]))
    times[name] = [...(a[name] ?? []), ...(b[name] ?? [])].sort()
  return times
}

export function mergeProfiles(a: OpenProfile, b: OpenProfile): OpenProfile {
  const traits: OpenProfile['traits'] = {}
  for (const key of new Set([...Object.keys(a.traits), ...Object.keys(b.traits)]))
    traits[key] = newest(a.traits[key], b.traits[key])!
  const recent = mergeTimes(a.recent, b.recent)
  const counted: NonNullable<OpenProfile['counted']> = {}
  for (const purpose of new Set([...Object.keys(a.counted ?? {}), ...Object.keys(b.counted ?? {})]))
    counted[purpose] = mergeTimes(a.counted?.[purpose], b.counted?.[purpose])
  const counters: OpenProfile['counters'] = {}
  for (const purpose of new Set([...Object.keys(a.counters), ...Object.keys(b.counters)])) {
    const sums: Record<string, number> = {}
    for (const name of new Set([...Object.keys(a.counters[purpose] ?? {}), ...Object.keys(b.counters[purpose] ?? {})]))
      sums[name] = (a.counters[purpose]?.[name] ?? 0) + (b.counters[purpose]?.[name] ?? 0)
    counters[purpose] = sums
  }
  // Duplicated timers collapse; the earliest is kept, so that nothing fires later than it would have.
  const timers = new Map<string, OpenProfile['timers'][number]>()
  for (const timer of [...a.timers, ...b.timers]) {
    const key = `${timer.rule}\0${timer.correlation}`
    const other = timers.get(key)
    if (!other || timer.dueAt < other.dueAt || (timer.dueAt === other.dueAt && timer.startEventId < other.startEventId))
      timers.set(key, timer)
  }
  const entries: OpenProfile['entries'] = {}
  for (const rule of new Set([...Object.keys(a.entries), ...Object.keys(b.entries)]))
    entries[rule] = [...(a.entries[rule] ?? []), ...(b.entries[rule] ?? [])].sort()
  const arms: NonNullable<OpenProfile['arms']> = { ...b.arms }
  for (const [rule, arm] of Object.entries(a.arms ?? {})) {
    const other = arms[rule]
    // Exposed to both: neither arm may count them (they stay with the control, so nothing is sent).
    arms[rule] = other === undefined || other === arm ? arm : arm === 'test' || other === 'test' ? 'test' : 'multiple'
  }
  const variants: NonNullable<OpenProfile['variants']> = { ...b.variants }
  for (const [rule, variant] of Object.entries(a.variants ?? {})) {
    if (variants[rule] === undefined || variants[rule] === variant) variants[rule] = variant
    else if (arms[rule] !== 'test') arms[rule] = 'multiple'
  }
  // Who was shown two things was shown neither, whoever else they turn out to be.
  for (const rule of Object.keys(variants))
    if (arms[rule] === 'multiple' || arms[rule] === 'test') delete variants[rule]
  const closings: NonNullable<OpenProfile['closings']> = {}
  for (const rule of new Set([...Object.keys(a.closings ?? {}), ...Object.keys(b.closings ?? {})]))
    closings[rule] = [...(a.closings?.[rule] ?? []), ...(b.closings?.[rule] ?? [])].sort((x, y) =>
      x.at < y.at ? -1 : x.at > y.at ? 1 : 0,
    )
  const computed = mergeComputed(a.computed, b.computed)
  const age = youngerOf(a.age, b.age)
  // Who was heard of last knows the cart; an empty one since an order is knowledge too.
  const heard = (profile: OpenProfile) => [profile.cart?.updatedAt ?? '', profile.cartAsOf ?? ''].sort()[1]!
  const cart = heard(a) >= heard(b) ? a.cart : b.cart
  const cartAsOf = [a.cartAsOf ?? '', b.cartAsOf ?? ''].sort()[1]
  const measured: NonNullable<OpenProfile['measured']> = {}
  for (const purpose of new Set([...Object.keys(a.measured ?? {}), ...Object.keys(b.measured ?? {})])) {
    const [ofA, ofB] = [a.measured?.[purpose] ?? {}, b.measured?.[purpose] ?? {}]
    measured[purpose] = Object.fromEntries(
      [...new Set([...Object.keys(ofA), ...Object.keys(ofB)])].map((key) => [key, mergeEntries(ofA[key], ofB[key])]),
    )
  }
  const sequences = mergeSequences(a.sequences, b.sequences)
  const sessions = mergeSessions(a.sessions, b.sessions)
  // Fired for either is fired: it waits for the score of both to come back.
  const crossed = { ...a.crossed }
  for (const [rule, at] of Object.entries(b.crossed ?? {})) crossed[rule] = earlier(crossed[rule] ?? at, at)
  return {
    seq: Math.max(a.seq, b.seq),
    firstSeenAt: earlier(a.firstSeenAt, b.firstSeenAt),
    lastSeenAt: a.lastSeenAt === earlier(a.lastSeenAt, b.lastSeenAt) ? b.lastSeenAt : a.lastSeenAt,
    traits,
    ...(age && { age }),
    ...(cart && { cart }),
    ...(cartAsOf && { cartAsOf }),
    recent,
    ...(Object.keys(counted).length > 0 && { counted }),
    ...(Object.keys(measured).length > 0 && { measured }),
    ...(sequences.length > 0 && { sequences }),
    ...(Object.keys(crossed).length > 0 && { crossed }),
    counters,
    timers: [...timers.values()].sort((x, y) => (x.dueAt < y.dueAt ? -1 : x.dueAt > y.dueAt ? 1 : 0)),
    entries,
    ...(sessions && { sessions }),
    arms,
    ...(Object.keys(variants).length > 0 && { variants }),
    ...mergeContact(a, b),
    closings,
    acts: [...a.acts, ...b.acts].sort((x, y) => (x.at < y.at ? -1 : x.at > y.at ? 1 : 0)),
    ...(computed && { computed }),
    ...mergeMeasured(a, b),
  }
}
