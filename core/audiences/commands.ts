/** What people ask about audiences: the list with its numbers, members, one person's stays, telling destinations again. */

import { sql } from 'kysely'
import type {
  AudienceLeft,
  AudienceMember,
  AudienceMembers,
  AudienceOverlap,
  AudiencePreview,
  AudienceStay,
  AudienceSummary,
  AudienceSync,
  NotTold,
  PushState,
} from '../../schemas/audience.ts'
import type { LoadedConfig } from '../config.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { buildRuleSet } from '../decision/index.ts'
import type { Keys } from '../keys.ts'
import { personOf } from '../retention/commands.ts'
import { processSettings, readSurroundings } from '../roles/surroundings.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { closeList, isOut, listsLeft } from './lists.ts'
import { openPass, startPass } from './passes.ts'
import { previewAudience } from './preview.ts'
import { type CompiledAudience, compileMeasures, type Definitions, type Push } from './set.ts'
import { type StandingContext, standings } from './standing.ts'

const MEMBERS_SHOWN = 100
const DAYS_SHOWN = 30
const DAY_MS = 86_400_000
const iso = (ms: number) => new Date(ms).toISOString()
const clauses = (text: string | null) => JSON.parse(text ?? '[]') as AudienceMember['why']

type Settings = ProcessPorts['settings']

/** As the process role has them, but for rules, which nothing here asks. */
function settingsOf(config: LoadedConfig): () => Settings {
  let settings: Settings | undefined
  return () => {
    if (!settings) {
      const surroundings = readSurroundings(config)
      settings = processSettings(config, surroundings, buildRuleSet([]), surroundings.rules)
    }
    return settings
  }
}

export function audienceCommands(
  config: LoadedConfig,
  keys: Keys,
  settings: () => Settings = settingsOf(config),
): CommandHandlers {
  const set = compileMeasures(config.config, (id) =>
    Object.keys(config.destinationSettings.get(id)?.definition.actions ?? {}),
  )
  const known = (id: unknown): CompiledAudience => {
    const found = set.audience(String(id))
    if (!found)
      throw new CommandError(
        'NOT_FOUND',
        `There is no audience "${String(id)}": use ${set.audiences.map((one) => one.id).join(', ') || '(none)'}.`,
      )
    return found
  }
  return {
    async audiencesList(_args, { state, now }): Promise<AudienceSummary[]> {
      const filling = (await openPass(state.db))?.kind === 'fill'
      const found: AudienceSummary[] = []
      for (const audience of set.audiences)
        found.push(await summaryOf(audience, filling, { state, keys, settings, now }))
      return found
    },

    /** Of now, or with `at` (ISO 8601) of then: who had entered and not left. */
    async audienceMembers(args, { state, now }): Promise<AudienceMembers> {
      const { db } = state
      const audience = known(args['audience'])
      const { id, pushes } = audience
      const at = momentOf(args['at'], now)
      const then = db
        .selectFrom('audience_stays')
        .where('audience', '=', id)
        .$if(at === undefined, (query) => query.where('left_at', 'is', null))
        .$if(at !== undefined, (query) =>
          query
            .where('entered_at', '<=', at!)
            .where((eb) => eb.or([eb('left_at', 'is', null), eb('left_at', '>', at!)])),
        )
      const rows = await then.selectAll().orderBy('entered_at', 'desc').limit(MEMBERS_SHOWN).execute()
      const { n } = await then.select((eb) => eb.fn.countAll().as('n')).executeTakeFirstOrThrow()
      const whole = { total: Number(n), at: at === undefined ? null : iso(at) }
      if (at !== undefined)
        return {
          ...whole,
          // What destinations were told then is in the deliveries; here it would be today's.
          items: rows.map((row) => ({ ...shown(row), destinations: [] })),
        }
      const people = rows.map(({ person_id }) => person_id)
      const told =
        people.length === 0
          ? []
          : await db
              .selectFrom('audience_pushes as p')
              .leftJoin('deliveries as d', 'd.id', 'p.delivery_id')
              .select(['p.person_id', 'p.destination', 'p.member', 'd.status', 'd.reason'])
              .where('p.audience', '=', id)
              .where('p.person_id', 'in', people)
              .execute()
      const untold = people.filter((id) => !told.some((one) => one.person_id === id && one.member === 1))
      const stands = await standings(audience, untold, { state, keys, settings, now })
      const items = rows.map((row) => ({
        ...shown(row),
        destinations: pushes.map((push) => {
          const { destination } = push
          const rowsOf = told.filter((one) => one.person_id === row.person_id && one.destination === destination)
          // Somebody with two addresses may be in by one and out by the other.
          const mine = rowsOf.find(({ member }) => member === 1) ?? rowsOf.find(({ status }) => !isOut(status))
          return mine
            ? { destination, state: stateOf(mine.member === 1, mine.status), reason: mine.reason }
            : { destination, state: stands(row.person_id, push), reason: null }
        }),
      }))
      return { ...whole, items }
    },

    /** With whom an audience shares how many members. */
    async audienceOverlap(args, { state: { db } }): Promise<AudienceOverlap[]> {
      const { id } = known(args['audience'])
      const sizes = await db
        .selectFrom('audience_stays')
        .select((eb) => ['audience', eb.fn.countAll().as('n')])
        .where('left_at', 'is', null)
        .groupBy('audience')
        .execute()
      const shared = await db
        .selectFrom('audience_stays as a')
        .innerJoin('audience_stays as b', 'b.person_id', 'a.person_id')
        .select((eb) => ['b.audience', eb.fn.countAll().as('n')])
        .where('a.audience', '=', id)
        .where('a.left_at', 'is', null)
        .where('b.left_at', 'is', null)
        .groupBy('b.audience')
        .execute()
      const count = (rows: readonly { audience: string; n: number | string | bigint }[], audience: string) =>
        Number(rows.find((row) => row.audience === audience)?.n ?? 0)
      return set.audiences
        .filter((other) => other.id !== id)
        .map((other) => ({ audience: other.id, size: count(sizes, other.id), both: count(shared, other.id) }))
    },

    /** {audience, definitions?}: how large it would be. Definitions of a file that no hub was started with yet. */
    async audiencePreview(args, { state, now }): Promise<AudiencePreview> {
      const given = args['definitions'] as Definitions | undefined
      const edited = given ? { ...config, config: { ...config.config, ...given } } : config
      const made = given ? settingsOf(edited as LoadedConfig)() : settings()
      const id = String(args['audience'])
      if (!made.measures?.audience(id)) known(id)
      return previewAudience(id, { state, keys, settings: made, now })
    },

    /** People on lists that no audience keeps any more. */
    async audiencesLeft(_args, { state: { db } }): Promise<AudienceLeft[]> {
      return listsLeft(db, set, config.destinationSettings)
    },

    /** {audience, destination, reason}: a list the hub cannot reach was emptied by hand. */
    async audienceListClosed(args, { state: { db }, actor, now }): Promise<AudienceLeft[]> {
      const [audience, destination] = [String(args['audience']), String(args['destination'])]
      const reason = typeof args['reason'] === 'string' ? args['reason'].trim() : ''
      if (reason.length < 10)
        throw new CommandError('REASON_REQUIRED', 'Say how it was emptied, in at least 10 characters. It is kept.')
      if (config.destinationSettings.has(destination))
        throw new CommandError('CONFLICT', `The hub reaches "${destination}" and takes people out of its lists itself.`)
      await closeList({ audience, destination, reason }, { db, actor, now })
      return listsLeft(db, set, config.destinationSettings)
    },

    /** {person}: an id, also one of before a merge, or a ledger subject. */
    async audiencesOfPerson(args, { state: { db } }): Promise<AudienceStay[]> {
      const person = await personOf({ db }, String(args['person']))
      const rows = await db
        .selectFrom('audience_stays')
        .selectAll()
        .where('person_id', '=', person)
        .orderBy('entered_at', 'desc')
        .limit(500)
        .execute()
      return rows.map((row) => ({
        audience: row.audience,
        enteredAt: iso(row.entered_at),
        leftAt: row.left_at === null ? null : iso(row.left_at),
        whyEntered: clauses(row.why_entered),
        whyLeft: clauses(row.why_left),
        eventId: row.event_id,
      }))
    },

    /** Destinations are told again: what failed, or with `full` everything. The hub goes through people in pages. */
    async audiencesSync(args, { state: { db }, now }): Promise<AudienceSync> {
      const audience = args['audience'] === undefined ? null : known(args['audience']).id
      const full = args['full'] === true
      if (await openPass(db))
        throw new CommandError('CONFLICT', 'People are being gone through already: wait until that is done.')
      await startPass({ kind: full ? 'sync:full' : 'sync', audience, hash: set.hash }, db, now)
      return { audience, full, state: 'running', people: 0 }
    },
  }
}

const shown = (row: { readonly person_id: string; readonly entered_at: number; readonly why_entered: string }) => ({
  personId: row.person_id,
  since: iso(row.entered_at),
  why: clauses(row.why_entered),
})

/** @throws CommandError INVALID. */
function momentOf(given: unknown, now: number): number | undefined {
  if (given === undefined) return undefined
  const at = typeof given === 'string' ? Date.parse(given) : Number.NaN
  if (Number.isNaN(at)) throw new CommandError('INVALID', '"at" must be a date, e.g. 2026-03-10T12:00:00Z.')
  if (at > now)
    throw new CommandError('INVALID', 'Nobody knows yet who will be in it: choose a moment that has passed.')
  return at
}

function stateOf(member: boolean, status: string | null): PushState {
  if (status === 'delivered' || status === null) return member ? 'in' : 'removing'
  if (status === 'blocked') return 'blocked'
  if (status === 'dead' || status === 'uncertain' || status === 'suppressed' || status === 'cancelled') return 'failed'
  return member ? 'pending' : 'removing'
}

/** Newest members a destination was not told of, whose reason is looked up. */
const LOOKED_AT = 500
const WHY = {
  no_consent: 'noConsent',
  not_reachable: 'notReachable',
  held_out: 'heldOut',
  waiting: 'waiting',
} as const satisfies Record<NotTold, string>

async function whyNotTold(audience: CompiledAudience, push: Push, context: StandingContext) {
  const why = { noConsent: 0, notReachable: 0, heldOut: 0, waiting: 0 }
  const rows = await context.state.db
    .selectFrom('audience_stays as s')
    .select('s.person_id')
    .where('s.audience', '=', audience.id)
    .where('s.left_at', 'is', null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('audience_pushes as p')
            .select('p.person_id')
            .whereRef('p.person_id', '=', 's.person_id')
            .whereRef('p.audience', '=', 's.audience')
            .where('p.destination', '=', push.destination)
            .where('p.member', '=', 1),
        ),
      ),
    )
    .orderBy('s.entered_at', 'desc')
    .limit(LOOKED_AT)
    .execute()
  const people = rows.map(({ person_id }) => person_id)
  if (people.length === 0) return why
  const stands = await standings(audience, people, context)
  for (const person of people) why[WHY[stands(person, push)]] += 1
  return why
}

async function summaryOf(
  audience: CompiledAudience,
  filling: boolean,
  context: StandingContext,
): Promise<AudienceSummary> {
  const { id, config, purpose, who, pushes } = audience
  const { now } = context
  const { db } = context.state
  const reasons = new Map<Push, Awaited<ReturnType<typeof whyNotTold>>>()
  for (const push of pushes) reasons.set(push, await whyNotTold(audience, push, context))
  const { n } = await db
    .selectFrom('audience_stays')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('audience', '=', id)
    .where('left_at', 'is', null)
    .executeTakeFirstOrThrow()
  const size = Number(n)
  const counted = await db
    .selectFrom('rollups')
    .select(['code', sql<number>`minute / 1440`.as('day'), (eb) => eb.fn.sum('count').as('count')])
    .where('origin', '=', `audience:${id}`)
    .where('minute', '>=', Math.floor((now - DAYS_SHOWN * DAY_MS) / 60_000))
    .groupBy(['code', sql`minute / 1440`])
    .orderBy(sql`minute / 1440`)
    .execute()
  const days = new Map<number, { entered: number; left: number }>()
  for (const row of counted) {
    const day = days.get(Number(row.day)) ?? { entered: 0, left: 0 }
    if (row.code === 'ENTERED') day.entered += Number(row.count)
    else day.left += Number(row.count)
    days.set(Number(row.day), day)
  }
  const told = await db
    .selectFrom('audience_pushes as p')
    .leftJoin('deliveries as d', 'd.id', 'p.delivery_id')
    .select(['p.destination', 'p.member', 'd.status', 'd.reason', (eb) => eb.fn.countAll().as('n')])
    .where('p.audience', '=', id)
    .groupBy(['p.destination', 'p.member', 'd.status', 'd.reason'])
    .execute()
  const clausesOf = who?.explain({ now, profile: NOBODY, purpose, counted: {}, known: false }) ?? []
  return {
    id,
    title: config.title,
    description: config.description ?? null,
    purpose,
    words: { pt: clausesOf.map(({ pt }) => pt), en: clausesOf.map(({ clause }) => clause) },
    size,
    filling,
    days: [...days].map(([day, counts]) => ({ day: iso(day * DAY_MS).slice(0, 10), ...counts })),
    destinations: pushes.map((push) => {
      const { destination, add, remove } = push
      const counts = {
        in: 0,
        pending: 0,
        removing: 0,
        failed: [] as { reason: string; count: number }[],
        blocked: 0,
        notTold: 0,
      }
      let members = 0
      for (const row of told) {
        if (row.destination !== destination) continue
        const state = stateOf(row.member === 1, row.status)
        if (row.member === 1) members += Number(row.n)
        else if (isOut(row.status)) continue
        if (state === 'failed') counts.failed.push({ reason: row.reason ?? '', count: Number(row.n) })
        else if (state === 'in' || state === 'pending' || state === 'removing' || state === 'blocked')
          counts[state] += Number(row.n)
      }
      return {
        destination,
        add,
        remove,
        counts: { ...counts, notTold: Math.max(0, size - members), notToldWhy: reasons.get(push)! },
      }
    }),
  }
}

const NOBODY = emptyProfile('')
