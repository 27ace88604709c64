/**
 * Google Consent Mode as evidence: `gcd` and `gcs` of a hit, and the `consent` commands of gtag.
 * gcd is not documented by Google; the bit form is that of public analyses of gtag.js
 * (https://www.simoahava.com/analytics/consent-mode-v2-google-tags/).
 */
import type { ConsentEvidence } from '../../core/kit/index.ts'

export const GOOGLE_SIGNALS = [
  'ad_storage',
  'analytics_storage',
  'ad_user_data',
  'ad_personalization',
  'functionality_storage',
  'personalization_storage',
  'security_storage',
] as const
export type GoogleSignal = (typeof GOOGLE_SIGNALS)[number]
type Answer = 'granted' | 'denied'

/** What one signal of gcd says: the site's default and what an update made of it. */
export interface SignalState {
  readonly default?: Answer
  readonly update?: Answer
}

export interface Gcd {
  readonly signals: Readonly<Record<(typeof GCD_ORDER)[number], SignalState>>
  /** The browser sent Global Privacy Control. */
  readonly gpc: boolean
  readonly active: boolean
}

const GCD_ORDER = ['ad_storage', 'analytics_storage', 'ad_user_data', 'ad_personalization'] as const
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const GCD = /^1(?:[0-9a-z][\w-]){4}/i

const STATES = [undefined, undefined, 'denied', 'granted'] as const

/**
 * `1`, four times (separator, letter), flags. letter = BASE64[declare << 4 | default << 2 | update],
 * each 1 unset, 2 denied, 3 granted; `declare` is no answer and is not read. Flags: 8 GPC, 4 consent mode active.
 * @returns undefined when it is not a gcd.
 */
export function readGcd(raw: string): Gcd | undefined {
  if (!GCD.test(raw)) return undefined
  const signals = GCD_ORDER.map((name, index): [string, SignalState] => {
    const bits = BASE64.indexOf(raw.charAt(2 + 2 * index))
    const byDefault = STATES[(bits >> 2) & 3]
    const update = STATES[bits & 3]
    return [name, { ...(byDefault && { default: byDefault }), ...(update && { update }) }]
  })
  const flags = Number.parseInt(raw.charAt(9), 36)
  return {
    signals: Object.fromEntries(signals) as Gcd['signals'],
    gpc: (flags & 8) !== 0,
    active: (flags & 4) !== 0,
  }
}

/** `G1<ad_storage><analytics_storage>`: 1 granted, 0 denied, - unset. Undefined when it is not a gcs. */
export function readGcs(raw: string): Partial<Record<'ad_storage' | 'analytics_storage', Answer>> | undefined {
  const match = /^G1([01-])([01-])$/.exec(raw)
  if (!match) return undefined
  const read = (mark: string | undefined): Answer | undefined =>
    mark === '1' ? 'granted' : mark === '0' ? 'denied' : undefined
  const ads = read(match[1])
  const analytics = read(match[2])
  return { ...(ads && { ad_storage: ads }), ...(analytics && { analytics_storage: analytics }) }
}

type Answers = Record<string, { answer: Answer; flags?: ['preticked'] }>

/**
 * A default is the site's, not the person's, whichever it is: granted, it is a box ticked beforehand (LGPD art. 8 §4);
 * denied, it is what every page says before its banner has read yesterday's answer, and takes nothing back.
 */
const byDefault = (answer: Answer): Answers[string] => ({ answer, flags: ['preticked'] })

const evidence = (actor: 'subject' | 'system', answers: Answers, raw: unknown): ConsentEvidence[] =>
  Object.keys(answers).length === 0 ? [] : [{ vendor: 'google', answers, method: 'cmp_string', actor, raw }]

/**
 * The evidence of one hit. gcd (four signals) wins over gcs (two). It is one statement, because a purpose may need
 * several signals together: the person's where anything was updated, the site's where all are defaults. An unset
 * signal says nothing, though gtag itself behaves as if it were granted.
 */
export function consentOfHit(hit: {
  readonly gcd?: string | undefined
  readonly gcs?: string | undefined
  readonly secGpc?: string | undefined
}): ConsentEvidence[] {
  const raw = { ...(hit.gcd !== undefined && { gcd: hit.gcd }), ...(hit.gcs !== undefined && { gcs: hit.gcs }) }
  const gcd = hit.gcd === undefined ? undefined : readGcd(hit.gcd)
  const answers: Answers = {}
  let updated = gcd === undefined
  if (gcd) {
    for (const [name, state] of Object.entries(gcd.signals)) {
      if (state.update) {
        answers[name] = { answer: state.update }
        updated = true
      } else if (state.default) answers[name] = byDefault(state.default)
    }
  } else {
    for (const [name, answer] of Object.entries((hit.gcs !== undefined && readGcs(hit.gcs)) || {}))
      answers[name] = { answer }
  }
  return [
    ...evidence(updated ? 'subject' : 'system', answers, raw),
    ...(gcd?.gpc || hit.secGpc === '1' ? [gpc({ ...raw, ...(hit.secGpc === '1' && { 'sec-gpc': '1' }) })] : []),
  ]
}

const gpc = (raw: unknown): ConsentEvidence => ({
  vendor: 'gpc',
  answers: { gpc: { answer: 'denied' } },
  method: 'gpc',
  actor: 'browser_signal',
  raw,
})

/** What the consent commands of one page said so far; later commands add to it. */
export type ConsentState = Map<GoogleSignal, { readonly answer: Answer; readonly kind: 'default' | 'update' }>

/**
 * `gtag('consent', 'default' | 'update', {…})`. The evidence is the whole state after the command, as gcd would
 * carry it: a site may answer one signal at a time.
 * @param answeredLater signals that a later update of the same request states: their default is history already.
 */
export function consentOfCommand(
  kind: 'default' | 'update',
  settings: Readonly<Record<string, unknown>>,
  state: ConsentState,
  answeredLater: ReadonlySet<string>,
): ConsentEvidence[] {
  let stated = false
  for (const name of GOOGLE_SIGNALS) {
    const answer = Object.hasOwn(settings, name) ? settings[name] : undefined
    if (answer !== 'granted' && answer !== 'denied') continue
    // gtag ignores a default that comes after an update.
    if (kind === 'default' && (answeredLater.has(name) || state.get(name)?.kind === 'update')) continue
    state.set(name, { answer, kind })
    stated = true
  }
  if (!stated) return []
  const answers = Object.fromEntries(
    [...state].map(([name, { answer, kind: by }]) => [name, by === 'update' ? { answer } : byDefault(answer)]),
  )
  return evidence(kind === 'update' ? 'subject' : 'system', answers, { command: `consent ${kind}`, settings })
}

/** The `consent` object of the Measurement Protocol: GRANTED or DENIED. */
export function consentOfProtocol(consent: Readonly<Record<string, unknown>>): ConsentEvidence[] {
  const answers: Answers = {}
  for (const name of ['ad_user_data', 'ad_personalization']) {
    const value = Object.hasOwn(consent, name) ? consent[name] : undefined
    if (value === 'GRANTED') answers[name] = { answer: 'granted' }
    else if (value === 'DENIED') answers[name] = { answer: 'denied' }
  }
  return evidence('subject', answers, consent)
}
