/** Pipedrive v2 in miniature. */
import { defineSandbox, fieldsOf, listOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface PipedriveState {
  readonly persons: Map<number, Record<string, unknown>>
  readonly deals: Map<number, Record<string, unknown>>
  readonly activities: Record<string, unknown>[]
}

const TOKEN = 'pipedrive-sandbox-token'
const failure = (status: number, error: string): SandboxAnswer => ({ status, body: { success: false, error } })
const done = (data: unknown, status = 200): SandboxAnswer => ({ status, body: { success: true, data } })

export default defineSandbox<PipedriveState>({
  connector: 'pipedrive',
  state: () => ({ persons: new Map(), deals: new Map([[42, {}]]), activities: [] }),
  settings: () => ({ company: 'loja', apiToken: TOKEN }),
  refused: () => ({ company: 'loja', apiToken: 'revoked-token' }),
  handle: routed<PipedriveState>({
    // https://pipedrive.readme.io/docs/core-api-concepts-authentication
    refuse: ({ headers }) => (headers['x-api-token'] === TOKEN ? undefined : failure(401, 'unauthorized access')),
    missing: failure(404, 'Not found'),
    routes: [
      { method: 'GET', path: /^\/api\/v2\/pipelines$/, answer: () => done([]) },
      {
        // https://developers.pipedrive.com/docs/api/v1/Persons#searchPersons
        method: 'GET',
        path: /^\/api\/v2\/persons\/search$/,
        answer: ({ query }, state) =>
          done({
            items: [...state.persons]
              .filter(([, { emails }]) => listOf(emails).some(({ value }) => value === query['term']))
              .map(([id, { name }]) => ({ item: { id, name } })),
          }),
      },
      {
        method: 'POST',
        path: /^\/api\/v2\/persons$/,
        answer: ({ body }, state) => {
          const person = fieldsOf(body)
          if (typeof person['name'] !== 'string' || person['name'] === '') return failure(400, 'name is required')
          const id = state.persons.size + 1
          state.persons.set(id, { ...person, id })
          return done({ id }, 201)
        },
      },
      {
        method: 'PATCH',
        path: /^\/api\/v2\/(persons|deals)\/(\d+)$/,
        answer: ({ body }, state, kind, id) => {
          const found = state[kind as 'persons' | 'deals'].get(Number(id))
          if (!found) return failure(404, 'not found')
          const fields = fieldsOf(body)
          if (fields['marketing_status'] === 'subscribed' && found['marketing_status'] === 'unsubscribed')
            return failure(400, 'marketing_status cannot be changed back')
          Object.assign(found, fields)
          return done(found)
        },
      },
      {
        method: 'GET',
        path: /^\/api\/v2\/persons\/(\d+)$/,
        answer: (_, state, id) => {
          const person = state.persons.get(Number(id))
          return person ? done(person) : failure(404, 'Person not found')
        },
      },
      {
        method: 'DELETE',
        path: /^\/api\/v2\/persons\/(\d+)$/,
        answer: (_, state, id) =>
          state.persons.delete(Number(id)) ? done({ id: Number(id) }) : failure(404, 'not found'),
      },
      {
        method: 'POST',
        path: /^\/api\/v2\/deals$/,
        answer: ({ body }, state) => {
          const deal = fieldsOf(body)
          if (typeof deal['title'] !== 'string' || !state.persons.has(Number(deal['person_id'])))
            return failure(400, 'title and person_id are required')
          state.deals.set(100 + state.deals.size, deal)
          return done({}, 201)
        },
      },
      {
        method: 'POST',
        path: /^\/api\/v2\/activities$/,
        answer: ({ body }, state) => {
          const activity = fieldsOf(body)
          if (!/^\d{4}-\d{2}-\d{2}$/.test(String(activity['due_date']))) return failure(400, 'due_date is invalid')
          state.activities.push(activity)
          return done({}, 201)
        },
      },
    ],
  }),
})
