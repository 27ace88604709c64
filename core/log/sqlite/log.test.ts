/** The log on disk: durable when answered, gone once processed, and never confused with another. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createKeys, type Keys } from '../../keys.ts'
import { unseal } from '../../seal.ts'
import { track } from '../../testing/events.ts'
import type { Fence, LogRecord } from '../event-log.ts'
import { openLogReader, openLogWriter } from './log.ts'

let folder: string
let file: string
let keys: Keys
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anuente-log-'))
  file = join(folder, 'log.db')
  keys = createKeys(randomBytes(32))
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  rmSync(folder, { recursive: true, force: true })
})

const event = (messageId: string, fences: string[] = []): LogRecord => ({
  kind: 'event',
  event: track({ name: 'Product Viewed', messageId, userId: 'ana' }),
  fences,
})
const fence = (id: string, purposes: string[] = ['email_marketing'], value = 'ana'): Fence => ({
  id,
  purposes,
  identifiers: [keys.identifier('userId', value)],
  at: 1,
})
const none = new Set<string>()
/** Rows as they lie in the file. */
function rows<T>(query: string): T[] {
  const database = new Database(file, { readonly: true })
  try {
    return database.prepare(query).all() as T[]
  } finally {
    database.close()
  }
}
const ids = (found: readonly { record: LogRecord }[]) =>
  found.map(({ record }) => (record.kind === 'event' ? record.event.messageId : record.id))
/** The next group commit has happened. */
const committed = async (writer: { append(records: readonly LogRecord[], fences: readonly Fence[]): Promise<void> }) =>
  writer.append([], [])

test('an append resolves once another connection can read it, many in one commit', async () => {
  const writer = openLogWriter(file, keys)
  const reader = openLogReader(file, keys)
  const commits = () => rows<{ n: number }>('select count(*) as n from records')[0]!.n
  let answered = false
  const first = writer.append([event('a'), event('b')], []).then(() => {
    answered = true
  })
  expect(answered).toBe(false)
  expect(reader.read(0, 10)).toEqual([])
  await Promise.all([first, writer.append([event('c')], []), writer.append([event('d')], [])])
  expect(reader.read(0, 10).map(({ position }) => position)).toEqual([1, 2, 3, 4])
  expect(ids(reader.read(0, 10))).toEqual(['a', 'b', 'c', 'd'])
  // Three requests, one row: one seal and one sync for all of them.
  expect(commits()).toBe(1)
  expect(reader.end()).toBe(5)
  reader.close()
  writer.close()
})

test('reading goes on anywhere, also in the middle of a row, and across rows', async () => {
  const writer = openLogWriter(file, keys)
  await writer.append(
    Array.from({ length: 600 }, (_, n) => event(`m${n}`)),
    [],
  )
  await writer.append([event('last')], [])
  const reader = openLogReader(file, keys)
  expect(ids(reader.read(0, 3))).toEqual(['m0', 'm1', 'm2'])
  expect(ids(reader.read(300, 2))).toEqual(['m299', 'm300'])
  expect(ids(reader.read(599, 10))).toEqual(['m598', 'm599', 'last'])
  expect(reader.read(602, 10)).toEqual([])
  reader.close()
  writer.close()
})

test('no word of an event stands in the file', async () => {
  const writer = openLogWriter(file, keys)
  await writer.append(
    [
      {
        kind: 'event',
        event: track({ name: 'Product Viewed', traits: { email: 'maria.secreta@loja.example' } }),
        fences: [],
      },
    ],
    [],
  )
  writer.close()
  expect(readFileSync(file).includes('maria.secreta')).toBe(false)
})

test('positions are never used again, after purge and after reopening', async () => {
  let writer = openLogWriter(file, keys)
  const { logId } = writer
  await writer.append([event('a'), event('b'), event('c')], [])
  writer.committed(4, [])
  await committed(writer)
  expect(rows('select * from records')).toEqual([])
  writer.close()
  writer = openLogWriter(file, keys, { logId, position: 4, keptFences: none })
  await writer.append([event('d')], [])
  const reader = openLogReader(file, keys)
  expect(reader.read(0, 10).map(({ position }) => position)).toEqual([4])
  reader.close()
  writer.close()
})

test('what is not committed stays, whatever its age', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 2, 10) })
  const writer = openLogWriter(file, keys)
  const { logId } = writer
  await writer.append([event('old')], [])
  vi.setSystemTime(Date.UTC(2026, 5, 10))
  await writer.append([event('new')], [])
  writer.committed(1, [])
  await committed(writer)
  writer.close()
  const again = openLogWriter(file, keys, { logId, position: 1, keptFences: none })
  const reader = openLogReader(file, keys)
  expect(ids(reader.read(1, 10))).toEqual(['old', 'new'])
  reader.close()
  again.close()
})

test('a segment’s key is destroyed as soon as processing has passed it: an old copy of the file opens no more', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 2, 10) })
  const writer = openLogWriter(file, keys)
  await writer.append([event('a')], [])
  const [copy] = rows<{ sealed: Buffer; wrapped: Buffer }>(
    'select r.sealed, s.wrapped from records r join segments s on s.id = r.segment',
  )
  expect(unseal(keys.unwrap(copy!.wrapped), copy!.sealed).toString()).toContain('Product Viewed')
  vi.setSystemTime(Date.UTC(2026, 2, 10, 0, 5))
  await writer.append([event('b')], [])
  const keysOnDisk = () => rows<{ wrapped: Buffer }>('select wrapped from segments').map(({ wrapped }) => wrapped)
  expect(keysOnDisk()).toHaveLength(2)
  writer.committed(2, [])
  await committed(writer)
  const left = keysOnDisk()
  expect(left).toHaveLength(1)
  expect(left[0]!.equals(copy!.wrapped)).toBe(false)
  expect(() => unseal(keys.unwrap(left[0]!), copy!.sealed)).toThrow()
  // Nor do its bytes stay in free pages or in the write-ahead file.
  writer.committed(3, [])
  writer.close()
  expect(readFileSync(file).includes(copy!.wrapped)).toBe(false)
  expect(readFileSync(file).includes(copy!.sealed)).toBe(false)
})

test('an idle log destroys the key of its open segment after five minutes', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 2, 10) })
  const writer = openLogWriter(file, keys)
  await writer.append([event('a')], [])
  writer.committed(2, [])
  await committed(writer)
  expect(rows('select id from segments')).toHaveLength(1)
  vi.setSystemTime(Date.UTC(2026, 2, 10, 0, 5))
  writer.committed(2, [])
  await committed(writer)
  expect(rows('select id from segments')).toEqual([])
  await writer.append([event('b')], [])
  const reader = openLogReader(file, keys)
  expect(ids(reader.read(0, 10))).toEqual(['b'])
  reader.close()
  writer.close()
})

test('an orderly end leaves no key that nothing needs', async () => {
  const writer = openLogWriter(file, keys)
  await writer.append([event('a')], [])
  writer.committed(2, [])
  writer.close()
  expect([rows('select * from records'), rows('select * from segments')]).toEqual([[], []])
})

test('a fence stands from the answer on for each identifier of its request, until its work is reported done', async () => {
  const writer = openLogWriter(file, keys)
  const reader = openLogReader(file, keys)
  const both = {
    ...fence('f1'),
    identifiers: [keys.identifier('userId', 'ana'), keys.identifier('email', 'ana@loja.example')],
  }
  await writer.append([event('a', ['f1'])], [both])
  expect(reader.fencesFor([keys.identifier('email', 'ana@loja.example')])).toEqual([
    { id: 'f1', purposes: ['email_marketing'] },
  ])
  expect(reader.fencesFor([keys.identifier('userId', 'bia')])).toEqual([])
  expect(reader.fencesFor([])).toEqual([])
  // None is skipped because another stands.
  await writer.append([event('b', ['f2'])], [fence('f2', ['*'])])
  expect(
    reader
      .fencesFor([keys.identifier('userId', 'ana')])
      .map(({ id }) => id)
      .sort(),
  ).toEqual(['f1', 'f2'])
  writer.committed(2, [])
  await committed(writer)
  expect(reader.fencesFor([keys.identifier('userId', 'ana')])).toHaveLength(2)
  writer.committed(2, ['f1'])
  await committed(writer)
  expect(reader.fencesFor([keys.identifier('userId', 'ana')]).map(({ id }) => id)).toEqual(['f2'])
  writer.releaseFences(['f2'])
  await committed(writer)
  expect(reader.fencesFor([keys.identifier('userId', 'ana')])).toEqual([])
  expect(rows('select * from fence_identifiers')).toEqual([])
  reader.close()
  writer.close()
})

test('fences are asked for many people at once', async () => {
  const writer = openLogWriter(file, keys)
  await writer.append([], [fence('f1', ['*'], 'p700')])
  const reader = openLogReader(file, keys)
  const everybody = Array.from({ length: 1200 }, (_, n) => keys.identifier('userId', `p${n}`))
  expect(reader.fencesFor(everybody)).toEqual([{ id: 'f1', purposes: ['*'] }])
  reader.close()
  writer.close()
})

test('at start, fences of committed records go, those of waiting ones and of quarantined ones stay', async () => {
  let writer = openLogWriter(file, keys)
  const { logId } = writer
  await writer.append(
    [event('a', ['done']), event('b', ['kept']), event('c', ['open'])],
    [fence('done'), fence('kept'), fence('open')],
  )
  writer.close()
  writer = openLogWriter(file, keys, { logId, position: 3, keptFences: new Set(['kept']) })
  const reader = openLogReader(file, keys)
  expect(
    reader
      .fencesFor([keys.identifier('userId', 'ana')])
      .map(({ id }) => id)
      .sort(),
  ).toEqual(['kept', 'open'])
  reader.close()
  writer.close()
})

test('a state ahead of the log, or of another log, does not start', async () => {
  const writer = openLogWriter(file, keys)
  const { logId } = writer
  await writer.append([event('a')], [])
  writer.close()
  expect(() => openLogWriter(file, keys, { logId, position: 3, keptFences: none })).toThrow(
    /ahead of the log \(3 > 2\).* Restore both from one backup/,
  )
  expect(() => openLogWriter(file, keys, { logId: 'another', position: 1, keptFences: none })).toThrow(
    /belongs to another log/,
  )
  openLogWriter(file, keys, { logId, position: 2, keptFences: none }).close()
})

test('a commit that fails answers its senders so, and takes nothing; the next one goes on', async () => {
  const writer = openLogWriter(file, keys)
  await writer.append([event('a', ['f1'])], [fence('f1')])
  writer.committed(2, ['f1'])
  // The same fence id twice: the whole group is refused, its records with it.
  await expect(writer.append([event('b')], [fence('f2'), fence('f2')])).rejects.toThrow()
  await writer.append([event('c')], [])
  const reader = openLogReader(file, keys)
  expect(reader.read(0, 10).map(({ position, record }) => [position, ids([{ record }])[0]])).toEqual([[2, 'c']])
  // What was reported done before the failure is done after it.
  expect(reader.fencesFor([keys.identifier('userId', 'ana')])).toEqual([])
  expect(writer.size()).toBe(rows<{ n: number }>('select sum(length(sealed)) as n from records')[0]!.n)
  reader.close()
  writer.close()
})

test('a purge that fails is made up for by the next commit', async () => {
  const writer = openLogWriter(file, keys)
  await writer.append([event('a', ['f1'])], [fence('f1')])
  const disk = new Database(file)
  disk.exec("create trigger broken before delete on records begin select raise(abort, 'disk'); end")
  writer.committed(2, ['f1'])
  await expect(committed(writer)).rejects.toThrow('disk')
  disk.exec('drop trigger broken')
  disk.close()
  await writer.append([event('b')], [])
  const reader = openLogReader(file, keys)
  expect(ids(reader.read(0, 10))).toEqual(['b'])
  expect(reader.fencesFor([keys.identifier('userId', 'ana')])).toEqual([])
  reader.close()
  writer.close()
})

test('its size follows what is not yet purged', async () => {
  const writer = openLogWriter(file, keys)
  expect(writer.size()).toBe(0)
  await writer.append([event('a')], [])
  expect(writer.size()).toBeGreaterThan(100)
  writer.committed(2, [])
  await committed(writer)
  expect(writer.size()).toBe(0)
  writer.close()
})
