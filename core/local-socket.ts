/**
 * How a command line on the same machine reaches the running hub: HTTP over a socket file beside
 * the data, which only the hub's own user may open. `POST /command {name, args}`.
 */
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { ConfigError } from './kit/errors.ts'
import type { Command, CommandResult } from './server/context.ts'

const MAX_BYTES = 1024 * 1024
/** Longest path a socket may have on every system we run on (macOS: 104 with the final zero). */
const MAX_PATH = 100

export const socketPath = (dataDir: string): string => join(dataDir, 'hub.sock')

export interface LocalServer {
  close(): Promise<void>
}

/** @throws ConfigError when another hub answers there already. */
export async function serveLocal(
  path: string,
  handler: (command: Command) => Promise<CommandResult>,
): Promise<LocalServer> {
  const address = addressOf(path)
  const server = createServer(async (incoming, outgoing) => {
    const answer = (status: number, result: CommandResult) =>
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(result))
    if (incoming.method !== 'POST' || incoming.url !== '/command')
      return answer(404, { ok: false, code: 'NOT_FOUND', message: 'only POST /command' })
    try {
      const command = JSON.parse(await readAll(incoming)) as { name?: unknown; args?: unknown }
      if (
        typeof command.name !== 'string' ||
        (command.args !== undefined && (command.args === null || typeof command.args !== 'object'))
      )
        return answer(400, { ok: false, code: 'INVALID', message: 'a command is {name, args}' })
      answer(200, await handler({ name: command.name, args: (command.args ?? {}) as Command['args'], actor: 'cli' }))
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof RangeError)
        return answer(400, { ok: false, code: 'INVALID', message: 'a command is {name, args} in at most 1 MB of JSON' })
      answer(500, {
        ok: false,
        code: 'FAILED',
        message: `the command failed (${error instanceof Error ? error.name : typeof error}); see the log of the hub`,
      })
    }
  })
  // Commands such as a re-drive of thousands take as long as they take.
  server.requestTimeout = 0
  server.timeout = 0
  if (process.platform !== 'win32') {
    mkdirSync(dirname(address), { recursive: true, mode: 0o700 })
    if (await answers(address))
      throw new ConfigError(
        `another hub is running on ${dirname(path)}. Stop it, or give this one another storage.dir.`,
        '/storage/dir',
      )
    // Left behind by a hub that was killed.
    rmSync(address, { force: true })
  }
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(address, done)
  })
  if (process.platform !== 'win32') chmodSync(address, 0o600)
  return {
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeIdleConnections()
      }),
  }
}

/** @returns the hub's answer; undefined when no hub listens there. */
export function callLocal(path: string, command: Omit<Command, 'actor'>): Promise<CommandResult | undefined> {
  return new Promise((done, fail) => {
    const body = JSON.stringify({ name: command.name, args: command.args })
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const call = request(
      { socketPath: addressOf(path), method: 'POST', path: '/command', headers, agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', fail)
        response.on('end', () => {
          try {
            done(JSON.parse(text) as CommandResult)
          } catch {
            fail(new Error('what listens on the socket is not a hub'))
          }
        })
      },
    )
    call.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') done(undefined)
      else if (error.code === 'EACCES')
        fail(new Error('the hub belongs to another user: run this command as that user'))
      else fail(new Error(`the running hub did not answer (${error.code})`))
    })
    call.end(body)
  })
}

/** Windows has named pipes instead of socket files; very long paths get a short name in the temporary folder. */
function addressOf(path: string): string {
  const full = resolve(path)
  const name = () => `anuente-${createHash('sha256').update(full).digest('hex').slice(0, 24)}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name()}`
  return Buffer.byteLength(full) <= MAX_PATH ? full : join(tmpdir(), `anuente-${userInfo().uid}`, name())
}

function answers(address: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(address)
    socket.once('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(false))
  })
}

async function readAll(incoming: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming) {
    size += chunk.length
    if (size > MAX_BYTES) throw new RangeError('too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
