/**
 * Rules that run as a shadow: they decide on what really happens, and nothing of it is sent. What they would have done
 * is written down as SHADOW and counted. Their clocks, entries and caps are their own; of the live rules they see what
 * was sent before this moment, so that the two can be compared.
 */
import {
  buildRuleSet,
  type DecisionContext,
  type DecisionInput,
  type DecisionResult,
  type Explanation,
} from '../decision/index.ts'
import { isShadow, ruleOf } from '../decision/rollout.ts'
import type { Batch } from './batch.ts'
import { contextOf, type DecideSettings, decideAmong, rulesFor, type Turn } from './decide.ts'
import { enqueueDecision } from './enqueue.ts'

const NONE = buildRuleSet([])
const OWN = '~shadow'

/** Writes down what shadows would have done; nothing where no shadow has to do with the person. */
export function enqueueShadow(
  input: DecisionInput,
  turn: Turn,
  node: Parameters<typeof enqueueDecision>[2],
  batch: Batch,
  settings: DecideSettings,
): void {
  const result = decideShadow(input, turn, batch, settings)
  if (result) enqueueDecision(result, turn, node, batch, settings)
}

function decideShadow(
  input: DecisionInput,
  turn: Turn,
  batch: Batch,
  settings: DecideSettings,
): DecisionResult | undefined {
  const { rollouts, shadows = NONE } = settings.rules
  const { profile } = turn.person
  if (shadows === NONE && !profile.timers.some(({ rule }) => isShadow(rule))) return undefined
  const live = contextOf(turn, batch, settings)
  const context: DecisionContext = {
    ...live,
    armOf: (rule) => live.armOf?.(ruleOf(rule)),
    variantOf: (rule) => live.variantOf?.(ruleOf(rule)),
    refusal(rule, version, running) {
      const base = ruleOf(rule)
      if (running) return rollouts?.stopped(base)
      return (
        rollouts?.stopped(base) ?? (rollouts?.stageOf(base, version)?.stage === 'shadow' ? undefined : 'NOT_PUBLISHED')
      )
    },
    ...(live.budgets && {
      budgets: { ...live.budgets, used: (rule, bucket) => live.budgets!.used(ruleOf(rule), bucket) },
    }),
    // What the live version took in this very moment is not in its shadow's way.
    capUses: (key) => [...live.capUses(key).filter((at) => at !== live.now), ...live.capUses(`${key}${OWN}`)],
  }
  const result = decideAmong(({ rule }) => isShadow(rule), input, turn, rulesFor(turn, shadows), context)
  return {
    ...result,
    deliveries: [],
    budgetUses: [],
    cancels: [],
    capUses: result.capUses.map((use) => ({ ...use, key: `${use.key}${OWN}`, shadow: true })),
    explanations: result.explanations.flatMap(shadowed),
  }
}

/** Beginnings and ends of a wait are not told of: only what would have come of it. */
const SILENT: readonly string[] = ['ARMED', 'RESET', 'CANCELLED']

function shadowed(explanation: Explanation): Explanation[] {
  if (SILENT.includes(explanation.result)) return []
  return [
    { ...explanation, rule: ruleOf(explanation.rule), result: 'SHADOW', would: explanation.result, deliveryIds: [] },
  ]
}
