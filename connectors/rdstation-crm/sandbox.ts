/** RD Station CRM in miniature: API v1 by token, v2 by a connected account. */
import { createHash } from 'node:crypto'
import {
  createOAuthAccount,
  defineSandbox,
  fieldsOf,
  listOf,
  type OAuthAccount,
  routed,
  type SandboxAnswer,
  type SandboxRoute,
} from '../../core/testing/sandbox.ts'

export interface CrmState {
  readonly oauth: OAuthAccount
  readonly contacts: Map<string, Record<string, unknown>>
  readonly deals: Map<string, Record<string, unknown>>
  readonly tasks: Record<string, unknown>[]
  readonly hits: number[]
}

const TOKEN = 'crm-sandbox-token-0123456789'
/** An access token that lasts, for the examples of API v2. */
export const ACCESS_TOKEN = 'crm-sandbox-access-token'
const CLIENT = { clientId: 'crm-sandbox-client', clientSecret: 'crm-sandbox-client-secret' }
/** A deal that is there from the beginning. */
export const DEAL = '5f0a1b2c3d4e5f6a7b8c9d0e'

const failure = (status: number, error: string): SandboxAnswer => ({ status, body: { errors: [error] } })
const idOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 24)

/** https://developers.rdstation.com/reference/crm-v2-introducao: bodies are {data}. */
const connectedRoutes: readonly SandboxRoute<CrmState>[] = [
  { method: 'GET', path: /^\/crm\/v2\/users$/, answer: () => ({ status: 200, body: { data: [] } }) },
  {
    method: 'GET',
    path: /^\/crm\/v2\/contacts$/,
    answer: ({ query }, state) => {
      const [, email = ''] = /^email:(.+)$/.exec(query['filter'] ?? '') ?? []
      if (email === '') return failure(422, 'filter is invalid')
      const found = [...state.contacts.values()].filter(({ emails }) =>
        listOf(emails).some((one) => String(one['email']).includes(email)),
      )
      return { status: 200, body: { data: found } }
    },
  },
  {
    method: 'POST',
    path: /^\/crm\/v2\/contacts$/,
    answer: ({ body }, state) => {
      const contact = fieldsOf(fieldsOf(body)['data'])
      if (typeof contact['name'] !== 'string' || contact['name'] === '') return failure(422, "name can't be blank")
      const id = idOf(JSON.stringify(contact['emails']))
      state.contacts.set(id, { ...contact, id })
      return { status: 201, body: { data: { ...contact, id } } }
    },
  },
  {
    method: 'PUT',
    path: /^\/crm\/v2\/contacts\/([0-9a-f]{24})$/,
    answer: ({ body }, state, id) => {
      const contact = state.contacts.get(id!)
      if (!contact) return failure(404, 'Not found')
      Object.assign(contact, fieldsOf(fieldsOf(body)['data']))
      return { status: 200, body: { data: contact } }
    },
  },
  {
    method: 'POST',
    path: /^\/crm\/v2\/deals$/,
    answer: ({ body }, state) => {
      const deal = fieldsOf(fieldsOf(body)['data'])
      if (typeof deal['name'] !== 'string' || deal['name'] === '') return failure(422, "name can't be blank")
      const ids = Array.isArray(deal['contact_ids']) ? deal['contact_ids'] : []
      if (!ids.every((id) => state.contacts.has(String(id)))) return failure(422, 'contact_ids is invalid')
      const id = idOf(`${deal['name']}${state.deals.size}`)
      state.deals.set(id, { ...deal, id })
      return { status: 201, body: { data: { ...deal, id } } }
    },
  },
  {
    method: 'PUT',
    path: /^\/crm\/v2\/deals\/([0-9a-f]{24})$/,
    answer: ({ body }, state, id) => {
      const deal = state.deals.get(id!)
      if (!deal) return failure(404, 'Not found')
      const change = fieldsOf(fieldsOf(body)['data'])
      if (change['status'] !== undefined && !['ongoing', 'won', 'lost', 'paused'].includes(String(change['status'])))
        return failure(422, 'status is invalid')
      Object.assign(deal, change)
      return { status: 200, body: { data: deal } }
    },
  },
  {
    method: 'POST',
    path: /^\/crm\/v2\/tasks$/,
    answer: ({ body }, state) => {
      const task = fieldsOf(fieldsOf(body)['data'])
      if (!state.deals.has(String(task['deal_id']))) return failure(422, 'deal_id is invalid')
      if (Number.isNaN(Date.parse(String(task['due_date'])))) return failure(422, 'due_date is invalid')
      state.tasks.push(task)
      return { status: 201, body: { data: task } }
    },
  },
]

export default defineSandbox<CrmState>({
  connector: 'rdstation-crm',
  state: () => ({
    oauth: createOAuthAccount({
      clientId: CLIENT.clientId,
      clientSecret: CLIENT.clientSecret,
      authorizePath: '/oauth/authorize',
      tokenPath: '/oauth2/token',
      accessSeconds: 7200,
      rotates: true,
      pkce: false,
      body: 'form',
    }),
    contacts: new Map(),
    deals: new Map([[DEAL, {}]]),
    tasks: [],
    hits: [],
  }),
  settings: () => ({ token: TOKEN }),
  refused: () => ({ token: 'revoked-token' }),

  oauth: { settings: () => ({ ...CLIENT }), account: ({ oauth }) => oauth },

  handle: routed<CrmState>({
    open: (request, { oauth }) => oauth.answer(request),
    refuse: ({ path, query, headers, now }, state) => {
      const { authorization } = headers
      const known = path.startsWith('/crm/v2/')
        ? authorization === `Bearer ${ACCESS_TOKEN}` || state.oauth.accepts(authorization, now)
        : query['token'] === TOKEN
      if (!known) return failure(401, 'Unauthorized')
      // https://developers.rdstation.com/reference/crm-v1-limite-de-requisicoes: 120 a minute.
      state.hits.push(now.getTime())
      while (state.hits[0]! < now.getTime() - 60_000) state.hits.shift()
      return state.hits.length > 120 ? failure(429, 'Too many requests') : undefined
    },
    missing: failure(404, 'Not found'),
    routes: [
      ...connectedRoutes,
      { method: 'GET', path: /^\/api\/v1\/token\/check$/, answer: () => ({ status: 200, body: { name: 'Loja' } }) },
      {
        // https://developers.rdstation.com/reference/crm-v1-list-contacts
        method: 'GET',
        path: /^\/api\/v1\/contacts$/,
        answer: ({ query }, state) => {
          const contacts = [...state.contacts.values()].filter(({ emails }) =>
            listOf(emails).some(({ email }) => String(email).includes(query['email'] ?? '')),
          )
          return { status: 200, body: { total: contacts.length, has_more: false, contacts } }
        },
      },
      {
        // https://developers.rdstation.com/reference/crm-v1-create-contact
        method: 'POST',
        path: /^\/api\/v1\/contacts$/,
        answer: ({ body }, state) => {
          const contact = fieldsOf(fieldsOf(body)['contact'])
          if (typeof contact['name'] !== 'string' || contact['name'] === '') return failure(422, "name can't be blank")
          const id = idOf(JSON.stringify(contact['emails']))
          state.contacts.set(id, { ...contact, id })
          return { status: 200, body: { ...contact, id } }
        },
      },
      {
        method: 'PUT',
        path: /^\/api\/v1\/contacts\/([0-9a-f]{24})$/,
        answer: ({ body }, state, id) => {
          const contact = state.contacts.get(id!)
          if (!contact) return failure(404, 'Not found')
          Object.assign(contact, fieldsOf(fieldsOf(body)['contact']))
          return { status: 200, body: contact }
        },
      },
      {
        // https://developers.rdstation.com/reference/crm-v1-create-deal
        method: 'POST',
        path: /^\/api\/v1\/deals$/,
        answer: ({ body }, state) => {
          const deal = fieldsOf(fieldsOf(body)['deal'])
          if (typeof deal['name'] !== 'string' || deal['name'] === '') return failure(422, "name can't be blank")
          const id = idOf(`${deal['name']}${state.deals.size}`)
          state.deals.set(id, { ...deal, id, win: null, contacts: fieldsOf(body)['contacts'] })
          return { status: 200, body: { ...deal, id } }
        },
      },
      {
        method: 'PUT',
        path: /^\/api\/v1\/deals\/([0-9a-f]{24})$/,
        answer: ({ body }, state, id) => {
          const deal = state.deals.get(id!)
          if (!deal) return failure(404, 'Not found')
          Object.assign(deal, fieldsOf(body))
          return { status: 200, body: deal }
        },
      },
      {
        // https://developers.rdstation.com/reference/crm-v1-create-task
        method: 'POST',
        path: /^\/api\/v1\/tasks$/,
        answer: ({ body }, state) => {
          const task = fieldsOf(fieldsOf(body)['task'])
          if (!state.deals.has(String(task['deal_id']))) return failure(422, 'deal_id is invalid')
          if (!/^\d{4}-\d{2}-\d{2}$/.test(String(task['date']))) return failure(422, 'date is invalid')
          state.tasks.push(task)
          return { status: 200, body: task }
        },
      },
    ],
  }),
})
