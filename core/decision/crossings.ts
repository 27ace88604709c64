/** `when: {count|sum|…: …, op, value}`: whether one event carried what is measured over the line. */
import type { CanonicalEvent } from '../../schemas/event.ts'
import { clause } from './clauses.ts'
import { type Clause, measureTest, measureWords, type RuleView } from './compile.ts'
import type { CompiledMeasure } from './measures.ts'

/**
 * Compares the measure with and without this event, at the same moment: what time alone had carried back over the line
 * counts as back. Nothing has to be remembered for it, and the crossing of two people who are merged is none.
 * @returns the clause that tells of it; undefined when the line was not crossed.
 */
export function crossingClause(
  crossing: CompiledMeasure,
  view: RuleView,
  eventName: string,
  event: CanonicalEvent,
): Clause | undefined {
  const { find, holds, shows } = testOf(crossing)
  const found = find(view)
  if (!holds(found) || holds(crossing.valueBefore(view, eventName, event))) return undefined
  const { en, pt } = measureWords(crossing)
  return clause(`when.${crossing.name}`, en, pt, true, shows(found))
}

const tests = new WeakMap<CompiledMeasure, ReturnType<typeof measureTest>>()

function testOf(crossing: CompiledMeasure): ReturnType<typeof measureTest> {
  let test = tests.get(crossing)
  if (!test) {
    test = measureTest(crossing)
    tests.set(crossing, test)
  }
  return test
}
