/** What the answers of one person or device add up to: now from the state, at a moment from the ledger. */
import { fenceBlocks } from '../../consent/fence.ts'
import type { ConsentFacts, PublicEntry } from '../../consent/ledger/entry.ts'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { standing } from '../../consent/signals.ts'
import {
  applySignal,
  conflictStatus,
  isNoted,
  type LedgerEntryDraft,
  mergeStatuses,
  type PurposeStatus,
  statusAt,
} from '../../consent/status.ts'
import type { ConsentSignal, PurposeAnswer } from '../../schemas/consent.ts'
import { DEVICE_IDENTIFIER_TYPES, type Identifier } from '../../schemas/event.ts'
import type { Keys } from '../keys.ts'
import type { Fence, LogReader } from '../log/event-log.ts'
import { unseal } from '../seal.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { personStatus } from '../stages/identify.ts'
import type { NodeState, PersonState } from '../stages/people.ts'
import { chunks, type StateStore } from '../stores/open.ts'

export interface StatusPorts {
  readonly state: StateStore
  readonly keys: Keys
  readonly purposes: Purposes
  /** Absent: withdrawals that are still being processed are not known here. */
  readonly fencesFor?: LogReader['fencesFor']
}

export interface FoundSubject {
  /** Those the identifiers lead to; usually one. */
  readonly people: readonly PersonState[]
  /** The node that stands for the device, as the pipeline chooses it. */
  readonly device: NodeState | undefined
  readonly batch: Batch
  readonly fences: readonly Pick<Fence, 'purposes'>[]
}

/** @param now epoch milliseconds. */
export async function findSubject(
  identifiers: readonly Identifier[],
  now: number,
  ports: Pick<StatusPorts, 'state' | 'keys' | 'fencesFor'>,
): Promise<FoundSubject> {
  return (await findSubjects([identifiers], now, ports))[0]!
}

/** Many at once, with the queries of one. */
export async function findSubjects(
  named: readonly (readonly Identifier[])[],
  now: number,
  { state, keys, fencesFor }: Pick<StatusPorts, 'state' | 'keys' | 'fencesFor'>,
): Promise<FoundSubject[]> {
  const batch = new Batch(now, keys)
  const hmacs = named.map((identifiers) => identifiers.map(({ type, value }) => keys.identifier(type, value)))
  await loadPeople(batch, state, hmacs.flat())
  return named.map((identifiers, index) => {
    const nodes = hmacs[index]!.map((hmac) => batch.nodes.get(hmac.toString('hex')))
    const people = [...new Set(nodes.flatMap((node) => (node ? [batch.person(node.personId)] : [])))]
    const deviceAt = identifiers.findIndex(({ type }) => DEVICE_IDENTIFIER_TYPES.includes(type))
    const all = new Set([
      ...hmacs[index]!.map((hmac) => hmac.toString('hex')),
      ...people.flatMap((person) => person.nodes.map((node) => node.hmac)),
    ])
    return {
      people,
      device: nodes[Math.max(0, deviceAt)],
      batch,
      fences: fencesFor?.([...all].map((hmac) => Buffer.from(hmac, 'hex'))) ?? [],
    }
  })
}

export function statusOf({ people, device, batch }: FoundSubject, { id, scope }: Purpose): PurposeStatus | undefined {
  if (scope === 'device') return device && batch.statuses.get(device.id)?.get(id)?.status
  let status: PurposeStatus | undefined
  for (const { nodes } of people) status = mergeStatuses(status, personStatus(nodes, id, batch)?.row.status)
  return status
}

/** @param now epoch milliseconds. */
export async function statusNow(
  identifiers: readonly Identifier[],
  now: number,
  ports: StatusPorts,
): Promise<PurposeAnswer[]> {
  const subject = await findSubject(identifiers, now, ports)
  return ports.purposes.all.map((purpose) =>
    answerOf(purpose, statusOf(subject, purpose), new Date(now).toISOString(), subject.fences),
  )
}

export function answerOf(
  purpose: Purpose,
  current: PurposeStatus | undefined,
  at: string,
  fences: readonly Pick<Fence, 'purposes'>[] = [],
): PurposeAnswer {
  const pending = fenceBlocks(
    fences.map(({ purposes }) => ({ purposes: purposes.includes('*') ? ('*' as const) : purposes })),
    purpose.id,
  )
  return {
    purpose: purpose.id,
    title: purpose.title,
    basis: purpose.basis,
    scope: purpose.scope,
    status: standing(purpose, current, at).status,
    since: current?.occurredAt ?? null,
    entryId: current?.entryId ?? null,
    notice: current?.notice ?? null,
    expiresAt: current?.expiresAt ?? null,
    pending,
  }
}

// ---------------------------------------------------------------- at a moment

/** One entry about a person, as it was written. `draft` is undefined once its proof key was destroyed. */
export interface PastEntry {
  readonly id: string
  readonly nodeId: string
  readonly purpose: string
  readonly at: number
  readonly entry: PublicEntry
  readonly draft: LedgerEntryDraft | undefined
  readonly identifiers: readonly Identifier[]
}

/** Every entry of these nodes, in the order they were written. */
export async function entriesOf(
  nodes: readonly Pick<NodeState, 'id' | 'proofKey'>[],
  { state, keys }: Pick<StatusPorts, 'state' | 'keys'>,
): Promise<PastEntry[]> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const found: PastEntry[] = []
  for (const part of chunks([...byId.keys()])) {
    const pending = await state.db
      .selectFrom('ledger_pending')
      .select(['id', 'node_id', 'purpose', 'at', 'public as bytes', 'sealed'])
      .where('node_id', 'in', part)
      .execute()
    const numbered = await state.db
      .selectFrom('ledger_entries')
      .leftJoin('ledger_payloads', 'ledger_payloads.id', 'ledger_entries.id')
      .select([
        'ledger_entries.id',
        'ledger_entries.node_id',
        'ledger_entries.purpose',
        'ledger_entries.at',
        'ledger_entries.bytes',
        'ledger_payloads.sealed',
      ])
      .where('ledger_entries.node_id', 'in', part)
      .execute()
    // One that got its number in between is there twice.
    const rows = new Map([...pending, ...numbered].map((row) => [row.id, row]))
    for (const row of rows.values()) {
      const entry = JSON.parse(row.bytes) as PublicEntry
      const opened = openedPayload(row.sealed, byId.get(row.node_id)?.proofKey, keys)
      found.push({
        id: row.id,
        nodeId: row.node_id,
        purpose: row.purpose,
        at: row.at,
        entry,
        draft: opened && draftOf(entry, row.purpose, opened),
        identifiers: opened?.identifiers ?? [],
      })
    }
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1))
}

interface Payload
  extends Pick<LedgerEntryDraft, 'action' | 'scope' | 'evidence' | 'origin' | 'occurredAt' | 'receivedAt'> {
  readonly facts?: ConsentFacts
  readonly identifiers: readonly Identifier[]
  readonly ends?: string
  readonly verified?: true
}

function openedPayload(sealed: Uint8Array | null, proofKey: Uint8Array | undefined, keys: Keys): Payload | undefined {
  if (!sealed || !proofKey || proofKey.length === 0) return undefined
  try {
    // The first 32 bytes are the salt of the commitment.
    return JSON.parse(unseal(keys.unwrap(proofKey), sealed).subarray(32).toString('utf8')) as Payload
  } catch {
    return undefined
  }
}

function draftOf(entry: PublicEntry, purpose: string, payload: Payload): LedgerEntryDraft | undefined {
  const facts = payload.facts ?? (entry as PublicEntry & ConsentFacts)
  if (!facts.type.startsWith('consent')) return undefined
  return {
    id: entry.id,
    effect: facts.type === 'consent.record' ? 'record' : 'status',
    purpose,
    scope: payload.scope,
    action: payload.action,
    status: facts.status as LedgerEntryDraft['status'],
    basis: facts.basis as LedgerEntryDraft['basis'],
    actor: entry.actor_kind as LedgerEntryDraft['actor'],
    evidenceClass: facts.evidence_class ?? 'valid',
    evidence: payload.evidence,
    ...(facts.notice && { notice: facts.notice }),
    origin: payload.origin,
    occurredAt: payload.occurredAt,
    receivedAt: payload.receivedAt,
    ...(facts.expires_at !== undefined && { expiresAt: facts.expires_at }),
    ...(payload.ends !== undefined && { ends: payload.ends }),
    ...(payload.verified && { verified: true as const }),
  }
}

/**
 * The status of a person at a moment, folded from what was received by then; people who were two at that
 * moment are folded apart and joined where they were joined.
 * @param asOf ISO 8601.
 */
export async function statusAsOf(
  subject: FoundSubject,
  purposes: readonly Purpose[],
  asOf: string,
  ports: StatusPorts,
): Promise<Map<string, PurposeStatus | undefined>> {
  const until = Date.parse(asOf)
  const nodes = [
    ...new Set([...subject.people.flatMap((person) => person.nodes), ...(subject.device ? [subject.device] : [])]),
  ]
  const entries = (await entriesOf(nodes, ports)).filter(({ at }) => at <= until)
  const merges = await mergesOf(
    nodes.map(({ id }) => id),
    until,
    ports.state,
  )
  const found = new Map<string, PurposeStatus | undefined>()
  for (const purpose of purposes) {
    const mine = entries.filter((entry) => entry.purpose === purpose.id)
    const current =
      purpose.scope === 'device'
        ? fold(
            mine.filter(({ nodeId }) => nodeId === subject.device?.id),
            () => 'device',
            [],
          )
        : fold(mine, merges.personOf, merges.joins)
    const status = current && statusAt(current, asOf)
    found.set(purpose.id, current && status !== current.status ? { ...current, status: status! } : current)
  }
  return found
}

interface Join {
  readonly id: string
  readonly from: string
  readonly into: string
}

function fold(
  entries: readonly PastEntry[],
  personOf: (nodeId: string) => string,
  joins: readonly Join[],
): PurposeStatus | undefined {
  const byPerson = new Map<string, PurposeStatus>()
  const moved = new Map<string, string>()
  const now = (person: string) => {
    let id = person
    while (moved.has(id)) id = moved.get(id)!
    return id
  }
  const steps = [...entries.map((entry) => ({ id: entry.id, entry })), ...joins.map((join) => ({ id: join.id, join }))]
  for (const step of steps.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    if ('join' in step) {
      const [from, into] = [now(step.join.from), now(step.join.into)]
      if (from === into) continue
      const merged = mergeStatuses(byPerson.get(into), byPerson.get(from))
      moved.set(from, into)
      if (merged) byPerson.set(into, merged)
      continue
    }
    const { draft, id } = step.entry
    if (!draft) continue
    const person = now(personOf(step.entry.nodeId))
    if (isNoted(draft)) {
      byPerson.set(person, conflictStatus(draft))
      continue
    }
    const { next } = applySignal(
      byPerson.get(person),
      { ...draft, action: draft.action as ConsentSignal['action'] },
      {
        receivedAt: draft.receivedAt,
        newId: () => id,
        ends: draft.ends,
        verified: draft.verified,
      },
    )
    byPerson.set(person, next)
  }
  let status: PurposeStatus | undefined
  for (const [person, one] of byPerson) if (!moved.has(person)) status = mergeStatuses(status, one)
  return status
}

/** How the nodes of a person came together. A node that no merge names was the person's from the beginning. */
async function mergesOf(
  nodeIds: readonly string[],
  until: number,
  { db }: StateStore,
): Promise<{ joins: Join[]; personOf: (nodeId: string) => string }> {
  const joins = new Map<string, Join>()
  const people = new Set<string>()
  for (const part of chunks(nodeIds))
    for (const row of await db
      .selectFrom('merge_log')
      .select(['id', 'from_person', 'into_person', 'at'])
      .where((eb) => eb.or([eb('from_person', 'in', part), eb('into_person', 'in', part)]))
      .execute()) {
      // A person is founded with the id of its first node (stages/identify.ts).
      people.add(row.from_person).add(row.into_person)
      if (row.at <= until) joins.set(row.id, { id: row.id, from: row.from_person, into: row.into_person })
    }
  const first = [...nodeIds].sort()[0] ?? ''
  return {
    joins: [...joins.values()],
    personOf: (nodeId) => (people.has(nodeId) ? nodeId : first),
  }
}
