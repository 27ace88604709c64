/** Brevo v3 in miniature. */
import { defineSandbox, fieldsOf, listOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface BrevoState {
  readonly contacts: Map<string, Record<string, unknown>>
  readonly events: Record<string, unknown>[]
  readonly mails: Record<string, unknown>[]
}

const KEY = 'xkeysib-sandbox0123456789'
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/

// https://developers.brevo.com/docs/how-it-works#error-codes
const failure = (status: number, code: string, message: string): SandboxAnswer => ({ status, body: { code, message } })

export default defineSandbox<BrevoState>({
  connector: 'brevo',
  state: () => ({ contacts: new Map(), events: [], mails: [] }),
  settings: () => ({ apiKey: KEY, templateId: 7 }),
  refused: () => ({ apiKey: 'xkeysib-revoked', templateId: 7 }),
  handle: routed<BrevoState>({
    refuse: ({ headers }) => (headers['api-key'] === KEY ? undefined : failure(401, 'unauthorized', 'Key not found')),
    missing: failure(404, 'document_not_found', 'Not found'),
    routes: [
      { method: 'GET', path: /^\/v3\/account$/, answer: () => ({ status: 200, body: { companyName: 'Loja' } }) },
      {
        method: 'GET',
        path: /^\/v3\/contacts\/attributes$/,
        answer: () => ({ status: 200, body: { attributes: [{ name: 'FIRSTNAME' }, { name: 'PLANO' }] } }),
      },
      {
        // https://developers.brevo.com/reference/createcontact
        method: 'POST',
        path: /^\/v3\/contacts$/,
        answer: ({ body }, state) => {
          const { email, listIds, updateEnabled, attributes, ...fields } = fieldsOf(body)
          if (!EMAIL.test(String(email))) return failure(400, 'invalid_parameter', 'Invalid email address')
          const before = state.contacts.get(String(email))
          if (before && updateEnabled !== true) return failure(400, 'duplicate_parameter', 'Contact already exist')
          const lists = new Set([
            ...((before?.['listIds'] as number[] | undefined) ?? []),
            ...((listIds as number[]) ?? []),
          ])
          state.contacts.set(String(email), {
            ...before,
            ...fields,
            email,
            attributes: { ...fieldsOf(before?.['attributes']), ...fieldsOf(attributes) },
            listIds: [...lists],
          })
          return before ? { status: 204 } : { status: 201, body: { id: state.contacts.size } }
        },
      },
      {
        // https://developers.brevo.com/reference/updatecontact
        method: 'PUT',
        path: /^\/v3\/contacts\/([^/]+)$/,
        answer: ({ body }, state, email) => {
          const contact = state.contacts.get(email!)
          if (!contact) return failure(404, 'document_not_found', 'Contact does not exist')
          const gone = (fieldsOf(body)['unlinkListIds'] as number[] | undefined) ?? []
          contact['listIds'] = (contact['listIds'] as number[]).filter((id) => !gone.includes(id))
          return { status: 204 }
        },
      },
      {
        method: 'GET',
        path: /^\/v3\/contacts\/([^/]+)$/,
        answer: (_, state, email) => {
          const contact = state.contacts.get(email!)
          return contact ? { status: 200, body: contact } : failure(404, 'document_not_found', 'Contact does not exist')
        },
      },
      {
        method: 'DELETE',
        path: /^\/v3\/contacts\/([^/]+)$/,
        answer: (_, state, email) =>
          state.contacts.delete(email!) ? { status: 204 } : failure(404, 'document_not_found', 'no'),
      },
      {
        // https://developers.brevo.com/reference/createevent
        method: 'POST',
        path: /^\/v3\/events$/,
        answer: ({ body }, state) => {
          const event = fieldsOf(body)
          if (!/^[\p{L}\d_-]{1,255}$/u.test(String(event['event_name'])))
            return failure(400, 'invalid_parameter', 'event_name is invalid')
          if (Object.keys(fieldsOf(event['identifiers'])).length === 0)
            return failure(400, 'missing_parameter', 'identifiers is missing')
          state.events.push(event)
          return { status: 204 }
        },
      },
      {
        // https://developers.brevo.com/reference/sendtransacemail
        method: 'POST',
        path: /^\/v3\/smtp\/email$/,
        answer: ({ body }, state) => {
          const mail = fieldsOf(body)
          if (!EMAIL.test(String(listOf(mail['to'])[0]?.['email'])))
            return failure(400, 'invalid_parameter', 'to is invalid')
          if (mail['templateId'] !== 7) return failure(400, 'invalid_parameter', 'template does not exist')
          state.mails.push(mail)
          return { status: 201, body: { messageId: '<1@smtp-relay.example>' } }
        },
      },
    ],
  }),
})
