/**
 * Rules that listen to events of this name, and that this one did not set off because it has another value than their
 * `where` names. Nothing was noted of them when it came, so it is told from the event itself.
 */

import { emptyProfile } from '../decision/empty-profile.ts'
import type { Explanation, RuleSet } from '../decision/index.ts'
import { triggerName } from '../decision/index.ts'
import { leavesOf } from '../decision/measures.ts'
import type { StateStore } from '../stores/open.ts'
import type { KeptFacts } from './withheld.ts'

/** @param properties as they were kept. @returns with the clauses on the event alone: what the person was like then is not told here. */
export async function otherValues(
  { row, purposes, copy }: KeptFacts,
  properties: Readonly<Record<string, unknown>>,
  rules: RuleSet,
  { db }: StateStore,
): Promise<Explanation[]> {
  if (copy) return []
  const name = triggerName({ type: row.type as 'track', name: row.name })
  const asked = new Set(rules.triggeredBy(name, properties))
  const others = rules
    .triggeredBy(name)
    .filter((compiled) => !asked.has(compiled) && purposes.includes(compiled.rule.unless.purpose))
  if (others.length === 0) return []
  // A version that was loaded later has nothing to do with it.
  const known = await db
    .selectFrom('rule_versions')
    .select(['rule', 'version'])
    .where('loaded_at', '<=', row.received_at)
    .execute()
  const loaded = new Set(known.map(({ rule, version }) => `${rule}@${version}`))
  return others.flatMap(({ rule, hash, where }) => {
    const { id, version, when } = rule
    if (!loaded.has(`${id}@${version}`) || !('event' in when)) return []
    const leaves = leavesOf(when.where)
    const clauses = where
      .explain({
        now: row.received_at,
        profile: emptyProfile(''),
        purpose: rule.unless.purpose,
        counted: {},
        known: false,
        event: { properties },
      })
      .filter((_, index) => {
        const condition = leaves[index]?.condition
        return condition && 'field' in condition && condition.field.startsWith('event.')
      })
    return [
      {
        rule: id,
        version,
        hash,
        eventId: row.id,
        correlation: '',
        at: new Date(row.received_at).toISOString(),
        result: 'NOT_MATCHED' as const,
        clauses,
        deliveryIds: [],
        skipped: [],
        latestOnly: true,
        failed: clauses.filter(({ ok }) => !ok).map((clause) => clause.id),
      },
    ]
  })
}
