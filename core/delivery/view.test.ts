import { describe, expect, it } from 'vitest'
import { identify, track } from '../testing/events.ts'
import { buildView } from './view.ts'

const given = {
  person: { id: 'p1' },
  delivery: { id: 'd1' },
  links: { stop: 'https://hub.example/s', why: 'https://hub.example/w' },
  decidedAt: '2026-11-24T12:00:00.000Z',
}

describe('the mapping view', () => {
  it('lays the event over the profile', () => {
    const view = buildView({
      ...given,
      event: identify({ traits: { email: 'new@example.com', plan: 'ouro' } }),
      traits: { plan: 'prata', name: 'Maria' },
      identifiers: { email: 'old@example.com', phone: '+5511987654321' },
    })
    expect(view.traits).toEqual({ plan: 'ouro', name: 'Maria', email: 'new@example.com' })
    expect(view.identifiers).toEqual({ email: 'new@example.com', phone: '+5511987654321' })
  })

  it('takes the first identifier of a type, the most trusted one', () => {
    const event = track({
      name: 'Order Completed',
      identifiers: [
        { type: 'email', value: 'first@example.com' },
        { type: 'email', value: 'second@example.com' },
      ],
    })
    expect(buildView({ ...given, event }).identifiers.email).toBe('first@example.com')
  })

  it('keeps what the event says by itself apart from the profile', () => {
    const view = buildView({
      ...given,
      event: track({ name: 'Product Viewed', anonymousId: 'device-2', traits: { plan: 'ouro' } }),
      traits: { name: 'Maria' },
      identifiers: { userId: 'u-1', anonymousId: 'device-1' },
    })
    expect(view.event).toEqual({ traits: { plan: 'ouro' }, identifiers: { anonymousId: 'device-2' } })
    expect(view.identifiers).toEqual({ userId: 'u-1', anonymousId: 'device-2' })
  })

  it('stands on the rule and the decision when no event fired it', () => {
    expect(buildView({ ...given, rule: { id: 'carrinho', version: 2 } })).toEqual({
      type: 'track',
      name: 'carrinho',
      messageId: 'd1',
      occurredAt: '2026-11-24T12:00:00.000Z',
      properties: {},
      context: {},
      traits: {},
      identifiers: {},
      person: { id: 'p1' },
      delivery: { id: 'd1' },
      links: given.links,
      rule: { id: 'carrinho', version: 2 },
    })
  })
})
