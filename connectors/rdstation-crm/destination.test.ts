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
import crm from './destination.ts'
import sandbox, { ACCESS_TOKEN, DEAL } from './sandbox.ts'

const settings = sandbox.settings('')
const email = 'maria.souza@example.com'
const token = 'token=crm-sandbox-token-0123456789'
const maria = { email, name: 'Maria Souza', phone: '11 98765-4321', birthday: '1990-05-17' }
const contact = {
  name: 'Maria Souza',
  emails: [{ email }],
  phones: [{ phone: '+5511987654321', type: 'cellphone' }],
  birthday: { day: 17, month: 5, year: 1990 },
}
const search = (contacts: object[]) => ({
  path: `/contacts?${token}&email=maria.souza%40example.com`,
  answers: { status: 200, body: { total: contacts.length, contacts } },
})
/** API v2, by a token of its own. */
const connected = { token: undefined, accessToken: ACCESS_TOKEN }
const authorization = `Bearer ${ACCESS_TOKEN}`
const found = (contacts: object[]) => ({
  path: '/contacts?filter=email%3Amaria.souza%40example.com',
  answers: { status: 200, body: { data: contacts } },
})
/** Of Maria, by her address, as the stand-in numbers it. */
const CONTACT = createHash('sha256')
  .update(JSON.stringify([{ email }]))
  .digest('hex')
  .slice(0, 24)
const rd = [{ category: 'communications', type: 'consent', status: 'granted' as const }]

destinationContract(crm, {
  settings,
  sandbox,
  secretInQuery: 'API v1 reads the token from the query alone.',
  personalDataInLookup: 'API v1 searches contacts by ?email= and has no other search.',
  examples: [
    {
      title: 'somebody new becomes a contact with the legal bases of the ledger',
      action: 'upsertContact',
      given: identify({ traits: maria }),
      signals: { rd },
      lookups: [search([])],
      sends: { method: 'POST', path: `/contacts?${token}`, body: { contact: { ...contact, legal_bases: rd } } },
    },
    {
      title: 'a refusal reaches the contact',
      action: 'updateLegalBases',
      given: identify({ traits: { email } }),
      signals: { rd: [{ category: 'communications', type: 'consent', status: 'declined' }] },
      lookups: [search([{ id: 'f'.repeat(24), emails: [{ email }] }])],
      sends: {
        method: 'PUT',
        path: `/contacts/${'f'.repeat(24)}?${token}`,
        body: { contact: { legal_bases: [{ category: 'communications', type: 'consent', status: 'declined' }] } },
      },
    },
    {
      title: 'a deal begins with its contact',
      action: 'createDeal',
      given: track({ name: 'Lead Generated', traits: maria }),
      with: { deal: 'Orçamento do site', rating: 3 },
      settings: { stageId: 'a'.repeat(24), ownerId: 'b'.repeat(24), sourceId: 'c'.repeat(24) },
      sends: {
        method: 'POST',
        path: `/deals?${token}`,
        body: {
          deal: {
            name: 'Orçamento do site',
            rating: 3,
            deal_stage_id: 'a'.repeat(24),
            user_id: 'b'.repeat(24),
          },
          contacts: [contact],
          deal_source: { _id: 'c'.repeat(24) },
        },
      },
    },
    {
      title: 'a deal is won',
      action: 'updateDeal',
      given: track({ name: 'Order Completed', userId: 'u-42', properties: { deal_id: DEAL } }),
      with: { win: true },
      sends: { method: 'PUT', path: `/deals/${DEAL}?${token}`, body: { win: true } },
    },
    {
      title: 'the team gets a task on the deal',
      action: 'createTask',
      given: track({ name: 'Churn Risk Raised', userId: 'u-42', properties: { deal_id: DEAL } }),
      with: { subject: 'Ligar hoje', kind: 'call' },
      sends: {
        method: 'POST',
        path: `/tasks?${token}`,
        body: { task: { deal_id: DEAL, subject: 'Ligar hoje', type: 'call', date: '2026-11-24', hour: '11:59' } },
      },
    },
    {
      title: 'by API v2, somebody new becomes a contact',
      action: 'upsertContact',
      settings: connected,
      given: identify({ traits: { ...maria, title: 'Diretora' } }),
      signals: { rd },
      lookups: [found([])],
      sends: {
        method: 'POST',
        path: '/contacts',
        headers: { authorization },
        body: {
          data: {
            name: 'Maria Souza',
            emails: [{ email }],
            phones: [{ phone: '+5511987654321', type: 'cellphone' }],
            job_title: 'Diretora',
            birthday: '1990-05-17',
            legal_bases: rd,
          },
        },
      },
      answers: { status: 201, body: { data: {} } },
    },
    {
      title: 'by API v2, a deal waits for its contact',
      action: 'createDeal',
      settings: { ...connected, stageId: 'a'.repeat(24), ownerId: 'b'.repeat(24) },
      given: track({ name: 'Lead Generated', traits: maria }),
      with: { deal: 'Orçamento do site' },
      lookups: [found([{ id: CONTACT, emails: [{ email }] }])],
      sends: {
        method: 'POST',
        path: '/deals',
        body: {
          data: {
            name: 'Orçamento do site',
            stage_id: 'a'.repeat(24),
            owner_id: 'b'.repeat(24),
            contact_ids: [CONTACT],
          },
        },
      },
      answers: { status: 201, body: { data: {} } },
    },
    {
      title: 'by API v2, a deal is won',
      action: 'updateDeal',
      settings: connected,
      given: track({ name: 'Order Completed', userId: 'u-42', properties: { deal_id: DEAL } }),
      with: { win: true },
      sends: { method: 'PUT', path: `/deals/${DEAL}`, body: { data: { status: 'won' } } },
    },
    {
      title: 'by API v2, the team gets a task on the deal',
      action: 'createTask',
      settings: connected,
      given: track({ name: 'Churn Risk Raised', userId: 'u-42', properties: { deal_id: DEAL } }),
      with: { subject: 'Ligar hoje', kind: 'call' },
      sends: {
        method: 'POST',
        path: '/tasks',
        body: {
          data: { deal_id: DEAL, name: 'Ligar hoje', type: 'call', due_date: '2026-11-24T11:59:30.000Z' },
        },
      },
      answers: { status: 201, body: { data: {} } },
    },
  ],
})

describe('rdstation-crm: what the team wrote stays', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'rdstation-crm')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const upsert = () =>
    runAction(crm, 'upsertContact', itemsOf(crm, { action: 'upsertContact', given: identify({ traits: maria }) }), {
      settings,
      transport,
    })

  it('an update keeps the e-mails and phones of the contact', async () => {
    const id = 'd'.repeat(24)
    const emails = [{ email }, { email: 'maria@trabalho.example' }]
    running.state(sandbox).contacts.set(id, { id, name: 'Maria', emails, phones: [{ phone: '1' }] })
    expect((await upsert()).results).toEqual([{ status: 'delivered', answer: '200' }])
    expect(running.state(sandbox).contacts.get(id)).toMatchObject({
      name: 'Maria Souza',
      emails,
      phones: [{ phone: '1' }],
    })
  })

  it('an address that only contains this one is somebody else', async () => {
    const id = 'e'.repeat(24)
    running.state(sandbox).contacts.set(id, { id, name: 'Outra', emails: [{ email: `x${email}` }] })
    await upsert()
    expect(running.state(sandbox).contacts.get(id)).toMatchObject({ name: 'Outra' })
    expect(running.state(sandbox).contacts.size).toBe(2)
  })

  it('twice is one contact', async () => {
    await upsert()
    await upsert()
    expect(running.state(sandbox).contacts.size).toBe(1)
  })
})
