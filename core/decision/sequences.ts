/**
 * Sequences: several events of a person, all of them, within a time. What is kept of each event is when it was and
 * which steps it fits, so that events may arrive in another order than they happened.
 *
 * The definition, for events of one instance since it last fired: the window is the `within` that ends at the newest of
 * them, its own start outside. The rule fires on the event whose arrival completes the steps inside that window, each
 * step by an event of its own, and then begins anew. A goal (`exit_on`) forgets what happened before it.
 *
 * Bounded: 64 events per instance (of a long run of events that fit the same steps the middle goes first) and the
 * 20 newest instances per rule.
 */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { OpenSequence } from '../../schemas/profile.ts'
import { closingSince } from './clocks.ts'
import { type Clause, countSince, type RuleView } from './compile.ts'
import { correlationOf, sameInstance, UNNAMED } from './correlation.ts'
import { type Deciding, iso, viewOf } from './deciding.ts'
import { explain } from './explanations.ts'
import { judge } from './gates.ts'
import type { CompiledRule } from './ruleset.ts'
import { brokenSequenceClause, sequenceClause } from './trigger-clauses.ts'
import type { CompiledSequence } from './triggers.ts'

export const HITS_KEPT = 64
export const SEQUENCES_KEPT = 20

type Hit = OpenSequence['hits'][number]

/** A goal forgets the steps before it. */
export function endSequences(deciding: Deciding, event: CanonicalEvent, name: string): void {
  if (deciding.sequences.length === 0) return
  const at = Date.parse(event.occurredAt)
  deciding.sequences = deciding.sequences.flatMap((open) => {
    const compiled = deciding.rules.versionOf(open.rule, open.version)!
    const { correlate } = compiled.sequence!
    if (!compiled.goalMatches(name) || !sameInstance(correlate, correlationOf(correlate, event), open.correlation))
      return [open]
    const hits = open.hits.filter(([hitAt]) => hitAt > at)
    if (hits.length === open.hits.length) return [open]
    explain(deciding, instanceOf(compiled, open, event.id, at), 'GOAL_REACHED', [brokenSequenceClause(name)])
    return hits.length > 0 ? [{ ...open, hits }] : []
  })
}

export function advanceSequences(deciding: Deciding, event: CanonicalEvent, name: string, atMs: number): void {
  for (const compiled of deciding.rules.steppedBy(name, event.properties)) {
    const sequence = compiled.sequence!
    const correlation = sequence.correlate ? correlationOf(sequence.correlate, event) : UNNAMED
    // Without the property nobody knows which instance it belongs to.
    if (correlation === undefined) continue
    const open = running(deciding, compiled, sequence, correlation, atMs)
    if (!open) continue
    const view = viewOf(deciding, compiled, event)
    const fits = stepsOf(sequence, name, view)
    if (fits === 0 || goalAfter(deciding, compiled, correlation, atMs)) continue
    const hits = withHit(open.hits, [atMs, fits], sequence.withinMs)
    const complete = isComplete(sequence, hits)
    keep(deciding, { ...open, hits: complete ? [] : hits })
    if (!complete) continue
    const { correlation: named } = open
    judge(
      deciding,
      {
        ...instanceOf(compiled, { ...open, hits }, event.id, atMs),
        correlation: sequence.correlate ? named : '',
        ripeMs: atMs,
      },
      view,
      [sequenceClause(compiled), ...whereClauses(sequence, name, view)],
    )
  }
}

/**
 * The instance this event belongs to in this version; undefined when another version has it. Steps that have begun stay
 * on the version they began under, as long as they can still be completed.
 */
function running(
  deciding: Deciding,
  compiled: CompiledRule,
  { withinMs }: CompiledSequence,
  correlation: string,
  atMs: number,
): OpenSequence | undefined {
  const { id, version } = compiled.rule
  const mine = deciding.sequences.filter((open) => open.rule === id && open.correlation === correlation)
  const own = mine.find((open) => open.version === version)
  if (own) return own
  const alive = mine.some((open) => {
    const window = deciding.rules.versionOf(id, open.version)?.sequence?.withinMs ?? withinMs
    return open.hits.at(-1)![0] > atMs - window
  })
  if (alive || !deciding.rules.isCurrent(compiled)) return undefined
  return { rule: id, version, correlation, hits: [] }
}

function keep(deciding: Deciding, sequence: OpenSequence): void {
  const { rule, correlation } = sequence
  const others = deciding.sequences.filter((open) => open.rule !== rule || open.correlation !== correlation)
  if (sequence.hits.length === 0) {
    deciding.sequences = others
    return
  }
  const mine = [...others.filter((open) => open.rule === rule), sequence]
    .sort((a, b) => a.hits.at(-1)![0] - b.hits.at(-1)![0])
    .slice(-SEQUENCES_KEPT)
  deciding.sequences = [...others.filter((open) => open.rule !== rule), ...mine]
}

function stepsOf({ steps }: CompiledSequence, name: string, view: RuleView): number {
  let bits = 0
  for (const [index, { matches, where }] of steps.entries())
    if (matches(name) && (!where || where.test(view))) bits |= 1 << index
  return bits
}

function whereClauses({ steps }: CompiledSequence, name: string, view: RuleView): Clause[] {
  return steps.flatMap(({ matches, where }) => (where && matches(name) && where.test(view) ? where.explain(view) : []))
}

/** A goal is already known that came after this step. */
function goalAfter(deciding: Deciding, compiled: CompiledRule, correlation: string, atMs: number): boolean {
  const { exit_on: goals = [] } = compiled.rule
  if (goals.length === 0) return false
  const { correlate } = compiled.sequence!
  if (correlate) return closingSince(deciding, compiled, correlate, correlation, atMs) !== undefined
  return goals.some((goal) => countSince(deciding.state.recent, goal, atMs) > 0)
}

/** The hits of the window with one more, oldest first; of the same moment in the order of arrival. */
export function withHit(hits: readonly Hit[], hit: Hit, withinMs: number): Hit[] {
  const place = hits.findLastIndex(([at]) => at <= hit[0]) + 1
  const all = hits.toSpliced(place, 0, hit)
  const oldest = all.at(-1)![0] - withinMs
  const inside = all.filter(([at]) => at > oldest)
  return inside.length > HITS_KEPT ? withoutOneOfLongestRun(inside) : inside
}

function withoutOneOfLongestRun(hits: readonly Hit[]): Hit[] {
  let best = { start: 0, length: 0 }
  let start = 0
  for (let index = 1; index <= hits.length; index++) {
    if (index < hits.length && hits[index]![1] === hits[start]![1]) continue
    if (index - start > best.length) best = { start, length: index - start }
    start = index
  }
  return hits.toSpliced(best.start + Math.floor(best.length / 2), 1)
}

/** Each step by an event of its own; `strict` in the order of the steps, by time. */
export function isComplete(
  { steps, strict }: Pick<CompiledSequence, 'steps' | 'strict'>,
  hits: readonly Hit[],
): boolean {
  if (hits.length < steps.length) return false
  if (strict) {
    let next = 0
    for (const [, fits] of hits) if (next < steps.length && fits & (1 << next)) next++
    return next === steps.length
  }
  // Sets of steps that some of the events so far can have taken.
  let reached = new Set([0])
  for (const [, fits] of hits) {
    const more = new Set(reached)
    for (const taken of reached)
      for (let step = 0; step < steps.length; step++)
        if (fits & (1 << step) && !(taken & (1 << step))) more.add(taken | (1 << step))
    reached = more
  }
  return reached.has((1 << steps.length) - 1)
}

function instanceOf(compiled: CompiledRule, { correlation, hits }: OpenSequence, eventId: string, sinceMs: number) {
  return { compiled, correlation, eventId, sinceMs, ripeMs: sinceMs, startedAt: iso(hits[0]![0]) }
}

/** Two people are one: steps of either are steps of both. Of two versions the one that began first goes on. */
export function mergeSequences(a: readonly OpenSequence[] = [], b: readonly OpenSequence[] = []): OpenSequence[] {
  const merged = new Map<string, OpenSequence>()
  for (const open of [...a, ...b].sort(byStart)) {
    const key = JSON.stringify([open.rule, open.correlation])
    const other = merged.get(key)
    if (!other) merged.set(key, open)
    else if (other.version === open.version)
      merged.set(key, {
        ...other,
        hits: [...other.hits, ...open.hits].sort((x, y) => x[0] - y[0] || x[1] - y[1]).slice(-HITS_KEPT),
      })
  }
  return [...merged.values()]
}

const byStart = (a: OpenSequence, b: OpenSequence) =>
  a.hits[0]![0] - b.hits[0]![0] || a.version - b.version || (JSON.stringify(a.hits) < JSON.stringify(b.hits) ? -1 : 1)
