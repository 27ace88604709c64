/**
 * Which visit an event belongs to, for rules that a person enters once per session: the one the source counts (GA4's
 * `ga_session_id`, `context.sessionId` of the analytics SDKs), else everything without a pause of thirty minutes, which
 * is GA4's own default (https://support.google.com/analytics/answer/12798876). Pure.
 *
 * Only of rules that were entered is anything kept: a digest of the session, when it was last active, how many entries.
 */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { EnteredSessions } from '../../schemas/profile.ts'
import { readPath } from '../kit/read-path.ts'
import { fnv1a32 } from './assign.ts'
import type { RuleView } from './compile.ts'

const PAUSE_MS = 30 * 60_000
/** Our choice: a session without a word for a day is over, whatever its source says. */
const FORGOTTEN_MS = 86_400_000

const PLACES = [
  'context.sessionId',
  'context.session_id',
  'context.ga_session_id',
  'context.google.sessionId',
  'properties.ga_session_id',
  'properties.session_id',
]

/** Of an event whose source counts no sessions. */
const UNCOUNTED = ''

function sessionOf(event: RuleView['event']): string {
  for (const place of event ? PLACES : []) {
    const id = readPath(event, place)
    if ((typeof id === 'string' && id !== '') || typeof id === 'number') return fnv1a32(String(id)).toString(36)
  }
  return UNCOUNTED
}

/** The one of these sessions in which something happened. */
function keyAt(known: EnteredSessions[string], session: string, atMs: number): string | undefined {
  if (session !== UNCOUNTED && Object.hasOwn(known, session)) return session
  return Object.keys(known)
    .filter((key) => session === UNCOUNTED || key === UNCOUNTED)
    .filter((key) => Math.abs(atMs - Date.parse(known[key]![0])) <= PAUSE_MS)
    .sort((a, b) => (known[a]![0] < known[b]![0] ? 1 : -1))[0]
}

const later = (a: string, b: string) => (a > b ? a : b)

/** Goes on with the sessions that this event is part of and forgets those that are long over; undefined when none is left. */
export function withActivity(sessions: EnteredSessions, event: CanonicalEvent): EnteredSessions | undefined {
  const session = sessionOf(event)
  const at = event.occurredAt
  const kept: EnteredSessions = {}
  for (const [rule, known] of Object.entries(sessions)) {
    const key = keyAt(known, session, Date.parse(at))
    const open = Object.entries(known).filter(
      ([name, [last]]) => name !== key && Date.parse(last) > Date.parse(at) - FORGOTTEN_MS,
    )
    if (key !== undefined) open.push([session || key, [later(known[key]![0], at), known[key]![1]]])
    if (open.length > 0) kept[rule] = Object.fromEntries(open)
  }
  return Object.keys(kept).length > 0 ? kept : undefined
}

/** When and in what a rule is about to be entered. */
export interface Visit {
  readonly event: RuleView['event']
  /** Of the event, or of the start of the clock. */
  readonly sinceMs: number
}

const momentOf = ({ event, sinceMs }: Visit): number =>
  event?.occurredAt === undefined ? sinceMs : Date.parse(event.occurredAt)

export function entriesInSession(known: EnteredSessions[string] = {}, visit: Visit): number {
  const key = keyAt(known, sessionOf(visit.event), momentOf(visit))
  return key === undefined ? 0 : known[key]![1]
}

/** A wait is of the session in which it began. */
export function withEntry(known: EnteredSessions[string] = {}, visit: Visit): EnteredSessions[string] {
  const session = sessionOf(visit.event)
  const atMs = momentOf(visit)
  const key = keyAt(known, session, atMs)
  const before = key === undefined ? undefined : known[key]
  const { [key ?? session]: _, ...others } = known
  const last = new Date(atMs).toISOString()
  return { ...others, [session || (key ?? UNCOUNTED)]: before ? [later(before[0], last), before[1] + 1] : [last, 1] }
}

/** Of two people who are one: the later activity, and the entries of both. */
export function mergeSessions(a: EnteredSessions = {}, b: EnteredSessions = {}): EnteredSessions | undefined {
  const merged: EnteredSessions = { ...a }
  for (const [rule, known] of Object.entries(b)) {
    const sessions = { ...merged[rule] }
    for (const [key, [at, entries]] of Object.entries(known)) {
      const other = sessions[key]
      sessions[key] = other ? [later(other[0], at), other[1] + entries] : [at, entries]
    }
    merged[rule] = sessions
  }
  return Object.keys(merged).length > 0 ? merged : undefined
}
