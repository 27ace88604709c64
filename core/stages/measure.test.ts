/** Audiences in the pipeline: entered and left in the transaction of their cause, told to destinations by difference. */
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { startPass } from '../audiences/passes.ts'
import { afterActs, audienceActs } from '../testing/audience-property.ts'
import { audienceSuite } from '../testing/audience-suite.ts'
import { inside, measures, says, title, VIEWERS, views } from '../testing/audience-world.ts'
import { cases } from '../testing/effort.ts'
import { DAY, Rig, type RigOptions } from '../testing/pipeline-rig.ts'
import { onSqlite } from '../testing/state-contract.ts'

// On PostgreSQL: measure.long.ts; and core/identity/unmerge.test.ts reads and writes every table of audiences on both.
onSqlite('audiences', audienceSuite)

test('in the end the lists hold who is in, consented and has an address', async () => {
  // Removal by a withdrawal, a member nobody may be told of, a refusal, two who are one, both kinds of erasure: always.
  const told = { does: 'delivers', outcomes: ['taken'] } as const
  const always = [
    { does: 'grants', who: 0 },
    { does: 'grants', who: 1 },
    told,
    { does: 'withdraws', who: 0 },
    { does: 'views', who: 1 },
    { does: 'delivers', outcomes: ['refused', 'lost after', 'fails'] },
    { does: 'is also', who: 1, other: 2 },
    { does: 'erased for the purpose', who: 1 },
    told,
  ] as const
  const first = await afterActs(always)
  expect(first).toMatchObject({ missing: [], tooMany: [] })
  expect(first.unasked).toBeGreaterThan(0)
  await fc.assert(
    fc.asyncProperty(audienceActs, async (acts) => {
      expect(await afterActs(acts)).toMatchObject({ missing: [], tooMany: [] })
    }),
    { numRuns: cases(2) },
  )
})

describe('told by difference', () => {
  let rig: Rig
  afterEach(() => rig.close())
  const start = async (options: Partial<RigOptions> = {}) => {
    rig = await Rig.open({ measures, ...options })
    await says(rig, 'ana')
  }

  test('of what waits only the newest word leaves', async () => {
    await start()
    await views(rig, 'ana')
    rig.advance(2 * DAY)
    await rig.fire()
    await views(rig, 'ana')
    await rig.deliver('lists')
    expect(rig.seen.map(({ request }) => request.method)).toEqual(['PUT'])
    expect((await rig.deliveries('lists')).map(({ status }) => status)).toEqual([
      'superseded',
      'superseded',
      'delivered',
    ])
  })

  test('a member the vendor refused is told again when the officer asks, and nobody else', async () => {
    await start()
    await says(rig, 'bia')
    rig.answer = ({ json }) => ({ status: (json as { email: string }).email.startsWith('ana') ? 422 : 200 })
    await views(rig, 'ana')
    await views(rig, 'bia')
    await rig.passOver()
    await rig.deliver('lists')
    expect(vendorListDelivered(await rig.deliveries('lists'))).toEqual({ dead: 1, delivered: 1 })
    rig.answer = () => ({ status: 200 })
    rig.seen.length = 0
    await startPass(
      { kind: 'sync', audience: null, hash: rig.processPorts.settings.measures!.hash },
      rig.state.db,
      rig.now,
    )
    await rig.passOver()
    await rig.deliver('lists')
    expect(rig.sent('email')).toEqual(['ana@loja.example'])
    rig.advance(1)
    await startPass({ kind: 'sync:full', audience: 'viewers', hash: '' }, rig.state.db, rig.now)
    await rig.passOver()
    await rig.deliver('lists')
    expect(rig.sent('email').sort()).toEqual(['ana@loja.example', 'ana@loja.example', 'bia@loja.example'])
  })

  test('telling everything again mends a list that went its own way, in both directions', async () => {
    await start()
    await says(rig, 'bia')
    await views(rig, 'bia')
    rig.advance(2 * DAY)
    await rig.fire()
    await views(rig, 'ana')
    await rig.deliver('lists')
    // Bia came and went between two rounds and was never told; Cida was in and is out.
    await says(rig, 'cida')
    await views(rig, 'cida')
    await rig.deliver('lists')
    await says(rig, 'cida', 'revoke')
    await rig.passOn()
    await rig.deliver('lists')
    // At the vendor somebody restored a copy: Ana is missing, Cida is back.
    const list = new Set(['cida@loja.example'])
    rig.answer = ({ request, json }) => {
      const { email } = json as { email: string }
      if (request.method === 'PUT') list.add(email)
      else list.delete(email)
      return { status: 200 }
    }
    await startPass({ kind: 'sync:full', audience: null, hash: '' }, rig.state.db, rig.now)
    await rig.passOver()
    await rig.deliver('lists')
    expect([...list]).toEqual(['ana@loja.example'])
  })

  test('who is held out is a member, is never sent, and is on the exclusion list', async () => {
    await start({
      measures: {
        audiences: {
          viewers: { ...VIEWERS, experiment: { control: 0.9999 } },
          spared: {
            title,
            purpose: 'email_marketing',
            held_out: [{ audience: 'viewers' }],
            destinations: [{ destination: 'lists', with: { audience: 'excluded' } }],
          },
        },
      },
    })
    await views(rig, 'ana')
    await rig.deliver('lists')
    expect(await inside(rig, 'ana')).toEqual(['viewers', 'spared'])
    expect(rig.sent('audience')).toEqual(['excluded'])
  })

  test('the exclusion list of a rule has those it held out, and nobody whom it wrote to', async () => {
    const rule = (id: string, control: number) =>
      `id: ${id}\nversion: 1\nwhen: {event: Product Viewed}\nunless: {purpose: email_marketing}\nthen: {all: [{destination: mail, action: send, with: {text: oi}}]}\nexperiment: {control: ${control}}`
    const list = (id: string) => ({
      title,
      purpose: 'email_marketing',
      held_out: [{ rule: id }],
      destinations: [{ destination: 'lists', with: { audience: id } }],
    })
    await start({
      measures: { audiences: { poupa: list('poupa'), escreve: list('escreve') } },
      rules: [rule('poupa', 0.9999), rule('escreve', 0)],
    })
    await views(rig, 'ana')
    expect(await inside(rig, 'ana')).toEqual(['poupa'])
  })

  test('a rule answers to entering and to a score, in the turn of the event', async () => {
    await start({
      measures: {
        ...measures,
        scores: {
          interest: {
            title,
            purpose: 'email_marketing',
            calibration: title,
            scorecard: { max: 1, points: [{ if: VIEWERS.who, points: 1 }] },
          },
        },
      },
      rules: [
        `
id: ola
version: 1
when: {audience: {enters: viewers}}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send, with: {text: entrou}}]}
`,
        `
id: quente
version: 1
when: {crosses: {score: interest, above: 0.5}}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: keyed, with: {text: quente}}]}
`,
      ],
    })
    const [batch] = await views(rig, 'ana')
    const sent = batch!.rows.deliveries.filter(([, destination]) => destination !== 'ads')
    expect(sent.map((row) => [row[1], row[2]]).sort()).toEqual([
      ['lists', 'addToAudience'],
      ['mail', 'keyed'],
      ['mail', 'send'],
    ])
  })

  test('time alone is no sign of life: periods of retention run on', async () => {
    await start()
    await views(rig, 'ana')
    const heard = async () =>
      (await rig.state.db.selectFrom('persons').select('updated_at').executeTakeFirstOrThrow()).updated_at
    const before = await heard()
    rig.advance(2 * DAY)
    await rig.fire()
    expect(await inside(rig, 'ana')).toEqual([])
    expect(await heard()).toBe(before)
  })
})

const vendorListDelivered = (rows: readonly { readonly status: string }[]) => {
  const counts: Record<string, number> = {}
  for (const { status } of rows) counts[status] = (counts[status] ?? 0) + 1
  return counts
}
