/** Clauses of an explanation that are not conditions of the rule: the clock, caps, re-entry, lateness. */
import type { Clause, ClauseValue } from './compile.ts'
import { durationWords } from './duration.ts'
import type { CompiledRule } from './ruleset.ts'

export function clause(id: string, en: string, pt: string, ok: boolean, value: ClauseValue): Clause {
  return { id, clause: en, pt, ok, value }
}

export const startedClause = (name: string) =>
  clause('when.absence.start', `"${name}" started the clock`, `"${name}" iniciou a contagem`, true, null)

export const endedClause = (name?: string) =>
  name === undefined
    ? clause('when.absence.unless', 'nothing ended the wait', 'nada encerrou a espera', false, null)
    : clause('when.absence.unless', `no "${name}" during the wait`, `nenhum "${name}" durante a espera`, false, 1)

export const emptyCartClause = () =>
  clause('when.absence.unless', 'the cart still has something in it', 'o carrinho ainda tem algo', false, 0)

export function silenceClause(compiled: CompiledRule): Clause {
  const { withinMs, start } = compiled.absence!
  return clause(
    'when.absence.within',
    `nothing ended the wait of ${durationWords(withinMs, 'en')} after "${start}"`,
    `nada encerrou a espera de ${durationWords(withinMs, 'pt')} depois de "${start}"`,
    true,
    true,
  )
}

export const tooLateClause = (lateMs: number) =>
  clause(
    'then.expires',
    'it was still worth acting',
    'ainda valia a pena agir',
    false,
    `PT${Math.floor(lateMs / 1000)}S`,
  )

const REFUSED: Readonly<Record<string, readonly [string, string]>> = {
  PAUSED: ['the rule is not paused', 'a regra não está pausada'],
  KILLED: ['the rule is not stopped', 'a regra não está parada'],
  NOT_PUBLISHED: ['the rule is published to this person', 'a regra está publicada para esta pessoa'],
}

export function publishedClause(refusal: string): Clause {
  const [en, pt] = REFUSED[refusal] ?? REFUSED['NOT_PUBLISHED']!
  return clause('rollout', en, pt, false, refusal)
}
