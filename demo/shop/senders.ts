/** Puts moments on the wire: through the vendors' own SDKs, and by the HTTP that gtag.js and RD Station speak. */
import RudderAnalytics from '@rudderstack/rudder-sdk-node'
import { Analytics } from '@segment/analytics-node'
import type { Sending } from './moment.ts'

export interface SenderSettings {
  /** Without trailing slash. */
  readonly hubUrl: string
  readonly segmentKey: string
  readonly rudderKey: string
  readonly rdToken: string
  /** Id of the source whose webhook address RD Station was given. */
  readonly rdSource: string
  /** A status or a code; never what was sent. */
  readonly onTrouble?: (via: Sending['via'], reason: string) => void
}

export interface Senders {
  /** HTTP sendings resolve with whether they were answered 2xx; the SDKs answer for themselves and resolve at once. */
  send(sending: Sending): Promise<boolean>
  /** Everything handed to the SDKs has left. */
  close(): Promise<void>
}

const FLUSH_MS = 250
const TIMEOUT_MS = 10_000
const ATTEMPTS = 5

export function createSenders(settings: SenderSettings): Senders {
  const { hubUrl, onTrouble = () => {} } = settings
  const segment = new Analytics({
    writeKey: settings.segmentKey,
    host: hubUrl,
    flushAt: 20,
    flushInterval: FLUSH_MS,
    httpRequestTimeout: TIMEOUT_MS,
  })
  segment.on('error', ({ code }) => onTrouble('segment', String(code)))
  const rudder = new RudderAnalytics(settings.rudderKey, {
    dataPlaneUrl: hubUrl,
    flushAt: 20,
    flushInterval: FLUSH_MS,
    logLevel: 'silent',
    // Without it the SDK ends the process when the hub answers 400.
    errorHandler: (error?: { response?: { status?: number }; code?: string }) =>
      onTrouble('rudderstack', String(error?.response?.status ?? error?.code ?? 'no answer')),
  })
  const underWay = new Set<Promise<boolean>>()

  const post = (via: Sending['via'], url: string, init: RequestInit): Promise<boolean> => {
    const sent = sendPatiently(url, init).then((trouble) => {
      if (trouble !== undefined) onTrouble(via, trouble)
      return trouble === undefined
    })
    underWay.add(sent)
    return sent.finally(() => underWay.delete(sent))
  }

  return {
    async send(sending) {
      switch (sending.via) {
        case 'segment':
          giveSegment(segment, sending)
          return true
        case 'rudderstack':
          giveRudder(rudder, sending)
          return true
        case 'browser':
          return post('browser', `${hubUrl}${sending.path}`, {
            method: 'POST',
            headers: { 'content-type': 'text/plain' },
            body: JSON.stringify(sending.body),
          })
        case 'ga4':
          return post('ga4', `${hubUrl}/g/collect?${new URLSearchParams(sending.query)}`, {
            method: sending.method,
            ...(sending.lines && {
              headers: { 'content-type': 'text/plain' },
              body: sending.lines.map((line) => new URLSearchParams(line).toString()).join('\r\n'),
            }),
          })
        case 'rdstation':
          return post('rdstation', `${hubUrl}/in/${settings.rdSource}?token=${encodeURIComponent(settings.rdToken)}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(sending.body),
          })
      }
    },
    async close() {
      await Promise.all([
        segment.closeAndFlush({ timeout: TIMEOUT_MS }),
        rudder.flush().catch(() => onTrouble('rudderstack', 'not flushed')),
        ...underWay,
      ])
    },
  }
}

type BySdk = Extract<Sending, { via: 'segment' | 'rudderstack' }>

function giveSegment(segment: Analytics, { call, message }: BySdk): void {
  const { event = '', ...rest } = message
  if (call === 'track') segment.track({ ...rest, event })
  else if (call === 'identify') segment.identify(rest)
  else segment.page(rest)
}

type RudderMessage = Parameters<RudderAnalytics['page']>[0]

/**
 * Its types know neither messageId nor originalTimestamp, which the SDK takes as they are; and they want a Date. The
 * SDK's own originalTimestamp would make another message of what is sent again.
 */
function giveRudder(rudder: RudderAnalytics, { call, message }: BySdk): void {
  const { event = '', timestamp, ...rest } = message
  const time = new Date(timestamp)
  const given: RudderMessage = Object.assign(rest as RudderMessage, { timestamp: time, originalTimestamp: time })
  if (call === 'track') rudder.track({ ...given, event })
  else if (call === 'identify') rudder.identify(given)
  else rudder.page(given)
}

/** RD Station and browsers repeat what was not taken. @returns what went wrong in the end, undefined when nothing did. */
async function sendPatiently(url: string, init: RequestInit): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    let trouble: string
    let wait = 500 * attempt
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
      await response.arrayBuffer()
      if (response.ok) return undefined
      trouble = `HTTP ${response.status}`
      if (response.status < 500 && response.status !== 429) return trouble
      wait = Math.max(wait, Number(response.headers.get('retry-after') ?? 0) * 1000)
    } catch (error) {
      trouble = (error as { cause?: { code?: string } }).cause?.code ?? 'no answer'
    }
    if (attempt === ATTEMPTS) return trouble
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}
