import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { callLocal, type LocalServer, serveLocal, socketPath } from './local-socket.ts'
import type { Command } from './server/context.ts'

let dir: string
let server: LocalServer | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-sock-'))
})
afterEach(async () => {
  await server?.close()
  server = undefined
  rmSync(dir, { recursive: true, force: true })
})
const echo = async (command: Command) => ({ ok: true as const, value: command })

test('a command goes to the hub as the command line and its answer comes back', async () => {
  server = await serveLocal(socketPath(dir), echo)
  expect(await callLocal(socketPath(dir), { name: 'redrive', args: { source: 'são paulo' } })).toEqual({
    ok: true,
    value: { name: 'redrive', args: { source: 'são paulo' }, actor: 'cli' },
  })
  expect(statSync(socketPath(dir)).mode & 0o777).toBe(0o600)
})

test('nobody listening is undefined, not an error', async () => {
  expect(await callLocal(socketPath(dir), { name: 'x', args: {} })).toBeUndefined()
})

test('a handler that throws answers without the message', async () => {
  server = await serveLocal(socketPath(dir), async () => {
    throw new TypeError('ana@example.com')
  })
  const result = await callLocal(socketPath(dir), { name: 'x', args: {} })
  expect(result).toMatchObject({ ok: false, code: 'FAILED' })
  expect(JSON.stringify(result)).not.toContain('ana@')
})

test('more than 1 MB is refused', async () => {
  server = await serveLocal(socketPath(dir), echo)
  expect(await callLocal(socketPath(dir), { name: 'x', args: { text: 'x'.repeat(1024 * 1024) } })).toMatchObject({
    ok: false,
    code: 'INVALID',
  })
})

test('a second hub is refused, a dead socket is taken over', async () => {
  server = await serveLocal(socketPath(dir), echo)
  await expect(serveLocal(socketPath(dir), echo)).rejects.toThrow(/another hub is running/)
  await server.close()
  writeFileSync(socketPath(dir), '')
  server = await serveLocal(socketPath(dir), echo)
  expect(await callLocal(socketPath(dir), { name: 'x', args: {} })).toMatchObject({ ok: true })
})

test('a data directory with a very long path works too', async () => {
  const deep = join(dir, 'a'.repeat(120))
  mkdirSync(deep)
  server = await serveLocal(socketPath(deep), echo)
  expect(await callLocal(socketPath(deep), { name: 'x', args: {} })).toMatchObject({ ok: true })
})

test('something else behind the socket is an error', async () => {
  const other = createServer((socket) => socket.resume().end('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc'))
  await new Promise<void>((resolve) => other.listen(socketPath(dir), resolve))
  await expect(callLocal(socketPath(dir), { name: 'x', args: {} })).rejects.toThrow(/not a hub/)
  await new Promise((resolve) => other.close(resolve))
})
