/**
 * Lists at vendors that the configuration no longer describes: the audience is gone, the destination is gone, or the
 * list is another one now. Whoever was put on one is taken out the way they were put in; what cannot be taken out,
 * because the hub has no destination to tell, is never forgotten: it is listed until somebody says that it was done by hand.
 */
import type { AudienceLeft } from '../../schemas/audience.ts'
import { newId } from '../ids.ts'
import { CommandError } from '../server/context.ts'
import { type Db, sql } from '../stores/open.ts'
import type { MeasureSet, Push } from './set.ts'

/** How a list was told. */
export interface Former {
  readonly push: Push
  readonly purpose: string
  /** The audience still has this destination, and names another list: those told are taken out and put in anew. */
  readonly changed: boolean
}

/** By audience and destination, as `listKey` joins them. */
export type FormerLists = Map<string, Former>

/** How somebody is taken out of a list that is no longer told: as they were put in, or by what its destination has for it. */
export function wayOut(
  former: FormerLists,
  audience: string,
  destination: string,
): { readonly push: Push; readonly purpose: string | undefined } {
  const found = former.get(listKey(audience, destination))
  return { push: found?.push ?? { destination, add: '', remove: '', with: {} }, purpose: found?.purpose }
}

export const listKey = (audience: string, destination: string): string => `${audience}\0${destination}`

/** Stands behind the name of an audience for its list of before, which is another list than today's. */
const BEFORE = '~'
export const listBefore = (audience: string): string => `${audience}${BEFORE}`
/** The audience of a list, of before or of today. */
export const audienceOf = (list: string): string => (list.endsWith(BEFORE) ? list.slice(0, -BEFORE.length) : list)

interface Told {
  readonly add: string
  readonly remove: string
  readonly with: Readonly<Record<string, unknown>>
  readonly purpose: string
}

/** Writes down how each list is told from now on, and fills in `measures.former`. Called at every start. */
export async function noteLists(measures: MeasureSet, db: Db): Promise<void> {
  const rows = await db.selectFrom('audience_lists').selectAll().execute()
  const known = new Map(rows.map((row) => [listKey(row.audience, row.destination), row]))
  measures.former.clear()
  for (const { id, purpose, pushes } of measures.audiences)
    for (const push of pushes) {
      const { destination, add, remove } = push
      const key = listKey(id, destination)
      const row = known.get(key)
      known.delete(key)
      const told = JSON.stringify({ add, remove, with: push.with, purpose } satisfies Told)
      // Emptied by hand while nobody described it: everybody is put in anew.
      const moved = row !== undefined && (row.closed_at !== null || listOf(row.told) !== listOf(told))
      const former = moved ? row.told : row?.hash === measures.hash ? row.former : null
      const values = { told, former, hash: measures.hash, closed_at: null, closed_by: null, reason: null }
      if (!row || row.told !== told || row.former !== former || row.hash !== measures.hash || row.closed_at !== null)
        await db
          .insertInto('audience_lists')
          .values({ audience: id, destination, ...values })
          .onConflict((conflict) => conflict.columns(['audience', 'destination']).doUpdateSet(values))
          .execute()
      if (former !== null) measures.former.set(key, formerOf(destination, former, true))
    }
  for (const [key, { destination, told }] of known) measures.former.set(key, formerOf(destination, told, false))
}

/** Which list is meant; not how people are put in it. */
function listOf(text: string): string {
  const told = JSON.parse(text) as Told
  return JSON.stringify([told.remove, told.with])
}

function formerOf(destination: string, text: string, changed: boolean): Former {
  const { purpose, ...push } = JSON.parse(text) as Told
  return { push: { destination, ...push }, purpose, changed }
}

// ---------------------------------------------------------------- what is left

/** The vendor was told that somebody left, and confirmed it. @param status of that delivery; null: it is long gone. */
export const isOut = (status: string | null): boolean => status === 'delivered' || status === null

/**
 * Lists with people on them, as far as the hub knows, that no audience of the configuration keeps any more. Asked at
 * every start: of a list that is described nobody is counted.
 * @param destinations by their ids in the configuration.
 */
export async function listsLeft(
  db: Db,
  set: Pick<MeasureSet, 'audience'>,
  destinations: Pick<ReadonlyMap<string, unknown>, 'has'>,
): Promise<AudienceLeft[]> {
  const closed = new Set(
    (await db.selectFrom('audience_lists').selectAll().where('closed_at', 'is not', null).execute()).map(
      ({ audience, destination }) => listKey(audience, destination),
    ),
  )
  const left = new Map<string, AudienceLeft>()
  for await (const { audience, destination } of listsTold(db)) {
    const gone = !destinations.has(destination)
    if (!gone && set.audience(audience)?.pushes.some((push) => push.destination === destination)) continue
    if (closed.has(listKey(audienceOf(audience), destination))) continue
    for (const { member, status, people, since } of await standingOf(audience, destination, db)) {
      if (member === 0 && isOut(status)) continue
      const failed = status === 'dead' || status === 'uncertain' || status === 'suppressed' || status === 'blocked'
      const state = gone ? 'no_destination' : failed && member === 0 ? 'failed' : 'leaving'
      const key = `${listKey(audience, destination)}\0${state}`
      const before = left.get(key)
      const at = new Date(Math.min(Number(since), before ? Date.parse(before.since) : Number(since))).toISOString()
      const sum = Number(people) + (before?.people ?? 0)
      left.set(key, { audience: audienceOf(audience), destination, state, people: sum, since: at })
    }
  }
  return [...left.values()].sort((a, b) =>
    listKey(a.audience, a.destination) < listKey(b.audience, b.destination) ? -1 : 1,
  )
}

/** Every list somebody was ever told of, today's and those of before, by one step in the index each. */
async function* listsTold(db: Db): AsyncGenerator<{ readonly audience: string; readonly destination: string }> {
  for (let after = { audience: '', destination: '' }; ; ) {
    const { rows } = await sql<typeof after>`select audience, destination from audience_pushes
      where (audience, destination) > (${after.audience}, ${after.destination})
      order by audience, destination limit 1`.execute(db)
    const [next] = rows
    if (!next) return
    yield next
    after = next
  }
}

const standingOf = (audience: string, destination: string, db: Db) =>
  db
    .selectFrom('audience_pushes as p')
    .leftJoin('deliveries as d', 'd.id', 'p.delivery_id')
    .select(({ fn }) => [
      'p.member',
      'd.status',
      fn.count<number>('p.person_id').distinct().as('people'),
      fn.min<number>('p.at').as('since'),
    ])
    .where('p.audience', '=', audience)
    .where('p.destination', '=', destination)
    .groupBy(['p.member', 'd.status'])
    .execute()

/** For a terminal: what is the case, and what somebody has to do, if anything. */
export function leftInWords({ audience, destination, state, people }: AudienceLeft): { text: string; todo?: string } {
  const who = `${people} ${people === 1 ? 'person is' : 'people are'} on the list of "${audience}" at "${destination}"`
  if (state === 'leaving') return { text: `${who}, which no audience keeps; they are being taken out.` }
  if (state === 'failed')
    return {
      text: `${who}, which no audience keeps, and the vendor refused to take them out.`,
      todo: 'Look at the reason under Deliveries, then: anuente audiences sync',
    }
  return {
    text: `${who}, and the configuration no longer has that destination: nobody can be taken out, not even by a withdrawal.`,
    todo: `Put destinations.${destination} back until the list is empty, or empty it at the vendor and write that down: anuente audiences close ${audience} ${destination} --reason "…"`,
  }
}

/** Somebody says that a list the hub cannot reach was emptied by hand. */
export async function closeList(
  {
    audience,
    destination,
    reason,
  }: { readonly audience: string; readonly destination: string; readonly reason: string },
  { db, actor, now }: { readonly db: Db; readonly actor: string; readonly now: number },
): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('audience_lists')
    .set({ closed_at: now, closed_by: actor, reason })
    .where('audience', '=', audience)
    .where('destination', '=', destination)
    .where('closed_at', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows === 0n)
    throw new CommandError('NOT_FOUND', `The hub keeps no open list of "${audience}" at "${destination}".`)
  await db
    .insertInto('access_log')
    .values({ id: newId(now), at: now, actor, act: 'audiences.close', target: `${audience} ${destination}`, reason })
    .execute()
}
