/** SendGrid v3 in miniature. */
import { createHash } from 'node:crypto'
import { defineSandbox, fieldsOf, listOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

interface Contact {
  readonly id: string
  readonly email: string
  readonly lists: Set<string>
  readonly fields: Record<string, unknown>
}

export interface SendGridState {
  readonly contacts: Map<string, Contact>
  readonly suppressed: Set<string>
  readonly mails: Record<string, unknown>[]
}

const KEY = 'SG.sandboxsandboxsandbox.sandboxsandboxsandboxsandbox'
const LIST = '3fa85f64-5717-4562-b3fc-2c963f66afa6'
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/

// https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses
const failure = (status: number, message: string, field: string | null = null): SandboxAnswer => ({
  status,
  body: { errors: [{ message, field, help: null }] },
})

export default defineSandbox<SendGridState>({
  connector: 'sendgrid',
  state: () => ({ contacts: new Map(), suppressed: new Set(), mails: [] }),
  settings: () => ({
    apiKey: KEY,
    from: { email: 'ola@loja.example', name: 'Loja Exemplo' },
    templateId: `d-${'0a'.repeat(16)}`,
  }),
  refused: () => ({ apiKey: 'SG.revoked', from: { email: 'ola@loja.example' }, templateId: `d-${'0a'.repeat(16)}` }),

  handle: routed<SendGridState>({
    // https://www.twilio.com/docs/sendgrid/for-developers/sending-email/authentication
    refuse: ({ headers }) =>
      headers['authorization'] === `Bearer ${KEY}`
        ? undefined
        : failure(401, 'The provided authorization grant is invalid, expired, or revoked'),
    missing: failure(404, 'not found'),
    routes: [
      {
        method: 'GET',
        path: /^\/v3\/scopes$/,
        answer: () => ({
          status: 200,
          body: { scopes: ['mail.send', 'marketing.read', 'asm.suppressions.global.create'] },
        }),
      },
      {
        // https://www.twilio.com/docs/sendgrid/api-reference/contacts/add-or-update-a-contact
        method: 'PUT',
        path: /^\/v3\/marketing\/contacts$/,
        answer: ({ body }, state) => {
          const { contacts, list_ids: lists } = fieldsOf(body)
          const given = listOf(contacts)
          if (given.length === 0 || given.length > 30_000) return failure(400, 'contacts: 1 to 30000', 'contacts')
          for (const list of Array.isArray(lists) ? lists : [])
            if (list !== LIST) return failure(404, 'invalid list id', 'list_ids')
          // One wrong contact refuses the whole request.
          const wrong = given.findIndex(({ email }) => !EMAIL.test(String(email)))
          if (wrong >= 0) return failure(400, 'email is invalid', `contacts[${wrong}].email`)
          for (const { email, ...fields } of given) {
            const key = String(email).toLowerCase()
            const before = state.contacts.get(key)
            state.contacts.set(key, {
              id: before?.id ?? createHash('sha256').update(key).digest('hex').slice(0, 36),
              email: key,
              lists: new Set([...(before?.lists ?? []), ...(Array.isArray(lists) ? lists.map(String) : [])]),
              fields: { ...before?.fields, ...fields },
            })
          }
          return { status: 202, body: { job_id: 'a1b2c3d4' } }
        },
      },
      {
        // https://www.twilio.com/docs/sendgrid/api-reference/contacts/get-contacts-by-emails
        method: 'POST',
        path: /^\/v3\/marketing\/contacts\/search\/emails$/,
        answer: ({ body }, state) => {
          const [email = ''] = (fieldsOf(body)['emails'] as string[] | undefined) ?? []
          const found = state.contacts.get(email.toLowerCase())
          return found
            ? {
                status: 200,
                body: {
                  result: {
                    [email]: { contact: { ...found.fields, id: found.id, email, list_ids: [...found.lists] } },
                  },
                },
              }
            : failure(404, 'no contacts found')
        },
      },
      {
        method: 'DELETE',
        path: /^\/v3\/marketing\/contacts$/,
        answer: ({ query }, state) => {
          for (const [key, { id }] of state.contacts) if (id === query['ids']) state.contacts.delete(key)
          return { status: 202, body: { job_id: 'a1b2c3d4' } }
        },
      },
      {
        method: 'DELETE',
        path: /^\/v3\/marketing\/lists\/([\w-]+)\/contacts$/,
        answer: ({ query }, state, list) => {
          if (list !== LIST) return failure(404, 'list not found')
          for (const { id, lists } of state.contacts.values()) if (id === query['contact_ids']) lists.delete(LIST)
          return { status: 202, body: { job_id: 'a1b2c3d4' } }
        },
      },
      {
        // https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
        method: 'POST',
        path: /^\/v3\/mail\/send$/,
        answer: ({ body }, state) => {
          const mail = fieldsOf(body)
          const [first] = listOf(mail['personalizations'])
          const [to] = listOf(first?.['to'])
          if (!EMAIL.test(String(to?.['email'])))
            return failure(400, 'Does not contain a valid address.', 'personalizations.0.to.0.email')
          if (fieldsOf(mail['from'])['email'] !== 'ola@loja.example')
            return failure(403, 'The from address does not match a verified Sender Identity.', 'from')
          if (
            mail['template_id'] === undefined &&
            (mail['subject'] === undefined || listOf(mail['content']).length === 0)
          )
            return failure(400, 'The subject and content are required.', 'subject')
          // Whoever opted out is dropped in silence; the Event Webhook tells so.
          if (!state.suppressed.has(String(to?.['email']))) state.mails.push(mail)
          return { status: 202, headers: { 'x-message-id': 'sandbox-message-1' } }
        },
      },
      {
        // https://www.twilio.com/docs/sendgrid/api-reference/suppressions-global-suppressions/add-recipient-addresses-to-the-global-suppression-group
        method: 'POST',
        path: /^\/v3\/asm\/(?:suppressions\/global|groups\/\d+\/suppressions)$/,
        answer: ({ body }, state) => {
          const emails = (fieldsOf(body)['recipient_emails'] as string[] | undefined) ?? []
          for (const email of emails) state.suppressed.add(email)
          return { status: 201, body: { recipient_emails: emails } }
        },
      },
    ],
  }),
})
