import { createHash } from 'node:crypto'
import { ulid } from 'ulid'
import { describe, expect, it } from 'vitest'
import type { SourceEvent } from '../../core/kit/index.ts'
import { describeShared, readVectors } from '../../core/testing/public-vectors.ts'
import {
  type ExampleRequest,
  eventsOf,
  rawRequest,
  rejectedOf,
  sourceContract,
} from '../../core/testing/source-contract.ts'
import { conversionEcho } from './echo.ts'
import rdstation from './source.ts'

const settings = { token: 'segredo-da-rd', header: 'x-rd-chave' }
const hook = (body: object | string | Buffer): ExampleRequest => ({
  method: 'POST',
  path: '/in/rd',
  query: { token: 'segredo-da-rd' },
  body,
})
const read = (body: object | string, own: Partial<{ leadsTrigger: 'conversion' | 'opportunity' }> = {}) =>
  rdstation.normalize(rawRequest(hook(body)), { ...settings, ...own })
const id = (...parts: unknown[]) =>
  `rd-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40)}`

const uuid = 'c2f3d2b3-7250-4d27-97f4-eef38be32f7f'
const who: SourceEvent['identifiers'] = [
  { type: 'rdstation_uuid', value: uuid },
  { type: 'email', value: 'Ana@Example.com' },
  { type: 'phone', value: '+55 (32) 9922-8971' },
]
const contact = {
  uuid,
  email: 'Ana@Example.com',
  name: 'Ana',
  bio: '',
  mobile_phone: '+55 (32) 9922-8971',
  city: 'Recife',
  state: 'PE',
  job_title: 'Dentista',
  tags: ['vip'],
  cf_plano: ['ouro'],
  cf_anuente_stop: 'https://hub.example/p/x',
  company: { name: 'Clínica' },
  funnel: {
    name: 'default',
    lifecycle_stage: 'Lead',
    opportunity: false,
    interest: 20,
    fit: 0,
    origin: 'Busca | Google',
  },
  legal_bases: [
    { category: 'data_processing', type: 'pre_existent_contract' },
    { category: 'communications', type: 'consent', status: 'granted' },
  ],
}
const traits = {
  name: 'Ana',
  email: 'Ana@Example.com',
  phone: '+55 (32) 9922-8971',
  mobile_phone: '+55 (32) 9922-8971',
  city: 'Recife',
  state: 'PE',
  job_title: 'Dentista',
  tags: ['vip'],
  cf_plano: ['ouro'],
  company: { name: 'Clínica' },
  lifecycle_stage: 'Lead',
  opportunity: false,
  interest: 20,
  fit: 0,
  origin: 'Busca | Google',
}
const consent: SourceEvent['consent'] = [
  {
    vendor: 'rd',
    answers: {
      data_processing: { answer: 'granted', basis: 'contract' },
      communications: { answer: 'granted', basis: 'consent' },
    },
    method: 'none',
    actor: 'subject',
    raw: contact.legal_bases,
  },
]
const at = '2026-11-24T08:59:04.254-03:00'
const converted = {
  event_type: 'WEBHOOK.CONVERTED',
  entity_type: 'CONTACT',
  event_identifier: 'ebook',
  timestamp: '2026-11-24T08:59:06.724-03:00',
  event_timestamp: at,
  contact,
}
const key = id('WEBHOOK.CONVERTED', uuid, 'ebook', at)

const lead = {
  id: '1',
  uuid,
  email: 'ana@example.com',
  name: 'Ana',
  opportunity: 'true',
  number_conversions: '3',
  interest: '12',
  user: 'vendas@example.com',
  personal_phone: '48 30252598',
  lead_stage: 'Lead Qualificado',
  fit_score: 'd',
  tags: ['a', 'b'],
  custom_fields: { Cargo: 'Dentista', cf_plano: 'ouro' },
  first_conversion: { content: { identificador: 'antiga' }, created_at: '2020-01-01T00:00:00-03:00' },
  last_conversion: {
    content: {
      identificador: 'webinar',
      Nome: 'Ana',
      cf_anuente_delivery_id: 'D1',
      __cdp__original_event: { event_uuid: 'e-1' },
    },
    created_at: '2026-11-24T08:00:00-03:00',
    cumulative_sum: '2',
    source: 'fonte',
    conversion_origin: { source: 'google', medium: 'cpc', campaign: 'black', value: 'tênis', channel: 'Paid' },
  },
}
const leadWho: SourceEvent['identifiers'] = [
  { type: 'rdstation_uuid', value: uuid },
  { type: 'email', value: 'ana@example.com' },
  { type: 'phone', value: '48 30252598' },
]

sourceContract(rdstation, {
  settings,
  examples: [
    {
      title: 'a conversion is a contact and what happened',
      request: hook(converted),
      retry: { body: { ...converted, timestamp: '2026-11-24T09:30:00.000-03:00' } },
      events: [
        { type: 'identify', messageId: `${key}-contact`, timestamp: at, identifiers: who, traits, consent },
        {
          type: 'track',
          name: 'Lead Converted',
          originalName: 'WEBHOOK.CONVERTED',
          messageId: key,
          timestamp: at,
          identifiers: who,
          properties: {
            conversion_identifier: 'ebook',
            funnel_name: 'default',
            lifecycle_stage: 'Lead',
            origin: 'Busca | Google',
          },
          echo: conversionEcho('ebook', 'ana@example.com'),
        },
      ],
      answer: { status: 200, body: { ok: true, recorded: 2, quarantined: 0 } },
    },
    {
      title: 'a contact marked as opportunity, its funnel flat and its secret in a header',
      request: {
        method: 'POST',
        path: '/in/rd',
        headers: { 'X-Rd-Chave': 'segredo-da-rd' },
        body: {
          event_type: 'WEBHOOK.MARKED_OPPORTUNITY',
          event_timestamp: at,
          contact: {
            uuid,
            lifecycle_stage: 'Cliente',
            opportunity: true,
            origin: { source: 'meta', medium: 'paid-social' },
          },
        },
      },
      events: [
        {
          type: 'identify',
          messageId: `${id('WEBHOOK.MARKED_OPPORTUNITY', uuid, undefined, at)}-contact`,
          timestamp: at,
          identifiers: [{ type: 'rdstation_uuid', value: uuid }],
          traits: { lifecycle_stage: 'Cliente', opportunity: true, origin: { source: 'meta', medium: 'paid-social' } },
        },
        {
          type: 'track',
          name: 'Lead Marked as Opportunity',
          originalName: 'WEBHOOK.MARKED_OPPORTUNITY',
          messageId: id('WEBHOOK.MARKED_OPPORTUNITY', uuid, undefined, at),
          timestamp: at,
          identifiers: [{ type: 'rdstation_uuid', value: uuid }],
          properties: { lifecycle_stage: 'Cliente' },
          context: { campaign: { source: 'meta', medium: 'paid-social' } },
        },
      ],
    },
    {
      title: 'a lead of the first form, its list written as text',
      request: hook({ leads: JSON.stringify([lead, 7]) }),
      events: [
        {
          type: 'identify',
          messageId: `${id('event_uuid', 'e-1')}-contact`,
          identifiers: leadWho,
          traits: {
            name: 'Ana',
            email: 'ana@example.com',
            phone: '48 30252598',
            personal_phone: '48 30252598',
            opportunity: true,
            interest: 12,
            fit: 'd',
            lifecycle_stage: 'Lead Qualificado',
            contact_owner_email: 'vendas@example.com',
            tags: ['a', 'b'],
            cf_plano: 'ouro',
            custom_fields: { Cargo: 'Dentista' },
          },
        },
        {
          type: 'track',
          name: 'Lead Converted',
          originalName: 'leads',
          messageId: id('event_uuid', 'e-1'),
          timestamp: '2026-11-24T08:00:00-03:00',
          identifiers: leadWho,
          properties: { conversion_identifier: 'webinar', source: 'fonte', cumulative_sum: 2, fields: { Nome: 'Ana' } },
          context: { campaign: { source: 'google', medium: 'cpc', name: 'black', term: 'tênis' } },
          deliveryId: 'D1',
          echo: conversionEcho('webinar', 'ana@example.com'),
        },
      ],
      rejected: [{ code: 'INVALID', path: '/leads/1' }],
    },
    {
      title: 'a deal of the CRM',
      request: hook({
        event_name: 'crm_deal_updated',
        event_timestamp: '2026-11-24T11:00:00.000Z',
        transaction_uuid: 't-1',
        document: {
          id: 'd1',
          name: 'Reforma',
          status: 'won',
          amount_total: 9923.09,
          deal_stage: { id: 's', name: 'Entrega' },
          deal_custom_fields: [
            { value: 'CIF', custom_field: { label: 'Tipo Frete' } },
            { value: null, custom_field: { label: 'Fonte' } },
          ],
          contacts: [{ emails: [{ email: 'ana@example.com' }], phones: [{ phone: '11987654321', type: 'cellphone' }] }],
        },
      }),
      events: [
        {
          type: 'track',
          name: 'Deal Updated',
          originalName: 'crm_deal_updated',
          messageId: id('crm_deal_updated', 't-1'),
          timestamp: '2026-11-24T11:00:00.000Z',
          identifiers: [
            { type: 'email', value: 'ana@example.com' },
            { type: 'phone', value: '11987654321' },
          ],
          properties: {
            deal_id: 'd1',
            deal_name: 'Reforma',
            status: 'won',
            value: 9923.09,
            stage: 'Entrega',
            fields: { 'Tipo Frete': 'CIF' },
          },
        },
      ],
    },
    { title: 'the call that validates the address, without a body', request: hook(''), events: [] },
    {
      title: 'the call that validates the address, with a body of its own',
      request: hook({ test: true }),
      events: [],
      answer: { status: 200, body: { ok: true, recorded: 0, quarantined: 0 } },
    },
    {
      title: 'a body that is not JSON, kept for the operator and answered all the same',
      request: hook('olá'),
      events: [],
      rejected: [{ code: 'INVALID', path: '' }],
    },
    {
      title: 'an event RD Station does not document',
      request: hook({ event_type: 'WEBHOOK.OUTRO', contact }),
      events: [],
      rejected: [{ code: 'INVALID', path: '/event_type' }],
    },
  ],
  refused: [
    { title: 'no secret', request: { method: 'POST', path: '/in/rd', body: converted }, exit: 'BAD_SIGNATURE' },
    {
      title: 'a wrong secret in the URL',
      request: { ...hook(converted), query: { token: 'segredo-da-rD' } },
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'the secret in a header other than the configured one',
      request: { method: 'POST', path: '/in/rd', headers: { 'x-anuente-token': 'segredo-da-rd' }, body: converted },
      exit: 'BAD_SIGNATURE',
    },
  ],
})

describe('legal bases', () => {
  const answers = (legal_bases: unknown) =>
    eventsOf(read({ ...converted, contact: { uuid, legal_bases } }))[0]?.consent?.map((evidence) => evidence.answers)

  it('name the basis of the law for each of the six types', () => {
    const bases = {
      consent: 'consent',
      public_interest: 'public_policy',
      pre_existent_contract: 'contract',
      judicial_process: 'legal_claims',
      vital_interest: 'vital_interest',
      legitimate_interest: 'legitimate_interest',
    }
    for (const [type, basis] of Object.entries(bases))
      expect(answers([{ category: 'data_processing', type }])).toEqual([
        { data_processing: { answer: 'granted', basis } },
      ])
  })

  it('deny what was declined', () => {
    expect(answers([{ category: 'communications', type: 'consent', status: 'declined' }])).toEqual([
      { communications: { answer: 'denied', basis: 'consent' } },
    ])
  })

  it('say nothing without a status, or with words RD Station does not document', () => {
    for (const entry of [
      { category: 'communications', type: 'consent' },
      { category: 'communications', type: 'consent', status: 'maybe' },
      { category: 'communications', type: 'implicit', status: 'granted' },
      { category: 'other', type: 'consent', status: 'granted' },
      { category: 'communications', type: 'toString', status: 'granted' },
      'consent',
    ])
      expect(answers([entry])).toBeUndefined()
    expect(answers({})).toBeUndefined()
  })

  it('do not hide each other', () => {
    expect(
      answers([
        { category: 'communications', type: 'consent', status: 'declined' },
        { category: 'communications', type: 'legitimate_interest' },
      ]),
    ).toEqual([
      { communications: { answer: 'denied', basis: 'consent' } },
      { communications: { answer: 'granted', basis: 'legitimate_interest' } },
    ])
  })
})

describe('the hub hearing itself', () => {
  const deliveryOf = (cf: string) =>
    eventsOf(read({ ...converted, contact: { ...contact, cf_anuente_delivery_id: cf } })).map(
      (event) => event.deliveryId,
    )

  it('takes the delivery id on a contact only for a conversion that followed it at once', () => {
    const just = ulid(Date.parse(at) - 30_000)
    expect(deliveryOf(just)).toEqual([undefined, just])
    expect(deliveryOf(ulid(Date.parse(at) - 86_400_000))).toEqual([undefined, undefined])
    expect(deliveryOf('qualquer')).toEqual([undefined, undefined])
  })

  it('never makes the id or the links traits of the person', () => {
    const [identify] = eventsOf(read({ ...converted, contact: { ...contact, cf_anuente_delivery_id: ulid() } }))
    expect(Object.keys(identify?.traits ?? {}).filter((name) => name.startsWith('cf_anuente'))).toEqual([])
  })
})

describe('the first form', () => {
  it('becomes an opportunity where the webhook was set up for that', () => {
    const events = eventsOf(read({ leads: [lead] }, { leadsTrigger: 'opportunity' }))
    expect(events.map((event) => event.name ?? event.type)).toEqual(['identify', 'Lead Marked as Opportunity'])
  })

  it('tells conversions without an id apart by lead, identifier, time and count', () => {
    const without = (changes: object) => {
      const last_conversion = {
        content: { identificador: 'x' },
        created_at: '2026-11-24T08:00:00-03:00',
        cumulative_sum: '2',
        ...changes,
      }
      return eventsOf(read({ leads: [{ uuid, email: 'a@example.com', last_conversion }] }))[1]?.messageId
    }
    expect(without({})).toBe(id(uuid, 'x', '2026-11-24T08:00:00-03:00', '2'))
    expect(without({ cumulative_sum: 2 })).toBe(without({}))
    expect(without({ cumulative_sum: '3' })).not.toBe(without({}))
    expect(without({ created_at: undefined })).toBeUndefined()
  })

  it('is read from a form field too', () => {
    const events = eventsOf(read(`leads=${encodeURIComponent(JSON.stringify([lead]))}`))
    expect(events.map((event) => event.type)).toEqual(['identify', 'track'])
  })

  it('is only a contact when nothing was converted', () => {
    expect(eventsOf(read({ leads: [{ uuid, email: 'a@example.com' }] })).map((event) => event.type)).toEqual([
      'identify',
    ])
  })
})

it('each part can be read again alone from its raw form', () => {
  for (const body of [converted, { leads: [lead] }])
    for (const item of read(body)) {
      expect('event' in item).toBe(true)
      expect(eventsOf(read(item.raw as object))).toEqual(eventsOf([item]))
    }
})

describeShared('public vectors', ['vectors/rdstation_samples.json', 'vectors/rdstation_legal_bases.json'], () => {
  it('every webhook sample', () => {
    const samples = readVectors('rdstation_samples.json')['webhooks_in'] as { name: string; payload: object }[]
    const seen = samples.map(({ payload }) => {
      const items = read(payload)
      expect(rejectedOf(items)).toEqual([])
      return eventsOf(items).map((event) => event.name ?? event.type)
    })
    expect(seen).toEqual([
      ['identify', 'Lead Converted'],
      ['identify', 'Lead Converted'],
      ['identify', 'Lead Converted'],
      ['Deal Updated'],
    ])
    const flat = eventsOf(read(samples[2]!.payload))
    expect(flat[0]?.traits).toMatchObject({ lifecycle_stage: 'Lead', interest: 75, cf_patrimonio: '100k_200k' })
    expect(flat[1]).toMatchObject({
      context: { campaign: { source: 'meta' } },
      properties: { conversion_identifier: 'lp-analise' },
    })
    const first = eventsOf(read(samples[0]!.payload))
    expect(first[0]?.traits).toMatchObject({ opportunity: false, city: 'Florianópolis', tags: ['tag 1', 'tag 2'] })
    expect(first[1]?.properties).toMatchObject({ conversion_identifier: 'webinar-abc', cumulative_sum: 2 })
  })

  it('every documented legal basis is understood', () => {
    const { categories, types, example } = readVectors('rdstation_legal_bases.json') as {
      categories: string[]
      types: string[]
      example: object[]
    }
    for (const category of categories)
      for (const type of types) {
        const status = category === 'communications' ? { status: 'granted' } : {}
        const [event] = eventsOf(
          read({ ...converted, contact: { uuid, legal_bases: [{ category, type, ...status }] } }),
        )
        expect([category, type, event?.consent?.[0]?.answers[category]?.answer]).toEqual([category, type, 'granted'])
      }
    const [event] = eventsOf(read({ ...converted, contact: { uuid, legal_bases: example } }))
    expect(event?.consent?.[0]?.answers).toEqual(consent[0]!.answers)
  })
})
