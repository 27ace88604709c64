import { createHash } from 'node:crypto'
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
import tiktok from './destination.ts'
import sandbox from './sandbox.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const settings = sandbox.settings('')
const audience = '7300000000000000001'
const ok = { status: 200, body: { code: 0, message: 'OK' } }
const maria = { email: 'Maria.Souza@example.com', phone: '(11) 98765-4321' }
const hashes = [sha256('maria.souza@example.com'), sha256('+5511987654321')]
const order = track({
  name: 'Order Completed',
  messageId: 'msg-1',
  userId: 'u-42',
  traits: maria,
  properties: { order_id: 'A-1', total: 99.9, products: [{ product_id: 'tenis', name: 'Tênis', price: '99.90' }] },
  context: { ip: '203.0.113.7', userAgent: 'Mozilla/5.0', ttclid: 'E.C.P.1', page: { url: 'https://loja.example/ok' } },
})

destinationContract(tiktok, {
  settings,
  sandbox,
  hashed: {
    sendEvent: ['email', 'phone', 'externalId'],
    addToAudience: ['email', 'phone'],
    removeFromAudience: ['email', 'phone'],
  },
  examples: [
    {
      title: 'an order becomes a Purchase, contact data hashed',
      action: 'sendEvent',
      given: order,
      sends: {
        method: 'POST',
        path: '/event/track/',
        headers: { 'access-token': 'tiktok-sandbox-token-0123456789' },
        body: {
          event_source: 'web',
          event_source_id: 'C4A1B2C3D4E5F6G7H8I9',
          data: [
            {
              event: 'Purchase',
              event_time: Date.parse('2026-11-24T11:59:30Z') / 1000,
              event_id: 'msg-1',
              user: {
                email: hashes[0],
                phone: hashes[1],
                external_id: sha256('u-42'),
                ip: '203.0.113.7',
                user_agent: 'Mozilla/5.0',
                ttclid: 'E.C.P.1',
              },
              properties: {
                value: 99.9,
                currency: 'BRL',
                content_type: 'product',
                contents: [{ content_id: 'tenis', content_name: 'Tênis', price: 99.9, quantity: 1 }],
                order_id: 'A-1',
              },
              page: { url: 'https://loja.example/ok' },
            },
          ],
        },
      },
      answers: ok,
    },
    {
      title: 'who enters an audience becomes a member, by hashes alone',
      action: 'addToAudience',
      given: identify({ traits: maria }),
      with: { audience },
      sends: {
        method: 'POST',
        path: '/segment/mapping/',
        body: {
          advertiser_ids: ['6900000001'],
          action: 'add',
          id_schema: ['EMAIL_SHA256', 'PHONE_SHA256'],
          batch_data: [
            [
              { id: hashes[0], audience_ids: [audience] },
              { id: hashes[1], audience_ids: [audience] },
            ],
          ],
        },
      },
      answers: ok,
    },
    {
      title: 'a withdrawal, which names no audience, leaves those of the settings',
      action: 'removeFromAudience',
      given: identify({ traits: { phone: maria.phone } }),
      sends: {
        method: 'POST',
        path: '/segment/mapping/',
        body: {
          advertiser_ids: ['6900000001'],
          action: 'delete',
          id_schema: ['EMAIL_SHA256', 'PHONE_SHA256'],
          batch_data: [[{}, { id: hashes[1], audience_ids: [audience] }]],
        },
      },
      answers: ok,
    },
  ],
})

describe('tiktok: 200 that is none', () => {
  const said = (code: unknown) =>
    tiktok.verdict!({ status: 200, headers: {}, text: '', json: { code, message: 'maria' } })
  it.each([40100, 50000, 51000])('%d is tried again', (code) => {
    expect(said(code)).toEqual({ status: 'retry', reason: `TikTok code ${code}` })
  })
  it.each([40001, 40105])('%d is for the operator', (code) => {
    expect(said(code)).toMatchObject({ status: 'authentication' })
  })
  it('40002 is final, and a 200 without a code is no success', () => {
    expect(said(40002)).toEqual({ status: 'rejected', reason: 'TikTok code 40002' })
    expect(tiktok.verdict!({ status: 200, headers: {}, text: '<html>', json: undefined })).toMatchObject({
      status: 'retry',
    })
  })
})

describe('tiktok: against the sandbox', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'tiktok')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const run = (action: string, given: ReturnType<typeof track>[], more: object = {}) =>
    runAction(tiktok, action, itemsOf(tiktok, { action, given, ...more }), { settings, transport })

  it('finds the wrong event by halves and delivers all others exactly once', async () => {
    const events = Array.from({ length: 20 }, (_, index) =>
      track({ name: index === 7 ? 'Order Completed' : 'Signed Up', messageId: `msg-${index}`, userId: `u-${index}` }),
    )
    const { results } = await run('sendEvent', events)
    expect(results.map(({ status }) => status)).toEqual(
      events.map((_, index) => (index === 7 ? 'rejected' : 'delivered')),
    )
    await run('sendEvent', events)
    expect(running.state(sandbox).events.size).toBe(19)
  })

  it('an audience is entered and left', async () => {
    await run('addToAudience', [identify({ traits: maria })], { with: { audience } })
    expect(running.state(sandbox).audiences.get(audience)!.size).toBe(2)
    await run('removeFromAudience', [identify({ traits: maria })])
    expect(running.state(sandbox).audiences.get(audience)!.size).toBe(0)
  })
})
