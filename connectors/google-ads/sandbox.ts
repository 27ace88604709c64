/** Google Data Manager API in miniature: one account, two lists, one conversion action. */
import {
  createOAuthAccount,
  defineSandbox,
  fieldsOf,
  listOf,
  type OAuthAccount,
  routed,
  type SandboxAnswer,
} from '../../core/testing/sandbox.ts'

export interface GoogleAdsState {
  readonly oauth: OAuthAccount
  /** list -> hashes of its members */
  readonly lists: Map<string, Set<string>>
  /** Counted once per transaction. */
  readonly conversions: Map<string, Record<string, unknown>>
  readonly requests: Record<string, unknown>[]
  /** Values as they were restated; null: retracted. */
  readonly adjusted: Map<string, number | null>
}

const TOKEN = 'ya29.sandbox-access-token'
const CUSTOMER = '1234567890'
const ACTION = '987654321'
const DEVELOPER = 'sandbox-developer-token'
const LISTS = ['7000000001', '7000000002']
const BUYERS = '7000000003'
const CLIENT = {
  clientId: 'sandbox.apps.googleusercontent.com',
  clientSecret: 'GOCSPX-sandbox-client-secret',
}
const SHA256 = /^[0-9a-f]{64}$/

// https://cloud.google.com/apis/design/errors
const failure = (code: number, status: string, message: string, details: object[] = []): SandboxAnswer => ({
  status: code,
  body: { error: { code, message, status, details } },
})
const invalid = (field: string) =>
  failure(400, 'INVALID_ARGUMENT', 'There was a problem with the request.', [
    {
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: 'INVALID_ARGUMENT',
      domain: 'datamanager.googleapis.com',
    },
    { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field }] },
  ])

export default defineSandbox<GoogleAdsState>({
  connector: 'google-ads',
  state: () => ({
    oauth: createOAuthAccount({
      clientId: CLIENT.clientId,
      clientSecret: CLIENT.clientSecret,
      authorizePath: '/o/oauth2/v2/auth',
      tokenPath: '/token',
      accessSeconds: 3599,
      rotates: false,
      pkce: true,
      body: 'form',
    }),
    lists: new Map([...LISTS, BUYERS].map((id) => [id, new Set()])),
    conversions: new Map(),
    requests: [],
    adjusted: new Map(),
  }),
  settings: () => ({
    accessToken: TOKEN,
    developerToken: DEVELOPER,
    customerId: CUSTOMER,
    conversionActionId: ACTION,
    audiences: LISTS,
    buyers: BUYERS,
  }),
  refused: () => ({
    accessToken: 'ya29.expired',
    developerToken: DEVELOPER,
    customerId: CUSTOMER,
    conversionActionId: ACTION,
    buyers: BUYERS,
  }),

  oauth: {
    settings: () => ({ ...CLIENT, customerId: CUSTOMER, conversionActionId: ACTION, audiences: LISTS, buyers: BUYERS }),
    account: ({ oauth }) => oauth,
  },

  handle: routed<GoogleAdsState>({
    open: (request, { oauth }) => oauth.answer(request),
    refuse: ({ headers, now }, { oauth }) =>
      headers['authorization'] === `Bearer ${TOKEN}` || oauth.accepts(headers['authorization'], now)
        ? undefined
        : failure(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.'),
    missing: failure(404, 'NOT_FOUND', 'Requested entity was not found.'),
    routes: [
      {
        method: 'GET',
        path: /^\/v1\/requestStatus:retrieve$/,
        answer: () => invalid('request_id'),
      },
      {
        // https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers
        method: 'POST',
        path: /^\/v1\/audienceMembers:(ingest|remove)$/,
        answer: ({ body }, state, act) => {
          const request = fieldsOf(body)
          const members = listOf(request['audienceMembers'])
          if (members.length === 0 || members.length > 10_000) return invalid('audience_members')
          if (request['encoding'] !== 'HEX') return invalid('encoding')
          const wrong = members.findIndex((member) => identifiersOf(member) === undefined)
          if (wrong >= 0) return invalid(`audience_members.audience_members[${wrong}].user_data`)
          for (const destination of listOf(request['destinations'])) {
            const list = state.lists.get(String(destination['productDestinationId']))
            if (fieldsOf(destination['operatingAccount'])['accountId'] !== CUSTOMER)
              return failure(403, 'PERMISSION_DENIED', 'The caller does not have permission')
            if (!list) return failure(404, 'NOT_FOUND', 'Requested entity was not found.')
            if (request['validateOnly'] === true) continue
            for (const hash of members.flatMap((member) => identifiersOf(member) ?? []))
              if (act === 'ingest') list.add(hash)
              else list.delete(hash)
          }
          state.requests.push(request)
          return { status: 200, body: { requestId: `r-${state.requests.length}` } }
        },
      },
      {
        // https://developers.google.com/google-ads/api/reference/rpc/latest/ConversionAdjustmentUploadService
        method: 'POST',
        path: /^\/v\d+\/customers\/(\d{10}):uploadConversionAdjustments$/,
        answer: ({ body, headers }, state, customer) => {
          if (headers['developer-token'] !== DEVELOPER)
            return failure(401, 'UNAUTHENTICATED', 'The developer token is not valid.')
          if (customer !== CUSTOMER) return failure(403, 'PERMISSION_DENIED', 'The caller does not have permission')
          const request = fieldsOf(body)
          const adjustments = listOf(request['conversionAdjustments'])
          if (adjustments.length === 0 || adjustments.length > 2000 || request['partialFailure'] !== true)
            return invalid('conversion_adjustments')
          const errors = adjustments.flatMap((adjustment, index) => {
            const code = adjustmentFault(adjustment, state)
            if (code === undefined && request['validateOnly'] !== true)
              state.adjusted.set(
                String(adjustment['orderId']),
                adjustment['adjustmentType'] === 'RETRACTION'
                  ? null
                  : Number(fieldsOf(adjustment['restatementValue'])['adjustedValue']),
              )
            return code === undefined
              ? []
              : [
                  {
                    errorCode: { conversionAdjustmentUploadError: code },
                    message: 'refused',
                    location: { fieldPathElements: [{ fieldName: 'conversion_adjustments', index }] },
                  },
                ]
          })
          return {
            status: 200,
            body: {
              results: adjustments.map(() => ({})),
              ...(errors.length > 0 && {
                partialFailureError: { code: 3, message: 'Multiple errors in details.', details: [{ errors }] },
              }),
            },
          }
        },
      },
      {
        // https://developers.google.com/data-manager/api/reference/rest/v1/events/ingest
        method: 'POST',
        path: /^\/v1\/events:ingest$/,
        answer: ({ body }, state) => {
          const request = fieldsOf(body)
          const events = listOf(request['events'])
          if (events.length === 0 || events.length > 2000) return invalid('events')
          for (const [index, event] of events.entries()) {
            const named = event['userData'] === undefined || identifiersOf(event) !== undefined
            if (!named || (event['userData'] === undefined && event['adIdentifiers'] === undefined))
              return invalid(`events.events[${index}].user_data`)
            if (Number.isNaN(Date.parse(String(event['eventTimestamp']))))
              return invalid(`events.events[${index}].event_timestamp`)
            if (event['conversionValue'] !== undefined && !/^[A-Z]{3}$/.test(String(event['currency'])))
              return invalid(`events.events[${index}].currency`)
          }
          for (const destination of listOf(request['destinations']))
            if (destination['productDestinationId'] !== ACTION)
              return failure(404, 'NOT_FOUND', 'Requested entity was not found.')
          state.requests.push(request)
          if (request['validateOnly'] !== true)
            for (const event of events) {
              const id = String(event['transactionId'])
              if (!state.conversions.has(id)) state.conversions.set(id, event)
            }
          return { status: 200, body: { requestId: `r-${state.requests.length}` } }
        },
      },
    ],
  }),
})

function adjustmentFault(
  { adjustmentType, conversionAction, orderId, adjustmentDateTime, restatementValue }: Record<string, unknown>,
  { conversions }: GoogleAdsState,
): string | undefined {
  if (conversionAction !== `customers/${CUSTOMER}/conversionActions/${ACTION}`) return 'INVALID_CONVERSION_ACTION'
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d$/.test(String(adjustmentDateTime)))
    return 'INVALID_ADJUSTMENT_DATE_TIME'
  if (adjustmentType === 'RESTATEMENT' && typeof fieldsOf(restatementValue)['adjustedValue'] !== 'number')
    return 'RESTATEMENT_VALUE_REQUIRED'
  // Examples adjust what was never sent here; only an id that says so is unknown.
  return conversions.has(String(orderId)) || !String(orderId).startsWith('unknown-')
    ? undefined
    : 'CONVERSION_NOT_FOUND'
}

/** Hashes of one person; undefined when something in them is no SHA-256. */
function identifiersOf(member: Record<string, unknown>): string[] | undefined {
  const identifiers = listOf(fieldsOf(member['userData'])['userIdentifiers'])
  const hashes = identifiers.flatMap(({ emailAddress, phoneNumber, address }) => {
    const { givenName, familyName } = fieldsOf(address)
    return [emailAddress, phoneNumber, givenName, familyName].filter((value) => value !== undefined).map(String)
  })
  return hashes.length > 0 && identifiers.length <= 10 && hashes.every((hash) => SHA256.test(hash)) ? hashes : undefined
}
