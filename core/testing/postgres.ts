/**
 * A real PostgreSQL for tests: one server in a temporary folder, a fresh database for whoever asks.
 * ANUENTE_TEST_POSTGRES_URL names a server that already runs; its user must be allowed to create databases.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openState, sql } from '../stores/open.ts'

export interface TestPostgres {
  /** A new database with the tables of the state and nothing in them. */
  url(): Promise<string>
  stop(): Promise<void>
}

const INSTALLED = '/usr/lib/postgresql'
const START_MS = 30_000
const run = promisify(execFile)

/** @throws with what to install when there is no PostgreSQL: nothing is skipped. */
export async function startPostgres(environment: NodeJS.ProcessEnv = process.env): Promise<TestPostgres> {
  const given = environment['ANUENTE_TEST_POSTGRES_URL']
  if (given) return databasesOf(given, async () => {})

  const bin = newestBin()
  const owner = await serverOwner()
  const folder = mkdtempSync(join(tmpdir(), 'anuente-postgres-'))
  if (owner) await run('chown', [`${owner.uid}:${owner.gid}`, folder])
  chmodSync(folder, 0o700)
  const data = join(folder, 'data')
  const as = { cwd: folder, env: { PATH: `${bin}:/usr/bin:/bin`, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' }, ...owner }
  let server: ChildProcess | undefined
  const stop = async () => {
    if (server && server.exitCode === null && server.signalCode === null) {
      const ended = new Promise((resolve) => server!.once('exit', resolve))
      // Immediate shutdown: the data is thrown away.
      server.kill('SIGQUIT')
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await run(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], as)
    const port = await freePort()
    // Durability is the server's business and costs tests minutes; the tables live only as long as this process.
    const settings = [
      'fsync=off',
      'synchronous_commit=off',
      'full_page_writes=off',
      'listen_addresses=127.0.0.1',
      `unix_socket_directories=${folder}`,
      'max_connections=100',
    ]
    server = spawn(
      join(bin, 'postgres'),
      ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
      { ...as, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    await answering(url, server)
    return databasesOf(url, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

function databasesOf(server: string, stop: () => Promise<void>): TestPostgres {
  const address = (name: string) => {
    const url = new URL(server)
    url.pathname = `/${name}`
    return url.href
  }
  const create = async (more: string) => {
    const name = `anuente_test_${randomBytes(6).toString('hex')}`
    const admin = await openState({ file: '', postgres: server }, { migrate: false })
    try {
      await sql.raw(`create database ${name} ${more}`).execute(admin.db)
    } finally {
      await admin.close()
    }
    return name
  }
  // The tables are made once and copied: that costs a third of making them for every test.
  let template: Promise<string> | undefined
  const migrated = async () => {
    const name = await create('')
    await (await openState({ file: '', postgres: address(name) })).close()
    return name
  }
  return {
    async url() {
      template ??= migrated()
      return address(await create(`template ${await template} strategy file_copy`))
    },
    stop,
  }
}

function newestBin(): string {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED).filter((version) => /^\d+$/.test(version)) : []
  const newest = versions
    .sort((a, b) => Number(b) - Number(a))
    .find((version) => existsSync(join(INSTALLED, version, 'bin', 'initdb')))
  if (newest === undefined || Number(newest) < 15)
    throw new Error(
      'These tests need PostgreSQL 15 or newer. Install it (Debian, Ubuntu: apt-get install postgresql), or name a running server: ANUENTE_TEST_POSTGRES_URL=postgres://user:password@host:5432/postgres',
    )
  return join(INSTALLED, newest, 'bin')
}

/** PostgreSQL refuses to run as root: then it runs as the system user its package made. */
async function serverOwner(): Promise<{ uid: number; gid: number } | undefined> {
  if (userInfo().uid !== 0) return undefined
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout.trim())
  try {
    return { uid: await id('-u'), gid: await id('-g') }
  } catch {
    throw new Error(
      'PostgreSQL does not run as root and there is no system user "postgres". Create it: useradd --system postgres',
    )
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}

async function answering(url: string, server: ChildProcess): Promise<void> {
  let said = ''
  server.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-4000)
  })
  const until = Date.now() + START_MS
  for (;;) {
    if (server.exitCode !== null) throw new Error(`PostgreSQL ended while starting:\n${said}`)
    const admin = await openState({ file: '', postgres: url }, { migrate: false })
    try {
      await sql`select 1`.execute(admin.db)
      return
    } catch (error) {
      if (Date.now() > until)
        throw new Error(`PostgreSQL did not answer within ${START_MS / 1000} s:\n${said}`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 100))
    } finally {
      await admin.close()
    }
  }
}
