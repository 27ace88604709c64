import { Type } from 'typebox'
import {
  type ConsentEvidence,
  defineSource,
  isLoose,
  readSpec,
  SPEC_PATHS,
  type SpecDialect,
  sameSecret,
  writeKeys,
} from '../../core/kit/index.ts'

/** 4 MB per batch (https://www.rudderstack.com/docs/api/http-api/). */
const BATCH_BYTES = 4 * 1024 * 1024
const TOKEN_HEADER = 'x-anuente-token'

const dialect: SpecDialect = {
  // A caller's own `timestamp` travels beside the SDK's originalTimestamp and is the truer one.
  timestampFields: ['timestamp', 'originalTimestamp'],
  consentKeys: ['consentManagement'],
  consent(context, name) {
    const stated = context['consentManagement']
    if (!isLoose(stated)) return undefined
    // Denied last: an id in both lists is denied. RudderStack's own server reads nothing but the denied ones.
    const answers = [
      ...readIds(stated['allowedConsentIds'], 'granted'),
      ...readIds(stated['deniedConsentIds'], 'denied'),
    ]
    if (answers.length === 0) return undefined
    return {
      vendor: 'rudder',
      answers: Object.fromEntries(answers),
      method: 'cmp_string',
      // The SDK's consent call sends this event when the person answers; all others repeat what it has stored.
      actor: name === 'Consent Management Interaction' ? 'subject' : 'browser_signal',
      raw: stated,
    }
  },
}

/** A list of ids, or what old SDKs send: an object of id -> allowed, or of anything -> id. */
function readIds(ids: unknown, answer: 'granted' | 'denied'): [string, ConsentEvidence['answers'][string]][] {
  if (Array.isArray(ids))
    return ids.filter((id) => typeof id === 'string' && id !== '').map((id: string) => [id, { answer }])
  if (!isLoose(ids)) return []
  const entries = Object.entries(ids).flatMap(([key, value]): [string, ConsentEvidence['answers'][string]][] => {
    if (value === true) return [[key, { answer }]]
    if (typeof value === 'string' && value !== '') return [[value, { answer }]]
    // "Allowed: false" is a denial; "denied: false" grants nothing.
    return value === false && answer === 'granted' ? [[key, { answer: 'denied' }]] : []
  })
  return entries.sort(([, a], [, b]) => Number(a.answer === 'denied') - Number(b.answer === 'denied'))
}

export default defineSource({
  id: 'rudderstack',
  name: 'RudderStack',
  docs: 'https://www.rudderstack.com/docs/api/http-api/',
  support: 'certified',
  settings: Type.Object(
    {
      writeKey: Type.Optional(
        Type.String({
          minLength: 1,
          description: 'Key the SDKs send. Browsers show it to everybody: it names the source and protects nothing.',
        }),
      ),
      webhookToken: Type.Optional(
        Type.String({
          secret: true,
          minLength: 16,
          description:
            'Secret of the RudderStack webhook destination, which does not sign: sent in a header or as ?token=.',
        }),
      ),
      webhookHeader: Type.Optional(
        Type.String({
          pattern: '^[A-Za-z0-9-]{1,64}$',
          default: TOKEN_HEADER,
          description: 'Header that carries webhookToken.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  routes: [
    ...[...SPEC_PATHS, '/beacon/v1/batch'].map((path) => ({ method: 'POST' as const, path, maxBytes: BATCH_BYTES })),
    // SDK v3 asks with the slash, older ones without.
    { method: 'GET', path: '/sourceConfig', reply: true },
    { method: 'GET', path: '/sourceConfig/', reply: true },
  ],
  maxBytes: BATCH_BYTES,
  volatileFields: ['sentAt', '_metadata', 'receivedAt'],

  credentials: writeKeys,
  keys: ({ writeKey }) => (writeKey ? [writeKey] : []),

  verify(request, { writeKey, webhookToken, webhookHeader }) {
    if (request.path.startsWith('/in/')) {
      const given = [request.headers[(webhookHeader ?? TOKEN_HEADER).toLowerCase()], request.query['token']]
      return given.some((token) => sameSecret(webhookToken, token)) ? true : 'BAD_SIGNATURE'
    }
    return writeKeys(request).some((key) => sameSecret(writeKey, key)) ? true : 'UNKNOWN_KEY'
  },

  normalize: (request) => readSpec(request, dialect),

  accept: () => ({ status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'OK' }),

  /** Without this answer the browser SDKs never send. */
  reply: (_request, { writeKey }, sourceId) => ({
    status: 200,
    body: {
      source: {
        id: sourceId,
        name: sourceId,
        writeKey: writeKey ?? '',
        enabled: true,
        workspaceId: 'anuente',
        config: { statsCollection: { errors: { enabled: false }, metrics: { enabled: false } } },
        connections: [],
        destinations: [],
        dataplanes: {},
        sourceDefinition: { id: 'javascript', name: 'Javascript', category: null },
      },
      updatedAt: '2026-01-01T00:00:00Z',
      consentManagementMetadata: { providers: [] },
    },
  }),
})
