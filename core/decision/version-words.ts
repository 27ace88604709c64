/** What the clauses of one version of a rule say, by their id: so that a stored decision needs their values alone. */
import { branchClause, noneClause } from './branches.ts'
import {
  capClause,
  contactClause,
  endedClause,
  entriesClause,
  intervalClause,
  publishedClause,
  purposeClause,
  silenceClause,
  startedClause,
  tooLateClause,
} from './clauses.ts'
import { type Clause, measureWords } from './compile.ts'
import { parseDuration } from './duration.ts'
import { takenClause } from './exclusion.ts'
import type { CompiledRule } from './ruleset.ts'
import {
  armedClause,
  audienceClause,
  lineClause,
  requestClause,
  scheduleClause,
  sequenceClause,
} from './trigger-clauses.ts'

export type ClauseWords = Pick<Clause, 'clause' | 'pt' | 'unit'>

const known = new WeakMap<CompiledRule, ReadonlyMap<string, ClauseWords>>()

/**
 * Of clauses that may be worded in several ways (which event ended a wait, which channel) one way, the likeliest; who
 * stores one that reads differently stores its words.
 */
export function wordsOf(compiled: CompiledRule): ReadonlyMap<string, ClauseWords> {
  let words = known.get(compiled)
  if (!words) {
    words = new Map(clausesOf(compiled).map(({ id, clause, pt, unit }) => [id, { clause, pt, ...(unit && { unit }) }]))
    known.set(compiled, words)
  }
  return words
}

type Worded = Pick<Clause, 'id'> & ClauseWords

function clausesOf(compiled: CompiledRule): Worded[] {
  const { rule, where, who, branches, caps, reentry } = compiled
  return [
    ...triggerClauses(compiled),
    ...where.words,
    ...who.words,
    noneClause,
    ...branches.flatMap(({ branch, who: needs }, index) => [branchClause(index, branch.id), ...needs.words]),
    publishedClause('NOT_PUBLISHED'),
    tooLateClause(0),
    purposeClause(rule.unless.purpose, { granted: false }),
    contactClause(['email']),
    contactClause(['phone']),
    ...(reentry?.max === undefined ? [] : [entriesClause(reentry.max, reentry.perSession, 0)]),
    intervalClause(''),
    ...caps.map((cap, index) => capClause(cap, index, 0)),
    ...(rule.group ? [takenClause(rule.group.id, parseDuration(rule.group.window), 0)] : []),
  ]
}

function triggerClauses(compiled: CompiledRule): Worded[] {
  const { rule, absence, sequence, crossing, line } = compiled
  const { when } = rule
  const found: Worded[] = []
  if (absence) {
    const [ending] = absence.unless
    found.push(startedClause(absence.start), silenceClause(compiled, absence.withinMs), endedClause(ending?.event))
  }
  if (sequence) found.push(sequenceClause(compiled), ...sequence.steps.flatMap((step) => step.where?.words ?? []))
  if (crossing) {
    const { en, pt } = measureWords(crossing)
    found.push({ id: `when.${crossing.name}`, clause: en, pt })
  }
  if (line) found.push(lineClause(line, 0, true), armedClause(line, ''))
  if ('schedule' in when) found.push(scheduleClause(''))
  if ('audience' in when)
    found.push(
      'enters' in when.audience
        ? audienceClause(when.audience.enters, 'entered')
        : audienceClause(when.audience.leaves, 'left'),
    )
  if ('request' in when) found.push(requestClause(when.request))
  return found
}
