/** Rules of every kind decide in a replay what they decided live, and people end as they are: in both stores. */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { cases, patience } from '../testing/effort.ts'
import { Rig } from '../testing/pipeline-rig.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { replaysAfterSeparation, replaysAsLived, replaysAsOnTime } from '../testing/replay-property.ts'

test(
  'a replay decides what was decided, and ends with the people there are',
  () => replaysAsLived(cases(4), Rig.open),
  patience(60_000),
)

test('the same from when people were taken apart', () => replaysAfterSeparation(cases(2), Rig.open), patience(60_000))

test(
  'of a hub that is never late the ideal clock tells the same',
  () => replaysAsOnTime(cases(2), Rig.open),
  patience(60_000),
)

describe('on PostgreSQL', () => {
  let server: TestPostgres
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  test(
    'the same',
    () => replaysAsLived(cases(2), async (options) => Rig.open({ ...options, postgres: await server.url() })),
    patience(60_000),
  )
})
