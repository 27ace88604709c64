/** Many more lives than `npm test` has time for, in both stores. */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { cases, patience } from '../testing/effort.ts'
import { Rig } from '../testing/pipeline-rig.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { replaysAfterSeparation, replaysAsLived, replaysAsOnTime } from '../testing/replay-property.ts'
import { leavesOutWhoWithdrew } from '../testing/withdrawal-property.ts'

test('a replay decides what was decided', () => replaysAsLived(cases(100), Rig.open), patience(120_000))

test('the same from when people were taken apart', () => replaysAfterSeparation(cases(60), Rig.open), patience(120_000))

test(
  'of a hub that is never late the ideal clock tells the same',
  () => replaysAsOnTime(cases(60), Rig.open),
  patience(120_000),
)

test('consent as of now and as of then', () => leavesOutWhoWithdrew(cases(30), Rig.open), patience(120_000))

describe('on PostgreSQL', () => {
  let server: TestPostgres
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  test(
    'the same',
    () => replaysAsLived(cases(20), async (options) => Rig.open({ ...options, postgres: await server.url() })),
    patience(120_000),
  )
})
