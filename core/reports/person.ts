/** One person as the officer sees them: found by an exact identifier, told by pseudonym, as of any time. */
import type { PersonFound, PersonTimeline, TimelineItem } from '../../schemas/people.ts'
import { decidedOf } from '../explain/stored.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { identifiersOf } from '../requests/acts.ts'
import { findPeople } from '../requests/people.ts'
import { personOf } from '../retention/commands.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { Db } from '../stores/open.ts'

export function personCommands(keys: Keys): CommandHandlers {
  return {
    /** FindPerson -> PersonFound. The look-up is logged whether or not somebody is found; the identifier is not. */
    async findPerson(args, { state, now, actor }): Promise<PersonFound> {
      const reason = typeof args['reason'] === 'string' ? args['reason'].trim() : ''
      const request = typeof args['request'] === 'string' ? args['request'] : null
      if (request === null && reason.length < 10)
        throw new CommandError(
          'REASON_REQUIRED',
          'Say why you look for this person, in at least 10 characters, or name the request of the data subject. It is kept in the access log.',
        )
      const known = await findPeople(state.db, keys, identifiersOf([{ type: args['type'], value: args['value'] }]))
      const people = [...Map.groupBy(known?.nodes ?? [], ({ personId }) => personId)].map(([personId, nodes]) => ({
        personId,
        subjects: [...new Set(nodes.map(({ subject }) => subject))],
      }))
      await state.db
        .insertInto('access_log')
        .values({
          id: newId(now),
          at: now,
          actor,
          act: 'reveal.find',
          target: people.map(({ personId }) => personId).join(' ') || 'nobody',
          reason: reason || null,
          request,
        })
        .execute()
      return { people }
    },
  }
}

/** More than this of one kind nobody reads through. */
const MOST = 500

/** @throws CommandError NOT_FOUND. @param id person id or ledger subject. */
export async function personTimeline(id: string, asOf: number, db: Db): Promise<PersonTimeline> {
  const personId = await personOf({ db }, id)
  const nodes = await db
    .selectFrom('nodes')
    .select(['subject', 'device'])
    .where('person_id', '=', personId)
    .orderBy('id')
    .execute()
  const merged = await db.selectFrom('persons').select('id').where('merged_into', '=', personId).execute()
  const persons = [personId, ...merged.map((row) => row.id)]
  const subjects = nodes.map(({ subject }) => subject)

  const entries = await consentItems(subjects, asOf, db)
  const decisions = (await decidedOf(persons, db, { until: asOf, limit: MOST })).reverse()
  const deliveries = await db
    .selectFrom('deliveries')
    .select(['id', 'destination', 'action', 'purpose', 'status', 'reason', 'entry_id', 'created_at', 'settled_at'])
    .where('person_id', 'in', persons)
    .where('created_at', '<=', asOf)
    .orderBy('created_at', 'desc')
    .limit(MOST)
    .execute()
  const items: TimelineItem[] = [
    ...entries,
    ...decisions.map(({ id: decision, rule, at, result }) => ({
      at: Date.parse(at),
      kind: 'decision' as const,
      id: decision,
      subject: null,
      purpose: null,
      what: rule,
      status: result,
      reason: null,
      entryId: null,
    })),
    ...deliveries.map((row) => {
      const settled = row.settled_at !== null && row.settled_at <= asOf
      return {
        at: row.created_at,
        kind: 'delivery' as const,
        id: row.id,
        subject: null,
        purpose: row.purpose,
        what: `${row.destination} ${row.action}`,
        status: settled ? row.status : 'open',
        reason: settled ? row.reason : null,
        entryId: row.entry_id,
      }
    }),
  ].sort((a, b) => b.at - a.at)
  const last = new Map<string, TimelineItem>()
  for (const entry of entries) {
    const key = `${entry.subject} ${entry.purpose}`
    if (entry.status !== null && entry.purpose !== null && !last.has(key)) last.set(key, entry)
  }
  const devices = new Set(nodes.filter(({ device }) => device).map(({ subject }) => subject))
  return {
    personId,
    subjects,
    asOf,
    firstAt: items.at(-1)?.at ?? null,
    statuses: [...last.values()].map((entry) => ({
      subject: entry.subject!,
      device: devices.has(entry.subject!),
      purpose: entry.purpose!,
      status: entry.status!,
      at: entry.at,
      entryId: entry.id,
    })),
    items,
    truncated: [entries, decisions, deliveries].some(({ length }) => length === MOST),
  }
}

/** Newest first; what waits for its number is newer than what has one. */
async function consentItems(subjects: readonly string[], asOf: number, db: Db): Promise<TimelineItem[]> {
  if (subjects.length === 0) return []
  const numbered = await db
    .selectFrom('ledger_entries')
    .select(['id', 'at', 'bytes'])
    .where('subject', 'in', subjects)
    .where('at', '<=', asOf)
    .orderBy('seq', 'desc')
    .limit(MOST)
    .execute()
  const waiting = await db
    .selectFrom('ledger_pending')
    .select(['id', 'at', 'public as bytes'])
    .where('subject', 'in', subjects)
    .where('at', '<=', asOf)
    .orderBy('id', 'desc')
    .limit(MOST)
    .execute()
  return [...waiting, ...numbered].slice(0, MOST).map(({ id, at, bytes }) => {
    const entry = JSON.parse(bytes) as Readonly<Record<string, unknown>>
    const text = (name: string) => (typeof entry[name] === 'string' ? entry[name] : null)
    return {
      at,
      kind: 'consent' as const,
      id,
      subject: text('subject'),
      purpose: text('purpose'),
      what: String(entry['type']),
      status: text('status'),
      reason: text('basis'),
      entryId: id,
    }
  })
}
