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
import activecampaign from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const email = 'maria.souza@example.com'

destinationContract(activecampaign, {
  settings,
  sandbox,
  personalDataInLookup: 'ActiveCampaign finds a contact by ?email= and has no other search.',
  hashed: { upsertContact: ['name'] },
  examples: [
    {
      title: 'an identify becomes a contact',
      action: 'upsertContact',
      given: identify({ traits: { email, name: 'Maria Souza', phone: '11 98765-4321', plan: 'ouro' } }),
      settings: { fields: { '1': 'plan' } },
      sends: {
        method: 'POST',
        path: '/contact/sync',
        headers: { 'api-token': 'ac-sandbox-token-0123456789' },
        body: {
          contact: {
            email,
            firstName: 'Maria',
            lastName: 'Souza',
            phone: '+5511987654321',
            fieldValues: [{ field: '1', value: 'ouro' }],
          },
        },
      },
    },
    {
      title: 'audiences are tags, added in one request',
      action: 'addToAudience',
      given: [identify({ traits: { email } }), identify({ traits: { email: 'joao@example.com' } })],
      with: { audience: 'carrinho' },
      sends: {
        method: 'POST',
        path: '/import/bulk_import',
        body: {
          contacts: [
            { email, tags: ['carrinho'] },
            { email: 'joao@example.com', tags: ['carrinho'] },
          ],
        },
      },
    },
    {
      title: 'who leaves loses that tag alone',
      action: 'removeFromAudience',
      given: identify({ traits: { email } }),
      with: { audience: 'carrinho' },
      lookups: [
        {
          path: '/contacts?email=maria.souza%40example.com',
          answers: { status: 200, body: { contacts: [{ id: '100', email }] } },
        },
        {
          path: '/contacts/100/contactTags',
          answers: {
            status: 200,
            body: {
              contactTags: [
                { id: '9', tag: '4' },
                { id: '8', tag: '3' },
              ],
            },
          },
        },
        {
          path: '/tags?filters%5Bsearch%5D%5Beq%5D=carrinho',
          answers: { status: 200, body: { tags: [{ id: '3', tag: 'carrinho' }] } },
        },
      ],
      sends: { method: 'DELETE', path: '/contactTags/8' },
    },
    {
      title: 'a rule starts an automation through a field, with both links',
      action: 'startFlow',
      given: track({ name: 'Cart Abandoned', traits: { email } }),
      sends: {
        method: 'POST',
        path: '/contact/sync',
        body: {
          contact: {
            email,
            fieldValues: [
              { field: '5', value: 'Cart Abandoned #delivery-1' },
              { field: '6', value: GIVEN.links.stop },
              { field: '7', value: GIVEN.links.why },
            ],
          },
        },
      },
    },
    {
      title: 'a withdrawal leaves the lists',
      action: 'unsubscribe',
      given: identify({ traits: { email } }),
      sends: {
        method: 'POST',
        path: '/import/bulk_import',
        body: { contacts: [{ email, unsubscribe: [{ listid: 1 }] }] },
      },
    },
  ],
})

describe('activecampaign: against the sandbox', () => {
  it('an audience is entered and left, and other tags stay', async () => {
    const running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    const transport = sandboxTransport(running, 'activecampaign')
    try {
      const run = (action: string, audience: string) =>
        runAction(
          activecampaign,
          action,
          itemsOf(activecampaign, { action, given: identify({ traits: { email } }), with: { audience } }),
          { settings, transport },
        )
      expect((await run('removeFromAudience', 'vip')).results).toEqual([
        { status: 'delivered', answer: 'not a contact' },
      ])
      await run('addToAudience', 'vip')
      await run('addToAudience', 'carrinho')
      await run('removeFromAudience', 'carrinho')
      expect(running.state(sandbox).contacts.get(email)!.tags).toEqual(new Set(['vip']))
      expect((await run('removeFromAudience', 'carrinho')).results).toEqual([
        { status: 'delivered', answer: 'has no such tag' },
      ])
    } finally {
      await transport.close()
      await running.close()
    }
  })
})
