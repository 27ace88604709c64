import { describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  identify,
  itemsOf,
  runAction,
  sandboxTransport,
  serveSandboxes,
  track,
} from '../../core/testing/index.ts'
import klaviyo from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const email = 'maria.souza@example.com'
const metric = (name: string) => ({ data: { type: 'metric', attributes: { name } } })
const profile = (attributes: object) => ({ data: { type: 'profile', attributes } })
const found = {
  path: '/profiles?filter=equals%28email%2C%22maria.souza%40example.com%22%29',
  answers: { status: 200, body: { data: [{ type: 'profile', id: '01ABC' }] } },
}

destinationContract(klaviyo, {
  settings,
  sandbox,
  personalDataInLookup: 'Klaviyo finds a profile by a filter in the query and has no other search.',
  hashed: { upsertProfile: ['name'] },
  examples: [
    {
      title: 'an identify becomes a profile, subscribed to nothing',
      action: 'upsertProfile',
      given: identify({
        userId: 'u-42',
        traits: { email, name: 'Maria Souza', phone: '11 98765-4321', plan: 'ouro', address: { city: 'Niterói' } },
      }),
      settings: { properties: { plano: 'plan' } },
      sends: {
        method: 'POST',
        path: '/profile-import',
        headers: { authorization: 'Klaviyo-API-Key pk_sandbox0123456789', revision: '2026-07-15' },
        body: {
          data: {
            type: 'profile',
            attributes: {
              email,
              phone_number: '+5511987654321',
              external_id: 'u-42',
              first_name: 'Maria',
              last_name: 'Souza',
              location: { city: 'Niterói' },
              properties: { plano: 'ouro' },
            },
          },
        },
      },
    },
    {
      title: 'an order is Placed Order with its items, once by its id',
      action: 'sendEvent',
      given: track({
        name: 'Order Completed',
        messageId: 'msg-1',
        traits: { email },
        properties: {
          order_id: 'A-1',
          total: 99.9,
          products: [{ sku: 'meia', name: 'Meia', price: 9.9, quantity: 2 }],
        },
      }),
      sends: {
        method: 'POST',
        path: '/events',
        body: {
          data: {
            type: 'event',
            attributes: {
              metric: metric('Placed Order'),
              profile: profile({ email }),
              properties: {
                order_id: 'A-1',
                total: 99.9,
                OrderId: 'A-1',
                Items: [{ ProductID: 'meia', ProductName: 'Meia', Quantity: 2, ItemPrice: 9.9 }],
              },
              value: 99.9,
              value_currency: 'BRL',
              time: '2026-11-24T11:59:30.000Z',
              unique_id: 'msg-1',
            },
          },
        },
      },
      answers: { status: 202 },
    },
    {
      title: 'a rule starts a flow with both links',
      action: 'sendTrigger',
      given: track({ name: 'Cart Abandoned', traits: { email }, properties: { total: 99.9 } }),
      sends: {
        method: 'POST',
        path: '/events',
        body: {
          data: {
            type: 'event',
            attributes: {
              metric: metric('Cart Abandoned'),
              profile: profile({ email }),
              properties: {
                total: 99.9,
                stop_url: GIVEN.links.stop,
                why_url: GIVEN.links.why,
                anuente_delivery_id: 'delivery-1',
              },
              time: '2026-11-24T11:59:30.000Z',
              unique_id: 'key-1',
            },
          },
        },
      },
      answers: { status: 202 },
    },
    {
      title: 'who enters an audience goes on the list by profile id',
      action: 'addToAudience',
      given: identify({ traits: { email } }),
      with: { audience: 'Y6nRLr' },
      lookups: [found],
      sends: {
        method: 'POST',
        path: '/lists/Y6nRLr/relationships/profiles',
        body: { data: [{ type: 'profile', id: '01ABC' }] },
      },
      answers: { status: 204 },
    },
    {
      title: 'who leaves it is taken off',
      action: 'removeFromAudience',
      given: identify({ traits: { email } }),
      with: { audience: 'Y6nRLr' },
      lookups: [found],
      sends: {
        method: 'DELETE',
        path: '/lists/Y6nRLr/relationships/profiles',
        body: { data: [{ type: 'profile', id: '01ABC' }] },
      },
      answers: { status: 204 },
    },
    {
      title: 'a withdrawal ends marketing by e-mail',
      action: 'unsubscribe',
      given: identify({ traits: { email } }),
      sends: {
        method: 'POST',
        path: '/profile-subscription-bulk-delete-jobs',
        body: {
          data: {
            type: 'profile-subscription-bulk-delete-job',
            attributes: {
              profiles: {
                data: [
                  {
                    type: 'profile',
                    attributes: { email, subscriptions: { email: { marketing: { consent: 'UNSUBSCRIBED' } } } },
                  },
                ],
              },
            },
          },
        },
      },
      answers: { status: 202 },
    },
  ],
})

describe('klaviyo: against the sandbox', () => {
  it('an event sent twice counts once, and a list that is not there is final', async () => {
    const running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    const transport = sandboxTransport(running, 'klaviyo')
    try {
      const event = itemsOf(klaviyo, {
        action: 'sendEvent',
        given: track({ name: 'Order Completed', traits: { email } }),
      })
      for (const _ of [1, 2]) await runAction(klaviyo, 'sendEvent', event, { settings, transport })
      expect(running.state(sandbox).events.size).toBe(1)
      const upsert = itemsOf(klaviyo, { action: 'upsertProfile', given: identify({ traits: { email } }) })
      const items = itemsOf(klaviyo, {
        action: 'addToAudience',
        given: identify({ traits: { email } }),
        with: { audience: 'XXXXXX' },
      })
      const add = async () => (await runAction(klaviyo, 'addToAudience', items, { settings, transport })).results
      expect(await add()).toEqual([{ status: 'retry', reason: 'not a profile yet', retryAfterMs: 60_000 }])
      await runAction(klaviyo, 'upsertProfile', upsert, { settings, transport })
      expect(await add()).toEqual([{ status: 'rejected', reason: 'HTTP 404 not_found' }])
    } finally {
      await transport.close()
      await running.close()
    }
  })
})
