/** One suite, both databases: what holds on SQLite holds on PostgreSQL. */
import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import { Rig, type RigOptions } from './pipeline-rig.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'

/** Opens a rig that is closed after the test. */
export type OpenRig = (options?: Omit<RigOptions, 'postgres'>) => Promise<Rig>

/** For what a database cannot make different: the suite runs on SQLite alone. */
export function onSqlite(title: string, suite: (open: OpenRig) => void): void {
  describe(title, () => openers(suite, async () => undefined))
}

/** @param suite runs once per database with its own way to open a rig. */
export function onBothDatabases(title: string, suite: (open: OpenRig) => void): void {
  onSqlite(`${title}, on SQLite`, suite)
  describe(`${title}, on PostgreSQL`, () => {
    let server: TestPostgres
    beforeAll(async () => {
      server = await startPostgres()
    })
    afterAll(() => server.stop())
    openers(suite, () => server.url())
  })
}

function openers(suite: (open: OpenRig) => void, place: () => Promise<string | undefined>): void {
  const rigs: Rig[] = []
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.close()
  })
  suite(async (options = {}) => {
    const rig = await Rig.open({ ...options, postgres: await place() })
    rigs.push(rig)
    return rig
  })
}
