/** Rules: from documents to decisions. Pure; the clock is an argument. */
export { type AssignmentSettings, assignArm, bucketOf } from './assign.ts'
export {
  type Clause,
  type ClauseValue,
  type Compiled,
  compileConditions,
  countSince,
  type RuleView,
} from './compile.ts'
export type * from './decision.ts'
export { durationWords, type Language, parseDuration } from './duration.ts'
export { decide, dueTimers, goalReached, mergeTimers } from './evaluate.ts'
export { lintRules, type RuleProblem, type RuleSurroundings } from './lint.ts'
export { loadRules, type RuleDocument } from './load.ts'
export { nameMatches, triggerName } from './names.ts'
export {
  buildRuleSet,
  type CompiledRule,
  capMemoryMs,
  compileRule,
  neededWindows,
  type Position,
  type RuleSet,
  recentWindow,
} from './ruleset.ts'
export { type DeliveryFacts, type SentenceFacts, whySentence } from './sentence.ts'
