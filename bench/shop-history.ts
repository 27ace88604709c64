/** A shop's months in a state of its own, made by the pipeline itself: what a backtest reads. The same figures, the same history. */
import { signal } from '../core/testing/consent-signals.ts'
import { identify, page, track } from '../core/testing/events.ts'
import { DAY, HOUR, MINUTE, Rig } from '../core/testing/pipeline-rig.ts'
import type { CanonicalEvent } from '../schemas/event.ts'

export interface ShopSize {
  readonly people: number
  /** Events that the people send, roughly. */
  readonly events: number
  readonly days: number
}

/** Mulberry32: small, and the same on every machine. */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Act {
  readonly at: number
  readonly make: (id: string, at: string) => CanonicalEvent
}

/** Visits of one person: pages, products, now and then a cart, less often an order. */
function actsOf(person: number, from: number, { events, people, days }: ShopSize, roll: () => number): Act[] {
  const userId = `person-${person}`
  const anonymousId = `device-${person}`
  const acts: Act[] = []
  const add = (at: number, make: Act['make']) => acts.push({ at, make })
  const product = () => `p-${Math.floor(roll() * 500)}`
  const begin = from + roll() * 2 * DAY
  const answer = roll() < 0.75 ? 'grant' : 'deny'
  add(begin, (messageId, at) =>
    identify({
      userId,
      anonymousId,
      messageId,
      occurredAt: at,
      receivedAt: at,
      traits: { email: `${userId}@loja.example`, name: 'Ana Souza' },
      context: { timezone: 'America/Sao_Paulo', page: { path: '/entrar' } },
      consent: [signal('email_marketing', answer, at), signal('analytics', 'grant', at)],
    }),
  )
  const visits = Math.max(1, Math.round(events / people / 12))
  for (let visit = 0; visit < visits; visit++) {
    let at = begin + HOUR + roll() * (days - 3) * DAY
    const step = () => {
      at += MINUTE * (0.2 + 3 * roll())
      return at
    }
    const given = (messageId: string, when: string) => ({
      userId,
      anonymousId,
      messageId,
      occurredAt: when,
      receivedAt: when,
      context: { timezone: 'America/Sao_Paulo', locale: 'pt-BR', page: { path: '/loja', title: 'Loja' } },
    })
    const buysSomething = roll() < 0.3
    for (let n = 0; n < 11; n++) {
      const kind = roll()
      const line = { product_id: product(), name: 'Tênis Corrida São João', price: 219.9, quantity: 1, currency: 'BRL' }
      if (kind < 0.35) add(step(), (id, when) => page({ ...given(id, when), name: 'Produto' }))
      else if (kind < 0.88 || !buysSomething)
        add(step(), (id, when) => track({ ...given(id, when), name: 'Product Viewed', properties: line }))
      else add(step(), (id, when) => track({ ...given(id, when), name: 'Product Added', properties: line }))
    }
    if (buysSomething && roll() < 0.4)
      add(step(), (id, when) =>
        track({
          ...given(id, when),
          name: 'Order Completed',
          properties: { order_id: id, total: 50 + Math.floor(roll() * 400), currency: 'BRL' },
        }),
      )
  }
  return acts
}

/** The caller closes the rig. @param rules that are live meanwhile, as YAML. */
export async function shopHistory(size: ShopSize, rules: readonly string[]): Promise<Rig> {
  const rig = await Rig.open({ rules })
  const from = rig.now
  const roll = dice(7)
  const acts = Array.from({ length: size.people }, (_, person) => actsOf(person, from, size, roll))
    .flat()
    .sort((a, b) => a.at - b.at)
  let fired = from
  for (let start = 0; start < acts.length; start += 512) {
    const part = acts.slice(start, start + 512)
    rig.now = part.at(-1)!.at
    await rig.take(...part.map(({ at, make }, n) => make(`m-${start + n}`, new Date(at).toISOString())))
    if (rig.now - fired < HOUR) continue
    fired = rig.now
    while (await rig.fire());
  }
  rig.advance(DAY)
  while (await rig.fire());
  return rig
}
