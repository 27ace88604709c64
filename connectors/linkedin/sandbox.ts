/** LinkedIn Marketing API in miniature. */
import {
  createOAuthAccount,
  defineSandbox,
  fieldsOf,
  listOf,
  type OAuthAccount,
  routed,
  type SandboxAnswer,
} from '../../core/testing/sandbox.ts'

export interface LinkedinState {
  readonly oauth: OAuthAccount
  /** By conversion and eventId. */
  readonly conversions: Map<string, Record<string, unknown>>
  readonly members: Set<string>
}

const TOKEN = 'AQX-sandbox-linkedin-token'
const CLIENT = { clientId: 'linkedin-sandbox-client', clientSecret: 'linkedin-sandbox-client-secret' }
const SHA256 = /^[0-9a-f]{64}$/
const failure = (status: number, code: string, message: string): SandboxAnswer => ({
  status,
  body: { status, code, message, serviceErrorCode: 100 },
})
const hashOf = (user: Record<string, unknown>): string | undefined => {
  const id = listOf(user['userIds']).find(({ idType }) => idType === 'SHA256_EMAIL')?.['idValue']
  return SHA256.test(String(id)) ? String(id) : undefined
}

export default defineSandbox<LinkedinState>({
  connector: 'linkedin',
  state: () => ({
    oauth: createOAuthAccount({
      clientId: CLIENT.clientId,
      clientSecret: CLIENT.clientSecret,
      authorizePath: '/oauth/v2/authorization',
      tokenPath: '/oauth/v2/accessToken',
      accessSeconds: 5_184_000,
      refreshSeconds: 31_536_000,
      rotates: false,
      pkce: false,
      body: 'form',
    }),
    conversions: new Map(),
    members: new Set(),
  }),
  settings: () => ({ accessToken: TOKEN, conversionId: '104012', audiences: ['10804'] }),
  refused: () => ({ accessToken: 'AQX-expired-token', conversionId: '104012', audiences: ['10804'] }),
  oauth: {
    settings: () => ({ ...CLIENT, conversionId: '104012', audiences: ['10804'] }),
    account: ({ oauth }) => oauth,
  },
  handle: routed<LinkedinState>({
    open: (request, { oauth }) => oauth.answer(request),
    refuse: ({ headers, now }, { oauth }) => {
      if (headers['authorization'] !== `Bearer ${TOKEN}` && !oauth.accepts(headers['authorization'], now))
        return failure(401, 'INVALID_ACCESS_TOKEN', 'Invalid access token')
      // https://learn.microsoft.com/linkedin/marketing/versioning: a version lives a year, then answers 426.
      return Number(headers['linkedin-version'] ?? 0) < 202512
        ? failure(426, 'NONEXISTENT_VERSION', 'Requested version is not active')
        : undefined
    },
    missing: failure(404, 'RESOURCE_NOT_FOUND', 'No virtual resource found'),
    routes: [
      { method: 'GET', path: /^\/rest\/adAccounts$/, answer: () => ({ status: 200, body: { elements: [] } }) },
      {
        // https://learn.microsoft.com/linkedin/marketing/conversions/conversion-events-schema
        method: 'POST',
        path: /^\/rest\/conversionEvents$/,
        answer: ({ body, headers }, state) => {
          const elements = listOf(fieldsOf(body)['elements'])
          if (headers['x-restli-method'] !== 'BATCH_CREATE' || elements.length === 0 || elements.length > 5000)
            return failure(400, 'ILLEGAL_ARGUMENT', '1 to 5000 elements by BATCH_CREATE')
          return {
            status: 200,
            body: {
              elements: elements.map((element) => {
                const amount = fieldsOf(element['conversionValue'])['amount']
                if (
                  element['conversion'] !== 'urn:lla:llaPartnerConversion:104012' ||
                  hashOf(fieldsOf(element['user'])) === undefined ||
                  (amount !== undefined && !/^\d+(\.\d+)?$/.test(String(amount)))
                )
                  return { status: 422, error: { message: 'invalid' } }
                state.conversions.set(`${element['conversion']}:${element['eventId']}`, element)
                return { status: 201 }
              }),
            },
          }
        },
      },
      {
        method: 'POST',
        path: /^\/rest\/dmpSegments\/(\d+)\/users$/,
        answer: ({ body }, state, segment) => {
          if (segment !== '10804') return failure(404, 'RESOURCE_NOT_FOUND', 'segment not found')
          return {
            status: 200,
            body: {
              elements: listOf(fieldsOf(body)['elements']).map((element) => {
                const hash = hashOf(element)
                if (hash === undefined) return { status: 400 }
                if (element['action'] === 'ADD') state.members.add(hash)
                else state.members.delete(hash)
                return { status: 201 }
              }),
            },
          }
        },
      },
    ],
  }),
})
