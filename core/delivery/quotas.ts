/** Quotas counted per window of a minute and more, kept in the state: they outlive a restart. */
import type { Transaction } from 'kysely'
import type { DestinationSettings } from '../config.ts'
import { chunks, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'

type Row = Tables['deliveries']

const startOf = (now: number, seconds: number) => Math.floor(now / (seconds * 1000)) * seconds * 1000

/** The account has no request left in some window. */
export async function windowsFull(destination: DestinationSettings, now: number, state: StateStore): Promise<boolean> {
  for (const { seconds, max } of destination.definition.limits.windows ?? []) {
    const row = await state.db
      .selectFrom('quotas')
      .select('used')
      .where('key', '=', `${destination.id}|${seconds}`)
      .where('window_start', '=', startOf(now, seconds))
      .executeTakeFirst()
    if ((row?.used ?? 0) >= max) return true
  }
  return false
}

interface ContactWindow {
  readonly key: string
  readonly start: number
  readonly ends: number
  readonly max: number
}

/** The windows one row counts in. */
export function contactWindows(
  destination: DestinationSettings,
  row: Pick<Row, 'person_id' | 'action'>,
  now: number,
): ContactWindow[] {
  return (destination.definition.limits.perContact ?? [])
    .filter(({ actions }) => actions.includes(row.action))
    .map(({ seconds, max, actions }) => {
      const start = startOf(now, seconds)
      return {
        key: `${destination.id}|${actions.join()}|${seconds}|${row.person_id}`,
        start,
        ends: start + seconds * 1000,
        max,
      }
    })
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

/** Counts writes that were handed over. */
export async function countUse(
  trx: Transaction<Tables>,
  destination: DestinationSettings,
  rows: readonly Row[],
  now: number,
): Promise<void> {
  const uses = new Map<string, { key: string; start: number; used: number }>()
  const add = (key: string, start: number) => {
    const use = uses.get(`${key}|${start}`)
    if (use) use.used += 1
    else uses.set(`${key}|${start}`, { key, start, used: 1 })
  }
  for (const row of rows) {
    for (const { seconds } of destination.definition.limits.windows ?? [])
      add(`${destination.id}|${seconds}`, startOf(now, seconds))
    for (const { key, start } of contactWindows(destination, row, now)) add(key, start)
  }
  for (const { key, start, used } of uses.values())
    await trx
      .insertInto('quotas')
      .values({ key, window_start: start, used })
      .onConflict((conflict) =>
        conflict.columns(['key', 'window_start']).doUpdateSet((eb) => ({ used: eb('quotas.used', '+', used) })),
      )
      .execute()
}
