/**
 * What a purpose that ended leaves behind (LGPD art. 15 III, 16): consent revoked or denied, a contract over.
 * A row that other purposes still carry is narrowed to the fields they need; one that none carries goes.
 */
import { type RawBuilder, sql } from 'kysely'
import { declares, keepFields } from '../../consent/collects.ts'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { cutoffOf, EVERY, type ResolvedPolicy } from '../../consent/retention/policies.ts'
import type { PurposeStatus } from '../../consent/status.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { OpenProfile, SealedTraits } from '../../schemas/profile.ts'
import { isShredded } from '../ledger/shred.ts'
import { sealJson, unsealJson } from '../seal.ts'
import type { SealedEvent } from '../stages/apply.ts'
import { chunks } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { DueCount, DueRow, RetentionContext } from './context.ts'
import { heldPersons, holdsInForce, rangeHolds } from './holds.ts'

/** People looked at together. */
const PAGE = 100

/** One thing to do: its row, and how. */
export interface EndedRow extends DueRow {
  apply(): Promise<void>
}

interface Person {
  readonly id: string
  readonly nodes: readonly Pick<Tables['nodes'], 'id' | 'data_key'>[]
  /** node -> purpose -> how it stands. */
  readonly statuses: ReadonlyMap<string, ReadonlyMap<string, { readonly status: PurposeStatus; readonly tick: number }>>
}

/** @returns up to `limit` things due; `held` counts those that a legal hold keeps. */
export async function takeEnded(
  resolved: ResolvedPolicy,
  context: RetentionContext,
  limit = context.batchRows,
): Promise<{ readonly rows: readonly EndedRow[]; readonly held: number }> {
  const holds = await holdsInForce(context.db)
  const rows: EndedRow[] = []
  let held = 0
  let after = ''
  for (;;) {
    const page = await candidates(resolved, context, after)
    if (page.length === 0) return { rows, held }
    after = page.at(-1)!
    const kept = await heldPersons(context.db, page)
    for (const person of await loadPersons(page, context)) {
      const due =
        resolved.policy.class === 'history'
          ? await endedHistory(person, resolved, context)
          : await endedProfile(person, resolved, context)
      for (const row of due) {
        if (kept.has(person.id) || rangeHolds(holds, resolved.policy.class, row.at)) held += 1
        else rows.push(row)
      }
    }
    if (rows.length >= limit) return { rows: rows.slice(0, limit), held }
  }
}

export async function countEnded(
  resolved: ResolvedPolicy,
  context: RetentionContext,
): Promise<DueCount & { readonly rows: readonly DueRow[] }> {
  const { rows, held } = await takeEnded(resolved, context, Number.POSITIVE_INFINITY)
  return {
    count: rows.length,
    people: new Set(rows.map(({ person_id }) => person_id)).size,
    oldest: rows.length === 0 ? null : Math.min(...rows.map(({ at }) => at)),
    held,
    rows: rows.slice(0, 5),
  }
}

/** Purposes with a policy of their own are not this one's. */
function governs(resolved: ResolvedPolicy, { policies }: RetentionContext): (purpose: string) => boolean {
  const { class: kind, purpose, trigger } = resolved.policy
  if ((purpose ?? EVERY) !== EVERY) return (id) => id === purpose
  const own = new Set(
    policies
      .filter(({ policy }) => policy.class === kind && policy.trigger === trigger && policy.purpose !== undefined)
      .map(({ policy }) => policy.purpose!),
  )
  return (id) => !own.has(id)
}

const field = (name: string, { dialect }: RetentionContext): RawBuilder<string | null> =>
  dialect === 'postgres'
    ? sql<string | null>`(s.body::json ->> ${sql.lit(name)})`
    : sql<string | null>`json_extract(s.body, ${sql.lit(`$.${name}`)})`

/** People with a purpose that ended before the cutoff and something left of it. */
async function candidates(resolved: ResolvedPolicy, context: RetentionContext, after: string): Promise<string[]> {
  const before = new Date(cutoffOf(resolved.policy.period, context.asOf)).toISOString()
  const { purpose } = resolved.policy
  const mention = sql`'%"' || s.purpose || '"%'`
  const left =
    resolved.policy.class === 'history'
      ? sql`exists (select 1 from nodes m join history h on h.node_id = m.id
          where m.person_id = n.person_id and h.purposes like ${mention})`
      : sql`(exists (select 1 from persons p where p.id = n.person_id and p.profile like ${mention})
          or exists (select 1 from nodes m join node_traits x on x.node_id = m.id where m.person_id = n.person_id)
          or exists (select 1 from nodes m join identifiers x on x.node_id = m.id
            where m.person_id = n.person_id and x.sealed is not null))`
  const { rows } = await sql<{ person_id: string }>`
    select distinct n.person_id from consent_status s join nodes n on n.id = s.node_id
    where n.person_id > ${after}
    and ${(purpose ?? EVERY) === EVERY ? sql`1 = 1` : sql`s.purpose = ${purpose}`}
    and ((s.status in ('denied', 'revoked', 'expired') and ${field('receivedAt', context)} < ${before})
      or (s.status in ('granted', 'stale') and ${field('expiresAt', context)} < ${before}))
    and ${left}
    order by n.person_id limit ${PAGE}
  `.execute(context.db)
  return rows.map(({ person_id }) => person_id)
}

async function loadPersons(ids: readonly string[], { db }: RetentionContext): Promise<Person[]> {
  const nodes = await db
    .selectFrom('nodes')
    .select(['id', 'person_id', 'data_key'])
    .where('person_id', 'in', ids)
    .orderBy('id')
    .execute()
  const statuses = new Map<string, Map<string, { status: PurposeStatus; tick: number }>>()
  for (const part of chunks(nodes.map(({ id }) => id))) {
    const rows = await db
      .selectFrom('consent_status')
      .select(['node_id', 'purpose', 'body', 'updated_at'])
      .where('node_id', 'in', part)
      .execute()
    for (const { node_id, purpose, body, updated_at } of rows) {
      const of = statuses.get(node_id) ?? new Map()
      statuses.set(node_id, of.set(purpose, { status: JSON.parse(body) as PurposeStatus, tick: updated_at }))
    }
  }
  return ids.map((id) => ({ id, nodes: nodes.filter(({ person_id }) => person_id === id), statuses }))
}

/** ISO 8601, or undefined while it goes on. */
function endedAt(status: PurposeStatus | undefined): string | undefined {
  if (!status) return undefined
  if (status.status === 'denied' || status.status === 'revoked' || status.status === 'expired') return status.receivedAt
  return status.status === 'granted' || status.status === 'stale' ? status.expiresAt : undefined
}

/** @param device the node of the device where the purpose is about one; the whole person when absent. */
function hasEnded(person: Person, purpose: string, scope: Purpose['scope'], before: string, device?: string): boolean {
  const rows = person.nodes.flatMap(({ id }) => {
    const row = person.statuses.get(id)?.get(purpose)
    return row && (device === undefined || id === device) ? [row] : []
  })
  const over = ({ status }: { status: PurposeStatus }) => {
    const at = endedAt(status)
    return at !== undefined && at < before
  }
  if (rows.length === 0) return false
  // A person's word is the newest one; of several devices each has its own.
  return scope === 'person' ? over(rows.reduce((a, b) => (b.tick >= a.tick ? b : a))) : rows.every(over)
}

const scopeOf = (purposes: Purposes, id: string): Purpose['scope'] => purposes.get(id)?.scope ?? 'person'

// ---------------------------------------------------------------- history

async function endedHistory(person: Person, resolved: ResolvedPolicy, context: RetentionContext): Promise<EndedRow[]> {
  const { db, keys, purposes } = context
  const before = new Date(cutoffOf(resolved.policy.period, context.asOf)).toISOString()
  const governed = governs(resolved, context)
  const found: EndedRow[] = []
  for (const node of person.nodes) {
    const rows = await db.selectFrom('history').selectAll().where('node_id', '=', node.id).execute()
    for (const row of rows) {
      const named = JSON.parse(row.purposes) as string[]
      // Of a device's purpose only that device's answer counts; which one it was lies sealed.
      let sealed: SealedEvent | undefined
      const open = () => {
        if (!sealed && !isShredded(node.data_key))
          sealed = unsealJson<SealedEvent>(keys.unwrap(node.data_key), row.sealed)
        return sealed
      }
      const remaining = named.filter((purpose) => {
        if (!governed(purpose)) return true
        const scope = scopeOf(purposes, purpose)
        if (scope === 'person') return !hasEnded(person, purpose, scope, before)
        if (!hasEndedAnywhere(person, purpose, before)) return true
        return !hasEnded(person, purpose, scope, before, open()?.device ?? node.id)
      })
      if (remaining.length === named.length) continue
      found.push({
        id: row.id,
        node_id: node.id,
        person_id: person.id,
        at: row.occurred_at,
        async apply() {
          const event = open()
          const carriers = remaining.flatMap((id) => purposes.get(id) ?? [])
          if (carriers.length === 0 || !event) {
            await db.deleteFrom('history').where('id', '=', row.id).execute()
            return
          }
          await db
            .updateTable('history')
            .set({
              purposes: JSON.stringify(carriers.map(({ id }) => id)),
              sealed: sealJson(keys.unwrap(node.data_key), narrowEvent(event, row, carriers)),
            })
            .where('id', '=', row.id)
            .execute()
        },
      })
    }
  }
  return found
}

function hasEndedAnywhere(person: Person, purpose: string, before: string): boolean {
  return person.nodes.some(({ id }) => {
    const at = endedAt(person.statuses.get(id)?.get(purpose)?.status)
    return at !== undefined && at < before
  })
}

/** The sealed part with only what these purposes need. */
export function narrowEvent(
  sealed: SealedEvent,
  row: Pick<Tables['history'], 'type' | 'name'>,
  carriers: readonly Purpose[],
): SealedEvent {
  const kept = keepFields(
    {
      type: row.type,
      name: row.name,
      traits: sealed.traits,
      properties: sealed.properties,
      context: sealed.context,
      subject: { identifiers: sealed.identifiers },
    } as CanonicalEvent,
    carriers,
  )
  return {
    ...sealed,
    traits: kept.event.traits,
    properties: kept.event.properties,
    context: kept.event.context,
    identifiers: sealed.identifiers.filter(({ type }) => kept.sealedIdentifiers.includes(type)),
  }
}

// ---------------------------------------------------------------- profile

const CONTACTS = ['email', 'phone', 'cpf'] as const

async function endedProfile(person: Person, resolved: ResolvedPolicy, context: RetentionContext): Promise<EndedRow[]> {
  const { db, keys, purposes } = context
  const before = new Date(cutoffOf(resolved.policy.period, context.asOf)).toISOString()
  const governed = governs(resolved, context)
  const known = new Set([...person.statuses.values()].flatMap((of) => [...of.keys()]))
  const ended = new Set([...known].filter((id) => governed(id) && hasEnded(person, id, scopeOf(purposes, id), before)))
  if (ended.size === 0) return []
  const row = await db
    .selectFrom('persons')
    .select(['profile', 'updated_at'])
    .where('id', '=', person.id)
    .executeTakeFirst()
  if (!row) return []
  const profile = JSON.parse(row.profile) as OpenProfile
  const narrowed = narrowProfile(profile, ended)

  const traits: { node: string; sealed: Buffer | undefined }[] = []
  const values: Buffer[] = []
  const active = activePurposes(person, context)
  for (const node of person.nodes) {
    if (isShredded(node.data_key)) continue
    const stored = await db.selectFrom('node_traits').select('sealed').where('node_id', '=', node.id).executeTakeFirst()
    if (stored) {
      const open = unsealJson<SealedTraits>(keys.unwrap(node.data_key), stored.sealed)
      const left = Object.fromEntries(
        Object.entries(open.traits).flatMap(([path, trait]) => {
          const kept = trait.purposes.filter((id) => !ended.has(id))
          if (kept.length === 0 && trait.purposes.length > 0) return []
          return [[path, { ...trait, purposes: kept }]]
        }),
      )
      if (JSON.stringify(left) !== JSON.stringify(open.traits))
        traits.push({
          node: node.id,
          sealed: Object.keys(left).length === 0 ? undefined : sealJson(keys.unwrap(node.data_key), { traits: left }),
        })
    }
    const identifiers = await db
      .selectFrom('identifiers')
      .select(['hmac', 'type'])
      .where('node_id', '=', node.id)
      .where('sealed', 'is not', null)
      .execute()
    for (const { hmac, type } of identifiers) if (!isNeeded(type, active)) values.push(Buffer.from(hmac))
  }
  if (!narrowed && traits.length === 0 && values.length === 0) return []
  return [
    {
      id: person.id,
      node_id: person.nodes[0]?.id ?? null,
      person_id: person.id,
      at: row.updated_at,
      async apply() {
        if (narrowed)
          await db
            .updateTable('persons')
            .set({ profile: JSON.stringify(narrowed) })
            .where('id', '=', person.id)
            .execute()
        for (const { node, sealed } of traits) {
          if (sealed) await db.updateTable('node_traits').set({ sealed }).where('node_id', '=', node).execute()
          else await db.deleteFrom('node_traits').where('node_id', '=', node).execute()
        }
        for (const part of chunks(values))
          await db.updateTable('identifiers').set({ sealed: null }).where('hmac', 'in', part).execute()
      },
    },
  ]
}

/** Purposes that may still want this person's contacts: everything that has not ended for good, or never asked. */
function activePurposes(person: Person, { purposes, asOf }: RetentionContext): readonly Purpose[] {
  const now = new Date(asOf).toISOString()
  return purposes.all.filter((purpose) => {
    const rows = person.nodes.flatMap(({ id }) => person.statuses.get(id)?.get(purpose.id)?.status ?? [])
    if (rows.length === 0) return purpose.basis !== 'consent' && purpose.basis !== 'contract'
    return rows.some((status) => (endedAt(status) ?? '9') > now)
  })
}

function isNeeded(type: string, active: readonly Purpose[]): boolean {
  const contact = CONTACTS.find((name) => name === type)
  return contact ? active.some((purpose) => declares(purpose, contact)) : active.length > 0
}

/** @returns the profile without what only these purposes had collected; undefined when that is nothing. */
export function narrowProfile(profile: OpenProfile, ended: ReadonlySet<string>): OpenProfile | undefined {
  const without = (purposes: readonly string[]) => purposes.filter((id) => !ended.has(id))
  const next: OpenProfile = { ...profile, traits: {}, counters: {} }
  for (const [name, trait] of Object.entries(profile.traits)) {
    const purposes = without(trait.purposes)
    if (purposes.length > 0 || trait.purposes.length === 0) next.traits[name] = { ...trait, purposes }
  }
  for (const [purpose, counters] of Object.entries(profile.counters))
    if (!ended.has(purpose)) next.counters[purpose] = counters
  if (profile.measured)
    next.measured = Object.fromEntries(Object.entries(profile.measured).filter(([purpose]) => !ended.has(purpose)))
  if (profile.counted)
    next.counted = Object.fromEntries(Object.entries(profile.counted).filter(([purpose]) => !ended.has(purpose)))
  if (profile.cart?.purposes?.some((id) => ended.has(id))) {
    const purposes = without(profile.cart.purposes)
    if (purposes.length > 0) next.cart = { ...profile.cart, purposes }
    else delete next.cart
  }
  return JSON.stringify(next) === JSON.stringify(profile) ? undefined : next
}
