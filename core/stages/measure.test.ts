/** Audiences in the pipeline: entered and left in the transaction of their cause, told to destinations by difference. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Config } from '../../schemas/config.ts'
import { startPass } from '../audiences/passes.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, HOUR, Rig, type RigOptions } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'

const title = { pt: 'x', en: 'x' }
const VIEWERS = {
  title,
  purpose: 'email_marketing',
  who: { all: [{ count: { event: 'Product Viewed', window: 'P1D' }, op: 'gte', value: 1 }] },
  destinations: [{ destination: 'lists', with: { audience: 'l1' } }],
} satisfies NonNullable<Config['audiences']>[string]
const measures = { audiences: { viewers: VIEWERS } }

let made = 0
const times = (rig: Rig) => ({ occurredAt: rig.at(), receivedAt: rig.at(), messageId: `m-${++made}` })
const says = (rig: Rig, who: string, action: 'grant' | 'revoke' = 'grant') =>
  rig.take(
    identify({
      userId: who,
      traits: { email: `${who}@loja.example` },
      ...times(rig),
      consent: [signal('email_marketing', action, rig.at())],
    }),
  )
const views = (rig: Rig, who: string, given: Partial<Parameters<typeof track>[0]> = {}) =>
  rig.take(track({ name: 'Product Viewed', userId: who, properties: { product_id: 'p1' }, ...times(rig), ...given }))

const stays = async (rig: Rig) =>
  (await rig.state.db.selectFrom('audience_stays').selectAll().orderBy('entered_at').orderBy('id').execute()).map(
    ({ audience, entered_at, left_at }) => ({ audience, entered_at, left_at }),
  )
/** What the vendor's list holds, by what it was told. */
function vendorList(rig: Rig): string[] {
  const list = new Set<string>()
  for (const { request, json } of rig.seen) {
    const { email } = json as { email: string }
    if (request.method === 'PUT') list.add(email)
    else list.delete(email)
  }
  return [...list].sort()
}
const inside = async (rig: Rig, who: string) => Object.keys((await rig.person('userId', who))?.profile.audiences ?? {})

onBothDatabases('audiences', (open: OpenRig) => {
  test('entered by an event, told to the destination, left by time alone, and taken out there', async () => {
    const rig = await open({ measures })
    await says(rig, 'ana')
    await views(rig, 'ana')
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example'])
    expect(rig.seen.map(({ json }) => json)).toEqual([{ email: 'ana@loja.example', audience: 'l1' }])
    const entered = rig.now
    rig.advance(3 * DAY)
    await rig.fire()
    expect(await stays(rig)).toEqual([{ audience: 'viewers', entered_at: entered, left_at: entered + DAY }])
    expect(await inside(rig, 'ana')).toEqual([])
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
    const [stay] = await rig.state.db
      .selectFrom('audience_stays')
      .select(['why_entered', 'why_left', 'event_id'])
      .execute()
    expect(JSON.parse(stay!.why_entered)).toMatchObject([{ ok: true, value: 1 }])
    expect(JSON.parse(stay!.why_left!)).toMatchObject([{ ok: false, value: 0 }])
    expect(stay!.event_id).toEqual((await rig.history()).find(({ name }) => name === 'Product Viewed')!.id)
    expect(await rig.counts('audience:viewers')).toEqual({ ENTERED: 1, LEFT: 1 })
  })

  test('a withdrawal takes out of the list, not out of the audience; a new grant takes in again', async () => {
    const rig = await open({ measures })
    await says(rig, 'ana')
    await views(rig, 'ana')
    await rig.deliver('lists')
    await says(rig, 'ana', 'revoke')
    await rig.passOn()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
    expect(await inside(rig, 'ana')).toEqual(['viewers'])
    rig.advance(HOUR)
    await says(rig, 'ana')
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example'])
  })

  test('without consent a member is in the audience and nobody is told', async () => {
    const rig = await open({
      measures: { audiences: { viewers: { ...VIEWERS, purpose: 'analytics' } } },
      destinations: { lists: { purposes: ['analytics'] } },
    })
    // Kept for the legitimate or granted purpose of another person: nothing said about this one.
    await rig.take(
      identify({
        userId: 'ana',
        traits: { email: 'ana@loja.example' },
        ...times(rig),
        consent: [signal('email_marketing', 'grant', rig.at())],
      }),
    )
    await views(rig, 'ana')
    expect(await rig.deliveries('lists')).toEqual([])
  })

  test('two people who turn out to be one are one member, since the earlier entry; both addresses are taken out', async () => {
    const rig = await open({ measures })
    const on = (device: string, email: string) =>
      rig.take(
        identify({
          anonymousId: device,
          traits: { email },
          ...times(rig),
          consent: [signal('email_marketing', 'grant', rig.at())],
        }),
      )
    const sees = (device: string) =>
      rig.take(track({ name: 'Product Viewed', anonymousId: device, properties: { product_id: 'p' }, ...times(rig) }))
    await on('d1', 'ana@loja.example')
    await on('d2', 'bia@loja.example')
    await sees('d1')
    const first = rig.now
    rig.advance(HOUR)
    await sees('d2')
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example', 'bia@loja.example'])
    await on('d1', 'bia@loja.example')
    const people = await rig.state.db.selectFrom('persons').select('id').where('merged_into', 'is', null).execute()
    expect(people).toHaveLength(1)
    const open_ = (await stays(rig)).filter(({ left_at }) => left_at === null)
    expect(open_).toEqual([{ audience: 'viewers', entered_at: first, left_at: null }])
    rig.advance(2 * DAY)
    await rig.fire()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
  })

  test('a new definition is held against everybody once, from history, a page at a time', async () => {
    const rig = await open({})
    for (const who of ['ana', 'bia', 'cida']) await says(rig, who)
    for (const who of ['ana', 'bia']) await views(rig, who)
    const before = (await rig.person('userId', 'cida'))!.seq
    await rig.restart({ measures })
    expect(await stays(rig)).toEqual([])
    await rig.passOver()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example', 'bia@loja.example'])
    expect((await rig.person('userId', 'cida'))!.seq).toBe(before)
    expect(await rig.passOver()).toEqual([])
    // The window goes on from where history says it began.
    rig.advance(DAY)
    await rig.fire()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
    // And a definition that is gone leaves nobody behind.
    await views(rig, 'ana')
    await rig.deliver('lists')
    await rig.restart({ measures: {} })
    await rig.passOver()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
    expect(await inside(rig, 'ana')).toEqual([])
  })
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
