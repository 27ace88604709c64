/** Computed traits and scores are told as they change, by an event or by time alone, under consent. */
import { expect, test } from 'vitest'
import { says, title, views } from '../testing/audience-world.ts'
import { DAY } from '../testing/pipeline-rig.ts'
import { onSqlite } from '../testing/state-contract.ts'

const many = { all: [{ count: { event: 'Product Viewed', window: 'P1D' }, op: 'gte' as const, value: 2 }] }
const measures = {
  computed: {
    seen: {
      title,
      purpose: 'email_marketing',
      count: { event: 'Product Viewed', window: 'P1D' },
      destinations: [{ destination: 'lists', as: 'vistos' }],
    },
    untold: { title, purpose: 'email_marketing', count: { event: 'Product Viewed', window: 'P1D' } },
  },
  scores: {
    interest: {
      title,
      purpose: 'email_marketing',
      destinations: ['lists'],
      calibration: title,
      scorecard: { max: 1, points: [{ if: many, points: 1 }] },
    },
  },
}
const email = 'ana@loja.example'

onSqlite('values at destinations', (open) => {
  test('the newest of all that a destination is told, once; and again when a window ends', async () => {
    const rig = await open({ measures })
    await rig.passOver()
    await says(rig, 'ana')
    await views(rig, 'ana')
    await views(rig, 'ana')
    await rig.deliver('lists')
    expect(rig.seen.map(({ json }) => json)).toEqual([{ email, traits: { vistos: 2, interest: 1 } }])
    // An event that changes no value tells nothing.
    await views(rig, 'ana', { name: 'Product Searched' })
    await rig.deliver('lists')
    expect(rig.seen).toHaveLength(1)
    rig.advance(2 * DAY)
    await rig.fire()
    await rig.deliver('lists')
    expect(rig.seen.at(-1)!.json).toEqual({ email, traits: { vistos: 0, interest: 0 } })
  })

  test('nothing after a withdrawal, also of what waited; all of it after a new grant', async () => {
    const rig = await open({ measures })
    await rig.passOver()
    await says(rig, 'ana')
    await views(rig, 'ana')
    await says(rig, 'ana', 'revoke')
    await rig.deliver('lists')
    rig.advance(2 * DAY)
    await rig.fire()
    await rig.deliver('lists')
    expect(rig.seen).toEqual([])
    await says(rig, 'ana')
    await rig.deliver('lists')
    expect(rig.seen.map(({ json }) => json)).toEqual([{ email, traits: { vistos: 0, interest: 0 } }])
  })
})
