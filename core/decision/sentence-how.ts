/** How a decision was carried out, in sentences: channel and why, variant, offer, waiting hours, what was left out. */
import { DateTime } from 'luxon'
import { EXITS } from '../../schemas/exits.ts'
import type { Rule } from '../../schemas/rule.ts'
import { CHANNEL_WHY } from './clauses.ts'
import { actionsOf } from './compile-gates.ts'
import type { Explanation } from './decision.ts'
import type { Language } from './duration.ts'

/** Exits are sentences; inside another one they lose their capital and full stop. */
export const uncapital = (text: string) => text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '')

/** @param at ISO 8601. */
export function momentWords(at: string, zone: string, language: Language): string {
  const pt = language === 'pt'
  return DateTime.fromISO(at, { zone }).toFormat(pt ? "dd/MM/yyyy 'às' HH:mm" : "d LLL yyyy 'at' HH:mm", {
    locale: pt ? 'pt-BR' : 'en',
  })
}

/** None where nothing was to be sent; of whoever is held out, what would have been sent. */
export function howSentences(
  explanation: Explanation,
  rule: Rule | undefined,
  zone: string,
  language: Language,
): string[] {
  const { result, would } = explanation
  if ((would ?? result) !== 'ENQUEUED') return leftOut(explanation, rule, language)
  return [
    ...branchSentence(explanation, language),
    ...channelSentence(explanation, language),
    ...withIt(explanation, language),
    ...heldSentence(explanation, zone, language),
    ...leftOut(explanation, rule, language),
  ]
}

/** Only of a rule that does several things. */
function branchSentence({ clauses }: Explanation, language: Language): string[] {
  const taken = clauses.find(({ id, ok }) => ok && /^then\.branches\.\d+$/.test(id))
  if (!taken) return []
  return [
    language === 'pt'
      ? `Dos ramos da regra foi seguido “${String(taken.value)}”, o primeiro que servia.`
      : `Of the branches of the rule “${String(taken.value)}” was taken, the first that fitted.`,
  ]
}

function channelSentence({ clauses }: Explanation, language: Language): string[] {
  const chosen = clauses.find(({ id, ok }) => id === 'then.channel' && ok)
  if (!chosen || typeof chosen.value !== 'string') return []
  const why = Object.values(CHANNEL_WHY).find(({ en }) => chosen.clause.endsWith(en))
  const reason =
    why?.[language] ??
    (language === 'pt'
      ? 'o primeiro, na ordem da regra, que podia ser usado'
      : 'the first, in the order of the rule, that could be used')
  return [
    language === 'pt'
      ? `O canal escolhido foi “${chosen.value}”: ${reason}.`
      : `The channel chosen was “${chosen.value}”: ${reason}.`,
  ]
}

function withIt({ arm, result, variant, offer }: Explanation, language: Language): string[] {
  const pt = language === 'pt'
  const really = arm === 'treated' && result === 'ENQUEUED'
  const lines: string[] = []
  if (variant !== undefined)
    lines.push(pt ? `A variante sorteada foi “${variant}”.` : `The variant drawn was “${variant}”.`)
  if (offer !== undefined && really)
    lines.push(pt ? `Com ela foi a oferta “${offer}”.` : `The offer “${offer}” went with it.`)
  else if (offer !== undefined)
    lines.push(pt ? `Com ela teria ido a oferta “${offer}”.` : `The offer “${offer}” would have gone with it.`)
  return lines
}

const WAITS: Readonly<Record<string, { readonly pt: string; readonly en: string }>> = {
  'unless.quiet_hours': { pt: 'por causa do horário de silêncio', en: 'because of quiet hours' },
  'unless.quiet_hours.holidays': { pt: 'por causa de um feriado', en: 'because of a holiday' },
  'unless.send_windows': { pt: 'até a próxima janela de envio', en: 'for the next send window' },
  'then.send_at': { pt: 'até a hora escolhida para o envio', en: 'for the time chosen for sending' },
}

function heldSentence({ clauses, heldUntil }: Explanation, zone: string, language: Language): string[] {
  if (heldUntil === undefined) return []
  const reason = clauses.map(({ id, ok }) => (ok ? WAITS[id] : undefined)).find((words) => words)
  const until = momentWords(heldUntil, zone, language)
  return [
    language === 'pt'
      ? `O envio ficou para ${until}${reason ? `, ${reason.pt}` : ''}.`
      : `Sending was put off to ${until}${reason ? `, ${reason.en}` : ''}.`,
  ]
}

/** What another action or channel of the same rule met with. */
function leftOut({ result, skipped }: Explanation, rule: Rule | undefined, language: Language): string[] {
  // A reason that stands in the first sentence already is not said twice.
  const others = skipped.filter(({ code }) => code !== result)
  const lines = others.map(({ destination, action, code }) => {
    const channel = (rule ? actionsOf(rule) : []).find(
      ({ action: one, key }) => typeof key === 'string' && one.destination === destination && one.action === action,
    )?.key
    const why = uncapital(EXITS[code][language])
    if (channel !== undefined)
      return language === 'pt'
        ? `O canal “${channel}” ficou de fora: ${why}.`
        : `The channel “${channel}” was left out: ${why}.`
    return language === 'pt'
      ? `A ação em “${destination}” ficou de fora: ${why}.`
      : `The action at “${destination}” was left out: ${why}.`
  })
  return [...new Set(lines)]
}
