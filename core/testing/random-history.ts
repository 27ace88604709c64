/** A random life of a few people on the rig: events, answers about consent, time, deliveries. The same seed, the same life. */
import fc from 'fast-check'
import type { CanonicalEvent } from '../../schemas/event.ts'
import { startPass } from '../audiences/passes.ts'
import { nextSlot } from '../decision/schedule.ts'
import { scheduledRules } from '../rules/slot-turn.ts'
import { fireSchedules } from '../rules/slots.ts'
import { signal } from './consent-signals.ts'
import { alias, identify, page, track } from './events.ts'
import { LIFE_MEASURES, OTHER_MEASURES } from './life-measures.ts'
import { DAY, MINUTE, type Rig } from './pipeline-rig.ts'

export const LIFE_RULES = [
  `
id: carrinho
version: 1
when:
  absence:
    start: {event: Product Added}
    unless: {any: [{event: Order Completed}, {cart: emptied}]}
    within: PT30M
    grace: PT5M
who: {all: [{field: cart.total, op: gte, value: 500}]}
unless:
  purpose: email_marketing
  caps: [{per: person, max: 2, window: PT6H}]
  reentry: {max: 5, min_interval: PT20M}
then: {all: [{destination: mail, action: send, with: {text: "Esqueceu algo?"}}], expires: PT6H}
experiment: {holdout: global, control: 0.2}
exit_on: [Order Completed]
`,
  `
id: visto
version: 1
when:
  absence:
    start: {event: Product Viewed}
    unless: {any: [{event: Product Added}]}
    within: PT10M
    correlate: product_id
unless: {purpose: email_marketing, caps: [{per: person+channel, max: 3, window: PT4H}]}
then: {all: [{destination: mail, action: send}]}
`,
  `
id: obrigado
version: 1
when: {event: Order Completed, where: {all: [{field: event.total, op: gte, value: 20}]}}
who: {any: [{count: {event: Order Completed, window: PT12H}, op: gte, value: 2}, {field: person.known, op: eq, value: true}]}
unless: {purpose: email_marketing, caps: [{per: person+rule, max: 1, window: PT2H}]}
then: {all: [{destination: mail, action: keyed}]}
exit_on: [Order Completed]
`,
]

const SEND = '{all: [{destination: mail, action: send}]}'

/** Sequences, crossings, schedules and a shadow, with what may stand in their way. */
export const TRIGGER_RULES = [
  `
id: procurou-e-pos
version: 1
when: {sequence: {steps: [{event: Product Viewed}, {event: Product Added}], within: PT2H, correlate: product_id}}
unless: {purpose: email_marketing, quiet_hours: {from: "10:00", to: "11:30", zone: organization}}
then: ${SEND}
experiment: {control: 0.2, variants: [{id: a, weight: 2, with: {text: A}}, {id: b, weight: 1}]}
`,
  `
id: terceira-vista
version: 1
when: {count: {event: Product Viewed, window: PT3H}, op: gte, value: 3}
unless: {purpose: email_marketing, caps: [{per: person, max: 4, window: PT6H}]}
then: {channel: {order: [sms, email]}, send: {sms: {destination: sms, action: text}, email: {destination: mail, action: send}}}
`,
  `
id: hora-certa
version: 1
when: {schedule: {cron: "*/20 * * * *", timezone: America/Sao_Paulo}}
who: {any: [{count: {event: Product Viewed, window: PT1H}, op: gte, value: 1}]}
unless: {purpose: email_marketing, caps: [{per: person+rule, max: 2, window: PT4H}]}
then: ${SEND}
`,
  `
id: sombra
version: 1
when: {absence: {start: {event: Product Added}, unless: {any: [{event: Product Removed}]}, within: PT15M}}
unless: {purpose: email_marketing}
then: ${SEND}
rollout: {stage: shadow}
`,
]

interface Happened {
  readonly what: number
  readonly who: number
  readonly product: number
  /** Minutes between when it happened and when it came. */
  readonly late: number
  readonly source: number
  /** A file tells of it the day after. */
  readonly past?: boolean
}

type Happening =
  | { kind: 'events'; list: Happened[] }
  | { kind: 'time'; minutes: number; fire: boolean }
  /** A vendor takes what is due, refuses it, or fails. */
  | { kind: 'deliver'; status?: number }
  /** Withdrawals go on to the tools that have the person. */
  | { kind: 'passes on' }
  /** Destinations are told again of the members they refused, or of all. */
  | { kind: 'syncs'; full: boolean }
  | { kind: 'restarts' }
  /** Audiences, computed traits and scores become others; everybody is gone through at once, or later. */
  | { kind: 'defines'; which: number; fill: boolean }

const one: fc.Arbitrary<Happened> = fc.record({
  what: fc.nat(14),
  who: fc.nat(4),
  product: fc.nat(2),
  late: fc.constantFrom(0, 0, 0, 0, 3, 25, 50),
  source: fc.nat(2),
  past: fc.nat(15).map((n) => n === 15),
})
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('events' as const), list: fc.array(one, { minLength: 1, maxLength: 5 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('time' as const),
      minutes: fc.integer({ min: 1, max: 50 }),
      fire: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('deliver' as const), status: fc.constantFrom(200, 200, 400, 500) }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Happening>({ kind: 'passes on' }, { kind: 'restarts' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('syncs' as const), full: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('defines' as const), which: fc.nat(2), fill: fc.boolean() }),
  },
)
/** Whoever has an id agrees to everything. */
const AGREED: Happening = {
  kind: 'events',
  list: [0, 2, 3].map((who) => ({ what: 11, who, product: 1, late: 0, source: 0 })),
}
const lifeOf = (one: fc.Arbitrary<Happening>): fc.Arbitrary<Happening[]> =>
  fc
    .tuple(fc.constantFrom([], [AGREED]), fc.array(one, { minLength: 5, maxLength: 30 }))
    .map(([first, then]) => [...first, ...then])

export const life = lifeOf(happening)
/** Definitions stay what they are, and nobody is gone through without a reason of theirs. */
export const unchanging = lifeOf(happening.filter(({ kind }) => kind !== 'defines' && kind !== 'syncs'))

const DEFINITIONS = [LIFE_MEASURES, OTHER_MEASURES, {}]

const SOURCES = [
  { id: 'site', connector: 'segment' },
  { id: 'app', connector: 'rudderstack' },
  { id: 'tag', connector: 'gtm' },
]

/**
 * @param prefix keeps the message ids of lives apart.
 * @param passTime so many milliseconds; the hub looks at what was due by then when it is told to.
 */
export async function live(
  happenings: readonly Happening[],
  rig: Rig,
  prefix: string,
  passTime: (rig: Rig, ms: number, fire: boolean) => Promise<void> = late,
): Promise<void> {
  let made = 0
  for (const one of happenings) {
    // No two transactions share a moment: what a delivery gave back is then clearly before or after.
    rig.advance(1)
    if (one.kind === 'deliver') {
      rig.answer = () => ({ status: one.status ?? 200 })
      for (const destination of ['mail', 'sms', 'lists']) await rig.deliver(destination)
    } else if (one.kind === 'passes on') await rig.passOn()
    else if (one.kind === 'restarts') await rig.restart()
    else if (one.kind === 'defines') {
      await rig.restart({ measures: DEFINITIONS[one.which]! })
      if (one.fill) await rig.passOver()
    } else if (one.kind === 'syncs') {
      const { hash } = rig.processPorts.settings.measures!
      await startPass({ kind: one.full ? 'sync:full' : 'sync', audience: null, hash }, rig.state.db, rig.now)
      await rig.passOver()
    } else if (one.kind === 'time') {
      await passTime(rig, one.minutes * MINUTE, one.fire)
    } else {
      const events = one.list.map((given) => eventOf(given, rig, `${prefix}-${++made}`))
      await rig.take(...events.filter((event) => event !== undefined))
      if (passTime === punctually) await punctually(rig, 0)
    }
  }
  await passTime(rig, MINUTE, true)
}

async function late(rig: Rig, ms: number, fire: boolean): Promise<void> {
  rig.advance(ms)
  if (!fire) return
  await rig.fire()
  // Two passes of one moment are told apart by their order alone.
  rig.advance(1)
  while (await fireSchedules(rig.now, rig.processPorts)) rig.advance(1)
}

/** A hub that is never late: whatever is due is looked at the very millisecond. */
export async function punctually(rig: Rig, ms: number): Promise<void> {
  const until = rig.now + ms
  const scheduled = scheduledRules(rig.rules, 'America/Sao_Paulo')
  for (;;) {
    const { due } = await rig.state.db
      .selectFrom('wakeups')
      .select(({ fn }) => fn.min('due_at').as('due'))
      .executeTakeFirstOrThrow()
    const slots = scheduled.flatMap(({ schedule }) => nextSlot(schedule, rig.now) ?? [])
    const next = Math.min(...slots, due === null ? Number.POSITIVE_INFINITY : Math.max(Number(due), rig.now))
    if (next > until) break
    rig.now = next
    await rig.fire()
    while (await fireSchedules(rig.now, rig.processPorts));
  }
  rig.now = until
}

/** Five people: a known one on two devices, one who logs in late, two who share a device, an anonymous one. */
const WHO = [
  { userId: 'ana', anonymousId: 'a1' },
  { anonymousId: 'b1' },
  { userId: 'bia', anonymousId: 'b1' },
  { userId: 'cau', anonymousId: 'b1' },
  { anonymousId: 'a2' },
]

function eventOf(
  { what, who, product, late, source, past }: Happened,
  rig: Rig,
  messageId: string,
): CanonicalEvent | undefined {
  const at = rig.at(-late * MINUTE - (past ? DAY : 0))
  const given = {
    ...WHO[who],
    messageId,
    occurredAt: at,
    receivedAt: rig.at(),
    source: { ...SOURCES[source]!, ...(past && { past: true as const }) },
    properties: { product_id: `p${product}`, price: 4 + product, quantity: 1 },
  }
  const name = (word: string) => track({ ...given, name: word })
  const order = {
    ...given,
    properties: { order_id: `o${product}-${who % 2}`, total: 15 + product * 10, currency: 'BRL' },
  }
  switch (what) {
    case 0:
    case 1:
      return name('Product Added')
    case 2:
      return name('Product Removed')
    case 3:
    case 4:
      return track({ ...order, name: 'Order Completed' })
    case 5:
    case 6:
      return name('Product Viewed')
    case 7:
      return page({ ...given, properties: {} })
    case 8:
      return identify({
        ...given,
        properties: {},
        traits: { email: `${WHO[who]!.userId ?? 'x'}@loja.example`, plan: 'pro' },
      })
    case 9:
      return identify({
        ...given,
        properties: {},
        consent: [signal('email_marketing', product === 0 ? 'revoke' : 'grant', at), signal('analytics', 'grant', at)],
        traits: { email: `${WHO[who]!.userId ?? 'x'}@loja.example` },
      })
    case 10:
      return who === 0
        ? alias({ userId: 'ana', previousId: 'a2', messageId, occurredAt: at, receivedAt: rig.at() })
        : name('Cart Viewed')
    case 12:
      return track({
        ...given,
        name: ['Email Bounced', 'Email Opened', 'Message Marked as Spam'][product]!,
        properties: { channel: 'email' },
        source: { id: 'mail', connector: 'mail', ...(source > 0 && { feedback: true as const }) },
      })
    case 13:
      return name(product === 0 ? 'Ticket Opened' : 'Ticket Closed')
    default:
      return identify({
        ...given,
        properties: {},
        consent: [signal('email_marketing', 'grant', at), signal('analytics', product === 0 ? 'deny' : 'grant', at)],
        traits: { email: `${WHO[who]!.userId ?? 'x'}@loja.example` },
      })
  }
}
