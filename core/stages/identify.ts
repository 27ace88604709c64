/**
 * identify: whom an event belongs to. Resolves and plans only; `apply` founds nodes, draws edges and
 * merges people, and only for events that are kept.
 */
import { randomBytes } from 'node:crypto'
import { conflictOnMerge } from '../../consent/conflict.ts'
import type { Purposes } from '../../consent/purposes.ts'
import { mergeStatuses } from '../../consent/status.ts'
import { type CanonicalEvent, DEVICE_IDENTIFIER_TYPES, type Identifier } from '../../schemas/event.ts'
import { overLimit } from '../identity/limits.ts'
import { mergeProfiles } from '../identity/merge-profiles.ts'
import { newId } from '../ids.ts'
import { type Batch, newPerson } from './batch.ts'
import { writeEntry } from './ledger-entry.ts'
import type { NodeState, PersonState } from './people.ts'
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
  const named = namesOf(event, batch)
  const device =
    named.find(({ identifier }) => DEVICE_IDENTIFIER_TYPES.includes(identifier.type)) ??
    named.find(({ identifier }) => identifier.type === 'userId') ??
    named[0]!
  const people: PersonState[] = []
  const refused: { named: Named; reason: string }[] = []
  let union: Pick<NodeState, 'type'>[] = []
  for (const name of named) {
    const node = batch.nodes.get(name.hmac)
    const person = node && batch.person(node.personId)
    if (person && people.includes(person)) continue
    const more: readonly Pick<NodeState, 'type'>[] = person ? person.nodes : [{ type: name.identifier.type }]
    const over = overLimit(union, more)
    if (over) {
      refused.push({ named: name, reason: `limit:${over}` })
      continue
    }
    union = [...union, ...more]
    if (person) people.push(person)
  }
  return { event, named, device, people, refused }
}

/** An event is asked for its names when it is loaded and when it is processed; they are hashed once. */
const names = new WeakMap<CanonicalEvent, Named[]>()

export function namesOf(event: CanonicalEvent, batch: Pick<Batch, 'keys'>): Named[] {
  let found = names.get(event)
  if (!found) {
    found = hashNames(event, batch)
    names.set(event, found)
  }
  return found
}

function hashNames(event: CanonicalEvent, batch: Pick<Batch, 'keys'>): Named[] {
  const identifiers =
    event.subject.previousId === undefined
      ? event.subject.identifiers
      : [...event.subject.identifiers, { type: 'anonymousId' as const, value: event.subject.previousId }]
  return identifiers.map((identifier) => ({
    identifier,
    hmac: batch.keys.identifier(identifier.type, identifier.value).toString('hex'),
  }))
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
  const outside = new Set(refused.map(({ named }) => named.hmac))
  const first = batch.nodes.get(named[0]!.hmac) ?? foundNode(named[0]!, batch, event.occurredAt)
  let joined = false
  for (const name of named.slice(1)) {
    const existing = batch.nodes.get(name.hmac)
    if (outside.has(name.hmac)) {
      if (existing) edge(first, existing, event, batch, refused.find(({ named }) => named.hmac === name.hmac)!.reason)
      continue
    }
    const node = existing ?? foundNode(name, batch, event.occurredAt)
    if (existing && batch.person(existing.personId) === batch.person(first.personId)) continue
    edge(first, node, event, batch, null)
    joined = true
    mergePeople(batch.person(first.personId), batch.person(node.personId), event, batch, purposes)
  }
  return { person: batch.person(first.personId), node: first, joined }
}

function edge(a: NodeState, b: NodeState, event: CanonicalEvent, batch: Batch, refused: string | null): void {
  const [low, high] = a.id < b.id ? [a, b] : [b, a]
  batch.rows.edges.push([low.id, high.id, event.id, event.source.id, batch.now, refused])
}

/** Two people become one under the smaller id; the other id resolves to it for ever. */
export function mergePeople(
  a: PersonState,
  b: PersonState,
  event: CanonicalEvent,
  batch: Batch,
  purposes: Purposes,
): void {
  if (a === b) return
  const [into, from] = a.id < b.id ? [a, b] : [b, a]
  mergeConsent(into, from, event, batch, purposes)
  into.profile = mergeProfiles(into.profile, from.profile)
  into.seq = Math.max(into.seq, from.seq)
  if (from.legalHold) into.legalHold = true
  for (const node of from.nodes) node.personId = into.id
  into.nodes.push(...from.nodes)
  into.caps.push(...from.caps)
  into.caps.sort((x, y) => x.at - y.at)
  into.dirty = true
  batch.merged.set(from.id, into.id)
  // A person founded in this very batch leaves no trace: no row was ever written for it.
  if (from.isNew) batch.persons.delete(from.id)
  else from.dirty = true
  if (!from.isNew || !into.isNew)
    batch.rows.merges.push([newId(batch.now), from.id, into.id, event.id, 'shared identifiers on one event', batch.now])
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
