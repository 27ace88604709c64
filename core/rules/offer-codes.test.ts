/** Who gets the last code and the last place under a cap when two processes want it; what people see of offers. */
import { expect, test } from 'vitest'
import type { Config } from '../../schemas/config.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { HOUR, type Rig } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'
import { BudgetTaken } from './budgets.ts'
import { OfferCounts, storeCodes, takeCodes } from './offer-codes.ts'
import { offerCommands } from './offer-report.ts'

const waits = (id: string, unless = '', then = '') => `
id: ${id}
version: 1
when: {absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}]}, within: PT30M}}
unless: {purpose: email_marketing${unless}}
then: {all: [{destination: mail, action: send}]${then}}
`
const title = { pt: 'Frete grátis', en: 'Free shipping' }
const OFFERS = {
  frete: { title, codes: 'codes.csv', limits: { total: 5 } },
  antiga: { title, code: 'NATAL', to: '2025-12-31' },
}

let made = 0
async function adds(rig: Rig, userId: string): Promise<void> {
  const at = { occurredAt: rig.at(), receivedAt: rig.at() }
  await rig.take(
    identify({
      userId,
      traits: { email: `${userId}@loja.example` },
      messageId: `c-${++made}`,
      consent: [signal('email_marketing', 'grant', rig.at())],
      ...at,
    }),
    track({ name: 'Product Added', userId, properties: { product_id: 'p' }, messageId: `c-${++made}`, ...at }),
  )
}
const results = async (rig: Rig) =>
  (await storedDecisions(rig.state))
    .map(({ result }) => result)
    .filter((result) => result !== 'ARMED')
    .sort()

onBothDatabases('what is scarce', (open: OpenRig) => {
  test('of two who take the last code at the same moment one gets it, and the other decides again', async () => {
    const rig = await open()
    await storeCodes(new Map([['frete', ['A1']]]), rig.state)
    const takes = await Promise.allSettled(
      ['one', 'two'].map((deliveryId) => {
        const counts = new OfferCounts()
        counts.load('frete', 1)
        counts.take('frete', deliveryId)
        return rig.state.transaction((trx) => takeCodes(counts, rig.now, rig.state.dialect, trx))
      }),
    )
    expect(takes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const lost = takes.find((take) => take.status === 'rejected')
    expect(lost?.reason).toBeInstanceOf(BudgetTaken)
    const rows = await rig.state.db.selectFrom('offer_codes').select(['code', 'delivery_id']).execute()
    expect(rows).toEqual([{ code: 'A1', delivery_id: takes[0]?.status === 'fulfilled' ? 'one' : 'two' }])
  })

  test('two processes that fire the same clocks keep one cap and give one code to each person', async () => {
    const cap = ', caps: [{per: person, max: 1, window: P1D}]'
    const rig = await open({
      rules: [waits('a', cap, ', offer: frete'), waits('b', cap)],
      destinations: { mail: {} },
      offers: OFFERS,
    })
    await storeCodes(new Map([['frete', ['A1', 'B2', 'C3']]]), rig.state)
    for (const user of ['ana', 'bia']) await adds(rig, user)
    rig.advance(HOUR)
    const fired = await Promise.allSettled([rig.fire(), rig.fire()])
    for (const one of fired) if (one.status === 'rejected') expect(one.reason.name).toBe('PersonTaken')
    while ((await rig.fire()) !== undefined);
    expect(await results(rig)).toEqual(['CAPPED', 'CAPPED', 'ENQUEUED', 'ENQUEUED'])
    expect((await rig.deliveries()).map(({ rule, offer }) => [rule, offer])).toEqual([
      ['a', 'frete'],
      ['a', 'frete'],
    ])
    await rig.deliver('mail')
    const config = { organization: { name: 'Loja', timezone: 'America/Sao_Paulo' }, offers: OFFERS }
    const { offersList } = offerCommands({ config: config as unknown as Config })
    expect(await offersList!({}, { state: rig.state, actor: 'cli', now: rig.now })).toEqual([
      {
        id: 'frete',
        title,
        from: null,
        to: null,
        valid: true,
        left: 1,
        limit: { total: 5, used: 2 },
        codes: { total: 3, given: 2, left: 1 },
        rules: [{ rule: 'a', given: 2, delivered: 2 }],
      },
      {
        id: 'antiga',
        title,
        from: null,
        to: '2025-12-31',
        valid: false,
        left: null,
        limit: null,
        codes: null,
        rules: [],
      },
    ])
  })
})
