import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import type { SourceEvent } from '../../core/kit/index.ts'
import { describeShared, readVectors } from '../../core/testing/public-vectors.ts'
import { type ExampleRequest, eventsOf, rawRequest, sourceContract } from '../../core/testing/source-contract.ts'
import crm from './source.ts'

const settings = { token: 'segredo-do-crm', header: 'x-anuente-token' }
const hook = (body: object | string, more: Partial<ExampleRequest> = {}): ExampleRequest => ({
  method: 'POST',
  path: '/in/crm',
  headers: { 'x-anuente-token': settings.token },
  body,
  ...more,
})
const read = (body: object) => eventsOf(crm.normalize(rawRequest(hook(body)), settings))
const transaction_uuid = '57373b52-a0fb-42a8-a5c2-839dbd28c51d'
const id = (name: string) =>
  `rd-${createHash('sha256')
    .update(JSON.stringify([name, transaction_uuid]))
    .digest('hex')
    .slice(0, 40)}`

const timestamp = '2026-11-24T11:59:00.000Z'
const webhook = (event_name: string, document: object) => ({
  event_name,
  event_timestamp: timestamp,
  transaction_uuid,
  document,
})
const contact = {
  id: '5f0a1b2c3d4e5f6a7b8c9d0f',
  name: 'Ana Lima',
  title: 'Diretora',
  birthday: { day: 5, month: 3, year: 1990 },
  emails: [{ email: 'Ana@Example.com' }, { email: '' }],
  phones: [{ phone: '+5511987654321', type: 'cellphone' }],
  organization: { name: 'Clínica' },
  contact_custom_fields: [{ value: 'ouro', custom_field: { label: 'Plano' } }],
  legal_bases: [{ category: 'communications', type: 'consent', status: 'declined' }],
}
const identifiers: SourceEvent['identifiers'] = [
  { type: 'email', value: 'Ana@Example.com' },
  { type: 'phone', value: '+5511987654321' },
]
const traits = {
  name: 'Ana Lima',
  email: 'Ana@Example.com',
  phone: '+5511987654321',
  title: 'Diretora',
  birthday: '1990-03-05',
  company: { name: 'Clínica' },
  custom_fields: { Plano: 'ouro' },
}
const consent: SourceEvent['consent'] = [
  {
    vendor: 'rd',
    answers: { communications: { answer: 'denied', basis: 'consent' } },
    method: 'none',
    actor: 'subject',
    raw: contact.legal_bases,
  },
]
const deal = {
  id: '6a67aa3d1ccbd5001d2fb555',
  name: 'Clínica, plano ouro',
  amount_total: 9923.09,
  deal_stage: { id: '1', name: 'Proposta' },
  deal_pipeline: { id: '2', name: 'Funil Comercial' },
  deal_source: { name: 'Site' },
  user: { id: 'u1', name: 'Vendas' },
  deal_custom_fields: [
    { value: 'CIF', custom_field: { label: 'Frete' } },
    { value: null, custom_field: { label: 'Fonte' } },
  ],
  contacts: [contact],
}
const properties = {
  deal_id: deal.id,
  deal_name: deal.name,
  value: 9923.09,
  stage: 'Proposta',
  pipeline: 'Funil Comercial',
  source: 'Site',
  owner_id: 'u1',
  fields: { Frete: 'CIF' },
}

sourceContract(crm, {
  settings,
  examples: [
    {
      title: 'a new deal is its contact and what happened',
      request: hook(webhook('crm_deal_created', deal)),
      events: [
        {
          type: 'identify',
          messageId: `${id('crm_deal_created')}-person`,
          timestamp,
          identifiers,
          traits: { ...traits, rdstation_crm_deal_id: deal.id },
          consent,
        },
        {
          type: 'track',
          name: 'Deal Created',
          originalName: 'crm_deal_created',
          messageId: id('crm_deal_created'),
          timestamp,
          identifiers,
          properties,
        },
      ],
    },
    {
      title: 'a deal without contacts waits for its identifier',
      request: hook(webhook('crm_deal_updated', { ...deal, win: true, contacts: [] })),
      events: [
        {
          type: 'track',
          name: 'Deal Won',
          originalName: 'crm_deal_updated',
          messageId: id('crm_deal_updated'),
          timestamp,
          identifiers: [],
          properties: { ...properties, status: 'won' },
        },
      ],
    },
    {
      title: 'a contact is an identify',
      request: hook(webhook('crm_contact_updated', contact)),
      events: [
        { type: 'identify', messageId: `${id('crm_contact_updated')}-person`, timestamp, identifiers, traits, consent },
      ],
    },
    {
      title: 'a contact that was deleted is no act of the person',
      request: hook(webhook('crm_contact_deleted', contact)),
      events: [],
    },
    { title: 'the try of an address is nothing', request: hook({ ping: 1 }), events: [] },
    {
      title: 'another object is set aside',
      request: hook(webhook('crm_task_created', {})),
      events: [],
      rejected: [{ code: 'INVALID', path: '/event_name' }],
      answer: { status: 200, body: { ok: true, recorded: 0, quarantined: 1 } },
    },
    {
      title: 'what is no JSON is answered all the same',
      request: hook('olá'),
      events: [],
      rejected: [{ code: 'INVALID', path: '' }],
    },
  ],
  refused: [
    { title: 'without the token', request: hook({}, { headers: {} }), exit: 'BAD_SIGNATURE' },
    { title: 'with another token', request: hook({}, { headers: {}, query: { token: 'x' } }), exit: 'BAD_SIGNATURE' },
  ],
})

it('tells won, lost and edited deals apart', () => {
  const name = (document: object, event = 'crm_deal_updated') => read(webhook(event, document)).at(-1)?.name
  expect(name({ ...deal, status: 'won' })).toBe('Deal Won')
  expect(name({ ...deal, status: 'won', closed_at: '2026-11-24T11:58:30.000Z' })).toBe('Deal Won')
  expect(name({ ...deal, status: 'won', closed_at: '2026-11-20T11:58:30.000Z' })).toBe('Deal Updated')
  expect(name({ ...deal, win: false, deal_lost_reason: { name: 'Preço' } })).toBe('Deal Lost')
  expect(name({ ...deal, status: 'ongoing', win: null })).toBe('Deal Updated')
  expect(name(deal, 'crm_deal_deleted')).toBe('Deal Deleted')
})

it('reads either half again alone', () => {
  const items = crm.normalize(rawRequest(hook(webhook('crm_deal_created', deal))), settings)
  expect(items.flatMap(({ raw }) => read(raw as object))).toEqual(eventsOf(items))
})

describeShared('the published samples', ['vectors/rdstation_samples.json'], () => {
  it('a deal of the CRM is what happened to it', () => {
    const samples = readVectors('rdstation_samples.json')['webhooks_in'] as { name: string; payload: object }[]
    const [event] = read(samples.find(({ name }) => name.startsWith('CRM'))!.payload)
    expect(event).toMatchObject({ type: 'track', name: 'Deal Won', properties: { status: 'won', value: 9923.09 } })
  })
})
