/** Clocks of absence rules: what starts one, what resets it, what ends it. */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { Closing, OpenTimer } from '../../schemas/profile.ts'
import { answersTo } from './branches.ts'
import { clause, emptyCartClause, endedClause, startedClause, tooLateClause } from './clauses.ts'
import { countSince } from './compile.ts'
import { correlationOf, sameInstance, UNNAMED } from './correlation.ts'
import { cartIsEmpty, type Deciding, type Instance, iso, viewOf } from './deciding.ts'
import { explain } from './explanations.ts'
import { judge } from './gates.ts'
import { type CompiledRule, LATE_START_MS, memoryMs } from './ruleset.ts'
import type { EventPattern } from './triggers.ts'

/** @returns ids of the rules of which an instance ended. */
export function endInstances(deciding: Deciding, event: CanonicalEvent, name: string): Set<string> {
  const ended = new Set<string>()
  const at = Date.parse(event.occurredAt)
  for (const timer of deciding.timers) {
    const compiled = deciding.rules.versionOf(timer.rule, timer.version)!
    const absence = compiled.absence!
    const unless = endingOf(deciding, compiled, event, name)
    // What happened before the clock started says nothing about what happened after.
    const byEvent =
      (unless || compiled.goalMatches(name)) &&
      at >= Date.parse(timer.startedAt) &&
      sameInstance(absence.correlate, correlationOf(absence.correlate, event), timer.correlation)
    const byCart = !byEvent && absence.cancelledByEmptyCart && timer.hadCart === true && cartIsEmpty(deciding)
    if (!byEvent && !byCart) continue
    removeTimer(deciding, timer)
    ended.add(timer.rule)
    const instance = instanceOf(compiled, timer)
    if (byCart) explain(deciding, instance, 'CANCELLED', [emptyCartClause()])
    else if (unless && answersTo(compiled, unless.event)) answerEnding(deciding, instance, event, name, unless.event)
    else explain(deciding, instance, unless ? 'CANCELLED' : 'GOAL_REACHED', [endedClause(name)])
  }
  return ended
}

/** A branch waits for this ending: the event that ended the wait is the one the message is made of. */
function answerEnding(deciding: Deciding, instance: Instance, event: CanonicalEvent, name: string, endedBy: string) {
  const ripeMs = Math.min(Date.parse(event.occurredAt), deciding.nowMs)
  judge(deciding, { ...instance, eventId: event.id, ripeMs, endedBy }, viewOf(deciding, instance.compiled, event), [
    clause('when.absence.ended', `"${name}" ended the wait`, `"${name}" encerrou a espera`, true, true),
  ])
}

export function noteClosings(deciding: Deciding, event: CanonicalEvent, name: string): void {
  for (const compiled of deciding.rules.closedBy(name, event.properties)) {
    const { id } = compiled.rule
    const correlation = correlationOf((compiled.absence ?? compiled.sequence)?.correlate, event)
    const goalOnly = !endsByUnless(deciding, compiled, event, name)
    // Its conditions do not hold, and it is no goal: it ends nothing.
    if (goalOnly && !compiled.goalMatches(name)) continue
    const closing: Closing = {
      at: event.occurredAt,
      ...(correlation !== undefined && { correlation }),
      ...(goalOnly && { goal: true }),
    }
    const oldest = deciding.nowMs - memoryMs(compiled)
    const kept = [...(deciding.closings[id] ?? []), closing].filter((entry) => Date.parse(entry.at) > oldest)
    if (kept.length > 0) deciding.closings[id] = kept
    else delete deciding.closings[id]
  }
}

export function startClocks(
  deciding: Deciding,
  event: CanonicalEvent,
  name: string,
  atMs: number,
  ended: ReadonlySet<string>,
): void {
  for (const compiled of deciding.rules.startedBy(name, event.properties)) {
    const absence = compiled.absence!
    // An event that ends an instance does not start the next one.
    if (ended.has(compiled.rule.id) || endsByUnless(deciding, compiled, event, name)) continue
    if (absence.startWhere && !absence.startWhere.test(viewOf(deciding, compiled, event))) continue
    const named = correlationOf(absence.correlate, event)
    const running = runningInstance(deciding, compiled, named)
    if (running) {
      // The instance keeps the version that started it, also through resets; a late repeat changes nothing.
      if (running.version !== compiled.rule.version || atMs < Date.parse(running.startedAt)) continue
      const timer = clock(deciding, compiled, event, named ?? running.correlation, atMs)
      deciding.timers = deciding.timers.with(deciding.timers.indexOf(running), timer)
      explain(deciding, instanceOf(compiled, timer), 'RESET', [startedClause(name)])
    } else if (deciding.rules.isCurrent(compiled)) arm(deciding, compiled, event, name, named ?? UNNAMED, atMs)
  }
}

function arm(
  deciding: Deciding,
  compiled: CompiledRule,
  event: CanonicalEvent,
  name: string,
  correlation: string,
  atMs: number,
): void {
  const timer = clock(deciding, compiled, event, correlation, atMs)
  const instance = instanceOf(compiled, timer)
  const ended = endedSince(deciding, compiled, correlation, atMs, false)
  if (ended) explain(deciding, instance, ended.result, [ended.clause])
  else if (deciding.nowMs > Date.parse(timer.graceUntil) + (compiled.expiresMs ?? LATE_START_MS))
    explain(deciding, instance, 'EXPIRED', [startedClause(name), tooLateClause(deciding.nowMs - instance.ripeMs)])
  else {
    deciding.timers.push(timer)
    explain(deciding, instance, 'ARMED', [startedClause(name)])
  }
}

/** Whoever tries a version out does not wait half an hour for its message. Our choice. */
const TEST_WAIT_MS = 10_000

/** As written; of a version that only test recipients have, ten seconds at most and no grace. */
function waitOf({ rules }: Pick<Deciding, 'rules'>, { rule, absence }: CompiledRule) {
  const { withinMs, graceMs } = absence!
  return rules.rollouts?.stageOf(rule.id, rule.version)?.stage === 'test'
    ? { withinMs: Math.min(withinMs, TEST_WAIT_MS), graceMs: 0 }
    : { withinMs, graceMs }
}

function clock(
  deciding: Deciding,
  compiled: CompiledRule,
  event: CanonicalEvent,
  correlation: string,
  atMs: number,
): OpenTimer {
  const { withinMs, graceMs } = waitOf(deciding, compiled)
  return {
    rule: compiled.rule.id,
    version: compiled.rule.version,
    correlation,
    startEventId: event.id,
    startedAt: iso(atMs),
    dueAt: iso(atMs + withinMs),
    graceUntil: iso(atMs + withinMs + graceMs),
    ...(!cartIsEmpty(deciding) && { hadCart: true }),
  }
}

/**
 * The open instance a start belongs to. Sources differ in whether they name the cart, and one cart must
 * not be two instances: a start without a name is about the newest instance, and a named one takes over
 * the instance that had no name yet.
 */
function runningInstance(deciding: Deciding, compiled: CompiledRule, named: string | undefined): OpenTimer | undefined {
  const mine = deciding.timers.filter((timer) => timer.rule === compiled.rule.id)
  if (named !== undefined)
    return mine.find((timer) => timer.correlation === named) ?? mine.find((timer) => timer.correlation === UNNAMED)
  return mine.reduce<OpenTimer | undefined>(
    (newest, timer) => (newest && newest.startedAt >= timer.startedAt ? newest : timer),
    undefined,
  )
}

/** Something that ends the instance is already known: it came before its start did, or with a merge. */
export function endedSince(
  deciding: Deciding,
  compiled: CompiledRule,
  correlation: string,
  sinceMs: number,
  hadCart: boolean,
) {
  const absence = compiled.absence!
  if (hadCart && absence.cancelledByEmptyCart && cartIsEmpty(deciding))
    return { result: 'CANCELLED' as const, clause: emptyCartClause() }
  if (absence.notesClosings) {
    const closing = closingSince(deciding, compiled, absence.correlate, correlation, sinceMs)
    return (
      closing && { result: closing.goal ? ('GOAL_REACHED' as const) : ('CANCELLED' as const), clause: endedClause() }
    )
  }
  for (const name of Object.keys(deciding.state.recent)) {
    const unless = absence.unlessNames(name)
    if (!unless && !compiled.goalMatches(name)) continue
    if (countSince({ [name]: deciding.state.recent[name]! }, name, sinceMs) > 0)
      return { result: unless ? ('CANCELLED' as const) : ('GOAL_REACHED' as const), clause: endedClause(name) }
  }
  return undefined
}

/** Something that was noted to end such an instance, after that moment. */
export function closingSince(
  deciding: Deciding,
  { rule }: CompiledRule,
  correlate: readonly string[] | undefined,
  correlation: string,
  sinceMs: number,
): Closing | undefined {
  return (deciding.closings[rule.id] ?? []).find(
    (entry) => Date.parse(entry.at) > sinceMs && sameInstance(correlate, entry.correlation, correlation),
  )
}

const endsByUnless = (deciding: Deciding, compiled: CompiledRule, event: CanonicalEvent, name: string): boolean =>
  endingOf(deciding, compiled, event, name) !== undefined

/** The entry of `unless` that this event is; of several the first, as written. */
function endingOf(
  deciding: Deciding,
  compiled: CompiledRule,
  event: CanonicalEvent,
  name: string,
): EventPattern | undefined {
  const { absence } = compiled
  if (!absence?.unlessNames(name)) return undefined
  return absence.unless.find(
    ({ matches, where }) => matches(name) && (!where || where.test(viewOf(deciding, compiled, event))),
  )
}

export function removeTimer(deciding: Deciding, timer: OpenTimer): void {
  deciding.timers = deciding.timers.filter((open) => open !== timer)
}

export function instanceOf(compiled: CompiledRule, timer: OpenTimer): Instance {
  return {
    compiled,
    correlation: timer.correlation,
    eventId: timer.startEventId,
    sinceMs: Date.parse(timer.startedAt),
    ripeMs: Date.parse(timer.graceUntil),
    startedAt: timer.startedAt,
  }
}
