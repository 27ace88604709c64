import { describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  itemsOf,
  runAction,
  sandboxTransport,
  serveSandboxes,
  track,
} from '../../core/testing/index.ts'
import fcm from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const token = 'bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1'
const given = track({
  name: 'Cart Abandoned',
  userId: 'u-42',
  properties: { total: 99.9, url: 'https://loja.example/carrinho', products: [{}], from: 'x' },
  context: { device: { token } },
})

destinationContract(fcm, {
  settings,
  sandbox,
  examples: [
    {
      title: 'a push goes to the device with both links as data, all of it text',
      action: 'sendPush',
      given,
      with: { title: 'Seu carrinho', text: 'Ele espera por você' },
      sends: {
        method: 'POST',
        path: '/messages:send',
        headers: { authorization: 'Bearer ya29.sandbox-fcm-token' },
        body: {
          message: {
            token,
            notification: { title: 'Seu carrinho', body: 'Ele espera por você' },
            data: {
              total: '99.9',
              url: 'https://loja.example/carrinho',
              stop_url: GIVEN.links.stop,
              why_url: GIVEN.links.why,
              anuente_delivery_id: 'delivery-1',
            },
            android: { notification: { tag: 'delivery-1' } },
            webpush: { fcm_options: { link: 'https://loja.example/carrinho' } },
          },
        },
      },
      answers: { status: 200, body: { name: 'projects/loja-exemplo/messages/1' } },
    },
  ],
})

describe('fcm: against the sandbox', () => {
  it('a token of an app that was removed is final, and says so', async () => {
    const running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    const transport = sandboxTransport(running, 'fcm')
    try {
      running.state(sandbox).dead.add(token)
      const items = itemsOf(fcm, { action: 'sendPush', given, with: { text: 'Olá' } })
      expect((await runAction(fcm, 'sendPush', items, { settings, transport })).results).toEqual([
        { status: 'rejected', reason: 'HTTP 404 NOT_FOUND UNREGISTERED' },
      ])
    } finally {
      await transport.close()
      await running.close()
    }
  })
})
