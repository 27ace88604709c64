/**
 * What a person was before a merge, as a hash in the merge log: after an unmerge it says whether each side is again what
 * it was. Over what belongs to nodes and can be told apart again: the nodes, the answers, the counters.
 */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { Status } from '../../schemas/consent.ts'
import type { OpenProfile } from '../../schemas/profile.ts'

export interface Snapshot {
  readonly nodes: readonly string[]
  /** Of person-scoped purposes; who never answered is not in it. */
  readonly statuses: Readonly<Record<string, Status>>
  readonly counters: OpenProfile['counters']
}

/** @returns hex SHA-256 over the RFC 8785 form. */
export function snapshotHash({ nodes, statuses, counters }: Snapshot): string {
  const counted = Object.entries(counters)
    .map(([purpose, sums]) => [purpose, Object.entries(sums).filter(([, sum]) => sum !== 0)] as const)
    .filter(([, sums]) => sums.length > 0)
  const said = canonicalize({
    nodes: [...nodes].sort(),
    statuses,
    counters: Object.fromEntries(counted.map(([purpose, sums]) => [purpose, Object.fromEntries(sums)])),
  })
  return createHash('sha256').update(said!).digest('hex')
}

/** As `merge_log.before_hash` holds it: who remained first. */
export const bothHashes = (into: Snapshot, from: Snapshot): string => `${snapshotHash(into)}.${snapshotHash(from)}`
