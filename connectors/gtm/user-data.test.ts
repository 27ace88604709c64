import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { eventsOf, rawRequest } from '../../core/testing/source-contract.ts'
import gtm from './source.ts'

const hit = (query: string) =>
  rawRequest({ method: 'GET', path: '/g/collect', query: Object.fromEntries(new URLSearchParams(query)) })
const one = (request: ReturnType<typeof hit>) => {
  const events = eventsOf(gtm.normalize(request, { measurementId: 'G-ABC123' }))
  expect(events).toHaveLength(1)
  return events[0]!
}

describe('identity', () => {
  it('keeps hashes beside the event and never as identifiers', () => {
    const hash = createHash('sha256').update('ana@example.com').digest()
    const event = one(
      hit(
        `v=2&tid=G-ABC123&cid=11.22&en=login&em=${encodeURIComponent(`tv.1~em.${hash.toString('base64url')}`)}&ep.user_data.sha256_phone_number=ff00`,
      ),
    )
    expect(event.identifiers).toEqual([{ type: 'ga_client_id', value: '11.22' }])
    expect(event.context?.['userData']).toEqual({
      sha256_email_address: hash.toString('hex'),
      sha256_phone_number: 'ff00',
    })
    expect(event.properties).toEqual({})
  })

  it('reads contact data given in the clear', () => {
    const event = one(
      rawRequest({
        method: 'POST',
        path: '/in/gtm',
        body: {
          event: 'sign_up',
          user_data: {
            email: 'ana@example.com',
            phone_number: '+5511987654321',
            address: { first_name: 'Ana', city: 'Recife', sha256_last_name: 'aa' },
          },
        },
      }),
    )
    expect(event.identifiers).toEqual([
      { type: 'email', value: 'ana@example.com' },
      { type: 'phone', value: '+5511987654321' },
    ])
    expect(event.traits).toEqual({
      email: 'ana@example.com',
      phone: '+5511987654321',
      firstName: 'Ana',
      address: { city: 'Recife' },
    })
    expect(event.context).toEqual({ userData: { address: { sha256_last_name: 'aa' } } })
  })
})
