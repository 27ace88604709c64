/** Tables about rules: how far each version is published, what stops them, what they spent, their schedules. */
export interface RuleTables {
  /** Every version that was ever loaded. `body` is the rule without its `rollout`; it never changes. */
  rule_versions: {
    rule: string
    version: number
    hash: string
    body: string
    loaded_at: number
    /** file: read from the configuration. api: posted. Null before that was kept. */
    origin?: string | null | undefined
    added_by?: string | null | undefined
  }
  /** Where each version stands. Of one rule at most one is live for everybody, one is being tried and one is a shadow. */
  rule_rollouts: {
    rule: string
    version: number
    /** draft, test, shadow, live, retired. */
    stage: string
    /** Hundredths of a percent, for `live`; 10000 is everybody. */
    share: number
    /** JSON: HMACs (hex) of the test recipients the version names itself. */
    recipients: string
    /** 1: it was a shadow once, and instances it started as one may still run. */
    shadowed: number
    since: number
    actor: string
    reason: string
  }
  /** Who published, paused, stopped or reverted what, when and why. */
  rule_rollout_log: {
    id: string
    rule: string
    version: number | null
    at: number
    actor: string
    act: string
    stage: string | null
    share: number | null
    reason: string
  }
  /** paused or killed, per rule; the rule `*` stands for all. No row: running. */
  rule_switches: { rule: string; state: string; at: number; actor: string; reason: string }
  /** What the configuration's files said when they were last applied: only a change of theirs is acted on. */
  rule_files: { rule: string; version: number; rollout: string }
  /** What a rule used of its budget. `bucket`: sends/hour/2026-11-24T10, money/total, … in the organisation's zone. */
  rule_budgets: { rule: string; bucket: string; used: number; at: number }
  /** Which delivery used what, to be given back when it is blocked. */
  budget_uses: { delivery_id: string; bucket: string; rule: string; amount: number; at: number }
  /** One run of a schedule over all people, in pages. `place`: the last person it is done with. */
  rule_slots: {
    rule: string
    version: number
    slot: number
    /** running, done, skipped, cut. */
    state: string
    place: string
    started_at: number
    moved_at: number
    finished_at: number | null
    people: number
    /** Of these, decisions that were written down. */
    decided: number
    reason: string | null
  }
}
