/** A mail server in miniature: simulated mail is posted here instead of leaving by SMTP. */
import { defineSandbox, fieldsOf } from '../../core/testing/sandbox.ts'

export interface MailState {
  readonly mails: Record<string, unknown>[]
}

const PASSWORD = 'smtp-sandbox-password'

export default defineSandbox<MailState>({
  connector: 'smtp',
  state: () => ({ mails: [] }),
  settings: () => ({
    host: 'smtp.loja.example',
    user: 'hub',
    password: PASSWORD,
    from: 'Loja Exemplo <ola@loja.example>',
    templates: {
      carrinho: {
        subject: '{{ name }}, seu carrinho espera',
        text: 'Olá {{ name }}, faltou {{ properties.product }}.\nParar: {{ links.stop }}\nPor quê: {{ links.why }}',
        html: '<p>Olá {{ name }}</p><a href="{{ links.stop }}">Parar</a> <a href="{{ links.why }}">Por quê?</a>',
      },
    },
  }),
  refused: () => ({
    host: 'smtp.loja.example',
    user: 'hub',
    password: 'wrong-password',
    from: 'ola@loja.example',
    templates: {
      carrinho: { subject: 'x', text: 'x' },
    },
  }),

  handle(request, state) {
    // RFC 4954 §6: 535, authentication credentials invalid.
    if (request.headers['smtp-password'] !== PASSWORD)
      return { status: 401, body: '535 5.7.8 Authentication credentials invalid' }
    if (request.method === 'GET') return { status: 200, body: '250 OK' }
    const mail = fieldsOf(request.body)
    // RFC 5321 §3.3 and §4.1.1.3: 553, mailbox name not allowed.
    if (!/^[^\s@]+@[^\s@]+$/.test(String(mail['to']))) return { status: 422, body: '553 5.1.3 Bad recipient' }
    // RFC 5321 §4.5.3.1.4: a line is at most 998 octets, so a subject with a line break is no header.
    if (/[\r\n]/.test(String(mail['subject']))) return { status: 422, body: '550 5.6.0 Bad header' }
    const headers = fieldsOf(mail['headers'])
    // https://support.google.com/a/answer/81126: bulk senders must offer one-click unsubscribe (RFC 8058).
    if (headers['List-Unsubscribe-Post'] !== 'List-Unsubscribe=One-Click' || !headers['List-Unsubscribe'])
      return { status: 422, body: '550 5.7.26 one-click unsubscribe is missing' }
    state.mails.push(mail)
    return { status: 250, body: '250 2.0.0 OK' }
  },
})
