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
import salesforce from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const campaign = '701000000000001'
const maria = identify({
  userId: 'cliente-42',
  traits: { email: 'maria.souza@example.com', name: 'Maria Souza', plan: 'ouro' },
})
const query = (soql: string, id?: string) => ({
  path: `/query?${new URLSearchParams({ q: `${soql} LIMIT 1` })}`,
  answers: { status: 200, body: { records: id === undefined ? [] : [{ Id: id }] } },
})

destinationContract(salesforce, {
  settings,
  sandbox,
  personalDataInLookup: 'SOQL travels in the query of a GET and has no other way in.',
  hashed: { upsertPerson: ['name'] },
  examples: [
    {
      title: 'identifies become contacts by their external id, in one request',
      action: 'upsertPerson',
      given: [maria, identify({ traits: { email: 'joao@example.com', phone: '11 98765-4321' } })],
      settings: { fields: { Plano__c: 'plan' } },
      sends: {
        method: 'PATCH',
        path: '/composite/sobjects/Contact/AnuenteId__c',
        headers: { authorization: 'Bearer 00Dsandbox!salesforce-token' },
        body: {
          allOrNone: false,
          records: [
            {
              attributes: { type: 'Contact' },
              AnuenteId__c: 'cliente-42',
              FirstName: 'Maria',
              LastName: 'Souza',
              Email: 'maria.souza@example.com',
              Plano__c: 'ouro',
            },
            {
              attributes: { type: 'Contact' },
              AnuenteId__c: 'joao@example.com',
              LastName: '-',
              Email: 'joao@example.com',
              MobilePhone: '+5511987654321',
            },
          ],
        },
      },
      answers: { status: 200, body: [{ success: true }, { success: true }, { success: true }] },
    },
    {
      title: 'who enters an audience becomes a campaign member',
      action: 'addToAudience',
      given: maria,
      with: { audience: campaign },
      sends: {
        method: 'POST',
        path: '/composite/sobjects',
        body: {
          allOrNone: false,
          records: [
            {
              attributes: { type: 'CampaignMember' },
              CampaignId: campaign,
              Contact: { AnuenteId__c: 'cliente-42' },
            },
          ],
        },
      },
      answers: { status: 200, body: [{ success: true }, { success: true }, { success: true }] },
    },
    {
      title: 'who leaves it is a member no more',
      action: 'removeFromAudience',
      given: maria,
      with: { audience: campaign },
      lookups: [
        query(
          `SELECT Id FROM CampaignMember WHERE CampaignId = '${campaign}' AND Contact.AnuenteId__c = 'cliente-42'`,
          '00v000000000001',
        ),
      ],
      sends: { method: 'DELETE', path: '/sobjects/CampaignMember/00v000000000001' },
      answers: { status: 204 },
    },
    {
      title: 'the team gets a task with the person',
      action: 'createTask',
      given: track({ name: 'Churn Risk Raised', userId: 'cliente-42' }),
      with: { subject: 'Ligar hoje' },
      sends: {
        method: 'POST',
        path: '/sobjects/Task',
        body: {
          Subject: 'Ligar hoje',
          ActivityDate: '2026-11-24',
          Who: { attributes: { type: 'Contact' }, AnuenteId__c: 'cliente-42' },
        },
      },
      answers: { status: 201, body: { id: '00T', success: true } },
    },
    {
      title: 'a withdrawal sets the opt-out of whoever is there',
      action: 'unsubscribe',
      given: maria,
      lookups: [query("SELECT Id FROM Contact WHERE AnuenteId__c = 'cliente-42'", '003000000000001')],
      sends: { method: 'PATCH', path: '/sobjects/Contact/003000000000001', body: { HasOptedOutOfEmail: true } },
      answers: { status: 204 },
    },
  ],
})

describe('salesforce: against the sandbox', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'salesforce')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const run = async (
    action: string,
    given: ReturnType<typeof identify> | ReturnType<typeof identify>[],
    more: object = {},
  ) =>
    (await runAction(salesforce, action, itemsOf(salesforce, { action, given, ...more }), { settings, transport }))
      .results

  it('each record has a fate of its own', async () => {
    const items = itemsOf(salesforce, { action: 'upsertPerson', given: [maria, identify({ userId: 'u-2' })] })
    const wrong = { ...items[1]!, payload: { ...items[1]!.payload, email: 'nobody' } }
    const { results } = await runAction(salesforce, 'upsertPerson', [items[0]!, wrong], { settings, transport })
    expect(results).toEqual([
      { status: 'delivered', answer: 'saved' },
      { status: 'rejected', reason: 'Salesforce INVALID_EMAIL_ADDRESS' },
    ])
  })

  it('an opt-out stays through an upsert, and a member twice is a member', async () => {
    await run('upsertPerson', maria)
    await run('unsubscribe', maria)
    await run('upsertPerson', maria)
    expect(running.state(sandbox).contacts.get('cliente-42')).toMatchObject({ HasOptedOutOfEmail: true })
    for (const answer of ['saved', 'was there'])
      expect(await run('addToAudience', maria, { with: { audience: campaign } })).toEqual([
        { status: 'delivered', answer },
      ])
    await run('removeFromAudience', maria, { with: { audience: campaign } })
    expect(running.state(sandbox).members.size).toBe(0)
  })

  it('no id breaks out of its place in the query', async () => {
    const evil = identify({ userId: "x' OR Id != '" })
    await run('upsertPerson', maria)
    expect(await run('unsubscribe', evil)).toEqual([{ status: 'delivered', answer: 'not there' }])
    expect(running.state(sandbox).contacts.get('cliente-42')).not.toHaveProperty('HasOptedOutOfEmail')
  })

  it.each([
    ['REQUEST_LIMIT_EXCEEDED', { status: 'retry', retryAfterMs: 3_600_000 }],
    ['INVALID_SESSION_ID', { status: 'authentication' }],
  ])('403 %s', (errorCode, outcome) => {
    expect(
      salesforce.verdict!({ status: 403, headers: {}, text: '', json: [{ errorCode, message: 'maria' }] }),
    ).toMatchObject(outcome)
  })
})
