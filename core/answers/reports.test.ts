import { afterEach, expect, test } from 'vitest'
import { signal } from '../testing/consent-signals.ts'
import { identify, page, track } from '../testing/events.ts'
import { DAY, MINUTE, Rig, SECOND } from '../testing/pipeline-rig.ts'
import { readGaps } from './gaps.ts'
import { readPropagation } from './propagation.ts'

let rig: Rig
afterEach(() => rig?.close())

const config = {
  organization: { name: 'Loja Exemplo' },
  sources: { tag: { connector: 'gtm' }, site: { connector: 'segment' } },
  purposes: {},
}

test('what unknown consent costs, per source, reason and purpose, with how many people', async () => {
  rig = await Rig.open()
  const times = () => ({ occurredAt: rig.at(), receivedAt: rig.at() })
  const tag = { source: { id: 'tag', connector: 'gtm' }, context: { google: { gcd: '13l3l3l3l1l1' } } }
  for (let n = 0; n < 12; n++)
    await rig.take(page({ messageId: `p${n}`, anonymousId: `d${n % 4}`, ...tag, ...times() }))
  const consent = [signal('analytics', 'grant', rig.at())]
  await rig.take(page({ messageId: 'yes', anonymousId: 'd9', consent, ...times() }))
  rig.advance(DAY)
  await rig.take(page({ messageId: 'again', anonymousId: 'd1', ...tag, ...times() }))

  const { items } = await readGaps(rig.state.db, { purposes: rig.purposes, config, from: rig.now - 30 * DAY })
  const analytics = items.find(({ source, purpose }) => source === 'tag' && purpose === 'analytics')
  expect(analytics).toMatchObject({
    reason: 'consent_mode_off',
    events: 13,
    people: 4,
    share: 1,
    sample: '13l3l3l3l1l1',
  })
  expect(analytics?.sentence.pt).toBe('Seu GTM (tag) envia 13l3l3l3l1l1: o consent mode está desligado.')
  expect(items.find(({ source, purpose }) => source === 'site' && purpose === 'analytics')).toBeUndefined()
  const today = await readGaps(rig.state.db, { purposes: rig.purposes, config, from: rig.now })
  expect(today.items.find(({ purpose }) => purpose === 'analytics')).toMatchObject({ events: 1, people: 1 })
  // Nobody can be read out of what is kept.
  const rows = await rig.state.db.selectFrom('consent_gaps').select('people').execute()
  expect(rows.every(({ people }) => people.length === 1024)).toBe(true)
})

test('how long each tool took to confirm a withdrawal', async () => {
  rig = await Rig.open()
  for (const [index, lag] of [2 * SECOND, 10 * SECOND, 60 * SECOND].entries()) {
    const who = { userId: `u${index}`, traits: { email: `u${index}@example.com` } }
    const say = (action: 'grant' | 'revoke') =>
      identify({
        ...who,
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        consent: [signal('email_marketing', action, rig.at())],
      })
    await rig.take(say('grant'))
    await rig.take(track({ name: 'Product Viewed', userId: `u${index}`, occurredAt: rig.at(), receivedAt: rig.at() }))
    await rig.deliver('crm')
    await rig.deliver('ads')
    rig.advance(10 * MINUTE)
    await rig.take(say('revoke'))
    await rig.passOn()
    rig.advance(lag)
    await rig.deliver('crm')
  }
  const { tools, recent } = await readPropagation(rig.state.db, rig.now - DAY)
  expect(tools).toEqual([
    {
      destination: 'ads',
      ...{ withdrawals: 3, confirmed: 0, waiting: 0, failed: 0, noCall: 3, p50Ms: null, p99Ms: null },
    },
    {
      destination: 'crm',
      ...{ withdrawals: 3, confirmed: 3, waiting: 0, failed: 0, noCall: 0, p50Ms: 10_000, p99Ms: 60_000 },
    },
  ])
  expect(recent).toHaveLength(6)
  expect(recent[0]).toMatchObject({ purpose: 'email_marketing', receivedAt: rig.now - 60 * SECOND })
  const one = await readPropagation(rig.state.db, 0, { withdrawal: recent[0]!.withdrawal })
  expect(one.recent).toHaveLength(2)
})
