import { afterEach, describe, expect, test } from 'vitest'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { Rig } from '../testing/pipeline-rig.ts'
import { bandAt, readAge, youngerOf } from './facts-of-person.ts'

const AT = '2026-03-10T12:00:00.000Z'

describe('reading an age', () => {
  test.each([
    ['2020-05-20', { band: 'child', teenFrom: '2032-06', adultFrom: '2038-06' }],
    ['20/05/2010', { band: 'teen', adultFrom: '2028-06' }],
    ['1980-01-31T00:00:00Z', { band: 'adult' }],
    [9, { band: 'child', teenFrom: '2029-04', adultFrom: '2035-04' }],
    ['17', { band: 'teen', adultFrom: '2027-04' }],
    [18, { band: 'adult' }],
    ['teen', { band: 'teen' }],
    ['2027-01-01', undefined],
    ['31/02/2010', undefined],
    ['soon', undefined],
    [-1, undefined],
    [{ year: 2010 }, undefined],
    [undefined, undefined],
  ])('%j', (value, expected) => {
    expect(readAge(value, AT)).toEqual(expected)
  })

  test('people grow, in the month after their birthday and never before it', () => {
    const age = readAge('2014-03-10', AT)
    expect(bandAt(age, AT)).toBe('child')
    expect(bandAt(age, '2026-04-01T00:00:00.000Z')).toBe('teen')
    expect(bandAt(age, '2032-03-31T23:59:59.000Z')).toBe('teen')
    expect(bandAt(age, '2032-04-01T00:00:00.000Z')).toBe('adult')
  })

  test('of two people that are one, the younger counts', () => {
    expect(youngerOf({ band: 'adult' }, { band: 'child' })).toEqual({ band: 'child' })
    expect(youngerOf(undefined, { band: 'teen' })).toEqual({ band: 'teen' })
    expect(youngerOf({ band: 'teen', adultFrom: '2027-01' }, { band: 'teen', adultFrom: '2029-01' })).toEqual({
      band: 'teen',
      adultFrom: '2029-01',
    })
  })
})

describe('a legal hold', () => {
  let rig: Rig
  afterEach(() => rig?.close())

  test('lets nothing leave for the person, also what waited already, and keeps collecting', async () => {
    rig = await Rig.open()
    const times = () => ({ userId: 'ana', occurredAt: rig.at(), receivedAt: rig.at() })
    const consent = [signal('email_marketing', 'grant', rig.at())]
    await rig.take(identify({ ...times(), traits: { email: 'ana@example.com' }, consent }))
    const person = await rig.person('userId', 'ana')
    await rig.state.db
      .insertInto('legal_holds')
      .values({
        id: 'h1',
        kind: 'person',
        person_id: person!.id,
        class: null,
        from_at: null,
        to_at: null,
        ref: 'Processo 1',
        reason: 'test',
        set_by: 'dpo',
        set_at: rig.now,
        released_by: null,
        released_at: null,
        release_reason: null,
      })
      .execute()
    await rig.deliver('crm')
    expect(rig.seen).toEqual([])
    expect(await rig.deliveries('crm')).toMatchObject([
      {
        status: 'blocked',
        reason: 'BLOCKED_BY_CONSENT',
        answer: expect.stringContaining('legal_hold (LGPD art. 5 XIII)'),
      },
    ])
    await rig.take(track({ name: 'Product Viewed', ...times() }))
    expect((await rig.history()).map(({ name }) => name)).toContain('Product Viewed')
    await rig.state.db.updateTable('legal_holds').set({ released_at: rig.now }).execute()
    await rig.take(identify({ ...times(), messageId: 'later', traits: { email: 'ana@example.com' } }))
    await rig.deliver('crm')
    expect(rig.seen).toHaveLength(1)
  })
})

describe('in the pipeline', () => {
  let rig: Rig
  afterEach(() => rig?.close())

  test('a minor is in no ads purpose from the event that says so on; the date of birth is not kept', async () => {
    rig = await Rig.open({ policy: { minors: { trait: 'birthday' } } })
    const times = () => ({ anonymousId: 'd1', occurredAt: rig.at(), receivedAt: rig.at() })
    const order = (n: number) => track({ name: 'Order Completed', properties: { order_id: `o${n}` }, ...times() })
    const consent = ['analytics', 'ads_measurement'].map((purpose) => signal(purpose, 'grant', rig.at()))
    await rig.take(identify({ ...times(), consent }), order(1))
    rig.advance(1000)
    await rig.take(identify({ ...times(), traits: { birthday: '2012-08-01' } }), order(2))

    const kept = (await rig.history()).map(({ name, purposes }) => [
      name,
      (JSON.parse(purposes) as string[]).includes('ads_measurement'),
    ])
    expect(kept.filter(([name]) => name === 'Order Completed')).toEqual([
      ['Order Completed', true],
      ['Order Completed', false],
    ])
    const person = await rig.person('anonymousId', 'd1')
    expect(person?.profile.age).toEqual({ band: 'teen', adultFrom: '2030-09' })
    expect(JSON.stringify(person?.profile)).not.toContain('2012')
  })
})
