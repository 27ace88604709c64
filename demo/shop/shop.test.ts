import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import gtm from '../../connectors/gtm/source.ts'
import rdstation from '../../connectors/rdstation/source.ts'
import rudderstack from '../../connectors/rudderstack/source.ts'
import segment from '../../connectors/segment/source.ts'
import type { SourceItem } from '../../core/kit/define.ts'
import { normalizeIdentifier } from '../../core/kit/identifiers.ts'
import { eventsOf, rawRequest } from '../../core/testing/source-contract.ts'
import { type SourceServer, serveSource } from '../../core/testing/source-server.ts'
import { SOURCE_KEYS } from '../config.ts'
import type { Moment, Sending } from './moment.ts'
import { createSenders } from './senders.ts'
import { openShop, type ShopSettings } from './simulator.ts'

const keys = { segment: SOURCE_KEYS.segment, measurementId: SOURCE_KEYS.measurementId }
const base: ShopSettings = { seed: 7, people: 120, origin: Date.parse('2026-11-24T12:00:00Z'), speed: 1, keys }

const take = (settings: ShopSettings, count: number): Moment[] => [
  ...Iterator.from(openShop(settings).moments).take(count),
]
const until = (settings: ShopSettings, ms: number): Moment[] => {
  const moments: Moment[] = []
  for (const moment of openShop(settings).moments) {
    if (moment.at > ms) return moments
    moments.push(moment)
  }
  return moments
}

describe('the simulated shop', () => {
  it('is the same for the same seed and another for another', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 1, max: 200 }), (seed, people) => {
        const settings = { ...base, seed, people }
        expect(take(settings, 120)).toEqual(take(settings, 120))
        expect(take({ ...settings, seed: seed + 1 }, 120)).not.toEqual(take(settings, 120))
      }),
      { numRuns: 15 },
    )
  })

  it('comes in order, with something to see within two seconds and then five to twenty events a second', () => {
    const minute = until(base, 60_000)
    expect(minute.map(({ at }) => at)).toEqual(minute.map(({ at }) => at).sort((a, b) => a - b))
    expect(minute.filter(({ at }) => at < 2000).length).toBeGreaterThan(10)
    for (let second = 20; second < 60; second += 10) {
      const perSecond = minute.filter(({ at }) => at >= second * 1000 && at < (second + 10) * 1000).length / 10
      expect(perSecond).toBeGreaterThanOrEqual(5)
      expect(perSecond).toBeLessThanOrEqual(20)
    }
  })

  it('ids of two runs never meet, so that a restart is not taken for duplicates', () => {
    const ids = (origin: number) =>
      take({ ...base, origin }, 500).flatMap(({ sending }) => ('message' in sending ? [sending.message.messageId] : []))
    const first = new Set(ids(base.origin))
    expect(ids(base.origin + 1).filter((id) => first.has(id))).toEqual([])
  })

  it('speed changes the pace and the times of events with it', () => {
    const fast = take({ ...base, speed: 10 }, 200)
    const slow = take(base, 200)
    expect(fast.map(({ at }) => at)).toEqual(slow.map(({ at }) => at))
    const last = (moments: Moment[]) =>
      moments.flatMap(({ sending }) => ('message' in sending ? [Date.parse(sending.message.timestamp)] : [])).at(-1)!
    expect(last(fast) - base.origin).toBe(Math.round((last(slow) - base.origin) / 10))
  })

  it('has every thing that goes wrong in a shop', () => {
    const moments = until(base, 120_000)
    const flaws = new Set(moments.map(({ flaw }) => flaw))
    expect(flaws).toEqual(new Set([undefined, 'duplicate', 'late', 'skewed', 'invalid', 'oversize']))
    const bodies = moments.filter(({ flaw }) => flaw === 'duplicate').map(({ sending }) => JSON.stringify(sending))
    for (const body of bodies)
      expect(moments.filter(({ sending }) => JSON.stringify(sending) === body).length).toBeGreaterThan(1)
    expect(new Set(moments.map(({ sending }) => sending.via))).toEqual(
      new Set(['segment', 'rudderstack', 'browser', 'ga4', 'rdstation']),
    )
  })

  it('people collide: one telephone, one CPF, one device for two, and telephones in every form', () => {
    const { people } = openShop(base)
    const shared = (values: (string | undefined)[]) => values.length - new Set(values).size
    expect(shared(people.map(({ phone }) => phone))).toBeGreaterThan(0)
    expect(shared(people.map(({ cpf }) => cpf))).toBeGreaterThan(0)
    expect(shared(people.map(({ devices }) => devices[0]!.anonymousId))).toBeGreaterThan(0)
    expect(shared(people.map(({ email }) => email))).toBe(0)
    for (const { phone, cpf, email, userId } of people) {
      expect(normalizeIdentifier('phone', phone)).toBe(`+55${phone}`)
      expect(normalizeIdentifier('cpf', cpf)).toBe(cpf)
      expect([normalizeIdentifier('email', email), normalizeIdentifier('userId', userId)]).toEqual([email, userId])
    }
    const written = until(base, 60_000).flatMap(({ sending }) =>
      'message' in sending && sending.message.traits ? [String(sending.message.traits['phone'])] : [],
    )
    expect(written.some((phone) => /^\d{10}$/.test(phone))).toBe(true)
    expect(written.some((phone) => phone.startsWith('+55 '))).toBe(true)
    const known = new Set(people.map(({ phone }) => `+55${phone}`))
    for (const phone of written) expect(known).toContain(normalizeIdentifier('phone', phone))
  })

  it('an order is told by several tools under one id', () => {
    const orders = new Map<string, Set<string>>()
    const note = (id: unknown, via: string) => {
      const known = orders.get(String(id)) ?? new Set()
      orders.set(String(id), known.add(via))
    }
    for (const { sending } of until(base, 120_000)) {
      if ('message' in sending && sending.message.event === 'Order Completed')
        note(sending.message.properties?.['order_id'], sending.via)
      if (sending.via === 'ga4' && sending.query['en'] === 'purchase') note(sending.query['ep.transaction_id'], 'ga4')
    }
    expect([...orders.values()].some((tools) => tools.size === 3)).toBe(true)
  })

  it('the cast does its part within the first seconds', () => {
    const { people } = openShop(base)
    const minute = until(base, 40_000)
    const tracks = (script: string) => {
      const { userId } = people.find((person) => person.script === script)!
      return minute.flatMap(({ at, sending, flaw }) =>
        'message' in sending && sending.message.userId === userId && sending.message.event && flaw !== 'duplicate'
          ? [{ at, event: sending.message.event }]
          : [],
      )
    }
    const told = (script: string) => {
      const { email } = people.find((person) => person.script === script)!
      return minute.flatMap(({ at, told: answer }) => (answer?.email === email ? [{ at, answer: answer.answer }] : []))
    }
    const lastAdded = (script: string) => tracks(script).findLast(({ event }) => event === 'Product Added')!.at
    for (const script of ['abandons', 'refuses', 'withdraws']) {
      expect(lastAdded(script)).toBeLessThan(15_000)
      expect(tracks(script).map(({ event }) => event)).not.toContain('Order Completed')
    }
    expect(told('abandons').map(({ answer }) => answer)).toEqual(['granted'])
    expect(told('refuses').map(({ answer }) => answer)).toEqual(['declined'])
    expect(told('withdraws').map(({ answer }) => answer)).toEqual(['granted', 'declined'])
    const withdrawn = told('withdraws')[1]!.at - lastAdded('withdraws')
    expect([withdrawn > 1000, withdrawn < 20_000]).toEqual([true, true])
    const bought =
      tracks('buys-in-time').find(({ event }) => event === 'Order Completed')!.at - lastAdded('buys-in-time')
    expect([bought > 1000, bought < 20_000]).toEqual([true, true])
  })
})

// ---------------------------------------------------------------- what the sources make of it

const settingsOf = {
  segment: { writeKey: SOURCE_KEYS.segment },
  rudderstack: { writeKey: SOURCE_KEYS.rudderstack },
  gtm: { measurementId: SOURCE_KEYS.measurementId },
  rdstation: { token: SOURCE_KEYS.rdToken, header: 'x-anuente-token' },
}

async function read(sending: Sending): Promise<SourceItem[]> {
  switch (sending.via) {
    case 'browser': {
      const request = rawRequest({
        method: 'POST',
        path: sending.path,
        headers: { 'content-type': 'text/plain' },
        body: sending.body,
      })
      expect(segment.credentials(request)).toEqual(segment.keys(settingsOf.segment))
      return segment.normalize(request, settingsOf.segment)
    }
    case 'ga4': {
      const body = (sending.lines ?? []).map((line) => new URLSearchParams(line).toString()).join('\r\n')
      const request = rawRequest({ method: sending.method, path: '/g/collect', query: sending.query, body })
      expect(await gtm.verify(request, settingsOf.gtm)).toBe(true)
      return gtm.normalize(request, settingsOf.gtm)
    }
    case 'rdstation': {
      const request = rawRequest({
        method: 'POST',
        path: '/in/rd',
        query: { token: SOURCE_KEYS.rdToken },
        body: sending.body,
      })
      expect(await rdstation.verify(request, settingsOf.rdstation)).toBe(true)
      return rdstation.normalize(request, settingsOf.rdstation)
    }
    default:
      return []
  }
}

describe('on the wire', () => {
  it('hits, webhooks and browser calls are read as events; what is broken on purpose is refused', async () => {
    const names = new Set<string>()
    for (const { sending, flaw } of until(base, 120_000)) {
      const items = await read(sending)
      const refused = items.filter((item) => 'rejected' in item)
      expect([flaw, refused.length]).toEqual([flaw, flaw === 'invalid' ? 1 : 0])
      for (const event of eventsOf(items)) {
        names.add(`${sending.via} ${event.name ?? event.type}`)
        expect(event.identifiers.length).toBeGreaterThan(0)
        expect(event.messageId).toEqual(expect.any(String))
      }
      if (flaw === 'oversize') expect(Buffer.byteLength(JSON.stringify(sending))).toBeGreaterThan(32 * 1024)
    }
    for (const name of ['Product Viewed', 'Product Added', 'Checkout Started', 'Order Completed'])
      expect(names).toContain(`ga4 ${name}`)
    expect(names).toContain('rdstation Lead Converted')
    expect(names).toContain('rdstation identify')
  })

  it('both forms of RD Station carry the answer that was given, and GA4 every state of its consent string', async () => {
    const forms = new Set<string>()
    const states = new Set<string>()
    for (const { sending, told } of until(base, 120_000)) {
      if (sending.via === 'ga4') {
        const [event] = eventsOf(await read(sending))
        const consent = event!.consent?.[0]?.answers ?? {}
        states.add(`${consent['ad_storage']?.answer} ${consent['analytics_storage']?.answer}`)
      }
      if (sending.via !== 'rdstation') continue
      const identify = eventsOf(await read(sending)).find(({ type }) => type === 'identify')!
      expect(identify.consent?.[0]?.answers['communications']?.answer).toBe(
        told && (told.answer === 'granted' ? 'granted' : 'denied'),
      )
      if (told) forms.add('leads' in sending.body ? 'v1' : 'v2')
    }
    expect(forms).toEqual(new Set(['v1', 'v2']))
    expect(states).toEqual(new Set(['granted granted', 'denied granted', 'denied denied', 'undefined undefined']))
  })

  const servers: SourceServer[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  it('the real SDKs deliver what they are given, ids and consent included', async () => {
    const bySegment = await serveSource(segment, settingsOf.segment)
    const byRudder = await serveSource(rudderstack, settingsOf.rudderstack)
    servers.push(bySegment, byRudder)
    const given = until(base, 25_000).flatMap(({ sending }) => ('message' in sending ? [sending] : []))
    const senders = (hubUrl: string) =>
      createSenders({
        hubUrl,
        segmentKey: keys.segment,
        rudderKey: SOURCE_KEYS.rudderstack,
        rdToken: 'unused-token',
        rdSource: 'rd',
      })
    for (const [via, server] of [
      ['segment', bySegment],
      ['rudderstack', byRudder],
    ] as const) {
      const own = given.filter((sending) => sending.via === via)
      expect(own.length).toBeGreaterThan(5)
      const sender = senders(server.url)
      for (const sending of own) await sender.send(sending)
      await sender.close()
      await expect.poll(() => server.events.length, { timeout: 15_000 }).toBe(own.length)
      const received = new Map(server.events.map((event) => [event.messageId, event]))
      for (const { call, message } of own) {
        const event = received.get(message.messageId)!
        expect(event).toMatchObject({ type: call, timestamp: message.timestamp })
        expect(event.name ?? '').toBe(message.event ?? message.name ?? '')
        const stated = 'consent' in message.context || 'consentManagement' in message.context
        expect(event.consent !== undefined).toBe(stated)
      }
    }
  })
})
