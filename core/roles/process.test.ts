/** The process role itself, on the log as it lies on disk: what it read is not ahead of what it fires. */
import { afterEach, expect, test } from 'vitest'
import { openRuleBook } from '../rules/book.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { MINUTE, Rig } from '../testing/pipeline-rig.ts'
import { type ProcessRole, startProcess } from './process.ts'

const CART = `
id: carrinho
version: 1
when:
  absence:
    start: {event: Product Added}
    unless: {any: [{event: Order Completed}]}
    within: PT30M
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send, with: {text: "Esqueceu algo?"}}]}
`

let rig: Rig
const roles: ProcessRole[] = []
afterEach(async () => {
  for (const role of roles.splice(0)) await role.stop()
  await rig.close()
})

async function started(): Promise<ProcessRole> {
  const role = await startProcess({
    state: rig.state,
    keys: rig.keys,
    log: rig.log,
    rules: await openRuleBook(rig.state, { clock: () => rig.now }),
    settingsFor: () => rig.processPorts.settings,
    ledger: { anchorFolder: undefined, privacy: 'strict' },
    publicUrl: 'https://hub.example',
    commands: {},
    clock: () => rig.now,
    onCommitted: () => {},
    onLive: () => {},
    onCounts: () => {},
    onDeliveries: () => {},
    onFault: ({ message }) => {
      throw new Error(message)
    },
  })
  roles.push(role)
  return role
}

const of = (userId: string, name: string) =>
  track({
    name,
    userId,
    properties:
      name === 'Order Completed'
        ? { order_id: `o-${userId}`, total: 10 }
        : { product_id: 'p1', price: 10, quantity: 1 },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
  })
const known = (userId: string) =>
  identify({
    userId,
    traits: { email: `${userId}@loja.example` },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    consent: [signal('email_marketing', 'grant', rig.at())],
  })

test.each([1, 2])(
  'purchases that lie unprocessed in the log when the timers are due stop their messages, for %i workers; the others go out once',
  async (workers) => {
    rig = await Rig.open({ rules: [CART] })
    const people = Array.from({ length: 12 }, (_, index) => `p${index}`)
    await rig.take(...people.map(known), ...people.map((id) => of(id, 'Product Added')))
    // The workers are down: half of the people buy in the meantime, and only then is everybody's timer due.
    rig.advance(20 * MINUTE)
    const bought = people.filter((_, index) => index % 2 === 0)
    // Behind more than one read of the log.
    await rig.record(...Array.from({ length: 600 }, () => of('somebody', 'Product Viewed')))
    await rig.record(...bought.map((id) => of(id, 'Order Completed')))
    rig.advance(20 * MINUTE)
    const begun = await Promise.all(Array.from({ length: workers }, started))
    await Promise.all(begun.map((role) => role.drained()))
    const wanted = await Promise.all(
      people.filter((id) => !bought.includes(id)).map(async (id) => (await rig.person('userId', id))!.id),
    )
    const rows = await rig.deliveries('mail')
    expect(rows.map(({ person_id }) => person_id).sort()).toEqual(wanted.sort())
  },
)
