/**
 * One batch of inputs and everything it touches: loaded in a few queries, changed in memory by the
 * stages, written in one transaction by commit.ts. No query per event.
 */
import type { PurposeStatus } from '../../consent/status.ts'
import type { IdentifierType } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { LedgerPrivacy } from '../../schemas/ledger.ts'
import type { SealedTraits } from '../../schemas/profile.ts'
import { type PushRow, Stays } from '../audiences/rows.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import type { CompiledRule, Explanation } from '../decision/index.ts'
import { type IdentitySettings, identitySettings } from '../identity/limits.ts'
import type { Keys } from '../keys.ts'
import { heldPersons } from '../retention/holds.ts'
import { BudgetCounts } from '../rules/budgets.ts'
import { OfferCounts } from '../rules/offer-codes.ts'
import { unsealJson } from '../seal.ts'
import type { LiveEvent } from '../server/context.ts'
import { runIn, type StateStore } from '../stores/open.ts'
import type { PlanCount } from './note-plan.ts'
import type { GapCount } from './note-unanswered.ts'
import type { CapUse, NodeState, PersonState, Statuses, TraitsRow } from './people.ts'
import { Tally } from './tally.ts'

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

/** A decision about a person, to be stored. */
export interface Decided {
  personId: string
  readonly explanation: Explanation
  /** The version that decided: what its clauses say is not stored. */
  readonly compiled: CompiledRule | undefined
}

/** Rows that only get added. Column order as in commit.ts. */
export interface NewRows {
  history: unknown[][]
  historyInputs: unknown[][]
  ledger: unknown[][]
  /** By the ids of the two nodes, the smaller first: one row per pair. */
  edges: Map<string, unknown[]>
  merges: unknown[][]
  held: unknown[][]
  heldIdentifiers: unknown[][]
  quarantine: unknown[][]
  deliveries: unknown[][]
  explanations: Decided[]
  /** Of triggers that fired and did not match the newest, by person and rule with \0 between. */
  latest: Map<string, Decided>
  dedupe: { day: number; row: unknown[] }[]
  withdrawals: unknown[][]
  /** Message hash and exit of events that were held until now. */
  recoded: [Buffer, string][]
}

const DEFAULT_IDENTITY = identitySettings()

export class Batch {
  /** Epoch milliseconds: the clock of everything in this batch. Only a replay moves it. */
  now: number
  readonly keys: Keys
  readonly privacy: LedgerPrivacy
  /** Limits, priorities and blocked values. */
  readonly identity: IdentitySettings
  /** Identifiers an officer blocked, by hex of their HMAC. */
  readonly blocked = new Set<string>()
  /** By hex of the identifier's HMAC. */
  readonly nodes = new Map<string, NodeState>()
  readonly #nodesById = new Map<string, NodeState>()
  readonly persons = new Map<string, PersonState>()
  /** Their `seq` as it was loaded: what it must still be when the batch is written. */
  readonly loadedSeqs = new Map<string, number>()
  /** from -> into, of merges made in this batch. */
  readonly merged = new Map<string, string>()
  readonly statuses: Statuses = new Map()
  readonly changedStatuses = new Map<string, { nodeId: string; purpose: string; status: PurposeStatus }>()
  readonly traits = new Map<string, TraitsRow>()
  readonly sealedTraits = new Map<string, Uint8Array>()
  readonly facts = new Map<string, Fact>()
  readonly rows: NewRows = {
    history: [],
    historyInputs: [],
    ledger: [],
    edges: new Map(),
    merges: [],
    held: [],
    heldIdentifiers: [],
    quarantine: [],
    deliveries: [],
    explanations: [],
    latest: new Map(),
    dedupe: [],
    withdrawals: [],
    recoded: [],
  }
  readonly cancels: { personId: string; rule: string; reason: ExitCode; at: number }[] = []
  readonly releasedHeld = new Set<string>()
  /** Events that were set aside, and that somebody re-drove. */
  readonly redriven = new Set<string>()
  /** Who entered or left an audience. */
  readonly stays = new Stays()
  /** What destinations are told of members: audience, destination and node, with \0 between. */
  readonly pushes = new Map<string, PushRow>()
  /** Budgets of rules, as they were when the batch was loaded and as it takes from them. */
  readonly budgets = new BudgetCounts()
  /** The same of offers and their codes. */
  readonly offers = new OfferCounts()
  /** source, reason, purpose and day, with \0 between -> what nobody answered for. */
  readonly gaps = new Map<string, GapCount>()
  /** What was sent against a tracking plan, by source, day, event, kind and place. */
  readonly planCounts = new Map<string, PlanCount>()
  /** Erased people, by hex of the identifier's HMAC -> since when; nothing of theirs is kept. */
  readonly suppressed = new Map<string, number>()
  /** Suppressions that a new verified grant ends -> the event that carries it. */
  readonly liftedSuppressions = new Map<string, string>()
  readonly finishedFences: string[] = []
  /** In a replay that only wants to hear of decisions: told of each, and nothing of them is written down. */
  decided?: (explanation: Explanation) => void
  readonly counts = new Tally()
  readonly live: LiveEvent[] = []

  /** @param privacy how much of its entries the ledger shows. */
  constructor(now: number, keys: Keys, privacy: LedgerPrivacy = 'open', identity: IdentitySettings = DEFAULT_IDENTITY) {
    this.now = now
    this.keys = keys
    this.privacy = privacy
    this.identity = identity
  }

  count(origin: string, code: ExitCode | 'RECEIVED' | (string & {}), by = 1): void {
    this.counts.add(Math.floor(this.now / 60_000), origin, code, by)
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
    return this.#nodesById.get(id)
  }

  addNode(node: NodeState): void {
    this.nodes.set(node.hmac, node)
    this.#nodesById.set(node.id, node)
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

/** Which of these an officer blocked. Hardly ever any: one cheap question says so. */
export async function loadBlocked(
  batch: Batch,
  { db, dialect }: StateStore,
  identifiers: readonly Buffer[],
): Promise<void> {
  const any = await db.selectFrom('blocked_values').select('type').limit(1).executeTakeFirst()
  if (!any) return
  for (const row of await runIn<{ hmac: Uint8Array }>(db, dialect, BLOCKED, identifiers))
    batch.blocked.add(hexOf(row.hmac))
}

/** What to load of people besides who they are and what they answered. */
export interface LoadPeopleOptions {
  /** Free-text traits and cap uses; true when absent. */
  readonly all?: boolean
}

/** Loads every person behind these identifiers, with all their nodes, statuses, traits and cap uses. */
export async function loadPeople(
  batch: Batch,
  { db, dialect }: StateStore,
  identifiers: readonly Buffer[],
  personIds: readonly string[] = [],
  { all = true }: LoadPeopleOptions = {},
): Promise<void> {
  const wanted = new Set(personIds)
  const unknown = identifiers.filter((hmac) => !batch.nodes.has(hmac.toString('hex')))
  for (const row of await runIn<{ person_id: string }>(db, dialect, PEOPLE_OF_IDENTIFIERS, unknown))
    wanted.add(row.person_id)
  const missing = [...wanted].filter((id) => !batch.persons.has(id))
  const people = await runIn<{ id: string; seq: number; profile: string }>(db, dialect, PERSONS, missing)
  const loaded = people.map(({ id }) => id)
  for (const row of people) {
    batch.loadedSeqs.set(row.id, row.seq)
    batch.persons.set(row.id, storedPerson(row))
  }
  if (loaded.length > 0)
    for (const id of await heldPersons(db, loaded)) {
      const person = batch.persons.get(id)
      if (person) person.legalHold = true
    }
  const nodes = await runIn<NodeRow>(db, dialect, NODES, loaded)
  for (const row of nodes) {
    const node: NodeState = {
      id: row.id,
      personId: row.person_id,
      subject: row.subject,
      type: row.type as IdentifierType,
      hmac: hexOf(row.hmac),
      dataKey: row.data_key,
      proofKey: row.proof_key,
      foundedAt: row.founded_at,
      ...(row.apart && { apart: JSON.parse(row.apart) as string[] }),
      isNew: false,
      hasValue: Boolean(row.has_value),
    }
    batch.addNode(node)
    batch.persons.get(row.person_id)?.nodes.push(node)
  }
  const nodeIds = nodes.map(({ id }) => id)
  for (const row of await runIn<{ node_id: string; purpose: string; body: string; updated_at: number }>(
    db,
    dialect,
    STATUSES,
    nodeIds,
  )) {
    let purposes = batch.statuses.get(row.node_id)
    if (!purposes) {
      purposes = new Map()
      batch.statuses.set(row.node_id, purposes)
    }
    purposes.set(row.purpose, { status: JSON.parse(row.body) as PurposeStatus, updatedAt: row.updated_at })
  }
  if (!all) return
  for (const row of await runIn<{ key: string; person_id: string; at: number; delivery_id: string }>(
    db,
    dialect,
    CAPS,
    loaded,
  ))
    batch.persons
      .get(row.person_id)
      ?.caps.push({ key: row.key, at: row.at, deliveryId: row.delivery_id, isNew: false } satisfies CapUse)
  for (const row of await runIn<{ node_id: string; sealed: Uint8Array }>(db, dialect, TRAITS, nodeIds))
    batch.sealedTraits.set(row.node_id, row.sealed)
}

interface NodeRow {
  readonly id: string
  readonly person_id: string
  readonly subject: string
  readonly data_key: Uint8Array
  readonly proof_key: Uint8Array
  readonly founded_at: number
  readonly apart: string | null
  readonly type: string
  readonly hmac: Uint8Array
  readonly has_value: unknown
}

const PEOPLE_OF_IDENTIFIERS =
  'select nodes.person_id from identifiers join nodes on nodes.id = identifiers.node_id where identifiers.hmac in ({list})'
const BLOCKED = 'select hmac from blocked_values where hmac in ({list})'
const PERSONS = 'select id, seq, profile from persons where id in ({list}) and merged_into is null'
const NODES = `select nodes.id, nodes.person_id, nodes.subject, nodes.data_key, nodes.proof_key, nodes.founded_at,
    nodes.apart, identifiers.type, identifiers.hmac, identifiers.sealed is not null as has_value
  from nodes join identifiers on identifiers.node_id = nodes.id
  where nodes.person_id in ({list}) order by nodes.id`
const STATUSES = 'select node_id, purpose, body, updated_at from consent_status where node_id in ({list})'
const CAPS = 'select key, person_id, at, delivery_id from caps where person_id in ({list}) order by at'
const TRAITS = 'select node_id, sealed from node_traits where node_id in ({list})'
const PEOPLE_OF_NODES = 'select person_id from nodes where id in ({list})'
const FACTS = `select facts.key, facts.kind, facts.node_id, facts.connector, facts.event_id, facts.amounts, facts.purposes,
    facts.at, nodes.person_id
  from facts left join nodes on nodes.id = facts.node_id where facts.key in ({list})`

const hexOf = (bytes: Uint8Array): string => (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)).toString('hex')

/** Its profile is read when somebody asks for it: the last look before a request seldom does. */
function storedPerson({ id, seq, profile: text }: { id: string; seq: number; profile: string }): PersonState {
  let profile: PersonState['profile'] | undefined
  return {
    id,
    seq,
    get profile() {
      profile ??= JSON.parse(text) as PersonState['profile']
      return profile
    },
    set profile(value) {
      profile = value
    },
    nodes: [],
    caps: [],
    isNew: false,
    dirty: false,
  }
}

/** A shared device stands for somebody whose person is another one's: its status is loaded with its owner. */
export async function loadPeopleOfNodes(
  batch: Batch,
  state: StateStore,
  ids: Iterable<string>,
  options: LoadPeopleOptions = {},
): Promise<void> {
  const unknown = [...new Set(ids)].filter((id) => !batch.node(id))
  if (unknown.length === 0) return
  const rows = await runIn<{ person_id: string }>(state.db, state.dialect, PEOPLE_OF_NODES, unknown)
  await loadPeople(batch, state, [], [...new Set(rows.map(({ person_id }) => person_id))], options)
}

/** Loads facts and the people they are counted for: a better report corrects their counters. */
export async function loadFacts(batch: Batch, state: StateStore, keys: readonly Buffer[]): Promise<void> {
  const owners = new Set<string>()
  const rows = await runIn<{
    key: Uint8Array
    kind: string
    node_id: string
    connector: string
    event_id: string
    amounts: string
    purposes: string
    at: number
    person_id: string | null
  }>(state.db, state.dialect, FACTS, keys)
  for (const row of rows) {
    if (row.person_id !== null) owners.add(row.person_id)
    batch.facts.set(hexOf(row.key), {
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
  await loadPeople(batch, state, [], [...owners])
}

export function newPerson(batch: Batch, id: string, at: string): PersonState {
  const person: PersonState = { id, seq: 0, profile: emptyProfile(at), nodes: [], caps: [], isNew: true, dirty: true }
  batch.persons.set(id, person)
  return person
}
