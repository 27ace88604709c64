/** What vendors tell of their messages bites with the starter purposes, and only what vendors tell. */
import { expect, test } from 'vitest'
import { histories } from '../replay/history.ts'
import { replayPerson } from '../replay/person.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { HOUR, Rig } from '../testing/pipeline-rig.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'

const rule = (id: string, purpose: string) => `
id: ${id}
version: 1
when: {event: Product Viewed}
unless: {purpose: ${purpose}, suppress: [complained, bounced]}
then: {all: [{destination: mail, action: send}]}
`

let made = 0
async function opened(): Promise<Rig> {
  const rig = await Rig.open({ rules: [rule('ofertas', 'email_marketing')], destinations: { mail: {} } })
  await grant(rig)
  return rig
}
const grant = (rig: Rig) =>
  rig.take(
    identify({
      userId: 'ana',
      traits: { email: 'ana@loja.example' },
      messageId: `g-${++made}`,
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      consent: [signal('email_marketing', 'grant', rig.at())],
    }),
  )
const does = (rig: Rig, name: string, properties: Record<string, unknown> = { product_id: 'p' }) =>
  track({ name, userId: 'ana', properties, occurredAt: rig.at(), receivedAt: rig.at(), messageId: `m-${++made}` })
/** As `takeFeedback` records it. */
const told = (rig: Rig, name: string, consent = false) => {
  const event = does(rig, name, { channel: 'email' })
  return {
    ...event,
    source: { id: 'mail', connector: 'mail', payloadHash: '', feedback: true as const },
    consent: consent ? [signal('email_marketing', 'revoke', rig.at())] : [],
  }
}
const results = async (rig: Rig) => (await storedDecisions(rig.state)).map(({ result }) => result)

test('a message that came back stops the next one until something arrives; nothing of it needs a consent', async () => {
  const rig = await opened()
  await rig.take(told(rig, 'Message Bounced'))
  rig.advance(HOUR)
  await rig.take(does(rig, 'Product Viewed'))
  expect(await results(rig)).toEqual(['SUPPRESSED'])
  rig.advance(HOUR)
  await rig.take(told(rig, 'Message Delivered'))
  rig.advance(HOUR)
  await rig.take(does(rig, 'Product Viewed'))
  expect(await results(rig)).toEqual(['SUPPRESSED', 'ENQUEUED'])
  await rig.close()
})

test('a complaint takes the consent back, and outlives it: who agrees again is still not written to', async () => {
  const rig = await opened()
  await rig.take(told(rig, 'Message Marked as Spam', true))
  expect(await rig.status('userId', 'ana', 'email_marketing')).toBe('revoked')
  expect((await rig.history()).map(({ name }) => name)).toEqual(['identify'])
  rig.advance(HOUR)
  await grant(rig)
  await rig.take(does(rig, 'Product Viewed'))
  expect(await results(rig)).toEqual(['SUPPRESSED'])
  const live = (await rig.person('userId', 'ana'))!.profile.suppressed
  expect(live?.complained).toBeDefined()
  for await (const history of histories(rig.now, { state: rig.state, keys: rig.keys, now: rig.now })) {
    const { settings } = rig.processPorts
    const { people } = replayPerson(history, { settings, keys: rig.keys, clock: 'noted', until: rig.now })
    expect(people[0]!.profile.suppressed).toEqual(live)
  }
  await rig.close()
})

test('what a source says counts as far as it is kept, and nobody is made up by a report', async () => {
  const rig = await opened()
  const browser = does(rig, 'Message Marked as Spam', { channel: 'email' })
  await rig.take({ ...browser, consent: [signal('email_marketing', 'revoke', rig.at())] })
  expect((await rig.person('userId', 'ana'))!.profile.suppressed).toBeUndefined()
  const stranger = told(rig, 'Message Bounced')
  await rig.take({ ...stranger, subject: { identifiers: [{ type: 'email', value: 'zoe@loja.example' }] } })
  expect(await rig.person('email', 'zoe@loja.example')).toBeUndefined()
  await rig.close()
})
