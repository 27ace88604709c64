/** ActiveCampaign v3 in miniature. */
import { defineSandbox, fieldsOf, listOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface ActiveCampaignState {
  readonly contacts: Map<
    string,
    { readonly id: string; fields: Record<string, unknown>; tags: Set<string>; left: number[] }
  >
}

const TOKEN = 'ac-sandbox-token-0123456789'
const FIELDS = ['1', '5', '6', '7']

const failure = (status: number, title: string): SandboxAnswer => ({
  status,
  body: { errors: [{ title, detail: '', code: 'field_invalid', source: { pointer: '/data/attributes' } }] },
})
const contactOf = (state: ActiveCampaignState, email: string) => {
  let contact = state.contacts.get(email)
  if (!contact) {
    contact = { id: String(100 + state.contacts.size), fields: {}, tags: new Set(), left: [] }
    state.contacts.set(email, contact)
  }
  return contact
}

export default defineSandbox<ActiveCampaignState>({
  connector: 'activecampaign',
  state: () => ({ contacts: new Map() }),
  settings: () => ({
    url: 'https://loja.api-us1.com',
    apiToken: TOKEN,
    lists: [1],
    triggerFields: { trigger: '5', stop: '6', why: '7' },
  }),
  refused: () => ({
    url: 'https://loja.api-us1.com',
    apiToken: 'ac-revoked-token',
    lists: [1],
    triggerFields: { trigger: '5', stop: '6', why: '7' },
  }),
  handle: routed<ActiveCampaignState>({
    // https://developers.activecampaign.com/reference/authentication: 403 without a body of use.
    refuse: ({ headers }) =>
      headers['api-token'] === TOKEN ? undefined : { status: 403, body: { message: 'You do not have permission' } },
    missing: { status: 404, body: { message: 'No Result found' } },
    routes: [
      {
        method: 'GET',
        path: /^\/api\/3\/fields$/,
        answer: () => ({ status: 200, body: { fields: FIELDS.map((id) => ({ id })) } }),
      },
      {
        // https://developers.activecampaign.com/reference/sync-a-contacts-data
        method: 'POST',
        path: /^\/api\/3\/contact\/sync$/,
        answer: ({ body }, state) => {
          const given = fieldsOf(fieldsOf(body)['contact'])
          if (!/^[^\s@]+@[^\s@]+$/.test(String(given['email']))) return failure(422, 'The contact email is invalid')
          const values = listOf(given['fieldValues'])
          if (values.some(({ field }) => !FIELDS.includes(String(field))))
            return failure(422, 'The field does not exist')
          const contact = contactOf(state, String(given['email']))
          Object.assign(
            contact.fields,
            given,
            Object.fromEntries(values.map(({ field, value }) => [String(field), value])),
          )
          return { status: 200, body: { contact: { id: contact.id, email: given['email'] } } }
        },
      },
      {
        // https://developers.activecampaign.com/reference/bulk-import-contacts
        method: 'POST',
        path: /^\/api\/3\/import\/bulk_import$/,
        answer: ({ body }, state) => {
          const contacts = listOf(fieldsOf(body)['contacts'])
          if (contacts.length === 0 || contacts.length > 250)
            return { status: 400, body: { success: 0, message: '1 to 250' } }
          for (const { email, tags, unsubscribe } of contacts) {
            const contact = contactOf(state, String(email))
            for (const tag of Array.isArray(tags) ? tags : []) contact.tags.add(String(tag))
            for (const { listid } of listOf(unsubscribe)) contact.left.push(Number(listid))
          }
          return { status: 200, body: { Success: 1, queued_contacts: contacts.length, batchId: 'b-1' } }
        },
      },
      {
        method: 'GET',
        path: /^\/api\/3\/contacts$/,
        answer: ({ query }, state) => {
          const contact = state.contacts.get(query['email'] ?? '')
          return {
            status: 200,
            body: { contacts: contact ? [{ ...contact.fields, id: contact.id, email: query['email'] }] : [] },
          }
        },
      },
      {
        method: 'GET',
        path: /^\/api\/3\/contacts\/(\d+)\/contactTags$/,
        answer: (_, state, id) => ({
          status: 200,
          body: {
            contactTags: [...state.contacts.values()]
              .filter((contact) => contact.id === id)
              .flatMap(({ tags }) => [...tags].map((tag) => ({ id: `${id}-${tag}`, tag: `t-${tag}` }))),
          },
        }),
      },
      {
        method: 'GET',
        path: /^\/api\/3\/tags$/,
        answer: ({ query }) => {
          const tag = query['filters[search][eq]']
          return { status: 200, body: { tags: [{ id: `t-${tag}`, tag }] } }
        },
      },
      {
        method: 'DELETE',
        path: /^\/api\/3\/contactTags\/(\d+)-(.+)$/,
        answer: (_, state, id, tag) => {
          for (const contact of state.contacts.values()) if (contact.id === id) contact.tags.delete(tag!)
          return { status: 200, body: {} }
        },
      },
      {
        method: 'DELETE',
        path: /^\/api\/3\/contacts\/(\d+)$/,
        answer: (_, state, id) => {
          for (const [email, contact] of state.contacts) if (contact.id === id) state.contacts.delete(email)
          return { status: 200, body: {} }
        },
      },
    ],
  }),
})
