/** What an erasure takes of computed traits, scores and audiences, for a purpose and as a whole. */
import { expect, test } from 'vitest'
import type { Config } from '../../schemas/config.ts'
import { says, title, VIEWERS, vendorList, views } from '../testing/audience-world.ts'
import { erasePerson } from '../testing/erase-person.ts'
import { type OpenRig, onSqlite } from '../testing/state-contract.ts'

const purpose = 'email_marketing'
const measures = {
  computed: { seen: { title, purpose, count: { event: 'Product Viewed' } } },
  scores: {
    interest: { title, purpose, calibration: title, scorecard: { max: 1, points: [{ if: VIEWERS.who, points: 1 }] } },
  },
  audiences: { viewers: VIEWERS },
} satisfies Pick<Config, 'audiences' | 'computed' | 'scores'>
const ANA = [{ type: 'userId' as const, value: 'ana' }]

onSqlite('erasing', (open: OpenRig) => {
  const member = async () => {
    const rig = await open({ measures })
    await says(rig, 'ana')
    await says(rig, 'bia')
    await views(rig, 'ana')
    await views(rig, 'bia')
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example', 'bia@loja.example'])
    rig.advance(1000)
    return rig
  }

  test('for a purpose: computed traits, scores, membership and stays are gone, and the list hears of it', async () => {
    const rig = await member()
    const before = (await rig.person('userId', 'ana'))!.profile
    expect([before.computed, before.scores, before.audiences].map((one) => Object.keys(one!))).toEqual([
      ['seen'],
      ['interest'],
      ['viewers'],
    ])
    await erasePerson(rig, ANA, measures, [purpose])
    const { profile } = (await rig.person('userId', 'ana'))!
    expect([profile.computed, profile.scores, profile.audiences]).toEqual([{}, {}, {}])
    const stays = await rig.state.db.selectFrom('audience_stays').select('person_id').execute()
    expect(stays).toEqual([{ person_id: (await rig.person('userId', 'bia'))!.id }])
    // No event of hers comes: time alone tells the destination.
    await rig.fire()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['bia@loja.example'])
  })

  test('for another purpose: nothing of these changes', async () => {
    const rig = await member()
    await erasePerson(rig, ANA, measures, ['analytics'])
    await rig.fire()
    await rig.deliver('lists')
    const { profile } = (await rig.person('userId', 'ana'))!
    expect(profile.computed!['seen']!.value).toBe(1)
    expect(Object.keys(profile.audiences!)).toEqual(['viewers'])
    expect(vendorList(rig)).toEqual(['ana@loja.example', 'bia@loja.example'])
    expect(await rig.rows('audience_stays')).toBe(2)
  })

  test('as a whole: no row of audiences names the person, and nobody tells a destination of them again', async () => {
    const rig = await member()
    const asked = rig.seen.length
    expect(await erasePerson(rig, ANA, measures)).toContain('ana@loja.example')
    expect([await rig.rows('audience_stays'), await rig.rows('audience_pushes')]).toEqual([1, 1])
    await rig.passOver()
    await rig.fire()
    await rig.deliver('lists')
    expect(rig.seen).toHaveLength(asked)
  })
})
