/**
 * Loja Exemplo, simulated: an endless stream of moments, the same for the same seed. Everything that goes wrong in a
 * real shop goes wrong here too: duplicates, late events, wrong clocks, broken and oversized events.
 */
import { createHash } from 'node:crypto'
import type { Moment } from './moment.ts'
import { createPeople, type Person } from './people.ts'
import { createRandom, type Random } from './random.ts'
import { type Ending, visit } from './visit.ts'
import { invalid, oversize, type Wire } from './wire.ts'

export interface ShopSettings {
  readonly seed: number
  /** How many people the shop has. */
  readonly people: number
  /** Epoch ms at which the shop opens; with the seed it makes the ids. */
  readonly origin: number
  /** Milliseconds of the shop per real one. */
  readonly speed: number
  readonly keys: { readonly segment: string; readonly measurementId: string }
}

export interface Shop {
  readonly people: readonly Person[]
  /** In the order of `at`, without end. */
  readonly moments: Iterable<Moment>
}

/** Until then visits come often, and most are of people who said yes and leave a cart: something to see at once. */
const OPENING_MS = 20_000
const OPENING_GAP_MS = 480
const GAP_MS = 950

export function openShop(settings: ShopSettings): Shop {
  const random = createRandom(settings.seed)
  const run = createHash('sha256').update(`${settings.seed}:${settings.origin}`).digest('hex').slice(0, 6)
  const people = createPeople(settings.people, run, random)
  let ids = 0
  const wire: Wire = {
    random,
    clock: { real: (at) => Math.round(settings.origin + at / settings.speed) },
    id: () => `${run}-${(++ids).toString(36)}`,
    keys: settings.keys,
  }
  return { people, moments: play(people, wire, random) }
}

function* play(people: readonly Person[], wire: Wire, random: Random): Generator<Moment> {
  const waiting: Moment[] = []
  const seen = new Set<Person>()
  const add = (moments: readonly Moment[]) => {
    for (const moment of withDuplicates(moments, random)) {
      const index = waiting.findLastIndex(({ at }) => at <= moment.at)
      waiting.splice(index + 1, 0, moment)
    }
  }
  const enter = (person: Person, ending: Ending, start: number) => {
    const device = person.script ? person.devices[0]! : random.pick(person.devices)
    add(visit(wire, { person, device, ending, start, first: !seen.has(person) }))
    seen.add(person)
  }

  const cast = people.filter(({ script }) => script !== undefined)
  cast.forEach((person, index) => {
    enter(person, person.script === 'buys-in-time' ? 'buys' : 'abandons', 300 + index * 400)
  })
  const others = people.filter(({ script }) => script === undefined)
  const willing = others.filter(({ answer }) => answer === 'granted')
  let start = 2000
  for (;;) {
    while (waiting.length > 0 && waiting[0]!.at <= start) yield waiting.shift()!
    const opening = start < OPENING_MS
    const fresh = opening && random.chance(0.8) ? willing.find((person) => !seen.has(person)) : undefined
    const drawn = random.next()
    if (fresh) enter(fresh, drawn < 0.85 ? 'abandons' : 'buys', start)
    else if (others.length > 0)
      enter(random.pick(others), drawn < 0.4 ? 'abandons' : drawn < 0.7 ? 'buys' : 'browses', start)
    else enter(random.pick(cast), 'browses', start)
    const device = random.pick(people).devices[0]!
    if (random.chance(0.15)) add([invalid(wire, device, start + 700)])
    if (random.chance(0.02)) add([oversize(wire, device, start + 900)])
    start += Math.round((opening ? OPENING_GAP_MS : GAP_MS) * (0.5 + random.next()))
  }
}

/** Senders that did not hear the answer send again: the very same message, a little later. */
function withDuplicates(moments: readonly Moment[], random: Random): Moment[] {
  return moments.flatMap((moment) =>
    random.chance(0.05) && moment.flaw === undefined && moment.told === undefined
      ? [moment, { ...moment, at: moment.at + random.int(1000, 4000), flaw: 'duplicate' as const }]
      : [moment],
  )
}
