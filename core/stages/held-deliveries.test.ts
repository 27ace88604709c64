/** What waits for its time: held over the night, asked again in the morning; offers and their codes. */
import { expect, test } from 'vitest'
import { storeCodes } from '../rules/offer-codes.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { HOUR, Rig, type RigOptions } from '../testing/pipeline-rig.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'

const rule = (id: string, unless = '', then = '') => `
id: ${id}
version: 1
when: {event: Product Viewed}
unless: {purpose: email_marketing${unless}}
then: {all: [{destination: mail, action: send${then}}
exit_on: [Order Completed]
`
const NIGHT = ', quiet_hours: {from: "21:00", to: "08:00"}'
const plain = '}]'

let made = 0
async function opened(options: RigOptions, ...users: string[]): Promise<Rig> {
  const rig = await Rig.open({ destinations: { mail: {} }, ...options })
  for (const userId of users)
    await rig.take(
      identify({
        userId,
        traits: { email: `${userId}@loja.example` },
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        messageId: `i-${++made}`,
        consent: [signal('email_marketing', 'grant', rig.at())],
      }),
    )
  return rig
}
const does = (rig: Rig, name: string, userId = 'ana') =>
  rig.take(
    track({
      name,
      userId,
      properties: { product_id: 'p', order_id: `o${++made}` },
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      messageId: `m-${made}`,
    }),
  )

test('held over the night and sent once in the morning; whoever bought meanwhile gets nothing', async () => {
  const rig = await opened({ rules: [rule('noite', NIGHT, plain)] }, 'ana', 'bia')
  rig.advance(13 * HOUR) // 22:00
  await does(rig, 'Product Viewed')
  await does(rig, 'Product Viewed', 'bia')
  expect(await rig.deliver('mail')).toBe(0)
  expect((await rig.deliveries()).map(({ status, reason }) => `${status} ${reason}`)).toEqual([
    'queued HELD_UNTIL',
    'queued HELD_UNTIL',
  ])
  await does(rig, 'Order Completed', 'bia')
  rig.advance(10 * HOUR)
  await rig.deliver('mail')
  await rig.deliver('mail')
  expect(rig.seen).toHaveLength(1)
  expect((await rig.deliveries()).map(({ status }) => status).sort()).toEqual(['cancelled', 'delivered'])
  await rig.close()
})

test('a retry that falls into the night waits, and a held message keeps nobody behind it', async () => {
  const rig = await opened({ rules: [rule('noite', NIGHT, plain), rule('sempre', '', plain)] }, 'ana')
  rig.advance(13 * HOUR)
  await does(rig, 'Product Viewed')
  await rig.deliver('mail')
  expect(rig.seen).toHaveLength(1)
  rig.advance(10 * HOUR)
  await rig.deliver('mail')
  expect(rig.seen).toHaveLength(2)
  rig.answer = () => ({ status: 503 })
  rig.advance(13 * HOUR - 60_000) // 20:59
  await does(rig, 'Product Viewed')
  await rig.deliver('mail')
  rig.answer = () => ({ status: 200 })
  rig.advance(30 * 60_000)
  const before = rig.seen.length
  await rig.deliver('mail')
  const night = (await rig.deliveries()).filter(({ rule }) => rule === 'noite').at(-1)!
  expect([night.reason, new Date(night.due_at).toISOString().slice(11, 16)]).toEqual(['HELD_UNTIL', '11:00'])
  expect(rig.seen.length).toBe(before + 1)
  await rig.close()
})

test('a backlog that is sent late keeps to the night of the person, an hour behind that of the shop', async () => {
  const rig = await opened({ rules: [rule('noite', NIGHT, plain)] }, 'ana', 'bia')
  await rig.take(
    identify({
      userId: 'bia',
      traits: { phone: '+5592987654321' },
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      messageId: `z-${++made}`,
    }),
  )
  rig.advance(11.9 * HOUR) // 20:54 in São Paulo
  await does(rig, 'Product Viewed')
  await does(rig, 'Product Viewed', 'bia')
  rig.advance(0.5 * HOUR) // 21:24; 20:24 in Manaus
  await rig.deliver('mail')
  expect(rig.sent('to')).toEqual(['bia@loja.example'])
  expect((await rig.deliveries()).map(({ reason }) => reason).sort()).toEqual(['DELIVERED', 'HELD_UNTIL'])
  await rig.close()
})

test('each person gets a code of their own, none is left for the next, and a block gives it back', async () => {
  const offers = { frete: { title: { pt: 'Frete grátis', en: 'Free shipping' }, codes: 'codes.csv' } }
  const then = ', with: {text: {from: offer.code}}}], offer: frete'
  const rig = await opened({ rules: [rule('oferta', '', then)], offers }, 'ana', 'bia', 'caio')
  await storeCodes(new Map([['frete', ['A1', 'B2']]]), rig.state)
  await does(rig, 'Product Viewed', 'ana')
  await does(rig, 'Product Viewed', 'bia')
  await does(rig, 'Product Viewed', 'caio')
  const results = await storedDecisions(rig.state)
  expect(results.map(({ result }) => result).sort()).toEqual(['ENQUEUED', 'ENQUEUED', 'NO_OFFER'])
  await rig.take(
    identify({
      userId: 'bia',
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      messageId: `w-${++made}`,
      consent: [signal('email_marketing', 'revoke', rig.at())],
    }),
  )
  await rig.deliver('mail')
  expect(rig.sent('text')).toEqual(['A1'])
  const free = await rig.state.db.selectFrom('offer_codes').select('code').where('delivery_id', 'is', null).execute()
  expect(free).toEqual([{ code: 'B2' }])
  await rig.close()
})

test('what a contract owes is neither stopped nor counted by a cap over all messages', async () => {
  const cap = ', caps: [{per: person, max: 1, window: P1D}]'
  const owed = rule('pedido', cap, plain)
    .replace('Product Viewed', 'Order Updated')
    .replace('purpose: email_marketing', 'purpose: orders')
  const rig = await opened({ rules: [owed, rule('oferta', cap, plain)] }, 'ana')
  await does(rig, 'Order Completed')
  for (const name of ['Order Updated', 'Order Updated', 'Product Viewed', 'Product Viewed', 'Order Updated'])
    await does(rig, name)
  const rows = await storedDecisions(rig.state)
  expect(rows.map((row) => `${row.rule} ${row.result}`).sort()).toEqual([
    'oferta CAPPED',
    'oferta ENQUEUED',
    'pedido ENQUEUED',
    'pedido ENQUEUED',
    'pedido ENQUEUED',
  ])
  await rig.close()
})
