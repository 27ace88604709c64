/** What destinations were told of members who left is forgotten with the stay, once the destination confirmed it. */
import { expect, test } from 'vitest'
import { dueQuery } from '../retention/due.ts'
import { eraseRows } from '../retention/erase.ts'
import { measures, says, views } from '../testing/audience-world.ts'
import { DAY } from '../testing/pipeline-rig.ts'
import { onSqlite } from '../testing/state-contract.ts'

onSqlite('retention of audiences', (open) => {
  test('a row of somebody who left is due once the vendor took them out, and no sooner', async () => {
    const rig = await open({ measures })
    await rig.passOver()
    for (const who of ['ana', 'bia']) {
      await says(rig, who)
      await views(rig, who)
    }
    await rig.deliver('lists')
    rig.answer = ({ json }) => ({ status: (json as { email: string }).email.startsWith('bia') ? 422 : 200 })
    rig.advance(2 * DAY)
    await rig.fire()
    await rig.deliver('lists')
    rig.advance(40 * DAY)
    const { db } = rig.state
    const resolved = { policy: { class: 'audiences', period: 'P30D' } } as never
    const due = await dueQuery(resolved, { ...rig.state, asOf: rig.now } as never)
    const ids = (await due!.execute(db)).rows.map(({ id }) => id)
    expect(ids.filter((id) => id.startsWith('push '))).toHaveLength(1)
    expect(ids).toHaveLength(3)
    await eraseRows('audiences', ids, rig.now, { db, keys: rig.keys })
    expect(await rig.rows('audience_stays')).toBe(0)
    const bia = await rig.person('userId', 'bia')
    expect(await db.selectFrom('audience_pushes').select('person_id').execute()).toEqual([{ person_id: bia!.id }])
  })
})
