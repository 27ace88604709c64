/**
 * One batch of inputs and everything it touches: loaded in a few queries, changed in memory by the
 * stages, written in one transaction by commit.ts. No query per event.
 */
import type { PurposeStatus } from '../../consent/status.ts'
import type { IdentifierType } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { SealedTraits } from '../../schemas/profile.ts'
import type { Keys } from '../keys.ts'
import { unsealJson } from '../seal.ts'
import type { LiveEvent } from '../server/context.ts'
import { chunks, type StateStore } from '../stores/open.ts'
import { type CapUse, emptyProfile, type NodeState, type PersonState, type Statuses, type TraitsRow } from './people.ts'

export interface Fact {
  readonly key: Buffer
  readonly kind: string
  nodeId: string
  connector: string
  readonly eventId: string
  amounts: Record<string, number | string>
  /** Those whose counters hold it. */
  purposes: readonly string[]
  readonly at: number
  isNew: boolean
  dirty: boolean
}

/** Rows that only get added. Column order as in commit.ts. */
export interface NewRows {
  history: unknown[][]
  ledger: unknown[][]
  edges: unknown[][]
  merges: unknown[][]
  held: unknown[][]
  heldIdentifiers: unknown[][]
  quarantine: unknown[][]
  deliveries: unknown[][]
  explanations: unknown[][]
  latest: Map<string, unknown[]>
  dedupe: { day: number; row: unknown[] }[]
}

export class Batch {
  /** Epoch milliseconds: the clock of everything in this batch. */
  readonly now: number
  readonly keys: Keys
  /** By hex of the identifier's HMAC. */
  readonly nodes = new Map<string, NodeState>()
  readonly persons = new Map<string, PersonState>()
  /** from -> into, of merges made in this batch. */
  readonly merged = new Map<string, string>()
  readonly statuses: Statuses = new Map()
  readonly changedStatuses = new Map<string, { nodeId: string; purpose: string; status: PurposeStatus }>()
  readonly traits = new Map<string, TraitsRow>()
  readonly sealedTraits = new Map<string, Uint8Array>()
  readonly facts = new Map<string, Fact>()
  readonly rows: NewRows = {
    history: [],
    ledger: [],
    edges: [],
    merges: [],
    held: [],
    heldIdentifiers: [],
    quarantine: [],
    deliveries: [],
    explanations: [],
    latest: new Map(),
    dedupe: [],
  }
  readonly cancels: { personId: string; rule: string; reason: ExitCode; at: number }[] = []
  readonly releasedHeld = new Set<string>()
  readonly finishedFences: string[] = []
  readonly counts = new Map<string, number>()
  readonly live: LiveEvent[] = []

  constructor(now: number, keys: Keys) {
    this.now = now
    this.keys = keys
  }

  count(origin: string, code: ExitCode | 'RECEIVED' | (string & {}), by = 1): void {
    const key = `${Math.floor(this.now / 60_000)}\0${origin}\0${code}`
    this.counts.set(key, (this.counts.get(key) ?? 0) + by)
  }

  /** The person behind an id, also one that was merged away; undefined only where nobody loaded them. */
  person(id: string): PersonState {
    let into = id
    while (this.merged.has(into)) into = this.merged.get(into)!
    return this.persons.get(into)!
  }

  /** Undefined when its node is not among those loaded. */
  personOfNode(id: string): PersonState | undefined {
    const node = this.node(id)
    return node && this.person(node.personId)
  }

  /** By its id; undefined when it is not among those loaded. */
  node(id: string): NodeState | undefined {
    for (const node of this.nodes.values()) if (node.id === id) return node
    return undefined
  }

  nodeTraits(node: NodeState): TraitsRow {
    let row = this.traits.get(node.id)
    if (!row) {
      const sealed = this.sealedTraits.get(node.id)
      row = {
        sealed: sealed ? unsealJson<SealedTraits>(this.keys.unwrap(node.dataKey), sealed) : { traits: {} },
        dirty: false,
      }
      this.traits.set(node.id, row)
    }
    return row
  }
}

/** Loads every person behind these identifiers, with all their nodes, statuses, traits and cap uses. */
export async function loadPeople(
  batch: Batch,
  state: StateStore,
  identifiers: readonly Buffer[],
  personIds: readonly string[] = [],
): Promise<void> {
  const { db } = state
  const wanted = new Set(personIds)
  const unknown = identifiers.filter((hmac) => !batch.nodes.has(hmac.toString('hex')))
  for (const part of chunks(unknown)) {
    const rows = await db
      .selectFrom('identifiers')
      .innerJoin('nodes', 'nodes.id', 'identifiers.node_id')
      .select('nodes.person_id')
      .where('identifiers.hmac', 'in', part)
      .execute()
    for (const row of rows) wanted.add(row.person_id)
  }
  const missing = [...wanted].filter((id) => !batch.persons.has(id))
  const loaded: string[] = []
  for (const part of chunks(missing)) {
    const people = await db
      .selectFrom('persons')
      .select(['id', 'seq', 'profile'])
      .where('id', 'in', part)
      .where('merged_into', 'is', null)
      .execute()
    for (const row of people) {
      loaded.push(row.id)
      batch.persons.set(row.id, {
        id: row.id,
        seq: row.seq,
        profile: JSON.parse(row.profile) as PersonState['profile'],
        nodes: [],
        caps: [],
        isNew: false,
        dirty: false,
      })
    }
  }
  const nodeIds: string[] = []
  for (const part of chunks(loaded)) {
    const nodes = await db
      .selectFrom('nodes')
      .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
      .select([
        'nodes.id',
        'nodes.person_id',
        'nodes.subject',
        'nodes.data_key',
        'nodes.proof_key',
        'nodes.founded_at',
        'identifiers.type',
        'identifiers.hmac',
      ])
      .select((eb) => eb('identifiers.sealed', 'is not', null).as('has_value'))
      .where('nodes.person_id', 'in', part)
      .orderBy('nodes.id')
      .execute()
    for (const row of nodes) {
      const node: NodeState = {
        id: row.id,
        personId: row.person_id,
        subject: row.subject,
        type: row.type as IdentifierType,
        hmac: Buffer.from(row.hmac).toString('hex'),
        dataKey: row.data_key,
        proofKey: row.proof_key,
        foundedAt: row.founded_at,
        isNew: false,
        hasValue: Boolean(row.has_value),
      }
      batch.nodes.set(node.hmac, node)
      batch.persons.get(row.person_id)?.nodes.push(node)
      nodeIds.push(row.id)
    }
    const caps = await db
      .selectFrom('caps')
      .select(['key', 'person_id', 'at', 'delivery_id'])
      .where('person_id', 'in', part)
      .orderBy('at')
      .execute()
    for (const row of caps)
      batch.persons
        .get(row.person_id)
        ?.caps.push({ key: row.key, at: row.at, deliveryId: row.delivery_id, isNew: false } satisfies CapUse)
  }
  for (const part of chunks(nodeIds)) {
    const statuses = await db
      .selectFrom('consent_status')
      .select(['node_id', 'purpose', 'body', 'updated_at'])
      .where('node_id', 'in', part)
      .execute()
    for (const row of statuses) {
      let purposes = batch.statuses.get(row.node_id)
      if (!purposes) {
        purposes = new Map()
        batch.statuses.set(row.node_id, purposes)
      }
      purposes.set(row.purpose, { status: JSON.parse(row.body) as PurposeStatus, updatedAt: row.updated_at })
    }
    const traits = await db
      .selectFrom('node_traits')
      .select(['node_id', 'sealed'])
      .where('node_id', 'in', part)
      .execute()
    for (const row of traits) batch.sealedTraits.set(row.node_id, row.sealed)
  }
}

/** A shared device stands for somebody whose person is another one's: its status is loaded with its owner. */
export async function loadPeopleOfNodes(batch: Batch, state: StateStore, ids: Iterable<string>): Promise<void> {
  const known = new Set([...batch.nodes.values()].map(({ id }) => id))
  const people = new Set<string>()
  for (const part of chunks([...new Set(ids)].filter((id) => !known.has(id))))
    for (const row of await state.db.selectFrom('nodes').select('person_id').where('id', 'in', part).execute())
      people.add(row.person_id)
  if (people.size > 0) await loadPeople(batch, state, [], [...people])
}

/** Loads facts and the people they are counted for: a better report corrects their counters. */
export async function loadFacts(batch: Batch, state: StateStore, keys: readonly Buffer[]): Promise<void> {
  const owners = new Set<string>()
  for (const part of chunks(keys)) {
    const rows = await state.db
      .selectFrom('facts')
      .leftJoin('nodes', 'nodes.id', 'facts.node_id')
      .selectAll('facts')
      .select('nodes.person_id')
      .where('facts.key', 'in', part)
      .execute()
    for (const row of rows) {
      if (row.person_id !== null) owners.add(row.person_id)
      batch.facts.set(Buffer.from(row.key).toString('hex'), {
        key: Buffer.from(row.key),
        kind: row.kind,
        nodeId: row.node_id,
        connector: row.connector,
        eventId: row.event_id,
        amounts: JSON.parse(row.amounts) as Fact['amounts'],
        purposes: JSON.parse(row.purposes) as string[],
        at: row.at,
        isNew: false,
        dirty: false,
      })
    }
  }
  await loadPeople(batch, state, [], [...owners])
}

export function newPerson(batch: Batch, id: string, at: string): PersonState {
  const person: PersonState = { id, seq: 0, profile: emptyProfile(at), nodes: [], caps: [], isNew: true, dirty: true }
  batch.persons.set(id, person)
  return person
}
