import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  identify,
  itemsOf,
  plainHttp,
  type RunningSandboxes,
  runAction,
  sandboxTransport,
  serveSandboxes,
  settingsOf,
  track,
} from '../../core/testing/index.ts'
import rdstation from './destination.ts'
import sandbox from './sandbox.ts'
import source from './source.ts'

const maria = { email: 'maria.souza@example.com', name: 'Maria Souza', phone: '(11) 98765-4321', plan: 'ouro' }
const granted = { rd: [{ category: 'communications', type: 'consent', status: 'granted' as const }] }
const uuid = '5408c5a3-4711-4f2e-8d0b-13407a3e30f3'

destinationContract(rdstation, {
  settings: { accessToken: 'rd-sandbox-access-token', customFields: { cf_plano: 'plan' } },
  sandbox,
  personalDataInPath: 'RD Station addresses contacts by e-mail in the path until it has told us their uuid.',
  examples: [
    {
      title: 'an identify becomes a contact, with what the ledger says and nothing of tags or subscriptions',
      action: 'upsertContact',
      given: identify({ traits: maria }),
      signals: granted,
      sends: {
        method: 'PATCH',
        path: '/platform/contacts/email:maria.souza%40example.com',
        headers: { authorization: 'Bearer rd-sandbox-access-token', 'content-type': 'application/json' },
        body: {
          name: 'Maria Souza',
          mobile_phone: '+5511987654321',
          cf_plano: 'ouro',
          legal_bases: [{ category: 'communications', type: 'consent', status: 'granted' }],
        },
      },
    },
    {
      title: 'without a known answer legal_bases stays out, so that what RD Station has remains',
      action: 'upsertContact',
      given: identify({ traits: { email: 'maria.souza@example.com', city: 'Niterói' } }),
      sends: { method: 'PATCH', path: '/platform/contacts/email:maria.souza%40example.com', body: { city: 'Niterói' } },
    },
    {
      title: 'tags are added by the tag address, which keeps the others',
      action: 'addTags',
      given: track({ name: 'Cart Abandoned', traits: { email: maria.email } }),
      with: { tags: ['carrinho-abandonado'] },
      sends: {
        method: 'POST',
        path: '/platform/contacts/email:maria.souza%40example.com/tag',
        body: { tags: ['carrinho-abandonado'] },
      },
    },
    {
      title: 'a conversion carries name, phone and legal bases',
      action: 'sendConversion',
      given: track({ name: 'Order Completed', traits: maria }),
      with: { conversion: 'recuperacao-de-carrinho', fields: { cf_plano: 'ouro' } },
      signals: granted,
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=conversion',
        body: {
          event_type: 'CONVERSION',
          event_family: 'CDP',
          payload: {
            conversion_identifier: 'recuperacao-de-carrinho',
            email: 'maria.souza@example.com',
            name: 'Maria Souza',
            mobile_phone: '+5511987654321',
            cf_plano: 'ouro',
            legal_bases: [{ category: 'communications', type: 'consent', status: 'granted' }],
          },
        },
      },
      answers: { status: 200, body: { event_uuid: uuid } },
    },
    {
      title: 'with the hub fields on, the delivery id and both signed links go along',
      action: 'sendConversion',
      given: track({ name: 'Cart Abandoned', traits: { email: maria.email } }),
      settings: { hubFields: true },
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=conversion',
        body: {
          event_type: 'CONVERSION',
          event_family: 'CDP',
          payload: {
            conversion_identifier: 'Cart Abandoned',
            email: 'maria.souza@example.com',
            cf_anuente_delivery_id: 'delivery-1',
            cf_anuente_stop: GIVEN.links.stop,
            cf_anuente_why: GIVEN.links.why,
          },
        },
      },
    },
    {
      title: 'a withdrawal reaches RD Station as declined',
      action: 'updateLegalBases',
      given: identify({ traits: { email: maria.email } }),
      signals: { rd: [{ category: 'communications', type: 'consent', status: 'declined' }] },
      lookups: [{ path: '/platform/contacts/email:maria.souza%40example.com', answers: { status: 200, body: {} } }],
      sends: {
        method: 'PATCH',
        path: '/platform/contacts/email:maria.souza%40example.com',
        body: { legal_bases: [{ category: 'communications', type: 'consent', status: 'declined' }] },
      },
    },
    {
      title: 'an opportunity goes into the configured funnel',
      action: 'markOpportunity',
      given: track({ name: 'Lead Qualified', traits: { email: maria.email } }),
      settings: { funnel: 'lojas' },
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=opportunity',
        body: { event_type: 'OPPORTUNITY', event_family: 'CDP', payload: { email: maria.email, funnel_name: 'lojas' } },
      },
    },
    {
      title: 'a sale carries the value of the order',
      action: 'markSale',
      given: track({
        name: 'Order Completed',
        traits: { email: maria.email },
        properties: { total: '149.90', currency: 'BRL' },
      }),
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=sale',
        body: {
          event_type: 'SALE',
          event_family: 'CDP',
          payload: { email: maria.email, funnel_name: 'default', value: 149.9 },
        },
      },
    },
    {
      title: 'an order goes to the e-commerce product with its lines',
      action: 'sendEcommerce',
      given: track({
        name: 'Order Completed',
        traits: { email: maria.email, name: 'Maria Souza', address: { city: 'Niterói' } },
        properties: {
          order_id: 'A-1001',
          total: 149.9,
          shipping: 10,
          payment_method: 'pix',
          products: [
            { product_id: 'tenis-42', name: 'Tênis', category: 'Calçados/Tênis', price: '99.90', quantity: 2 },
          ],
        },
      }),
      signals: granted,
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=ecommerce_order_placed',
        body: {
          event_type: 'ECOMMERCE_ORDER_PLACED',
          event_family: 'CDP',
          payload: {
            email: maria.email,
            identifier: 'A-1001',
            name: 'Maria Souza',
            currency: 'BRL',
            price: 149.9,
            total_items: 2,
            line_items: [
              {
                product_id: 'tenis-42',
                product_title: 'Tênis',
                price: 99.9,
                quantity: 2,
                categories: ['Calçados', 'Tênis'],
              },
            ],
            shipping_price: 10,
            shipping_city: 'Niterói',
            payment_methods: ['pix'],
            legal_bases: granted.rd,
          },
        },
      },
    },
    {
      title: 'a checkout goes by the name RD Station has for it',
      action: 'sendEcommerce',
      given: track({ name: 'Checkout Started', traits: { email: maria.email }, properties: { checkout_id: 'c-1' } }),
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=ecommerce_checkout_started',
        body: {
          event_type: 'ECOMMERCE_CHECKOUT_STARTED',
          event_family: 'CDP',
          payload: { email: maria.email, identifier: 'c-1', currency: 'BRL' },
        },
      },
    },
    {
      title: 'a lost opportunity says why',
      action: 'markLost',
      given: track({ name: 'Deal Lost', traits: { email: maria.email }, properties: { reason: 'preço' } }),
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=opportunity_lost',
        body: {
          event_type: 'OPPORTUNITY_LOST',
          event_family: 'CDP',
          payload: { email: maria.email, funnel_name: 'default', reason: 'preço' },
        },
      },
    },
    {
      title: 'a stage of the funnel is set, the owner stays',
      action: 'setFunnelStage',
      given: identify({ traits: { email: maria.email } }),
      with: { stage: 'Client' },
      sends: {
        method: 'PUT',
        path: '/platform/contacts/email:maria.souza%40example.com/funnels/default',
        body: { lifecycle_stage: 'Client' },
      },
    },
    {
      title: 'a chat that ended',
      action: 'sendChat',
      given: track({
        name: 'Chat Finished',
        traits: { email: maria.email },
        properties: { subject: 'Troca', status: 'resolvido' },
      }),
      with: { finished: true },
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=chat_finished',
        body: {
          event_type: 'CHAT_FINISHED',
          event_family: 'CDP',
          payload: { email: maria.email, chat_subject: 'Troca', cf_chat_status: 'resolvido' },
        },
      },
    },
    {
      title: 'a call that ended',
      action: 'sendCall',
      given: track({
        name: 'Call Finished',
        traits: { email: maria.email },
        properties: { from_number: '+551140000000', status: 'ANSWERED', duration: 30 },
      }),
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=call_finished',
        body: {
          event_type: 'CALL_FINISHED',
          event_family: 'CDP',
          payload: {
            email: maria.email,
            call_from_number: '+551140000000',
            call_status: 'ANSWERED',
            call_duration: '30',
          },
        },
      },
    },
    {
      title: 'a video that started',
      action: 'sendMedia',
      given: track({
        name: 'Video Playback Started',
        traits: { email: maria.email },
        properties: { media_type: 'video', title: 'Aula 1' },
      }),
      sends: {
        method: 'POST',
        path: '/platform/events?event_type=media_playback_started',
        body: {
          event_type: 'MEDIA_PLAYBACK_STARTED',
          event_family: 'CDP',
          payload: { email: maria.email, media_type: 'video', media_identifier: 'Aula 1' },
        },
      },
    },
  ],
})

describe('rdstation: what comes back', () => {
  it('a conversion of the hub is recognised in the webhook that reports it', () => {
    const given = track({ name: 'Cart Abandoned', traits: { email: maria.email } })
    const [item] = itemsOf(rdstation, { action: 'sendConversion', given, with: { conversion: 'Carrinho' } })
    const body = {
      event_type: 'WEBHOOK.CONVERTED',
      entity_type: 'CONTACT',
      event_identifier: 'Carrinho',
      timestamp: '2026-11-24T09:00:02.000-03:00',
      event_timestamp: '2026-11-24T09:00:00.000-03:00',
      contact: { uuid, email: 'Maria.Souza@example.com', name: 'Maria Souza' },
    }
    const items = source.normalize(
      {
        method: 'POST',
        path: '/in/rd',
        query: {},
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify(body)),
        receivedAt: GIVEN.now,
      },
      { token: 'rd-webhook-token-0123456789', header: 'x-token' },
    )
    const events = items.flatMap((one) => ('event' in one && one.event.type === 'track' ? [one.event] : []))
    expect(events.map(({ echo }) => echo)).toEqual([rdstation.actions.sendConversion.echo!(item!.payload as never)])
  })
})

describe('rdstation: what the vendor answers', () => {
  const said = (status: number, json: unknown, headers: Record<string, string> = {}) =>
    rdstation.verdict!({ status, headers, text: JSON.stringify(json), json })

  it('waits out a quota of a day instead of asking again and again', () => {
    const body = {
      error: "'lead_limiter' rate limit exceeded for 86400 second(s) period",
      max: 24,
      usage: 25,
      remaining_time: 43_067,
    }
    expect(said(429, body)).toEqual({
      status: 'retry',
      reason: 'HTTP 429 quota of RD Station',
      retryAfterMs: 43_067_000,
    })
  })

  it('names an expired token', () => {
    const headers = {
      'www-authenticate':
        'Bearer realm="https://api.rd.services/", error="expired_token", error_description="The access token expired"',
    }
    expect(said(401, {}, headers)).toEqual({ status: 'authentication', reason: 'HTTP 401 the access token expired' })
  })

  const one = { error_type: 'EMAIL_ALREADY_IN_USE', error_message: 'ana@example.com is in use' }
  it.each([
    ['a bare array', [one]],
    ['one object', { errors: one }],
    ['a list', { errors: [one] }],
    ['by field', { errors: { email: [one] } }],
    ['by language', { errors: [{ 'pt-BR': one }] }],
    ['mixed', { errors: { email: [one], 'pt-BR': { name: one } } }],
  ])('finds the code of an error in the form "%s" and quotes nobody', (_, body) => {
    expect(said(400, body)).toEqual({ status: 'rejected', reason: 'HTTP 400 EMAIL_ALREADY_IN_USE' })
  })

  it('never repeats what a body says besides codes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 400, max: 599 }), (body, status) => {
        const outcome = said(status, body)
        if (outcome?.status === 'rejected') expect(outcome.reason).toMatch(/^HTTP \d{3}( [A-Z][A-Z_]+)+$/)
      }),
    )
  })
})

describe('rdstation: what the team keeps stays', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'rdstation')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const settings = sandbox.settings('')
  const run = (action: string, given: ReturnType<typeof identify>, more: object = {}) =>
    runAction(rdstation, action, itemsOf(rdstation, { action, given, ...more }), {
      settings,
      transport,
    })

  it('tags by hand, other custom fields and an opt-out survive an upsert and a new tag', async () => {
    const state = running.state(sandbox)
    state.contacts.push({
      uuid,
      email: maria.email,
      tags: ['vip-da-ana'],
      cf_plano: 'prata',
      available_for_mailing: false,
      bio: 'Cliente antiga',
    })
    await run('upsertContact', identify({ traits: maria, identifiers: [{ type: 'rdstation_uuid', value: uuid }] }))
    await run('addTags', identify({ traits: { email: maria.email } }), { with: { tags: ['Carrinho'] } })
    expect(state.contacts).toEqual([
      {
        uuid,
        email: maria.email,
        tags: ['vip-da-ana', 'carrinho'],
        cf_plano: 'ouro',
        available_for_mailing: false,
        bio: 'Cliente antiga',
        name: 'Maria Souza',
        mobile_phone: '+5511987654321',
      },
    ])
  })

  it('a known uuid stands in the URL, so the e-mail does not', async () => {
    running.state(sandbox).contacts.push({ uuid, email: maria.email, tags: [] })
    const { requests, results } = await run(
      'upsertContact',
      identify({ traits: maria, identifiers: [{ type: 'rdstation_uuid', value: uuid }] }),
    )
    expect(requests.map(({ url }) => new URL(url).pathname)).toEqual([`/platform/contacts/uuid:${uuid}`])
    expect(results).toEqual([{ status: 'delivered', answer: '200' }])
  })

  it('the 25th write of a day to one contact waits for the next', async () => {
    const given = identify({ traits: { email: maria.email } })
    for (let turn = 0; turn < 24; turn++) await run('upsertContact', given)
    expect((await run('upsertContact', given)).results).toEqual([
      { status: 'retry', reason: 'HTTP 429 quota of RD Station', retryAfterMs: 86_400_000 },
    ])
  })

  it('a tag for a contact that is not there is rejected, not lost in silence', async () => {
    const { results } = await run('addTags', identify({ traits: { email: 'ninguem@example.com' } }), {
      with: { tags: ['x'] },
    })
    expect(results).toEqual([{ status: 'rejected', reason: 'HTTP 404 RESOURCE_NOT_FOUND' }])
  })

  it('a withdrawal finds the contact by e-mail when its uuid is gone, and makes none of who is none', async () => {
    const signals = { rd: [{ category: 'communications', type: 'consent', status: 'declined' }] } as const
    await run('upsertContact', identify({ traits: { email: maria.email } }))
    const gone = identify({
      traits: { email: maria.email },
      identifiers: [{ type: 'rdstation_uuid', value: '5a5cf8a7-0000-4000-8000-000000000000' }],
    })
    const { results, requests } = await run('updateLegalBases', gone, { signals })
    expect(results).toMatchObject([{ status: 'delivered' }])
    expect(requests.map(({ method, url }) => [method, new URL(url).pathname])).toEqual([
      ['GET', '/platform/contacts/uuid:5a5cf8a7-0000-4000-8000-000000000000'],
      ['GET', '/platform/contacts/email:maria.souza%40example.com'],
      ['PATCH', '/platform/contacts/email:maria.souza%40example.com'],
    ])
    const nobody = identify({ traits: { email: 'ninguem@example.com' } })
    expect((await run('updateLegalBases', nobody, { signals })).results).toEqual([
      { status: 'delivered', answer: 'not a contact' },
    ])
  })

  it('an empty answer of the ledger is refused with a reason, not sent as an empty list', async () => {
    const { results, requests } = await run('updateLegalBases', identify({ traits: { email: maria.email } }))
    expect(results).toEqual([{ status: 'rejected', reason: 'no legal basis that RD Station has a word for' }])
    expect(requests).toEqual([])
  })

  it('check names the custom fields that do not exist', async () => {
    running.state(sandbox).fields = ['cf_anuente_stop']
    const checked = settingsOf(rdstation, settings)
    const answer = await rdstation.check({
      http: plainHttp(rdstation, checked, transport),
      settings: checked as never,
      now: new Date(GIVEN.now),
    })
    expect(answer.warnings).toEqual(
      ['cf_plano', 'cf_anuente_delivery_id', 'cf_anuente_why'].map(
        (field) => `Custom field ${field} does not exist in RD Station; its values would be ignored.`,
      ),
    )
  })
})
