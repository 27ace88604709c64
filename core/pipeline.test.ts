/** The way of one event: what is taken once, what is refused, and that a batch is all or nothing. */
import { describe, expect, test } from 'vitest'
import type { CanonicalEvent } from '../schemas/event.ts'
import { process as processBatch } from './pipeline.ts'
import { PositionTaken } from './stages/commit.ts'
import { dropOldDedupeTables } from './stages/deduplicate.ts'
import { signal } from './testing/consent-signals.ts'
import { identify, track } from './testing/events.ts'
import { DAY, HOUR, MINUTE, type Rig, SECOND } from './testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from './testing/state-contract.ts'
import { storedDecisions, storedUnmatched } from './testing/stored-decisions.ts'

/** Ana, who wants e-mails; the event that says so is kept. */
function ana(rig: Rig, given: Parameters<typeof identify>[0] = {}): CanonicalEvent {
  return identify({
    userId: 'ana',
    traits: { email: 'ana@loja.example', name: 'Ana' },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    consent: [signal('email_marketing', 'grant', rig.at())],
    ...given,
  })
}

const viewed = (rig: Rig, given: Partial<Parameters<typeof track>[0]> = {}) =>
  track({
    name: 'Product Viewed',
    userId: 'ana',
    properties: { product_id: 'p1' },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    ...given,
  })

const MAIL_ON_VIEW = `
id: viu-produto
version: 1
when: {event: Product Viewed}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send, with: {text: "Oi"}}]}
`

onBothDatabases('the pipeline', (open: OpenRig) => {
  describe('first receptions, duplicates and what the hub caused', () => {
    test('a message is taken once: in its batch, in later batches and on later days', async () => {
      const rig = await open()
      await rig.take(ana(rig))
      const event = viewed(rig, { messageId: 'm-1' })
      await rig.take(event, event)
      await rig.take(event)
      rig.advance(DAY + HOUR)
      await rig.take({ ...event, receivedAt: rig.at() })
      expect((await rig.history()).filter(({ name }) => name === 'Product Viewed')).toHaveLength(1)
      expect(await rig.counts('source:site')).toMatchObject({ KEPT: 2, DUPLICATE: 3, RECEIVED: 5 })
    })

    test('after 72 hours and the end of that day the id is forgotten', async () => {
      const rig = await open()
      await rig.take(ana(rig))
      const event = viewed(rig, { messageId: 'm-1' })
      await rig.take(event)
      rig.advance(3 * DAY)
      await dropOldDedupeTables(rig.state, rig.now)
      await rig.take({ ...event, id: `${event.id.slice(0, -1)}X` })
      expect((await rig.history()).filter(({ name }) => name === 'Product Viewed')).toHaveLength(1)
      rig.advance(DAY)
      await dropOldDedupeTables(rig.state, rig.now)
      await rig.take({ ...event, id: `${event.id.slice(0, -1)}Y` })
      expect((await rig.history()).filter(({ name }) => name === 'Product Viewed')).toHaveLength(2)
    })

    test('the same id from two sources is two messages', async () => {
      const rig = await open()
      await rig.take(ana(rig))
      const other = viewed(rig, { messageId: 'm-1', source: { id: 'app', connector: 'rudderstack' } })
      await rig.take(viewed(rig, { messageId: 'm-1' }), { ...other, id: `${other.id.slice(0, -1)}X` })
      expect(await rig.counts('source:app')).toMatchObject({ KEPT: 1 })
      expect((await rig.history()).filter(({ name }) => name === 'Product Viewed')).toHaveLength(2)
    })

    test('the same id with another body is set aside with the event in it, and changes nothing', async () => {
      const rig = await open()
      await rig.take(ana(rig))
      await rig.take(viewed(rig, { messageId: 'm-1' }))
      const [batch] = await rig.take(
        viewed(rig, { messageId: 'm-1', properties: { product_id: 'p2' }, source: { payloadHash: 'b'.repeat(64) } }),
      )
      expect((await rig.history()).filter(({ name }) => name === 'Product Viewed')).toHaveLength(1)
      const quarantined = await rig.state.db.selectFrom('quarantine').selectAll().execute()
      expect(quarantined.map(({ code, status }) => [code, status])).toEqual([['ID_REUSED', 'open']])
      expect(await rig.counts('source:site')).toMatchObject({ ID_REUSED: 1 })
      expect(batch!.live.map(({ code }) => code)).toContain('ID_REUSED')
    })

    test('a re-drive is taken although its message id is known, and only once', async () => {
      const rig = await open()
      await rig.take(ana(rig))
      const event = viewed(rig, { messageId: 'm-1' })
      await rig.take(event)
      const again = {
        kind: 'event' as const,
        event: { ...event, id: `${event.id.slice(0, -1)}X` },
        fences: [],
        quarantineId: 'q-1',
      }
      await rig.take(again)
      await rig.take(again)
      expect((await rig.history()).filter(({ name }) => name === 'Product Viewed')).toHaveLength(2)
    })

    test('what a delivery caused comes back and halts: by the delivery it names, or by its look for seven days', async () => {
      const rig = await open()
      await rig.take(ana(rig))
      expect(await rig.deliver('crm')).toBe(1)
      const [delivery] = await rig.deliveries('crm')
      await rig.take(viewed(rig, { messageId: 'named', deliveryId: delivery!.id }))
      const looks = (messageId: string) => ({
        kind: 'event' as const,
        event: identify({ ...anaTraits, messageId, occurredAt: rig.at(), receivedAt: rig.at() }),
        fences: [],
        echo: 'contact:ana@loja.example',
      })
      const anaTraits = { userId: 'ana', traits: { email: 'ana@loja.example' } }
      await rig.take(looks('look-1'))
      expect(await rig.counts('source:site')).toMatchObject({ ECHO: 2, KEPT: 1 })
      rig.advance(7 * DAY + MINUTE)
      await rig.take(looks('look-2'))
      expect(await rig.counts('source:site')).toMatchObject({ ECHO: 2, KEPT: 2 })
    })

    test('a delivery id nobody gave is no echo', async () => {
      const rig = await open()
      await rig.take(ana(rig))
      await rig.take(viewed(rig, { deliveryId: 'f'.repeat(32) }))
      expect(await rig.counts('source:site')).toMatchObject({ KEPT: 2 })
    })

    test('what could not be read is in quarantine with code, path and sealed body, and goes after 30 days with its key', async () => {
      const rig = await open()
      await rig.take({
        kind: 'quarantine',
        id: '01K0000000000000000000000Q',
        sourceId: 'site',
        connector: 'segment',
        code: 'INVALID',
        path: '/event',
        message: 'the event name is missing',
        receivedAt: rig.at(),
        raw: '{"email":"ana@loja.example"}',
        fences: [],
      })
      const [row] = await rig.state.db.selectFrom('quarantine').selectAll().execute()
      expect(row).toMatchObject({ code: 'INVALID', path: '/event', status: 'open', source_id: 'site' })
      expect(Buffer.from(row!.sealed).includes('ana@loja.example')).toBe(false)
      expect(await rig.counts('source:site')).toMatchObject({ INVALID: 1, RECEIVED: 1 })
    })
  })

  describe('a batch is all or nothing', () => {
    const crashing = (rig: Rig) => ({
      ...rig.processPorts,
      state: {
        ...rig.state,
        transaction: ((work) =>
          rig.state.transaction(async (trx) => {
            await work(trx)
            throw new Error('the machine stops just before the commit')
          })) as Rig['state']['transaction'],
      },
    })

    test('a stop before the commit leaves nothing; the batch is taken again and its delivery exists once', async () => {
      const rig = await open({ rules: [MAIL_ON_VIEW] })
      await rig.record(ana(rig), viewed(rig))
      const inputs = rig.log.read(0, 10)
      await expect(processBatch(inputs, 0, crashing(rig))).rejects.toThrow('just before the commit')
      for (const table of [
        'history',
        'deliveries',
        'persons',
        'nodes',
        'consent_status',
        'ledger_pending',
        'explanations',
        'rollups',
      ] as const)
        expect(await rig.rows(table), table).toBe(0)
      await rig.restart()
      expect(rig.position).toBe(0)
      await rig.process()
      expect(await rig.rows('history')).toBe(2)
      expect((await rig.deliveries('mail')).map(({ status }) => status)).toEqual(['queued'])
      await rig.restart()
      expect(rig.position).toBe(rig.log.end())
      expect(await rig.process()).toEqual([])
    })

    test('a zombie that processes the same records commits nothing', async () => {
      const rig = await open({ rules: [MAIL_ON_VIEW] })
      await rig.record(ana(rig), viewed(rig))
      const inputs = rig.log.read(0, 10)
      await rig.process()
      const before = [await rig.rows('history'), await rig.rows('deliveries'), await rig.rows('rollups')]
      await expect(processBatch(inputs.slice(0, 1), 0, rig.processPorts)).rejects.toBeInstanceOf(PositionTaken)
      await expect(processBatch(inputs, 0, rig.processPorts)).rejects.toBeInstanceOf(PositionTaken)
      expect([await rig.rows('history'), await rig.rows('deliveries'), await rig.rows('rollups')]).toEqual(before)
    })

    test('two processes race for one batch: one commits', async () => {
      const rig = await open({ rules: [MAIL_ON_VIEW] })
      await rig.record(ana(rig), viewed(rig))
      const inputs = rig.log.read(0, 10)
      const results = await Promise.allSettled([
        processBatch(inputs, 0, rig.processPorts),
        processBatch(inputs, 0, rig.processPorts),
      ])
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      expect(await rig.rows('history')).toBe(2)
      expect(await rig.deliveries('mail')).toHaveLength(1)
    })

    test('any cut of the same records into batches leads to the same people, histories and deliveries', async () => {
      const outcome = async (size: number) => {
        const rig = await open({ rules: [MAIL_ON_VIEW] })
        const events = [ana(rig)]
        for (let n = 0; n < 6; n++) {
          rig.advance(SECOND)
          events.push(viewed(rig, { ...(n % 2 === 0 && { anonymousId: 'd1' }), messageId: `v${n}` }))
        }
        await rig.record(...events)
        await rig.process(size)
        const person = (await rig.person('anonymousId', 'd1'))!
        return {
          seq: person.seq,
          types: person.nodes.map(({ type }) => type).sort(),
          history: (await rig.history()).map(({ name, person_seq }) => [name, person_seq]),
          deliveries: (await rig.deliveries('mail')).length,
        }
      }
      const one = await outcome(1)
      expect(one.deliveries).toBe(6)
      for (const size of [2, 3, 512]) expect(await outcome(size)).toEqual(one)
    })
  })

  describe('explanations', () => {
    const RULE = `
id: acima-de-cem
version: 1
when: {event: Product Viewed, where: {all: [{field: event.price, op: gt, value: 100}]}}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send, with: {text: "Oi"}}]}
`
    test('what fired is stored with its clauses and delivery; of what did not match the newest, counted per clause', async () => {
      const rig = await open({ rules: [RULE] })
      await rig.take(ana(rig))
      for (const price of [10, 20, 200]) {
        rig.advance(SECOND)
        await rig.take(viewed(rig, { properties: { product_id: 'p1', price }, messageId: `m${price}` }))
      }
      const [delivery] = await rig.deliveries('mail')
      expect(await storedDecisions(rig.state)).toMatchObject([{ rule: 'acima-de-cem', version: 1, result: 'ENQUEUED' }])
      expect((await storedDecisions(rig.state))[0]).toMatchObject({
        arm: 'treated',
        deliveryIds: [delivery!.id],
        entryId: delivery!.entry_id,
      })
      expect(await storedUnmatched(rig.state)).toMatchObject([
        { result: 'NOT_MATCHED', clauses: [{ ok: false, value: 20 }] },
      ])
      expect(await rig.counts('rule:acima-de-cem')).toEqual({ 'when.where.all.0': 2 })
    })
  })

  test('a state of another log is refused', async () => {
    const rig = await open()
    await rig.take(ana(rig))
    await rig.state.db.updateTable('positions').set({ log_id: 'another' }).execute()
    await rig.record(viewed(rig))
    await expect(rig.process()).rejects.toBeInstanceOf(PositionTaken)
    expect(await rig.rows('history')).toBe(1)
  })
})
