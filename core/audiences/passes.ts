/**
 * Everybody gone through once, in pages between everything else: after a change of the definitions (`fill`), and to
 * tell destinations again (`sync`). Each page is one transaction with the place it has come to, so a stop loses nothing.
 */
import type { Transaction } from 'kysely'
import { newId } from '../ids.ts'
import { histories } from '../replay/history.ts'
import { replayPerson } from '../replay/person.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { commitBatch } from '../stages/commit.ts'
import { PersonTaken } from '../stages/lock.ts'
import { measureWhole, tellAgain } from '../stages/measure.ts'
import { noteInput } from '../stages/note-inputs.ts'
import type { PersonState } from '../stages/people.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { Db } from '../stores/open.ts'
import { runIn } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { graft } from './graft.ts'
import { listKey, noteLists } from './lists.ts'
import { type MeasureSet, NO_MEASURES } from './set.ts'
import { type TraitPush, traitsMark } from './traits.ts'

/** Our choice: a page takes a fraction of a second, and events wait no longer than that. */
const PAGE = 100

export type Pass = Tables['audience_passes']

export interface AudienceKeeper {
  /** Notes what people are held against from now on: before anything is, and again in a round after it became another. */
  begin(): Promise<void>
  /** @returns the batch of one page; undefined when there is nothing to go through. */
  round(): Promise<Batch | undefined>
}

export function createAudienceKeeper(ports: () => ProcessPorts): AudienceKeeper {
  let noted: string | undefined
  const begin = async () => {
    const {
      settings: { measures = NO_MEASURES },
      state: { db },
      clock,
    } = ports()
    if (noted === measures.hash) return
    await noteDefinitions(measures, db, clock())
    await noteLists(measures, db)
    noted = measures.hash
  }
  return {
    begin,
    async round() {
      await begin()
      const now = ports()
      const pass = await openPass(now.state.db)
      return pass && runPage(pass, now)
    },
  }
}

/**
 * Called before anything is held against them: since when they are in force, and a pass for definitions that nobody was
 * held against yet; whatever another one had begun is for nothing.
 */
export async function noteDefinitions({ hash, definitions }: MeasureSet, db: Db, now: number): Promise<void> {
  const known = await db
    .selectFrom('measure_definitions')
    .select('hash')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (known ? known.hash !== hash : hash !== NO_MEASURES.hash)
    await db
      .insertInto('measure_definitions')
      .values({ id: newId(now), hash, at: now, body: JSON.stringify(definitions) })
      .execute()
  const last = await db
    .selectFrom('audience_passes')
    .select('hash')
    .where('kind', '=', 'fill')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (last?.hash === hash || (!last && hash === NO_MEASURES.hash)) return
  await db.updateTable('audience_passes').set({ done_at: now }).where('done_at', 'is', null).execute()
  await startPass({ kind: 'fill', audience: null, hash }, db, now)
}

export async function startPass(
  { kind, audience, hash }: Pick<Pass, 'kind' | 'audience' | 'hash'>,
  db: Db,
  now: number,
): Promise<Pass> {
  const pass: Pass = {
    id: newId(now),
    kind,
    audience,
    hash,
    after_person: '',
    people: 0,
    started_at: now,
    done_at: null,
  }
  await db.insertInto('audience_passes').values(pass).execute()
  return pass
}

export const openPass = (db: Db): Promise<Pass | undefined> =>
  db.selectFrom('audience_passes').selectAll().where('done_at', 'is', null).orderBy('id').limit(1).executeTakeFirst()

/** One page. Who lost people to another process goes through them again. */
async function runPage(pass: Pass, ports: ProcessPorts): Promise<Batch> {
  for (;;) {
    try {
      return await tryPage(pass, ports)
    } catch (error) {
      if (!(error instanceof PersonTaken)) throw error
    }
  }
}

async function tryPage(pass: Pass, ports: ProcessPorts): Promise<Batch> {
  const { state, settings } = ports
  const now = ports.clock()
  const ids = (
    await state.db
      .selectFrom('persons')
      .select('id')
      .where('id', '>', pass.after_person)
      .where('merged_into', 'is', null)
      .orderBy('id')
      .limit(PAGE)
      .execute()
  ).map(({ id }) => id)
  const { hash, former } = settings.measures ?? NO_MEASURES
  const batch = new Batch(now, ports.keys)
  await loadPeople(batch, state, [], ids)
  const people = ids.flatMap((id) => batch.persons.get(id) ?? [])
  if (pass.kind === 'fill') {
    const before = new Map(people.map(({ id, profile }) => [id, JSON.stringify(profile)]))
    const values = await valuesTold(ids, ports)
    await remember(people, ports)
    for (const person of people) {
      measureWhole(
        person,
        batch,
        settings,
        // A list that is another one now: out of the one of before, into today's.
        (audience, at) => former.get(listKey(audience, at))?.changed === true,
        // A destination that was named for a value since hears of it without waiting for the next change.
        (push) => !values.has(valuesKey(person.id, push)),
      )
      // What history gave them is theirs also where nothing follows from it yet.
      if (JSON.stringify(person.profile) !== before.get(person.id)) person.dirty = true
      noteInput(person, 'measured', { fill: true, hash }, batch)
    }
  } else {
    const full = pass.kind === 'sync:full'
    const open = await pushesOf(ids, ports)
    const values = pass.audience === null ? await valuesTold(ids, ports) : undefined
    for (const person of people) {
      const mine = (open.get(person.id) ?? []).filter(
        ({ audience, failed }) => (pass.audience === null || audience === pass.audience) && (full || failed),
      )
      const again = new Set(
        mine.filter(({ member }) => member === 1).map((push) => `${push.audience}\0${push.destination}`),
      )
      measureWhole(
        person,
        batch,
        settings,
        (audience, destination) => again.has(`${audience}\0${destination}`),
        (push) => values !== undefined && (full || !isConfirmed(values.get(valuesKey(person.id, push)))),
      )
      if (person.dirty) noteInput(person, 'measured', { fill: false, hash }, batch)
      tellAgain(
        person,
        mine.filter(({ member }) => member === 0),
        batch,
        settings,
      )
    }
  }
  const done = ids.length < PAGE
  await commitBatch(batch, state, undefined, async (trx: Transaction<Tables>) => {
    await trx
      .updateTable('audience_passes')
      .set({
        // Where it has come to is of no use once it is done, and may be the id of somebody who is erased later.
        after_person: done ? '' : (ids.at(-1) ?? pass.after_person),
        people: pass.people + ids.length,
        ...(done && { done_at: now }),
      })
      .where('id', '=', pass.id)
      .execute()
  })
  return batch
}

/** Windows and sums that nobody kept until now are made from history, by the functions that would have kept them. */
export async function remember(
  people: readonly PersonState[],
  ports: Pick<ProcessPorts, 'state' | 'keys' | 'settings' | 'clock'>,
): Promise<void> {
  const { state, keys, settings } = ports
  const now = ports.clock()
  const byId = new Map(people.map((person) => [person.id, person]))
  for await (const history of histories(now, { state, keys, now }, [...byId.keys()])) {
    const person = byId.get(history.person.id)
    if (!person) continue
    const replayed = replayPerson(history, { settings, keys, clock: 'noted', until: now, alwaysMeasured: true })
    for (const { profile } of replayed.people) graft(person.profile, profile)
  }
}

interface OpenPush {
  readonly person_id: string
  readonly audience: string
  readonly destination: string
  readonly node_id: string
  readonly member: number
  readonly failed: boolean
}

/** What destinations were told of these people, and whether that failed for good. */
async function pushesOf(ids: readonly string[], { state }: ProcessPorts): Promise<Map<string, OpenPush[]>> {
  const rows = await runIn<Omit<OpenPush, 'failed'> & { status: string | null }>(
    state.db,
    state.dialect,
    `select p.person_id, p.audience, p.destination, p.node_id, p.member, d.status from audience_pushes p
      left join deliveries d on d.id = p.delivery_id where p.person_id in ({list})`,
    ids,
  )
  const found = new Map<string, OpenPush[]>()
  for (const { status, ...row } of rows) {
    const failed = status !== null && FAILED.has(status)
    found.set(row.person_id, [...(found.get(row.person_id) ?? []), { ...row, failed }])
  }
  return found
}

const valuesKey = (person: string, { destination, action, purpose }: TraitPush) =>
  [person, destination, action, traitsMark(purpose)].join('\0')

/** On its way is as good as there: who has never been told, or was and it failed, is told again. */
const isConfirmed = (status: string | undefined) => status !== undefined && !FAILED.has(status)

/** How the newest word to each destination about computed traits and scores of these people stands. */
async function valuesTold(
  ids: readonly string[],
  { state, settings }: ProcessPorts,
): Promise<ReadonlyMap<string, string>> {
  if ((settings.measures ?? NO_MEASURES).traits.length === 0) return new Map()
  const rows = await runIn<Record<'person_id' | 'destination' | 'action' | 'event_id' | 'status', string>>(
    state.db,
    state.dialect,
    `select person_id, destination, action, event_id, status from deliveries
      where person_id in ({list}) and event_id like 'traits:%' order by ord`,
    ids,
  )
  return new Map(
    rows.map(({ person_id, destination, action, event_id, status }) => [
      [person_id, destination, action, event_id].join('\0'),
      status,
    ]),
  )
}

const FAILED: ReadonlySet<string> = new Set(['dead', 'uncertain', 'blocked', 'cancelled', 'suppressed'])
