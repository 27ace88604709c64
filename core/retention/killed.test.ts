/** Retention killed at any moment: the next process goes on, nothing is counted twice, the evidence covers all of it. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Config } from '../../schemas/config.ts'
import type { RetentionPlan } from '../../schemas/retention.ts'
import { createKeys } from '../keys.ts'
import { insertMany, openState, type StateStore } from '../stores/open.ts'
import { retentionCommands } from './commands.ts'

const ROWS = 400
const KILLS = 3
const NOW = Date.parse('2026-11-24T12:00:00Z')
const config: Config = { organization: { name: 'Loja Exemplo' }, sources: {}, purposes: {} }

test('a run that was killed again and again ends with every row once in its evidence', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'anuente-killed-'))
  const file = join(dir, 'state.db')
  const master = randomBytes(32)
  const state = await openState({ file })
  await insertMany(
    state.db,
    state.dialect,
    'access_log',
    ['id', 'at', 'actor', 'act', 'target'],
    Array.from({ length: ROWS }, (_, n) => [`row${n}`, NOW - 300 * 86_400_000 + n, 'u1', 'reveal.person', 'p']),
  )
  const commands = retentionCommands(config, createKeys(master))
  const run = <T>(name: string, args: Record<string, unknown> = {}) =>
    state.transaction((trx) =>
      commands[name]!(args, {
        state: { ...state, db: trx as unknown as StateStore['db'] },
        actor: 'officer',
        now: NOW,
      }),
    ) as Promise<T>
  const plan = await run<RetentionPlan>('retentionPlan')
  await run('retentionApprove', { hash: plan.hash, policies: ['access_log/*/occurred'] })
  const left = async () =>
    Number(
      (
        await state.db
          .selectFrom('access_log')
          .select((eb) => eb.fn.countAll().as('n'))
          .where('act', '=', 'reveal.person')
          .executeTakeFirstOrThrow()
      ).n,
    )

  const work = () =>
    spawn(
      process.execPath,
      [fileURLToPath(new URL('./killed.fixture.ts', import.meta.url)), file, master.toString('hex'), String(NOW)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await left()
    const child = work()
    await once(child.stdout!, 'data')
    // Somewhere in the middle: as soon as it has got further.
    while ((await left()) === before && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 1))
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  const last = work()
  await once(last, 'close')
  expect(last.exitCode).toBe(0)
  expect(await left()).toBe(0)
  const runs = await state.db.selectFrom('retention_runs').selectAll().execute()
  expect(runs).toMatchObject([{ state: 'done', due: ROWS, done: ROWS, remaining: 0 }])
  const entries = (await state.db.selectFrom('ledger_pending').select('public').execute())
    .map(({ public: text }) => JSON.parse(text) as { type: string })
    .filter(({ type }) => type === 'retention.run')
  expect(entries).toMatchObject([{ rows: ROWS, root: runs[0]!.root }])
  await state.close()
  rmSync(dir, { recursive: true })
})
