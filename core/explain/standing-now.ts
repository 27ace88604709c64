/** How a rule and a person stand to each other now: the reason of a rule that was never asked. Read when somebody asks. */
import { decide as askGate, isHalt } from '../../consent/gate.ts'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { standingStatus } from '../../consent/signals.ts'
import type { PurposeStatus } from '../../consent/status.ts'
import type { Rule } from '../../schemas/rule.ts'
import type { WhyAnswer } from '../../schemas/why.ts'
import { refusalOf, refusalWords } from '../decision/consent-words.ts'
import type { Language } from '../decision/duration.ts'
import { nameMatches, triggerName } from '../decision/index.ts'
import { isMeasure, measureOf } from '../decision/measures.ts'
import { numberWords } from '../decision/money-words.ts'
import { whenWords } from '../decision/sentence.ts'
import { momentWords } from '../decision/sentence-how.ts'
import { readStages, readSwitches, stoppedBy } from '../rules/book.ts'
import type { StateStore } from '../stores/open.ts'

type Now = WhyAnswer['now']

interface StandingPorts {
  readonly state: StateStore
  readonly purposes: Purposes
  /** Epoch milliseconds. */
  readonly now: number
}

export async function standingNow(
  person: string,
  { id, version, when, unless }: Rule,
  ports: StandingPorts,
): Promise<Now> {
  const { db } = ports.state
  const purpose = ports.purposes.get(unless.purpose)
  const stage = (await readStages(db)).find((row) => row.rule === id && row.version === version)
  const rows = await db
    .selectFrom('history')
    .innerJoin('nodes', 'nodes.id', 'history.node_id')
    .select(['history.name', 'history.type', 'history.purposes', (eb) => eb.fn.countAll().as('n')])
    .where('nodes.person_id', '=', person)
    .groupBy(['history.name', 'history.type', 'history.purposes'])
    .execute()
  const kept = rows.map(({ name, type, purposes, n }) => ({
    name: triggerName({ type: type as 'track', name }),
    mine: (JSON.parse(purposes) as string[]).includes(unless.purpose),
    n: Number(n),
  }))
  const count = (pattern: string, mine: boolean) =>
    kept.reduce((sum, one) => sum + (one.mine === mine && nameMatches(pattern, one.name) ? one.n : 0), 0)
  return {
    consent: purpose ? await consentNow(person, purpose, ports) : null,
    stage: stage?.stage ?? null,
    share: stage?.stage === 'live' ? stage.share : null,
    stopped: stoppedBy(await readSwitches(db), id) ?? null,
    events: startsOf(when).map((name) => ({ name, kept: count(name, true), elsewhere: count(name, false) })),
  }
}

/** Names and patterns of events that set a rule off or start its clock. */
function startsOf(when: Rule['when']): string[] {
  if ('event' in when) return [when.event]
  if ('absence' in when) return [when.absence.start.event]
  if ('sequence' in when) return [...new Set(when.sequence.steps.map(({ event }) => event))]
  return isMeasure(when) ? [measureOf(when).measured.event] : []
}

async function consentNow(
  person: string,
  purpose: Purpose,
  { state, purposes, now }: StandingPorts,
): Promise<NonNullable<Now['consent']>> {
  const row = await state.db
    .selectFrom('consent_status')
    .innerJoin('nodes', 'nodes.id', 'consent_status.node_id')
    .select('consent_status.body')
    .where('nodes.person_id', '=', person)
    .where('consent_status.purpose', '=', purpose.id)
    .orderBy('consent_status.updated_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  const current = row && (JSON.parse(row.body) as PurposeStatus)
  const at = new Date(now).toISOString()
  const answer = askGate(purpose, ({ id }) => (id === purpose.id ? current : undefined), purposes, at)
  const reason = isHalt(answer) ? answer.reasons[0]?.code : undefined
  return {
    status: standingStatus(purpose, current, at),
    refused: isHalt(answer)
      ? refusalOf({ granted: false, code: answer.code, ...(reason !== undefined && { reason }) })
      : null,
    since: current?.receivedAt ?? null,
    entryId: current?.entryId ?? null,
  }
}

/** Why nobody asked the rule about this person: it is stopped, its purpose is not permitted, or nothing set it off. */
export function neverAskedSentence(
  rule: Rule,
  { consent, stopped, stage, share, events }: Now,
  { title, zone }: { readonly title: { readonly pt: string; readonly en: string } | undefined; readonly zone: string },
  language: Language,
): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const name = rule.title?.[language] ?? rule.id
  const purpose = title?.[language] ?? rule.unless.purpose
  const sentences = [
    say(
      `A regra “${name}” nunca foi consultada para esta pessoa.`,
      `The rule “${name}” was never asked about this person.`,
    ),
  ]
  if (stopped) sentences.push(say('Ela está parada para todos.', 'It is stopped for everybody.'))
  else if (stage === 'draft' || stage === 'retired')
    sentences.push(say('Ela não está publicada.', 'It is not published.'))
  else if (stage === 'test')
    sentences.push(say('Ela só vale para quem a testa.', 'It holds only for those who test it.'))
  if (consent && consent.refused !== null) {
    const since = consent.since === null ? '' : momentWords(consent.since, zone, language)
    const words = refusalWords(consent.refused)?.[language] ?? consent.refused
    const record =
      consent.entryId === null
        ? ''
        : say(` (registro ${consent.entryId}, de ${since})`, ` (record ${consent.entryId} of ${since})`)
    sentences.push(
      say(
        `A finalidade “${purpose}” não está autorizada: ${words}${record}. O que acontece não é guardado para ela, e a regra não o vê.`,
        `The purpose “${purpose}” is not permitted: ${words}${record}. What happens is not kept for it, and the rule does not see it.`,
      ),
    )
  }
  const elsewhere = events.filter((one) => one.kept === 0 && one.elsewhere > 0)
  for (const { name, elsewhere: n } of elsewhere)
    sentences.push(
      say(
        `“${name}” ocorreu ${n === 1 ? 'uma vez' : `${n} vezes`}, guardado só para outras finalidades.`,
        `“${name}” happened ${n === 1 ? 'once' : `${n} times`}, kept for other purposes only.`,
      ),
    )
  if (elsewhere.length === 0)
    sentences.push(
      say(
        `Ela reage ${whenWords(rule, language)}, e nada do que foi guardado para a finalidade dela a dispara.`,
        `It responds ${whenWords(rule, language)}, and nothing that was kept for its purpose sets it off.`,
      ),
    )
  if (share !== null && share < 1)
    sentences.push(
      say(
        `Hoje ela vale para ${percent(share, language)} das pessoas.`,
        `Today it holds for ${percent(share, language)} of people.`,
      ),
    )
  return sentences.join(' ')
}

const percent = (share: number, language: Language) => `${numberWords(Math.round(share * 10_000) / 100, language)} %`
