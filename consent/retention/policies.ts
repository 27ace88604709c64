/**
 * The policies in force: those of the configuration over the defaults. The periods of the defaults are
 * our own proposal for the encarregado to confirm, except where CLASS_RULES names a statute.
 */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { DateTime, Duration } from 'luxon'
import type { Config } from '../../schemas/config.ts'
import type { RetentionPolicy } from '../../schemas/retention.ts'

/** Purpose `*`: every purpose that has no policy of its own. */
export const EVERY = '*'

export const DEFAULT_POLICIES: readonly RetentionPolicy[] = [
  { class: 'history', trigger: 'occurred', period: 'P13M', ground: 'processing', action: 'erase' },
  { class: 'history', trigger: 'ended', period: 'P30D', ground: 'processing', action: 'erase' },
  { class: 'unidentified', trigger: 'last_seen', period: 'P90D', ground: 'processing', action: 'erase' },
  { class: 'profile', trigger: 'ended', period: 'P30D', ground: 'processing', action: 'erase' },
  { class: 'profile', trigger: 'last_seen', period: 'P5Y', ground: 'processing', action: 'erase' },
  { class: 'facts', trigger: 'occurred', period: 'P13M', ground: 'processing', action: 'erase' },
  { class: 'deliveries', trigger: 'settled', period: 'P12M', ground: 'processing', action: 'erase' },
  { class: 'decisions', trigger: 'decided', period: 'P24M', ground: 'processing', action: 'erase' },
  {
    class: 'access_log',
    trigger: 'occurred',
    period: 'P6M',
    ground: '16.I',
    reason: 'Marco Civil da Internet (Lei 12.965/2014) art. 15',
    action: 'erase',
  },
  {
    class: 'consent_proof',
    trigger: 'erased',
    period: 'P5Y',
    ground: '16.I',
    reason: 'LGPD art. 8 §2: the burden of proof is the controller’s. How long is doctrine, not statute.',
    action: 'erase',
  },
  {
    class: 'blocked',
    trigger: 'blocked',
    period: 'P5Y',
    ground: '16.I',
    reason: 'LGPD art. 7 VI: kept for the exercise of rights in proceedings.',
    action: 'erase',
  },
  {
    class: 'incidents',
    trigger: 'registered',
    period: 'P5Y',
    ground: '16.I',
    reason: 'Res. CD/ANPD 15/2024 art. 10',
    action: 'erase',
  },
  {
    class: 'requests',
    trigger: 'answered',
    period: 'P5Y',
    ground: '16.I',
    reason: 'LGPD art. 6 X and 18: proof that the request was answered.',
    action: 'erase',
  },
  { class: 'audiences', trigger: 'exit', period: 'P30D', ground: 'processing', action: 'erase' },
]

export interface ResolvedPolicy {
  /** class/purpose/trigger */
  readonly id: string
  readonly policy: RetentionPolicy
  /** SHA-256 (hex) over the policy. Its reason is no part of it: a better sentence needs no new approval. */
  readonly hash: string
  readonly origin: 'default' | 'config'
  /** JSON pointer into anuente.yaml. */
  readonly path: string
}

export const policyId = ({ class: kind, purpose, trigger }: RetentionPolicy): string =>
  `${kind}/${purpose ?? EVERY}/${trigger}`

export function policyHash({ reason: _, ...policy }: RetentionPolicy): string {
  return createHash('sha256')
    .update(canonicalize({ ...policy, purpose: policy.purpose ?? EVERY }) ?? '')
    .digest('hex')
}

/** In the order of the defaults, then that of the configuration. */
export function retentionPolicies(config: Pick<Config, 'retention'>): ResolvedPolicy[] {
  const found = new Map<string, ResolvedPolicy>()
  const add = (policy: RetentionPolicy, origin: ResolvedPolicy['origin'], path: string) => {
    const id = policyId(policy)
    found.set(id, { id, policy, hash: policyHash(policy), origin, path })
  }
  for (const policy of DEFAULT_POLICIES) add(policy, 'default', '/retention/policies')
  for (const [index, policy] of (config.retention?.policies ?? []).entries())
    add(policy, 'config', `/retention/policies/${index}`)
  return [...found.values()]
}

/** What is older than this is due. Periods of months and years end on the same day of the month, UTC. */
export function cutoffOf(period: string, now: number): number {
  return DateTime.fromMillis(now, { zone: 'utc' }).minus(Duration.fromISO(period)).toMillis()
}

/** Compares two periods as of a fixed day, so that P13M and P400D have an order. */
export function periodOrder(a: string, b: string): number {
  const now = Date.UTC(2026, 0, 1)
  return cutoffOf(b, now) - cutoffOf(a, now)
}
