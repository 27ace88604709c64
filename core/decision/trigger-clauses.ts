/** Clauses that tell what set a rule off, where that is more than one event or a clock. */
import { clause } from './clauses.ts'
import type { Clause } from './compile.ts'
import { durationWords } from './duration.ts'
import { numberWords } from './money-words.ts'
import type { CompiledRule } from './ruleset.ts'
import type { CompiledLine } from './triggers.ts'

const sequences = new WeakMap<CompiledRule, Clause>()

/** The same at every completion. */
export function sequenceClause(compiled: CompiledRule): Clause {
  const known = sequences.get(compiled)
  if (known) return known
  const made = sequenceWords(compiled)
  sequences.set(compiled, made)
  return made
}

function sequenceWords(compiled: CompiledRule): Clause {
  const { steps, strict, withinMs } = compiled.sequence!
  const names = steps.map(({ event }) => `"${event}"`)
  const [en, pt] = strict ? [names.join(', then '), names.join(', depois ')] : [names.join(', '), names.join(', ')]
  return clause(
    'when.sequence',
    `${en} happened within ${durationWords(withinMs, 'en')}`,
    `${pt} ocorreram no período de ${durationWords(withinMs, 'pt')}`,
    true,
    steps.length,
  )
}

export const brokenSequenceClause = (name?: string) =>
  name === undefined
    ? clause('when.sequence.goal', 'no goal was reached in between', 'nenhum objetivo foi alcançado antes', false, null)
    : clause('when.sequence.goal', `no "${name}" in between`, `nenhum "${name}" antes`, false, 1)

export function lineClause({ score, line, direction }: CompiledLine, value: number, ok: boolean): Clause {
  const above = direction === 'above'
  return clause(
    'when.crosses',
    `score "${score}" went ${above ? 'above' : 'below'} ${line}`,
    `a pontuação "${score}" passou ${above ? 'acima' : 'abaixo'} de ${numberWords(line, 'pt')}`,
    ok,
    value,
  )
}

export const armedClause = ({ rearm, direction }: CompiledLine, since: string) =>
  clause(
    'when.crosses.rearm',
    `the score had been ${direction === 'above' ? 'at or below' : 'at or above'} ${rearm} since the rule last fired`,
    `a pontuação esteve em ${numberWords(rearm, 'pt')} ou ${direction === 'above' ? 'menos' : 'mais'} desde o último disparo da regra`,
    false,
    since,
  )

export function audienceClause(audience: string, change: 'entered' | 'left'): Clause {
  const entered = change === 'entered'
  return clause(
    'when.audience',
    `${entered ? 'entered' : 'left'} the audience "${audience}"`,
    `${entered ? 'entrou no' : 'saiu do'} público "${audience}"`,
    true,
    true,
  )
}

export const scheduleClause = (slot: string) => clause('when.schedule', 'it was time', 'era a hora marcada', true, slot)

export const requestClause = (request: string) =>
  clause('when.request', `"${request}" was asked for`, `"${request}" foi solicitado`, true, true)
