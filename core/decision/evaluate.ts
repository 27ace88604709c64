/**
 * What a person's event, or a clock that ran out, leads to. A pure function of its arguments: the same
 * one runs live, in a replay and in a backtest, and gives the same log each time.
 *
 * Order, fixed: when → who → still worth it → consent and reachable → re-entry → caps → ASSIGN → act.
 * Control and held-out people pass the same gates, so that the arms differ in the message alone.
 */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { OpenProfile, OpenTimer } from '../../schemas/profile.ts'
import { silenceClause } from './clauses.ts'
import { endedSince, endInstances, instanceOf, noteClosings, removeTimer, startClocks } from './clocks.ts'
import { countSince } from './compile.ts'
import { crossingClause } from './crossings.ts'
import { beginDecision, type Deciding, resultOf, viewOf } from './deciding.ts'
import type { DecisionContext, DecisionInput, DecisionResult } from './decision.ts'
import { explain, explainUnknownVersion } from './explanations.ts'
import { judge } from './gates.ts'
import { triggerName } from './names.ts'
import { answerOther } from './others.ts'
import type { CompiledRule, RuleSet } from './ruleset.ts'
import { advanceSequences, endSequences } from './sequences.ts'

/**
 * @param state the open profile, already updated by the event
 * @param rules see `buildRuleSet`
 */
export function decide(
  input: DecisionInput,
  state: OpenProfile,
  rules: RuleSet,
  context: DecisionContext,
): DecisionResult {
  const deciding = beginDecision(state, rules, context, input.seq)
  dropUnknownVersions(deciding)
  if (input.kind === 'event') takeEvent(deciding, input.event)
  else if (input.kind === 'timer') fireTimer(deciding, input)
  else answerOther(deciding, input)
  return resultOf(deciding)
}

/**
 * Timers that may fire now, in the order in which to give them to `decide`: of those that are due together the rule
 * with the highest priority comes first.
 */
export function dueTimers(
  state: Pick<OpenProfile, 'timers'>,
  now: string,
  rules?: Pick<RuleSet, 'versionOf'>,
): Extract<DecisionInput, { kind: 'timer' }>[] {
  const nowMs = Date.parse(now)
  const priority = ({ rule, version }: OpenTimer) => rules?.versionOf(rule, version)?.rule.priority ?? 0
  return state.timers
    .filter((timer) => Date.parse(timer.graceUntil) <= nowMs)
    .sort(
      (a, b) =>
        priority(b) - priority(a) ||
        order(a.graceUntil, b.graceUntil) ||
        order(a.rule, b.rule) ||
        order(a.correlation, b.correlation),
    )
    .map(({ rule, correlation, dueAt }) => ({ kind: 'timer', rule, correlation, dueAt }))
}

/** When two persons become one: of two instances of the same rule and correlation the earlier is kept. */
export function mergeTimers(a: readonly OpenTimer[], b: readonly OpenTimer[]): OpenTimer[] {
  const kept = new Map<string, OpenTimer>()
  for (const timer of [...a, ...b]) {
    const key = JSON.stringify([timer.rule, timer.correlation])
    const other = kept.get(key)
    if (!other || timer.dueAt < other.dueAt) kept.set(key, timer)
  }
  return [...kept.values()]
}

/**
 * Whether the person did what the rule wants after `since` (a draft's `since`). Asked again at permit,
 * because the goal may have been reached while the delivery waited.
 */
export function goalReached(compiled: CompiledRule, profile: Pick<OpenProfile, 'recent'>, since: string): boolean {
  const after = Date.parse(since)
  return (compiled.rule.exit_on ?? []).some((goal) => countSince(profile.recent, goal, after) > 0)
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
/** A timer stays on the version that started it; without that version nobody knows what it meant. */
function dropUnknownVersions(deciding: Deciding): void {
  for (const timer of deciding.timers) {
    if (deciding.rules.versionOf(timer.rule, timer.version)) continue
    removeTimer(deciding, timer)
    const { rule, version, correlation } = timer
    deciding.dropped.push({ rule, version, correlation, reason: 'VERSION_NOT_LOADED' })
    explainUnknownVersion(deciding, timer)
  }
  // Of a sequence nothing has been promised yet: it is forgotten.
  if (deciding.sequences.some(({ rule, version }) => !deciding.rules.versionOf(rule, version)))
    deciding.sequences = deciding.sequences.filter(({ rule, version }) => deciding.rules.versionOf(rule, version))
}

function takeEvent(deciding: Deciding, event: CanonicalEvent): void {
  const name = triggerName(event)
  // A clock that runs ahead must not put a start into the future and so delay what follows.
  const atMs = Math.min(Date.parse(event.occurredAt), deciding.nowMs)
  const goals = new Set(deciding.rules.goalOf(name).map((compiled) => compiled.rule.id))
  for (const rule of goals) deciding.cancels.push({ rule, reason: 'GOAL_REACHED', at: event.occurredAt })
  const ended = endInstances(deciding, event, name)
  endSequences(deciding, event, name)
  noteClosings(deciding, event, name)
  startClocks(deciding, event, name, atMs, ended)
  for (const compiled of deciding.rules.triggeredBy(name, event.properties)) {
    const view = viewOf(deciding, compiled, event)
    const instance = { compiled, correlation: '', eventId: event.id, sinceMs: atMs, ripeMs: atMs }
    if (compiled.crossing) {
      const crossing = crossingClause(compiled.crossing, view, name, event)
      if (crossing) judge(deciding, instance, view, [crossing])
      continue
    }
    const where = compiled.where.explain(view)
    if (compiled.where.holds(where)) judge(deciding, instance, view, where)
    else explain(deciding, instance, 'NOT_MATCHED', where, { latestOnly: true })
  }
  advanceSequences(deciding, event, name, atMs)
}

function fireTimer(deciding: Deciding, input: Extract<DecisionInput, { kind: 'timer' }>): void {
  const timer = deciding.timers.find(
    (open) => open.rule === input.rule && open.correlation === input.correlation && open.dueAt === input.dueAt,
  )
  // Reset or ended since the wake-up was read, or woken early: the wake-up that follows is in the result.
  if (!timer || deciding.nowMs < Date.parse(timer.graceUntil)) return
  const compiled = deciding.rules.versionOf(timer.rule, timer.version)!
  removeTimer(deciding, timer)
  const instance = instanceOf(compiled, timer)
  const ended = endedSince(deciding, compiled, timer.correlation, instance.sinceMs, timer.hadCart === true)
  if (ended) explain(deciding, instance, ended.result, [ended.clause])
  else
    judge(deciding, instance, viewOf(deciding, compiled, input.event), [
      silenceClause(compiled, Date.parse(timer.dueAt) - Date.parse(timer.startedAt)),
    ])
}
