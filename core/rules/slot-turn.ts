/** One slot of a schedule for one person: the same lines live and in a replay. */

import { byPriority } from '../decision/exclusion.ts'
import type { Explanation, RuleSet } from '../decision/index.ts'
import { ruleOf } from '../decision/rollout.ts'
import type { CompiledRule } from '../decision/ruleset.ts'
import { parseSchedule, type Schedule } from '../decision/schedule.ts'
import type { Batch } from '../stages/batch.ts'
import { type DecideSettings, decideTurn } from '../stages/decide.ts'
import { countDecision, enqueueDecision } from '../stages/enqueue.ts'
import { noteInput } from '../stages/note-inputs.ts'
import type { PersonState } from '../stages/people.ts'
import { enqueueShadow } from '../stages/shadow.ts'

export interface ScheduledRule {
  readonly compiled: CompiledRule
  /** The rule's own id, also for a shadow. */
  readonly rule: string
  readonly schedule: Schedule
}

/** Rules of the set with a schedule, the highest priority first. */
export function scheduledRules(rules: RuleSet, zone: string): ScheduledRule[] {
  return [...rules.current, ...(rules.shadows?.current ?? [])]
    .flatMap((compiled): ScheduledRule[] => {
      const { when } = compiled.rule
      if (!('schedule' in when) || when.schedule === undefined) return []
      return [{ compiled, rule: ruleOf(compiled.rule.id), schedule: parseSchedule(when.schedule, zone) }]
    })
    .sort((a, b) => byPriority(a.compiled, b.compiled) || (a.compiled.rule.id < b.compiled.rule.id ? -1 : 1))
}

/** @returns whether something was decided that is written down: whom the rule does not fit costs a count and no row. */
export function decideSlot(
  person: PersonState,
  { compiled, rule }: Pick<ScheduledRule, 'compiled' | 'rule'>,
  slot: number,
  batch: Batch,
  settings: DecideSettings,
): boolean {
  const [node] = person.nodes
  if (!node) return false
  const { id, version } = compiled.rule
  const turn = { person, deviceNode: undefined, purposes: undefined, copy: false }
  const input = {
    kind: 'schedule' as const,
    rule: id,
    version,
    slot: new Date(slot).toISOString(),
    seq: person.seq + 1,
  }
  const noted = () => noteInput(person, 'schedule', { rule: id, version, slot }, batch)
  if (id !== rule) {
    const told = batch.rows.explanations.length
    const before = JSON.stringify(person.profile)
    enqueueShadow(input, turn, node, batch, settings)
    if (batch.rows.explanations.length > told || JSON.stringify(person.profile) !== before) noted()
    return person.dirty
  }
  const result = decideTurn(input, turn, batch, settings)
  const isKept = ({ latestOnly }: Explanation) => !latestOnly
  const remembers =
    compiled.line !== undefined && JSON.stringify(result.crossed) !== JSON.stringify(person.profile.crossed)
  if (!result.explanations.some(isKept) && !remembers) {
    for (const explanation of result.explanations) countDecision(explanation, batch)
    return false
  }
  noted()
  // Definitions that hold without anything having happened would wait for the first event, which is the second input now.
  if (person.seq === 0) person.profile.measuresDueAt = 0
  person.seq += 1
  person.profile.seq = person.seq
  enqueueDecision(result, turn, node, batch, settings)
  return true
}
