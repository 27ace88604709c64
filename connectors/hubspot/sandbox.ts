/** HubSpot CRM in miniature. */
import {
  createOAuthAccount,
  defineSandbox,
  fieldsOf,
  listOf,
  type OAuthAccount,
  routed,
  type SandboxAnswer,
} from '../../core/testing/sandbox.ts'

export interface HubspotState {
  readonly oauth: OAuthAccount
  /** e-mail -> contact */
  readonly contacts: Map<string, { readonly id: string; properties: Record<string, unknown> }>
  readonly list: Set<string>
  readonly events: Map<string, Record<string, unknown>>
  readonly tasks: Record<string, unknown>[]
  readonly unsubscribed: Set<string>
}

const TOKEN = 'pat-na1-sandbox-0123456789'
const CLIENT = { clientId: 'hubspot-sandbox-client', clientSecret: 'hubspot-sandbox-client-secret' }
const LIST = '41'
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/
const KNOWN = new Set([
  ...['email', 'firstname', 'lastname', 'phone', 'company', 'jobtitle', 'city', 'state', 'zip', 'country', 'plano'],
])

// https://developers.hubspot.com/docs/api-reference/error-handling
const failure = (status: number, category: string, message: string): SandboxAnswer => ({
  status,
  body: { status: 'error', message, correlationId: 'c-1', category },
})

export default defineSandbox<HubspotState>({
  connector: 'hubspot',
  state: () => ({
    oauth: createOAuthAccount({
      clientId: CLIENT.clientId,
      clientSecret: CLIENT.clientSecret,
      authorizePath: '/oauth/authorize',
      tokenPath: '/oauth/v1/token',
      accessSeconds: 1800,
      rotates: false,
      pkce: false,
      body: 'form',
    }),
    contacts: new Map(),
    list: new Set(),
    events: new Map(),
    tasks: [],
    unsubscribed: new Set(),
  }),
  settings: () => ({ accessToken: TOKEN, subscriptionId: 12 }),
  refused: () => ({ accessToken: 'pat-na1-revoked', subscriptionId: 12 }),
  oauth: { settings: () => ({ ...CLIENT, subscriptionId: 12 }), account: ({ oauth }) => oauth },
  handle: routed<HubspotState>({
    open: (request, { oauth }) => oauth.answer(request),
    refuse: ({ headers, now }, { oauth }) =>
      headers['authorization'] === `Bearer ${TOKEN}` || oauth.accepts(headers['authorization'], now)
        ? undefined
        : failure(401, 'INVALID_AUTHENTICATION', 'Authentication credentials not found.'),
    missing: failure(404, 'OBJECT_NOT_FOUND', 'not found'),
    routes: [
      { method: 'GET', path: /^\/account-info\/v3\/details$/, answer: () => ({ status: 200, body: { portalId: 1 } }) },
      {
        // https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/upsert: 100 inputs, 207 for some errors.
        method: 'POST',
        path: /^\/crm\/v3\/objects\/contacts\/batch\/upsert$/,
        answer: ({ body }, state) => {
          const inputs = listOf(fieldsOf(body)['inputs'])
          if (inputs.length === 0 || inputs.length > 100) return failure(400, 'VALIDATION_ERROR', 'inputs: 1 to 100')
          // A property that does not exist refuses the whole request.
          if (inputs.some(({ properties }) => Object.keys(fieldsOf(properties)).some((name) => !KNOWN.has(name))))
            return failure(400, 'VALIDATION_ERROR', 'Property values were not valid')
          const bad = inputs.filter(({ id }) => !EMAIL.test(String(id)))
          for (const { id, properties } of inputs.filter((input) => !bad.includes(input))) {
            const before = state.contacts.get(String(id))
            state.contacts.set(String(id), {
              id: before?.id ?? String(1000 + state.contacts.size),
              properties: { ...before?.properties, ...fieldsOf(properties) },
            })
          }
          return {
            status: bad.length > 0 ? 207 : 200,
            body: {
              status: 'COMPLETE',
              results: [],
              ...(bad.length > 0 && {
                numErrors: bad.length,
                errors: bad.map(({ objectWriteTraceId }) => ({
                  status: 'error',
                  category: 'VALIDATION_ERROR',
                  message: 'Email address is invalid',
                  context: { objectWriteTraceId: [objectWriteTraceId] },
                })),
              }),
            },
          }
        },
      },
      {
        method: 'POST',
        path: /^\/crm\/v3\/objects\/contacts\/batch\/read$/,
        answer: ({ body }, state) => ({
          status: 200,
          body: {
            status: 'COMPLETE',
            results: listOf(fieldsOf(body)['inputs']).flatMap(({ id }) => state.contacts.get(String(id)) ?? []),
          },
        }),
      },
      {
        method: 'POST',
        path: /^\/crm\/v3\/objects\/contacts\/gdpr-delete$/,
        answer: ({ body }, state) => {
          state.contacts.delete(String(fieldsOf(body)['objectId']))
          return { status: 204 }
        },
      },
      {
        // https://developers.hubspot.com/docs/api-reference/crm-lists-v3/guide
        method: 'PUT',
        path: /^\/crm\/v3\/lists\/(\d+)\/memberships\/(add|remove)$/,
        answer: ({ body }, state, list, act) => {
          if (list !== LIST) return failure(404, 'OBJECT_NOT_FOUND', 'List does not exist')
          for (const id of Array.isArray(body) ? body.map(String) : [])
            if (act === 'add') state.list.add(id)
            else state.list.delete(id)
          return { status: 200, body: {} }
        },
      },
      {
        method: 'POST',
        path: /^\/events\/v3\/send$/,
        answer: ({ body }, state) => {
          const event = fieldsOf(body)
          if (!/^pe\d+_/.test(String(event['eventName'])))
            return failure(400, 'VALIDATION_ERROR', 'eventName is unknown')
          state.events.set(String(event['uuid']), event)
          return { status: 204 }
        },
      },
      {
        method: 'POST',
        path: /^\/crm\/v3\/objects\/tasks$/,
        answer: ({ body }, state) => {
          const task = fieldsOf(body)
          if (fieldsOf(task['properties'])['hs_timestamp'] === undefined)
            return failure(400, 'VALIDATION_ERROR', 'hs_timestamp is required')
          state.tasks.push(task)
          return { status: 201, body: { id: '1' } }
        },
      },
      {
        // https://developers.hubspot.com/docs/api-reference/communication-preferences-subscriptions-v3/guide
        method: 'POST',
        path: /^\/communication-preferences\/v3\/unsubscribe$/,
        answer: ({ body }, state) => {
          const email = String(fieldsOf(body)['emailAddress'])
          if (state.unsubscribed.has(email)) return failure(400, 'VALIDATION_ERROR', `${email} is already unsubscribed`)
          state.unsubscribed.add(email)
          return { status: 200, body: { status: 'NOT_SUBSCRIBED' } }
        },
      },
    ],
  }),
})
