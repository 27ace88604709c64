import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import type { SourceEvent } from '../../core/kit/index.ts'
import { type ExampleRequest, eventsOf, rawRequest, sourceContract } from '../../core/testing/source-contract.ts'
import file from './source.ts'

const settings = {
  token: 'segredo-do-arquivo',
  header: 'x-anuente-token',
  decimal: ',' as const,
  mapping: {
    event: { const: 'Order Completed' },
    timestamp: 'Data',
    identifiers: { email: 'E-mail' },
    traits: { name: 'Nome' },
    properties: {
      order_id: { from: 'Pedido', as: 'orderId' as const },
      total: { from: 'Total', as: 'number' as const },
    },
    consent: { email_marketing: { from: 'News', granted: ['sim'], denied: ['não'], method: 'checkbox' as const } },
  },
}
const upload = (body: string | Buffer | object, more: Partial<ExampleRequest> = {}): ExampleRequest => ({
  method: 'POST',
  path: '/in/erp',
  headers: { 'x-anuente-token': settings.token },
  body,
  ...more,
})
const csv = Buffer.from(
  'Pedido;Data;E-mail;Nome;Total;News\n#7;24/11/2026 08:30;ana@example.com;João;1.219,90;não\n8;ontem;;;;\n9;x\n',
  'latin1',
)
const name = createHash('sha256').update(csv).digest('hex').slice(0, 32)
const events = (id: string): SourceEvent[] => [
  {
    type: 'identify',
    messageId: `${id}-person`,
    timestamp: '2026-11-24T11:30:00.000Z',
    identifiers: [{ type: 'email', value: 'ana@example.com' }],
    traits: { name: 'João' },
    consent: [
      {
        vendor: 'mapped',
        answers: { email_marketing: { answer: 'denied' } },
        method: 'checkbox',
        actor: 'subject',
        raw: { News: 'não' },
      },
    ],
  },
  {
    type: 'track',
    name: 'Order Completed',
    messageId: id,
    timestamp: '2026-11-24T11:30:00.000Z',
    identifiers: [{ type: 'email', value: 'ana@example.com' }],
    properties: { order_id: '7', total: 1219.9 },
  },
]

sourceContract(file, {
  settings,
  examples: [
    {
      title: 'a CSV as Brazilian systems export it',
      request: upload(csv),
      events: events(`${name}-1`),
      rejected: [
        { code: 'BAD_TIMESTAMP', path: '/1/Data' },
        { code: 'INVALID', path: '/2' },
      ],
      answer: { status: 200, body: { ok: true, recorded: 2, quarantined: 2 } },
    },
    {
      title: 'rows of a named import, from a place in the file',
      request: upload(
        [
          {
            Pedido: '7',
            Data: '2026-11-24T11:30:00Z',
            'E-mail': 'ana@example.com',
            Nome: 'João',
            Total: 1219.9,
            News: 'não',
          },
        ],
        { query: { import: 'exportacao-2026', row: '501' } },
      ),
      events: events('exportacao-2026-501'),
    },
  ],
  refused: [
    { title: 'without the token', request: upload(csv, { headers: {} }), exit: 'BAD_SIGNATURE' },
    {
      title: 'with the token in the URL',
      request: upload(csv, { headers: {}, query: { token: settings.token } }),
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'where the settings name no token',
      request: upload(csv, { headers: { 'x-anuente-token': '' } }),
      exit: 'BAD_SIGNATURE',
      settings: { header: 'x-anuente-token', mapping: settings.mapping },
    },
  ],
  unreadable: [
    { title: 'an empty file', request: upload(''), code: 'INVALID' },
    { title: 'a list that ends early', request: upload('[{"a":1}'), code: 'MALFORMED_JSON' },
  ],
})

it('a row that was set aside is read again as the row it was', () => {
  const items = file.normalize(rawRequest(upload(csv)), settings)
  const again = items.map(({ raw }) => file.normalize(rawRequest(upload(raw as object)), settings))
  expect(again.flatMap((read) => eventsOf(read))).toEqual(eventsOf(items))
  const corrected = { ...settings, mapping: { ...settings.mapping, timestamp: 'Nenhuma' } }
  const late = file.normalize(rawRequest(upload(items[2]!.raw as object)), corrected)
  expect(eventsOf(late)[0]?.messageId).toBe(`${name}-2`)
})

it('keeps an id of the file where one is mapped', () => {
  const mapping = { ...settings.mapping, id: 'Pedido' }
  expect(eventsOf(file.normalize(rawRequest(upload(csv)), { ...settings, mapping }))[1]?.messageId).toBe('#7')
})
