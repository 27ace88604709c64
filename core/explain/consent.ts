/** What decisions and deliveries rest on: the ledger entries they name, as people are told of them. */
import type { Keys } from '../keys.ts'
import { consentFacts } from '../ledger/prove.ts'
import { findEntries } from '../ledger/rows.ts'
import type { StateStore } from '../stores/open.ts'

export interface ConsentTold {
  readonly entryId: string
  readonly purpose: string
  readonly status: string
  readonly basis: string
  /** ISO 8601, UTC. */
  readonly at: string
  readonly origin: string
  readonly notice?: { readonly id: string; readonly version: number }
}

/** In the order of their ids; entries that are gone are left out. */
export async function consentOf(
  entryIds: readonly string[],
  { state, keys }: { readonly state: StateStore; readonly keys: Keys },
): Promise<ConsentTold[]> {
  const found = await findEntries(state.db, entryIds)
  return Promise.all(
    found.map(async (entry) => {
      const { ts, source, ...facts } = await consentFacts(state.db, entry, keys)
      return {
        entryId: entry.id,
        purpose: entry.purpose,
        status: facts.status ?? 'unknown',
        basis: facts.basis ?? 'unknown',
        at: ts,
        origin: source,
        ...(facts.notice && { notice: facts.notice }),
      }
    }),
  )
}
