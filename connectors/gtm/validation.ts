/**
 * What `/debug/mp/collect` says of a Measurement Protocol request. Nothing is stored.
 * Rules: https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference#limitations
 * and …/verify-implementation; the texts are ours. Values are never repeated, names are.
 */
import { type Fields, isFields, timeOf } from './event.ts'
import { own } from './items.ts'
import { MAX_EVENTS } from './measurement-protocol.ts'

export interface ValidationMessage {
  readonly fieldPath: string
  readonly description: string
  readonly validationCode:
    | 'VALUE_INVALID'
    | 'VALUE_REQUIRED'
    | 'VALUE_OUT_OF_BOUNDS'
    | 'NAME_INVALID'
    | 'NAME_RESERVED'
    | 'NAME_DUPLICATED'
    | 'EXCEEDED_MAX_ENTITIES'
}

const MAX_BODY_BYTES = 130 * 1024
const MAX_ITEMS = 200
const BACKDATING_MS = 72 * 3_600_000

const RESERVED_EVENTS = new Set(
  `ad_activeview ad_click ad_exposure ad_query ad_reward adunit_exposure app_clear_data app_exception app_install
  app_remove app_store_refund app_store_subscription_cancel app_store_subscription_convert
  app_store_subscription_renew app_update app_upgrade dynamic_link_app_open dynamic_link_app_update
  dynamic_link_first_open error firebase_campaign firebase_in_app_message_action firebase_in_app_message_dismiss
  firebase_in_app_message_impression first_open first_visit in_app_purchase notification_dismiss
  notification_foreground notification_open notification_receive notification_send os_update session_start
  user_engagement`.split(/\s+/),
)
const RESERVED_PROPERTIES = new Set([
  'first_open_after_install',
  'first_open_time',
  'first_visit_time',
  'last_deep_link_referrer',
  'user_id',
])
const RESERVED_PREFIXES = ['_', 'firebase_', 'ga_', 'google_', 'gtag.']

/** Longer than the 100 characters other values may have. */
const VALUE_LENGTHS: Readonly<Record<string, number>> = { page_title: 300, page_referrer: 420, page_location: 1000 }

/** @param nowMs by the hub's clock, for how far back a timestamp may lie. */
export function validateProtocol(
  body: Fields,
  bytes: number,
  platform: 'web' | 'app',
  nowMs: number,
): ValidationMessage[] {
  const found: ValidationMessage[] = []
  const say = (validationCode: ValidationMessage['validationCode'], fieldPath: string, description: string) => {
    found.push({ fieldPath, description, validationCode })
  }
  if (bytes > MAX_BODY_BYTES) say('VALUE_OUT_OF_BOUNDS', '', 'The body is larger than 130 kB.')
  const owner = platform === 'web' ? 'client_id' : 'app_instance_id'
  const id = own(body, owner)
  if (id === undefined || id === '') say('VALUE_REQUIRED', owner, `${owner} is required.`)
  else if (typeof id !== 'string') say('VALUE_INVALID', owner, `${owner} must be text.`)
  else if (platform === 'app' && !/^[0-9a-f]{32}$/i.test(id))
    say('VALUE_INVALID', owner, 'app_instance_id must be 32 hexadecimal digits.')
  const userId = own(body, 'user_id')
  if (userId !== undefined && typeof userId !== 'string') say('VALUE_INVALID', 'user_id', 'user_id must be text.')
  checkTime(own(body, 'timestamp_micros'), 'timestamp_micros', nowMs, say)
  checkConsent(own(body, 'consent'), say)
  checkUserProperties(own(body, 'user_properties'), say)
  const events = own(body, 'events')
  if (!Array.isArray(events)) say('VALUE_REQUIRED', 'events', 'events is required and must be a list.')
  else {
    if (events.length === 0) say('VALUE_REQUIRED', 'events', 'events must hold at least one event.')
    if (events.length > MAX_EVENTS)
      say('EXCEEDED_MAX_ENTITIES', 'events', `A request carries at most ${MAX_EVENTS} events.`)
    for (const [index, event] of events.slice(0, MAX_EVENTS).entries())
      checkEvent(event, `events[${index}]`, nowMs, say)
  }
  return found
}

type Say = (code: ValidationMessage['validationCode'], fieldPath: string, description: string) => void

function checkEvent(event: unknown, path: string, nowMs: number, say: Say): void {
  if (!isFields(event)) {
    say('VALUE_INVALID', path, 'An event must be an object.')
    return
  }
  const name = own(event, 'name')
  if (typeof name !== 'string' || name === '') say('VALUE_REQUIRED', `${path}.name`, 'An event needs a name.')
  else {
    checkName(name, `${path}.name`, 40, say)
    if (RESERVED_EVENTS.has(name) || RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix)))
      say('NAME_RESERVED', `${path}.name`, `Event name [${name}] is reserved.`)
  }
  checkTime(own(event, 'timestamp_micros'), `${path}.timestamp_micros`, nowMs, say)
  const parameters = own(event, 'params')
  if (parameters === undefined) return
  if (!isFields(parameters)) {
    say('VALUE_INVALID', `${path}.params`, 'params must be an object.')
    return
  }
  const { items, ...others } = parameters
  if (Object.keys(others).length > 25)
    say('EXCEEDED_MAX_ENTITIES', `${path}.params`, 'An event carries at most 25 parameters.')
  for (const [parameter, value] of Object.entries(others)) checkParameter(parameter, value, `${path}.params`, say)
  if (items !== undefined) checkItems(items, `${path}.params.items`, say)
  for (const amount of ['value', 'tax', 'shipping']) {
    const value = own(parameters, amount)
    if (value !== undefined && typeof value !== 'number')
      say('VALUE_INVALID', `${path}.params.${amount}`, `${amount} must be a number.`)
  }
  const currency = own(parameters, 'currency')
  if (own(parameters, 'value') !== undefined && currency === undefined)
    say('VALUE_REQUIRED', `${path}.params.currency`, 'currency is required with value.')
  if (currency !== undefined && !(typeof currency === 'string' && /^[A-Z]{3}$/.test(currency)))
    say('VALUE_INVALID', `${path}.params.currency`, 'currency must be three letters of ISO 4217.')
  if (name === 'purchase' && !own(parameters, 'transaction_id'))
    say('VALUE_REQUIRED', `${path}.params.transaction_id`, 'transaction_id is required.')
}

function checkParameter(name: string, value: unknown, path: string, say: Say): void {
  checkName(name, `${path}.${name}`, 40, say)
  const prefix = RESERVED_PREFIXES.find((reserved) => name.startsWith(reserved))
  if (prefix && name !== 'ga_session_id' && name !== 'ga_session_number')
    say('NAME_RESERVED', `${path}.${name}`, `Parameter names must not begin with [${prefix}].`)
  if (typeof value === 'string') {
    const longest = (Object.hasOwn(VALUE_LENGTHS, name) && VALUE_LENGTHS[name]) || 100
    if (value.length > longest)
      say('VALUE_OUT_OF_BOUNDS', `${path}.${name}`, `The value is longer than ${longest} characters.`)
  } else if (typeof value !== 'number' && typeof value !== 'boolean')
    say('VALUE_INVALID', `${path}.${name}`, 'A parameter must be text or a number.')
}

function checkItems(items: unknown, path: string, say: Say): void {
  if (!Array.isArray(items)) {
    say('VALUE_INVALID', path, 'items must be a list.')
    return
  }
  if (items.length > MAX_ITEMS) say('EXCEEDED_MAX_ENTITIES', path, `An event carries at most ${MAX_ITEMS} items.`)
  for (const [index, item] of items.slice(0, MAX_ITEMS).entries()) {
    if (!isFields(item)) say('VALUE_INVALID', `${path}[${index}]`, 'An item must be an object.')
    else if (
      !own(item, 'item_id') &&
      !own(item, 'item_name') &&
      !own(item, 'promotion_id') &&
      !own(item, 'promotion_name')
    )
      say('VALUE_REQUIRED', `${path}[${index}]`, 'An item needs item_id or item_name.')
  }
}

function checkUserProperties(properties: unknown, say: Say): void {
  if (properties === undefined) return
  if (!isFields(properties)) {
    say('VALUE_INVALID', 'user_properties', 'user_properties must be an object.')
    return
  }
  const names = Object.keys(properties)
  if (names.length > 25) say('EXCEEDED_MAX_ENTITIES', 'user_properties', 'At most 25 user properties.')
  const seen = new Set<string>()
  for (const name of names) {
    const path = `user_properties.${name}`
    checkName(name, path, 24, say)
    const prefix = RESERVED_PREFIXES.find((reserved) => name.startsWith(reserved))
    if (RESERVED_PROPERTIES.has(name) || prefix) say('NAME_RESERVED', path, `User property [${name}] is reserved.`)
    if (seen.has(name.toLowerCase())) say('NAME_DUPLICATED', path, `User property [${name}] is given twice.`)
    seen.add(name.toLowerCase())
    const property = properties[name]
    const value = isFields(property) ? own(property, 'value') : undefined
    if (value === undefined) say('VALUE_REQUIRED', `${path}.value`, 'A user property needs a value.')
    else if (typeof value === 'string' ? value.length > 36 : typeof value !== 'number' && typeof value !== 'boolean')
      say('VALUE_OUT_OF_BOUNDS', `${path}.value`, 'A user property is text of at most 36 characters, or a number.')
  }
}

function checkConsent(consent: unknown, say: Say): void {
  if (consent === undefined) return
  if (!isFields(consent)) {
    say('VALUE_INVALID', 'consent', 'consent must be an object.')
    return
  }
  for (const [name, value] of Object.entries(consent)) {
    if (name !== 'ad_user_data' && name !== 'ad_personalization')
      say('NAME_INVALID', `consent.${name}`, 'consent knows ad_user_data and ad_personalization.')
    else if (value !== 'GRANTED' && value !== 'DENIED')
      say('VALUE_INVALID', `consent.${name}`, `${name} must be GRANTED or DENIED.`)
  }
}

function checkTime(micros: unknown, path: string, nowMs: number, say: Say): void {
  if (micros === undefined) return
  const time = timeOf(micros)
  if (time === undefined) {
    say('VALUE_INVALID', path, 'timestamp_micros must be microseconds since 1970.')
    return
  }
  const age = nowMs - Date.parse(time)
  if (age > BACKDATING_MS) say('VALUE_OUT_OF_BOUNDS', path, 'timestamp_micros lies more than 72 hours back.')
  if (age < -900_000) say('VALUE_OUT_OF_BOUNDS', path, 'timestamp_micros lies in the future.')
}

function checkName(name: string, path: string, longest: number, say: Say): void {
  if (name.length > longest) say('NAME_INVALID', path, `Names have at most ${longest} characters.`)
  if (!/^[A-Za-z_]/.test(name)) say('NAME_INVALID', path, 'Names must begin with a letter.')
  else if (!/^\w+$/.test(name)) say('NAME_INVALID', path, 'Names hold letters, digits and underscores only.')
}
