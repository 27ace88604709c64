/**
 * One test event per source, sent as the real thing would be: Segment and RudderStack through
 * their own SDKs, the others by HTTP, all against the hub's public address. Nobody consented for
 * the test person, so the hub lets the event go once it has answered.
 */

import RudderAnalytics from '@rudderstack/rudder-sdk-node'
import { Analytics } from '@segment/analytics-node'
import type { LoadedConfig, SourceSettings } from '../config.ts'
import type { Finding } from '../doctor.ts'
import { newId } from '../ids.ts'
import type { HttpRequest, Transport } from '../kit/http.ts'
import { createTransport } from '../kit/transport.ts'

export const TEST_EVENT = 'Anuente Test Sent'
export const TEST_USER = 'anuente-doctor'
const TIMEOUT_MS = 10_000

export async function* sendTestEvents({
  sourceSettings,
  publicUrl,
}: Pick<LoadedConfig, 'sourceSettings' | 'publicUrl'>): AsyncGenerator<Finding> {
  const transport = createTransport({
    allowPrivate: [new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')],
    timeoutMs: TIMEOUT_MS,
  })
  try {
    for (const source of sourceSettings.values()) yield await sendTestEvent(source, publicUrl, transport)
  } finally {
    await transport.close()
  }
}

async function sendTestEvent(source: SourceSettings, publicUrl: string, transport: Transport): Promise<Finding> {
  const text = (name: string) =>
    typeof source.settings[name] === 'string' ? (source.settings[name] as string) : undefined
  const nothing = (missing: string): Finding => ({
    check: 'send',
    status: 'ok',
    text: `${source.id}: no test event, because ${missing}.`,
  })
  const writeKey = text('writeKey')
  switch (source.connector) {
    case 'segment':
      return writeKey
        ? report(source.id, 'the Segment SDK', await bySegment(writeKey, publicUrl))
        : nothing('it has no writeKey; Segment itself signs its webhook')
    case 'rudderstack':
      return writeKey
        ? report(source.id, 'the RudderStack SDK', await byRudder(writeKey, publicUrl))
        : nothing('it has no writeKey')
    case 'gtm': {
      const measurementId = text('measurementId')
      if (!measurementId) return nothing('it has no measurementId')
      const query = new URLSearchParams({
        v: '2',
        tid: measurementId,
        cid: '1.1',
        en: 'anuente_test',
        _p: String(Date.now()),
        _s: '1',
      })
      return report(
        source.id,
        'a GA4 hit',
        await byHttp(transport, { method: 'POST', url: `${publicUrl}/g/collect?${query}`, headers: {} }),
      )
    }
    case 'rdstation': {
      const body = JSON.stringify({
        event_type: 'WEBHOOK.CONVERTED',
        entity_type: 'CONTACT',
        event_identifier: 'anuente-test',
        event_uuid: newId(),
        event_timestamp: new Date().toISOString(),
        contact: { uuid: '00000000-0000-4000-8000-000000000000', email: 'anuente-doctor@example.com' },
      })
      const headers = {
        'content-type': 'application/json',
        [(text('header') ?? 'x-anuente-token').toLowerCase()]: text('token') ?? '',
      }
      return report(
        source.id,
        'an RD Station webhook',
        await byHttp(transport, { method: 'POST', url: `${publicUrl}/in/${source.id}`, headers, body }),
      )
    }
    default:
      return nothing(`connector ${source.connector} has none`)
  }
}

/** Undefined: taken. Otherwise what went wrong, in words without values. */
type Trouble = string | undefined

function report(id: string, by: string, trouble: Trouble): Finding {
  if (trouble === undefined) return { check: 'send', status: 'ok', text: `${id}: a test event by ${by} was taken.` }
  return {
    check: 'send',
    status: 'fail',
    text: `${id}: a test event by ${by} was not taken: ${trouble}.`,
    todo: /\b40[13]\b/.test(trouble)
      ? `Does the running hub use this file? Restart it, then check the key of sources.${id}.`
      : 'Check that the public address reaches the hub, and its log.',
  }
}

function bySegment(writeKey: string, host: string): Promise<Trouble> {
  const client = new Analytics({ writeKey, host, flushAt: 1, maxRetries: 0, httpRequestTimeout: TIMEOUT_MS })
  return new Promise<Trouble>((resolve) => {
    // The SDK keeps quiet in its callback about an answer that is an error; it tells it as an event.
    client.on('error', ({ reason, code }) => resolve(reasonOf(reason) ?? String(code)))
    client.track({ userId: TEST_USER, event: TEST_EVENT, properties: { test: true } }, (error) =>
      resolve(error === undefined || error === null ? undefined : (reasonOf(error) ?? 'failed')),
    )
  }).finally(() => client.closeAndFlush({ timeout: TIMEOUT_MS }))
}

function byRudder(writeKey: string, dataPlaneUrl: string): Promise<Trouble> {
  return new Promise<Trouble>((resolve) => {
    const client = new RudderAnalytics(writeKey, {
      dataPlaneUrl,
      flushAt: 1,
      retryCount: 0,
      logLevel: 'none',
      // Without it the SDK ends the process when the hub answers 400.
      errorHandler: (error: unknown) => resolve(reasonOf(error) ?? 'failed'),
    })
    client.track({ userId: TEST_USER, event: TEST_EVENT, properties: { test: true } }, (error?: unknown) =>
      resolve(error ? (reasonOf(error) ?? 'failed') : undefined),
    )
    setTimeout(() => resolve('no answer'), TIMEOUT_MS).unref()
  })
}

async function byHttp(transport: Transport, request: HttpRequest): Promise<Trouble> {
  try {
    const { status } = await transport(request)
    return status >= 200 && status < 300 ? undefined : `HTTP ${status}`
  } catch (error) {
    return reasonOf(error) ?? 'no answer'
  }
}

/** Messages of the SDKs may hold the write key or the body: only the status or a code goes on. */
function reasonOf(error: unknown): string | undefined {
  const { response, status, code, message } = (error ?? {}) as {
    response?: { status?: number }
    status?: number
    code?: string
    message?: string
  }
  const answered = response?.status ?? status ?? /\b[45]\d\d\b/.exec(message ?? '')?.[0]
  if (answered !== undefined) return `HTTP ${answered}`
  const cause = (error as { cause?: { code?: string } } | undefined)?.cause?.code
  return code ?? cause ?? /E[A-Z]{5,}/.exec(message ?? '')?.[0] ?? (message ? 'no answer' : undefined)
}
