/** What a verification may find, each with a stable name. Anything here means: exit code 2. */
export const FINDINGS = {
  ENTRY_ALTERED: 'The bytes of an entry are not those that were added to the tree.',
  ENTRY_MISSING: 'An entry was deleted: its number is not there.',
  ENTRY_INSERTED: 'There are more entries than were ever numbered.',
  ENTRY_REORDERED: 'An entry stands in another place than it says.',
  COLUMNS_ALTERED: 'The columns of an entry say something else than its bytes.',
  CHAIN_BROKEN: 'An entry does not follow the entry of the same subject before it.',
  SUBJECT_ALTERED: 'What is kept as the last word of a subject is not its last entry.',
  TIME_WENT_BACK: 'An entry has an earlier time than the one before it.',
  TREE_ALTERED: 'A stored hash of the tree is not the hash of what lies below it.',
  LEDGER_SHORTENED: 'A signed checkpoint has more entries than the ledger: its end was cut off.',
  LEDGER_FORKED: 'The ledger does not begin with the tree that a checkpoint signed.',
  CHECKPOINT_SIGNATURE: 'A checkpoint is not signed by a key of this ledger, or names another ledger.',
  CHECKPOINT_ALTERED: 'The columns of a checkpoint say something else than its note.',
  STATE_ROOT_WRONG: 'A state.root is not the root of the last words before it.',
  PAYLOAD_ALTERED: 'A payload and salt are not those that the entry commits to.',
  PAYLOAD_MISSING: 'A payload is gone and no entry says that its key was destroyed.',
  DELIVERY_DELETED: 'A settled delivery was deleted and no entry says so.',
  DELIVERY_ALTERED: 'A settled delivery is not what it was when it was settled.',
  DELIVERY_INSERTED: 'A delivery says it is in a root that does not hold it.',
  DELIVERIES_ROOT_WRONG: 'The recorded deliveries are not those of their deliveries.root entry.',
  DELIVERY_UNSUPPORTED: 'A delivery rests on an entry that the ledger does not have.',
} as const
export type FindingCode = keyof typeof FINDINGS

export interface Finding {
  readonly code: FindingCode
  /** Place in the ledger, where there is one. */
  readonly seq?: number
  /** Entry, delivery, subject, file or tile. */
  readonly what: string
  readonly message: string
}

/** Of one damage many findings may follow; the first of each kind name it, the rest is counted. */
const KEPT_PER_CODE = 100

export interface Findings {
  add(code: FindingCode, what: string, seq?: number): void
  readonly list: readonly Finding[]
  readonly counts: Readonly<Partial<Record<FindingCode, number>>>
}

export function collectFindings(): Findings {
  const list: Finding[] = []
  const counts: Partial<Record<FindingCode, number>> = {}
  return {
    list,
    counts,
    add(code, what, seq) {
      const count = (counts[code] ?? 0) + 1
      counts[code] = count
      if (count <= KEPT_PER_CODE) list.push({ code, what, message: FINDINGS[code], ...(seq !== undefined && { seq }) })
    },
  }
}
