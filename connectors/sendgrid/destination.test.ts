import { generateKeyPairSync, sign } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  identify,
  itemsOf,
  type RunningSandboxes,
  runAction,
  sandboxTransport,
  serveSandboxes,
  track,
} from '../../core/testing/index.ts'
import sendgrid from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const list = '3fa85f64-5717-4562-b3fc-2c963f66afa6'
const email = 'maria.souza@example.com'
const search = (found: boolean) => ({
  method: 'POST' as const,
  path: '/marketing/contacts/search/emails',
  answers: found
    ? { status: 200, body: { result: { [email]: { contact: { id: 'contact-1', email } } } } }
    : { status: 404, body: { errors: [{ message: 'none' }] } },
})
const headers = {
  'List-Unsubscribe': `<${GIVEN.links.stop}>`,
  'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
}

destinationContract(sendgrid, {
  settings,
  sandbox,
  hashed: { upsertContact: ['name'] },
  examples: [
    {
      title: 'a batch of identifies becomes contacts',
      action: 'upsertContact',
      given: [
        identify({ traits: { email, name: 'Maria Inês Souza', phone: '11 98765-4321', plan: 'ouro' } }),
        identify({ traits: { email: 'joao@example.com', firstName: 'João' } }),
      ],
      settings: { customFields: { e1_T: 'plan' } },
      sends: {
        method: 'PUT',
        path: '/marketing/contacts',
        headers: { authorization: `Bearer ${settings['apiKey']}` },
        body: {
          contacts: [
            {
              email,
              first_name: 'Maria',
              last_name: 'Inês Souza',
              phone_number: '+5511987654321',
              custom_fields: { e1_T: 'ouro' },
            },
            { email: 'joao@example.com', first_name: 'João' },
          ],
        },
      },
      answers: { status: 202, body: { job_id: 'j' } },
    },
    {
      title: 'who enters an audience goes on the list',
      action: 'addToAudience',
      given: identify({ traits: { email } }),
      with: { audience: list },
      sends: { method: 'PUT', path: '/marketing/contacts', body: { list_ids: [list], contacts: [{ email }] } },
      answers: { status: 202, body: { job_id: 'j' } },
    },
    {
      title: 'who leaves it is taken off by contact id',
      action: 'removeFromAudience',
      given: identify({ traits: { email } }),
      with: { audience: list },
      lookups: [search(true)],
      sends: { method: 'DELETE', path: `/marketing/lists/${list}/contacts?contact_ids=contact-1` },
      answers: { status: 202, body: { job_id: 'j' } },
    },
    {
      title: 'a dynamic template gets properties and both links',
      action: 'sendEmail',
      given: track({ name: 'Cart Abandoned', traits: { email, firstName: 'Maria' }, properties: { total: 149.9 } }),
      sends: {
        method: 'POST',
        path: '/mail/send',
        body: {
          personalizations: [
            {
              to: [{ email, name: 'Maria' }],
              dynamic_template_data: {
                total: 149.9,
                name: 'Maria',
                event: 'Cart Abandoned',
                stop_url: GIVEN.links.stop,
                why_url: GIVEN.links.why,
              },
              custom_args: { anuente_delivery_id: 'delivery-1' },
              headers,
            },
          ],
          from: { email: 'ola@loja.example', name: 'Loja Exemplo' },
          template_id: `d-${'0a'.repeat(16)}`,
        },
      },
      answers: { status: 202 },
    },
    {
      title: 'the text of a rule goes without a template, links below it',
      action: 'sendEmail',
      given: track({ name: 'Cart Abandoned', traits: { email } }),
      with: { subject: 'Seu carrinho', text: 'Ele espera.' },
      settings: { unsubscribeGroup: 7, sandboxMode: true },
      sends: {
        method: 'POST',
        path: '/mail/send',
        body: {
          personalizations: [{ to: [{ email }], custom_args: { anuente_delivery_id: 'delivery-1' }, headers }],
          from: { email: 'ola@loja.example', name: 'Loja Exemplo' },
          subject: 'Seu carrinho',
          content: [
            {
              type: 'text/plain',
              value: `Ele espera.\n\n--\nParar de receber: ${GIVEN.links.stop}\nPor que recebi isto? ${GIVEN.links.why}\n`,
            },
          ],
          asm: { group_id: 7 },
          mail_settings: { sandbox_mode: { enable: true } },
        },
      },
      answers: { status: 202 },
    },
    {
      title: 'a withdrawal becomes a suppression of everything',
      action: 'unsubscribe',
      given: identify({ traits: { email } }),
      sends: { method: 'POST', path: '/asm/suppressions/global', body: { recipient_emails: [email] } },
      answers: { status: 201, body: { recipient_emails: [email] } },
    },
  ],
})

describe('sendgrid: against the sandbox', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'sendgrid')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const run = (action: string, given: ReturnType<typeof identify> | ReturnType<typeof identify>[], more: object = {}) =>
    runAction(sendgrid, action, itemsOf(sendgrid, { action, given, ...more }), { settings, transport })

  it('one contact that SendGrid refuses does not lose the others', async () => {
    const items = itemsOf(sendgrid, {
      action: 'upsertContact',
      given: Array.from({ length: 8 }, (_, index) => identify({ traits: { email: `p${index}@example.com` } })),
    }).map((item, index) => (index === 5 ? { ...item, payload: { email: 'not an address' } } : item))
    const { results } = await runAction(sendgrid, 'upsertContact', items, { settings, transport })
    expect(results.map(({ status }) => status)).toEqual(
      items.map((_, index) => (index === 5 ? 'rejected' : 'delivered')),
    )
    expect(running.state(sandbox).contacts.size).toBe(7)
  })

  it('a list that is not there fails its own members alone', async () => {
    const [a, b] = itemsOf(sendgrid, {
      action: 'addToAudience',
      given: [identify({ traits: { email } }), identify({ traits: { email: 'joao@example.com' } })],
      with: { audience: list },
    })
    const other = { ...b!, payload: { ...b!.payload, audience: '00000000-0000-4000-8000-000000000000' } }
    const { results } = await runAction(sendgrid, 'addToAudience', [a!, other], { settings, transport })
    expect(results.map(({ status }) => status)).toEqual(['delivered', 'rejected'])
  })

  it('an upsert after an opt-out leaves the opt-out standing', async () => {
    await run('unsubscribe', identify({ traits: { email } }))
    await run('upsertContact', identify({ traits: { email } }))
    await run('sendEmail', track({ name: 'Cart Abandoned', traits: { email } }))
    expect(running.state(sandbox).suppressed).toEqual(new Set([email]))
    expect(running.state(sandbox).mails).toEqual([])
  })

  it('leaving a list one is not on is done, without a write', async () => {
    const { results, requests } = await run('removeFromAudience', identify({ traits: { email } }), {
      with: { audience: list },
    })
    expect(results).toEqual([{ status: 'delivered', answer: 'not a contact' }])
    expect(requests).toHaveLength(1)
  })

  it('the reset time of a 429 is waited for', () => {
    const reset = Math.ceil(Date.now() / 1000) + 3600
    const answer = sendgrid.verdict!({
      status: 429,
      headers: { 'x-ratelimit-reset': String(reset) },
      text: '',
      json: undefined,
    })
    expect(answer).toMatchObject({ status: 'retry', reason: 'HTTP 429 rate limit of SendGrid' })
    expect((answer as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(3_000_000)
  })
})

describe('sendgrid: what the Event Webhook tells', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const eventVerification = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  const feedback = 'receive' in sendgrid.feedback ? sendgrid.feedback.receive! : expect.unreachable('it listens')
  const request = (events: unknown, change = (body: Buffer) => body) => {
    const body = Buffer.from(JSON.stringify(events))
    const timestamp = '1795521600'
    const signature = sign('sha256', Buffer.concat([Buffer.from(timestamp), body]), privateKey).toString('base64')
    return {
      method: 'POST',
      path: '/in/sendgrid',
      query: {},
      headers: {
        'x-twilio-email-event-webhook-signature': signature,
        'x-twilio-email-event-webhook-timestamp': timestamp,
      },
      body: change(body),
      receivedAt: GIVEN.now,
    }
  }
  const own = { ...settings, eventVerification } as never

  it('is believed with the signature alone', () => {
    const events = [{ event: 'open', email }]
    expect(feedback.verify(request(events), own)).toBe(true)
    expect(
      feedback.verify(
        request(events, (body) => Buffer.from(body.toString().replace('open', 'opem'))),
        own,
      ),
    ).toBe('BAD_SIGNATURE')
    expect(feedback.verify(request(events), settings as never)).toBe('BAD_SIGNATURE')
    expect(feedback.verify({ ...request(events), headers: {} }, own)).toBe('BAD_SIGNATURE')
  })

  it('names the delivery and the person; what does not last is left out', () => {
    const events = [
      { event: 'processed', email },
      { event: 'delivered', email, timestamp: 1795521600, anuente_delivery_id: 'delivery-1' },
      { event: 'group_unsubscribe', email, timestamp: 1795521600 },
      { event: 'constructor', email },
      'noise',
    ]
    const at = '2026-11-24T12:00:00.000Z'
    const identifiers = [{ type: 'email', value: email }]
    expect(feedback.read(request(events), own)).toEqual([
      { kind: 'delivered', channel: 'email', deliveryId: 'delivery-1', identifiers, at },
      { kind: 'unsubscribed', channel: 'email', identifiers, at },
    ])
    expect(() => feedback.read(request({ event: 'open' }), own)).toThrow('list of events')
  })
})
