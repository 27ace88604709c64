import { createHash, createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { googleBearer, googleVerdict } from '../../core/kit/index.ts'
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
import googleAds from './destination.ts'
import sandbox from './sandbox.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const settings = sandbox.settings('')
const list = '7000000001'
const maria = {
  email: 'Maria.Souza@gmail.com',
  phone: '(11) 98765-4321',
  name: "Maria D'Ávila",
  address: { postalCode: '01310-100', country: 'Brasil' },
}
const userData = {
  userIdentifiers: [
    { emailAddress: sha256('mariasouza@gmail.com') },
    { phoneNumber: sha256('+5511987654321') },
    {
      address: {
        givenName: sha256('maria'),
        familyName: sha256("d'ávila"),
        regionCode: 'BR',
        postalCode: '01310100',
      },
    },
  ],
}
const account = { accountType: 'GOOGLE_ADS', accountId: '1234567890' }
const order = track({
  name: 'Order Completed',
  traits: maria,
  properties: {
    order_id: 'A-1001',
    total: 149.9,
    currency: 'BRL',
    gclid: 'Cj0KCQ',
    products: [{ product_id: 'tenis-42', price: 99.9, quantity: 1 }],
  },
})
const hashed = ['email', 'phone', 'firstName', 'lastName', 'name', 'city']

destinationContract(googleAds, {
  settings,
  sandbox,
  hashed: { sendConversion: hashed, addToAudience: hashed, excludeBuyer: hashed, removeFromAudience: hashed },
  examples: [
    {
      title: 'an order becomes a conversion with value, cart, click and consent',
      action: 'sendConversion',
      given: order,
      signals: { google: { ad_user_data: 'GRANTED', ad_personalization: 'DENIED' } },
      sends: {
        method: 'POST',
        path: '/events:ingest',
        headers: { authorization: 'Bearer ya29.sandbox-access-token' },
        body: {
          destinations: [{ operatingAccount: account, productDestinationId: '987654321' }],
          events: [
            {
              transactionId: 'A-1001',
              eventTimestamp: '2026-11-24T11:59:30.000Z',
              eventSource: 'WEB',
              userData,
              adIdentifiers: { gclid: 'Cj0KCQ' },
              conversionValue: 149.9,
              currency: 'BRL',
              cartData: { items: [{ merchantProductId: 'tenis-42', quantity: 1, unitPrice: 99.9 }] },
              consent: { adUserData: 'CONSENT_GRANTED', adPersonalization: 'CONSENT_DENIED' },
            },
          ],
          encoding: 'HEX',
        },
      },
      answers: { status: 200, body: { requestId: 'r-1' } },
    },
    {
      title: 'bids follow the margin when the rule sets it; through a manager account, as a test',
      action: 'sendConversion',
      given: order,
      with: { value: 42.5 },
      settings: { loginCustomerId: '5555555555', validateOnly: true },
      sends: {
        method: 'POST',
        path: '/events:ingest',
        body: {
          destinations: [
            {
              operatingAccount: account,
              loginAccount: { accountType: 'GOOGLE_ADS', accountId: '5555555555' },
              productDestinationId: '987654321',
            },
          ],
          events: [expect.objectContaining({ conversionValue: 42.5, currency: 'BRL' })],
          encoding: 'HEX',
          validateOnly: true,
        },
      },
    },
    {
      title: 'after a refund the bids follow what is left; through a manager account',
      action: 'restateConversion',
      given: track({
        name: 'Order Refunded',
        traits: { email: 'maria@example.com' },
        properties: { order_id: 'A-1001', value: 49.9, currency: 'BRL' },
      }),
      settings: { loginCustomerId: '5555555555' },
      sends: {
        method: 'POST',
        path: 'https://googleads.googleapis.com/v22/customers/1234567890:uploadConversionAdjustments',
        headers: { 'developer-token': 'sandbox-developer-token', 'login-customer-id': '5555555555' },
        body: {
          conversionAdjustments: [
            {
              adjustmentType: 'RESTATEMENT',
              conversionAction: 'customers/1234567890/conversionActions/987654321',
              orderId: 'A-1001',
              adjustmentDateTime: '2026-11-24 11:59:30+00:00',
              restatementValue: { adjustedValue: 49.9, currencyCode: 'BRL' },
            },
          ],
          partialFailure: true,
        },
      },
    },
    {
      title: 'a cancelled order is taken back',
      action: 'retractConversion',
      given: track({
        name: 'Order Cancelled',
        traits: { email: 'maria@example.com' },
        properties: { order_id: 'A-1002' },
      }),
      sends: {
        method: 'POST',
        path: 'https://googleads.googleapis.com/v22/customers/1234567890:uploadConversionAdjustments',
        body: {
          conversionAdjustments: [
            {
              adjustmentType: 'RETRACTION',
              conversionAction: 'customers/1234567890/conversionActions/987654321',
              orderId: 'A-1002',
              adjustmentDateTime: '2026-11-24 11:59:30+00:00',
            },
          ],
          partialFailure: true,
        },
      },
    },
    {
      title: 'who enters an audience goes on the customer list',
      action: 'addToAudience',
      given: identify({ traits: maria }),
      with: { audience: list },
      signals: { google: { ad_user_data: 'GRANTED' } },
      sends: {
        method: 'POST',
        path: '/audienceMembers:ingest',
        body: {
          destinations: [{ operatingAccount: account, productDestinationId: list }],
          audienceMembers: [{ userData, consent: { adUserData: 'CONSENT_GRANTED' } }],
          encoding: 'HEX',
          termsOfService: { customerMatchTermsOfServiceStatus: 'ACCEPTED' },
        },
      },
    },
    {
      title: 'who bought goes on the list that campaigns for new customers exclude',
      action: 'excludeBuyer',
      given: order,
      sends: {
        method: 'POST',
        path: '/audienceMembers:ingest',
        body: {
          destinations: [{ operatingAccount: account, productDestinationId: '7000000003' }],
          audienceMembers: [{ userData }],
          encoding: 'HEX',
          termsOfService: { customerMatchTermsOfServiceStatus: 'ACCEPTED' },
        },
      },
    },
    {
      title: 'who leaves it is taken off',
      action: 'removeFromAudience',
      given: identify({ traits: { email: 'maria@example.com' } }),
      with: { audience: list },
      sends: {
        method: 'POST',
        path: '/audienceMembers:remove',
        body: {
          destinations: [{ operatingAccount: account, productDestinationId: list }],
          audienceMembers: [{ userData: { userIdentifiers: [{ emailAddress: sha256('maria@example.com') }] } }],
          encoding: 'HEX',
        },
      },
    },
    {
      title: 'a withdrawal, which names no list, takes the person off those of the settings',
      action: 'removeFromAudience',
      given: identify({ traits: { email: 'maria@example.com' } }),
      sends: {
        method: 'POST',
        path: '/audienceMembers:remove',
        body: expect.objectContaining({
          destinations: ['7000000001', '7000000002', '7000000003'].map((id) => ({
            operatingAccount: account,
            productDestinationId: id,
          })),
        }),
      },
    },
  ],
})

describe('google-ads: against the sandbox', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'google-ads')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const items = (action: string, given: ReturnType<typeof identify>[], more: object = {}) =>
    itemsOf(googleAds, { action, given, ...more })

  it('an event that Google refuses does not lose the others', async () => {
    const orders = Array.from({ length: 6 }, (_, index) =>
      track({ name: 'Order Completed', traits: maria, properties: { order_id: `A-${index}` } }),
    )
    const all = items('sendConversion', orders)
    const some = all.map((item, index) =>
      index === 2 ? { ...item, payload: { ...item.payload, occurredAt: 'yesterday' } } : item,
    )
    const { results } = await runAction(googleAds, 'sendConversion', some, { settings, transport })
    expect(results.map(({ status }) => status)).toEqual(
      some.map((_, index) => (index === 2 ? 'rejected' : 'delivered')),
    )
    expect(running.state(sandbox).conversions.size).toBe(5)
  })

  it('lists go in requests of their own, and a missing one fails its members alone', async () => {
    const [a, b] = items('addToAudience', [identify({ traits: maria }), identify({ traits: maria })], {
      with: { audience: list },
    })
    const other = { ...b!, payload: { ...b!.payload, audience: '999' } }
    const { results } = await runAction(googleAds, 'addToAudience', [a!, other], { settings, transport })
    expect(results).toEqual([
      { status: 'delivered', answer: '1 taken' },
      { status: 'rejected', reason: 'HTTP 404 NOT_FOUND' },
    ])
  })

  it('an order of somebody Google cannot match is refused here', async () => {
    const nobody = track({ name: 'Order Completed', anonymousId: 'device-7', properties: { order_id: 'A-1' } })
    const { results } = await runAction(googleAds, 'sendConversion', items('sendConversion', [nobody, order]), {
      settings,
      transport,
    })
    expect(results).toEqual([
      { status: 'rejected', reason: 'neither a click id nor anything Google could match the person by' },
      { status: 'delivered', answer: '1 taken' },
    ])
  })

  it('an order sent twice is one conversion', async () => {
    for (const _ of [1, 2])
      await runAction(googleAds, 'sendConversion', items('sendConversion', [order]), { settings, transport })
    expect(running.state(sandbox).conversions.size).toBe(1)
  })
})

describe('google: credentials and errors', () => {
  it('a service account signs its own token, once an hour', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const serviceAccount = {
      clientEmail: 'hub@loja.iam.example',
      privateKeyId: 'key-0123456789',
      // As it stands in a JSON key file that went through an environment variable.
      privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })).replaceAll('\n', '\\n'),
    }
    const at = Date.parse(GIVEN.now)
    const bearer = googleBearer({ serviceAccount }, 'scope-1', at)
    const [head = '', claims = '', signature = ''] = bearer.replace(/^Bearer /, '').split('.')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
      iss: 'hub@loja.iam.example',
      scope: 'scope-1',
      exp: at / 1000 + 3600,
    })
    const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`)
    expect(
      verify.verify(createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })), signature, 'base64url'),
    ).toBe(true)
    expect(googleBearer({ serviceAccount }, 'scope-1', at + 60_000)).toBe(bearer)
    expect(googleBearer({ serviceAccount }, 'scope-1', at + 3_400_000)).not.toBe(bearer)
  })

  it('a key that cannot sign is a configuration error that does not quote it', () => {
    const serviceAccount = {
      clientEmail: 'a@b.example',
      privateKeyId: 'other-012345',
      privateKey: 'PRIVATE KEY hunter22',
    }
    expect(() => googleBearer({ serviceAccount }, 's')).toThrow('serviceAccount.privateKey')
    expect(() => googleBearer({ serviceAccount }, 's')).not.toThrow('hunter22')
  })

  it('a quota is waited for as long as Google says', () => {
    const json = { error: { code: 429, status: 'RESOURCE_EXHAUSTED', details: [{ retryDelay: '37s' }] } }
    expect(googleVerdict({ status: 429, headers: {}, text: '', json })).toEqual({
      status: 'retry',
      reason: 'HTTP 429 RESOURCE_EXHAUSTED',
      retryAfterMs: 37_000,
    })
  })
})

describe('adjustments', () => {
  let running: RunningSandboxes
  beforeEach(async () => {
    running = await serveSandboxes([sandbox])
  })
  afterEach(() => running.close())
  const restate = (orders: readonly string[], more: object = {}) => {
    const transport = sandboxTransport(running, 'google-ads')
    const given = orders.map((order_id) =>
      track({ name: 'Order Refunded', traits: { email: 'maria@example.com' }, properties: { order_id, value: 10 } }),
    )
    return runAction(googleAds, 'restateConversion', itemsOf(googleAds, { action: 'restateConversion', given }), {
      settings: Object.fromEntries(Object.entries({ ...settings, ...more }).filter(([, value]) => value !== undefined)),
      transport,
    }).finally(() => transport.close())
  }

  it('one that Google does not know yet waits, and keeps no neighbour out', async () => {
    const { results } = await restate(['A-1', 'unknown-2', 'A-3'])
    expect(results).toEqual([
      { status: 'delivered' },
      { status: 'retry', reason: 'CONVERSION_NOT_FOUND', retryAfterMs: 6 * 3600_000 },
      { status: 'delivered' },
    ])
    expect([...running.state(sandbox).adjusted]).toEqual([
      ['A-1', 10],
      ['A-3', 10],
    ])
  })

  it('without a developer token nothing is sent, and it says what is missing', async () => {
    const { results, requests } = await restate(['A-1'], { developerToken: undefined })
    expect(requests).toEqual([])
    expect(results[0]).toMatchObject({ status: 'rejected', reason: expect.stringContaining('developerToken') })
  })
})
