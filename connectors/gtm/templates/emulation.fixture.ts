/**
 * GTM's sandbox as far as the two templates need it: `require` gives what is documented, everything else is absent.
 * https://developers.google.com/tag-platform/tag-manager/templates/api
 * https://developers.google.com/tag-platform/tag-manager/server-side/api
 */
import { createHash } from 'node:crypto'
import { createContext, runInContext } from 'node:vm'

const SECTION = /^___([A-Z_]+)___$/

/** The sections of a .tpl file by name, in their order. */
export function sectionsOf(text: string): Map<string, string> {
  const sections = new Map<string, string[]>()
  let lines: string[] | undefined
  for (const line of text.split('\n')) {
    const name = SECTION.exec(line)?.[1]
    if (name !== undefined) {
      if (sections.has(name)) throw new Error(`two sections ${name}`)
      lines = []
      sections.set(name, lines)
    } else if (lines) lines.push(line)
    else throw new Error(`text before the first section: ${line}`)
  }
  return new Map([...sections].map(([name, content]) => [name, content.join('\n').trim()]))
}

export type Api = Readonly<Record<string, unknown>>
type Fields = Record<string, unknown>

/** Which permission an API asks for; none where undefined. */
export const PERMISSION_OF: Readonly<Record<'WEB' | 'SERVER', Readonly<Record<string, string | undefined>>>> = {
  WEB: {
    addConsentListener: 'access_consent',
    callLater: undefined,
    copyFromDataLayer: 'read_data_layer',
    encodeUriComponent: undefined,
    generateRandom: undefined,
    getReferrerUrl: 'get_referrer',
    getTimestampMillis: undefined,
    getType: undefined,
    getUrl: 'get_url',
    isConsentGranted: 'access_consent',
    JSON: undefined,
    logToConsole: 'logging',
    makeString: undefined,
    Object: undefined,
    readAnalyticsStorage: 'read_analytics_storage',
    readTitle: 'read_title',
    sendPixel: 'send_pixel',
    sha256: undefined,
    templateStorage: 'access_template_storage',
  },
  SERVER: {
    encodeUriComponent: undefined,
    getAllEventData: 'read_event_data',
    JSON: undefined,
    logToConsole: 'logging',
    Object: undefined,
    sendHttpRequest: 'send_http',
  },
}

const pure: Api = {
  encodeUriComponent: encodeURIComponent,
  getType: (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value),
  makeString: String,
  JSON: { parse: JSON.parse, stringify: JSON.stringify },
  Object: { keys: Object.keys, values: Object.values, entries: Object.entries },
  sha256: (text: string, then: (hash: string) => void, _failed: unknown, { outputEncoding = 'base64' } = {}) =>
    then(
      createHash('sha256')
        .update(text)
        .digest(outputEncoding === 'hex' ? 'hex' : 'base64'),
    ),
  logToConsole: () => undefined,
}

/** Runs the code once, as one firing of the tag. */
export function fire(code: string, data: Api, api: Api): void {
  const require = (name: string): unknown => {
    const found = api[name] ?? pure[name]
    if (found === undefined) throw new Error(`the sandbox has no ${name}`)
    return found
  }
  runInContext(`'use strict';(() => {${code}\n})()`, createContext({ require, data }), { timeout: 1000 })
}

export interface PageState {
  readonly url: string
  readonly dataLayer: Api
  /** Consent types without an entry were never set. */
  readonly consent: Map<string, 'granted' | 'denied'>
  readonly analytics: { client_id?: string }
}

/** A page of the web container: its state, what its tags sent, and the banner's updates. */
export function pageOf(state: PageState) {
  const sent: string[] = []
  const storage = new Map<string, unknown>()
  const listeners = new Map<string, ((type: string, granted: boolean) => void)[]>()
  const later: (() => void)[] = []
  const isGranted = (type: string) => state.consent.get(type) !== 'denied'
  const api: Api = {
    addConsentListener: (type: string, listener: (type: string, granted: boolean) => void) =>
      listeners.set(type, [...(listeners.get(type) ?? []), listener]),
    callLater: (call: () => void) => later.push(call),
    copyFromDataLayer: (key: string) => state.dataLayer[key],
    generateRandom: (min: number) => min,
    getReferrerUrl: () => '',
    getTimestampMillis: () => 1764340309313,
    getUrl: () => state.url,
    isConsentGranted: isGranted,
    readAnalyticsStorage: () => state.analytics,
    readTitle: () => 'Loja',
    // The hub answers 204, which an image element takes for a failure.
    sendPixel: (url: string, _done: () => void, failed: () => void) => {
      sent.push(url)
      failed()
    },
    // A copy both ways: a tag that changed what it was given would find nothing of it again.
    templateStorage: {
      getItem: (key: string) => structuredClone(storage.get(key)),
      setItem: (key: string, value: unknown) => storage.set(key, JSON.parse(JSON.stringify(value))),
    },
  }
  return {
    sent,
    api,
    /** gtag('consent', 'update', …): listeners hear changes only, and an unset signal counts as granted. */
    update(answers: Readonly<Record<string, 'granted' | 'denied'>>): void {
      const before = new Map(Object.keys(answers).map((type) => [type, isGranted(type)]))
      for (const [type, answer] of Object.entries(answers)) state.consent.set(type, answer)
      for (const [type, was] of before)
        if (isGranted(type) !== was) for (const listener of listeners.get(type) ?? []) listener(type, isGranted(type))
      for (const call of later.splice(0)) call()
    },
  }
}

export interface Scenario {
  readonly name: string
  readonly code: string
}

/** Runs one scenario of ___TESTS___ with GTM's test API. */
export function runScenario(code: string, setup: string, scenario: Scenario, api: Api): void {
  const mocks: Fields = {}
  const calls = new Map<string, number>()
  const counted = (name: string, call: unknown) =>
    typeof call !== 'function'
      ? call
      : (...args: unknown[]) => {
          calls.set(name, (calls.get(name) ?? 0) + 1)
          return call(...args) as unknown
        }
  const failUnless = (holds: boolean, what: string) => {
    if (!holds) throw new Error(`${scenario.name}: ${what}`)
  }
  const finished = (name: string) => counted(name, () => undefined)
  const context = {
    mock: (name: string, value: unknown) => {
      mocks[name] = typeof value === 'function' ? value : () => value
    },
    runCode: (given: Api) =>
      fire(
        code,
        { ...given, gtmOnSuccess: finished('gtmOnSuccess'), gtmOnFailure: finished('gtmOnFailure') },
        Object.fromEntries(
          Object.entries({ ...pure, ...api, ...mocks }).map(([name, call]) => [name, counted(name, call)]),
        ),
      ),
    assertApi: (name: string) => ({
      wasCalled: () => failUnless((calls.get(name) ?? 0) > 0, `${name} was not called`),
      wasNotCalled: () => failUnless(!calls.has(name), `${name} was called`),
    }),
    assertThat: (actual: unknown) => ({
      isEqualTo: (expected: unknown) => failUnless(actual === expected, `${String(actual)} is not ${String(expected)}`),
      contains: (text: string) => failUnless(String(actual).includes(text), `${String(actual)} lacks ${text}`),
      doesNotContain: (text: string) => failUnless(!String(actual).includes(text), `${String(actual)} has ${text}`),
    }),
  }
  runInContext(`'use strict';(() => {${setup}\n${scenario.code}\n})()`, createContext(context), { timeout: 1000 })
}
