/** What the hub has of a person, counted and judged: what an erasure takes, what stays and on which ground (LGPD art. 16). */

import type { Purposes } from '../../consent/purposes.ts'
import { readMoment } from '../../consent/requests/clock.ts'
import { type PurposeStatus, statusAt } from '../../consent/status.ts'
import type { ErasedItem, KeptItem, RequestScope } from '../../schemas/requests.ts'
import { countDecisions } from '../explain/stored.ts'
import type { Keys } from '../keys.ts'
import { heldPersons, holdsInForce, rangeHolds } from '../retention/holds.ts'
import { unseal } from '../seal.ts'
import { chunks, type Db } from '../stores/open.ts'
import type { KnownPeople } from './people.ts'

export interface HoldingsContext {
  readonly db: Db
  readonly keys: Keys
  readonly purposes: Purposes
  readonly timezone: string
  /** Epoch milliseconds. */
  readonly now: number
}

/** Why a row stays although the person asked otherwise. */
export interface KeepGround {
  readonly code: 'hold' | 'contract' | 'legal_obligation' | 'legal_claims'
  readonly ground: string
  readonly pt: string
  readonly en: string
}

export interface Holdings {
  /** Ids of history rows that go, and of those that stay with the ground. */
  readonly historyGone: readonly string[]
  readonly historyKept: ReadonlyMap<string, KeepGround>
  /** A hold on the person: nothing at all may go. */
  readonly personHeld: boolean
  readonly heldEvents: readonly string[]
  readonly quarantined: readonly string[]
  readonly counts: Readonly<
    Record<'traits' | 'contacts' | 'facts' | 'queued' | 'payloads' | 'decisions' | 'timers', number>
  >
  readonly deliveries: number
  readonly proofs: number
  readonly blocked: number
  readonly accesses: number
}

const GROUNDS: Readonly<Record<KeepGround['code'], KeepGround>> = {
  hold: {
    code: 'hold',
    ground: 'art. 7 VI, art. 16 I',
    pt: 'há ordem de guarda por processo em curso',
    en: 'there is a legal hold for a proceeding',
  },
  contract: {
    code: 'contract',
    ground: 'art. 7 V (fora do alcance do art. 18 VI)',
    pt: 'pertencem a um contrato em vigor, que não depende de consentimento',
    en: 'they belong to a contract in force, which does not rest on consent',
  },
  legal_obligation: {
    code: 'legal_obligation',
    ground: 'art. 16 I',
    pt: 'a lei obriga a guardar',
    en: 'the law has them kept',
  },
  legal_claims: {
    code: 'legal_claims',
    ground: 'art. 7 VI, art. 16 I',
    pt: 'são necessários em processo',
    en: 'they are needed in proceedings',
  },
}

/** @param scope of art. 18 IV: only these purposes, events and times; everything when empty. */
export async function readHoldings(
  people: KnownPeople | undefined,
  identifierHmacs: readonly Uint8Array[],
  values: readonly string[],
  scope: RequestScope,
  context: HoldingsContext,
): Promise<Holdings> {
  const { db } = context
  const nodeIds = (people?.nodes ?? []).map(({ id }) => id)
  const personIds = people?.personIds ?? []
  const contract = await contractsInForce(nodeIds, context)
  const holds = await holdsInForce(db)
  const historyGone: string[] = []
  const historyKept = new Map<string, KeepGround>()
  const inScope = scopeTest(scope, context.timezone)
  for (const part of chunks(nodeIds))
    for (const row of await db
      .selectFrom('history')
      .select(['id', 'name', 'type', 'purposes', 'occurred_at'])
      .where('node_id', 'in', part)
      .execute()) {
      const purposes = JSON.parse(row.purposes) as string[]
      if (!inScope({ purposes, name: row.type === 'track' ? row.name : row.type, at: row.occurred_at })) continue
      const ground = rangeHolds(holds, 'history', row.occurred_at)
        ? GROUNDS.hold
        : groundOf(purposes, contract, context.purposes)
      if (ground) historyKept.set(row.id, ground)
      else historyGone.push(row.id)
    }
  const count = async (table: 'node_traits' | 'facts' | 'blocked' | 'ledger_payloads' | 'ledger_pending') => {
    let total = 0
    for (const part of chunks(nodeIds))
      total += Number(
        (
          await db
            .selectFrom(table)
            .select((eb) => eb.fn.countAll().as('n'))
            .where('node_id', 'in', part)
            .executeTakeFirstOrThrow()
        ).n,
      )
    return total
  }
  const countOfPeople = async (table: 'wakeups') => {
    let total = 0
    for (const part of chunks(personIds))
      total += Number(
        (
          await db
            .selectFrom(table)
            .select((eb) => eb.fn.countAll().as('n'))
            .where('person_id', 'in', part)
            .executeTakeFirstOrThrow()
        ).n,
      )
    return total
  }
  let queued = 0
  let payloads = 0
  let deliveries = 0
  for (const part of chunks(nodeIds))
    for (const row of await db
      .selectFrom('deliveries')
      .select(['settled_at'])
      .select((eb) => eb.or([eb('payload', 'is not', null), eb('input', 'is not', null)]).as('content'))
      .where('node_id', 'in', part)
      .execute()) {
      deliveries += 1
      if (row.settled_at === null) queued += 1
      if (row.content) payloads += 1
    }
  return {
    historyGone,
    historyKept,
    personHeld: (await heldPersons(db, personIds)).size > 0,
    heldEvents: await heldOf(identifierHmacs, db),
    quarantined: await quarantinedOf(values, context),
    counts: {
      traits: await count('node_traits'),
      contacts: (people?.nodes ?? []).filter(({ value }) => value !== undefined).length,
      facts: await count('facts'),
      queued,
      payloads,
      decisions: await countDecisions(personIds, db),
      timers: await countOfPeople('wakeups'),
    },
    deliveries,
    proofs: (await count('ledger_payloads')) + (await count('ledger_pending')),
    blocked: await count('blocked'),
    accesses: personIds.length === 0 ? 0 : await accessesOf(personIds, db),
  }
}

export const holdsNothing = (holdings: Holdings): boolean =>
  holdings.historyGone.length === 0 &&
  holdings.historyKept.size === 0 &&
  holdings.heldEvents.length === 0 &&
  holdings.quarantined.length === 0 &&
  holdings.deliveries === 0 &&
  holdings.blocked === 0 &&
  Object.values(holdings.counts).every((count) => count === 0)

async function accessesOf(personIds: readonly string[], db: Db): Promise<number> {
  let total = 0
  for (const part of chunks(personIds))
    total += Number(
      (
        await db
          .selectFrom('access_log')
          .select((eb) => eb.fn.countAll().as('n'))
          .where('target', 'in', part)
          .executeTakeFirstOrThrow()
      ).n,
    )
  return total
}

/** Contract purposes that are open for this person now. */
async function contractsInForce(
  nodeIds: readonly string[],
  { db, purposes, now }: HoldingsContext,
): Promise<ReadonlySet<string>> {
  const open = new Set<string>()
  const at = new Date(now).toISOString()
  for (const part of chunks(nodeIds))
    for (const row of await db
      .selectFrom('consent_status')
      .select(['purpose', 'body'])
      .where('node_id', 'in', part)
      .execute())
      if (
        purposes.get(row.purpose)?.basis === 'contract' &&
        statusAt(JSON.parse(row.body) as PurposeStatus, at) === 'granted'
      )
        open.add(row.purpose)
  return open
}

function groundOf(kept: readonly string[], contracts: ReadonlySet<string>, purposes: Purposes): KeepGround | undefined {
  for (const id of kept) {
    const basis = purposes.get(id)?.basis
    if (basis === 'legal_obligation' || basis === 'legal_claims') return GROUNDS[basis]
  }
  return kept.some((id) => contracts.has(id)) ? GROUNDS.contract : undefined
}

export function scopeTest(
  scope: RequestScope,
  timezone: string,
): (row: { readonly purposes: readonly string[]; readonly name: string; readonly at: number }) => boolean {
  const from = scope.from === undefined ? undefined : readMoment(scope.from, timezone)
  const to = scope.to === undefined ? undefined : readMoment(scope.to, timezone)
  return ({ purposes, name, at }) =>
    (scope.purposes === undefined || purposes.every((id) => scope.purposes!.includes(id))) &&
    (scope.events === undefined || scope.events.includes(name)) &&
    (from === undefined || at >= from) &&
    (to === undefined || at < to)
}

export const isScoped = (scope: RequestScope): boolean =>
  scope.purposes !== undefined || scope.events !== undefined || scope.from !== undefined || scope.to !== undefined

async function heldOf(hmacs: readonly Uint8Array[], db: Db): Promise<string[]> {
  const found = new Set<string>()
  for (const part of chunks(hmacs.map((hmac) => Buffer.from(hmac))))
    for (const row of await db.selectFrom('held_identifiers').select('held_id').where('hmac', 'in', part).execute())
      found.add(row.held_id)
  return [...found]
}

/** Shorter values would be found in everybody's text. */
const LEAST_LENGTH = 5

/**
 * Quarantined inputs are sealed and have no index: each is opened and its text searched for the person's identifiers, as they
 * were written and as JSON and addresses write them.
 */
async function quarantinedOf(values: readonly string[], { db, keys }: HoldingsContext): Promise<string[]> {
  const needles = [
    ...new Set(
      values
        .filter((value) => value.length >= LEAST_LENGTH)
        .flatMap((value) => [
          value,
          JSON.stringify(value).slice(1, -1),
          encodeURIComponent(value),
          value.replace(/^\+55/, ''),
        ])
        .map((value) => value.toLowerCase()),
    ),
  ]
  if (needles.length === 0) return []
  const found: string[] = []
  const sealKeys = new Map(
    (await db.selectFrom('seal_keys').select(['id', 'wrapped']).execute()).map(({ id, wrapped }) => [id, wrapped]),
  )
  let after = ''
  for (;;) {
    const rows = await db
      .selectFrom('quarantine')
      .select(['id', 'key_id', 'sealed'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(200)
      .execute()
    if (rows.length === 0) return found
    for (const { id, key_id, sealed } of rows) {
      const wrapped = sealKeys.get(key_id)
      if (!wrapped || sealed.length === 0) continue
      const text = unseal(keys.unwrap(wrapped), sealed).toString('utf8').toLowerCase()
      if (needles.some((needle) => text.includes(needle))) found.push(id)
    }
    after = rows.at(-1)!.id
  }
}

// ---------------------------------------------------------------- in words

export function erasedItems(holdings: Holdings, scoped: boolean): ErasedItem[] {
  const { counts } = holdings
  const item = (pt: string, en: string, count: number): ErasedItem[] => (count > 0 ? [{ what: { pt, en }, count }] : [])
  const events = item('eventos do histórico', 'events of the history', holdings.historyGone.length)
  if (scoped) return events
  return [
    ...events,
    ...item('contatos e identificadores', 'contacts and identifiers', counts.contacts),
    ...item('perfis com características', 'profiles with traits', counts.traits),
    ...item('pedidos contados', 'counted orders', counts.facts),
    ...item('entregas na fila', 'deliveries waiting', counts.queued),
    ...item('conteúdos de entregas', 'contents of deliveries', counts.payloads),
    ...item('registros de decisões', 'decision records', counts.decisions),
    ...item('temporizadores', 'timers', counts.timers),
    ...item('eventos à espera de resposta', 'events held for an answer', holdings.heldEvents.length),
    ...item('entradas em quarentena', 'quarantined inputs', holdings.quarantined.length),
  ]
}

/** Item by item with its ground: what stays, blocked and not used. */
export function keptItems(holdings: Holdings, scoped: boolean): KeptItem[] {
  const kept: KeptItem[] = []
  const byGround = new Map<KeepGround, number>()
  for (const ground of holdings.historyKept.values()) byGround.set(ground, (byGround.get(ground) ?? 0) + 1)
  for (const [{ ground, pt, en }, count] of byGround)
    kept.push({
      what: { pt: 'eventos do histórico, bloqueados', en: 'events of the history, blocked' },
      count,
      ground,
      reason: { pt, en },
      until: null,
    })
  if (scoped) return kept
  if (holdings.proofs > 0)
    kept.push({
      what: { pt: 'provas de consentimento, bloqueadas', en: 'proofs of consent, blocked' },
      count: holdings.proofs,
      ground: 'art. 7 VI, art. 8 §2, art. 16 I',
      reason: {
        pt: 'o ônus de provar o consentimento é nosso; ficam bloqueadas, sob outra chave (entendimento de doutrina, não da lei)',
        en: 'the burden of proving consent is ours; they are blocked, under another key (doctrine, not statute)',
      },
      until: { pt: 'o prazo da política de retenção', en: 'the period of the retention policy' },
    })
  if (holdings.deliveries > 0)
    kept.push({
      what: {
        pt: 'registros de entregas, sem conteúdo e sem nome',
        en: 'records of deliveries, without content or name',
      },
      count: holdings.deliveries,
      ground: 'art. 6 X, art. 16 I',
      reason: {
        pt: 'mostram a quem repassamos dados e que paramos (art. 18 §6)',
        en: 'they show whom we passed data on to and that we stopped (art. 18 §6)',
      },
      until: { pt: 'o prazo da política de retenção', en: 'the period of the retention policy' },
    })
  if (holdings.blocked > 0)
    kept.push({
      what: { pt: 'dados já bloqueados', en: 'data blocked before' },
      count: holdings.blocked,
      ground: 'art. 16 I',
      reason: { pt: 'guardados por obrigação, sem uso', en: 'kept because of a duty, not used' },
      until: { pt: 'o prazo da política de retenção', en: 'the period of the retention policy' },
    })
  if (holdings.accesses > 0)
    kept.push({
      what: { pt: 'registros de acesso aos dados', en: 'records of who looked at the data' },
      count: holdings.accesses,
      ground: 'art. 6 X; Marco Civil (Lei 12.965/2014) art. 15',
      reason: { pt: 'guarda mínima de seis meses', en: 'a minimum of six months' },
      until: { pt: 'o prazo da política de retenção', en: 'the period of the retention policy' },
    })
  return kept
}
