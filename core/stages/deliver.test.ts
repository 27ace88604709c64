/** Deliveries: asked again before they leave, in the order of their lane, once, and every end is a row with a reason. */
import { describe, expect, test } from 'vitest'
import { MAX_ATTEMPTS } from '../delivery/backoff.ts'
import { RetryableError } from '../kit/errors.ts'
import { recoverAttempts } from '../roles/deliver.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, HOUR, MINUTE, type Rig, SECOND, type SeenRequest } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'

const rule = (id: string, action: string, more = '', then = '') => `
id: ${id}
version: 1
when: {event: Product Viewed}
unless: {purpose: email_marketing, caps: [{per: person, max: 50, window: P1D}]}
then: {all: [{destination: mail, action: ${action}}]${then}}
${more}`
const SEND = rule('oi', 'send')

let made = 0
const person = (rig: Rig, userId = 'ana', given: Parameters<typeof identify>[0] = {}) =>
  identify({
    userId,
    traits: { email: `${userId}@loja.example`, name: userId },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `i-${++made}`,
    consent: [signal('email_marketing', 'grant', rig.at())],
    ...given,
  })
const view = (rig: Rig, product: string, given: Partial<Parameters<typeof track>[0]> = {}) =>
  track({
    name: 'Product Viewed',
    userId: 'ana',
    properties: { product_id: product },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: product,
    ...given,
  })
const withdraws = (rig: Rig, userId = 'ana', purpose = 'email_marketing') =>
  identify({
    userId,
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `w-${++made}`,
    consent: [signal(purpose, 'revoke', rig.at())],
  })

const ends = async (rig: Rig, destination = 'mail') =>
  (await rig.deliveries(destination)).map(({ status, reason }) => `${status} ${reason}`)
const attemptsOf = async (rig: Rig) =>
  (
    await rig.state.db.selectFrom('attempts').select(['n', 'outcome']).orderBy('delivery_id').orderBy('n').execute()
  ).map(({ n, outcome }) => `${n} ${outcome}`)
/** Only mail, so that nothing else follows the events. */
const MAIL = { mail: {} }

onBothDatabases('deliveries', (open: OpenRig) => {
  describe('asked again', () => {
    test('a withdrawal stops them from its answer on, before it is processed', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.advance(SECOND)
      await rig.record(withdraws(rig))
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['blocked BLOCKED_BY_FENCE'])
      expect(rig.seen).toEqual([])
    })

    test('and after it: by status, with the entry it rests on', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.advance(SECOND)
      await rig.take(withdraws(rig))
      await rig.writer.append([], [])
      expect(rig.log.fencesFor([rig.keys.identifier('userId', 'ana')])).toEqual([])
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['blocked BLOCKED_BY_CONSENT'])
      const [row] = await rig.deliveries('mail')
      const entry = await rig.state.db
        .selectFrom('ledger_pending')
        .select('public')
        .where('id', '=', row!.entry_id!)
        .executeTakeFirstOrThrow()
      expect(JSON.parse(entry.public)).toMatchObject({ status: 'revoked', purpose: 'email_marketing' })
      // A blocked message did not happen: it uses up nothing of what the person may receive.
      expect(await rig.rows('caps')).toBe(0)
    })

    test('a fence about another purpose stops nothing', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      await rig.record(withdraws(rig, 'ana', 'sms_marketing'))
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['delivered DELIVERED'])
    })

    test('another controller needs the person’s consent to share, a country abroad a ground of art. 33', async () => {
      const controller = await open({ rules: [SEND], destinations: { mail: { role: 'controller' } } })
      await controller.take(person(controller), view(controller, 'p1'))
      await controller.deliver('mail')
      expect(await ends(controller)).toEqual(['blocked BLOCKED_BY_SHARING'])
      await controller.take(
        person(controller, 'ana', { consent: [signal('share.mail', 'grant', controller.at())] }),
        view(controller, 'p2'),
      )
      await controller.deliver('mail')
      expect((await ends(controller)).at(-1)).toBe('delivered DELIVERED')

      const abroad = await open({ rules: [SEND], destinations: { mail: { country: 'US' } } })
      await abroad.take(person(abroad), view(abroad, 'p1'))
      await abroad.deliver('mail')
      expect(await ends(abroad)).toEqual(['blocked BLOCKED_BY_TRANSFER'])
      const nowhere = await open({ rules: [SEND], destinations: { mail: { country: undefined } } })
      await nowhere.take(person(nowhere), view(nowhere, 'p1'))
      await nowhere.deliver('mail')
      expect(await ends(nowhere)).toEqual(['blocked BLOCKED_BY_TRANSFER'])
      expect((await nowhere.deliveries('mail'))[0]?.answer).toBe('country_undeclared (LGPD art. 33)')
      const covered = await open({
        rules: [SEND],
        destinations: { mail: { country: 'US', transfer: { art33: 'II.b', ref: 'SCC' } } },
      })
      await covered.take(person(covered), view(covered, 'p1'))
      await covered.deliver('mail')
      expect(await ends(covered)).toEqual(['delivered DELIVERED'])
    })

    test('a purpose the destination does not declare: nothing leaves', async () => {
      const rig = await open({ rules: [SEND], destinations: { mail: { purposes: ['orders'] } } })
      await rig.take(person(rig), view(rig, 'p1'))
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['blocked UNDECLARED'])
    })

    test('expired while it waited; its goal reached while it waited', async () => {
      const rig = await open({
        rules: [rule('a', 'send', '', ', expires: PT1H'), rule('b', 'send', 'exit_on: [Order Completed]')],
        destinations: MAIL,
      })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = () => ({ status: 503 })
      await rig.deliver('mail')
      rig.advance(2 * HOUR)
      await rig.deliver('mail')
      expect(await ends(rig)).toContain('cancelled EXPIRED')
      await rig.take(
        track({
          name: 'Order Completed',
          userId: 'ana',
          properties: { order_id: 'o', total: 1 },
          occurredAt: rig.at(),
          receivedAt: rig.at(),
        }),
      )
      expect((await ends(rig)).sort()).toEqual(['cancelled EXPIRED', 'cancelled GOAL_REACHED'])
      expect(await rig.rows('caps')).toBe(0)
    })

    const buys = (rig: Rig, who: Partial<Parameters<typeof track>[0]> = { userId: 'ana' }) =>
      track({
        name: 'Order Completed',
        ...who,
        properties: { order_id: `o-${++made}`, total: 1 },
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        messageId: `b-${made}`,
      })
    const GOAL = 'exit_on: [Order Completed]'

    test('a goal reached between mapping and bytes stops the message in the last look', async () => {
      const rig = await open({ rules: [rule('b', 'send', GOAL)], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.advance(SECOND)
      afterBegin(rig, async () => {
        await rig.take(buys(rig))
      })
      await rig.deliver('mail')
      expect(rig.seen).toEqual([])
      expect(await ends(rig)).toEqual(['cancelled GOAL_REACHED'])
    })

    test('a goal somebody reached as another person counts once the two are one; one before the story does not', async () => {
      const rig = await open({ rules: [rule('b', 'send', GOAL)], destinations: MAIL })
      const device = (anonymousId: string) => buys(rig, { anonymousId })
      await rig.take(person(rig), person(rig, 'caio'), device('of-caio'))
      rig.advance(SECOND)
      await rig.take(view(rig, 'p1'), view(rig, 'p3', { userId: 'caio' }))
      rig.advance(SECOND)
      await rig.take(device('of-ana'))
      await rig.take(person(rig, 'ana', { anonymousId: 'of-ana' }), person(rig, 'caio', { anonymousId: 'of-caio' }))
      await rig.deliver('mail')
      expect(rig.sent('product')).toEqual(['p3'])
      expect((await ends(rig)).sort()).toEqual(['cancelled GOAL_REACHED', 'delivered DELIVERED'])
    })

    test('a control whose message is stale, or whose goal is reached, ends like everybody', async () => {
      const control = 'experiment: {control: 0.999}'
      const rig = await open({
        rules: [rule('a', 'send', control, ', expires: PT1H'), rule('b', 'send', `${control}\n${GOAL}`)],
        destinations: MAIL,
      })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.advance(2 * HOUR)
      await rig.take(buys(rig))
      await rig.deliver('mail')
      expect((await ends(rig)).sort()).toEqual(['cancelled EXPIRED', 'cancelled GOAL_REACHED'])
    })

    test('held-out people pass the same gates and only then stay behind', async () => {
      const control = rule('oi', 'send', 'experiment: {control: 0.999}')
      const rig = await open({ rules: [control], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['held_out HELD_OUT'])
      // What a control would have received counts as a reservation, or the arms would differ.
      expect(await rig.rows('caps')).toBeGreaterThan(0)
      rig.advance(SECOND)
      await rig.take(view(rig, 'p2'), withdraws(rig))
      await rig.writer.append([], [])
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['held_out HELD_OUT', 'blocked BLOCKED_BY_CONSENT'])
      expect(rig.seen).toEqual([])
    })

    test('the last look: a withdrawal between mapping and bytes stops a single request', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      afterBegin(rig, async () => {
        await rig.record(withdraws(rig))
      })
      await rig.deliver('mail')
      expect(rig.seen).toEqual([])
      expect(await ends(rig)).toEqual(['blocked BLOCKED_BY_FENCE'])
    })

    test('the last look takes one item out of a batch, and the rest is sent', async () => {
      const rig = await open({ destinations: { ads: { actions: ['view'] } } })
      for (const userId of ['ana', 'bia', 'carla'])
        await rig.take(person(rig, userId), view(rig, `p-${userId}`, { userId }))
      let once = true
      afterBegin(rig, async () => {
        if (once) await rig.record(withdraws(rig, 'bia'))
        once = false
      })
      rig.answer = () => ({ status: 503 })
      await rig.deliver('ads')
      rig.answer = () => ({ status: 200 })
      rig.advance(MINUTE)
      await rig.deliver('ads')
      expect(rig.seen.map(({ json }) => (json as { id: string }[]).map(({ id }) => id))).toEqual([
        ['p-ana', 'p-carla'],
        ['p-ana', 'p-carla'],
      ])
      expect((await ends(rig, 'ads')).sort()).toEqual([
        'blocked BLOCKED_BY_FENCE',
        'delivered DELIVERED',
        'delivered DELIVERED',
      ])
      expect(await attemptsOf(rig)).toEqual(['1 RETRY', '2 DELIVERED', '1 RETRY', '2 DELIVERED'])
    })
  })

  describe('lanes', () => {
    test('messages to one person go in order and alone; other people do not wait for them', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), person(rig, 'bia'))
      for (const product of ['p1', 'p2', 'p3']) await rig.take(view(rig, product))
      await rig.take(view(rig, 'b1', { userId: 'bia' }))
      rig.answer = ({ json }) => ({ status: (json as { product: string }).product === 'p1' ? 503 : 200 })
      await rig.deliver('mail')
      expect(rig.sent('product').sort()).toEqual(['b1', 'p1'])
      rig.answer = () => ({ status: 200 })
      rig.advance(MINUTE)
      await rig.deliver('mail')
      expect(rig.sent('product').slice(2)).toEqual(['p1', 'p2', 'p3'])
      expect(await ends(rig)).toEqual([
        'delivered DELIVERED',
        'delivered DELIVERED',
        'delivered DELIVERED',
        'delivered DELIVERED',
      ])
    })

    test('a dead message releases its lane', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'), view(rig, 'p2'))
      rig.answer = ({ json }) => ({ status: (json as { product: string }).product === 'p1' ? 400 : 200 })
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['dead REJECTED', 'delivered DELIVERED'])
    })

    test('of a state the newest value goes, the others are superseded', async () => {
      const rig = await open({ destinations: { crm: {} } })
      for (const name of ['Ana', 'Ana M.', 'Ana Maria']) {
        await rig.take(person(rig, 'ana', { traits: { email: 'ana@loja.example', name } }))
        rig.advance(SECOND)
      }
      await rig.take(person(rig, 'bia'))
      await rig.deliver('crm')
      expect(rig.sent('name').sort()).toEqual(['Ana Maria', 'bia'])
      expect(await ends(rig, 'crm')).toEqual([
        'superseded SUPERSEDED',
        'superseded SUPERSEDED',
        'delivered DELIVERED',
        'delivered DELIVERED',
      ])
      expect(await rig.counts('destination:crm')).toMatchObject({ SUPERSEDED: 2, DELIVERED: 2 })
    })

    test('an older value that waits to be tried again is replaced, not resent', async () => {
      const rig = await open({ destinations: { crm: {} } })
      rig.answer = () => ({ status: 503 })
      await rig.take(person(rig))
      await rig.deliver('crm')
      rig.answer = () => ({ status: 200 })
      rig.advance(SECOND)
      await rig.take(person(rig, 'ana', { traits: { email: 'ana@loja.example', name: 'Nova' } }))
      await rig.deliver('crm')
      rig.advance(HOUR)
      await rig.deliver('crm')
      expect(rig.sent('name')).toEqual(['ana', 'Nova'])
    })

    const buys = (rig: Rig, order: string) =>
      track({
        name: 'Order Completed',
        userId: 'ana',
        properties: { order_id: order, total: 1 },
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        messageId: order,
      })

    test('events go in order, one after the other; the lane moves on past one that waits over a minute', async () => {
      const rig = await open({ destinations: { ads: { actions: ['sale'] } } })
      await rig.take(buys(rig, 'o1'), buys(rig, 'o2'), buys(rig, 'o3'))
      rig.answer = ({ json }) => ({
        status: (json as { order: string }).order === 'o1' ? 503 : 200,
        headers: { 'retry-after': '600' },
      })
      await rig.deliver('ads')
      rig.advance(30 * SECOND)
      await rig.deliver('ads')
      expect(rig.sent('order')).toEqual(['o1'])
      rig.advance(31 * SECOND)
      await rig.deliver('ads')
      expect(rig.sent('order')).toEqual(['o1', 'o2', 'o3'])
      rig.answer = () => ({ status: 200 })
      rig.advance(HOUR)
      await rig.deliver('ads')
      expect(rig.sent('order')).toEqual(['o1', 'o2', 'o3', 'o1'])
      expect((await ends(rig, 'ads')).every((end) => end === 'delivered DELIVERED')).toBe(true)
    })

    test('events keep their order however slowly the vendor answers', async () => {
      const rig = await open({ destinations: { ads: { actions: ['sale'] } } })
      const orders = ['o1', 'o2', 'o3', 'o4', 'o5']
      await rig.take(...orders.map((order) => buys(rig, order)))
      const done: string[] = []
      rig.answer = async ({ json }) => {
        const { order } = json as { order: string }
        for (let turn = orders.length - orders.indexOf(order); turn > 0; turn--)
          await new Promise((resolve) => setImmediate(resolve))
        done.push(order)
        return { status: 200 }
      }
      await rig.deliver('ads')
      expect(done).toEqual(orders)
    })

    test('batched events of one person leave together, in order', async () => {
      const rig = await open({ destinations: { ads: { actions: ['view'] } } })
      await rig.take(person(rig), view(rig, 'p1'), view(rig, 'p2'), view(rig, 'p3'))
      await rig.deliver('ads')
      expect(rig.seen.map(({ json }) => (json as { id: string }[]).map(({ id }) => id))).toEqual([['p1', 'p2', 'p3']])
    })
  })

  describe('outcomes', () => {
    test('each item of a batch has its own', async () => {
      const rig = await open({ destinations: { ads: { actions: ['view'] } } })
      for (const userId of ['ana', 'bia', 'carla'])
        await rig.take(person(rig, userId), view(rig, `p-${userId}`, { userId }))
      rig.answer = () => ({ status: 200, body: [{ status: 200 }, { status: 400 }, { status: 503 }] })
      await rig.deliver('ads')
      expect(await ends(rig, 'ads')).toEqual(['delivered DELIVERED', 'dead REJECTED', 'retry RETRY'])
    })

    test('a retry resends the payload as it was frozen, whatever the profile says now', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = () => ({ status: 503 })
      await rig.deliver('mail')
      const [frozen] = await rig.deliveries('mail')
      expect(Buffer.from(frozen!.payload!).includes('ana@loja.example')).toBe(false)
      rig.advance(MINUTE)
      await rig.take(person(rig, 'ana', { traits: { email: 'outra@loja.example', name: 'Outra' } }))
      rig.answer = () => ({ status: 200 })
      await rig.restart()
      await rig.deliver('mail')
      expect(rig.seen).toHaveLength(2)
      expect(rig.seen[1]!.request.body).toBe(rig.seen[0]!.request.body)
      // Once it is over nobody needs the payload any more.
      expect((await rig.deliveries('mail'))[0]!.payload).toBeNull()
    })

    test('Retry-After is obeyed, never earlier', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = () => ({ status: 429, headers: { 'retry-after': '120' } })
      await rig.deliver('mail')
      const [row] = await rig.deliveries('mail')
      expect(row!.due_at).toBeGreaterThanOrEqual(rig.now + 120 * SECOND)
      expect(row!.due_at).toBeLessThanOrEqual(rig.now + 127 * SECOND)
      rig.advance(119 * SECOND)
      await rig.deliver('mail')
      expect(rig.seen).toHaveLength(1)
    })

    test('refused by the vendor: a dead letter with the reason, its payload kept sealed, no second try', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = () => ({ status: 422, body: { error: 'ana@loja.example is no good' } })
      await rig.deliver('mail')
      rig.advance(DAY)
      await rig.deliver('mail')
      const [row] = await rig.deliveries('mail')
      expect(row).toMatchObject({ status: 'dead', reason: 'REJECTED', answer: 'HTTP 422', attempt: 1 })
      expect(row!.payload).not.toBeNull()
      expect(await attemptsOf(rig)).toEqual(['1 REJECTED'])
    })

    test('a payload that does not fit the action is a dead letter that names the field, never the value', async () => {
      const rig = await open({
        rules: [SEND.replace('action: send', 'action: send, with: {to: 5}')],
        destinations: MAIL,
      })
      await rig.take(person(rig), view(rig, 'p1'))
      await rig.deliver('mail')
      const [row] = await rig.deliveries('mail')
      expect(row).toMatchObject({ status: 'dead', reason: 'MAPPING_FAILED', answer: '/to must be string' })
      expect(rig.seen).toEqual([])
    })

    test('every attempt is a row; after the last one it is a dead letter', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = () => ({ status: 500 })
      for (let n = 0; n < 40; n++) {
        await rig.deliver('mail')
        rig.advance(65 * MINUTE)
      }
      expect(rig.seen).toHaveLength(MAX_ATTEMPTS)
      expect(await ends(rig)).toEqual(['dead EXHAUSTED'])
      expect(await attemptsOf(rig)).toEqual([
        ...Array.from({ length: MAX_ATTEMPTS - 1 }, (_, n) => `${n + 1} RETRY`),
        `${MAX_ATTEMPTS} EXHAUSTED`,
      ])
    })

    test('a look-up that fails counts as an attempt too: its back-off grows and it ends', async () => {
      const rig = await open({ rules: [rule('oi', 'checked')], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = ({ request }) => ({ status: request.method === 'GET' ? 500 : 200 })
      const waits: number[] = []
      for (let n = 0; n < 4; n++) {
        await rig.deliver('mail')
        const [row] = await rig.deliveries('mail')
        waits.push(row!.due_at - rig.now)
        rig.now = row!.due_at
        rig.advance(5 * MINUTE)
      }
      expect(await attemptsOf(rig)).toEqual(['1 RETRY', '2 RETRY', '3 RETRY', '4 RETRY'])
      expect(waits[3]).toBeGreaterThanOrEqual(8 * SECOND)
    })

    test('wrong credentials wait and say so', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = () => ({ status: 401 })
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['retry AUTHENTICATION'])
      rig.answer = () => ({ status: 200 })
      rig.advance(HOUR)
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['delivered DELIVERED'])
    })
  })

  describe('an answer that was lost', () => {
    const lost = () => new RetryableError('no answer (ECONNRESET)', { uncertain: true })

    test('a message without a key is not sent twice: uncertain, its payload kept for a decision by hand', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = lost
      await rig.deliver('mail')
      rig.advance(DAY)
      await rig.deliver('mail')
      expect(rig.seen).toHaveLength(1)
      expect(await ends(rig)).toEqual(['uncertain UNCERTAIN'])
      expect((await rig.deliveries('mail'))[0]!.payload).not.toBeNull()
    })

    test('with a key it is resent under the same key inside its window, not after it', async () => {
      const rig = await open({ rules: [rule('oi', 'keyed')], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = lost
      await rig.deliver('mail')
      rig.advance(HOUR)
      await rig.deliver('mail')
      expect(new Set(rig.seen.map(({ request }) => request.headers['idempotency-key'])).size).toBe(1)
      expect(rig.seen).toHaveLength(2)
      rig.advance(DAY)
      await rig.deliver('mail')
      expect(rig.seen).toHaveLength(3)
      expect(await ends(rig)).toEqual(['uncertain UNCERTAIN'])
    })

    test('a write that is naturally repeatable is repeated; data without a key once more and no more', async () => {
      const rig = await open({ destinations: { crm: {}, ads: { actions: ['sale'] } } })
      await rig.take(
        person(rig),
        track({
          name: 'Order Completed',
          userId: 'ana',
          properties: { order_id: 'o1', total: 1 },
          occurredAt: rig.at(),
          receivedAt: rig.at(),
        }),
      )
      rig.answer = lost
      for (let n = 0; n < 4; n++) {
        await rig.deliver('crm')
        await rig.deliver('ads')
        rig.advance(10 * MINUTE)
      }
      expect(rig.seen.filter(({ destination }) => destination === 'crm')).toHaveLength(4)
      expect(rig.seen.filter(({ destination }) => destination === 'ads')).toHaveLength(2)
      expect([...(await ends(rig, 'crm')), ...(await ends(rig, 'ads'))]).toEqual(['retry RETRY', 'uncertain UNCERTAIN'])
    })

    test('nothing was sent: tried again like any other failure', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      rig.answer = () => new RetryableError('no answer (ECONNREFUSED)')
      await rig.deliver('mail')
      expect(await ends(rig)).toEqual(['retry RETRY'])
    })
  })

  describe('a crash', () => {
    const stops = (rig: Rig, at: 'before' | 'after') => {
      const begin = rig.deliverPorts.attempts.begin
      rig.deliverPorts = {
        ...rig.deliverPorts,
        attempts: {
          async begin(...given) {
            if (at === 'after') await begin(...given)
            // The process is gone: nothing after this line happens.
            return new Promise(() => {})
          },
        },
      }
      void rig.deliver('mail').catch(() => {})
      return new Promise((resolve) => setTimeout(resolve, 300))
    }

    test('while leased: nothing left, it goes out after the start', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      await rig.take(person(rig), view(rig, 'p1'))
      await stops(rig, 'before')
      expect((await rig.deliveries('mail')).map(({ status }) => status)).toEqual(['leased'])
      await rig.restart()
      await recoverAttempts(rig.deliverPorts)
      await rig.deliver('mail')
      expect(rig.seen).toHaveLength(1)
      expect(await ends(rig)).toEqual(['delivered DELIVERED'])
    })

    test('once attempted it may have arrived: a message without a key is uncertain, one with a key goes again', async () => {
      for (const [action, expected] of [
        ['send', 'uncertain UNCERTAIN'],
        ['keyed', 'delivered DELIVERED'],
      ] as const) {
        const rig = await open({ rules: [rule('oi', action)], destinations: MAIL })
        await rig.take(person(rig), view(rig, 'p1'))
        await stops(rig, 'after')
        expect((await rig.deliveries('mail')).map(({ status }) => status)).toEqual(['attempted'])
        await rig.restart()
        await recoverAttempts(rig.deliverPorts)
        await rig.deliver('mail')
        expect(await ends(rig)).toEqual([expected])
        // The attempt nobody heard of is on record, and the one after it too.
        expect(await attemptsOf(rig)).toEqual(action === 'send' ? ['1 UNCERTAIN'] : ['1 RETRY', '2 DELIVERED'])
      }
    })
  })

  describe('quotas and failing vendors', () => {
    test('a daily quota per contact waits for the next day instead of trying', async () => {
      const rig = await open({ rules: [rule('oi', 'daily')], destinations: MAIL })
      await rig.take(
        person(rig),
        person(rig, 'bia'),
        view(rig, 'p1'),
        view(rig, 'p2'),
        view(rig, 'b1', { userId: 'bia' }),
      )
      await rig.deliver('mail')
      expect(rig.sent('product').sort()).toEqual(['b1', 'p1'])
      rig.advance(11 * HOUR)
      await rig.deliver('mail')
      expect(rig.seen).toHaveLength(2)
      rig.advance(HOUR)
      await rig.deliver('mail')
      expect(rig.sent('product')[2]).toBe('p2')
    })

    test('a vendor that fails is left alone and tried again with one delivery', async () => {
      const rig = await open({ rules: [SEND], destinations: MAIL })
      for (let n = 0; n < 12; n++) await rig.take(person(rig, `p${n}`), view(rig, `v${n}`, { userId: `p${n}` }))
      rig.answer = () => ({ status: 503 })
      await rig.deliver('mail')
      const tried = rig.seen.length
      rig.advance(4 * SECOND)
      await rig.deliver('mail')
      expect(rig.seen).toHaveLength(tried)
      rig.advance(2 * SECOND)
      await rig.deliver('mail')
      expect(rig.seen).toHaveLength(tried + 1)
      rig.answer = () => ({ status: 200 })
      rig.advance(5 * MINUTE)
      await rig.deliver('mail')
      expect((await ends(rig)).every((end) => end === 'delivered DELIVERED')).toBe(true)
    })
  })

  test('on a shared device everybody’s deliveries go by the answer of the device', async () => {
    const rig = await open({
      rules: [SEND.replace('purpose: email_marketing', 'purpose: ads_measurement')],
      destinations: MAIL,
    })
    const both = (userId: string) =>
      person(rig, userId, { anonymousId: 'shared', consent: [signal('ads_measurement', 'grant', rig.at())] })
    await rig.take(both('ana'), both('bia'))
    expect((await rig.person('anonymousId', 'shared'))!.id).not.toBe((await rig.person('userId', 'bia'))!.id)
    await rig.take(view(rig, 'p1', { userId: 'bia', anonymousId: 'shared' }))
    await rig.deliver('mail')
    expect(await ends(rig)).toEqual(['delivered DELIVERED'])
    await rig.take(view(rig, 'p2', { userId: 'bia', anonymousId: 'shared' }))
    await rig.record(
      identify({
        anonymousId: 'shared',
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        consent: [signal('ads_measurement', 'revoke', rig.at())],
      }),
    )
    await rig.deliver('mail')
    expect((await ends(rig)).at(-1)).toBe('blocked BLOCKED_BY_FENCE')
  })

  test('a delivery carries what its purpose may see, and both links', async () => {
    const rig = await open({ rules: [SEND], destinations: MAIL })
    await rig.take(
      person(rig, 'ana', { traits: { email: 'ana@loja.example', name: 'Ana', phone: '+5511987654321' } }),
      view(rig, 'p1'),
    )
    await rig.deliver('mail')
    const [{ json }] = rig.seen as [SeenRequest]
    expect(json).toMatchObject({ to: 'ana@loja.example', name: 'Ana', product: 'p1' })
    expect((json as { stop: string }).stop).toMatch(/^https:\/\/hub\.example\/privacidade\//)
    expect((json as { stop: string }).stop).not.toMatch(/ana/)
  })
})

/** Does something after the attempt is on disk and before the last look. */
function afterBegin(rig: Rig, act: () => Promise<void>): void {
  const { begin } = rig.deliverPorts.attempts
  rig.deliverPorts = {
    ...rig.deliverPorts,
    attempts: {
      async begin(...given) {
        const held = await begin(...given)
        await act()
        return held
      },
    },
  }
}
