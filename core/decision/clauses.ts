/** Clauses of an explanation that are not conditions of the rule: the clock, caps, re-entry, lateness. */
import type { IdentifierType } from '../../schemas/event.ts'
import { CAP_WORDS, type CompiledCap, capWindowWords } from './caps.ts'
import type { Clause, ClauseValue } from './compile.ts'
import { refusalOf } from './consent-words.ts'
import type { ConsentAnswer } from './decision.ts'
import { durationWords } from './duration.ts'
import type { Silence } from './quiet-hours.ts'
import type { CompiledRule } from './ruleset.ts'
import type { Planned } from './send-plan.ts'

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

/** @param withinMs how long it waited: in test that is shorter than the rule says. */
export function silenceClause(compiled: CompiledRule, withinMs: number): Clause {
  const { start } = compiled.absence!
  return clause(
    'when.absence.within',
    `nothing ended the wait of ${durationWords(withinMs, 'en')} after "${start}"`,
    `nada encerrou a espera de ${durationWords(withinMs, 'pt')} depois de "${start}"`,
    true,
    true,
  )
}

/** Why a preferred channel is preferred. */
export const CHANNEL_WHY: Readonly<Record<string, { en: string; pt: string }>> = {
  said: { en: 'as the person said', pt: 'como a pessoa disse' },
  clicked: { en: 'where the person last clicked', pt: 'onde a pessoa clicou por último' },
  opened: { en: 'where the person last opened something', pt: 'onde a pessoa abriu algo por último' },
}

/** @param why of a preference; undefined where the order of the rule alone decided. */
export function channelClause(channel: string, why: string | undefined): Clause {
  const words = why === undefined ? undefined : CHANNEL_WHY[why]
  return clause(
    'then.channel',
    `the channel is one that may and can be used${words ? `, preferred: ${words.en}` : ''}`,
    `o canal pode ser usado${words ? `, preferido: ${words.pt}` : ''}`,
    true,
    channel,
  )
}

const SILENCE = {
  quiet_hours: { en: 'quiet hours', pt: 'horário de silêncio' },
  holidays: { en: 'a holiday', pt: 'feriado' },
  send_windows: { en: 'the send windows', pt: 'janelas de envio' },
} as const

const silenceId = (silence: Silence | undefined) =>
  silence === undefined ? 'then.send_at' : silence === 'holidays' ? 'unless.quiet_hours.holidays' : `unless.${silence}`

/** It waits, by the clock of a zone, until `until` (ISO). */
export function heldClause({ silence, zone }: Planned, until: string): Clause {
  const words = silence && SILENCE[silence]
  return clause(
    silenceId(silence),
    words ? `held by ${words.en} (${zone})` : `leaves at its time (${zone})`,
    words ? `espera: ${words.pt} (${zone})` : `sai na sua hora (${zone})`,
    true,
    until,
  )
}

/** It is not sent for the same reason. @param skip the rule says so; else it would not be worth sending afterwards. */
export function silenceClauseOf({ silence, zone, at }: Planned, skip: boolean): Clause {
  const words = silence && SILENCE[silence]
  const late = { en: 'it is still worth sending when it may leave', pt: 'ainda vale a pena enviar quando puder sair' }
  const now = words && { en: `may leave now: ${words.en} (${zone})`, pt: `pode sair agora: ${words.pt} (${zone})` }
  const said = (skip && now) || late
  return clause(silenceId(silence), said.en, said.pt, false, at === undefined ? null : new Date(at).toISOString())
}

export const tooLateClause = (lateMs: number) =>
  clause(
    'then.expires',
    'it was still worth acting',
    'ainda valia a pena agir',
    false,
    `PT${Math.floor(lateMs / 1000)}S`,
  )

/** Its value is why not: a status, or another word of the policy table. */
export const purposeClause = (purpose: string, answer: ConsentAnswer, id = 'unless.purpose') =>
  clause(
    id,
    `the purpose "${purpose}" is permitted`,
    `a finalidade "${purpose}" está autorizada`,
    false,
    refusalOf(answer),
  )

const IDENTIFIER_WORDS: Partial<Record<IdentifierType, { readonly pt: string; readonly en: string }>> = {
  email: { pt: 'e-mail', en: 'e-mail address' },
  phone: { pt: 'telefone', en: 'phone number' },
}

/** One id for each kind of contact: several channels may be out of reach. */
export function contactClause(identifiers: readonly IdentifierType[]): Clause {
  const words = (language: 'pt' | 'en') => identifiers.map((type) => IDENTIFIER_WORDS[type]?.[language] ?? type)
  return clause(
    `then.contact.${identifiers.join('+')}`,
    `a contact is known: ${words('en').join(' or ')}`,
    `um contato é conhecido: ${words('pt').join(' ou ')}`,
    false,
    null,
  )
}

export const undeclaredClause = ({ destination, action }: { readonly destination: string; readonly action: string }) =>
  clause(
    `then.action.${destination}.${action}`,
    `the action "${action}" of "${destination}" exists`,
    `a ação "${action}" de "${destination}" existe`,
    false,
    null,
  )

export const capClause = (cap: CompiledCap, index: number, used: number) =>
  clause(
    `unless.caps.${index}`,
    `fewer than ${cap.max} ${capWindowWords(cap, 'en')} ${CAP_WORDS[cap.per].en}`,
    `menos de ${cap.max} ${capWindowWords(cap, 'pt')} ${CAP_WORDS[cap.per].pt}`,
    false,
    used,
  )

export const entriesClause = (max: number, perSession: boolean, entered: number) =>
  clause(
    'unless.reentry.max',
    `entered fewer than ${max} times${perSession ? ' in this session' : ''}`,
    `entrou menos de ${max} vezes${perSession ? ' nesta sessão' : ''}`,
    false,
    entered,
  )

/** @param last when the last entry was, ISO. */
export const intervalClause = (last: string) =>
  clause(
    'unless.reentry.min_interval',
    'the last entry is long enough ago',
    'a última entrada foi há tempo suficiente',
    false,
    last,
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
