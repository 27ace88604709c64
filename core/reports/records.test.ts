/** Records of processing from what was declared and what was seen; incidents; looks; destroyed keys. */
import { describe, expect, test } from 'vitest'
import { draftRipd } from '../../consent/reports/ripd.ts'
import { diffRopa } from '../../consent/reports/ropa.ts'
import { exportRopa } from '../../consent/reports/ropa-export.ts'
import { STARTER_PURPOSES } from '../../consent/starter.ts'
import type { Config } from '../../schemas/config.ts'
import type { Incident, Revealed, Ropa, ShredAnswer } from '../../schemas/records.ts'
import { isShredded } from '../ledger/shred.ts'
import type { StateStore } from '../stores/open.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, type Rig } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases, onSqlite } from '../testing/state-contract.ts'
import { recordsCommands } from './commands.ts'
import { listDrift } from './drift.ts'
import { affectedBy } from './incidents.ts'
import { findingsIn } from './plain-values.ts'
import { ropaAt } from './ropa.ts'

const base: Config = {
  organization: {
    name: 'Loja Exemplo',
    cnpj: '12.345.678/0001-95',
    dpo: { name: 'Rui Prado', email: 'dpo@loja.example' },
  },
  sources: { site: { connector: 'segment' }, app: { connector: 'rudderstack' } },
  purposes: STARTER_PURPOSES,
  destinations: {
    crm: { connector: 'crm', role: 'operator', country: 'BR', purposes: ['email_marketing', 'orders'] },
    ads: {
      connector: 'ads',
      role: 'controller',
      country: 'US',
      transfer: { art33: 'II.b', ref: 'SCC 7' },
      purposes: ['ads_measurement'],
    },
  },
}

function run(rig: Rig, config: Config = base) {
  const commands = recordsCommands(config, rig.keys, (id) => `Vendor ${id}`)
  return <T>(name: string, args: Record<string, unknown> = {}, actor = 'officer') =>
    rig.state.transaction((trx) =>
      commands[name]!(args, {
        state: { ...rig.state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
        actor,
        now: rig.now,
      }),
    ) as Promise<T>
}

let made = 0
const order = (rig: Rig, userId: string, given: Partial<Parameters<typeof track>[0]> = {}) =>
  track({
    name: 'Order Completed',
    userId,
    properties: { order_id: `r-${++made}`, total: 100 },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `r-${++made}`,
    ...given,
  })
const known = (rig: Rig, userId: string) =>
  identify({
    userId,
    traits: { email: `${userId}@example.com`, phone: '+5511987654321', name: 'Ana Silva' },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `k-${++made}`,
    consent: [signal('email_marketing', 'grant', rig.at())],
  })

onBothDatabases('records', (open: OpenRig) => {
  test('the record joins what is declared with what was seen, in the eight blocks', async () => {
    const rig = await open()
    await rig.take(known(rig, 'ana'), order(rig, 'ana'), order(rig, 'bia'))
    const ropa = await run(rig)<Ropa>('ropa')
    const orders = ropa.activities.find(({ purpose }) => purpose === 'orders')!
    expect(orders).toMatchObject({
      contact: { controller: 'Loja Exemplo', dpo: 'Rui Prado' },
      process: { basis: 'contract', article: 'LGPD art. 7, V' },
      sharing: [{ destination: 'crm', name: 'Vendor crm', role: 'operator', country: 'BR', delivered: 0 }],
      data: { events: 2, people: 2, sources: ['site'] },
    })
    expect(orders.data.seen).toContain('properties.total')
    expect(orders.retention[0]!.pt).toContain('P13M')
    expect(JSON.stringify(ropa)).not.toContain('ana@example.com')

    const csv = exportRopa(ropa, 'csv', 'pt').text
    expect(csv).toContain('7. Processo, finalidade e base legal')
    expect(csv.split('\r\n')).toHaveLength(Object.keys(STARTER_PURPOSES).length + 2)
    const html = exportRopa(ropa, 'html', 'en').text
    expect(html).toContain('Record of processing operations')
    expect(JSON.parse(exportRopa(ropa, 'json', 'en').text)).toEqual(ropa)
  })

  test('a record is kept when what is declared changes, not when traffic goes on; two dates are compared', async () => {
    const rig = await open()
    const first = run(rig)
    expect(await first('recordRopa')).toMatchObject({ changed: true })
    const before = rig.now
    rig.advance(DAY)
    await rig.take(order(rig, 'ana'))
    expect(await first('recordRopa')).toMatchObject({ changed: false })
    rig.advance(DAY)
    const { analytics: _, ...rest } = STARTER_PURPOSES
    const changed = {
      ...base,
      purposes: { ...rest, orders: { ...rest['orders']!, collects: ['Order Completed'] } },
      destinations: { ...base.destinations, crm: { ...base.destinations!['crm']!, country: 'US' } },
    }
    expect(await run(rig, changed)('recordRopa')).toMatchObject({ changed: true })
    const diff = diffRopa(await ropaAt(before, rig.state.db), await ropaAt(rig.now, rig.state.db))
    expect(diff).toMatchObject({ removed: ['analytics'], added: [] })
    expect(diff.changed).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ purpose: 'orders', path: '/data/declared', after: ['Order Completed'] }),
      ]),
    )
    expect(diff.changed.map(({ path }) => path)).toContain('/sharing')
    await expect(ropaAt(before - DAY, rig.state.db)).rejects.toThrow('No record was kept')
  })

  test('drift: not declared was denied and is told once; never observed; fields outside; values out of place', async () => {
    const rig = await open()
    await rig.take(
      order(rig, 'ana', { properties: { order_id: 'x1', total: 5, coupon: 'da Ana, CPF 529.982.247-25' } }),
      track({ name: 'Ticket Rated', anonymousId: 'd9', occurredAt: rig.at(), messageId: `n-${++made}` }),
      track({ name: 'Unheard Of', anonymousId: 'd9', occurredAt: rig.at(), messageId: `n-${++made}` }),
    )
    const narrower = {
      ...base,
      purposes: {
        orders: { ...STARTER_PURPOSES['orders']!, collects: [{ 'Order Completed': ['order_id', 'coupon'] }] },
      },
      destinations: { crm: { ...base.destinations!['crm']!, purposes: ['orders'] } },
    }
    const act = run(rig, narrower)
    const { fresh } = await act<{ fresh: { kind: string; subject: string }[] }>('recordRopa')
    const drift = await listDrift(rig.state.db)
    const of = (kind: string) => drift.filter((item) => item.kind === kind).map(({ subject }) => subject)
    expect(of('field_outside_declared')).toContain('Order Completed properties.total')
    expect(of('personal_value_in_plain_field')).toEqual(['Order Completed properties.coupon'])
    expect(of('declared_never_observed')).toEqual(expect.arrayContaining(['destination:crm', 'source:app']))
    expect(JSON.stringify(drift)).not.toContain('529')
    expect(fresh.length).toBeGreaterThan(0)
    expect(await act('recordRopa')).toMatchObject({ fresh: [] })
  })

  test('the impact report names the risks the record shows', async () => {
    const rig = await open()
    const ropa = await run(rig)<Ropa>('ropa')
    const { text, name } = draftRipd(ropa, 'pt', 'ads_measurement')
    expect(name).toContain('ads_measurement')
    expect(text).toContain('Compartilha com outro controlador: Vendor ads')
    expect(text).toContain('Transfere para US')
    expect(text).toContain('art. 33 II.b: SCC 7')
    for (const heading of ['## 1.', '## 2.', '## 3.', '## 4.']) expect(text).toContain(heading)
  })

  describe('incidents', () => {
    const facts = { title: 'Planilha exposta', description: 'Uma planilha com contatos ficou pública.' }

    test('registered, counted, told, closed; the log and the ledger keep it', async () => {
      const rig = await open()
      await rig.take(known(rig, 'ana'), order(rig, 'ana'), order(rig, 'bia'))
      const act = run(rig)
      const incident = await act<Incident>('openIncident', {
        ...facts,
        knownAt: rig.at(),
        affected: { sources: ['site'], events: ['Order Completed'] },
      })
      expect(incident).toMatchObject({ state: 'open', affectedPeople: 2, smallAgent: false })
      expect(incident.clocks.map(({ what, overdue }) => [what, overdue])).toEqual([
        ['authority', false],
        ['subjects', false],
      ])
      rig.advance(DAY)
      const told = await act<Incident>('updateIncident', {
        id: incident.id,
        done: { what: 'authority', note: 'protocolo 1' },
      })
      expect(told.clocks.map(({ what }) => what)).toEqual(['authority', 'subjects', 'supplement'])
      const closed = await act<Incident>('updateIncident', { id: incident.id, done: { what: 'closed' } })
      expect(closed.log.map(({ what }) => what)).toEqual(['registered', 'authority: protocolo 1', 'closed'])
      await expect(act('updateIncident', { id: incident.id, done: { what: 'closed' } })).rejects.toThrow('closed')
      const types = (await rig.state.db.selectFrom('ledger_pending').select('public').execute()).map(
        ({ public: text }) => (JSON.parse(text) as { type: string }).type,
      )
      expect(types).toEqual(expect.arrayContaining(['incident.registered', 'incident.notified', 'incident.closed']))
    })

    test('one that is not told needs its reason, and is registered all the same', async () => {
      const rig = await open()
      const act = run(rig)
      const silent = { ...facts, knownAt: rig.at(), notifiable: false }
      await expect(act('openIncident', silent)).rejects.toThrow('whyNot')
      expect(await act<Incident>('openIncident', { ...silent, whyNot: 'cifrado, a chave ficou segura' })).toMatchObject(
        {
          clocks: [],
        },
      )
      await expect(act('openIncident', { ...facts, knownAt: rig.at(DAY) })).rejects.toThrow('knownAt')
    })

    test('whom it may have touched: by source, event, purpose and time, as pseudonyms', async () => {
      const rig = await open()
      await rig.take(order(rig, 'ana'))
      const from = rig.at(DAY / 2)
      rig.advance(DAY)
      await rig.take(order(rig, 'bia'))
      const { db } = rig.state
      expect(await affectedBy({ purposes: ['orders'] }, db)).toMatchObject({ people: 2 })
      const later = await affectedBy({ purposes: ['orders'], from }, db)
      expect(later).toMatchObject({ people: 1, events: 1, truncated: false })
      expect(later.subjects).toEqual([(await rig.person('userId', 'bia'))!.nodes[0]!.subject])
      expect(await affectedBy({ sources: ['app'] }, db)).toMatchObject({ people: 0 })
      expect(await affectedBy({ destinations: ['crm'] }, db)).toMatchObject({ people: 0, deliveries: 0 })
    })
  })
})

onSqlite('people', (open: OpenRig) => {
  describe('looking at people', () => {
    test('nothing is shown without a reason; the look and its line are one', async () => {
      const rig = await open()
      await rig.take(known(rig, 'ana'))
      const person = (await rig.person('userId', 'ana'))!
      const act = run(rig)
      await expect(act('reveal', { what: 'person', id: person.id })).rejects.toThrow('Say why')
      await expect(act('reveal', { what: 'person', id: person.id, reason: 'because' })).rejects.toThrow('Say why')
      expect(await rig.rows('access_log')).toBe(0)
      const seen = await act<Revealed>(
        'reveal',
        { what: 'person', id: person.id, reason: 'she called about order 7' },
        'u1',
      )
      const node = person.nodes.find(({ type }) => type === 'email')!.id
      expect(seen.identifiers).toContainEqual({ type: 'email', value: 'ana@example.com', node })
      expect(seen.fields).toMatchObject({ traits: { name: 'Ana Silva' } })
      expect(await rig.state.db.selectFrom('access_log').selectAll().execute()).toMatchObject([
        { id: seen.logged, actor: 'u1', act: 'reveal.person', target: person.id, reason: 'she called about order 7' },
      ])
    })

    test('inside a request the request is the reason', async () => {
      const rig = await open()
      await rig.take(order(rig, 'ana'))
      const [event] = await rig.history()
      const seen = await run(rig)<Revealed>('reveal', { what: 'event', id: event!.id, request: 'req-1' })
      expect(seen.fields).toMatchObject({ properties: { total: 100 } })
      expect(await rig.state.db.selectFrom('access_log').selectAll().execute()).toMatchObject([
        { act: 'reveal.event', reason: null, request: 'req-1' },
      ])
    })
  })

  describe('destroyed keys', () => {
    test('what lay under them goes with them, the ledger says so, and the person may come back', async () => {
      const rig = await open()
      await rig.take(known(rig, 'ana'), order(rig, 'ana'))
      const person = (await rig.person('userId', 'ana'))!
      const answer = await run(rig)<ShredAnswer>('shredKeys', { subject: person.id, reason: 'court_order' })
      expect(answer.nodes).toBe(person.nodes.length)
      expect(answer.erased['history']).toBeGreaterThan(0)
      expect(await rig.rows('history')).toBe(0)
      expect(await rig.person('userId', 'ana')).toBeUndefined()
      const nodes = await rig.state.db.selectFrom('nodes').select(['data_key', 'proof_key']).execute()
      expect(nodes.every(({ data_key }) => isShredded(data_key))).toBe(true)
      expect(nodes.some(({ proof_key }) => isShredded(proof_key))).toBe(false)
      const entry = await rig.state.db
        .selectFrom('ledger_pending')
        .select('public')
        .where('id', '=', answer.entryId!)
        .executeTakeFirstOrThrow()
      expect(JSON.parse(entry.public)).toMatchObject({ type: 'key.destroyed', reason: 'court_order' })
      await rig.take(order(rig, 'ana'))
      expect(await rig.rows('history')).toBe(1)
    })

    test('a legal hold, a reason with blanks, or nobody refuses it', async () => {
      const rig = await open()
      await rig.take(order(rig, 'ana'))
      const person = (await rig.person('userId', 'ana'))!
      const act = run(rig)
      await act('setHold', { subject: person.id, ref: 'Processo 1', reason: 'ordered by the court' })
      await expect(act('shredKeys', { subject: person.id, reason: 'erasure' })).rejects.toThrow('legal hold')
      await expect(act('shredKeys', { subject: person.id, reason: 'she asked me to' })).rejects.toThrow('one word')
      await expect(act('shredKeys', { subject: 's_nobody', reason: 'erasure' })).rejects.toThrow('Nobody')
    })
  })
})

describe('values out of place', () => {
  test('a CPF counts only with right check digits, and where the name does not say so', () => {
    const paths = (root: Record<string, unknown>) => findingsIn(root).map(({ path, what }) => `${path} ${what}`)
    expect(paths({ note: 'cpf 529.982.247-25' })).toEqual(['note cpf'])
    expect(paths({ note: '52998224725' })).toEqual(['note cpf'])
    expect(paths({ note: '529.982.247-26', order: '11111111111' })).toEqual([])
    expect(paths({ cpf: '52998224725' })).toEqual([])
    expect(paths({ items: [{ q: 'remédio para diabetes' }, { q: 'diabética' }] })).toEqual(['items.*.q health'])
    expect(paths({ q: 'ana@example.com', email: 'ana@example.com' })).toEqual(['q email'])
    expect(paths({ q: 'canceled order' })).toEqual([])
  })
})
