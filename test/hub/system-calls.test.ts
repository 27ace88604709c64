/**
 * The promise of a 200, seen from below: in a trace of the hub's system calls every answer to an ingest
 * is written to its socket after an fdatasync that covers the rows it is about.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { basic, makePlace, type Place, post, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

let vendor: Vendor
let place: Place
let traced: ChildProcess | undefined

afterEach(async () => {
  if (traced) process.kill(hubOf(traced), 'SIGKILL')
  await vendor?.close()
  place?.remove()
})

/** The hub is the only child of strace. */
const hubOf = ({ pid }: ChildProcess): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])

type Call =
  | { readonly kind: 'row' | 'sync' | 'answer' }
  /** Begun and not yet over: a sync counts from its end, a row from its beginning. */
  | undefined

/** What one line of the trace says of the log's file and of answers. */
function callOf(line: string, waiting: Map<string, string>): Call {
  const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
  const log = /log\.db-wal>/
  if (/^<\.\.\. fdatasync resumed|^<\.\.\. fsync resumed/.test(rest)) {
    const begun = waiting.get(thread) ?? ''
    waiting.delete(thread)
    return log.test(begun) && rest.endsWith('= 0') ? { kind: 'sync' } : undefined
  }
  if (/^f(data)?sync\(/.test(rest)) {
    if (rest.endsWith('<unfinished ...>')) waiting.set(thread, rest)
    else if (log.test(rest) && rest.endsWith('= 0')) return { kind: 'sync' }
    return undefined
  }
  if (/^pwrite64\(/.test(rest) && log.test(rest)) return { kind: 'row' }
  if (/^(write|writev|sendto|sendmsg)\(/.test(rest) && rest.includes('HTTP/1.1 200')) return { kind: 'answer' }
  return undefined
}

const everyAnswer = async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  const trace = join(place.dir, 'trace')
  const main = fileURLToPath(new URL('../../bin/anuente.js', import.meta.url))
  const calls = 'fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg'
  traced = spawn(
    'strace',
    [
      '-f',
      '--seccomp-bpf',
      '-qq',
      '-y',
      '-s',
      '32',
      '-e',
      `trace=${calls}`,
      '-o',
      trace,
      process.execPath,
      main,
    ].concat('serve', '--json', '--config', place.configFile),
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let errors = ''
  traced.stderr!.on('data', (text: Buffer) => {
    errors += text
  })
  await Promise.race([
    once(traced.stdout!, 'data'),
    once(traced, 'exit').then(() => {
      throw new Error(`the hub under strace ended: ${errors}`)
    }),
  ])
  const url = `http://127.0.0.1:${place.port}`
  const send = (id: string, marketing: boolean) =>
    post(
      `${url}/v1/track`,
      {
        event: 'Product Added',
        userId: id,
        messageId: id,
        timestamp: new Date().toISOString(),
        properties: { product_id: id, price: 10, quantity: 1 },
        context: { consent: { categoryPreferences: { Marketing: marketing, Analytics: true } } },
      },
      basic(WRITE_KEYS.site),
    )
  // One after the other: each has rows and a sync of its own. Every third one is a withdrawal, with its fence.
  const ALONE = 12
  for (let n = 0; n < ALONE; n++) expect(await send(`alone-${n}`, n % 3 > 0)).toBe(200)
  // At once: they share commits.
  const TOGETHER = 60
  const statuses = await Promise.all(Array.from({ length: TOGETHER }, (_, n) => send(`together-${n}`, n % 3 > 0)))
  expect(statuses.every((status) => status === 200)).toBe(true)
  const gone = once(traced, 'exit')
  process.kill(hubOf(traced), 'SIGTERM')
  await gone
  traced = undefined

  const waiting = new Map<string, string>()
  let unsynced = false
  let rows = 0
  let syncs = 0
  const answers: { readonly unsynced: boolean; readonly rows: number; readonly syncs: number }[] = []
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    const call = callOf(line, waiting)
    if (call?.kind === 'row') {
      rows += 1
      unsynced = true
    } else if (call?.kind === 'sync') {
      syncs += 1
      unsynced = false
    } else if (call?.kind === 'answer') {
      answers.push({ unsynced, rows, syncs })
      rows = 0
      syncs = 0
    }
  }
  expect(answers).toHaveLength(ALONE + TOGETHER)
  // Nothing of the log was still in memory when an answer left …
  expect(answers.filter(({ unsynced }) => unsynced)).toEqual([])
  // … and an answer that was asked for alone had written and synced since the one before it.
  expect(answers.slice(0, ALONE).filter(({ rows, syncs }) => rows === 0 || syncs === 0)).toEqual([])
}

if (process.platform === 'linux')
  test('every 200 is written to its socket after an fdatasync that covers its rows', everyAnswer)
else test('system calls are traced on Linux', () => expect(process.platform).not.toBe('linux'))
