/** What was seen of each purpose lately: volumes from the open columns, fields from a sample that is opened and forgotten. */
import { sql } from 'kysely'
import type { Purposes } from '../../consent/purposes.ts'
import type { Observed, ObservedDeliveries, ObservedEvents } from '../../consent/reports/ropa.ts'
import type { Keys } from '../keys.ts'
import { isShredded } from '../ledger/shred.ts'
import { narrowEvent } from '../retention/ended.ts'
import { unsealJson } from '../seal.ts'
import type { SealedEvent } from '../stages/apply.ts'
import type { Db } from '../stores/open.ts'
import { type Found, findingsIn } from './plain-values.ts'

/** How far back traffic is looked at. */
export const OBSERVED_MS = 90 * 86_400_000
/** Newest rows that are opened to see which fields they hold. */
const SAMPLE = 2000

export interface Sampled {
  readonly fields: ReadonlyMap<string, ReadonlySet<string>>
  /** Kind of event and path that its purposes do not declare -> how often. */
  readonly outside: ReadonlyMap<string, number>
  /** Personal or sensitive values in fields that are not for them. */
  readonly values: readonly Found[]
}

export async function observe(db: Db, now: number, fields: Observed['fields']): Promise<Observed> {
  const since = now - OBSERVED_MS
  const events = await sql<{
    purposes: string
    name: string
    source: string
    events: number
    first: number
    last: number
  }>`
    select h.purposes, case when h.type = 'track' then h.name else h.type end as name, h.source_id as source,
      count(*) as events, min(h.occurred_at) as first, max(h.occurred_at) as last
    from history h where h.occurred_at >= ${since}
    group by h.purposes, case when h.type = 'track' then h.name else h.type end, h.source_id
  `.execute(db)
  const people = new Map<string, number>()
  for (const id of new Set(events.rows.flatMap(({ purposes }) => JSON.parse(purposes) as string[]))) {
    const { rows } = await sql<{ n: number }>`
      select count(distinct n.person_id) as n from history h join nodes n on n.id = h.node_id
      where h.occurred_at >= ${since} and h.purposes like ${`%"${id}"%`}
    `.execute(db)
    people.set(id, Number(rows[0]!.n))
  }
  const deliveries = await sql<{
    destination: string
    purpose: string
    delivered: number
    blocked: number
    first: number
    last: number
  }>`
    select destination, purpose, sum(case when status = 'delivered' then 1 else 0 end) as delivered,
      sum(case when status = 'blocked' then 1 else 0 end) as blocked, min(settled_at) as first, max(settled_at) as last
    from deliveries where settled_at >= ${since} group by destination, purpose
  `.execute(db)
  return {
    events: events.rows.map(
      (row): ObservedEvents => ({
        purposes: JSON.parse(row.purposes) as string[],
        name: row.name,
        source: row.source,
        events: Number(row.events),
        firstAt: Number(row.first),
        lastAt: Number(row.last),
      }),
    ),
    deliveries: deliveries.rows.map(
      (row): ObservedDeliveries => ({
        destination: row.destination,
        purpose: row.purpose,
        delivered: Number(row.delivered),
        blocked: Number(row.blocked),
        firstAt: Number(row.first),
        lastAt: Number(row.last),
      }),
    ),
    people,
    fields,
  }
}

export async function sampleFields(db: Db, keys: Keys, purposes: Purposes): Promise<Sampled> {
  const rows = await db
    .selectFrom('history')
    .innerJoin('nodes', 'nodes.id', 'history.node_id')
    .select(['history.type', 'history.name', 'history.purposes', 'history.sealed', 'nodes.data_key'])
    .orderBy('history.occurred_at', 'desc')
    .limit(SAMPLE)
    .execute()
  const fields = new Map<string, Set<string>>()
  const outside = new Map<string, number>()
  const values = new Map<string, Found>()
  for (const row of rows) {
    if (isShredded(row.data_key)) continue
    const sealed = unsealJson<SealedEvent>(keys.unwrap(row.data_key), row.sealed)
    const named = JSON.parse(row.purposes) as string[]
    const carriers = named.flatMap((id) => purposes.get(id) ?? [])
    const kind = row.type === 'track' ? row.name : row.type
    const found = pathsOf(sealed)
    for (const id of named) {
      const of = fields.get(id) ?? new Set()
      for (const path of found) of.add(path)
      fields.set(id, of)
    }
    const declared = new Set(pathsOf(narrowEvent(sealed, row, carriers)))
    for (const path of found) if (!declared.has(path)) count(outside, `${kind} ${path}`)
    for (const seen of findingsIn({ properties: sealed.properties, traits: sealed.traits, context: sealed.context })) {
      const key = `${kind} ${seen.path} ${seen.what}`
      const known = values.get(key)
      values.set(key, { ...seen, path: `${kind} ${seen.path}`, count: (known?.count ?? 0) + seen.count })
    }
  }
  return { fields, outside, values: [...values.values()] }
}

function count(into: Map<string, number>, key: string): void {
  into.set(key, (into.get(key) ?? 0) + 1)
}

/** Dotted paths, lists as `*`. */
function pathsOf({ traits, properties, context }: Pick<SealedEvent, 'traits' | 'properties' | 'context'>): string[] {
  const found = new Set<string>()
  const walk = (value: unknown, path: string) => {
    if (Array.isArray(value)) for (const item of value) walk(item, `${path}.*`)
    else if (value !== null && typeof value === 'object')
      for (const [key, inner] of Object.entries(value)) walk(inner, `${path}.${key}`)
    else found.add(path)
  }
  walk(traits, 'traits')
  walk(properties, 'properties')
  walk(context, 'context')
  return [...found]
}
