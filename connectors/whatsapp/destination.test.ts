import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  itemsOf,
  plainHttp,
  runAction,
  settingsOf,
  track,
} from '../../core/testing/index.ts'
import whatsapp from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const cart = track({
  name: 'Cart Abandoned',
  traits: { phone: '(11) 98765-4321', firstName: 'Maria' },
  properties: { product: 'Tênis\n42', order_id: 'A-1001' },
})
const taken = {
  status: 200,
  body: { messaging_product: 'whatsapp', messages: [{ id: 'wamid.1', message_status: 'accepted' }] },
}
const common = {
  messaging_product: 'whatsapp',
  recipient_type: 'individual',
  to: '+5511987654321',
  biz_opaque_callback_data: 'delivery-1',
}

destinationContract(whatsapp, {
  settings,
  sandbox,
  examples: [
    {
      title: 'a template is filled in order, its button ends with the token of the signed link',
      action: 'sendTemplate',
      given: cart,
      with: { template: 'carrinho_abandonado' },
      sends: {
        method: 'POST',
        path: '/106540352242922/messages',
        headers: { authorization: 'Bearer EAAsandboxWhatsappToken' },
        body: {
          ...common,
          type: 'template',
          template: {
            name: 'carrinho_abandonado',
            language: { code: 'pt_BR' },
            components: [
              {
                type: 'body',
                parameters: [
                  { type: 'text', text: 'Maria' },
                  { type: 'text', text: 'Tênis 42' },
                ],
              },
              { type: 'button', sub_type: 'url', index: '0', parameters: [{ type: 'text', text: 'tk_stop' }] },
            ],
          },
        },
      },
      answers: taken,
    },
    {
      title: 'an order is confirmed under its own purpose',
      action: 'sendServiceTemplate',
      given: cart,
      with: { template: 'pedido_recebido' },
      settings: { templates: { pedido_recebido: { body: ['properties.order_id'], header: 'name' } } },
      sends: {
        method: 'POST',
        path: '/106540352242922/messages',
        body: {
          ...common,
          type: 'template',
          template: {
            name: 'pedido_recebido',
            language: { code: 'pt_BR' },
            components: [
              { type: 'header', parameters: [{ type: 'text', text: 'Maria' }] },
              { type: 'body', parameters: [{ type: 'text', text: 'A-1001' }] },
            ],
          },
        },
      },
      answers: taken,
    },
    {
      title: 'an answer inside the conversation shows both links',
      action: 'sendText',
      given: cart,
      with: { text: 'Podemos ajudar?', name: 'Maria' },
      sends: {
        method: 'POST',
        path: '/106540352242922/messages',
        body: {
          ...common,
          type: 'text',
          text: {
            preview_url: false,
            body: `Podemos ajudar?\n\nParar: ${GIVEN.links.stop}\nPor quê: ${GIVEN.links.why}`,
          },
        },
      },
      answers: taken,
    },
  ],
  hashed: { sendText: ['name'] },
})

describe('whatsapp: templates and codes', () => {
  const send = async (given: ReturnType<typeof track>, template: string) => {
    const items = itemsOf(whatsapp, { action: 'sendTemplate', given, with: { template } })
    const transport = () => expect.unreachable('nothing may leave')
    return (await runAction(whatsapp, 'sendTemplate', items, { settings, transport })).results[0]
  }

  it('a parameter without a value is found before Meta refuses it', async () => {
    const bare = track({ name: 'Cart Abandoned', traits: { phone: '+5511987654321' } })
    expect(await send(bare, 'carrinho_abandonado')).toEqual({
      status: 'rejected',
      reason: 'nothing to fill these parameters of the template: name, properties.product',
    })
  })

  it.each(['outro', 'constructor'])('a template %s that is not configured is refused', async (template) => {
    expect(await send(cart, template)).toEqual({
      status: 'rejected',
      reason: 'the settings have no template of this name',
    })
  })

  const said = (code: number, status = 400) =>
    whatsapp.verdict!({ status, headers: {}, text: '', json: { error: { code, message: '+5511987654321' } } })
  it.each([130429, 131056, 131000, 80007])('%d is tried again', (code) => {
    expect(said(code)).toEqual({ status: 'retry', reason: `WhatsApp code ${code}` })
  })
  it('131049, the cap on marketing messages, waits a day', () => {
    expect(said(131049)).toEqual({ status: 'retry', reason: 'WhatsApp code 131049', retryAfterMs: 86_400_000 })
  })
  it.each([131026, 131047, 131050, 132000, 132001])('%d is final', (code) => {
    expect(said(code)).toEqual({ status: 'rejected', reason: `WhatsApp code ${code}` })
  })
  it.each([190, 131042, 200])('%d is for the operator', (code) => {
    expect(said(code, 401)).toMatchObject({ status: 'authentication' })
  })

  it('check names templates that are missing or not approved', async () => {
    const checked = settingsOf(whatsapp, settings)
    const http = plainHttp(whatsapp, checked, async ({ url }) => ({
      status: 200,
      headers: {},
      text: '',
      json: url.includes('message_templates')
        ? { data: [{ name: 'carrinho_abandonado', language: 'pt_BR', status: 'PAUSED' }] }
        : { quality_rating: 'RED' },
    }))
    expect(await whatsapp.check({ http, settings: checked as never, now: new Date(GIVEN.now) })).toMatchObject({
      ok: true,
      warnings: [
        'The quality rating of the number is RED: Meta will lower its limits.',
        'Template carrinho_abandonado (pt_BR) is not approved.',
        'Template pedido_recebido (pt_BR) does not exist in this account.',
      ],
    })
  })
})

describe('whatsapp: what Meta tells', () => {
  const appSecret = 'whatsapp-app-secret-0123456789'
  const feedback = 'receive' in whatsapp.feedback ? whatsapp.feedback.receive! : expect.unreachable('it listens')
  const own = { ...settings, appSecret } as never
  const request = (notice: unknown) => {
    const body = Buffer.from(JSON.stringify(notice))
    const signature = `sha256=${createHmac('sha256', appSecret).update(body).digest('hex')}`
    const headers: Record<string, string> = { 'x-hub-signature-256': signature }
    return { method: 'POST', path: '/in/whatsapp', query: {}, headers, body, receivedAt: GIVEN.now }
  }
  const notice = (value: object) => ({ object: 'whatsapp_business_account', entry: [{ changes: [{ value }] }] })

  it('is believed with the signature alone', () => {
    const good = request(notice({}))
    expect(feedback.verify(good, own)).toBe(true)
    expect(feedback.verify({ ...good, body: Buffer.from('{"entry":[]}') }, own)).toBe('BAD_SIGNATURE')
    expect(feedback.verify({ ...good, headers: {} }, own)).toBe('BAD_SIGNATURE')
    expect(feedback.verify(good, settings as never)).toBe('BAD_SIGNATURE')
  })

  it('statuses settle their delivery, answers and stops are told of the person', () => {
    const at = '2026-11-24T12:00:00.000Z'
    const timestamp = '1795521600'
    const phone = '5511987654321'
    const person = { channel: 'whatsapp', identifiers: [{ type: 'phone', value: `+${phone}` }], at }
    const value = {
      statuses: [
        { status: 'sent', recipient_id: phone, timestamp },
        { status: 'read', recipient_id: phone, timestamp, biz_opaque_callback_data: 'delivery-1' },
        { status: 'failed', recipient_id: phone, timestamp, errors: [{ code: 131050 }] },
      ],
      messages: [{ from: phone, timestamp, type: 'text', text: { body: 'SAIR' } }],
      user_preferences: [{ wa_id: phone, timestamp, category: 'marketing_messages', value: 'stop' }],
    }
    expect(feedback.read(request(notice(value)), own)).toEqual([
      { kind: 'opened', ...person, deliveryId: 'delivery-1' },
      { kind: 'unsubscribed', ...person },
      { kind: 'replied', ...person, text: 'SAIR' },
      { kind: 'unsubscribed', ...person },
    ])
    expect(() => feedback.read(request([]), own)).toThrow('must be an object')
  })
})
