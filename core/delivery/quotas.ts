/**
 * Quotas counted per window of a minute and more, kept in the state: they outlive a restart and hold
 * for all processes. A unit is taken before the request it stands for, in one statement that takes
 * nothing once the window is full, so that no window is ever above its cap.
 */
import type { DestinationSettings } from '../config.ts'
import { chunks, type Db, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'

type Row = Tables['deliveries']

/** One counter: `key` names whom and how long, `ends` when there is room again. Epoch milliseconds. */
export interface QuotaWindow {
  readonly key: string
  readonly start: number
  readonly ends: number
  readonly max: number
}

const windowOf = (key: string, seconds: number, max: number, now: number): QuotaWindow => {
  const start = Math.floor(now / (seconds * 1000)) * seconds * 1000
  return { key, start, ends: start + seconds * 1000, max }
}

/** The windows in which every request of the account counts, look-ups included. */
const accountWindows = (destination: DestinationSettings, now: number): QuotaWindow[] =>
  (destination.definition.limits.windows ?? []).map(({ seconds, max }) =>
    windowOf(`${destination.id}|${seconds}`, seconds, max, now),
  )

/** The windows of its contact in which a write counts. */
export const contactWindows = (
  destination: DestinationSettings,
  row: Pick<Row, 'person_id' | 'action'>,
  now: number,
): QuotaWindow[] =>
  (destination.definition.limits.perContact ?? [])
    .filter(({ actions }) => actions.includes(row.action))
    .map(({ seconds, max, actions }) =>
      windowOf(`${destination.id}|${actions.join()}|${seconds}|${row.person_id}`, seconds, max, now),
    )

/** Requests the account may make now: what the fullest window leaves; Infinity where none is counted. */
export async function requestsLeft(destination: DestinationSettings, now: number, state: StateStore): Promise<number> {
  let left = Number.POSITIVE_INFINITY
  for (const { key, start, max } of accountWindows(destination, now)) {
    const row = await state.db
      .selectFrom('quotas')
      .select('used')
      .where('key', '=', key)
      .where('window_start', '=', start)
      .executeTakeFirst()
    left = Math.min(left, max - (row?.used ?? 0))
  }
  return Math.max(0, left)
}

/** Takes one request out of every window of the account. @returns undefined, or when the full one ends. */
export async function takeRequest(
  destination: DestinationSettings,
  now: number,
  state: StateStore,
): Promise<number | undefined> {
  const windows = accountWindows(destination, now)
  if (windows.length === 0) return undefined
  return state.transaction((trx) => takeAll(trx, windows))
}

/**
 * Takes one unit of each of these windows, or of none.
 * @returns undefined, or the end of the first that is full.
 */
export async function takeAll(db: Db, windows: readonly QuotaWindow[]): Promise<number | undefined> {
  const taken: QuotaWindow[] = []
  for (const window of windows) {
    if (await take(db, window)) {
      taken.push(window)
      continue
    }
    await giveBack(db, taken)
    return window.ends
  }
  return undefined
}

async function take(db: Db, { key, start, max }: QuotaWindow): Promise<boolean> {
  if (max < 1) return false
  const row = await db
    .insertInto('quotas')
    .values({ key, window_start: start, used: 1 })
    .onConflict((conflict) =>
      conflict
        .columns(['key', 'window_start'])
        .doUpdateSet((eb) => ({ used: eb('quotas.used', '+', 1) }))
        .where('quotas.used', '<', max),
    )
    .returning('used')
    .executeTakeFirst()
  return row !== undefined
}

/** For what was taken and then not sent. */
export async function giveBack(db: Db, windows: readonly QuotaWindow[]): Promise<void> {
  for (const { key, start } of windows)
    await db
      .updateTable('quotas')
      .set((eb) => ({ used: eb('used', '-', 1) }))
      .where('key', '=', key)
      .where('window_start', '=', start)
      .where('used', '>', 0)
      .execute()
}

/** Splits rows into those whose contact has room and those that wait for the next window: no blind retry of a daily quota. */
export async function fullContacts(
  destination: DestinationSettings,
  rows: readonly Row[],
  now: number,
  state: StateStore,
): Promise<{ ready: Row[]; waiting: { row: Row; until: number }[] }> {
  if (!destination.definition.limits.perContact?.length) return { ready: [...rows], waiting: [] }
  const windows = new Map(rows.map((row) => [row.id, contactWindows(destination, row, now)]))
  const used = new Map<string, number>()
  for (const part of chunks([...new Set([...windows.values()].flat().map(({ key }) => key))]))
    for (const row of await state.db.selectFrom('quotas').selectAll().where('key', 'in', part).execute())
      used.set(`${row.key}|${row.window_start}`, row.used)
  const ready: Row[] = []
  const waiting: { row: Row; until: number }[] = []
  for (const row of rows) {
    const full = windows.get(row.id)!.filter(({ key, start, max }) => (used.get(`${key}|${start}`) ?? 0) >= max)
    if (full.length > 0) waiting.push({ row, until: Math.max(...full.map(({ ends }) => ends)) })
    else {
      for (const { key, start } of windows.get(row.id)!)
        used.set(`${key}|${start}`, (used.get(`${key}|${start}`) ?? 0) + 1)
      ready.push(row)
    }
  }
  return { ready, waiting }
}

/** Windows that ended can be asked about no more. */
export async function forgetQuotas(
  destinations: Iterable<DestinationSettings>,
  now: number,
  state: StateStore,
): Promise<void> {
  let longest = 0
  for (const { definition } of destinations)
    for (const { seconds } of [...(definition.limits.windows ?? []), ...(definition.limits.perContact ?? [])])
      longest = Math.max(longest, seconds)
  if (longest === 0) return
  await state.transaction((trx) =>
    trx
      .deleteFrom('quotas')
      .where('window_start', '<', now - longest * 1000)
      .execute(),
  )
}
