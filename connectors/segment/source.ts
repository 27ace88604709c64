import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Static, Type } from 'typebox'
import {
  type ConsentEvidence,
  defineSource,
  isLoose,
  type RawRequest,
  readSpec,
  SPEC_PATHS,
  type SpecDialect,
  sameSecret,
  writeKeys,
} from '../../core/kit/index.ts'
import { bearerToken, claimedClient, clientCredential, grantToken, isAccessToken, readAssertion } from './oauth.ts'

/** 500 KB per batch (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#max-request-size). */
const BATCH_BYTES = 500 * 1024
/** A webhook batch may hold 4,000 events; a full default batch of 1,000 fits with 8 KB each. */
const WEBHOOK_BYTES = 8 * 1024 * 1024
const SETTINGS_PATH = /^\/v1\/projects\/([^/]+)\/settings$/

const Settings = Type.Object(
  {
    writeKey: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Key the SDKs send. Browsers show it to everybody: it names the source and protects nothing.',
      }),
    ),
    sharedSecret: Type.Optional(
      Type.String({
        secret: true,
        minLength: 8,
        description: 'Shared secret of the Segment webhook destination; signs every call to /in/<source>.',
      }),
    ),
    oauth: Type.Optional(
      Type.Object(
        {
          clientId: Type.String({ minLength: 1, description: 'OAuth application id.' }),
          publicKey: Type.String({
            pattern: '-----BEGIN (RSA )?PUBLIC KEY-----',
            description: 'Public half of the RSA key the server SDK signs with, PEM, 2048 bits or more.',
          }),
          audience: Type.Optional(
            Type.String({
              minLength: 1,
              description: "The SDK's oauthSettings.authServer. Tokens made for anybody else are refused when set.",
            }),
          ),
        },
        { additionalProperties: false, description: 'Server SDKs may authenticate by OAuth instead of the write key.' },
      ),
    ),
  },
  { additionalProperties: false },
)

const dialect: SpecDialect = {
  timestampFields: ['timestamp', 'originalTimestamp'],
  consentKeys: ['consent'],
  consent(context, name) {
    const stated = isLoose(context['consent']) ? context['consent']['categoryPreferences'] : undefined
    if (!isLoose(stated)) return undefined
    // Only true and false are answers: anything else, like an absent category, changes nothing.
    const answers = Object.entries(stated)
      .filter((entry): entry is [string, boolean] => typeof entry[1] === 'boolean')
      .map(([category, granted]): [string, ConsentEvidence['answers'][string]] => [
        category,
        { answer: granted ? 'granted' : 'denied' },
      ])
    if (answers.length === 0) return undefined
    return {
      vendor: 'segment',
      answers: Object.fromEntries(answers),
      method: 'cmp_string',
      // This event is sent when the person answers; on all others the SDK repeats what it has stored.
      actor: name === 'Segment Consent Preference Updated' ? 'subject' : 'browser_signal',
      raw: context['consent'],
    }
  },
}

export default defineSource({
  id: 'segment',
  name: 'Segment',
  docs: 'https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/',
  support: 'certified',
  settings: Settings,
  routes: [
    ...SPEC_PATHS.map((path) => ({ method: 'POST' as const, path, maxBytes: BATCH_BYTES })),
    { method: 'GET', path: '/v1/projects/:writeKey/settings', reply: true },
    { method: 'POST', path: '/token', maxBytes: 16 * 1024, reply: true },
  ],
  maxBytes: WEBHOOK_BYTES,
  volatileFields: ['sentAt', '_metadata', 'receivedAt'],

  credentials(request) {
    if (request.path === '/token') return clientOf(readAssertion(request))
    const project = projectKey(request.path)
    if (project !== undefined) return [project]
    return [...clientOf(bearerToken(request)), ...writeKeys(request)]
  },

  keys: ({ writeKey, oauth }) => [
    ...(writeKey ? [writeKey] : []),
    ...(oauth ? [clientCredential(oauth.clientId)] : []),
  ],

  async verify(request, settings) {
    if (request.path.startsWith('/in/')) return isSigned(request, settings.sharedSecret) ? true : 'BAD_SIGNATURE'
    if (request.path === '/token')
      return sameSecret(settings.oauth?.clientId, claimedClient(readAssertion(request))) ? true : 'UNKNOWN_KEY'
    const project = projectKey(request.path)
    if (project !== undefined) return sameSecret(settings.writeKey, project) ? true : 'UNKNOWN_KEY'
    const token = bearerToken(request)
    if (token !== undefined)
      return settings.oauth && (await isAccessToken(token, settings.oauth, request.receivedAt)) ? true : 'BAD_SIGNATURE'
    return writeKeys(request).some((key) => sameSecret(settings.writeKey, key)) ? true : 'UNKNOWN_KEY'
  },

  normalize: (request) => readSpec(request, dialect),

  // Segment answers so for everything it can read, also for events it refuses later.
  accept: () => ({ status: 200, body: { success: true } }),

  reply(request, settings) {
    if (request.path !== '/token') return { status: 200, body: bootSettings(settings) }
    return settings.oauth ? grantToken(request, settings.oauth) : { status: 401, body: { error: 'invalid_client' } }
  },
})

function clientOf(token: string | undefined): string[] {
  const client = claimedClient(token)
  return client === undefined ? [] : [clientCredential(client)]
}

function projectKey(path: string): string | undefined {
  try {
    const key = SETTINGS_PATH.exec(path)?.[1]
    return key === undefined ? undefined : decodeURIComponent(key)
  } catch {
    return undefined // Not a percent-encoding.
  }
}

/** X-Signature: hex(HMAC-SHA1(sharedSecret, body)), over the bytes as received. */
function isSigned({ headers, body }: RawRequest, sharedSecret: string | undefined): boolean {
  if (!sharedSecret) return false
  const expected = createHmac('sha1', sharedSecret).update(body).digest()
  const received = Buffer.from(headers['x-signature'] ?? '', 'hex')
  return received.length === expected.length && timingSafeEqual(received, expected)
}

/** What analytics-next asks before it sends anything: no integrations but the hub itself, every event allowed. */
function bootSettings({ writeKey }: Static<typeof Settings>): Record<string, unknown> {
  return {
    integrations: {
      'Segment.io': {
        apiKey: writeKey ?? '',
        unbundledIntegrations: [],
        addBundledMetadata: true,
        maybeBundledConfigIds: {},
        versionSettings: { version: '4.4.7', componentTypes: ['browser'] },
      },
    },
    plan: {
      track: { __default: { enabled: true, integrations: {} } },
      identify: { __default: { enabled: true } },
      group: { __default: { enabled: true } },
    },
    edgeFunction: {},
    analyticsNextEnabled: true,
    middlewareSettings: {},
    enabledMiddleware: {},
    metrics: { sampleRate: 0 },
    legacyVideoPluginsEnabled: false,
    remotePlugins: [],
  }
}
