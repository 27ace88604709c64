import type { PlanTables } from './migrations/009-plans.ts'
import type { OfferTables } from './migrations/011-offers.ts'
import type { PollTables } from './migrations/015-polls.ts'
import type { DefinitionTables } from './migrations/016-definitions.ts'
import type { ListTables } from './migrations/017-lists.ts'
import type { ExplanationTables } from './migrations/019-packed-explanations.ts'
import type { RequestTables } from './request-tables.ts'
import type { RuleTables } from './rule-tables.ts'

/**
 * The tables of the state store, one set for SQLite and PostgreSQL. Times are epoch milliseconds,
 * ids are ULIDs, JSON is text, sealed values are AES-256-GCM under the key named beside them.
 */
export interface Tables
  extends RuleTables,
    OfferTables,
    PlanTables,
    PollTables,
    RequestTables,
    DefinitionTables,
    ListTables,
    ExplanationTables {
  meta: { key: string; value: string }
  /** How far each partition of the log has been processed. Advanced by compare-and-set in the state transaction. */
  positions: { partition: number; log_id: string; position: number }

  /** A first-seen identifier founds a node: its own ledger subject and keys, for ever. */
  nodes: {
    id: string
    person_id: string
    /** Random ledger subject, "s_" + 26 characters. */
    subject: string
    /** 1: founded by a device identifier. */
    device: number
    data_key: Uint8Array
    proof_key: Uint8Array
    founded_at: number
    /** JSON list of nodes it is never again one person with: somebody took them apart. */
    apart?: string | null
  }
  /** Found by HMAC under the hub's index key: exact match only. */
  identifiers: { hmac: Uint8Array; type: string; node_id: string; sealed: Uint8Array | null; first_seen_at: number }
  /** Evidence that two nodes are one person, and refused evidence with the reason. */
  edges: {
    node_a: string
    node_b: string
    event_id: string
    source_id: string
    at: number
    refused: string | null
    /** together: on one event; stated: a login or alias says that they are one. */
    strength?: string
  }
  merge_log: {
    id: string
    from_person: string
    into_person: string
    event_id: string
    reason: string
    at: number
    /** The edge that joined them. */
    node_a?: string | null
    node_b?: string | null
    /** SHA-256 (hex) of what both were before, as identity/snapshot.ts writes it. */
    before_hash?: string | null
    undone_at?: number | null
  }
  /** What officers did to identities, with the reason. `body`: JSON, nodes and people only. */
  identity_acts: {
    id: string
    kind: string
    person_id: string
    at: number
    actor: string
    reason: string
    body: string
  }
  /** Values that join nobody, by HMAC: what an officer added to the lists of the configuration. */
  blocked_values: { hmac: Uint8Array; type: string; at: number; actor: string; reason: string }
  /** A person is a set of nodes. `merged_into` keeps old ids resolving. */
  persons: { id: string; seq: number; profile: string; merged_into: string | null; updated_at: number }
  /** Traits that identify or describe freely, under the node's data key. */
  node_traits: { node_id: string; sealed: Uint8Array; updated_at: number }

  /** Texts people were told by. A published version never changes: `hash` says whether somebody tried. */
  notices: {
    id: string
    version: number
    /** YYYY-MM-DD. */
    since: string
    language: string
    hash: string
    text_sha256: string
    text: string
    /** JSON list; null: all purposes. */
    purposes: string | null
    /** JSON list of items of LGPD art. 9. */
    material: string
    published_at: number
    entry_id: string
  }
  /** The role each destination had when the hub last started. */
  destination_roles: {
    destination: string
    role: string
    reason: string | null
    changed_at: number
    entry_id: string | null
  }
  /** A purpose that was taken back, by the id of its ledger entry; `passed_on_at` null: the tools are not asked yet. */
  withdrawals: {
    id: string
    node_id: string
    purpose: string
    /** When the hub received it. */
    at: number
    origin_kind: string
    origin_ref: string
    passed_on_at: number | null
    /** The ledger entry it rests on, where that is not `id`: the entry was another person's before they were one. */
    entry_id?: string | null
  }
  /** Which tool was told of a withdrawal. `how`: action, origin (it told us), stop (nothing more is sent; it has no call for it). */
  propagations: {
    withdrawal_id: string
    destination: string
    how: string
    delivery_id: string | null
    asked_at: number
    confirmed_at: number | null
  }
  /** Events that a purpose wanted and nobody had answered for, per day. `people` is a sketch that counts and names nobody. */
  consent_gaps: {
    source_id: string
    reason: string
    purpose: string
    /** Days since the epoch. */
    day: number
    events: number
    people: Uint8Array
    sample: string | null
  }

  consent_status: { node_id: string; purpose: string; status: string; body: string; updated_at: number }
  /** Entries not yet numbered and hashed by the sequencer; they count at once. */
  ledger_pending: {
    id: string
    node_id: string
    subject: string
    purpose: string
    at: number
    public: string
    sealed: Uint8Array
  }
  /** One row: where the ledger stands. `origin` names it in checkpoints. */
  ledger_head: {
    id: number
    origin: string
    size: number
    /** Time of the newest entry; never goes back. */
    logged_at: number
    /** When the newest state.root was taken, and the size it covers. */
    state_at: number
    state_size: number
  }
  /** `bytes` are the RFC 8785 bytes in the tree; the other columns repeat them for queries, and verify compares. */
  ledger_entries: {
    seq: number
    id: string
    node_id: string
    subject: string
    subject_seq: number
    purpose: string
    type: string
    at: number
    bytes: string
  }
  /** 32 bytes salt, then the payload, under the node's proof key. The hub's own (node `hub`) hold nothing personal and lie open. */
  ledger_payloads: { id: string; node_id: string; sealed: Uint8Array }
  /** 256 hashes of 32 bytes of the levels 0, 8, 16, …; the newest tile of a level may be shorter. */
  ledger_tiles: { level: number; tile: number; hashes: Uint8Array }
  /** Head of each subject's chain. `state`: JSON, purpose -> [status, seq]. */
  ledger_subjects: {
    subject: string
    /** First 16 bits of SHA-256(subject): the part of the state tree it lies in. */
    bucket: number
    subject_seq: number
    last_seq: number
    last_leaf: Uint8Array
    state: string
  }
  /** Hash of each bucket's part of the state tree as of `ledger_head.state_size`. */
  ledger_state: { bucket: number; root: Uint8Array }
  ledger_checkpoints: { size: number; root: Uint8Array; at: number; note: string; key_id: string }
  /** Copies outside the database: kind `folder` or `minutes`. */
  ledger_anchors: { size: number; kind: string; at: number; ref: string }
  /** Ed25519 keys of checkpoints; `wrapped` is the seed. */
  ledger_keys: {
    id: string
    public: Uint8Array
    wrapped: Uint8Array
    created_at: number
    retired_at: number | null
  }
  /** Which settled delivery is leaf `n` of which deliveries.root entry. `ended_by`: the entry since which the row may differ or be gone. */
  ledger_deliveries: { entry_id: string; n: number; delivery_id: string; leaf: Uint8Array; ended_by: string | null }
  /** Destroyed keys of nodes: `<subject>.data` or `<subject>.proof`, and the entry that says so. */
  ledger_shredded: { key_id: string; node_id: string; entry_id: string; at: number }

  /** Only what was kept. Amounts and purposes in the open, the rest under the node's data key. */
  history: {
    id: string
    node_id: string
    person_seq: number
    type: string
    name: string
    occurred_at: number
    received_at: number
    source_id: string
    connector: string
    purposes: string
    amounts: string
    sealed: Uint8Array
    /**
     * ULID made when the event was taken: its order is that of all inputs and ledger entries; and the clock of its
     * decision. Null in rows from before this was noted.
     */
    taken: string | null
    taken_at: number | null
  }
  /**
   * Inputs of a person that are no events, so that a replay can give them again. Pseudonyms only. `kind`: wake (time
   * passed; body: `{watermark}`), counters (another person's report corrected what was counted; body: CounterInput), and
   * those of stages/note-inputs.ts and stages/note-contact.ts.
   */
  history_inputs: {
    /** As `history.taken`. */
    id: string
    node_id: string
    /** The person's number of inputs before this one. */
    person_seq: number
    kind: string
    at: number
    body: string
  }
  /** One real-world fact, whoever reports it. */
  facts: {
    key: Uint8Array
    kind: string
    node_id: string
    connector: string
    event_id: string
    amounts: string
    /** JSON: the purposes whose counters hold it. */
    purposes: string
    at: number
  }
  /** What the hub itself caused and may hear back. */
  echoes: { hash: Uint8Array; delivery_id: string; expires_at: number }

  /** Waiting for an answer about consent, at most 24 h, under an hourly key. */
  held: { id: string; key_id: string; sealed: Uint8Array; received_at: number; expires_at: number }
  held_identifiers: { hmac: Uint8Array; held_id: string }
  quarantine: {
    id: string
    source_id: string
    connector: string
    code: string
    path: string
    message: string
    key_id: string
    sealed: Uint8Array
    status: string
    fences: string
    received_at: number
    expires_at: number
  }
  /** Keys of held (hourly) and quarantined (daily) bodies; a destroyed key is a deleted row. */
  seal_keys: { id: string; wrapped: Uint8Array; expires_at: number }

  /** The earliest due timer per person; the timers themselves live in the profile. */
  wakeups: { person_id: string; due_at: number }

  /** The outbox is the rows with settled_at null. */
  deliveries: {
    id: string
    destination: string
    action: string
    kind: string
    person_id: string
    node_id: string
    purpose: string
    channel: string | null
    rule: string | null
    rule_version: number | null
    arm: string
    /** Of an experiment with several; null otherwise. */
    variant?: string | null | undefined
    /** Offer that goes with it. */
    offer?: string | null | undefined
    event_id: string
    /** Order within a lane. */
    ord: number
    status: string
    reason: string | null
    entry_id: string | null
    due_at: number
    expires_at: number | null
    attempt: number
    lease: string | null
    leased_until: number | null
    /** Fields set by the rule, under the node's data key. */
    input: Uint8Array | null
    /** The frozen payload, under the node's data key; retries resend it unchanged. */
    payload: Uint8Array | null
    answer: string | null
    created_at: number
    /** When the event behind it happened: a goal reached before it is another story. */
    since: number | null
    settled_at: number | null
    /** The deliveries.root entry that holds this row as it was settled; null until the sequencer has seen it. */
    rooted: string | null
  }
  attempts: { delivery_id: string; n: number; at: number; outcome: string; reason: string }
  /** Writes to one contact or instance in windows of a minute and more. */
  quotas: { key: string; window_start: number; used: number }

  /** A person in an audience, from entering to leaving. `why_…`: the clauses with their values, as JSON. */
  audience_stays: {
    id: string
    audience: string
    person_id: string
    entered_at: number
    left_at: number | null
    /** What caused it, where an event did. */
    event_id: string | null
    left_event_id: string | null
    why_entered: string
    why_left: string | null
  }
  /** What a destination was last told of a member, who is known there by the identifier of that node. */
  audience_pushes: {
    audience: string
    destination: string
    node_id: string
    person_id: string
    member: number
    /** How that went says its row among deliveries. */
    delivery_id: string
    at: number
  }
  /** Everybody gone through once: `fill` after a change of definitions, `sync` to tell destinations again. */
  audience_passes: {
    id: string
    kind: string
    audience: string | null
    /** Of the definitions it was started with. */
    hash: string
    /** Everybody up to this id is done. */
    after_person: string
    people: number
    started_at: number
    done_at: number | null
  }
  caps: { key: string; person_id: string; at: number; delivery_id: string }

  /** Counts per minute and exit, for the pipeline strip and reports. */
  rollups: { minute: number; origin: string; code: string; count: number }

  users: {
    id: string
    email: string
    name: string
    role: string
    password_hash: string
    created_at: number
    disabled_at: number | null
  }
  /** Only the SHA-256 of a session id, token or invitation is stored. */
  sessions: { hash: Uint8Array; user_id: string; csrf: string; created_at: number; expires_at: number }
  api_tokens: {
    id: string
    hash: Uint8Array
    name: string
    role: string
    created_by: string
    created_at: number
    expires_at: number | null
    last_used_at: number | null
  }
  invitations: { hash: Uint8Array; role: string; expires_at: number; used_at: number | null }
  /** Who looked at whom, and who changed what. */
  access_log: {
    id: string
    at: number
    actor: string
    act: string
    target: string
    /** Of a look at personal data: why, or the data-subject request that is the reason. */
    reason?: string | null
    request?: string | null
  }

  /** What an officer looked at and may approve, by its hash. */
  retention_plans: {
    hash: string
    at: number
    actor: string
    body: string
    approved_by: string | null
    approved_at: number | null
  }
  /** A policy runs by itself while its hash is the approved one. `unusual`: 1 while it waits for a new approval. */
  retention_approvals: {
    policy_id: string
    policy_hash: string
    plan_hash: string
    approved_by: string
    approved_at: number
    count: number
    unusual: number
  }
  /** `batches`: JSON list of the roots over the ids of each batch, hex. */
  retention_runs: {
    id: string
    policy_id: string
    policy_hash: string
    class: string
    action: string
    state: string
    started_at: number
    finished_at: number | null
    as_of: number
    due: number
    done: number
    held: number
    batches: string
    root: string | null
    entry_id: string | null
    remaining: number | null
    method: string | null
  }
  legal_holds: {
    id: string
    kind: string
    person_id: string | null
    class: string | null
    from_at: number | null
    to_at: number | null
    ref: string
    reason: string
    set_by: string
    set_at: number
    released_by: string | null
    released_at: number | null
    release_reason: string | null
  }
  /** Kept and not used (LGPD art. 5 XIII): no rule, report or delivery reads it. `body`: the open columns as JSON. */
  blocked: {
    id: string
    class: string
    node_id: string
    body: string
    sealed: Uint8Array
    at: number
    policy_id: string
  }
  /** What anonymisation leaves: counts about k people and more. */
  anonymous_counts: { day: string; name: string; source_id: string; run_id: string; events: number; people: number }
  /** The record of art. 37 each time its declared part changed. */
  ropa_snapshots: { at: number; hash: string; body: string }
  /** Purposes, destinations and notices as gates read them, by policy hash. */
  policy_versions: { hash: string; at: number; body: string }
  drift: {
    kind: string
    subject: string
    detail: string
    count: number
    denied: number
    first_at: number
    last_at: number
  }
  incidents: {
    id: string
    state: string
    facts: string
    known_at: number
    registered_at: number
    registered_by: string
    authority_at: number | null
    subjects_at: number | null
    supplement_at: number | null
    closed_at: number | null
    affected: number | null
    kept_until: number
  }
  incident_log: { id: string; incident_id: string; at: number; actor: string; what: string }

  /** Data keys of secrets and connections, wrapped by the master key; the newest one seals. */
  secret_keys: { id: string; wrapped: Uint8Array; created_at: number }
  /** Named secrets of settings. Sealed under a secret key, bound to their name; never read back by API or cockpit. */
  secrets: {
    name: string
    key_id: string
    sealed: Uint8Array
    /** Its last four characters, when it is long enough for them to say nothing. */
    hint: string | null
    set_by: string
    set_at: number
  }
  /** Accounts at vendors that were connected by OAuth: one row per destination. */
  oauth_connections: {
    destination: string
    /** Client id the tokens were issued to. */
    client: string
    /** connected | needs_connection */
    state: string
    /** Rises with every token; who writes must have read the one before. */
    version: number
    key_id: string
    /** {accessToken, refreshToken?} */
    sealed: Uint8Array
    expires_at: number | null
    refresh_expires_at: number | null
    /** Who asks for new tokens now, and until when nobody else does. */
    claim: string | null
    claim_until: number | null
    retry_at: number | null
    /** Why it needs to be connected again, or why the last refresh failed; a code. */
    problem: string | null
    connected_by: string
    connected_at: number
    refreshed_at: number | null
  }
  /** Authorisations begun and not finished. `hash` is that of the state parameter; `session` whoever began it. */
  oauth_flows: {
    hash: Uint8Array
    destination: string
    session: string
    key_id: string
    /** {verifier?, redirectUrl} */
    sealed: Uint8Array
    actor: string
    expires_at: number
  }
}
