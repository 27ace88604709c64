/**
 * identify: whom an event belongs to. Resolves and plans only; `apply` founds nodes, draws edges and
 * merges people, and only for events that are kept.
 */
import { randomBytes } from 'node:crypto'
import { conflictOnMerge } from '../../consent/conflict.ts'
import type { Purposes } from '../../consent/purposes.ts'
import { mergeStatuses } from '../../consent/status.ts'
import { type CanonicalEvent, DEVICE_IDENTIFIER_TYPES, type Identifier } from '../../schemas/event.ts'
import type { EdgeStrength } from '../../schemas/identity.ts'
import { edgeKey } from '../identity/edge-memory.ts'
import { mergeProfiles } from '../identity/merge-profiles.ts'
import { resolve } from '../identity/resolve.ts'
import { bothHashes, type Snapshot } from '../identity/snapshot.ts'
import { newId } from '../ids.ts'
import { type Batch, newPerson } from './batch.ts'
import { writeEntry } from './ledger-entry.ts'
import { type NodeState, type PersonState, takeNodes } from './people.ts'
import { mergeTakesBack, withdraw, withdrawAgain } from './withdraw.ts'

export interface Named {
  readonly identifier: Identifier
  /** Hex of the HMAC. */
  readonly hmac: string
}

export interface Identified {
  readonly event: CanonicalEvent
  /** Highest priority first; the event belongs to the node of the first. */
  readonly named: readonly Named[]
  /** The identifier whose node stands for the device. */
  readonly device: Named
  /** People this event already reaches, in the order of its identifiers; their join may be refused by limits. */
  readonly people: readonly PersonState[]
  /** Identifiers that stay out of the join, with the reason. */
  readonly refused: readonly { readonly named: Named; readonly reason: string }[]
}

export function identify(event: CanonicalEvent, batch: Batch): Identified {
  const { named, blocked } = unblockedFirst(namesOf(event, batch), batch)
  const device =
    named.find(({ identifier }) => DEVICE_IDENTIFIER_TYPES.includes(identifier.type)) ??
    named.find(({ identifier }) => identifier.type === 'userId') ??
    named[0]!
  const { people, refused } = resolve(
    named.map((name) => {
      const node = batch.nodes.get(name.hmac)
      return {
        type: name.identifier.type,
        person: node && batch.person(node.personId),
        blocked: blocked?.has(name) ?? false,
      }
    }),
    batch.identity,
    batch.now,
  )
  return {
    event,
    named,
    device,
    people,
    refused: [...refused].map(([place, reason]) => ({ named: named[place]!, reason })),
  }
}

/** What joins nobody stands last: the event belongs to it only where there is nothing else. */
function unblockedFirst(
  named: readonly Named[],
  { identity, blocked }: Batch,
): { readonly named: readonly Named[]; readonly blocked?: ReadonlySet<Named> } {
  const out = named.filter(({ identifier, hmac }) => blocked.has(hmac) || identity.isBlocked(identifier))
  if (out.length === 0) return { named }
  const set = new Set(out)
  return { named: [...named.filter((name) => !set.has(name)), ...out], blocked: set }
}

/** An event is asked for its names when it is loaded and when it is processed; they are hashed once. */
const names = new WeakMap<CanonicalEvent, Named[]>()

export function namesOf(event: CanonicalEvent, batch: Pick<Batch, 'keys' | 'identity'>): Named[] {
  let found = names.get(event)
  if (!found) {
    found = hashNames(event, batch)
    names.set(event, found)
  }
  return found
}

function hashNames(event: CanonicalEvent, { keys, identity: { rank } }: Pick<Batch, 'keys' | 'identity'>): Named[] {
  const identifiers =
    event.subject.previousId === undefined
      ? event.subject.identifiers
      : [...event.subject.identifiers, { type: 'anonymousId' as const, value: event.subject.previousId }]
  return identifiers
    .map((identifier) => ({
      identifier,
      hmac: keys.identifier(identifier.type, identifier.value).toString('hex'),
    }))
    .sort((a, b) => rank[a.identifier.type] - rank[b.identifier.type])
}

/** Founds the node of one identifier, with a person of its own. */
export function foundNode(name: Named, batch: Batch, at: string): NodeState {
  const id = newId(batch.now)
  const node: NodeState = {
    id,
    personId: id,
    subject: `s_${randomBytes(16).toString('hex')}`,
    type: name.identifier.type,
    hmac: name.hmac,
    dataKey: batch.keys.create().wrapped,
    proofKey: batch.keys.create().wrapped,
    foundedAt: batch.now,
    isNew: true,
    hasValue: false,
  }
  batch.addNode(node)
  newPerson(batch, id, at).nodes.push(node)
  return node
}

/** Carries out the plan: nodes for every identifier, edges from the event's node, people joined. */
export function join(
  identified: Identified,
  batch: Batch,
  purposes: Purposes,
): { person: PersonState; node: NodeState; joined: boolean } {
  const { event, named, refused } = identified
  const outside = new Map(refused.map(({ named, reason }) => [named.hmac, reason]))
  const first = batch.nodes.get(named[0]!.hmac) ?? foundNode(named[0]!, batch, event.occurredAt)
  let joined = false
  for (const name of named.slice(1)) {
    if (name.hmac === named[0]!.hmac) continue
    const existing = batch.nodes.get(name.hmac)
    const reason = outside.get(name.hmac)
    if (reason !== undefined) {
      if (existing) edge(first, existing, event, batch, reason)
      continue
    }
    const node = existing ?? foundNode(name, batch, event.occurredAt)
    edge(first, node, event, batch, null)
    if (existing && batch.person(existing.personId) === batch.person(first.personId)) continue
    joined = true
    mergePeople(batch.person(first.personId), batch.person(node.personId), [first, node], event, batch, purposes)
  }
  return { person: batch.person(first.personId), node: first, joined }
}

/** Evidence is kept for what holds a person together, also where they were one already: it stays when other evidence goes. */
function edge(a: NodeState, b: NodeState, event: CanonicalEvent, batch: Batch, refused: string | null): void {
  const [low, high] = a.id < b.id ? [a, b] : [b, a]
  const strength: EdgeStrength = event.type === 'identify' || event.type === 'alias' ? 'stated' : 'together'
  if (batch.identity.edges.has(edgeKey(low.id, high.id, strength, refused))) return
  const pair = `${low.id}${high.id}`
  const known = batch.rows.edges.get(pair)
  // Within a batch as in the table: a join says more than a refusal, a statement more than one event.
  if (known && (refused !== null || (known[5] === null && (known[6] === 'stated' || strength === 'together')))) return
  // What joined them first stays what joined them: a replay does it at the same event.
  const [eventId, source, at] = known?.[5] === null ? known.slice(2, 5) : [event.id, event.source.id, batch.now]
  batch.rows.edges.set(pair, [low.id, high.id, eventId, source, at, refused, strength])
}

/** Two people become one under the smaller id; the other id resolves to it for ever. */
export function mergePeople(
  a: PersonState,
  b: PersonState,
  evidence: readonly [NodeState, NodeState],
  event: CanonicalEvent,
  batch: Batch,
  purposes: Purposes,
): void {
  if (a === b) return
  const [into, from] = a.id < b.id ? [a, b] : [b, a]
  const before =
    into.isNew || from.isNew ? null : bothHashes(snapshotOf(into, batch, purposes), snapshotOf(from, batch, purposes))
  mergeConsent(into, from, event, batch, purposes)
  const both = [into.profile.arms, from.profile.arms]
  into.profile = mergeProfiles(into.profile, from.profile)
  for (const [rule, arm] of Object.entries(into.profile.arms ?? {}))
    if (arm === 'multiple' && both.every((arms) => arms?.[rule] !== 'multiple'))
      batch.count(`experiment:${rule}`, 'MULTIPLE')
  into.seq = Math.max(into.seq, from.seq)
  if (from.legalHold) into.legalHold = true
  takeNodes(into, from)
  into.caps.push(...from.caps)
  into.caps.sort((x, y) => x.at - y.at)
  into.dirty = true
  batch.merged.set(from.id, into.id)
  // A person founded in this very batch leaves no trace: no row was ever written for it.
  if (from.isNew) batch.persons.delete(from.id)
  else from.dirty = true
  if (!from.isNew || !into.isNew)
    batch.rows.merges.push([
      newId(batch.now),
      from.id,
      into.id,
      event.id,
      'shared identifiers on one event',
      batch.now,
      ...evidence.map(({ id }) => id).sort(),
      before,
    ])
}

export function snapshotOf(
  { nodes, profile }: Pick<PersonState, 'nodes' | 'profile'>,
  batch: Pick<Batch, 'statuses'>,
  purposes: Purposes,
): Snapshot {
  return {
    nodes: nodes.map(({ id }) => id),
    statuses: Object.fromEntries(
      purposes.all.flatMap((purpose) => {
        const status = purpose.scope === 'person' && personStatus(nodes, purpose.id, batch)?.row.status.status
        return status ? [[purpose.id, status]] : []
      }),
    ),
    counters: profile.counters,
  }
}

/** Differing answers of two people that turn out to be one are a conflict, which counts as denied and is an entry. */
function mergeConsent(
  into: PersonState,
  from: PersonState,
  event: CanonicalEvent,
  batch: Batch,
  purposes: Purposes,
): void {
  const node = into.nodes[0]!
  for (const purpose of purposes.all) {
    if (purpose.scope !== 'person') continue
    const a = personStatus(into.nodes, purpose.id, batch)
    const b = personStatus(from.nodes, purpose.id, batch)
    const merged = mergeStatuses(a?.row.status, b?.row.status)
    if (!merged) continue
    const told = mergeTakesBack(purpose, [a?.row.status, b?.row.status], merged)
    if (!a || !b) {
      // The one answer there is counts for both; where no grant was needed, tools may have the one who gave none.
      if (told && !(a ? from : into).isNew) withdrawAgain(node, purpose, merged, event.receivedAt, batch)
      continue
    }
    const conflict = conflictOnMerge(merged, {
      purpose: purpose.id,
      scope: purpose.scope,
      sides: [a.row.status, b.row.status],
      eventId: event.id,
      receivedAt: event.receivedAt,
      newId: () => newId(batch.now),
    })
    setStatus(batch, node.id, purpose.id, conflict?.next ?? merged)
    if (conflict) {
      writeEntry(conflict.entry, node, [], batch)
      // A conflict counts as denied: tools that have the person for this purpose are told.
      withdraw(node, purpose, conflict.entry.id, event.receivedAt, conflict.entry.origin, batch)
    } else if (told) withdrawAgain(node, purpose, merged, event.receivedAt, batch)
  }
}

/** The newest row among a person's nodes: the status of the person. */
export function personStatus(nodes: readonly NodeState[], purpose: string, batch: Pick<Batch, 'statuses'>) {
  let found:
    | { nodeId: string; row: NonNullable<ReturnType<NonNullable<ReturnType<Batch['statuses']['get']>>['get']>> }
    | undefined
  for (const node of nodes) {
    const row = batch.statuses.get(node.id)?.get(purpose)
    if (row && (!found || row.updatedAt >= found.row.updatedAt)) found = { nodeId: node.id, row }
  }
  return found
}

let statusTick = 0
/** Statuses written in one batch keep their order: the clock alone does not separate them. */
export function setStatus(
  batch: Batch,
  nodeId: string,
  purpose: string,
  status: Parameters<Batch['changedStatuses']['set']>[1]['status'],
): void {
  let purposes = batch.statuses.get(nodeId)
  if (!purposes) {
    purposes = new Map()
    batch.statuses.set(nodeId, purposes)
  }
  statusTick = Math.max(statusTick + 1, batch.now * 1000)
  purposes.set(purpose, { status, updatedAt: statusTick })
  batch.changedStatuses.set(`${nodeId}\0${purpose}`, { nodeId, purpose, status })
}
