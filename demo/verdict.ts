/**
 * Did the hub do right by the people of the demo? What the simulated shop knows to be true is compared with what the
 * simulated vendors received and with what the hub has on record.
 */
import { join } from 'node:path'
import { decidedOf } from '../core/explain/stored.ts'
import { withheldSentence } from '../core/explain/withheld.ts'
import { type ExplainedJourney, explain } from '../core/explain.ts'
import type { Hub } from '../core/hub.ts'
import { createKeys, type Keys, loadMasterKey } from '../core/keys.ts'
import { normalizeIdentifier } from '../core/kit/identifiers.ts'
import { loadRuleSet, readSurroundings } from '../core/roles/surroundings.ts'
import type { OpenProfile } from '../schemas/profile.ts'
import type { Receipt } from './inbox.ts'
import type { Person, Script } from './shop/people.ts'
import type { ShopRun } from './shop/run.ts'

export const RECOVERY_RULE = 'carrinho-abandonado'
/** A message whose last look came before the withdrawal's answer may still have been on the wire. */
const ON_THE_WIRE_MS = 1000

export interface Check {
  readonly ok: boolean
  readonly pt: string
  readonly en: string
}

export interface Verdict {
  readonly ok: boolean
  readonly checks: readonly Check[]
  /** Why one person got the message and others did not, in the hub's own words. */
  readonly reasons: readonly {
    readonly who: Script | 'held_out'
    readonly result: string
    readonly pt: string
    readonly en: string
  }[]
}

export interface Evidence {
  readonly hub: Hub
  readonly shop: ShopRun
  /** Every request the vendors took, from the first on. */
  readonly receipts: readonly Receipt[]
}

/** A recovery message as RD Station got it. */
interface Message {
  readonly deliveryId: string
  readonly email: string
  /** Epoch milliseconds. */
  readonly at: number
}

export function recoveryMessages(receipts: readonly Receipt[]): Message[] {
  return receipts.flatMap(({ connector, path, status, chaos, body, at }) => {
    const { payload } = (body ?? {}) as { payload?: Readonly<Record<string, unknown>> }
    if (connector !== 'rdstation' || path !== '/platform/events' || status !== 200 || chaos !== undefined) return []
    if (payload?.['conversion_identifier'] !== RECOVERY_RULE || typeof payload['email'] !== 'string') return []
    const email = normalizeIdentifier('email', payload['email']) ?? payload['email']
    return [{ deliveryId: String(payload['cf_anuente_delivery_id']), email, at: Date.parse(at) }]
  })
}

/** True once every part of the story has been seen; before that more time may bring it. */
export async function hasEverything({ hub, shop, receipts }: Evidence): Promise<boolean> {
  const messages = recoveryMessages(receipts)
  const abandoning = shop.people.filter(({ script }) => script === 'abandons')
  if (!abandoning.some((person) => messages.some(({ email }) => email === person.email))) return false
  const rows = await recoveryRows(hub)
  return ['held_out', 'delivered'].every((end) => rows.some(({ status }) => status === end))
}

const recoveryRows = ({ state }: Hub) =>
  state.db
    .selectFrom('deliveries')
    .select(['id', 'person_id', 'status', 'arm', 'settled_at'])
    .where('rule', '=', RECOVERY_RULE)
    .execute()

/** Call when the shop has closed and the hub is drained. */
export async function judge(evidence: Evidence): Promise<Verdict> {
  const { hub, shop, receipts } = evidence
  const keys = createKeys(loadMasterKey(join(hub.config.dataDir, 'master.key')))
  const messages = recoveryMessages(receipts)
  // Timers go on: what is sent from here on is in neither count.
  const asOf = Date.now()
  const rows = await recoveryRows(hub)
  const byId = new Map(rows.map((row) => [row.id, row]))
  const delivered = rows.filter(({ status, settled_at }) => status === 'delivered' && (settled_at ?? asOf) < asOf)
  const unheard = delivered.filter(({ id }) => !messages.some(({ deliveryId }) => deliveryId === id))
  const unknown = messages.filter(({ deliveryId }) => byId.get(deliveryId)?.arm !== 'treated')
  const control = rows.filter(({ status }) => status === 'held_out')
  const heldOut = new Set(rows.filter(({ arm }) => arm !== 'treated').map(({ person_id }) => person_id))
  const personOf = (person: Person) => hubPersonOf(person.email, hub, keys)
  const got = (person: Person) => messages.some(({ email }) => email === person.email)

  const unpermitted = messages.filter(({ email, at }) => !wasPermitted(email, at, shop))
  const addressees = shop.people.filter(got)
  const ids = await Promise.all(addressees.map(personOf))
  const strays = messages.filter(({ email }) => !addressees.some((person) => person.email === email))
  const toHeldOut = ids.filter((id) => id !== undefined && heldOut.has(id))
  // Known to the hub with a cart, and never asked for e-mails or refused them.
  const refusing: Person[] = []
  let sentToRefusing = 0
  for (const person of shop.people.filter(({ email }) => refusedAlways(email, shop))) {
    const id = await personOf(person)
    if (!id || !(await addedToCart(id, hub))) continue
    refusing.push(person)
    sentToRefusing += (await recoveryDeliveries(id, hub)).length
  }
  const cast = (script: Script) => shop.people.filter((person) => person.script === script)
  const reasons = await reasonsOf(evidence, keys)
  const resultOf = (script: Script) => reasons.find(({ who }) => who === script)?.result
  const counted = await countedOrders(hub)
  const several = [...shop.orders.values()].filter((tools) => new Set(tools).size > 1).length

  const check = (ok: boolean, pt: string, en: string): Check => ({ ok, pt, en })
  const checks = [
    check(
      unpermitted.length === 0 && strays.length === 0,
      `${messages.length} lembretes chegaram, ${unpermitted.length + strays.length} a quem não consentiu`,
      `${messages.length} reminders arrived, ${unpermitted.length + strays.length} at people who had not consented`,
    ),
    check(
      delivered.length > 0 && unheard.length === 0 && unknown.length === 0,
      `o hub registra ${delivered.length} entregues; ${unheard.length} não chegaram, ${unknown.length} não estão registrados`,
      `the hub has ${delivered.length} on record as delivered; ${unheard.length} never arrived, ${unknown.length} are not on record`,
    ),
    check(
      control.length > 0 && toHeldOut.length === 0,
      `${control.length} retidos no grupo de controle, dos quais ${toHeldOut.length} receberam`,
      `${control.length} held out, of whom ${toHeldOut.length} got a reminder`,
    ),
    check(
      refusing.length > 0 && sentToRefusing === 0 && !refusing.some(got),
      `${refusing.length} pessoas recusaram e-mails e encheram o carrinho; ${sentToRefusing} lembretes para elas`,
      `${refusing.length} people refused e-mails and filled a cart; ${sentToRefusing} reminders for them`,
    ),
    check(
      ![...cast('buys-in-time'), ...cast('withdraws')].some(got) &&
        resultOf('buys-in-time') === 'CANCELLED' &&
        resultOf('withdraws') === 'NO_CONSENT',
      `quem comprou a tempo (${resultOf('buys-in-time')}) e quem revogou depois (${resultOf('withdraws')}) não receberam`,
      `who bought in time (${resultOf('buys-in-time')}) and who withdrew later (${resultOf('withdraws')}) got nothing`,
    ),
    check(
      several > 0 && counted === shop.orders.size,
      `${shop.orders.size} pedidos (${several} informados por várias ferramentas) contados ${counted} vezes`,
      `${shop.orders.size} orders (${several} reported by several tools) counted ${counted} times`,
    ),
    check(
      shop.troubles.size === 0,
      `problemas de envio: ${[...shop.troubles].map(([name, count]) => `${name} × ${count}`).join(', ') || 'nenhum'}`,
      `trouble in sending: ${[...shop.troubles].map(([name, count]) => `${name} × ${count}`).join(', ') || 'none'}`,
    ),
  ]
  return { ok: checks.every(({ ok }) => ok), checks, reasons }
}

function refusedAlways(email: string, { told }: ShopRun): boolean {
  const answers = told.filter((answer) => answer.email === email)
  return answers.length > 0 && answers.every(({ answer }) => answer === 'declined')
}

/** By the shop's own record: the newest answer before the message, with what was on the wire given its time. */
function wasPermitted(email: string, at: number, { told }: ShopRun): boolean {
  const answers = told.filter((answer) => answer.email === email)
  const before = (time: number) => answers.filter(({ answeredAt }) => answeredAt <= time).at(-1)?.answer
  return before(at) === 'granted' || before(at - ON_THE_WIRE_MS) === 'granted'
}

async function hubPersonOf(email: string, { state }: Hub, keys: Keys): Promise<string | undefined> {
  const row = await state.db
    .selectFrom('identifiers')
    .innerJoin('nodes', 'nodes.id', 'identifiers.node_id')
    .select('nodes.person_id')
    .where('identifiers.hmac', '=', keys.identifier('email', email))
    .executeTakeFirst()
  return row?.person_id
}

const recoveryDeliveries = (personId: string, { state }: Hub) =>
  state.db
    .selectFrom('deliveries')
    .select('id')
    .where('person_id', '=', personId)
    .where('rule', '=', RECOVERY_RULE)
    .execute()

/** The newest cart event of that person, whatever it was kept for. */
const addedToCart = (personId: string, { state }: Hub) =>
  state.db
    .selectFrom('history')
    .innerJoin('nodes', 'nodes.id', 'history.node_id')
    .select('history.id')
    .where('nodes.person_id', '=', personId)
    .where('history.name', '=', 'Product Added')
    .orderBy('history.received_at', 'desc')
    .executeTakeFirst()

const recoveryResults = (personId: string, { state }: Hub) => decidedOf([personId], state.db, { rule: RECOVERY_RULE })

/** Orders in everybody's counters: an order counted twice shows here. */
async function countedOrders({ state }: Hub): Promise<number> {
  const rows = await state.db.selectFrom('persons').select('profile').where('merged_into', 'is', null).execute()
  return rows.reduce(
    (sum, { profile }) => sum + ((JSON.parse(profile) as OpenProfile).counters['orders']?.['orders'] ?? 0),
    0,
  )
}

async function reasonsOf({ hub, shop, receipts }: Evidence, keys: Keys): Promise<Verdict['reasons']> {
  const { config, state } = hub
  const { purposes, rules } = readSurroundings(config)
  const ports = {
    state,
    keys,
    purposes,
    rules: await loadRuleSet(rules, state),
    destinations: config.destinationSettings,
    timezone: config.timezone,
  }
  const reasons: Verdict['reasons'][number][] = []
  const tell = (who: Verdict['reasons'][number]['who'], journey: ExplainedJourney | undefined, result?: string) => {
    if (!journey) return
    const decision = journey.decisions.find((made) => made.rule === RECOVERY_RULE && made.result === result)
    // Who refused has no decision: the cart's events were not kept for this purpose, so the rule never began.
    const withheld = journey.withheld.find(({ what }) => what === RECOVERY_RULE)
    reasons.push({
      who,
      result: decision?.result ?? withheld?.code ?? 'NOT_STARTED',
      ...(decision?.sentence ?? (withheld ? withheldSentence(withheld) : journey.sentence)),
    })
  }
  const explained = (id: string) => explain(id, { ...ports, sources: config.sourceSettings.keys() })
  const messages = recoveryMessages(receipts)
  const scripts: Script[] = ['abandons', 'refuses', 'buys-in-time', 'withdraws']
  for (const script of scripts) {
    const cast = shop.people.filter((person) => person.script === script)
    const person = cast.find(({ email }) => messages.some((message) => message.email === email)) ?? cast[0]
    const id = person && (await hubPersonOf(person.email, hub, keys))
    if (!id) continue
    const last = (await recoveryResults(id, hub)).at(-1)
    const event = last?.eventId ?? (await addedToCart(id, hub))?.id
    if (event) tell(script, await explained(event), last?.result)
  }
  const heldOut = await state.db
    .selectFrom('deliveries')
    .select('id')
    .where('rule', '=', RECOVERY_RULE)
    .where('status', '=', 'held_out')
    .executeTakeFirst()
  if (heldOut) tell('held_out', await explained(heldOut.id), 'ENQUEUED')
  return reasons
}

/** For a terminal or a log of CI. */
export function summary({ ok, checks, reasons }: Verdict): string {
  const lines = [
    ...checks.map((check) => `  ${check.ok ? 'ok   ' : 'FALHA'} ${check.pt}\n        ${check.en}`),
    '',
    ...reasons.map(({ who, result, pt, en }) => `  ${who} (${result})\n        ${pt}\n        ${en}`),
  ]
  return `SIMULADO\n${lines.join('\n')}\n${ok ? 'Tudo certo. / All is well.' : 'Algo está errado. / Something is wrong.'}`
}
