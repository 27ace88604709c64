/** Tables about requests of data subjects: who asked, what was done, who stays erased, the portal. */
export interface RequestTables {
  /** Requests of data subjects and inquiries of the authority. `sealed`: who asked and what they wrote, under the request's own key. */
  requests: {
    id: string
    kind: string
    right_id: string | null
    state: string
    channel: string
    language: string
    /** When it arrived: its clocks start here. */
    received_at: number
    entered_at: number
    entered_by: string
    /** The earliest open clock, or the day the authority set. */
    due_at: number | null
    assurance: string
    person_id: string | null
    /** Ledger subject: how the person is named where nobody's name may stand. */
    subject: string | null
    /** JSON. */
    scope: string
    pauses: string
    /** JSON: clock id -> when it was met. */
    done: string
    plan: string | null
    ground: string | null
    outcome: string | null
    closed_at: number | null
    duplicate_of: string | null
    reference: string | null
    data_key: Uint8Array
    sealed: Uint8Array
  }
  /** By HMAC under the suppression key, so that the same person asking twice is seen, also after erasure. */
  request_identifiers: { hmac: Uint8Array; request_id: string }
  /** What it may have in common with requests of others. */
  request_marks: { request_id: string; kind: string; hmac: Uint8Array; person: Uint8Array }
  /** Codes and ids only; no personal data. */
  request_log: {
    id: string
    request_id: string
    at: number
    actor: string
    what: string
    from_state: string | null
    to_state: string | null
    detail: string | null
  }
  request_recipients: {
    request_id: string
    recipient: string
    operation: string
    kind: string
    status: string
    attempts: number
    next_at: number | null
    answer: string | null
    /** JSON, both languages. */
    instructions: string | null
    first_at: number | null
    last_at: number | null
    done_at: number | null
    done_by: string | null
    evidence: string | null
  }
  /** Packages, answers and uploaded proofs, under the request's key. */
  request_files: {
    id: string
    request_id: string
    name: string
    media_type: string
    bytes: number
    sha256: string
    sealed: Uint8Array
    at: number
  }
  /** Identifiers of erased people, by HMAC under a key of their own. Outlives them; only a new verified grant lifts it. */
  suppressions: {
    hmac: Uint8Array
    request_id: string
    at: number
    lifted_at: number | null
    lifted_by: string | null
  }
  /** Codes sent by the portal. Only their hash is stored; the address is sealed. */
  portal_codes: {
    id: string
    hash: Uint8Array
    data_key: Uint8Array
    sealed: Uint8Array
    tries: number
    expires_at: number
  }
  portal_sessions: { hash: Uint8Array; csrf: string; data_key: Uint8Array; sealed: Uint8Array; expires_at: number }
}
