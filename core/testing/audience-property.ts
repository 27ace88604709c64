/**
 * Whatever the vendor answered and whatever people did: in the end its lists hold who is in the audience, consented and
 * has an address, and nobody else.
 */
import fc from 'fast-check'
import { startPass } from '../audiences/passes.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { personStatus } from '../stages/identify.ts'
import { VIEWERS } from './audience-world.ts'
import { signal } from './consent-signals.ts'
import { erasePerson } from './erase-person.ts'
import { identify, track } from './events.ts'
import { DAY, HOUR, MINUTE, Rig } from './pipeline-rig.ts'

const PURPOSE = 'email_marketing'
const SILENT = { all: [{ count: { event: 'Product Viewed', window: 'P1D' }, op: 'eq' as const, value: 0 }] }
const measures = {
  audiences: {
    viewers: VIEWERS,
    silent: { ...VIEWERS, who: SILENT, destinations: [{ destination: 'lists', with: { audience: 'l2' } }] },
  },
}
const LISTS = { viewers: 'l1', silent: 'l2' } as const

const who = fc.integer({ min: 0, max: 2 })
const OUTCOMES = ['taken', 'refused', 'fails', 'lost before', 'lost after'] as const
type Outcome = (typeof OUTCOMES)[number]

export type AudienceAct =
  | {
      readonly does: 'views' | 'grants' | 'withdraws' | 'nameless' | 'erased for the purpose' | 'erased'
      readonly who: number
    }
  | { readonly does: 'is also'; readonly who: number; readonly other: number }
  | { readonly does: 'waits'; readonly hours: number }
  | { readonly does: 'delivers'; readonly outcomes: readonly Outcome[] }

const does = (weight: number, ...names: readonly Extract<AudienceAct, { who: number; other?: never }>['does'][]) => ({
  weight,
  arbitrary: fc.record({ does: fc.constantFrom(...names), who }),
})
export const audienceActs: fc.Arbitrary<AudienceAct[]> = fc.array(
  fc.oneof(
    does(8, 'views', 'views', 'grants', 'withdraws'),
    does(2, 'nameless', 'erased for the purpose'),
    does(1, 'erased'),
    { weight: 1, arbitrary: fc.record({ does: fc.constant('is also' as const), who, other: who }) },
    {
      weight: 2,
      arbitrary: fc.record({ does: fc.constant('waits' as const), hours: fc.integer({ min: 1, max: 30 }) }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        does: fc.constant('delivers' as const),
        outcomes: fc.array(fc.constantFrom(...OUTCOMES), { minLength: 1, maxLength: 4 }),
      }),
    },
  ),
  { minLength: 4, maxLength: 14 },
)

const device = (one: number) => `d${one}`
const email = (one: number) => `p${one}@loja.example`

/** @returns list -> what it holds, and what it should: for each person one of their addresses at least, or none. */
export async function afterActs(acts: readonly AudienceAct[], postgres?: string): Promise<AudienceOutcome> {
  const rig = await Rig.open({ measures, postgres })
  try {
    const shop = new Shop(rig)
    for (const act of acts) await shop.take(act)
    await shop.settle()
    return await shop.outcome()
  } finally {
    await rig.close()
  }
}

export interface AudienceOutcome {
  /** Members with consent and an address of whom the list knows no address. */
  readonly missing: readonly string[]
  /** Addresses a list holds of nobody who should be on it. */
  readonly tooMany: readonly string[]
  /** Members the lists hold. */
  readonly held: number
  /** Members without consent. */
  readonly unasked: number
}

class Shop {
  readonly #rig: Rig
  readonly #lists = new Set<string>()
  #outcomes: Outcome[] = []
  #made = 0

  constructor(rig: Rig) {
    this.#rig = rig
    rig.answer = ({ request, json }) => {
      const { email: address, audience } = json as { email: string; audience: string }
      const outcome = this.#outcomes.shift() ?? 'taken'
      if (outcome === 'refused') return { status: 422 }
      if (outcome === 'fails') return { status: 500 }
      if (outcome === 'lost before') return new Error('reset')
      if (request.method === 'PUT') this.#lists.add(`${audience} ${address}`)
      else this.#lists.delete(`${audience} ${address}`)
      return outcome === 'lost after' ? new Error('reset') : { status: 200 }
    }
  }

  async take(act: AudienceAct): Promise<void> {
    const rig = this.#rig
    rig.advance(MINUTE)
    const times = { occurredAt: rig.at(), receivedAt: rig.at(), messageId: `m-${++this.#made}` }
    const said = (one: number, given: object) =>
      rig.take(identify({ anonymousId: device(one), traits: { email: email(one) }, ...times, ...given }))
    if (act.does === 'views')
      await rig.take(
        track({ name: 'Product Viewed', anonymousId: device(act.who), properties: { product_id: 'p' }, ...times }),
      )
    else if (act.does === 'grants') await said(act.who, { consent: [signal(PURPOSE, 'grant', rig.at())] })
    else if (act.does === 'withdraws') await said(act.who, { consent: [signal(PURPOSE, 'revoke', rig.at())] })
    else if (act.does === 'nameless') await said(act.who, { traits: {}, consent: [signal(PURPOSE, 'grant', rig.at())] })
    else if (act.does === 'is also')
      await said(act.who, { traits: { email: email(act.other) }, consent: [signal(PURPOSE, 'grant', rig.at())] })
    else if (act.does === 'erased' || act.does === 'erased for the purpose')
      await this.#erase(act.who, act.does === 'erased')
    else if (act.does === 'waits') {
      rig.advance(act.hours * HOUR)
      await rig.fire()
    } else if (act.does === 'delivers') {
      this.#outcomes = [...act.outcomes]
      await rig.passOn()
      await rig.deliver('lists')
      this.#outcomes = []
    }
  }

  async #erase(one: number, whole: boolean): Promise<void> {
    const values = await erasePerson(
      this.#rig,
      [{ type: 'anonymousId', value: device(one) }],
      measures,
      whole ? undefined : [PURPOSE],
    )
    // Each tool is asked to delete the person by every identifier.
    if (whole)
      for (const list of Object.values(LISTS)) for (const value of values) this.#lists.delete(`${list} ${value}`)
  }

  /** The vendor is well again, the officer has what failed told once more, and nothing is left to do. */
  async settle(): Promise<void> {
    const rig = this.#rig
    for (let round = 0; round < 2; round++) {
      await startPass({ kind: 'sync', audience: null, hash: '' }, rig.state.db, rig.now)
      await rig.passOver()
      for (let left = 1; left > 0; ) {
        rig.advance(HOUR)
        await rig.fire()
        await rig.passOn()
        await rig.deliver('lists')
        left = (await rig.deliveries('lists')).filter(({ settled_at }) => settled_at === null).length
      }
    }
    rig.advance(DAY)
    await rig.fire()
    await rig.deliver('lists')
  }

  async outcome(): Promise<AudienceOutcome> {
    const rig = this.#rig
    const addresses = new Map(
      [0, 1, 2].map((one) => [rig.keys.identifier('email', email(one)).toString('hex'), email(one)]),
    )
    const rows = await rig.state.db.selectFrom('persons').select('id').where('merged_into', 'is', null).execute()
    const batch = new Batch(rig.now, rig.keys)
    await loadPeople(
      batch,
      rig.state,
      [],
      rows.map(({ id }) => id),
    )
    const missing: string[] = []
    const tooMany = new Set(this.#lists)
    let held = 0
    let unasked = 0
    for (const { id } of rows) {
      const person = batch.persons.get(id)
      if (!person) continue
      const granted = personStatus(person.nodes, PURPOSE, batch)?.row.status.status === 'granted'
      const mine = person.nodes.flatMap((node) => (node.hasValue ? (addresses.get(node.hmac) ?? []) : []))
      for (const audience of ['viewers', 'silent'] as const) {
        if (!Object.hasOwn(person.profile.audiences ?? {}, audience)) continue
        if (!granted) unasked += 1
        if (!granted || mine.length === 0) continue
        const known = mine.filter((address) => this.#lists.has(`${LISTS[audience]} ${address}`))
        if (known.length === 0) missing.push(`${audience} ${mine.join(' ')}`)
        else held += 1
        for (const address of known) tooMany.delete(`${LISTS[audience]} ${address}`)
      }
    }
    return { missing, tooMany: [...tooMany], held, unasked }
  }
}
