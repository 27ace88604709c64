/** Why one person did or did not get something: stored where it was, recomputed where it was not. */
import { expect, test } from 'vitest'
import { buildRuleSet, loadRules } from '../decision/index.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { MINUTE, Rig } from '../testing/pipeline-rig.ts'
import { whyPerson } from './why.ts'

const BIG = `
id: grande
version: 1
when: {event: Order Completed}
who: {all: [{field: event.total, op: gte, value: 100}]}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}]}
`

test('a draft is recomputed, with each clause and its value; a published rule tells what was stored; both name nobody', async () => {
  const rig = await Rig.open({ rules: [BIG] })
  try {
    const given = { userId: 'ana', occurredAt: rig.at(), receivedAt: rig.at() }
    await rig.take(
      identify({
        ...given,
        messageId: 'w1',
        traits: { email: 'ana@loja.example' },
        consent: [signal('email_marketing', 'grant', rig.at())],
      }),
    )
    await rig.take(
      track({
        ...given,
        messageId: 'w2',
        name: 'Order Completed',
        properties: { order_id: 'o1', total: 80, currency: 'BRL' },
      }),
    )
    rig.advance(MINUTE)
    const before = await rig.rows('deliveries')
    const { id } = (await rig.person('userId', 'ana'))!
    const ports = { state: rig.state, keys: rig.keys, now: rig.now, timezone: 'America/Sao_Paulo' }
    const [rule] = loadRules([{ file: 'r.yaml', text: BIG }]).rules
    const [draft] = loadRules([
      { file: 'd.yaml', text: BIG.replace('value: 100', 'value: 50').replace('id: grande', 'id: media') },
    ]).rules
    const prepared = (one: NonNullable<typeof rule>, published: boolean) => ({
      rule: one,
      published,
      settings: { ...rig.processPorts.settings, rules: buildRuleSet([one]) },
    })
    const stored = (await whyPerson(id, prepared(rule!, true), ports))!
    expect(stored).toMatchObject({
      decisions: [
        {
          source: 'stored',
          explanation: { result: 'NOT_MATCHED', clauses: [{ id: 'who.all.0', ok: false, value: 80 }] },
        },
      ],
    })
    const recomputed = (await whyPerson(id, prepared(draft!, false), ports))!
    expect(recomputed).toMatchObject({
      decisions: [{ source: 'recomputed', explanation: { result: 'ENQUEUED', clauses: [{ ok: true, value: 80 }] } }],
    })
    expect(JSON.stringify([stored, recomputed])).not.toContain('loja.example')
    expect(await rig.rows('deliveries')).toBe(before)
    expect(await whyPerson('01NOBODY', prepared(rule!, true), ports)).toBeUndefined()
  } finally {
    await rig.close()
  }
})
