/** GTM and GA4: hits of gtag.js and server containers, the Measurement Protocol, and dataLayer as JSON. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Type } from 'typebox'
import { defineSource, InputError, type RawRequest, type SourceItem } from '../../core/kit/index.ts'
import { readDataLayer } from './data-layer.ts'
import { isFields } from './event.ts'
import { type HitParameters, readHit, readHits } from './hit.ts'
import { own } from './items.ts'
import { readProtocol } from './measurement-protocol.ts'
import { type ValidationMessage, validateProtocol } from './validation.ts'

const COLLECT = '/g/collect'
const PROTOCOL = '/mp/collect'
const DEBUG = '/debug/mp/collect'
const MAX_BYTES = 512_000

export default defineSource({
  id: 'gtm',
  name: 'Google Tag Manager / GA4',
  docs: 'https://developers.google.com/analytics/devguides/collection/protocol/ga4',
  support: 'community',

  settings: Type.Object(
    {
      measurementId: Type.Optional(
        Type.String({ minLength: 1, description: 'Web stream (G-…) whose hits and protocol requests belong here.' }),
      ),
      firebaseAppId: Type.Optional(
        Type.String({ minLength: 1, description: 'App stream of the Measurement Protocol (firebase_app_id).' }),
      ),
      apiSecret: Type.Optional(
        Type.String({
          minLength: 1,
          secret: true,
          description: 'api_secret of the Measurement Protocol; without it /mp/collect is closed.',
        }),
      ),
      token: Type.Optional(
        Type.String({
          minLength: 8,
          secret: true,
          description:
            'Opens /in/<source id> for dataLayer JSON: header x-anuente-token or ?token=. apiSecret when absent.',
        }),
      ),
    },
    { additionalProperties: false },
  ),

  routes: [
    { method: 'GET', path: COLLECT },
    { method: 'POST', path: COLLECT, maxBytes: MAX_BYTES },
    { method: 'POST', path: PROTOCOL, maxBytes: MAX_BYTES },
    { method: 'POST', path: DEBUG, maxBytes: MAX_BYTES, reply: true },
  ],
  maxBytes: MAX_BYTES,
  // Milliseconds since the page loaded, and the transport gtag.js chose.
  volatileFields: ['tfd', '_z'],

  credentials: ({ path, query, body }) => {
    if (path === COLLECT) return [query['tid'] ?? firstTid(body)].filter((tid) => tid !== undefined)
    return [query['measurement_id'], query['firebase_app_id']].filter((id) => id !== undefined)
  },
  keys: ({ measurementId, firebaseAppId }) => [measurementId, firebaseAppId].filter((id) => id !== undefined),

  /**
   * Hits carry no secret: browsers send them, and whoever knows the measurement id can. Google answers 204 to a
   * wrong api_secret and loses the events; here it is 401, so that the sender learns of it and nothing is taken.
   */
  verify(request, { measurementId, apiSecret, token }) {
    switch (request.path) {
      case COLLECT:
        return measurementId !== undefined && (request.query['tid'] ?? firstTid(request.body)) === measurementId
          ? true
          : 'UNKNOWN_KEY'
      case DEBUG:
        return true // Validates and keeps nothing; Google asks for no secret here either.
      case PROTOCOL:
        return sameSecret(request.query['api_secret'], apiSecret) ? true : 'BAD_SIGNATURE'
      default:
        return sameSecret(request.headers['x-anuente-token'] ?? request.query['token'], token ?? apiSecret)
          ? true
          : 'BAD_SIGNATURE'
    }
  },

  normalize(request, { measurementId }): SourceItem[] {
    if (request.path.endsWith(COLLECT)) return readHits(request, measurementId)
    // A hit handed over as such, whatever the path: `anuente normalize` and a re-drive know none.
    if (request.query['v'] === '2' && request.query['tid'] !== undefined) return readHits(request, measurementId)
    const body = readJson(request)
    if (request.path.endsWith(PROTOCOL)) {
      if (!isFields(body)) throw new InputError('INVALID', 'the body must be an object', '')
      return readProtocol(body)
    }
    if (isHit(body)) return [readHit(body, 0, measurementId, request)]
    if (isFields(body) && Array.isArray(own(body, 'events'))) return readProtocol(body)
    return readDataLayer(body, request.headers)
  },

  accept: ({ path }, { recorded, quarantined }) =>
    path === COLLECT || path === PROTOCOL
      ? { status: 204 }
      : { status: 200, body: { ok: true, recorded, quarantined } },

  /** Always 200, as Google answers: what is wrong stands in the messages. */
  reply(request) {
    const platform = request.query['firebase_app_id'] === undefined ? 'web' : 'app'
    let validationMessages: ValidationMessage[]
    try {
      const body = readJson(request)
      validationMessages = isFields(body)
        ? validateProtocol(body, request.body.length, platform, Date.parse(request.receivedAt))
        : [unreadable]
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      validationMessages = [unreadable]
    }
    return { status: 200, body: { validationMessages } }
  },
})

const unreadable: ValidationMessage = {
  fieldPath: '',
  description: 'The body must be a JSON object.',
  validationCode: 'VALUE_INVALID',
}

/** JSON whatever the content type says; sendBeacon and many tags send it as text/plain. */
function readJson({ body }: RawRequest): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    // The parser's own message quotes the body.
    throw new InputError('MALFORMED_JSON', 'the body is not JSON in UTF-8')
  }
}

/** Clients that put everything in the body name the stream in its first line. */
function firstTid(body: Buffer): string | undefined {
  const end = body.indexOf('\n')
  const line = body.subarray(0, Math.min(end === -1 ? body.length : end, 16_384)).toString('utf8')
  return new URLSearchParams(line).get('tid') ?? undefined
}

/** The parameters of one hit as JSON, the form they are kept in. */
const isHit = (body: unknown): body is HitParameters =>
  isFields(body) &&
  typeof own(body, 'en') === 'string' &&
  typeof own(body, 'tid') === 'string' &&
  Object.values(body).every((value) => typeof value === 'string')

/** Compares digests, so that neither length nor first difference shows in the time taken. */
function sameSecret(given: string | undefined, expected: string | undefined): boolean {
  if (given === undefined || expected === undefined) return false
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}
