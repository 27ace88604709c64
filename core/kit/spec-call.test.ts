import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Outcome } from './define.ts'
import {
  audienceCall,
  forwardedCall,
  type NoCall,
  outcomeCall,
  type SpecCall,
  sendCalls,
  traitsCall,
} from './spec-call.ts'

const delivery = { id: 'd-1', key: 'k-1' }
const occurredAt = '2026-11-24T11:59:30.000Z'
const event = { type: 'track' as const, name: 'Clicked', messageId: 'm-1', occurredAt }

describe('a call that cannot be made', () => {
  it.each([
    ['nobody', event, 'neither a userId nor an anonymousId'],
    ['a track without a name', { ...event, userId: 'u', name: '' }, 'track needs an event name'],
    ['a group without an id', { ...event, type: 'group' as const, userId: 'u' }, 'group needs a groupId'],
    [
      'a group with an empty id',
      { ...event, type: 'group' as const, userId: 'u', properties: { groupId: '' } },
      'group needs a groupId',
    ],
    [
      'an alias of nobody',
      { ...event, type: 'alias' as const, userId: 'u' },
      'alias needs a userId and the id it replaces',
    ],
    [
      'an alias whose user only the profile knows',
      { ...event, type: 'alias' as const, knownUserId: 'u', previousId: 'a' },
      'alias needs a userId and the id it replaces',
    ],
  ])('%s', (_, payload, reason) => {
    expect(forwardedCall({ payload, delivery }, {})).toEqual({ reason })
  })

  it('nobody to tell an audience, traits or an outcome about', () => {
    const reason = 'neither a userId nor an anonymousId'
    expect(audienceCall({ payload: { occurredAt, audience: 'vip', member: true }, delivery }, {})).toEqual({ reason })
    expect(traitsCall({ payload: { occurredAt, traits: { plan: 'ouro' } }, delivery }, {})).toEqual({ reason })
    expect(outcomeCall({ payload: { occurredAt, outcome: 'delivery' }, delivery }, {})).toEqual({ reason })
  })
})

describe('consent in a forwarded event', () => {
  it('is that of the ledger in every case, never what the sender wrote', () => {
    const context = fc.dictionary(
      fc.constantFrom('consent', 'consentManagement', 'anuente_delivery_id', 'ip', 'page'),
      fc.jsonValue({ maxDepth: 2 }),
    )
    const ledger = fc.constantFrom({}, { consent: { categoryPreferences: { Ads: false } } })
    fc.assert(
      fc.property(context, ledger, (received, stated) => {
        const call = forwardedCall({ payload: { ...event, userId: 'u', context: received }, delivery }, stated)
        if ('reason' in call) throw new Error(call.reason)
        const { consent, consentManagement, anuente_delivery_id } = call.context
        expect({ consent, consentManagement, anuente_delivery_id }).toEqual({
          consent: undefined,
          consentManagement: undefined,
          ...stated,
          anuente_delivery_id: 'd-1',
        })
      }),
    )
  })
})

describe('sending calls', () => {
  it('gives each its own outcome, whichever cannot be made', async () => {
    const call = (position: number, text = ''): SpecCall => ({
      type: 'track',
      messageId: `m-${position}`,
      timestamp: occurredAt,
      who: { userId: 'u' },
      event: 'Clicked',
      properties: { text },
      context: {},
    })
    const kinds = fc.array(fc.constantFrom('good', 'none', 'large'), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(kinds, async (given) => {
        const calls = given.map((kind, position): SpecCall | NoCall =>
          kind === 'none' ? { reason: 'none' } : call(position, kind === 'large' ? 'ç'.repeat(16_500) : ''),
        )
        const requests: number[] = []
        const outcomes = await sendCalls(calls, async (sent): Promise<Outcome[]> => {
          requests.push(sent.length)
          return sent.map(({ messageId }) => ({ status: 'delivered', answer: messageId }))
        })
        expect(outcomes).toEqual(
          given.map((kind, position) =>
            kind === 'good'
              ? { status: 'delivered', answer: `m-${position}` }
              : { status: 'rejected', reason: kind === 'none' ? 'none' : 'the event is larger than 32 KB' },
          ),
        )
        const good = given.filter((kind) => kind === 'good').length
        expect(requests).toEqual(good > 0 ? [good] : [])
      }),
    )
  })
})
