/** Decisions as they are stored, read back: the one place that knows how their rows look. */
import type { CompiledRule, Explanation } from '../decision/index.ts'
import { type PackedDecision, unpack } from '../decision/packed.ts'
import { compiledOf } from '../rules/book.ts'
import { chunks, type Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'

export interface StoredDecision extends Explanation {
  /** Of those of which only the newest is kept: person and rule. */
  readonly id: string
  /** As the row names them: whoever was merged since may have another id now. */
  readonly personId: string
}

/** What was decided on an event, or on what stands for one; oldest first. */
export async function decidedOn(eventId: string, db: Db): Promise<StoredDecision[]> {
  const rows = await db
    .selectFrom('explanations')
    .selectAll()
    .where('event_id', '=', eventId)
    .orderBy('at')
    .orderBy('id')
    .execute()
  return read(rows, db)
}

/** @param id as `StoredDecision` gives it. */
export async function decisionById(id: string, db: Db): Promise<StoredDecision | undefined> {
  const rows = await db
    .selectFrom('explanations')
    .selectAll()
    .where('id', 'in', [id, id.slice(0, Math.max(0, id.lastIndexOf('.')))])
    .execute()
  return (await read(rows, db)).find((one) => one.id === id)
}

export interface OfPeople {
  readonly rule?: string
  /** Epoch ms: nothing later. */
  readonly until?: number
  /** So many of the newest. */
  readonly limit?: number
}

/** Of these people; oldest first. */
export async function decidedOf(people: readonly string[], db: Db, options: OfPeople = {}): Promise<StoredDecision[]> {
  const { rule, until, limit } = options
  const found: StoredDecision[] = []
  for (const part of chunks(people)) {
    let query = db.selectFrom('explanations').selectAll().where('person_id', 'in', part)
    if (until !== undefined) query = query.where('at', '<=', until)
    if (rule !== undefined) query = query.where('body', 'like', `%${JSON.stringify(rule)}%`)
    query = query.orderBy('at', 'desc').orderBy('id', 'desc')
    if (limit !== undefined) query = rule === undefined ? query.limit(limit) : query
    const rows = await query.execute()
    found.push(...(await read(rows.reverse(), db, rule)))
  }
  found.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  return limit === undefined ? found : found.slice(-limit)
}

/** Of these people and triggers that fired and did not match: the newest per person and rule. */
export async function unmatchedOf(people: readonly string[], db: Db, rule?: string): Promise<StoredDecision[]> {
  const found: StoredDecision[] = []
  for (const part of chunks(people)) {
    let query = db.selectFrom('explanations_latest').selectAll().where('person_id', 'in', part)
    if (rule !== undefined) query = query.where('rule', '=', rule)
    const rows = await query.orderBy('at').orderBy('rule').execute()
    const packed = rows.map((row) => ({
      ...row,
      id: `${row.person_id} ${row.rule}`,
      body: `[${row.body}]`,
      latest: true as const,
    }))
    found.push(...(await read(packed, db)))
  }
  return found
}

/** Decisions of a rule since then, newest first. @param result as it is stored. @param most rows that are looked at. */
export async function decidedSince(
  since: number,
  { rule, result, most }: { readonly rule: string; readonly result: string; readonly most: number },
  db: Db,
): Promise<StoredDecision[]> {
  const rows = await db
    .selectFrom('explanations')
    .selectAll()
    .where('at', '>=', since)
    .where('body', 'like', `%${JSON.stringify(rule)}%`)
    .where('body', 'like', `%${JSON.stringify(result)}%`)
    .orderBy('at', 'desc')
    .limit(most)
    .execute()
  return (await read(rows, db, rule)).filter((one) => one.result === result)
}

/** How many decisions are stored of these people. */
export async function countDecisions(people: readonly string[], db: Db): Promise<number> {
  let count = 0
  for (const part of chunks(people)) {
    const rows = await db.selectFrom('explanations').select('body').where('person_id', 'in', part).execute()
    for (const { body } of rows) count += (JSON.parse(body) as unknown[]).length
    const { n } = await db
      .selectFrom('explanations_latest')
      .select((eb) => eb.fn.countAll().as('n'))
      .where('person_id', 'in', part)
      .executeTakeFirstOrThrow()
    count += Number(n)
  }
  return count
}

type Row = Tables['explanations'] & { readonly latest?: true }

/** Rows of before held whole explanations. */
type Stored = PackedDecision | Explanation
const isWhole = (stored: Stored): stored is Explanation => !Array.isArray(stored)
const ruleOf = (stored: Stored) => (isWhole(stored) ? stored.rule : stored[0])

/** @param only of this rule. */
async function read(rows: readonly Row[], db: Db, only?: string): Promise<StoredDecision[]> {
  const wanted = rows.flatMap((row) =>
    (JSON.parse(row.body) as Stored[])
      .map((stored, place) => ({ row, stored, place }))
      .filter(({ stored }) => only === undefined || ruleOf(stored) === only),
  )
  const versions = await versionsOf(
    wanted.map(({ stored }) => stored),
    db,
  )
  return wanted.map(({ row, stored, place }) => {
    const personId = row.person_id
    if (isWhole(stored)) return { ...stored, id: row.id, personId }
    const about = { eventId: row.event_id, at: new Date(row.at).toISOString(), latestOnly: row.latest === true }
    const [rule, version] = stored
    const explanation = unpack(stored, about, versions.get(`${rule}@${version}`))
    return { ...explanation, id: row.latest ? row.id : `${row.id}.${place}`, personId }
  })
}

async function versionsOf(stored: readonly Stored[], db: Db): Promise<ReadonlyMap<string, CompiledRule>> {
  const rules = [...new Set(stored.flatMap((one) => (isWhole(one) ? [] : [one[0]])))]
  const versions = new Map<string, CompiledRule>()
  for (const part of chunks(rules))
    for (const row of await db
      .selectFrom('rule_versions')
      .select(['rule', 'version', 'hash', 'body'])
      .where('rule', 'in', part)
      .execute())
      versions.set(`${row.rule}@${row.version}`, compiledOf(row.hash, row.body))
  return versions
}
