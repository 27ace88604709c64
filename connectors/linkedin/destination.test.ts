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
import linkedin from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const hash = createHash('sha256').update('maria.souza@example.com').digest('hex')
const maria = { email: 'Maria.Souza@example.com', name: 'Maria Souza' }
const created = { status: 200, body: { elements: [{ status: 201 }] } }
const headers = { 'x-restli-method': 'BATCH_CREATE', 'linkedin-version': '202610' }

destinationContract(linkedin, {
  settings,
  sandbox,
  hashed: { sendConversion: ['email', 'name'], addToAudience: ['email'], removeFromAudience: ['email'] },
  examples: [
    {
      title: 'an order becomes a conversion with its value',
      action: 'sendConversion',
      given: track({
        name: 'Order Completed',
        traits: { ...maria, country: 'Brasil', company: { name: 'Exemplo SA' } },
        properties: { order_id: 'A-1', total: 149.9, currency: 'BRL' },
        context: { li_fat_id: 'fat-1' },
      }),
      sends: {
        method: 'POST',
        path: '/conversionEvents',
        headers,
        body: {
          elements: [
            {
              conversion: 'urn:lla:llaPartnerConversion:104012',
              conversionHappenedAt: Date.parse('2026-11-24T11:59:30Z'),
              eventId: 'A-1',
              conversionValue: { currencyCode: 'BRL', amount: '149.90' },
              user: {
                userIds: [
                  { idType: 'SHA256_EMAIL', idValue: hash },
                  { idType: 'LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID', idValue: 'fat-1' },
                ],
                userInfo: { firstName: 'Maria', lastName: 'Souza', companyName: 'Exemplo SA', countryCode: 'BR' },
              },
            },
          ],
        },
      },
      answers: created,
    },
    {
      title: 'who enters an audience becomes a member, by hash alone',
      action: 'addToAudience',
      given: identify({ traits: maria }),
      with: { audience: '10804' },
      sends: {
        method: 'POST',
        path: '/dmpSegments/10804/users',
        headers,
        body: { elements: [{ action: 'ADD', userIds: [{ idType: 'SHA256_EMAIL', idValue: hash }] }] },
      },
      answers: created,
    },
    {
      title: 'a withdrawal, which names no audience, leaves those of the settings',
      action: 'removeFromAudience',
      given: identify({ traits: maria }),
      sends: {
        method: 'POST',
        path: '/dmpSegments/10804/users',
        headers,
        body: { elements: [{ action: 'REMOVE', userIds: [{ idType: 'SHA256_EMAIL', idValue: hash }] }] },
      },
      answers: created,
    },
  ],
})

describe('linkedin: against the sandbox', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'linkedin')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const send = (given: ReturnType<typeof track>[], more: object = {}) =>
    runAction(linkedin, 'sendConversion', itemsOf(linkedin, { action: 'sendConversion', given }), {
      settings: { ...settings, ...more },
      transport,
    })
  const order = (more: object = {}) => track({ name: 'Order Completed', traits: maria, messageId: 'msg-1', ...more })

  it('each item has a fate of its own', async () => {
    const items = itemsOf(linkedin, { action: 'sendConversion', given: [order(), order()] })
    const other = { ...items[1]!, payload: { ...items[1]!.payload, conversionId: '1' } }
    const { results } = await runAction(linkedin, 'sendConversion', [items[0]!, other], { settings, transport })
    expect(results).toEqual([
      { status: 'delivered', answer: '201' },
      { status: 'rejected', reason: 'LinkedIn item status 422' },
    ])
  })

  it('an event of 91 days ago is refused alone, and a repeat counts once', async () => {
    const { results } = await send([order({ occurredAt: '2026-08-25T12:00:00.000Z' }), order()])
    expect(results).toEqual([
      { status: 'rejected', reason: 'older than the 90 days LinkedIn takes' },
      { status: 'delivered', answer: '201' },
    ])
    await send([order()])
    expect(running.state(sandbox).conversions.size).toBe(1)
  })

  it('a version that has ended is for the operator', async () => {
    expect((await send([order()], { version: '202511' })).results).toEqual([
      { status: 'authentication', reason: 'HTTP 426 the LinkedIn-Version of the settings has ended' },
    ])
  })
})
