/** What people are told of an event that led to nothing: the truth, with the purpose that stood in the way. */
import { expect, test } from 'vitest'
import { type ExplainedJourney, explain } from './explain.ts'
import { expireSealed } from './stages/hold.ts'
import { signal } from './testing/consent-signals.ts'
import { identify, track } from './testing/events.ts'
import { DAY, HOUR, MINUTE, type Rig, SECOND } from './testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from './testing/state-contract.ts'

const RULE = `
id: vista
version: 1
when: {event: Order Completed, where: {all: [{field: event.total, op: gte, value: 100}]}}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}]}
`
const times = (rig: Rig) => ({ occurredAt: rig.at(), receivedAt: rig.at() })
const order = (rig: Rig, id: string, total = 200) =>
  track({ name: 'Order Completed', userId: 'ana', messageId: id, properties: { order_id: id, total }, ...times(rig) })
const viewed = (rig: Rig, id: string) =>
  track({ name: 'Product Viewed', userId: 'ana', messageId: id, properties: { product_id: 'p1' }, ...times(rig) })
const says = (rig: Rig, action: 'grant' | 'deny', purpose = 'email_marketing') =>
  identify({
    userId: 'ana',
    messageId: `s-${rig.now}-${action}-${purpose}`,
    consent: [signal(purpose, action, rig.at())],
    ...times(rig),
  })
const told = async (rig: Rig, id: string): Promise<ExplainedJourney> =>
  (await explain(id, {
    state: rig.state,
    keys: rig.keys,
    purposes: rig.purposes,
    rules: rig.rules,
    destinations: rig.processPorts.settings.destinations,
    sources: ['site'],
    timezone: 'America/Sao_Paulo',
  }))!
const collected = ({ journey }: ExplainedJourney) => journey.find(({ stage }) => stage === 'collect')

onBothDatabases('explanations', (open: OpenRig) => {
  test('a rule that was not asked is named, with the purpose and the answer that stood in the way', async () => {
    const rig = await open({ rules: [RULE], destinations: { mail: {} } })
    await rig.take(order(rig, 'o-unknown'))
    const unknown = await told(rig, 'o-unknown')
    expect(unknown.event?.purposes).toEqual(['orders', 'customer_care'])
    expect(unknown.withheld).toEqual([
      expect.objectContaining({ what: 'vista', kind: 'rule', purpose: 'email_marketing', code: 'NO_CONSENT' }),
    ])
    expect(unknown.withheld[0]).toMatchObject({ status: 'unknown' })
    expect(unknown.sentence.pt).toBe(
      'Guardado no histórico desta pessoa. A regra vista não foi avaliada: a finalidade “Ofertas por e-mail” (email_marketing) não está autorizada: ninguém respondeu sobre ela.',
    )
    expect(unknown.sentence.en).toContain('The rule vista was not asked')

    rig.advance(MINUTE)
    await rig.take(says(rig, 'deny'), order(rig, 'o-denied'))
    const denied = await told(rig, 'o-denied')
    expect(denied.withheld).toMatchObject([{ what: 'vista', status: 'denied', since: rig.at() }])
    expect(denied.consent.map(({ purpose, status }) => [purpose, status])).toContainEqual(['email_marketing', 'denied'])
    // The first order came before that answer, and is not told as if it had been refused then.
    expect((await told(rig, 'o-unknown')).withheld[0]?.reason.en).toContain('was not permitted when the event came')
  })

  test('a copy that another source had reported starts nothing, and says so only where it might have', async () => {
    const rig = await open({ rules: [RULE], destinations: { mail: {} } })
    await rig.take(says(rig, 'grant'), order(rig, 'o-1'))
    const copy = track({
      name: 'Order Completed',
      userId: 'ana',
      messageId: 'o-1-copy',
      properties: { order_id: 'o-1', total: 200 },
      source: { id: 'tag', connector: 'gtm' },
      ...times(rig),
    })
    await rig.take(copy)
    const explained = await told(rig, copy.id)
    expect(explained.withheld).toMatchObject([{ what: 'vista', code: 'DUPLICATE' }])
    expect(explained.sentence.en).toContain('another source had reported this fact already')
  })

  test('a rule that was asked and did not match is told with the values found', async () => {
    const rig = await open({ rules: [RULE], destinations: { mail: {} } })
    await rig.take(says(rig, 'grant'), order(rig, 'o-small', 50))
    const small = await told(rig, 'o-small')
    expect(small.withheld).toEqual([])
    expect(small.decisions).toMatchObject([
      { rule: 'vista', result: 'NOT_MATCHED', clauses: [{ ok: false, value: 50 }] },
    ])
    expect(small.journey.at(-1)).toMatchObject({ stage: 'decide', exit: 'NOT_MATCHED' })
  })

  test('a rule that waits for another value of the event is not asked, and is told of all the same', async () => {
    const byCurrency = RULE.replace('all: [{', 'all: [{field: event.currency, op: eq, value: USD}, {')
    const rig = await open({ rules: [byCurrency], destinations: { mail: {} } })
    await rig.take(says(rig, 'grant'), order(rig, 'o-1'))
    expect(await rig.rows('explanations_latest')).toBe(0)
    const other = await told(rig, 'o-1')
    expect(other.decisions).toMatchObject([
      {
        rule: 'vista',
        result: 'NOT_MATCHED',
        recomputed: true,
        clauses: [
          { id: 'when.where.all.0', ok: false, value: null },
          { id: 'when.where.all.1', ok: true, value: 200 },
        ],
      },
    ])
    expect(other.sentence.en).toContain('"currency" of the event is "USD"')
  })

  test('what is held says until when and which purposes wait; what was released says so', async () => {
    const rig = await open()
    await rig.take(viewed(rig, 'm-1'))
    const held = await told(rig, 'm-1')
    expect(collected(held)).toMatchObject({ exit: 'HELD', detail: expect.stringContaining(rig.at(DAY)) })
    expect(collected(held)?.detail).toContain('analytics')

    rig.advance(HOUR)
    await rig.take(says(rig, 'grant'))
    const released = await told(rig, 'm-1')
    expect(released.event).toMatchObject({ releasedAt: rig.at(), purposes: ['email_marketing'] })
    expect(collected(released)).toEqual({
      stage: 'collect',
      at: rig.at(),
      detail: 'held until an answer released it',
    })
    expect(released.journey).toContainEqual(expect.objectContaining({ stage: 'apply', exit: 'KEPT' }))
  })

  test('what a refusal destroyed, and what nobody answered about, is not told as if it still waited', async () => {
    const rig = await open()
    await rig.take(viewed(rig, 'm-denied'))
    const everything = rig.purposes
      .wanting({ type: 'track', name: 'Product Viewed' })
      .purposes.map(({ id }) => says(rig, 'deny', id))
    await rig.take(...everything)
    expect(collected(await told(rig, 'm-denied'))).toMatchObject({ exit: 'CONSENT_DENIED' })

    const other = track({ name: 'Product Viewed', userId: 'rui', messageId: 'm-late', ...times(rig) })
    await rig.take(other)
    rig.advance(DAY + SECOND)
    await expireSealed(rig.state, rig.now)
    const expired = await told(rig, 'm-late')
    expect(collected(expired)).toMatchObject({ exit: 'HELD', detail: expect.stringContaining('destroyed') })
    expect(expired.sentence.pt).toContain('foi destruído')
  })

  test('an event that arrives after newer ones is marked late', async () => {
    const rig = await open()
    const late = order(rig, 'o-late')
    rig.advance(HOUR)
    await rig.take(order(rig, 'o-new'))
    rig.advance(MINUTE)
    await rig.take({ ...late, receivedAt: rig.at() })
    expect((await told(rig, 'o-late')).event?.late).toBe(true)
    expect((await told(rig, 'o-late')).journey.find(({ stage }) => stage === 'apply')?.detail).toContain('late')
    expect((await told(rig, 'o-new')).event?.late).toBeUndefined()
  })
})
