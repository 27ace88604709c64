/** What makes definitions others: their meaning, and not their words. */
import { expect, test } from 'vitest'
import type { ComputedConfig } from '../../schemas/audience.ts'
import { title, VIEWERS } from '../testing/audience-world.ts'
import { onSqlite } from '../testing/state-contract.ts'
import { compileMeasures } from './set.ts'

const spent: ComputedConfig = {
  title,
  purpose: 'email_marketing',
  sum: { event: 'Order Completed', property: 'total', window: 'P90D' },
}
const score = {
  title,
  purpose: 'email_marketing',
  calibration: title,
  scorecard: { max: 1, points: [{ if: VIEWERS.who, points: 1 }] },
}
const all = { audiences: { viewers: VIEWERS }, computed: { spent }, scores: { score } }
const { hash } = compileMeasures(all)

test('other words or another order of fields are the same definitions; anything else is not', () => {
  const words = { pt: 'outro', en: 'other' }
  const said = {
    scores: { score: { ...score, title: words, calibration: words } },
    computed: { spent: { ...spent, title: words } },
    audiences: { viewers: { ...VIEWERS, title: words, description: words } },
  }
  expect(compileMeasures(said).hash).toBe(hash)
  expect(compileMeasures(said).computed[0]!.hash).toBe(compileMeasures(all).computed[0]!.hash)
  const { title: mine, ...rest } = VIEWERS
  const turned = { ...Object.fromEntries(Object.entries(rest).reverse()), title: mine } as typeof VIEWERS
  expect(compileMeasures({ ...all, audiences: { viewers: turned } }).hash).toBe(hash)
  for (const other of [
    { ...all, audiences: { seers: VIEWERS } },
    { ...all, audiences: { viewers: { ...VIEWERS, stay: 'P1D' } } },
    { ...all, audiences: { viewers: { ...VIEWERS, destinations: [] } } },
    { ...all, computed: { spent: { ...spent, sum: { ...spent.sum!, window: 'P30D' } } } },
    { ...all, scores: { score: { ...score, scorecard: { ...score.scorecard, max: 2 } } } },
  ])
    expect(compileMeasures(other).hash).not.toBe(hash)
})

onSqlite('definitions', (open) => {
  test('a new title goes through nobody', async () => {
    const rig = await open({ measures: all })
    await rig.passOver()
    const passes = () => rig.state.db.selectFrom('audience_passes').selectAll().execute()
    expect(await passes()).toHaveLength(1)
    await rig.restart({ measures: { ...all, audiences: { viewers: { ...VIEWERS, title: { pt: 'y', en: 'y' } } } } })
    expect(await rig.passOver()).toEqual([])
    expect(await passes()).toHaveLength(1)
    await rig.restart({ measures: { ...all, audiences: { viewers: { ...VIEWERS, stay: 'P1D' } } } })
    await rig.passOver()
    expect(await passes()).toHaveLength(2)
  })
})
