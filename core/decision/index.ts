/** Rules: from documents to decisions. Pure; the clock is an argument. */
export type { Clause } from './compile.ts'
export type * from './decision.ts'
export { decide, dueTimers, goalReached, mergeTimers } from './evaluate.ts'
export { lintRules } from './lint.ts'
export { loadRules } from './load.ts'
export { nameMatches, triggerName } from './names.ts'
export {
  countWindow,
  measuresFor,
  neededCounts,
  neededMeasures,
  neededWindows,
  recentWindow,
} from './needs.ts'
export { buildRuleSet, type CompiledRule, capMemoryMs, compileRule, type RuleSet } from './ruleset.ts'
export { whySentence } from './sentence.ts'
export { nextWake } from './wake.ts'
