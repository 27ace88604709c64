/** WhatsApp Cloud API in miniature: one number, three templates. */
import { defineSandbox, fieldsOf, listOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface WhatsappState {
  readonly messages: Record<string, unknown>[]
  /** When each person was written to. */
  readonly pairs: Map<string, number[]>
  /** Numbers that are not on WhatsApp. */
  readonly unreachable: Set<string>
}

const TOKEN = 'EAAsandboxWhatsappToken'
const NUMBER = '106540352242922'
const ACCOUNT = '102290129340398'
/** name -> body parameters */
const TEMPLATES: Readonly<Record<string, number>> = { carrinho_abandonado: 2, pedido_recebido: 1 }

const failure = (status: number, code: number, message: string, details = ''): SandboxAnswer => ({
  status,
  body: {
    error: {
      message: `(#${code}) ${message}`,
      type: 'OAuthException',
      code,
      error_data: { messaging_product: 'whatsapp', details },
    },
  },
})

export default defineSandbox<WhatsappState>({
  connector: 'whatsapp',
  state: () => ({ messages: [], pairs: new Map(), unreachable: new Set() }),
  settings: () => ({
    phoneNumberId: NUMBER,
    accessToken: TOKEN,
    businessAccountId: ACCOUNT,
    templates: {
      carrinho_abandonado: { body: ['name', 'properties.product'], buttons: { '0': 'links.stop' } },
      pedido_recebido: { body: ['properties.order_id'] },
    },
  }),
  refused: () => ({
    phoneNumberId: NUMBER,
    accessToken: 'EAAexpired',
    templates: { carrinho_abandonado: { body: ['name'] }, pedido_recebido: { body: ['properties.order_id'] } },
  }),

  handle: routed<WhatsappState>({
    refuse: ({ headers }) =>
      headers['authorization'] === `Bearer ${TOKEN}`
        ? undefined
        : failure(401, 190, 'Error validating access token: the session has expired'),
    missing: failure(400, 100, 'Unsupported request'),
    routes: [
      {
        method: 'GET',
        path: /^\/v\d+\.\d+\/106540352242922$/,
        answer: () => ({
          status: 200,
          body: { id: NUMBER, quality_rating: 'GREEN', code_verification_status: 'VERIFIED' },
        }),
      },
      {
        method: 'GET',
        path: /^\/v\d+\.\d+\/102290129340398\/message_templates$/,
        answer: () => ({
          status: 200,
          body: { data: Object.keys(TEMPLATES).map((name) => ({ name, language: 'pt_BR', status: 'APPROVED' })) },
        }),
      },
      {
        method: 'POST',
        path: /^\/v\d+\.\d+\/106540352242922\/messages$/,
        answer: ({ body, now }, state) => {
          const message = fieldsOf(body)
          if (message['messaging_product'] !== 'whatsapp') return failure(400, 100, 'Invalid parameter')
          const to = String(message['to']).replace(/\D/g, '')
          if (!/^\d{8,15}$/.test(to)) return failure(400, 100, 'Invalid parameter', 'to is not a phone number')
          // https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
          if (state.unreachable.has(to)) return failure(400, 131026, 'Message undeliverable')
          // #throughput, pair rate limit: one message in six seconds, up to 45 of them borrowed from the time to come.
          const sent = (state.pairs.get(to) ?? []).filter((at) => now.getTime() - at < 45 * 6000)
          if (sent.length >= 45) return failure(400, 131056, '(Business Account, Consumer Account) pair rate limit hit')
          const wrong = message['type'] === 'template' ? flawOf(fieldsOf(message['template'])) : textFlaw(message)
          if (wrong) return wrong
          state.pairs.set(to, [...sent, now.getTime()])
          state.messages.push(message)
          return {
            status: 200,
            body: {
              messaging_product: 'whatsapp',
              contacts: [{ input: to, wa_id: to }],
              messages: [{ id: `wamid.${state.messages.length}`, message_status: 'accepted' }],
            },
          }
        },
      },
    ],
  }),
})

function flawOf(template: Record<string, unknown>): SandboxAnswer | undefined {
  const expected = TEMPLATES[String(template['name'])]
  if (expected === undefined || fieldsOf(template['language'])['code'] !== 'pt_BR')
    return failure(404, 132001, 'Template name does not exist in the translation')
  const body = listOf(template['components']).find(({ type }) => type === 'body')
  const parameters = listOf(body?.['parameters'])
  if (parameters.length !== expected)
    return failure(400, 132000, 'Number of parameters does not match the expected number of params')
  return parameters.some(({ text }) => typeof text !== 'string' || text === '' || /[\n\t]| {5}/.test(text))
    ? failure(400, 132018, 'Template parameter invalid')
    : undefined
}

const textFlaw = (message: Record<string, unknown>): SandboxAnswer | undefined =>
  message['type'] === 'text' && String(fieldsOf(message['text'])['body']).length <= 4096
    ? undefined
    : failure(400, 131009, 'Parameter value is not valid')
