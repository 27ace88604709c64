/** Computed traits and scores are told as they change, by an event or by time alone, under consent. */
import { expect, test } from 'vitest'
import { says, times, title, views } from '../testing/audience-world.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify } from '../testing/events.ts'
import { DAY } from '../testing/pipeline-rig.ts'
import { onSqlite } from '../testing/state-contract.ts'
import { startPass } from './passes.ts'

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

  test('telling again reaches what was refused and who was never told; with everything, everybody', async () => {
    const rig = await open({ measures })
    await rig.passOver()
    await says(rig, 'ana')
    await says(rig, 'bia')
    rig.answer = ({ json }) => ({ status: (json as { email: string }).email.startsWith('ana') ? 422 : 200 })
    await views(rig, 'ana')
    await views(rig, 'bia')
    await rig.deliver('lists')
    rig.answer = () => ({ status: 200 })
    const sync = async (kind: 'sync' | 'sync:full') => {
      rig.seen.length = 0
      rig.advance(1)
      await startPass({ kind, audience: null, hash: '' }, rig.state.db, rig.now)
      await rig.passOver()
      await rig.deliver('lists')
      return rig.sent('email').sort()
    }
    expect(await sync('sync')).toEqual([email])
    expect(rig.seen[0]!.json).toMatchObject({ traits: { vistos: 1 } })
    expect(await sync('sync')).toEqual([])
    expect(await sync('sync:full')).toEqual([email, 'bia@loja.example'])
    await says(rig, 'ana', 'revoke')
    await rig.deliver('lists')
    expect(await sync('sync:full')).toEqual(['bia@loja.example'])
    // Where the pass had come to names nobody once it is done.
    const passes = await rig.state.db.selectFrom('audience_passes').select('after_person').execute()
    expect(new Set(passes.map(({ after_person }) => after_person))).toEqual(new Set(['']))
  })

  test('a destination that is named later, or an address that comes later, needs no change of the value', async () => {
    const { seen, untold } = measures.computed
    const rig = await open({ measures: { computed: { seen: untold } } })
    await rig.passOver()
    await says(rig, 'ana')
    await views(rig, 'ana')
    await rig.deliver('lists')
    expect(rig.seen).toEqual([])
    await rig.restart({ measures: { computed: { seen } } })
    await rig.passOver()
    await rig.deliver('lists')
    expect(rig.seen.map(({ json }) => json)).toEqual([{ email, traits: { vistos: 1 } }])
    const consent = [signal('email_marketing', 'grant', rig.at())]
    await rig.take(identify({ userId: 'bia', ...times(rig), consent }))
    await views(rig, 'bia')
    await rig.deliver('lists')
    expect(rig.seen).toHaveLength(1)
    await rig.take(identify({ userId: 'bia', traits: { email: 'bia@loja.example' }, ...times(rig) }))
    await rig.deliver('lists')
    expect(rig.seen.at(-1)!.json).toEqual({ email: 'bia@loja.example', traits: { vistos: 1 } })
  })
})
