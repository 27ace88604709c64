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
import pipedrive from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const email = 'maria.souza@example.com'
const search = (found?: number) => ({
  path: '/persons/search?term=maria.souza%40example.com&fields=email&exact_match=true&limit=1',
  answers: {
    status: 200,
    body: { success: true, data: { items: found === undefined ? [] : [{ item: { id: found } }] } },
  },
})

destinationContract(pipedrive, {
  settings,
  sandbox,
  personalDataInLookup: 'Pipedrive finds a person by a term in the query and has no other search.',
  examples: [
    {
      title: 'somebody new becomes a person',
      action: 'upsertPerson',
      given: identify({ traits: { email, name: 'Maria Souza', phone: '11 98765-4321', plan: 'ouro' } }),
      settings: { customFields: { ['a'.repeat(40)]: 'plan' }, ownerId: 3 },
      lookups: [search()],
      sends: {
        method: 'POST',
        path: '/persons',
        headers: { 'x-api-token': 'pipedrive-sandbox-token' },
        body: {
          name: 'Maria Souza',
          owner_id: 3,
          emails: [{ value: email, primary: true, label: 'work' }],
          phones: [{ value: '+5511987654321', primary: true, label: 'mobile' }],
          custom_fields: { ['a'.repeat(40)]: 'ouro' },
        },
      },
    },
    {
      title: 'a deal begins with its person',
      action: 'createDeal',
      given: track({ name: 'Lead Generated', traits: { email }, properties: { value: 900 } }),
      with: { title: 'Orçamento', stageId: 5 },
      lookups: [search(1)],
      sends: {
        method: 'POST',
        path: '/deals',
        body: { title: 'Orçamento', person_id: 1, value: 900, currency: 'BRL', stage_id: 5 },
      },
    },
    {
      title: 'a deal is lost, and why',
      action: 'updateDeal',
      given: track({ name: 'Deal Lost', userId: 'u-42', properties: { deal_id: 42 } }),
      with: { status: 'lost', lostReason: 'preço' },
      sends: { method: 'PATCH', path: '/deals/42', body: { status: 'lost', lost_reason: 'preço' } },
    },
    {
      title: 'the team gets an activity',
      action: 'createActivity',
      given: track({ name: 'Churn Risk Raised', traits: { email } }),
      with: { subject: 'Ligar hoje' },
      lookups: [search(1)],
      sends: {
        method: 'POST',
        path: '/activities',
        body: {
          subject: 'Ligar hoje',
          type: 'call',
          due_date: '2026-11-24',
          participants: [{ person_id: 1, primary: true }],
        },
      },
    },
    {
      title: 'a withdrawal ends campaigns to the person',
      action: 'unsubscribe',
      given: identify({ traits: { email } }),
      lookups: [search(1)],
      sends: { method: 'PATCH', path: '/persons/1', body: { marketing_status: 'unsubscribed' } },
    },
  ],
})

describe('pipedrive: against the sandbox', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'pipedrive')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const run = async (action: string, given: ReturnType<typeof identify>, more: object = {}) =>
    (await runAction(pipedrive, action, itemsOf(pipedrive, { action, given, ...more }), { settings, transport }))
      .results

  it('an update keeps the e-mails the team wrote, and twice is one person', async () => {
    const emails = [{ value: email }, { value: 'maria@trabalho.example' }]
    running.state(sandbox).persons.set(1, { id: 1, name: 'Maria', emails, marketing_status: 'unsubscribed' })
    await run('upsertPerson', identify({ traits: { email, name: 'Maria Souza' } }))
    await run('upsertPerson', identify({ traits: { email } }))
    expect([...running.state(sandbox).persons.values()]).toEqual([
      { id: 1, name: 'Maria Souza', emails, marketing_status: 'unsubscribed' },
    ])
  })

  it('a deal of somebody who is no person yet waits', async () => {
    expect(await run('createDeal', track({ name: 'Lead Generated', traits: { email } }))).toEqual([
      { status: 'retry', reason: 'not a person yet', retryAfterMs: 60_000 },
    ])
  })

  it('the burst window is waited for', () => {
    expect(
      pipedrive.verdict!({ status: 429, headers: { 'x-ratelimit-reset': '2' }, text: '', json: undefined }),
    ).toMatchObject({ status: 'retry', retryAfterMs: 2000 })
  })
})
