/**
 * What is told about a person: simplified or complete (LGPD art. 19), with origin per field, criteria, purposes,
 * recipients with first and last time, decisions, answers and the texts they rest on.
 */

import { RIGHT_RULES } from '../../consent/requests/rights.ts'
import { type PurposeStatus, statusAt } from '../../consent/status.ts'
import { BASES, type Basis } from '../../schemas/consent.ts'
import type { OpenProfile, SealedTraits } from '../../schemas/profile.ts'
import type { ErasedItem, KeptItem, RequestRecipient, Right } from '../../schemas/requests.ts'
import { decidedOf } from '../explain/stored.ts'
import type { Keys } from '../keys.ts'
import { consentFacts } from '../ledger/prove.ts'
import { findEntries } from '../ledger/rows.ts'
import { isShredded } from '../ledger/shred.ts'
import { unsealJson } from '../seal.ts'
import type { SealedEvent } from '../stages/apply.ts'
import { chunks, type Db } from '../stores/open.ts'
import type { KnownPeople } from './people.ts'
import type { RequestSettings } from './settings.ts'

interface Words {
  readonly pt: string
  readonly en: string
}

export type StatementPart = 'purposes' | 'categories' | 'recipients' | 'data' | 'decisions' | 'consents' | 'outcome'

export interface StatementRecipient {
  readonly id: string
  readonly name: string
  readonly role: 'operator' | 'controller'
  readonly country: string | null
  readonly purposes: readonly string[]
  readonly firstAt: number
  readonly lastAt: number
}

export interface Statement {
  readonly requestId: string
  readonly right: Right
  readonly article: string
  readonly title: Words
  readonly language: 'pt' | 'en'
  readonly timezone: string
  readonly organization: string
  readonly dpo: { readonly name: string; readonly email: string } | undefined
  readonly simulated: boolean
  readonly at: number
  readonly parts: readonly StatementPart[]
  readonly nothingHeld: boolean
  readonly purposes: readonly {
    readonly id: string
    readonly title: Words
    readonly basis: Basis
    readonly article: string
    readonly status: string
    readonly refusal: Words
  }[]
  readonly categories: readonly { readonly title: Words; readonly count: number; readonly origins: readonly string[] }[]
  readonly recipients: readonly StatementRecipient[]
  readonly fields: readonly {
    readonly path: string
    readonly value: unknown
    readonly origin: string
    readonly at: number
    readonly purposes: readonly string[]
  }[]
  readonly events: readonly {
    readonly id: string
    readonly at: number
    readonly name: string
    readonly origin: string
    readonly content: unknown
    readonly purposes: readonly string[]
  }[]
  readonly decisions: readonly {
    readonly at: number
    readonly rule: string
    readonly version: number
    readonly result: string
    readonly criteria: Words
  }[]
  readonly consents: readonly {
    readonly entryId: string
    readonly at: number
    readonly purpose: string
    readonly status: string
    readonly origin: string
    readonly notice: { readonly id: string; readonly version: number } | null
  }[]
  readonly notices: readonly { readonly id: string; readonly version: number; readonly text: string }[]
  readonly erased: readonly ErasedItem[]
  readonly kept: readonly KeptItem[]
  readonly receipts: readonly RequestRecipient[]
}

const ROMAN = ['I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX', 'X']
export const basisArticle = (basis: Basis): string => `art. 7 ${ROMAN[BASES.indexOf(basis)]}`

/** Art. 18 VIII: that it may be refused, and what follows. */
export function refusalWords(basis: Basis): Words {
  switch (basis) {
    case 'consent':
      return {
        pt: 'Você pode negar ou revogar: só esta finalidade deixa de acontecer.',
        en: 'You may refuse or revoke: only this purpose stops.',
      }
    case 'legitimate_interest':
      return { pt: 'Você pode se opor (art. 18, §2º): o uso para.', en: 'You may object (art. 18 §2): the use stops.' }
    case 'contract':
      return {
        pt: 'Sem estes dados o contrato que você pediu não pode ser cumprido.',
        en: 'Without these data the contract you asked for cannot be performed.',
      }
    default:
      return {
        pt: 'Não depende da sua autorização: a lei o prevê.',
        en: 'Does not depend on your permission: the law provides for it.',
      }
  }
}

const COMPLETE: readonly StatementPart[] = ['categories', 'purposes', 'recipients', 'data', 'decisions', 'consents']
export const PARTS: Readonly<Record<Right, readonly StatementPart[]>> = {
  confirmation: ['categories', 'purposes', 'recipients'],
  access: COMPLETE,
  // Art. 18 V leaves trade secrets out: no decisions and nothing the hub inferred.
  portability: ['data', 'consents'],
  sharing: ['recipients'],
  consent_information: ['purposes'],
  correction: ['outcome'],
  restriction: ['outcome'],
  erasure: ['outcome'],
  revocation: ['purposes', 'outcome'],
  opposition: ['purposes', 'outcome'],
  review: ['decisions'],
}

export interface StatementInput {
  readonly requestId: string
  readonly right: Right
  readonly simplified: boolean
  readonly language: 'pt' | 'en'
  readonly people: KnownPeople | undefined
  readonly nothingHeld: boolean
  readonly erased?: readonly ErasedItem[]
  readonly kept?: readonly KeptItem[]
  readonly receipts?: readonly RequestRecipient[]
}

export async function readStatement(
  input: StatementInput,
  settings: RequestSettings,
  { db, keys, now }: { readonly db: Db; readonly keys: Keys; readonly now: number },
): Promise<Statement> {
  const { people, right } = input
  const parts = input.simplified ? PARTS.confirmation : PARTS[right]
  const nodes = people?.nodes ?? []
  const nodeIds = nodes.map(({ id }) => id)
  const full = parts.includes('data')
  const events: Statement['events'][number][] = []
  const origins = new Map<string, Set<string>>()
  const counts = new Map<string, number>()
  const originOf = new Map<string, { origin: string; at: number }>()
  const seen = (category: string, origin: string) => {
    counts.set(category, (counts.get(category) ?? 0) + 1)
    const list = origins.get(category) ?? new Set()
    origins.set(category, list.add(origin))
  }
  const byNode = new Map(nodes.map((node) => [node.id, node]))
  for (const part of chunks(nodeIds))
    for (const row of await db
      .selectFrom('history')
      .selectAll()
      .where('node_id', 'in', part)
      .orderBy('occurred_at')
      .execute()) {
      const node = byNode.get(row.node_id)
      const origin = `${row.source_id} (${row.connector})`
      seen(row.type === 'identify' ? 'identify' : 'events', origin)
      if (!full || !node || isShredded(node.dataKey)) continue
      const sealed = unsealJson<SealedEvent>(keys.unwrap(node.dataKey), row.sealed)
      for (const path of Object.keys(sealed.traits)) originOf.set(path, { origin, at: row.occurred_at })
      for (const { type } of sealed.identifiers)
        if (!originOf.has(type)) originOf.set(type, { origin, at: row.occurred_at })
      events.push({
        id: row.id,
        at: row.occurred_at,
        name: row.type === 'track' ? row.name : `${row.type} ${row.name}`.trim(),
        origin,
        content: {
          properties: sealed.properties,
          ...(Object.keys(sealed.traits).length > 0 && { traits: sealed.traits }),
          ...(Object.keys(sealed.context).length > 0 && { context: sealed.context }),
        },
        purposes: JSON.parse(row.purposes) as string[],
      })
    }
  const recipients = await readRecipients(nodeIds, settings, db)
  const consents = parts.includes('consents') ? await readConsents(nodeIds, db, keys) : []
  const fields = full ? await readFields(people, originOf, db, keys) : []
  const contacts = nodes.filter(({ value }) => value !== undefined).length
  return {
    requestId: input.requestId,
    right,
    article: RIGHT_RULES[right].article,
    title: RIGHT_RULES[right].title,
    language: input.language,
    timezone: settings.clocks.timezone,
    organization: settings.organization.name,
    dpo: settings.organization.dpo,
    simulated: settings.simulated,
    at: now,
    parts,
    nothingHeld: input.nothingHeld,
    purposes: parts.includes('purposes') ? await readPurposes(nodeIds, settings, db, now) : [],
    categories: [
      ...(contacts > 0
        ? [
            {
              title: { pt: 'Contatos e identificadores', en: 'Contacts and identifiers' },
              count: contacts,
              origins: [...new Set([...origins.values()].flatMap((set) => [...set]))],
            },
          ]
        : []),
      ...[...counts].map(([category, count]) => ({
        title:
          category === 'identify'
            ? { pt: 'Cadastro e características', en: 'Profile and traits' }
            : { pt: 'Navegação, compras e outros acontecimentos', en: 'Visits, purchases and other events' },
        count,
        origins: [...(origins.get(category) ?? [])],
      })),
    ],
    recipients,
    fields,
    events,
    decisions: parts.includes('decisions') ? await readDecisions(people?.personIds ?? [], db) : [],
    consents,
    notices: noticesOf(consents, settings),
    erased: input.erased ?? [],
    kept: input.kept ?? [],
    receipts: input.receipts ?? [],
  }
}

async function readPurposes(
  nodeIds: readonly string[],
  settings: RequestSettings,
  db: Db,
  now: number,
): Promise<Statement['purposes']> {
  const statuses = new Map<string, { status: string; at: number }>()
  const at = new Date(now).toISOString()
  for (const part of chunks(nodeIds))
    for (const row of await db.selectFrom('consent_status').selectAll().where('node_id', 'in', part).execute()) {
      const known = statuses.get(row.purpose)
      if (!known || known.at < row.updated_at)
        statuses.set(row.purpose, { status: statusAt(JSON.parse(row.body) as PurposeStatus, at), at: row.updated_at })
    }
  return settings.purposes.all.map(({ id, title, basis }) => ({
    id,
    title,
    basis,
    article: basisArticle(basis),
    status: statuses.get(id)?.status ?? 'unknown',
    refusal: refusalWords(basis),
  }))
}

/** Whom data went to, as the deliveries show. */
export async function readRecipients(
  nodeIds: readonly string[],
  settings: RequestSettings,
  db: Db,
): Promise<StatementRecipient[]> {
  const found = new Map<string, { purposes: Set<string>; firstAt: number; lastAt: number }>()
  for (const part of chunks(nodeIds))
    for (const row of await db
      .selectFrom('deliveries')
      .select(['destination', 'purpose', 'settled_at', 'created_at'])
      .where('node_id', 'in', part)
      .where('arm', '=', 'treated')
      // What may have arrived counts as arrived.
      .where('status', 'in', ['delivered', 'uncertain', 'attempted'])
      .execute()) {
      const at = row.settled_at ?? row.created_at
      const known = found.get(row.destination) ?? { purposes: new Set<string>(), firstAt: at, lastAt: at }
      known.purposes.add(row.purpose)
      known.firstAt = Math.min(known.firstAt, at)
      known.lastAt = Math.max(known.lastAt, at)
      found.set(row.destination, known)
    }
  return [...found].map(([id, { purposes, firstAt, lastAt }]) => {
    const destination = settings.destinations.get(id)
    return {
      id,
      name: destination ? `${destination.name} (${id})` : id,
      role: destination?.role ?? 'operator',
      country: destination?.country ?? null,
      purposes: [...purposes].map((purpose) => settings.purposes.get(purpose)?.title.pt ?? purpose),
      firstAt,
      lastAt,
    }
  })
}

async function readConsents(nodeIds: readonly string[], db: Db, keys: Keys): Promise<Statement['consents']> {
  const ids: string[] = []
  for (const part of chunks(nodeIds)) {
    for (const table of ['ledger_entries', 'ledger_pending'] as const)
      for (const row of await db.selectFrom(table).select('id').where('node_id', 'in', part).execute()) ids.push(row.id)
  }
  const entries = await findEntries(db, ids)
  const found: Statement['consents'][number][] = []
  for (const entry of entries) {
    const { source, status, notice } = await consentFacts(db, entry, keys)
    found.push({
      entryId: entry.id,
      at: entry.at,
      purpose: entry.purpose,
      status: status ?? 'unknown',
      origin: source,
      notice: notice ? { id: notice.id, version: notice.version } : null,
    })
  }
  return found.sort((a, b) => a.at - b.at)
}

async function readFields(
  people: KnownPeople | undefined,
  originOf: ReadonlyMap<string, { origin: string; at: number }>,
  db: Db,
  keys: Keys,
): Promise<Statement['fields']> {
  const fields: Statement['fields'][number][] = []
  for (const node of people?.nodes ?? []) {
    if (node.value !== undefined)
      fields.push({
        path: node.type,
        value: node.value,
        origin: originOf.get(node.type)?.origin ?? 'hub',
        at: node.firstSeenAt,
        purposes: [],
      })
    if (isShredded(node.dataKey)) continue
    const row = await db.selectFrom('node_traits').select('sealed').where('node_id', '=', node.id).executeTakeFirst()
    if (!row) continue
    const { traits } = unsealJson<SealedTraits>(keys.unwrap(node.dataKey), row.sealed)
    for (const [path, trait] of Object.entries(traits))
      fields.push({
        path,
        value: trait.value,
        origin: originOf.get(path.split('.')[0] ?? path)?.origin ?? 'hub',
        at: Date.parse(trait.at),
        purposes: trait.purposes,
      })
  }
  for (const id of people?.personIds ?? []) {
    const row = await db
      .selectFrom('persons')
      .select('profile')
      .where('id', '=', id)
      .where('merged_into', 'is', null)
      .executeTakeFirst()
    if (!row) continue
    const profile = JSON.parse(row.profile) as OpenProfile
    for (const [path, trait] of Object.entries(profile.traits))
      fields.push({
        path,
        value: trait.value,
        origin: originOf.get(path.split('.')[0] ?? path)?.origin ?? 'hub',
        at: Date.parse(trait.at),
        purposes: trait.purposes,
      })
    if (profile.cart)
      fields.push({
        path: 'cart',
        value: profile.cart,
        origin: 'hub',
        at: Date.parse(profile.cart.updatedAt),
        purposes: profile.cart.purposes ?? [],
      })
  }
  return fields
}

async function readDecisions(personIds: readonly string[], db: Db): Promise<Statement['decisions']> {
  const found: Statement['decisions'][number][] = []
  for (const { at, rule, version, result, clauses } of await decidedOf(personIds, db))
    found.push({
      at: Date.parse(at),
      rule,
      version,
      result,
      criteria: {
        pt: clauses.map(({ pt, ok }) => `${ok ? '✓' : '✗'} ${pt}`).join('; '),
        en: clauses.map(({ clause, ok }) => `${ok ? '✓' : '✗'} ${clause}`).join('; '),
      },
    })
  return found
}

function noticesOf(consents: Statement['consents'], settings: RequestSettings): Statement['notices'] {
  const wanted = new Map(consents.flatMap(({ notice }) => (notice ? [[`${notice.id} ${notice.version}`, notice]] : [])))
  return [...wanted.values()].flatMap(({ id, version }) => {
    const text = settings.notices?.[id]?.find((one) => one.version === version)?.text
    return text === undefined ? [] : [{ id, version, text }]
  })
}
