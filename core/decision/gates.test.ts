import { describe, expect, it } from 'vitest'
import { compileOffer } from './offers.ts'
import { at, event, Person, rulesFrom } from './person.fixture.ts'

// T0 is a Tuesday, 09:00 in São Paulo. Minutes after it:
const EVENING = 13 * 60 // 22:00
const NEXT_MORNING = 23 * 60 // 08:00

const rule = (unless: string, then = 'all: [{destination: email, action: send}]', more = '') =>
  `id: r\nversion: 1\nwhen: {event: Viewed}\nunless: {purpose: email_marketing${unless}}\nthen: {${then}}\n${more}`
const QUIET = ', quiet_hours: {from: "21:00", to: "08:00"'

it('a message of the evening is held to the end of the quiet hours, for controls as well', () => {
  for (const control of ['', 'experiment: {control: 0.9999}']) {
    const person = new Person(rulesFrom(rule(`${QUIET}}`, undefined, control)))
    person.take(event('Viewed', EVENING))
    expect(person.deliveries[0]).toMatchObject({ dueAt: at(NEXT_MORNING), arm: control ? 'control' : 'treated' })
    expect(person.explanations.at(-1)).toMatchObject({ result: 'ENQUEUED', heldUntil: at(NEXT_MORNING) })
  }
})

it('on_hit: skip sends nothing and says why; what would be stale by then is not held', () => {
  const skipped = new Person(rulesFrom(rule(`${QUIET}, on_hit: skip}`)))
  skipped.take(event('Viewed', EVENING))
  expect(skipped.results).toEqual(['QUIET_HOURS'])
  const stale = new Person(rulesFrom(rule(`${QUIET}}`, 'all: [{destination: email, action: send}], expires: PT2H')))
  stale.take(event('Viewed', EVENING))
  expect(stale.results).toEqual(['EXPIRED'])
})

it('what is held counts on the day it leaves', () => {
  const caps = ', caps: [{per: person, max: 1, window: P1D, count: calendar}]'
  const person = new Person(rulesFrom(rule(`${QUIET}}${caps}`)))
  person.take(event('Viewed', 60))
  person.take(event('Viewed', EVENING))
  person.take(event('Viewed', NEXT_MORNING + 60))
  expect(person.results).toEqual(['ENQUEUED', 'ENQUEUED', 'CAPPED'])
})

describe('by the clock of the person, an hour behind that of the shop', () => {
  const living = (text: string, timezone?: string) => {
    const person = new Person(rulesFrom(text))
    if (timezone)
      person.profile = {
        ...person.profile,
        zone: { name: timezone, from: 'timezone', at: at(0), purposes: ['email_marketing'] },
      }
    return person
  }
  const dues = (text: string, minutes: readonly number[], timezone?: string) => {
    const person = living(text, timezone)
    for (const minute of minutes) person.take(event('Viewed', minute))
    return person.deliveries.map(({ dueAt }) => dueAt)
  }

  it('are the quiet hours', () => {
    // 21:30 and 08:30 in São Paulo are 20:30 and 07:30 in Manaus.
    const [evening, morning] = [12.5 * 60, 23.5 * 60]
    expect(dues(rule(`${QUIET}}`), [evening, morning])).toEqual([at(NEXT_MORNING), undefined])
    expect(dues(rule(`${QUIET}}`), [evening, morning], 'America/Manaus')).toEqual([undefined, at(24 * 60)])
    expect(dues(rule(`${QUIET}, zone: organization}`), [evening, morning], 'America/Manaus')).toEqual([
      at(NEXT_MORNING),
      undefined,
    ])
  })

  it('is the day of a cap, on both sides of their midnight', () => {
    const text = rule(', caps: [{per: person, max: 1, window: P1D, count: calendar}]')
    const results = (timezone?: string) => {
      const person = living(text, timezone)
      // 23:30 and 00:30 in São Paulo; 22:30 and 23:30 in Manaus, and half past midnight there.
      for (const hour of [14.5, 15.5, 16.5]) person.take(event('Viewed', hour * 60))
      return person.results
    }
    expect(results()).toEqual(['ENQUEUED', 'ENQUEUED', 'CAPPED'])
    expect(results('America/Manaus')).toEqual(['ENQUEUED', 'CAPPED', 'ENQUEUED'])
  })

  it('are holidays, of the country, of a state and of a date, from midnight to midnight', () => {
    const minute = (iso: string) => (Date.parse(iso) - Date.parse(at(0))) / 60_000
    const due = (holidays: string, on: string, timezone?: string) =>
      dues(rule(`, quiet_hours: {holidays: ${holidays}}`), [minute(on)], timezone)[0]
    // Tiradentes is over an hour later in Manaus.
    expect(due('BR', '2026-04-21T15:00:00Z')).toBe('2026-04-22T03:00:00.000Z')
    expect(due('BR', '2026-04-21T15:00:00Z', 'America/Manaus')).toBe('2026-04-22T04:00:00.000Z')
    expect(due('BR', '2026-07-09T15:00:00Z')).toBeUndefined()
    expect(due('[BR, BR-SP]', '2026-07-09T15:00:00Z')).toBe('2026-07-10T03:00:00.000Z')
    expect(due('[BR, 2026-01-25]', '2027-01-25T15:00:00Z')).toBeUndefined()
    expect(due('[BR, 2027-01-25]', '2027-01-25T15:00:00Z')).toBe('2027-01-26T03:00:00.000Z')
  })
})

it('of two waits of one group that end at one moment the rule with the higher priority writes', () => {
  const wait = (id: string, priority: number) =>
    rule('', undefined, `priority: ${priority}\ngroup: {id: promo, window: P1D}\n`)
      .replace('id: r', `id: ${id}`)
      .replace(
        '{event: Viewed}',
        '{absence: {start: {event: Viewed}, unless: {any: [{event: Bought}]}, within: PT30M}}',
      )
  for (const [a, b, first] of [
    [1, 9, 'b'],
    [9, 1, 'a'],
  ] as const) {
    const person = new Person(rulesFrom(wait('a', a), wait('b', b)))
    person.take(event('Viewed', 0))
    person.wake(30)
    expect(person.deliveries.map((draft) => draft.rule)).toEqual([first])
  }
})

it('the channel falls back where consent is missing, and one message is sent, not two', () => {
  const then =
    'channel: {order: preferred, fallback: [whatsapp, email]}, send: {email: {destination: email, action: send}, whatsapp: {destination: whatsapp, action: send, purpose: whatsapp_marketing}}'
  const granted = (...purposes: string[]) => ({
    consent: (purpose: string) => ({ granted: purposes.includes(purpose) }),
  })
  const both = new Person(rulesFrom(rule('', then)), granted('email_marketing', 'whatsapp_marketing'))
  both.take(event('Viewed', 0))
  expect(both.deliveries.map(({ channel, purpose }) => [channel, purpose])).toEqual([
    ['whatsapp', 'whatsapp_marketing'],
  ])
  const one = new Person(rulesFrom(rule('', then)), granted('email_marketing'))
  one.take(event('Viewed', 0))
  expect(one.deliveries.map(({ channel }) => channel)).toEqual(['email'])
  const prefers = new Person(rulesFrom(rule('', then)), granted('email_marketing', 'whatsapp_marketing'))
  const clicked = { channel: 'email', kind: 'click' as const, at: at(-60), purposes: ['email_marketing'] }
  prefers.profile = { ...prefers.profile, engaged: [clicked] }
  prefers.take(event('Viewed', 0))
  expect(prefers.deliveries.map(({ channel }) => channel)).toEqual(['email'])
})

it('a complaint, a bounce on the channel and an open ticket keep the rule away', () => {
  for (const [suppressed, result] of [
    [{ complained: at(-60) }, 'SUPPRESSED'],
    [{ bounced: { email: at(-60) } }, 'SUPPRESSED'],
    [{ bounced: { sms: at(-60) } }, 'ENQUEUED'],
    [{ tickets: { t1: at(-60) } }, 'SUPPRESSED'],
  ] as const) {
    const person = new Person(rulesFrom(rule(', suppress: [complained, bounced, open_ticket]')))
    person.profile = { ...person.profile, suppressed: structuredClone(suppressed) }
    person.take(event('Viewed', 0))
    expect(person.results).toEqual([result])
  }
})

it('variants follow their weights, and a person keeps theirs', () => {
  const more = 'experiment: {variants: [{id: a, weight: 3, with: {text: A}}, {id: b, weight: 1}]}'
  const rules = rulesFrom(rule('', undefined, more))
  const seen = { a: 0, b: 0 }
  for (let n = 0; n < 400; n++) {
    const person = new Person(rules, { key: `person-${n}` })
    person.take(event('Viewed', 0))
    person.take(event('Viewed', 1))
    const [first, second] = person.deliveries
    expect(first?.variant).toBe(second?.variant)
    expect(first?.with['text']).toBe(first?.variant === 'a' ? 'A' : undefined)
    seen[first!.variant as 'a' | 'b']++
  }
  expect(seen.a).toBeGreaterThan(260)
  expect(seen.a).toBeLessThan(340)
})

it('the variant of the first exposure stays when the weights change, and is drawn anew when it is gone', () => {
  const drawn = (variants: string, exposed: string) => {
    const rules = rulesFrom(rule('', undefined, `experiment: {variants: [${variants}]}`))
    return new Set(
      Array.from({ length: 40 }, (_, n) => {
        const person = new Person(rules, { key: `person-${n}`, context: { variantOf: () => exposed } })
        person.take(event('Viewed', 0))
        return person.deliveries[0]?.variant
      }),
    )
  }
  expect(drawn('{id: a, weight: 99}, {id: b, weight: 1}', 'b')).toEqual(new Set(['b']))
  expect(drawn('{id: a, weight: 1}, {id: c, weight: 1}', 'b')).toEqual(new Set(['a', 'c']))
})

it('a full cap of the preferred channel is passed on to the fallback, where the rule names one', () => {
  const caps = ', caps: [{per: person+channel, max: 1, window: P1D}]'
  const send = 'send: {whatsapp: {destination: whatsapp, action: send}, email: {destination: email, action: send}}'
  const channelsOf = (channel: string, unless = caps) => {
    const person = new Person(rulesFrom(rule(unless, `${channel}${send}`)))
    for (const minute of [0, 1, 2]) person.take(event('Viewed', minute))
    return [person.deliveries.map((draft) => draft.channel), person.results, person.explanations] as const
  }
  const [sent, results, explanations] = channelsOf('channel: {order: [whatsapp], fallback: [email]}, ')
  expect(sent).toEqual(['whatsapp', 'email'])
  expect(results).toEqual(['ENQUEUED', 'ENQUEUED', 'CAPPED'])
  expect(explanations[1]).toMatchObject({ skipped: [{ destination: 'whatsapp', code: 'CAPPED' }] })
  expect(explanations[1]?.clauses).toContainEqual(expect.objectContaining({ id: 'then.channel', value: 'email' }))
  expect(channelsOf('channel: {order: [whatsapp, email]}, ')[0]).toEqual(['whatsapp'])
  // A cap over all channels is as full on the next one.
  expect(
    channelsOf(
      'channel: {order: preferred, fallback: [whatsapp, email]}, ',
      caps.replace('person+channel', 'person'),
    )[0],
  ).toEqual(['whatsapp'])
})

const clicks = (hour: number, count = 3) =>
  Array.from({ length: count }, (_, day) => ({
    channel: 'email',
    kind: 'click' as const,
    // T0 is 09:00.
    at: at((hour - 9) * 60 - 1440 * (day + 1)),
    purposes: ['email_marketing'],
  }))

it('send_at waits for its time, learns the hour of the person, and moves out of the night', () => {
  const due = (then: string, unless = '', engaged = clicks(15)) => {
    const person = new Person(rulesFrom(rule(unless, `all: [{destination: email, action: send}], ${then}`)))
    person.profile = { ...person.profile, engaged }
    person.take(event('Viewed', 0))
    return person.deliveries[0]?.dueAt
  }
  expect(due('send_at: {time: "19:30"}')).toBe(at(10.5 * 60))
  expect(due('send_at: {time: "19:30", learn: true}')).toBe(at(6 * 60))
  expect(due('send_at: {time: "19:30", learn: true}', '', clicks(15, 2))).toBe(at(10.5 * 60))
  expect(due('send_at: {time: "08:00"}')).toBe(at(NEXT_MORNING))
  // Three in the morning is nearer to 08:00 than to 21:00, half past ten in the evening to 21:00.
  expect(due('send_at: {time: "03:00"}', `${QUIET}}`)).toBe(at(NEXT_MORNING))
  expect(due('send_at: {time: "22:30"}', `${QUIET}}`)).toBe(at(12 * 60 - 1))
})

it('what disturbs nobody waits for no morning and for no send window', () => {
  const quiet = `${QUIET}}, send_windows: [{from: "09:00", to: "10:00"}]`
  for (const channel of ['ads', 'onsite', 'task']) {
    const person = new Person(rulesFrom(rule(quiet, `all: [{destination: ${channel}, action: send}]`)))
    person.take(event('Viewed', EVENING))
    expect(person.deliveries).toMatchObject([{ channel }])
    expect(person.deliveries[0]!.dueAt).toBeUndefined()
  }
})

it('what is told to a tool and not to the person neither takes the place of a group nor needs one', () => {
  const group = 'group: {id: promo, window: P1D}\n'
  const tool = rule('', 'all: [{destination: slack, action: post}]', group).replace('id: r', 'id: a')
  const message = rule('', undefined, group).replace('id: r', 'id: b')
  const person = new Person(rulesFrom(tool, message))
  person.take(event('Viewed', 0))
  person.take(event('Viewed', 1))
  expect(person.explanations.map((told) => `${told.rule} ${told.result}`)).toEqual([
    'a ENQUEUED',
    'b ENQUEUED',
    'a ENQUEUED',
    'b EXCLUDED',
  ])
})

it('who is held out spends nothing of a budget and of an offer', () => {
  const spent = (control: number) => {
    const more = `budget: {sends: {day: 9}}\nexperiment: {control: ${control}}\n`
    const title = { pt: 'Frete grátis', en: 'Free shipping' }
    const offer = compileOffer('frete', { title, limits: { total: 5 } }, 'America/Sao_Paulo')
    const context = {
      offers: { find: () => offer, left: () => 5 },
      budgets: { zone: 'America/Sao_Paulo', used: () => 0 },
    }
    const person = new Person(rulesFrom(rule('', 'all: [{destination: email, action: send}], offer: frete', more)), {
      context,
    })
    const { deliveries, budgetUses } = person.take(event('Viewed', 0))
    return [deliveries.map(({ arm }) => arm), budgetUses.map(({ bucket }) => bucket.split('/')[0])]
  }
  expect(spent(0)).toEqual([['treated'], ['sends', 'offer']])
  expect(spent(0.9999)).toEqual([['control'], []])
})

it('outside its send windows a message waits for the next one', () => {
  const windows =
    ', send_windows: [{days: [wed], from: "10:00", to: "12:00"}, {days: [tue], from: "09:00", to: "11:00"}]'
  const person = new Person(rulesFrom(rule(windows)))
  person.take(event('Viewed', 60))
  person.take(event('Viewed', 120))
  expect(person.deliveries.map(({ dueAt }) => dueAt)).toEqual([undefined, at(25 * 60)])
  expect(person.explanations.at(-1)?.clauses).toContainEqual(expect.objectContaining({ id: 'unless.send_windows' }))
})
