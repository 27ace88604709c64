import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EXAMPLE_TIME, eventsOf, rawRequest, rejectedOf } from '../testing/source-contract.ts'
import { readSpec, type SpecDialect } from './segment-spec.ts'
import { ECOMMERCE_NAMES, specName } from './spec-names.ts'
import { basicKey, sameSecret, writeKeys } from './write-key.ts'

const dialect: SpecDialect = { timestampFields: ['timestamp'], consentKeys: [], consent: () => undefined }
const batch = (body: object) => readSpec(rawRequest({ method: 'POST', path: '/v1/batch', body }), dialect)
const track = { type: 'track', event: 'Clicked', userId: 'u' }

describe('a batch', () => {
  it('gives the same events whether its context is shared or repeated', () => {
    const context = fc
      .dictionary(fc.stringMatching(/^[a-z_]{1,10}$/), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 5 })
      .map(({ traits: _, device: __, ...rest }) => rest)
    fc.assert(
      fc.property(context, fc.array(context, { maxLength: 4 }), (shared, own) => {
        const given = eventsOf(batch({ context: shared, batch: own.map((each) => ({ ...track, context: each })) }))
        const spelled = eventsOf(batch({ batch: own.map((each) => ({ ...track, context: { ...shared, ...each } })) }))
        expect(given).toEqual(spelled)
      }),
    )
  })

  it('has one item per message, each with its place', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 20 }), (messages) => {
        const items = batch({ batch: messages })
        expect(items).toHaveLength(messages.length)
        items.forEach((item, index) => {
          if ('rejected' in item) expect(item.rejected.path).toMatch(new RegExp(`^/batch/${index}(/|$)`))
        })
      }),
    )
  })

  it('does not grow beyond bounds by what it shares', () => {
    const body = { context: { page: 'x'.repeat(30_000) }, batch: Array.from({ length: 1000 }, () => track) }
    expect(new Set(rejectedOf(batch(body)).map(({ code }) => code))).toEqual(new Set(['EVENT_TOO_LARGE']))
  })
})

describe('times', () => {
  const times = (message: object, sentAt?: unknown) => {
    const [event] = eventsOf(batch({ batch: [{ ...track, ...message }], sentAt }))
    return [event?.timestamp, event?.sentAt]
  }
  it.each([
    [{ timestamp: '2026-11-24T09:00:00-03:00' }, EXAMPLE_TIME, ['2026-11-24T09:00:00-03:00', EXAMPLE_TIME]],
    [{ timestamp: 1795489765115 }, undefined, ['2026-11-24T03:09:25.115Z', undefined]],
    [{ timestamp: null, sentAt: 'soon' }, 7, [undefined, undefined]],
    [{ timestamp: 'soon' }, '', ['soon', undefined]],
  ])('of %j sent at %j', (message, sentAt, expected) => {
    expect(times(message, sentAt)).toEqual(expected)
  })
})

describe('names', () => {
  it('of the spec stay, in any case, and others are left alone', () => {
    for (const name of ECOMMERCE_NAMES) expect([specName(name), specName(name.toUpperCase())]).toEqual([name, name])
    for (const name of ['Ticket Opened', 'completed_order', 'constructor']) expect(specName(name)).toBe(name)
  })
})

describe('write keys', () => {
  it('come from Basic authentication, query and body, in this order', () => {
    const request = rawRequest({
      method: 'POST',
      path: '/v1/batch',
      query: { writeKey: 'query' },
      headers: { Authorization: `Basic ${Buffer.from('basic:password').toString('base64')}` },
      body: { writeKey: 'body', batch: [] },
    })
    expect(writeKeys(request)).toEqual(['basic', 'query', 'body'])
  })

  it.each(['', 'Basic', 'Basic ', 'Bearer abc', 'Basic Og==', 'Basic ???'])('are not in "%s"', (header) => {
    expect(basicKey(header)).toBeUndefined()
  })

  it('are the same only when they are, and never when empty', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('', 'a', 'b'))
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(sameSecret(a, b)).toBe(a !== '' && a === b)
      }),
    )
    expect(sameSecret(undefined, undefined)).toBe(false)
  })
})
