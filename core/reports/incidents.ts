/** The incident register: every incident, told or not, with its clocks and who it may have touched. */
import { type RawBuilder, sql } from 'kysely'
import { incidentClocks, keptUntil } from '../../consent/reports/incident-clock.ts'
import { type DraftedLetters, draftLetters } from '../../consent/reports/letters.ts'
import type { Config } from '../../schemas/config.ts'
import type { Affected, AffectedQuery, Incident, IncidentFacts } from '../../schemas/records.ts'
import { newId } from '../ids.ts'
import { hubEntry } from '../ledger/hub-entry.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'

/** Subjects named in an answer; the number of people is always whole. */
const SUBJECTS_SHOWN = 1000

export function incidentCommands(config: Pick<Config, 'organization'>): CommandHandlers {
  return {
    /** IncidentFacts -> Incident */
    async openIncident(args, { state, now, actor }) {
      const { db } = state
      const facts = readFacts(args, now)
      const affected = facts.affected ? (await affectedBy(facts.affected, db)).people : null
      const row: Tables['incidents'] = {
        id: newId(now),
        state: 'open',
        facts: JSON.stringify(facts),
        known_at: Date.parse(facts.knownAt),
        registered_at: now,
        registered_by: actor,
        authority_at: null,
        subjects_at: null,
        supplement_at: null,
        closed_at: null,
        affected,
        kept_until: keptUntil(now),
      }
      await db.insertInto('incidents').values(row).execute()
      await hubEntry(db, {
        type: 'incident.registered',
        at: now,
        actor: 'agent',
        source: 'hub/incidents',
        facts: {
          incident: row.id,
          known_at: new Date(row.known_at).toISOString(),
          notifiable: facts.notifiable ?? true,
        },
      })
      await log(db, row.id, now, actor, 'registered')
      return asIncident(row, await logOf(row.id, db), config, now)
    },

    /** {id, facts?, done?} -> Incident */
    async updateIncident(args, { state, now, actor }) {
      const { db } = state
      const row = await findIncident(String(args['id'] ?? ''), db)
      if (row.state === 'closed') throw new CommandError('CONFLICT', 'This incident is closed. Register a new one.')
      const set: Partial<Tables['incidents']> = {}
      if (args['facts'] !== undefined) {
        const facts = readFacts({ ...(JSON.parse(row.facts) as IncidentFacts), ...(args['facts'] as object) }, now)
        set.facts = JSON.stringify(facts)
        set.known_at = Date.parse(facts.knownAt)
        if (facts.affected) set.affected = (await affectedBy(facts.affected, db)).people
        await log(db, row.id, now, actor, `changed: ${Object.keys(args['facts'] as object).join(', ')}`)
      }
      const done = args['done'] as { what: string; at?: string; note?: string } | undefined
      if (done) {
        const at = done.at === undefined ? now : Date.parse(done.at)
        if (Number.isNaN(at) || at > now)
          throw new CommandError('INVALID', 'What is done was done at a time that has been.')
        if (done.what === 'authority') set.authority_at = at
        else if (done.what === 'subjects') set.subjects_at = at
        else if (done.what === 'supplement') set.supplement_at = at
        else if (done.what === 'closed') {
          set.closed_at = at
          set.state = 'closed'
        } else throw new CommandError('INVALID', 'What was done is one of authority, subjects, supplement, closed.')
        if (set.state !== 'closed') set.state = 'notified'
        await hubEntry(db, {
          type: done.what === 'closed' ? 'incident.closed' : 'incident.notified',
          at: now,
          actor: 'agent',
          source: 'hub/incidents',
          facts: { incident: row.id, what: done.what, done_at: new Date(at).toISOString() },
        })
        await log(db, row.id, now, actor, `${done.what}${done.note === undefined ? '' : `: ${done.note}`}`)
      }
      await db.updateTable('incidents').set(set).where('id', '=', row.id).execute()
      return asIncident({ ...row, ...set }, await logOf(row.id, db), config, now)
    },
  }
}

function readFacts(args: Readonly<Record<string, unknown>>, now: number): IncidentFacts {
  const facts = args as unknown as IncidentFacts
  for (const name of ['title', 'description'] as const)
    if (typeof facts[name] !== 'string' || facts[name].trim().length < 3)
      throw new CommandError('INVALID', `"${name}" must be a text.`)
  const known = Date.parse(facts.knownAt)
  if (Number.isNaN(known) || known > now)
    throw new CommandError('INVALID', '"knownAt" is the time at which it became known that personal data was affected.')
  if (facts.notifiable === false && !facts.whyNot)
    throw new CommandError('INVALID', 'An incident that is not communicated is registered with the reason: "whyNot".')
  return facts
}

export async function findIncident(id: string, db: Db): Promise<Tables['incidents']> {
  const row = await db.selectFrom('incidents').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new CommandError('NOT_FOUND', 'No incident has this id.')
  return row
}

export async function listIncidents(config: Pick<Config, 'organization'>, db: Db, now: number): Promise<Incident[]> {
  const rows = await db.selectFrom('incidents').selectAll().orderBy('registered_at', 'desc').execute()
  const logs = await db.selectFrom('incident_log').selectAll().orderBy('id').execute()
  return rows.map((row) =>
    asIncident(
      row,
      logs.filter(({ incident_id }) => incident_id === row.id),
      config,
      now,
    ),
  )
}

const logOf = (id: string, db: Db) =>
  db.selectFrom('incident_log').selectAll().where('incident_id', '=', id).orderBy('id').execute()

async function log(db: Db, incident: string, at: number, actor: string, what: string): Promise<void> {
  await db
    .insertInto('incident_log')
    .values({ id: newId(at), incident_id: incident, at, actor, what })
    .execute()
}

export function asIncident(
  row: Tables['incidents'],
  entries: readonly Tables['incident_log'][],
  { organization }: Pick<Config, 'organization'>,
  now: number,
): Incident {
  const facts = JSON.parse(row.facts) as IncidentFacts
  const smallAgent = organization.smallAgent ?? false
  return {
    id: row.id,
    state: row.state as Incident['state'],
    facts,
    registeredAt: row.registered_at,
    registeredBy: row.registered_by,
    authorityAt: row.authority_at,
    subjectsAt: row.subjects_at,
    supplementAt: row.supplement_at,
    closedAt: row.closed_at,
    keptUntil: row.kept_until,
    smallAgent,
    clocks: incidentClocks(
      {
        knownAt: facts.knownAt,
        notifiable: facts.notifiable ?? true,
        authorityAt: row.authority_at,
        subjectsAt: row.subjects_at,
        supplementAt: row.supplement_at,
      },
      now,
      { smallAgent, holidays: organization.holidays ?? [] },
    ),
    affectedPeople: row.affected,
    log: entries.map(({ at, actor, what }) => ({ at, actor, what })),
  }
}

export async function lettersOf(
  id: string,
  config: Pick<Config, 'organization'>,
  db: Db,
  now: number,
): Promise<DraftedLetters> {
  const incident = asIncident(await findIncident(id, db), [], config, now)
  const due = incident.clocks.find(({ what }) => what === 'authority')?.due
  return draftLetters(
    {
      id: incident.id,
      facts: incident.facts,
      people: incident.affectedPeople,
      smallAgent: incident.smallAgent,
      authorityDue: due ?? new Date(now).toISOString(),
    },
    config.organization,
    new Date(now).toISOString(),
  )
}

/** People with kept events or deliveries that fit the query, by pseudonym. */
export async function affectedBy(query: AffectedQuery, db: Db): Promise<Affected> {
  const from = query.from === undefined ? undefined : Date.parse(query.from)
  const to = query.to === undefined ? undefined : Date.parse(query.to)
  const and = (parts: (RawBuilder<unknown> | undefined)[]) =>
    sql.join(
      parts.filter((part) => part !== undefined),
      sql` and `,
    )
  const inList = (column: string, values: readonly string[] | undefined) =>
    values && values.length > 0 ? sql`${sql.ref(column)} in (${sql.join(values)})` : undefined
  const span = (column: string) => [
    from === undefined ? undefined : sql`${sql.ref(column)} >= ${from}`,
    to === undefined ? undefined : sql`${sql.ref(column)} < ${to}`,
  ]
  const purposesOf = (query.purposes ?? []).map((id) => sql`h.purposes like ${`%"${id}"%`}`)
  const events = sql`select h.node_id from history h where ${and([
    sql`1 = 1`,
    inList('h.source_id', query.sources),
    inList('h.name', query.events),
    purposesOf.length > 0 ? sql`(${sql.join(purposesOf, sql` or `)})` : undefined,
    ...span('h.occurred_at'),
  ])}`
  const deliveries = sql`select d.node_id from deliveries d where ${and([
    sql`d.status = 'delivered'`,
    inList('d.destination', query.destinations),
    inList('d.purpose', query.purposes),
    ...span('d.settled_at'),
  ])}`
  // A query that names a destination is about what was sent there, one that names a source or an event about what came.
  const byDelivery = (query.destinations?.length ?? 0) > 0
  const byEvent = !byDelivery || (query.sources?.length ?? 0) > 0 || (query.events?.length ?? 0) > 0
  const count = async (part: RawBuilder<unknown>) =>
    Number((await sql<{ n: number }>`select count(*) as n from (${part}) x`.execute(db)).rows[0]!.n)
  const nodes =
    byDelivery && byEvent
      ? sql`select node_id from (${events}) a where node_id in (${deliveries})`
      : byDelivery
        ? deliveries
        : events
  const people = await sql<{ person_id: string; subject: string }>`
    select n.person_id, min(n.subject) as subject from nodes n where n.id in (${nodes})
    group by n.person_id order by n.person_id
  `.execute(db)
  return {
    people: people.rows.length,
    events: byEvent ? await count(events) : 0,
    deliveries: byDelivery ? await count(deliveries) : 0,
    subjects: people.rows.slice(0, SUBJECTS_SHOWN).map(({ subject }) => subject),
    truncated: people.rows.length > SUBJECTS_SHOWN,
  }
}
