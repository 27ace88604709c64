/** Each place where personal data can lie: seeded, its clock run out, and searched with every key that is left. */
import { readFileSync } from 'node:fs'
import { sql } from 'kysely'
import { afterEach, describe, expect, test } from 'vitest'
import { STARTER_PURPOSES } from '../../consent/starter.ts'
import type { Config } from '../../schemas/config.ts'
import type { RetentionPlan } from '../../schemas/retention.ts'
import { isShredded } from '../ledger/shred.ts'
import { recordsCommands } from '../reports/commands.ts'
import { unseal } from '../seal.ts'
import { expireSealed, HOLD_MS, QUARANTINE_MS } from '../stages/hold.ts'
import type { StateStore } from '../stores/open.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, Rig } from '../testing/pipeline-rig.ts'
import { PLACES } from './places.ts'

/** A word that is nowhere else: whoever finds it has found personal data. */
const MARK = 'zubrowka'
const config: Config = { organization: { name: 'Loja Exemplo' }, sources: {}, purposes: STARTER_PURPOSES }

let rig: Rig
afterEach(() => rig.close())

/** Every place that holds the mark, in the open or under a key that still exists. */
async function search(): Promise<string[]> {
  const { db } = rig.state
  const found = new Set<string>()
  const look = (place: string, bytes: Uint8Array | string | null | undefined) => {
    if (bytes && Buffer.from(bytes as Uint8Array).includes(MARK)) found.add(place)
  }
  const open = (place: string, wrapped: Uint8Array | null | undefined, sealed: Uint8Array | null) => {
    if (wrapped && !isShredded(wrapped) && sealed && sealed.length > 0)
      look(place, unseal(rig.keys.unwrap(wrapped), sealed))
  }
  const nodes = new Map((await db.selectFrom('nodes').selectAll().execute()).map((node) => [node.id, node]))
  const sealKeys = new Map((await db.selectFrom('seal_keys').selectAll().execute()).map((key) => [key.id, key.wrapped]))
  for (const row of await db.selectFrom('history').selectAll().execute())
    open('history', nodes.get(row.node_id)?.data_key, row.sealed)
  for (const row of await db.selectFrom('node_traits').selectAll().execute())
    open('node_traits', nodes.get(row.node_id)?.data_key, row.sealed)
  for (const row of await db.selectFrom('identifiers').selectAll().execute())
    open('identifiers', nodes.get(row.node_id)?.data_key, row.sealed)
  for (const row of await db.selectFrom('blocked').selectAll().execute())
    open('blocked', nodes.get(row.node_id)?.data_key, row.sealed)
  for (const row of await db.selectFrom('deliveries').selectAll().execute()) {
    open('outbox payload', nodes.get(row.node_id)?.data_key, row.payload)
    open('outbox payload', nodes.get(row.node_id)?.data_key, row.input)
  }
  for (const row of await db.selectFrom('held').selectAll().execute())
    open('held', sealKeys.get(row.key_id), row.sealed)
  for (const row of await db.selectFrom('quarantine').selectAll().execute())
    open('quarantine', sealKeys.get(row.key_id), row.sealed)
  for (const row of await db.selectFrom('ledger_pending').selectAll().execute())
    open('ledger', nodes.get(row.node_id)?.proof_key, row.sealed)
  for (const row of await db.selectFrom('persons').selectAll().execute()) look('profile', row.profile)
  for (const row of await db.selectFrom('access_log').selectAll().execute()) look('access log', row.reason)
  for (const row of await db.selectFrom('incidents').selectAll().execute()) look('incident register', row.facts)
  for (const input of rig.log.read(0, 1000)) look('log', JSON.stringify(input))
  return [...found].sort()
}

function officer() {
  const commands = recordsCommands(config, rig.keys, (id) => id)
  const run = <T>(name: string, args: Record<string, unknown> = {}) =>
    rig.state.transaction((trx) =>
      commands[name]!(args, {
        state: { ...rig.state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
        actor: 'officer',
        now: rig.now,
      }),
    ) as Promise<T>
  return {
    run,
    async everything() {
      const plan = await run<RetentionPlan>('retentionPlan')
      await run('retentionApprove', { hash: plan.hash })
      await run('retentionRun')
      while ((await run('retentionStep')) !== null);
      await expireSealed(rig.state, rig.now)
    },
  }
}

const event = (name: string, given: Partial<Parameters<typeof track>[0]> = {}) =>
  track({
    name,
    userId: 'ana',
    properties: { order_id: 'o1', total: 100, coupon: MARK },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `${name}-${rig.now}`,
    ...given,
  })

/** One person with something everywhere. */
async function seed(): Promise<void> {
  rig = await Rig.open()
  await rig.record(
    identify({
      userId: 'ana',
      anonymousId: 'd1',
      traits: { email: `${MARK}@example.com`, name: MARK },
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      messageId: 'i1',
      consent: [
        signal('email_marketing', 'grant', rig.at(), {
          evidence: { method: 'checkbox', flags: [], sha256: 'a'.repeat(64), raw: { form: MARK } },
        }),
        signal('analytics', 'grant', rig.at()),
      ],
    }),
    event('Order Completed'),
    event('Product Viewed', { userId: undefined as never, anonymousId: 'd2', properties: { name: MARK } }),
  )
}

describe('places', () => {
  test('every table of the database belongs to a place, and every place is one', async () => {
    rig = await Rig.open()
    const { rows } = await sql<{
      name: string
    }>`select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`.execute(rig.state.db)
    const there = rows.map(({ name }) => name).filter((name) => !/^dedupe_/.test(name))
    const placed = PLACES.flatMap(({ tables }) => tables)
    expect(there.filter((name) => !placed.includes(name))).toEqual([])
    expect(placed.filter((name) => !there.includes(name))).toEqual([])
    expect(new Set(placed).size).toBe(placed.length)
  })

  test('the table of the documentation is this list', () => {
    const text = readFileSync(new URL('../../docs/retention.md', import.meta.url), 'utf8')
    const pt = readFileSync(new URL('../../docs/pt/retencao.md', import.meta.url), 'utf8')
    for (const { place, holds, key, clock } of PLACES) {
      expect(text).toContain(`| ${place} | ${holds.en} | ${key.en} | ${clock.en} |`)
      expect(pt).toContain(`| ${place} | ${holds.pt} | ${key.pt} | ${clock.pt} |`)
    }
    return Rig.open().then((opened) => {
      rig = opened
    })
  })

  test('the log: until processing has passed', async () => {
    await seed()
    expect(await search()).toEqual(['log'])
    await rig.process()
    // The writer purges with its next commit.
    await rig.writer.append([], [])
    expect(await search()).not.toContain('log')
  })

  test('held: a day; quarantine: thirty', async () => {
    await seed()
    await rig.take({
      kind: 'quarantine',
      id: 'q1',
      sourceId: 'site',
      connector: 'segment',
      code: 'INVALID',
      path: '/x',
      message: 'bad',
      raw: JSON.stringify({ note: MARK }),
      receivedAt: rig.at(),
      fences: [],
    })
    expect(await search()).toEqual(expect.arrayContaining(['held', 'quarantine']))
    rig.advance(HOLD_MS + 2 * 3_600_000)
    await expireSealed(rig.state, rig.now)
    expect(await search()).not.toContain('held')
    expect(await search()).toContain('quarantine')
    rig.advance(QUARANTINE_MS + DAY)
    await expireSealed(rig.state, rig.now)
    expect(await search()).not.toContain('quarantine')
  })

  test('history, traits, identifiers, payloads, register, log of looks: each by its policy; the proof at last', async () => {
    await seed()
    await rig.process()
    // What the vendor refused waits with its payload for somebody to re-drive it; of what it took none is kept.
    rig.answer = () => ({ status: 400 })
    for (const destination of new Set((await rig.deliveries()).map((row) => row.destination)))
      await rig.deliver(destination)
    const { run, everything } = officer()
    await run('reveal', { what: 'person', id: (await rig.person('userId', 'ana'))!.id, reason: `asked about ${MARK}` })
    const incident = await run<{ id: string }>('openIncident', { title: MARK, description: MARK, knownAt: rig.at() })
    await run('updateIncident', { id: incident.id, done: { what: 'closed' } })
    for (const row of await rig.history())
      await rig.state.db
        .insertInto('blocked')
        .values({
          id: row.id,
          class: 'history',
          node_id: row.node_id,
          body: '{}',
          sealed: row.sealed,
          at: rig.now,
          policy_id: 'x',
        })
        .execute()
    const all = [
      'access log',
      'blocked',
      'history',
      'identifiers',
      'incident register',
      'ledger',
      'node_traits',
      'outbox payload',
    ]
    expect((await search()).filter((place) => place !== 'held')).toEqual(all)

    const left = async (days: number) => {
      rig.advance(days * DAY)
      await everything()
      return search()
    }
    // Six months: who looked. A year: payloads. Thirteen months: events. Five years: the rest, and the proof five years later.
    expect(await left(190)).not.toContain('access log')
    expect(await left(180)).not.toContain('outbox payload')
    expect(await left(40)).not.toContain('history')
    expect(await left(5 * 366)).toEqual(['ledger'])
    expect(await left(5 * 366 + 2)).toEqual([])
    // Nor in the bytes of the files.
    rig.state.checkpoint()
    for (const file of [rig.stateFile, `${rig.stateFile}-wal`]) expect(readFileSync(file).includes(MARK)).toBe(false)
  })
})
