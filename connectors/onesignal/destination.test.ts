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
import onesignal from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const app = String(settings['appId'])
const user = identify({ userId: 'cliente-42', traits: { plan: 'ouro' } })
const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)

destinationContract(onesignal, {
  settings,
  sandbox,
  personalDataInPath: 'OneSignal addresses a user by external_id in the path.',
  examples: [
    {
      title: 'an identify becomes a user with tags and without subscriptions',
      action: 'upsertUser',
      given: user,
      settings: { tags: { plano: 'plan' } },
      sends: {
        method: 'POST',
        path: `/apps/${app}/users`,
        headers: { authorization: 'Key os_v2_app_sandbox0123456789' },
        body: { identity: { external_id: 'cliente-42' }, properties: { tags: { plano: 'ouro' } } },
      },
    },
    {
      title: 'audiences are tags',
      action: 'addToAudience',
      given: user,
      with: { audience: 'carrinho' },
      sends: {
        method: 'POST',
        path: `/apps/${app}/users`,
        body: { identity: { external_id: 'cliente-42' }, properties: { tags: { carrinho: '1' } } },
      },
    },
    {
      title: 'who leaves loses the tag',
      action: 'removeFromAudience',
      given: user,
      with: { audience: 'carrinho' },
      sends: {
        method: 'POST',
        path: `/apps/${app}/users`,
        body: { identity: { external_id: 'cliente-42' }, properties: { tags: { carrinho: '' } } },
      },
    },
    {
      title: 'a push carries both links as data, and a key as UUID',
      action: 'sendPush',
      given: track({
        name: 'Cart Abandoned',
        userId: 'cliente-42',
        properties: { url: 'https://loja.example/carrinho' },
      }),
      with: { title: 'Seu carrinho', text: 'Ele espera por você' },
      sends: {
        method: 'POST',
        path: '/notifications',
        body: {
          app_id: app,
          target_channel: 'push',
          include_aliases: { external_id: ['cliente-42'] },
          idempotency_key: uuid,
          contents: { en: 'Ele espera por você', pt: 'Ele espera por você' },
          headings: { en: 'Seu carrinho', pt: 'Seu carrinho' },
          url: 'https://loja.example/carrinho',
          data: { stop_url: GIVEN.links.stop, why_url: GIVEN.links.why, anuente_delivery_id: 'delivery-1' },
        },
      },
      answers: { status: 200, body: { id: 'n-1' } },
    },
    {
      title: 'a withdrawal switches push off, not e-mail',
      action: 'unsubscribe',
      given: user,
      lookups: [
        {
          path: `/apps/${app}/users/by/external_id/cliente-42`,
          answers: {
            status: 200,
            body: {
              subscriptions: [
                { id: 'sub-1', type: 'ChromePush', enabled: true },
                { id: 'sub-2', type: 'Email', enabled: true },
                { id: 'sub-3', type: 'AndroidPush', enabled: false },
              ],
            },
          },
        },
      ],
      sends: { method: 'PATCH', path: `/apps/${app}/subscriptions/sub-1`, body: { subscription: { enabled: false } } },
    },
  ],
})

describe('onesignal: against the sandbox', () => {
  it('a 200 that reached nobody is not delivered, and an upsert switches nothing on', async () => {
    const running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    const transport = sandboxTransport(running, 'onesignal')
    try {
      const run = async (action: string, more: object = {}) =>
        (
          await runAction(onesignal, action, itemsOf(onesignal, { action, given: user, ...more }), {
            settings,
            transport,
          })
        ).results
      const push = () => run('sendPush', { with: { text: 'Olá' } })
      await run('upsertUser')
      expect(await push()).toEqual([{ status: 'delivered', answer: '200' }])
      await push()
      expect(running.state(sandbox).notifications.size).toBe(1)
      expect(await run('unsubscribe')).toEqual([{ status: 'delivered', answer: '1 subscriptions off' }])
      await run('upsertUser')
      expect(await push()).toEqual([{ status: 'rejected', reason: 'OneSignal reached nobody: no subscription is on' }])
      expect(await run('sendPush')).toEqual([
        { status: 'rejected', reason: 'the rule sets neither text nor templateId' },
      ])
    } finally {
      await transport.close()
      await running.close()
    }
  })
})
