/** What unknown consent costs, by reason: what is missing, the sentence to add, and who would be unlocked by it. */
import type { CanonicalEvent } from '../schemas/event.ts'
import type { Unanswered } from './gate.ts'
import type { Purpose } from './purposes.ts'

/**
 * - consent_mode_off: Google's tag says of every signal that nobody set it.
 * - absent: the event carries no word about consent at all.
 * - not_asked: the banner speaks, and not about this purpose.
 * - never_asked: about a person; no banner speaks for it, only a form does.
 * - no_notice, preticked, worthless: there was a yes, and its evidence counts for nothing (LGPD art. 8 §3, §4).
 */
export const GAP_REASONS = [
  'consent_mode_off',
  'absent',
  'not_asked',
  'never_asked',
  'no_notice',
  'preticked',
  'worthless',
] as const
export type GapReason = (typeof GAP_REASONS)[number]

/** `13l3l3l3l1l1`: four times the letter of a signal that nobody set (see connectors/gtm/consent-mode.ts). */
const NEVER_SET = /^1(?:[0-9a-z]l){4}/i

export interface Gap {
  readonly reason: GapReason
  /** As sent, where that says it best: a consent string that names nobody. */
  readonly sample?: string
}

export function gapOf({ purpose, status }: Unanswered, event: Pick<CanonicalEvent, 'consent' | 'context'>): Gap {
  const stated = event.consent.find((signal) => signal.purpose === purpose.id)
  if (status === 'invalid') {
    const flags = stated?.evidence.flags ?? []
    return {
      reason: flags.includes('preticked')
        ? 'preticked'
        : flags.includes('no_notice') || !stated
          ? 'no_notice'
          : 'worthless',
    }
  }
  if (purpose.scope === 'person') return { reason: 'never_asked' }
  const google = event.context['google']
  const gcd = google !== null && typeof google === 'object' ? (google as Record<string, unknown>)['gcd'] : undefined
  if (typeof gcd === 'string' && gcd.length <= 64 && NEVER_SET.test(gcd))
    return { reason: 'consent_mode_off', sample: gcd }
  return { reason: event.consent.length === 0 ? 'absent' : 'not_asked' }
}

interface Told {
  readonly pt: string
  readonly en: string
}

export interface GapFacts {
  readonly source: string
  readonly connector: string
  readonly reason: GapReason
  readonly sample: string | null
  /** Of the events of this source, 0 to 1. */
  readonly share: number
}

const NAMES: Readonly<Record<string, string>> = {
  gtm: 'GTM',
  segment: 'Segment',
  rudderstack: 'RudderStack',
  rdstation: 'RD Station',
}

/** What is wrong, in one sentence. */
export function gapSentence({ source, connector, reason, sample, share }: GapFacts): Told {
  const name = NAMES[connector] ?? connector
  const percent = `${Math.round(share * 100)}%`
  switch (reason) {
    case 'consent_mode_off':
      return {
        pt: `Seu ${name} (${source}) envia ${sample ?? 'gcd sem resposta'}: o consent mode está desligado.`,
        en: `Your ${name} (${source}) sends ${sample ?? 'gcd without an answer'}: consent mode is off.`,
      }
    case 'absent':
      return {
        pt: `Sua fonte ${name} (${source}) não diz nada sobre consentimento em ${percent} dos eventos.`,
        en: `Your ${name} source (${source}) says nothing about consent on ${percent} of its events.`,
      }
    case 'not_asked':
      return {
        pt: `O banner de ${source} responde, mas não pergunta por esta finalidade (ou a categoria não está em signals).`,
        en: `The banner of ${source} answers, but does not ask for this purpose (or its category is not under signals).`,
      }
    case 'never_asked':
      return {
        pt: `Ninguém perguntou a estas pessoas. Um banner de cookies não fala por elas: pergunte no cadastro ou no checkout.`,
        en: 'Nobody asked these people. A cookie banner does not speak for them: ask at sign-up or checkout.',
      }
    case 'no_notice':
      return {
        pt: `Houve um sim, mas ${source} não diz em qual aviso ele se apoia: escreva sources.${source}.notice.`,
        en: `There was a yes, but ${source} does not say which notice it rests on: write sources.${source}.notice.`,
      }
    case 'preticked':
      return {
        pt: `O sim de ${source} é um padrão que ninguém respondeu (caixa já marcada): não vale (LGPD art. 8º).`,
        en: `The yes of ${source} is a default that nobody answered (a box ticked beforehand): it does not count (LGPD art. 8).`,
      }
    case 'worthless':
      return {
        pt: `O sim de ${source} veio junto com outra coisa ou foi forçado: não vale (LGPD art. 8º §3º).`,
        en: `The yes of ${source} was bundled or forced: it does not count (LGPD art. 8 §3).`,
      }
  }
}

/** What to put on the page: for people, the question; for the tag, the line of code. */
export function remedyFor(purpose: Purpose, reason: GapReason, organization: string): Told {
  if (reason === 'consent_mode_off') {
    const signals = purpose.signals.google ?? []
    const set = (answer: string) => `{${signals.map((signal) => `${signal}: '${answer}'`).join(', ')}}`
    const code = `gtag('consent', 'default', ${set('denied')}) … gtag('consent', 'update', ${set('granted')})`
    return {
      pt: `Antes da tag do Google, e de novo quando a pessoa responder: ${code}`,
      en: `Before Google's tag, and again when the person answers: ${code}`,
    }
  }
  if (reason === 'no_notice')
    return {
      pt: 'Declare o aviso e a versão que as pessoas viram.',
      en: 'Declare the notice and the version that people saw.',
    }
  const what = (text: string | undefined) => (text ? ` ${text}` : '')
  return {
    pt: `[ ] ${purpose.title.pt} (${organization}).${what(purpose.description?.pt)} Posso mudar de ideia quando quiser.`,
    en: `[ ] ${purpose.title.en} (${organization}).${what(purpose.description?.en)} I can change my mind at any time.`,
  }
}
