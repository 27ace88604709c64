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
import hubspot from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const email = 'maria.souza@example.com'
const found = {
  method: 'POST' as const,
  path: '/crm/v3/objects/contacts/batch/read',
  answers: { status: 200, body: { results: [{ id: '1001', properties: { email } }] } },
}

destinationContract(hubspot, {
  settings,
  sandbox,
  hashed: { upsertContact: ['name'] },
  examples: [
    {
      title: 'identifies become contacts in one request, each with its trace id',
      action: 'upsertContact',
      given: [
        identify({ traits: { email, name: 'Maria Souza', phone: '11 98765-4321', plan: 'ouro' } }),
        identify({ traits: { email: 'joao@example.com', firstName: 'João', city: 'Niterói' } }),
      ],
      settings: { properties: { plano: 'plan' } },
      sends: {
        method: 'POST',
        path: '/crm/v3/objects/contacts/batch/upsert',
        headers: { authorization: 'Bearer pat-na1-sandbox-0123456789' },
        body: {
          inputs: [
            {
              idProperty: 'email',
              id: email,
              objectWriteTraceId: 'delivery-1',
              properties: { email, firstname: 'Maria', lastname: 'Souza', phone: '+5511987654321', plano: 'ouro' },
            },
            {
              idProperty: 'email',
              id: 'joao@example.com',
              objectWriteTraceId: 'delivery-2',
              properties: { email: 'joao@example.com', firstname: 'João', city: 'Niterói' },
            },
          ],
        },
      },
    },
    {
      title: 'who enters an audience goes on the list by record id',
      action: 'addToAudience',
      given: identify({ traits: { email } }),
      with: { audience: '41' },
      lookups: [found],
      sends: { method: 'PUT', path: '/crm/v3/lists/41/memberships/add', body: ['1001'] },
    },
    {
      title: 'who leaves it is taken off',
      action: 'removeFromAudience',
      given: identify({ traits: { email } }),
      with: { audience: '41' },
      lookups: [found],
      sends: { method: 'PUT', path: '/crm/v3/lists/41/memberships/remove', body: ['1001'] },
    },
    {
      title: 'a custom event carries scalars alone',
      action: 'sendEvent',
      given: track({ name: 'Order Completed', traits: { email }, properties: { order_id: 'A-1', products: [{}] } }),
      with: { eventName: 'pe123_pedido' },
      sends: {
        method: 'POST',
        path: '/events/v3/send',
        body: {
          eventName: 'pe123_pedido',
          email,
          occurredAt: '2026-11-24T11:59:30.000Z',
          uuid: 'key-1',
          properties: { order_id: 'A-1' },
        },
      },
      answers: { status: 204 },
    },
    {
      title: 'the team gets a task on the contact',
      action: 'createTask',
      given: track({ name: 'Churn Risk Raised', traits: { email } }),
      with: { subject: 'Ligar hoje' },
      settings: { ownerId: '7' },
      lookups: [found],
      sends: {
        method: 'POST',
        path: '/crm/v3/objects/tasks',
        body: {
          properties: {
            hs_timestamp: '2026-11-24T11:59:30.000Z',
            hs_task_subject: 'Ligar hoje',
            hs_task_status: 'NOT_STARTED',
            hubspot_owner_id: '7',
          },
          associations: [
            { to: { id: '1001' }, types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 204 }] },
          ],
        },
      },
      answers: { status: 201, body: { id: '1' } },
    },
    {
      title: 'a withdrawal unsubscribes from the type of the settings',
      action: 'unsubscribe',
      given: identify({ traits: { email } }),
      sends: {
        method: 'POST',
        path: '/communication-preferences/v3/unsubscribe',
        body: { emailAddress: email, subscriptionId: 12 },
      },
    },
  ],
})

describe('hubspot: against the sandbox', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'hubspot')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const people = (count: number, more: object = {}) =>
    Array.from({ length: count }, (_, index) => identify({ traits: { email: `p${index}@example.com`, ...more } }))
  const run = (action: string, given: ReturnType<typeof identify>[], more: object = {}) =>
    runAction(hubspot, action, itemsOf(hubspot, { action, given, ...more }), { settings, transport })

  it('207: the item that is wrong is rejected, the others are delivered, in one request', async () => {
    const items = itemsOf(hubspot, { action: 'upsertContact', given: people(5) }).map((item, index) =>
      index === 3 ? { ...item, payload: { ...item.payload, email: 'nobody' } } : item,
    )
    const { results, requests } = await runAction(hubspot, 'upsertContact', items, { settings, transport })
    expect(results.map(({ status }) => status)).toEqual([
      'delivered',
      'delivered',
      'delivered',
      'rejected',
      'delivered',
    ])
    expect(results[3]).toEqual({ status: 'rejected', reason: 'HubSpot VALIDATION_ERROR' })
    expect(requests).toHaveLength(1)
  })

  it('400 for the whole batch: found by halves', async () => {
    const items = itemsOf(hubspot, { action: 'upsertContact', given: people(4, { nivel: 1 }) })
    const { results } = await runAction(hubspot, 'upsertContact', items, {
      settings: { ...settings, properties: { nivel: 'nivel' } },
      transport,
    })
    expect(results.map(({ status }) => status)).toEqual(items.map(() => 'rejected'))
  })

  it('who is no contact yet is tried again, who leaves is done', async () => {
    await run('upsertContact', people(1))
    const added = await run('addToAudience', people(2), { with: { audience: '41' } })
    expect(added.results).toEqual([
      { status: 'delivered', answer: 'add' },
      { status: 'retry', reason: 'not a contact yet', retryAfterMs: 60_000 },
    ])
    const removed = await run('removeFromAudience', people(2), { with: { audience: '41' } })
    expect(removed.results.map(({ status }) => status)).toEqual(['delivered', 'delivered'])
    expect(running.state(sandbox).list.size).toBe(0)
  })

  it('unsubscribing twice is done twice', async () => {
    for (const _ of [1, 2])
      expect((await run('unsubscribe', people(1))).results).toEqual([expect.objectContaining({ status: 'delivered' })])
  })

  it('a daily limit is not asked again at once', () => {
    const json = { policyName: 'DAILY', message: email }
    expect(hubspot.verdict!({ status: 429, headers: {}, text: '', json })).toMatchObject({ retryAfterMs: 3_600_000 })
  })
})
