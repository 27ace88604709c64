/** RD Station CRM v1 in miniature. */
import { createHash } from 'node:crypto'
import { defineSandbox, fieldsOf, listOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface CrmState {
  readonly contacts: Map<string, Record<string, unknown>>
  readonly deals: Map<string, Record<string, unknown>>
  readonly tasks: Record<string, unknown>[]
  readonly hits: number[]
}

const TOKEN = 'crm-sandbox-token-0123456789'
/** A deal that is there from the beginning. */
export const DEAL = '5f0a1b2c3d4e5f6a7b8c9d0e'

const failure = (status: number, error: string): SandboxAnswer => ({ status, body: { errors: [error] } })
const idOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 24)

export default defineSandbox<CrmState>({
  connector: 'rdstation-crm',
  state: () => ({ contacts: new Map(), deals: new Map([[DEAL, {}]]), tasks: [], hits: [] }),
  settings: () => ({ token: TOKEN }),
  refused: () => ({ token: 'revoked-token' }),

  handle: routed<CrmState>({
    refuse: ({ query, now }, state) => {
      if (query['token'] !== TOKEN) return failure(401, 'Unauthorized')
      // https://developers.rdstation.com/reference/crm-v1-limite-de-requisicoes: 120 a minute.
      state.hits.push(now.getTime())
      while (state.hits[0]! < now.getTime() - 60_000) state.hits.shift()
      return state.hits.length > 120 ? failure(429, 'Too many requests') : undefined
    },
    missing: failure(404, 'Not found'),
    routes: [
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
