/**
 * An explanation in plain sentences that a support agent can read to a customer. Nothing in them names
 * or describes the person: they speak of the rule, its conditions, the purpose and what became of the message.
 */
import type { DeliveryStatus } from '../../schemas/delivery.ts'
import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import type { Conditions, Rule, Schedule } from '../../schemas/rule.ts'
import { type Clause, compileConditions, measureWords } from './compile.ts'
import { refusalWords } from './consent-words.ts'
import type { Explanation } from './decision.ts'
import { durationWords, type Language, parseDuration } from './duration.ts'
import { compileMeasure } from './measures.ts'
import { moneyWords, numberWords } from './money-words.ts'
import { howSentences, momentWords, uncapital } from './sentence-how.ts'

export interface DeliveryFacts {
  readonly status: DeliveryStatus
  /** Why, where the status does not say it: the exit of permit, map or send. */
  readonly code?: ExitCode
  readonly channel?: string
  /** What the last check rests on, where it is not what the decision rests on. */
  readonly consent?: ConsentRecord
}

/** An entry of the ledger: its id, what it says and when it was written (ISO 8601). */
export interface ConsentRecord {
  readonly entryId: string
  readonly status: string
  readonly at: string
}

export interface SentenceFacts {
  readonly explanation: Explanation
  /** The rule in the version of the explanation; without it only its id and version are told. */
  readonly rule?: Rule
  readonly purposeTitle?: { readonly pt: string; readonly en: string }
  /** Absent: no delivery exists, or it is not known what became of it. */
  readonly delivery?: DeliveryFacts
  /** The other deliveries of the same decision. */
  readonly others?: readonly DeliveryFacts[]
  /** Of the entry the explanation names. */
  readonly consent?: ConsentRecord
  /** IANA zone times are told in. Default America/Sao_Paulo. */
  readonly zone?: string
  /** The rule is not live: nothing of it happened. */
  readonly supposed?: boolean
  /** It was not stored, and history gave it again. */
  readonly recomputed?: boolean
}

/** A few sentences: what happened, what set it off, which conditions held, how it was sent, which consent, what became of it. */
export function whySentence(facts: SentenceFacts, language: Language): string {
  const pt = language === 'pt'
  const say = (portuguese: string, english: string) => (pt ? portuguese : english)
  const { explanation, rule, delivery, others = [] } = facts
  const zone = facts.zone ?? 'America/Sao_Paulo'
  const when = momentWords(explanation.at, zone, language)
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
  sentences.push(...conditionSentences(explanation, rule, language), ...howSentences(explanation, rule, zone, language))
  const consent = consentSentence(facts, zone, language)
  if (consent) sentences.push(consent)
  for (const one of delivery ? [delivery, ...others] : [])
    sentences.push(deliverySentence(one, explanation, zone, language))
  if (facts.recomputed)
    sentences.push(
      say(
        'Isto não estava guardado e foi recalculado a partir do histórico.',
        'This was not stored and was recomputed from history.',
      ),
    )
  return [...new Set(sentences)].join(' ')
}

function outcomeWords({ explanation, delivery, supposed = false }: SentenceFacts, language: Language): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const { result, arm, would } = explanation
  switch (result) {
    case 'ENQUEUED':
      if (arm === 'holdout')
        return say(
          'teria agido, mas a pessoa está na reserva geral: o grupo sorteado que não recebe nada de nenhuma regra que a usa, para medir o efeito delas juntas',
          'would have acted, but the person is in the global holdout: the group drawn to receive nothing of any rule that uses it, which measures what they are worth together',
        )
      if (arm === 'control')
        return say(
          'teria agido, mas a pessoa foi sorteada para o grupo que não recebe nada, usado para medir o efeito das mensagens',
          'would have acted, but the person was drawn into the group that receives nothing, which measures what messages are worth',
        )
      if (supposed) return say('teria agido', 'would have acted')
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
    case 'SHADOW': {
      const inShadow = say('roda em sombra e não enviou nada', 'runs in shadow and sent nothing')
      const live = would && outcomeWords({ explanation: { ...explanation, result: would }, supposed: true }, language)
      return live && would !== 'SHADOW' ? `${inShadow}; ${say('fora da sombra', 'live, it')} ${live}` : inShadow
    }
    default:
      return say(`não agiu: ${uncapital(EXITS[result].pt)}`, `did not act: ${uncapital(EXITS[result].en)}`)
  }
}

function triggerWords(explanation: Explanation, rule: Rule | undefined, language: Language): string | undefined {
  if (!rule || explanation.result === 'NOT_MATCHED') return undefined
  // What ended the wait is told among the conditions, and a wait that ended is not what the rule's trigger says.
  if (explanation.clauses.some(({ id }) => id === 'when.absence.ended')) return undefined
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
    const line = numberWords((above ?? below)!, language)
    return above === undefined
      ? say(`quando a pontuação “${score}” cai abaixo de ${line}`, `when the score “${score}” falls below ${line}`)
      : say(`quando a pontuação “${score}” sobe acima de ${line}`, `when the score “${score}” rises above ${line}`)
  }
  if ('schedule' in when) return scheduleWords(when.schedule, language)
  if ('request' in when) return say(`quando “${when.request}” é solicitado`, `when “${when.request}” is asked for`)
  const words = measureWords(compileMeasure(when, (where) => compileConditions(where, 'when.where')))
  return say(`quando passa a valer: ${words.pt}`, `when this becomes true: ${words.en}`)
}

/** "P1D@09:00 America/Sao_Paulo" as people say it; a cron line is only said to be one. */
function scheduleWords(schedule: Schedule, language: Language): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const [, days, time] = (typeof schedule === 'string' && /^P(\d+)D@(\d\d:\d\d)/.exec(schedule)) || []
  if (time === undefined) return say('em horários marcados', 'at set times')
  return Number(days) === 1
    ? say(`todos os dias às ${time}`, `every day at ${time}`)
    : say(`a cada ${days} dias, às ${time}`, `every ${days} days at ${time}`)
}

/** The limit was met by so many; of other clauses the text says enough. */
const COUNTED = /^unless\.(caps\.\d+|reentry\.max)$/

function conditionSentences({ clauses, result }: Explanation, rule: Rule | undefined, language: Language): string[] {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const words = (chosen: readonly Clause[]) =>
    chosen
      .map((entry) => {
        const { id, value, unit, ok } = entry
        const text = say(entry.pt, entry.clause)
        if (typeof value !== 'number' || ok) return text
        if (COUNTED.test(id)) return text + say(` (já eram ${value})`, ` (there were ${value})`)
        // What a number was found to be; of other values the text of the condition says enough, and they may be personal.
        if (result !== 'NOT_MATCHED') return text
        const found = unit === 'cents' ? moneyWords(value, language) : numberWords(value, language)
        return text + say(` (era ${found})`, ` (it was ${found})`)
      })
      .join('; ')
  const conditions = clauses.filter(({ id }) => /^(who|when)\.|^then\.branches$/.test(id) && !OWN_WORDS.test(id))
  if (result === 'NOT_MATCHED') {
    const broken = words(failing(conditions, rule))
    return broken === '' ? [] : [say(`Não valeu: ${broken}.`, `What did not hold: ${broken}.`)]
  }
  const held = conditions.filter((entry) => entry.ok && !TRIGGER.test(entry.id))
  const broken = clauses.filter((entry) => !entry.ok && !conditions.includes(entry) && entry.id !== 'unless.purpose')
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

/** Holds whenever the rule was set off, which the sentence about the trigger says. */
const TRIGGER = /^when\.(crosses|count|sum|avg|min|max|first|last|distinct)$/

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

function consentSentence(
  { explanation, rule, purposeTitle, consent }: SentenceFacts,
  zone: string,
  language: Language,
): string | undefined {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const { entryId, clauses, result } = explanation
  const purpose = purposeTitle?.[language] ?? rule?.unless.purpose
  const refused = clauses.find(({ id, ok }) => id === 'unless.purpose' && !ok)
  const record =
    entryId && (consent ? recordWords(consent, zone, language) : say(`registro ${entryId}`, `record ${entryId}`))
  if (refused || result === 'NO_CONSENT') {
    const of =
      purpose === undefined
        ? say('A finalidade', 'The purpose')
        : say(`A finalidade “${purpose}”`, `The purpose “${purpose}”`)
    const word =
      typeof refused?.value === 'string' ? refused.value : consent && consent.status !== 'granted' ? consent.status : ''
    const why = refusalWords(word)?.[language]
    if (record)
      return say(
        `${of} não estava autorizada${why ? `: ${why}` : ''} (${record}).`,
        `${of} was not permitted${why ? `: ${why}` : ''} (${record}).`,
      )
    if (purpose === undefined) return undefined
    return why && word !== 'unknown'
      ? say(`${of} não estava autorizada: ${why}.`, `${of} was not permitted: ${why}.`)
      : say(
          `Não há registro de autorização para a finalidade “${purpose}”.`,
          `There is no record of a permission for the purpose “${purpose}”.`,
        )
  }
  if (!record) return undefined
  const of = purpose ? say(` para a finalidade “${purpose}”`, ` for the purpose “${purpose}”`) : ''
  return say(`A decisão se apoiou no ${record}${of}.`, `The decision rests on the ${record}${of}.`)
}

const recordWords = ({ entryId, at }: ConsentRecord, zone: string, language: Language): string =>
  language === 'pt'
    ? `registro ${entryId}, de ${momentWords(at, zone, language)}`
    : `record ${entryId} of ${momentWords(at, zone, language)}`

function deliverySentence(delivery: DeliveryFacts, explanation: Explanation, zone: string, language: Language): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const rests = delivery.consent ? ` (${recordWords(delivery.consent, zone, language)})` : ''
  const channel = delivery.channel ? say(` (canal: ${delivery.channel})`, ` (channel: ${delivery.channel})`) : ''
  const why = delivery.code ? EXITS[delivery.code][language] : undefined
  const because = (why ? `: ${uncapital(why)}` : '') + rests
  switch (delivery.status) {
    case 'queued':
    case 'leased':
    case 'attempted':
      return explanation.arm === 'treated'
        ? delivery.code === 'WAITING'
          ? say(`O envio está na fila${channel}${because}.`, `It is waiting to be sent${channel}${because}.`)
          : say(`O envio está na fila${channel}.`, `It is waiting to be sent${channel}.`)
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
