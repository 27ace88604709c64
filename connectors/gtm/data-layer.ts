/**
 * dataLayer as JSON: one push or a list of them, as GTM's web and server tags post it.
 * Pushes: https://developers.google.com/analytics/devguides/collection/ga4/ecommerce
 * Commands: https://developers.google.com/tag-platform/gtagjs/reference
 * Universal Analytics: https://developers.google.com/analytics/devguides/collection/ua/gtm/enhanced-ecommerce
 * Server events: https://developers.google.com/tag-platform/tag-manager/server-side/common-event-data
 */
import type { SourceEvent, SourceItem } from '../../core/kit/index.ts'
import { type ConsentState, consentOfCommand, consentOfHit, GOOGLE_SIGNALS } from './consent-mode.ts'
import {
  campaignContext,
  contentId,
  type Fields,
  isFields,
  pageContext,
  screenContext,
  timeOf,
  toSourceEvent,
} from './event.ts'
import { type Item, own } from './items.ts'
import { propertiesOf } from './measurement-protocol.ts'
import { readUserData } from './user-data.ts'

/** What stays from one push to the next: who it is about. */
interface Identity {
  readonly client_id?: unknown
  readonly user_id?: unknown
  readonly user_data?: unknown
  readonly user_properties?: unknown
}
const IDENTITY = ['client_id', 'user_id', 'user_data', 'user_properties'] as const

type Command = { readonly name: string; readonly first: unknown; readonly second: unknown }

export function readDataLayer(body: unknown, headers: Readonly<Record<string, string>>): SourceItem[] {
  // A list that begins with a text is one command: the arguments of one gtag() call.
  const single = !Array.isArray(body) || typeof body[0] === 'string'
  const pushes: readonly unknown[] = single ? [body] : body
  const answeredAfter = answeredLater(pushes)
  // Events that come before the first word on who it is belong to the same page, hence the same browser.
  let identity = pushes.map(identityOf).find((found) => Object.keys(found).length > 0) ?? {}
  const consentState: ConsentState = new Map()
  const items: SourceItem[] = []
  let understood = false
  for (const [index, push] of pushes.entries()) {
    const path = single ? '' : `/${index}`
    identity = { ...identity, ...identityOf(push) }
    const command = commandOf(push)
    if (command) {
      understood = true
      items.push(
        ...readCommand(
          command,
          identity,
          { state: consentState, answered: answeredAfter[index]! },
          headers,
          path,
          push,
        ).map((read) => ({ path, ...read })),
      )
    } else if (!isFields(push)) items.push(rejected(path, 'A push must be an object or a gtag command.', push))
    else if (isEvent(push)) items.push({ path, ...readPush(push, identity, headers, path) })
    else understood ||= Object.keys(identityOf(push)).length > 0 || Object.hasOwn(push, 'ecommerce')
  }
  if (items.length === 0 && !understood && pushes.length > 0)
    return [rejected(single ? '/event' : '', 'No push names an event.', body)]
  return items
}

const rejected = (path: string, message: string, raw: unknown): SourceItem => ({
  rejected: { code: 'INVALID', path, message },
  raw: raw ?? null,
})

/** `arguments` of gtag() as JSON: {"0": "event", "1": …} or a list. */
function commandOf(push: unknown): Command | undefined {
  const at = (index: number): unknown =>
    Array.isArray(push) ? push[index] : isFields(push) ? own(push, String(index)) : undefined
  const name = at(0)
  return typeof name === 'string' ? { name, first: at(1), second: at(2) } : undefined
}

const isEvent = (push: Fields): boolean =>
  Object.hasOwn(push, 'event') || Object.hasOwn(push, 'event_name') || universal(own(push, 'ecommerce')) !== undefined

function identityOf(push: unknown): Identity {
  const command = commandOf(push)
  const said = command ? identityOfCommand(command) : push
  if (!isFields(said)) return {}
  const known = IDENTITY.filter((name) => {
    const value = own(said, name)
    return value !== undefined && value !== null && value !== ''
  })
  return Object.fromEntries(known.map((name) => [name, said[name]]))
}

/** gtag('set', 'user_data', {…}), gtag('set', {user_id: …}) and gtag('config', 'G-…', {user_id: …}). */
function identityOfCommand({ name, first, second }: Command): unknown {
  if (name === 'config' || name === 'event') return second
  if (name !== 'set') return undefined
  return typeof first === 'string' && first !== '__proto__' ? { [first]: second } : first
}

/** For each push, the consent signals that an update after it states. */
function answeredLater(pushes: readonly unknown[]): ReadonlySet<string>[] {
  const later = new Set<string>()
  return pushes
    .toReversed()
    .map((push) => {
      const answered = new Set(later)
      const command = commandOf(push)
      if (command?.name === 'consent' && command.first === 'update' && isFields(command.second))
        for (const signal of GOOGLE_SIGNALS) if (Object.hasOwn(command.second, signal)) later.add(signal)
      return answered
    })
    .reverse()
}

function readCommand(
  command: Command,
  identity: Identity,
  said: { readonly state: ConsentState; readonly answered: ReadonlySet<string> },
  headers: Readonly<Record<string, string>>,
  path: string,
  push: unknown,
): SourceItem[] {
  const { name, first, second } = command
  if (name === 'event') {
    if (typeof first !== 'string' || first === '') return [rejected(`${path}/1`, 'An event needs a name.', push)]
    if (second !== undefined && !isFields(second))
      return [rejected(`${path}/2`, 'Event parameters must be an object.', push)]
    const { items, send_to: _sendTo, event_callback: _callback, event_timeout: _timeout, ...parameters } = second ?? {}
    return [item({ name: first, parameters, items: listOf(items) }, identity, headers, push)]
  }
  if (name !== 'consent') return [] // config, set, js and get say nothing that happened.
  if ((first !== 'default' && first !== 'update') || !isFields(second))
    return [rejected(path, "A consent command is 'default' or 'update' with an object.", push)]
  const consent = consentOfCommand(first, second, said.state, said.answered)
  if (consent.length === 0) return []
  const { traits: _traits, ...who } = personOf(identity)
  return [
    {
      event: {
        type: 'track',
        name: 'Consent Updated',
        originalName: `consent ${first}`,
        ...who,
        properties: { command: first },
        consent,
      },
      raw: withIdentity(push, identity),
    },
  ]
}

/** Keys of a push that are not parameters of its event. */
const NOT_PARAMETERS = new Set<string>([
  ...IDENTITY,
  'event',
  'event_name',
  'ecommerce',
  'items',
  'eventCallback',
  'eventTimeout',
  'gtm',
  'gtm.uniqueEventId',
  'gtm.start',
  'ip_override',
  'user_agent',
  'timestamp_micros',
  'page_hostname',
  'screen_resolution',
  'language',
  'ga_session_id',
  'ga_session_number',
])

function readPush(
  push: Fields,
  identity: Identity,
  headers: Readonly<Record<string, string>>,
  path: string,
): SourceItem {
  const named = own(push, 'event') ?? own(push, 'event_name')
  const ecommerce = own(push, 'ecommerce')
  const old = universal(ecommerce)
  if (!(typeof named === 'string' && named !== '') && !old)
    return rejected(`${path}/event`, 'An event needs a name.', push)
  const parameters = Object.fromEntries(
    Object.entries(push).filter(([name]) => !NOT_PARAMETERS.has(name) && !name.startsWith('x-ga-')),
  )
  if (old) {
    const originalName = typeof named === 'string' && named !== '' ? named : old.name
    const { name, items } = old
    return item(
      { name, originalName, parameters: { ...parameters, ...old.parameters }, items },
      identity,
      headers,
      push,
    )
  }
  const { items, ...commerce } = isFields(ecommerce) ? ecommerce : {}
  return item(
    {
      name: String(named),
      parameters: { ...parameters, ...commerce },
      items: listOf(items ?? own(push, 'items')),
    },
    identity,
    headers,
    push,
  )
}

interface Read {
  readonly name: string
  readonly originalName?: string
  readonly parameters: Fields
  readonly items: readonly Item[]
}

function item(read: Read, identity: Identity, headers: Readonly<Record<string, string>>, push: unknown): SourceItem {
  const server: Fields = isFields(push) ? push : {}
  const parameters = Object.fromEntries(
    Object.entries(read.parameters).filter(([name]) => !IDENTITY.includes(name as keyof Identity)),
  )
  const person = personOf(identity)
  const micros = own(server, 'timestamp_micros')
  const event = toSourceEvent({
    ...read,
    parameters,
    identifiers: person.identifiers,
    traits: person.traits,
    context: { ...contextOf(server, parameters), ...person.context },
    consent: consentOfHit({
      gcd: textOf(server, 'x-ga-gcd'),
      gcs: textOf(server, 'x-ga-gcs'),
      secGpc: headers['sec-gpc'],
    }),
    messageId: messageIdOf(server, read, identity),
    timestamp: micros === undefined ? undefined : timeOf(micros),
  })
  return { event, raw: withIdentity(push, identity) }
}

/** The push as it can be read again alone. */
function withIdentity(push: unknown, identity: Identity): unknown {
  if (isFields(push) && !commandOf(push)) return { ...identity, ...push }
  return Object.keys(identity).length > 0 ? [identity, push] : push
}

function personOf(identity: Identity): Required<Pick<SourceEvent, 'identifiers' | 'traits' | 'context'>> {
  const userData = readUserData(identity.user_data)
  return {
    identifiers: [
      ...(identity.user_id !== undefined ? [{ type: 'userId' as const, value: identity.user_id }] : []),
      ...(identity.client_id !== undefined ? [{ type: 'ga_client_id' as const, value: identity.client_id }] : []),
      ...userData.identifiers,
    ],
    traits: { ...propertiesOf(identity.user_properties), ...userData.traits },
    context: userData.context,
  }
}

/** A server tag hands the hit's own page id and count on; otherwise only the order of a purchase names a push. */
function messageIdOf(server: Fields, read: Read, identity: Identity): string | undefined {
  const pageId = textOf(server, 'x-ga-page_id')
  const hit = textOf(server, 'x-ga-request_count')
  if (pageId !== undefined && hit !== undefined)
    return contentId('hit', textOf(server, 'x-ga-measurement_id'), identity.client_id, pageId, hit, read.name, 0)
  const order = textOf(read.parameters, 'transaction_id')
  return read.name === 'purchase' && order !== undefined ? contentId('purchase', order) : undefined
}

const textOf = (fields: Fields, name: string): string | undefined => {
  const value = own(fields, name)
  return typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined
}

function contextOf(server: Fields, parameters: Fields): Fields {
  const location = own(parameters, 'page_location')
  const google = Object.entries({
    measurementId: textOf(server, 'x-ga-measurement_id'),
    sessionId: textOf(server, 'ga_session_id'),
    sessionNumber: textOf(server, 'ga_session_number'),
    gcs: textOf(server, 'x-ga-gcs'),
    gcd: textOf(server, 'x-ga-gcd'),
  }).filter(([, value]) => value !== undefined)
  const locale = textOf(server, 'language')
  const userAgent = textOf(server, 'user_agent')
  const ip = textOf(server, 'ip_override')
  return {
    ...pageContext(location, own(parameters, 'page_title'), own(parameters, 'page_referrer')),
    ...campaignContext(location),
    ...screenContext(own(server, 'screen_resolution')),
    ...(locale !== undefined && { locale }),
    ...(userAgent !== undefined && { userAgent }),
    ...(ip !== undefined && { ip }),
    ...(google.length > 0 && { google: Object.fromEntries(google) }),
  }
}

const listOf = (items: unknown): Item[] =>
  Array.isArray(items) ? items.filter((entry): entry is Item => isFields(entry)) : []

/** Universal Analytics' action -> GA4 event. */
const ACTIONS: readonly (readonly [string, string])[] = [
  ['purchase', 'purchase'],
  ['refund', 'refund'],
  ['add', 'add_to_cart'],
  ['remove', 'remove_from_cart'],
  ['checkout', 'begin_checkout'],
  ['detail', 'view_item'],
  ['click', 'select_item'],
  ['promoClick', 'select_promotion'],
  ['promoView', 'view_promotion'],
  ['impressions', 'view_item_list'],
]

const ACTION_FIELDS: Readonly<Record<string, string>> = {
  id: 'transaction_id',
  revenue: 'value',
  list: 'item_list_name',
  option: 'payment_type',
  step: 'checkout_step',
}

/** Enhanced e-commerce of Universal Analytics, which many shops still push. */
function universal(ecommerce: unknown): Omit<Read, 'originalName'> | undefined {
  if (!isFields(ecommerce)) return undefined
  for (const [action, name] of ACTIONS) {
    const given = own(ecommerce, action)
    const list =
      action === 'impressions'
        ? given
        : isFields(given)
          ? (own(given, 'products') ?? own(given, 'promotions'))
          : undefined
    if (!isFields(given) && !Array.isArray(list)) continue
    const fields = isFields(given) ? own(given, 'actionField') : undefined
    const currency = own(ecommerce, 'currencyCode')
    const parameters = Object.entries(isFields(fields) ? fields : {}).map(([field, value]): [string, unknown] => [
      (own(ACTION_FIELDS, field) as string | undefined) ?? field,
      value,
    ])
    if (currency !== undefined) parameters.push(['currency', currency])
    const promotion = action.startsWith('promo')
    return {
      // Only the first step of Universal Analytics' checkout is its beginning.
      name: action === 'checkout' && checkoutStep(fields) > 1 ? 'checkout_progress' : name,
      parameters: Object.fromEntries(parameters),
      items: listOf(list).map((entry) => (promotion ? promotionOf(entry) : entry)),
    }
  }
  return undefined
}

const checkoutStep = (fields: unknown): number => (isFields(fields) ? Number(own(fields, 'step') ?? 1) : 1)

const PROMOTION_FIELDS: Readonly<Record<string, string>> = {
  id: 'promotion_id',
  name: 'promotion_name',
  creative: 'creative_name',
  position: 'location_id',
}

const promotionOf = (entry: Item): Item =>
  Object.fromEntries(
    Object.entries(entry).map(([name, value]) => [(own(PROMOTION_FIELDS, name) as string | undefined) ?? name, value]),
  )
