/** Everything `anuente new` can write: taken by the compiler and green in its contract suite. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUTHS } from './new/credentials.ts'

const root = join(import.meta.dirname, '..')
const bin = join(root, 'node_modules', '.bin')
let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-all-'))
  copyFileSync(join(root, 'package.json'), join(dir, 'package.json'))
  for (const folder of ['core', 'consent', 'schemas', 'node_modules'])
    symlinkSync(join(root, folder), join(dir, folder))
  for (const auth of AUTHS)
    for (const direction of auth === 'none' ? ['destination'] : ['destination', 'source']) {
      const args = ['new', direction, `${direction[0]}-${auth}`, '--auth', auth]
      expect(spawnSync(process.execPath, [join(root, 'cli', 'main.ts'), ...args], { cwd: dir }).status).toBe(0)
    }
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('compiles under the settings of the hub', () => {
  const config = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as Record<string, unknown>
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ ...config, include: ['connectors'], exclude: [] }))
  const { stdout, status } = spawnSync(join(bin, 'tsc'), ['-p', 'tsconfig.json'], { cwd: dir, encoding: 'utf8' })
  expect(stdout).toBe('')
  expect(status).toBe(0)
})

test('passes every check of the contract', () => {
  const { stdout, status } = spawnSync(join(bin, 'vitest'), ['run', '--root', 'connectors', '--no-isolate'], {
    cwd: dir,
    encoding: 'utf8',
  })
  expect(stdout).toMatch(/Test Files .*9 passed/)
  expect(status).toBe(0)
})
