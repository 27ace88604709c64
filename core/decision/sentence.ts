/**
 * An explanation in plain sentences that a support agent can read to a customer. Nothing in them names
 * or describes the person: they speak of the rule, its conditions, the purpose and what became of the message.
 */
import { DateTime } from 'luxon'
import type { DeliveryStatus } from '../../schemas/delivery.ts'
import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import type { Conditions, Rule } from '../../schemas/rule.ts'
import { type Clause, compileConditions, measureWords } from './compile.ts'
import type { Explanation } from './decision.ts'
import { durationWords, type Language, parseDuration } from './duration.ts'
import { compileMeasure } from './measures.ts'

export interface DeliveryFacts {
  readonly status: DeliveryStatus
  /** Why, where the status does not say it: the exit of permit, map or send. */
  readonly code?: ExitCode
  readonly channel?: string
}

export interface SentenceFacts {
  readonly explanation: Explanation
  /** The rule in the version of the explanation; without it only its id and version are told. */
  readonly rule?: Rule
  readonly purposeTitle?: { readonly pt: string; readonly en: string }
  /** Absent: no delivery exists, or it is not known what became of it. */
  readonly delivery?: DeliveryFacts
  /** IANA zone times are told in. Default America/Sao_Paulo. */
  readonly zone?: string
}

/** Two to five sentences: what happened, what set it off, which conditions held, which consent, which arm. */
export function whySentence(facts: SentenceFacts, language: Language): string {
  const pt = language === 'pt'
  const say = (portuguese: string, english: string) => (pt ? portuguese : english)
  const { explanation, rule, delivery } = facts
  const at = DateTime.fromISO(explanation.at, { zone: facts.zone ?? 'America/Sao_Paulo' })
  const when = at.toFormat(say("dd/MM/yyyy 'às' HH:mm", "d LLL yyyy 'at' HH:mm"), { locale: pt ? 'pt-BR' : 'en' })
  const title = rule?.title?.[language] ?? explanation.rule
  const name = say(
    `a regra “${title}” (versão ${explanation.version})`,
    `the rule “${title}” (version ${explanation.version})`,
  )
  const sentences = [
    say(
      `Em ${when}, ${name} ${outcomeWords(facts, language)}.`,
      `On ${when}, ${name} ${outcomeWords(facts, language)}.`,
    ),
  ]
  const trigger = triggerWords(explanation, rule, language)
  if (trigger) sentences.push(trigger)
  sentences.push(...conditionSentences(explanation, rule, language))
  const consent = consentSentence(facts, language)
  if (consent) sentences.push(consent)
  if (delivery) sentences.push(deliverySentence(delivery, explanation, language))
  return sentences.join(' ')
}

function outcomeWords({ explanation, delivery }: SentenceFacts, language: Language): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const { result, arm } = explanation
  switch (result) {
    case 'ENQUEUED':
      if (arm === 'control' || arm === 'holdout')
        return say(
          'teria agido, mas a pessoa foi sorteada para o grupo que não recebe nada, usado para medir o efeito das mensagens',
          'would have acted, but the person was drawn into the group that receives nothing, which measures what messages are worth',
        )
      return delivery?.status === 'delivered' && delivery.channel !== undefined
        ? say('enviou uma mensagem', 'sent a message')
        : say('decidiu agir', 'decided to act')
    case 'ARMED':
      return say('começou a esperar', 'began to wait')
    case 'RESET':
      return say(
        'recomeçou a espera, porque o mesmo ato se repetiu',
        'began its wait again, because the same act was repeated',
      )
    case 'CANCELLED':
      return say('parou de esperar e não fez nada', 'stopped waiting and did nothing')
    case 'NOT_MATCHED':
      return say(
        'foi avaliada e não agiu, porque uma condição não valeu',
        'was tried and did not act, because a condition did not hold',
      )
    default:
      return say(`não agiu: ${uncapital(EXITS[result].pt)}`, `did not act: ${uncapital(EXITS[result].en)}`)
  }
}

/** Exits are sentences; inside another one they lose their capital and full stop. */
const uncapital = (text: string) => text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '')

function triggerWords(explanation: Explanation, rule: Rule | undefined, language: Language): string | undefined {
  if (!rule || explanation.result === 'NOT_MATCHED') return undefined
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const words = whenWords(rule, language)
  return say(`Ela reage ${words}.`, `It responds ${words}.`)
}

/** What a rule waits for, to go on after "Ela reage" / "It responds". */
export function whenWords({ when }: Pick<Rule, 'when'>, language: Language): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  if ('event' in when) return say(`a “${when.event}”`, `to “${when.event}”`)
  if ('absence' in when) {
    const { start, within } = when.absence
    const wait = durationWords(parseDuration(within), language)
    return say(
      `quando, depois de “${start.event}”, passa o tempo de ${wait} sem que algo encerre a espera`,
      `when ${wait} pass after “${start.event}” and nothing ends the wait`,
    )
  }
  if ('sequence' in when) {
    const { steps, order, within } = when.sequence
    const names = steps.map(({ event }) => `“${event}”`).join(order === 'any' ? ', ' : say(', depois ', ', then '))
    const time = durationWords(parseDuration(within), language)
    return say(`quando ocorrem ${names} no período de ${time}`, `when ${names} happen within ${time}`)
  }
  if ('audience' in when)
    return 'enters' in when.audience
      ? say(
          `quando alguém entra no público “${when.audience.enters}”`,
          `when somebody enters the audience “${when.audience.enters}”`,
        )
      : say(
          `quando alguém sai do público “${when.audience.leaves}”`,
          `when somebody leaves the audience “${when.audience.leaves}”`,
        )
  if ('crosses' in when) {
    const { score, above, below } = when.crosses
    return above === undefined
      ? say(`quando a pontuação “${score}” cai abaixo de ${below}`, `when the score “${score}” falls below ${below}`)
      : say(`quando a pontuação “${score}” sobe acima de ${above}`, `when the score “${score}” rises above ${above}`)
  }
  if ('schedule' in when) return say('em horários marcados', 'at set times')
  if ('request' in when) return say(`quando “${when.request}” é solicitado`, `when “${when.request}” is asked for`)
  const words = measureWords(compileMeasure(when, (where) => compileConditions(where, 'when.where')))
  return say(`quando passa a valer: ${words.pt}`, `when this becomes true: ${words.en}`)
}

function conditionSentences({ clauses, result }: Explanation, rule: Rule | undefined, language: Language): string[] {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const words = (chosen: readonly Clause[]) =>
    chosen.map((entry) => (language === 'pt' ? entry.pt : entry.clause)).join('; ')
  const conditions = clauses.filter((entry) => /^(who|when)\./.test(entry.id) && !OWN_WORDS.test(entry.id))
  if (result === 'NOT_MATCHED') {
    const broken = words(failing(conditions, rule))
    return broken === '' ? [] : [say(`Não valeu: ${broken}.`, `What did not hold: ${broken}.`)]
  }
  const held = conditions.filter((entry) => entry.ok)
  const broken = clauses.filter((entry) => !entry.ok && !conditions.includes(entry))
  return [
    ...(held.length > 0 ? [say(`Valeram as condições: ${words(held)}.`, `The conditions held: ${words(held)}.`)] : []),
    ...(broken.length > 0 && result !== 'ENQUEUED'
      ? [say(`Teria sido preciso: ${words(broken)}.`, `It would have needed: ${words(broken)}.`)]
      : []),
  ]
}

/** Clauses of the trigger that the sentence about the trigger has told already. */
const OWN_WORDS =
  /^when\.(absence\.(start|within|unless)$|sequence$|sequence\.goal$|audience$|schedule$|request$|version$)/

/** In `any` one clause is enough, so its failures matter only when none held. */
function failing(conditions: readonly Clause[], rule: Rule | undefined): Clause[] {
  const who = conditions.filter(({ id }) => id.startsWith('who.'))
  const others = conditions.filter((entry) => !who.includes(entry))
  // `where` of an event trigger, told alone when it was the reason.
  const groups: [readonly Clause[], Conditions | undefined, string][] = [
    [who, rule?.who, 'who'],
    [others, rule && 'event' in rule.when ? rule.when.where : undefined, 'when.where'],
  ]
  return groups.flatMap(([clauses, written, path]) => {
    const compiled = compileConditions(written, path)
    const broken = compiled.broken(clauses)
    return broken.length > 0 ? broken : clauses.filter(({ ok }) => !ok)
  })
}

function consentSentence({ explanation, rule, purposeTitle }: SentenceFacts, language: Language): string | undefined {
  if (!explanation.entryId) return undefined
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const purpose = purposeTitle?.[language] ?? rule?.unless.purpose
  const of = purpose ? say(` para a finalidade “${purpose}”`, ` for the purpose “${purpose}”`) : ''
  return say(
    `A decisão se apoiou no registro ${explanation.entryId}${of}.`,
    `The decision rests on the record ${explanation.entryId}${of}.`,
  )
}

function deliverySentence(delivery: DeliveryFacts, explanation: Explanation, language: Language): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const channel = delivery.channel ? say(` (canal: ${delivery.channel})`, ` (channel: ${delivery.channel})`) : ''
  const why = delivery.code ? EXITS[delivery.code][language] : undefined
  const because = why ? `: ${uncapital(why)}` : ''
  switch (delivery.status) {
    case 'queued':
    case 'leased':
    case 'attempted':
      return explanation.arm === 'treated'
        ? say(`O envio está na fila${channel}.`, `It is waiting to be sent${channel}.`)
        : say('Nada será enviado.', 'Nothing will be sent.')
    case 'retry':
      return say(
        `O envio falhou e será tentado de novo${channel}.`,
        `Sending failed and will be tried again${channel}.`,
      )
    case 'delivered':
      return say(`A ferramenta de destino aceitou o envio${channel}.`, `The receiving tool accepted it${channel}.`)
    case 'held_out':
      return say('Nada foi enviado.', 'Nothing was sent.')
    case 'blocked':
    case 'suppressed':
      return say(`O envio foi impedido na última conferência${because}.`, `It was stopped by the last check${because}.`)
    case 'cancelled':
      return say(`O envio foi cancelado antes de sair${because}.`, `It was cancelled before it left${because}.`)
    case 'superseded':
      return say('Um valor mais novo foi enviado no lugar.', 'A newer value was sent in its place.')
    case 'uncertain':
      return say(
        'A resposta da ferramenta de destino se perdeu, e não se sabe se o envio chegou.',
        'The answer of the receiving tool was lost, and it is not known whether it arrived.',
      )
    case 'dead':
      return say(`O envio não foi possível${because}.`, `It could not be sent${because}.`)
  }
}
