/**
 * What kept events tell about writing to a person: the zone they live in, what they opened and clicked, and what speaks
 * against writing to them. Feedback has the names of Segment's e-mail spec (https://segment.com/docs/connections/spec/email/)
 * for every channel. Pure.
 */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { KnownZone, OpenProfile, Suppressed } from '../../schemas/profile.ts'
import { betterZone, zoneFrom } from '../decision/zone.ts'
import { readPath } from '../kit/read-path.ts'

type Told = Pick<OpenProfile, 'zone' | 'engaged' | 'suppressed'>

const MOST_ENGAGED = 40
const MOST_TICKETS = 50

const ENGAGED: Readonly<Record<string, 'open' | 'click'>> = {
  'Message Opened': 'open',
  'Email Opened': 'open',
  'Message Link Clicked': 'click',
  'Email Link Clicked': 'click',
  'Push Notification Tapped': 'click',
}
const ARRIVED = new Set([...Object.keys(ENGAGED), 'Message Delivered', 'Email Delivered'])
const BOUNCED = new Set(['Message Bounced', 'Email Bounced', 'Push Notification Bounced'])
const COMPLAINED = new Set(['Message Marked as Spam', 'Email Marked as Spam'])
const TICKET_ENDS = new Set(['Ticket Closed', 'Ticket Solved', 'Ticket Resolved'])

/** Whether a track of that name may tell of messages, or of what speaks against writing to somebody. */
export const tellsOfMessages = (name: string): boolean =>
  ARRIVED.has(name) || BOUNCED.has(name) || COMPLAINED.has(name) || name === 'Ticket Opened' || TICKET_ENDS.has(name)

const byName = (name: string) =>
  name.startsWith('Email ') ? 'email' : name.startsWith('Push Notification ') ? 'push' : undefined

/** What a vendor says of a message it carried: all that is read of it when no purpose keeps the event. */
export interface ContactReport {
  readonly name: string
  /** ISO 8601. */
  readonly at: string
  readonly channel?: string
}

/** @returns undefined when the event says nothing that speaks for or against writing to somebody. */
export function reportOf({
  type,
  name,
  occurredAt: at,
  properties,
}: Pick<CanonicalEvent, 'type' | 'name' | 'occurredAt' | 'properties'>): ContactReport | undefined {
  if (type !== 'track' || !(COMPLAINED.has(name) || BOUNCED.has(name) || ARRIVED.has(name))) return undefined
  const channel = text(properties['channel']) ?? byName(name)
  return { name, at, ...(channel !== undefined && { channel }) }
}

/** @returns whether anything changed. */
export function rememberReport(profile: Told, { name, at, channel }: ContactReport): boolean {
  const known = profile.suppressed ?? {}
  const suppressed = suppressedAfter(known, { name, occurredAt: at, properties: {} }, channel)
  if (!suppressed || JSON.stringify(suppressed) === JSON.stringify(known)) return false
  profile.suppressed = suppressed
  return true
}

/** @param phone of the event, E.164, where a purpose that allowed it may have it. @param purposes those it was kept for. */
export function rememberContact(
  profile: Told,
  event: Pick<CanonicalEvent, 'type' | 'name' | 'occurredAt' | 'traits' | 'context' | 'properties'>,
  phone: string | undefined,
  purposes: readonly string[],
): void {
  const zone = zoneOf(event, phone, purposes)
  if (zone) profile.zone = betterZone(profile.zone, zone)!
  if (event.type !== 'track') return
  const { name, occurredAt: at } = event
  const channel = text(event.properties['channel']) ?? byName(name)
  const kind = Object.hasOwn(ENGAGED, name) ? ENGAGED[name] : undefined
  if (kind && channel !== undefined)
    profile.engaged = mergeEngaged(profile.engaged, [{ channel, kind, at, purposes: [...purposes] }])
  const suppressed = suppressedAfter(profile.suppressed ?? {}, event, channel)
  if (suppressed) profile.suppressed = suppressed
}

function zoneOf(
  { traits, context, occurredAt: at }: Pick<CanonicalEvent, 'traits' | 'context' | 'occurredAt'>,
  phone: string | undefined,
  purposes: readonly string[],
): KnownZone | undefined {
  const found = zoneFrom({
    timezone: traits['timezone'] ?? context['timezone'],
    state: traits['state'] ?? readPath(traits, 'address.state'),
    country: traits['country'] ?? readPath(traits, 'address.country'),
    phone,
  })
  return found && { ...found, at, purposes: [...purposes] }
}

const text = (value: unknown) => (typeof value === 'string' && value !== '' && value.length <= 40 ? value : undefined)
const newer = (a: string | undefined, b: string) => (a !== undefined && a > b ? a : b)

/** @returns undefined when the event says nothing about it. */
function suppressedAfter(
  known: Suppressed,
  { name, occurredAt: at, properties }: Pick<CanonicalEvent, 'name' | 'occurredAt' | 'properties'>,
  channel: string | undefined,
): Suppressed | undefined {
  if (COMPLAINED.has(name)) return { ...known, complained: newer(known.complained, at) }
  if (BOUNCED.has(name) && channel !== undefined)
    return { ...known, bounced: { ...known.bounced, [channel]: newer(known.bounced?.[channel], at) } }
  // What arrived after a message came back shows that the address works.
  if (ARRIVED.has(name) && channel !== undefined && (known.bounced?.[channel] ?? at) < at) {
    const { [channel]: _, ...bounced } = known.bounced!
    return { ...known, bounced }
  }
  const ticket = text(properties['ticket_id']) ?? 'ticket'
  if (name === 'Ticket Opened') {
    const tickets = Object.entries({ ...known.tickets, [ticket]: newer(known.tickets?.[ticket], at) })
    return { ...known, tickets: Object.fromEntries(newestTickets(tickets)) }
  }
  if (TICKET_ENDS.has(name) && (known.tickets?.[ticket] ?? at) < at) {
    const { [ticket]: _, ...tickets } = known.tickets!
    return { ...known, tickets }
  }
  return undefined
}

const newestTickets = (tickets: [string, string][]) =>
  tickets.sort(([a, x], [b, y]) => (x === y ? (a < b ? -1 : 1) : x < y ? -1 : 1)).slice(-MOST_TICKETS)

function mergeEngaged(a: Told['engaged'] = [], b: Told['engaged'] = []): NonNullable<Told['engaged']> {
  const key = (one: (typeof a)[number]) => JSON.stringify([one.at, one.channel, one.kind, one.purposes])
  const all = new Map([...a, ...b].map((one) => [key(one), one] as const))
  return [...all]
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([, one]) => one)
    .slice(-MOST_ENGAGED)
}

const newest = (a: Record<string, string> = {}, b: Record<string, string> = {}): Record<string, string> => {
  const merged = { ...a }
  for (const [key, at] of Object.entries(b)) merged[key] = newer(merged[key], at)
  return merged
}

/** Of two people who are one. Whatever speaks against writing to one of them speaks against writing to both. */
export function mergeContact(a: Told, b: Told): Told {
  const zone = betterZone(a.zone, b.zone)
  const engaged = a.engaged || b.engaged ? mergeEngaged(a.engaged, b.engaged) : undefined
  const [x, y] = [a.suppressed ?? {}, b.suppressed ?? {}]
  const complained = [x.complained, y.complained]
    .filter((at) => at !== undefined)
    .sort()
    .at(-1)
  const suppressed: Suppressed = {
    ...(complained !== undefined && { complained }),
    ...((x.bounced || y.bounced) && { bounced: newest(x.bounced, y.bounced) }),
    ...((x.tickets || y.tickets) && {
      tickets: Object.fromEntries(newestTickets(Object.entries(newest(x.tickets, y.tickets)))),
    }),
  }
  return {
    ...(zone && { zone }),
    ...(engaged && { engaged }),
    ...(Object.keys(suppressed).length > 0 && { suppressed }),
  }
}
