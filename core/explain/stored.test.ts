/** Stored decisions: whole rows of before, words of the version that decided, one row per event, and nothing after an erasure. */
import { expect, test } from 'vitest'
import { loadRules } from '../decision/index.ts'
import { addVersion, setStage } from '../rules/publish.ts'
import { migrateState } from '../stores/migrations.ts'
import { type Db, sql } from '../stores/open.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { MINUTE, type Rig } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'
import { decidedOf, decidedOn, decisionById, unmatchedOf } from './stored.ts'

const rule = (id: string, version: number, least: number) => `
id: ${id}
version: ${version}
when: {event: Product Viewed}
who: {all: [{field: event.price, op: gte, value: ${least}}]}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}]}
`

async function ana(rig: Rig): Promise<string> {
  const times = { occurredAt: rig.at(), receivedAt: rig.at() }
  await rig.take(
    identify({
      userId: 'ana',
      traits: { email: 'ana@loja.example' },
      consent: [signal('email_marketing', 'grant', rig.at())],
      ...times,
    }),
  )
  return (await rig.person('userId', 'ana'))!.id
}

let sent = 0
async function views(rig: Rig, price: number): Promise<void> {
  rig.advance(MINUTE)
  const times = { occurredAt: rig.at(), receivedAt: rig.at() }
  await rig.take(
    track({ name: 'Product Viewed', userId: 'ana', properties: { price }, messageId: `v${++sent}`, ...times }),
  )
}

async function publish(rig: Rig, text: string): Promise<void> {
  const { rules } = loadRules([{ file: 'r.yaml', text }])
  await rig.state.transaction(async (trx) => {
    const who = { actor: 'test', now: rig.now, reason: 'a new version of it' }
    await addVersion(trx, rules[0]!, 'api', who)
    await setStage(trx, { rule: rules[0]!.rule.id, version: rules[0]!.rule.version, stage: 'live' }, who)
  })
  await rig.refreshRules()
}

/** The tables as they were before 019, with one row in each. */
async function asBefore(db: Db, person: string): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  await run('drop table explanations')
  await run('drop table explanations_latest')
  await run(
    'create table explanations (id text primary key, person_id text not null, rule text not null, version integer not null, event_id text not null, at bigint not null, result text not null, body text not null)',
  )
  await run('create index explanations_person on explanations (person_id, at)')
  await run('create index explanations_event on explanations (event_id)')
  await run('create index explanations_at on explanations (at)')
  await run(
    'create table explanations_latest (person_id text not null, rule text not null, at bigint not null, result text not null, body text not null, primary key (person_id, rule))',
  )
  await sql`insert into explanations values (${WHOLE.id}, ${person}, 'antiga', 3, 'e-old', 1000, 'CAPPED', ${JSON.stringify(WHOLE)})`.execute(
    db,
  )
  const unmatched = { ...WHOLE, rule: 'outra', result: 'NOT_MATCHED', latestOnly: true }
  await sql`insert into explanations_latest values (${person}, 'outra', 1000, 'NOT_MATCHED', ${JSON.stringify(unmatched)})`.execute(
    db,
  )
  await run("delete from meta where key = 'migration:019-packed-explanations'")
}

const WHOLE = {
  id: 'abcdef0123456789abcdef0123456789',
  rule: 'antiga',
  version: 3,
  hash: 'h',
  eventId: 'e-old',
  correlation: '',
  seq: 4,
  at: new Date(1000).toISOString(),
  result: 'CAPPED',
  clauses: [{ id: 'unless.caps.0', clause: 'fewer than 2', pt: 'menos de 2, "já"', ok: false, value: 2 }],
  deliveryIds: [],
  skipped: [],
  latestOnly: false,
  failed: ['unless.caps.0'],
}

onBothDatabases('stored decisions', (open: OpenRig) => {
  test('rows of before are read as they were, words and all, beside new ones', async () => {
    const rig = await open({ rules: [rule('nova', 1, 50)] })
    const person = await ana(rig)
    const { db, dialect } = rig.state
    await asBefore(db, person)
    await migrateState(db, dialect)
    await views(rig, 80)
    expect(await decidedOf([person], db)).toMatchObject([
      { ...WHOLE, personId: person },
      { rule: 'nova', version: 1, result: 'ENQUEUED' },
    ])
    expect(await decidedOn('e-old', db)).toEqual([{ ...WHOLE, personId: person }])
    expect(await decisionById(WHOLE.id, db)).toEqual({ ...WHOLE, personId: person })
    expect(await unmatchedOf([person], db)).toMatchObject([
      { rule: 'outra', eventId: 'e-old', result: 'NOT_MATCHED', clauses: WHOLE.clauses },
    ])
  })

  test('what a decision says is what the version said that made it, not the newest', async () => {
    const rig = await open({ rules: [rule('preco', 1, 50)] })
    const person = await ana(rig)
    await views(rig, 80)
    await publish(rig, rule('preco', 2, 60))
    await views(rig, 90)
    const found = await decidedOf([person], rig.state.db, { rule: 'preco' })
    expect(found.map(({ version, clauses }) => [version, clauses[0]!.pt, clauses[0]!.value])).toEqual([
      [1, '"price" do evento é pelo menos 50', 80],
      [2, '"price" do evento é pelo menos 60', 90],
    ])
    expect(found[0]!.hash).not.toBe(found[1]!.hash)
  })

  test('several rules on one event are one row; each decision has an id of its own and is found by it', async () => {
    const rig = await open({ rules: [rule('a', 1, 50), rule('b', 1, 60), rule('c', 1, 900)] })
    const person = await ana(rig)
    await views(rig, 80)
    expect(await rig.rows('explanations')).toBe(1)
    const found = await storedDecisions(rig.state)
    expect(found.map(({ rule: id, result }) => [id, result])).toEqual([
      ['a', 'ENQUEUED'],
      ['b', 'ENQUEUED'],
    ])
    for (const one of found) expect(await decisionById(one.id, rig.state.db)).toEqual(one)
    expect(new Set(found.map(({ id }) => id)).size).toBe(2)
    expect(await decidedOf([person], rig.state.db, { rule: 'b', limit: 1 })).toEqual([found[1]])
    expect(await unmatchedOf([person], rig.state.db)).toMatchObject([
      { rule: 'c', clauses: [{ ok: false, value: 80 }] },
    ])
  })
})
