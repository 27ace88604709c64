/** History given again leads to what it led to the first time: the same decisions, the same people. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cases, patience } from '../testing/effort.ts'
import { Rig } from '../testing/pipeline-rig.ts'
import { histories } from './history.ts'
import { type ReplayedTurn, replayPerson } from './person.ts'
import { LIFE_RULES, life, live } from './random-history.fixture.ts'

/** Everything the replay of a rig decides, and the people it ends with. */
async function replayed(rig: Rig) {
  const explanations: unknown[] = []
  const latest = new Map<string, unknown>()
  const profiles: Record<string, unknown> = {}
  const watch = ({ batch }: ReplayedTurn) => {
    for (const [id, person_id, rule, version, event_id, at, result, body] of batch.rows.explanations)
      explanations.push({ id, person_id, rule, version, event_id, at, result, body })
    for (const [person_id, rule, at, result, body] of batch.rows.latest.values())
      latest.set(`${person_id} ${rule}`, { person_id, rule, at, result, body })
  }
  const ports = { state: rig.state, keys: rig.keys, now: rig.now }
  for await (const history of histories(rig.now, ports)) {
    const { people } = replayPerson(history, {
      settings: rig.processPorts.settings,
      keys: rig.keys,
      clock: 'noted',
      until: rig.now,
      watch,
    })
    for (const { id, profile } of people) profiles[id] = profile
  }
  return { explanations, latest, profiles }
}

/** The same of the live one. */
async function lived(rig: Rig) {
  const { db } = rig.state
  const people = await db.selectFrom('persons').selectAll().execute()
  const explanations = await db.selectFrom('explanations').selectAll().execute()
  const profiles: Record<string, unknown> = {}
  for (const { id, profile, merged_into } of people) if (merged_into === null) profiles[id] = JSON.parse(profile)
  return { explanations, profiles, moved: new Map(people.map(({ id, merged_into }) => [id, merged_into ?? id])) }
}

const now = (rows: unknown[], moved: ReadonlyMap<string, string>) =>
  (rows as { id: string; person_id: string }[])
    .map((row) => ({ ...row, person_id: moved.get(row.person_id) ?? row.person_id }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))

async function expectTheSame(rig: Rig): Promise<void> {
  const [was, is] = [await lived(rig), await replayed(rig)]
  expect(now(is.explanations, was.moved)).toEqual(now(was.explanations, was.moved))
  expect(is.profiles).toEqual(was.profiles)
}

test(
  'a replay decides what was decided, and ends with the people there are',
  async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(life, async (happenings) => {
        const rig = await Rig.open({ rules: LIFE_RULES, globalHoldout: 0.1 })
        try {
          await live(happenings, rig, `h${++run}`)
          await expectTheSame(rig)
        } finally {
          await rig.close()
        }
      }),
      { numRuns: cases(12) },
    )
  },
  patience(60_000),
)
