/** Deliveries when something is wrong: with one row, with the database, with a quota, with one vendor among several. */
import { describe, expect, test } from 'vitest'
import { RetryableError } from '../kit/errors.ts'
import { tidy } from '../roles/deliver.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, HOUR, MINUTE, type Rig, SECOND, type SeenRequest } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'

const rule = (destination: string, action: string) => `
id: ${destination}_${action}
version: 1
when: {event: Product Viewed}
unless: {purpose: email_marketing, caps: [{per: person, max: 500, window: P1D}]}
then: {all: [{destination: ${destination}, action: ${action}}]}
`

let made = 0
const person = (rig: Rig, userId: string, given: Partial<Parameters<typeof identify>[0]> = {}) =>
  identify({
    userId,
    traits: { email: `${userId}@loja.example`, name: userId },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `i-${++made}`,
    consent: [signal('email_marketing', 'grant', rig.at())],
    ...given,
  })
const view = (rig: Rig, userId: string, product: string) =>
  track({
    name: 'Product Viewed',
    userId,
    properties: { product_id: product },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `v-${++made}`,
  })
const people = (count: number) => Array.from({ length: count }, (_, n) => `p${n}`)
const ends = async (rig: Rig, destination: string) =>
  (await rig.deliveries(destination)).map(({ status, reason }) => `${status} ${reason}`)
/** Four rounds at the same time, as the role runs them. */
const rounds = (rig: Rig, destination: string) => Promise.all([1, 2, 3, 4].map(() => rig.deliver(destination)))
const perMinute = (seen: readonly SeenRequest[]) => {
  const counts = new Map<number, number>()
  for (const { at } of seen) counts.set(Math.floor(at / MINUTE), (counts.get(Math.floor(at / MINUTE)) ?? 0) + 1)
  return [...counts.values()]
}
/** From now on transactions of the deliver role fail as on a full disk, as often as `fails` says. */
function onFullDisk(rig: Rig): { fails: number } {
  const { state } = rig.deliverPorts
  const disk = { fails: 0 }
  rig.deliverPorts = {
    ...rig.deliverPorts,
    state: {
      ...state,
      async transaction(work) {
        if (disk.fails === 0) return state.transaction(work)
        disk.fails -= 1
        throw Object.assign(new Error('disk'), { code: 'SQLITE_FULL' })
      },
    },
  }
  return disk
}

onBothDatabases('deliveries in trouble', (open: OpenRig) => {
  describe('quotas', () => {
    test('a window of the account is never above its cap, however many rounds run at once; the rest waits', async () => {
      const rig = await open({ rules: [rule('sms', 'text')], destinations: { sms: {} } })
      await rig.take(...people(25).flatMap((id) => [person(rig, id), view(rig, id, 'x')]))
      for (let minute = 0; minute < 4; minute++) {
        await rounds(rig, 'sms')
        rig.advance(MINUTE)
      }
      expect(perMinute(rig.seen)).toEqual([10, 10, 5])
      expect((await ends(rig, 'sms')).every((end) => end === 'delivered DELIVERED')).toBe(true)
      // Waiting is no attempt.
      expect((await rig.deliveries('sms')).every(({ attempt }) => attempt === 1)).toBe(true)
    })

    test('look-ups count as the requests they are', async () => {
      const rig = await open({ rules: [rule('sms', 'checked')], destinations: { sms: {} } })
      await rig.take(...people(8).flatMap((id) => [person(rig, id), view(rig, id, 'x')]))
      for (let minute = 0; minute < 4; minute++) {
        await rounds(rig, 'sms')
        rig.advance(MINUTE)
      }
      expect(perMinute(rig.seen).every((requests) => requests <= 10)).toBe(true)
      expect(rig.seen.filter(({ request }) => request.method === 'POST')).toHaveLength(8)
    })

    test('a window of a contact holds for writes that two rounds begin at once', async () => {
      const rig = await open({ rules: [rule('mail', 'daily')], destinations: { mail: {} } })
      await rig.take(person(rig, 'ana'), view(rig, 'ana', 'x'), view(rig, 'ana', 'y'))
      // Another process took the only one of today between lease and attempt.
      const { begin } = rig.deliverPorts.attempts
      rig.deliverPorts = {
        ...rig.deliverPorts,
        attempts: {
          async begin(attempts, now) {
            const [window] = attempts[0]!.windows!
            await rig.state.db
              .insertInto('quotas')
              .values({ key: window!.key, window_start: window!.start, used: 1 })
              .onConflict((conflict) => conflict.doNothing())
              .execute()
            return begin(attempts, now)
          },
        },
      }
      await rig.deliver('mail')
      expect(rig.seen).toEqual([])
      expect(await rig.deliveries('mail')).toMatchObject([{ status: 'queued', reason: 'WAITING', attempt: 0 }, {}])
      rig.advance(DAY)
      await rig.deliver('mail')
      expect(rig.seen).toEqual([])
    })

    test('counters of windows that ended are forgotten', async () => {
      const rig = await open({ rules: [rule('sms', 'text')], destinations: { sms: {} } })
      await rig.take(person(rig, 'ana'), view(rig, 'ana', 'x'))
      await rig.deliver('sms')
      expect(await rig.rows('quotas')).toBe(1)
      rig.advance(2 * MINUTE)
      await tidy(rig.deliverPorts)
      expect(await rig.rows('quotas')).toBe(0)
    })
  })

  describe('one bad row', () => {
    test('what cannot be prepared is a dead letter that names the place; its neighbours go out in the same round', async () => {
      const rig = await open({ rules: [rule('mail', 'send')], destinations: { mail: {} } })
      await rig.take(...people(9).flatMap((id) => [person(rig, id), view(rig, id, id)]))
      const broken = (await rig.deliveries('mail'))[4]!
      await rig.state.db
        .updateTable('deliveries')
        .set({ input: Buffer.alloc(64) })
        .where('id', '=', broken.id)
        .execute()
      await rig.deliver('mail')
      expect(rig.sent('product').sort()).toEqual(people(9).filter((id) => id !== 'p4'))
      const row = (await rig.deliveries('mail'))[4]!
      expect(row).toMatchObject({ status: 'dead', reason: 'FAULT', attempt: 0 })
      expect(row.answer).toMatch(/^Error core\//)
      expect(rig.faults).toHaveLength(1)
      // Whoever comes after it in its lane is not held up.
      await rig.take(view(rig, 'p4', 'next'))
      await rig.deliver('mail')
      expect(rig.sent('product').at(-1)).toBe('next')
    })

    test('an action that its connector no longer has', async () => {
      const rig = await open({ rules: [rule('mail', 'send')], destinations: { mail: {} } })
      await rig.take(person(rig, 'ana'), view(rig, 'ana', 'x'))
      await rig.state.db.updateTable('deliveries').set({ action: 'gone' }).execute()
      await rig.deliver('mail')
      expect(await rig.deliveries('mail')).toMatchObject([
        { status: 'dead', reason: 'MAPPING_FAILED', answer: 'the connector has no action of this name' },
      ])
    })

    test('an answer that the database cannot hold as text', async () => {
      const rig = await open({ rules: [rule('mail', 'send')], destinations: { mail: {} } })
      await rig.take(person(rig, 'ana'), person(rig, 'bia'), view(rig, 'ana', 'x'), view(rig, 'bia', 'y'))
      rig.answer = () => new RetryableError('reset\0by peer')
      await rig.deliver('mail')
      expect((await rig.deliveries('mail')).map(({ status, answer }) => `${status} ${answer}`)).toEqual([
        'retry resetby peer',
        'retry resetby peer',
      ])
    })
  })

  describe('trouble with the database', () => {
    test('before the attempt is on disk: nothing leaves, nothing is a dead letter, it goes out afterwards', async () => {
      const rig = await open({ rules: [rule('mail', 'send')], destinations: { mail: {} } })
      await rig.take(person(rig, 'ana'), view(rig, 'ana', 'x'))
      const { begin } = rig.deliverPorts.attempts
      let broken = true
      rig.deliverPorts = {
        ...rig.deliverPorts,
        attempts: {
          begin: async (...given) => {
            if (broken) throw Object.assign(new Error('disk'), { code: 'SQLITE_IOERR' })
            return begin(...given)
          },
        },
      }
      await rig.deliver('mail')
      expect(rig.seen).toEqual([])
      expect(await rig.deliveries('mail')).toMatchObject([{ status: 'queued', attempt: 0, settled_at: null }])
      broken = false
      rig.advance(MINUTE)
      await rig.deliver('mail')
      expect(await ends(rig, 'mail')).toEqual(['delivered DELIVERED'])
    })

    test('after the answer: it is written as soon as the database takes it, and nothing is sent again', async () => {
      const rig = await open({ rules: [rule('mail', 'send')], destinations: { mail: {} } })
      await rig.take(person(rig, 'ana'), view(rig, 'ana', 'x'))
      const disk = onFullDisk(rig)
      rig.answer = () => {
        disk.fails = 2
        return { status: 200 }
      }
      await rig.deliver('mail')
      expect(disk.fails).toBe(0)
      expect(rig.seen).toHaveLength(1)
      expect(await ends(rig, 'mail')).toEqual(['delivered DELIVERED'])
    })

    test('an answer that was lost is recovered while the hub runs: once its lease ran out, by the idempotency of its action', async () => {
      const rig = await open({
        rules: [rule('mail', 'send'), rule('mail', 'keyed')],
        destinations: { mail: {}, crm: {} },
      })
      await rig.take(person(rig, 'ana'), view(rig, 'ana', 'x'))
      // The messages of one person go one after the other: the second waits behind the first.
      const disk = onFullDisk(rig)
      const stop = new AbortController()
      stop.abort()
      rig.deliverPorts = { ...rig.deliverPorts, stop: stop.signal }
      rig.answer = () => {
        disk.fails = Number.POSITIVE_INFINITY
        return { status: 200 }
      }
      await expect(rig.deliver('mail')).rejects.toThrow('disk')
      disk.fails = 0
      rig.answer = () => ({ status: 200 })
      const [first] = await rig.deliveries('mail')
      expect(first!.status).toBe('attempted')
      // Its lease stands: somebody may still be writing its answer.
      rig.advance(MINUTE)
      await tidy(rig.deliverPorts)
      expect((await rig.deliveries('mail'))[0]!.status).toBe('attempted')
      rig.advance(2 * MINUTE)
      await tidy(rig.deliverPorts)
      await rig.deliver('mail')
      // The one without a key is for a person to decide; the one with a key behind it went out.
      expect((await rig.deliveries('mail')).map(({ action, status }) => `${action} ${status}`).sort()).toEqual(
        first!.action === 'send' ? ['keyed delivered', 'send uncertain'] : ['keyed delivered', 'send delivered'],
      )
      const texts = rig.seen.filter(({ json }) => 'delivery' in (json as object))
      expect(texts).toHaveLength(1)
    })

    test('work that takes longer than its lease keeps it', async () => {
      const rig = await open({ rules: [rule('mail', 'send')], destinations: { mail: {} } })
      await rig.take(person(rig, 'ana'), view(rig, 'ana', 'x'))
      rig.answer = async () => {
        for (let n = 0; n < 5; n++) {
          rig.advance(90 * SECOND)
          await tidy(rig.deliverPorts)
        }
        return { status: 200 }
      }
      await rig.deliver('mail')
      expect(rig.seen).toHaveLength(1)
      expect(await ends(rig, 'mail')).toEqual(['delivered DELIVERED'])
    })
  })

  test('of two addresses of one person each is a contact of its own: neither replaces the other', async () => {
    const rig = await open({ destinations: { crm: {} } })
    const known = (email: string, name: string) =>
      identify({
        anonymousId: 'device-1',
        traits: { email, name },
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        messageId: `i-${++made}`,
        consent: [signal('email_marketing', 'grant', rig.at())],
      })
    for (const [email, name] of [
      ['ana@casa.example', 'Ana'],
      ['ana@trabalho.example', 'Ana Maria'],
      ['ana@casa.example', 'Ana M.'],
    ] as const) {
      await rig.take(known(email, name))
      rig.advance(SECOND)
    }
    expect((await rig.person('email', 'ana@casa.example'))!.id).toBe(
      (await rig.person('email', 'ana@trabalho.example'))!.id,
    )
    await rig.deliver('crm')
    expect(rig.sent('email').sort()).toEqual(['ana@casa.example', 'ana@trabalho.example'])
    expect(await ends(rig, 'crm')).toEqual(['superseded SUPERSEDED', 'delivered DELIVERED', 'delivered DELIVERED'])
  })

  test('a day of trouble: one vendor hangs, one answers 500, one 429 with Retry-After, one lies with 200; the others lose nothing and nobody is messaged twice', async () => {
    const mails = ['hangs', 'fails', 'slows', 'well']
    const rig = await open({
      rules: [
        ...mails.map((id) => rule(id, 'send')),
        rule('lies', 'text'),
        rule('ads', 'sale').replace('sale', 'view'),
      ],
      destinations: {
        ...Object.fromEntries(mails.map((id) => [id, { connector: 'mail' }])),
        lies: { connector: 'sms' },
        crm: {},
        ads: { actions: ['view'] },
      },
    })
    /** Message -> how often its vendor may have taken it. */
    const taken = new Map<string, number>()
    rig.answer = ({ destination, json }) => {
      const body = json as { to?: string; product?: string }
      const take = () => {
        const key = `${destination} ${body.to} ${body.product}`
        taken.set(key, (taken.get(key) ?? 0) + 1)
      }
      switch (destination) {
        case 'hangs':
          // The bytes arrived; the answer never came.
          take()
          return new RetryableError('no answer (ETIMEDOUT)', { uncertain: true })
        case 'fails':
          return { status: 500 }
        case 'slows':
          return { status: 429, headers: { 'retry-after': '3600' } }
        case 'lies':
          return { status: 200, body: { accepted: false } }
        case 'well':
          take()
          return { status: 200 }
        default:
          return { status: 200 }
      }
    }
    const all = ['hangs', 'fails', 'slows', 'lies', 'well', 'crm', 'ads']
    for (let hour = 0; hour < 24; hour++) {
      await rig.take(person(rig, `p${hour % 3}`), view(rig, `p${hour % 3}`, `h${hour}`))
      for (let step = 0; step < 4; step++) {
        await Promise.all(all.map((id) => rig.deliver(id)))
        await tidy(rig.deliverPorts)
        rig.advance(HOUR / 4)
      }
    }
    expect((await ends(rig, 'well')).filter((end) => end !== 'delivered DELIVERED')).toEqual([])
    expect(await ends(rig, 'well')).toHaveLength(24)
    expect((await ends(rig, 'crm')).filter((end) => end !== 'delivered DELIVERED')).toEqual([])
    expect((await ends(rig, 'ads')).filter((end) => end !== 'delivered DELIVERED')).toEqual([])
    expect([...taken.values()].filter((times) => times > 1)).toEqual([])
    expect(new Set(await ends(rig, 'hangs'))).toEqual(new Set(['uncertain UNCERTAIN']))
    expect(new Set(await ends(rig, 'lies'))).toEqual(new Set(['dead REJECTED']))
    expect((await ends(rig, 'fails')).filter((end) => !/^(retry RETRY|dead EXHAUSTED|queued null)$/.test(end))).toEqual(
      [],
    )
    // Asked to wait an hour, it is not asked again for each message every quarter of one.
    const tries = new Map<string, number[]>()
    for (const { destination, json, at } of rig.seen)
      if (destination === 'slows') {
        const key = `${(json as { to: string }).to} ${(json as { product: string }).product}`
        tries.set(key, [...(tries.get(key) ?? []), at])
      }
    for (const times of tries.values())
      for (let n = 1; n < times.length; n++) expect(times[n]! - times[n - 1]!).toBeGreaterThanOrEqual(HOUR)
    // The day after, what waited goes out, once each.
    rig.answer = ({ destination, json }) => {
      const key = `${destination} ${(json as { to?: string }).to} ${(json as { product?: string }).product}`
      taken.set(key, (taken.get(key) ?? 0) + 1)
      return { status: 200 }
    }
    for (let hour = 0; hour < 30; hour++) {
      rig.advance(HOUR)
      await rig.deliver('slows')
    }
    expect(new Set(await ends(rig, 'slows'))).toEqual(new Set(['delivered DELIVERED']))
    expect([...taken.values()].filter((times) => times > 1)).toEqual([])
  })
})
