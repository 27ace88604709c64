/**
 * GA4 Measurement Protocol, web and app.
 * https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference
 */
import { InputError, type SourceEvent, type SourceItem } from '../../core/kit/index.ts'
import { consentOfProtocol } from './consent-mode.ts'
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
import { readUserData } from './user-data.ts'

export const MAX_EVENTS = 25

/** One item per event. `raw` is the event in a body of its own, so that it can be read again alone. */
export function readProtocol(body: Fields): SourceItem[] {
  const events = own(body, 'events')
  if (!Array.isArray(events)) throw new InputError('INVALID', 'events must be a list', '/events')
  const { events: _events, ...shared } = body
  return events.map((event: unknown, index): SourceItem => {
    const raw = { ...shared, events: [event] }
    const reject = (path: string, message: string): SourceItem => ({
      rejected: { code: 'INVALID', path: `/events/${index}${path}`, message },
      raw,
    })
    if (index >= MAX_EVENTS) return reject('', `A request carries at most ${MAX_EVENTS} events.`)
    if (!isFields(event)) return reject('', 'An event must be an object.')
    const name = own(event, 'name')
    if (typeof name !== 'string' || name === '') return reject('/name', 'An event needs a name.')
    const parameters = own(event, 'params') ?? {}
    if (!isFields(parameters)) return reject('/params', 'params must be an object.')
    const micros = own(event, 'timestamp_micros') ?? own(shared, 'timestamp_micros')
    const timestamp = micros === undefined ? undefined : timeOf(micros)
    if (micros !== undefined && timestamp === undefined)
      return {
        rejected: {
          code: 'BAD_TIMESTAMP',
          path: `/events/${index}/timestamp_micros`,
          message: 'Not microseconds since 1970.',
        },
        raw,
      }
    return {
      event: readEvent(shared, name, parameters, { index, micros, timestamp }),
      raw,
      path: `/events/${index}`,
      rawPath: '/events/0',
    }
  })
}

function readEvent(
  shared: Fields,
  name: string,
  received: Fields,
  when: {
    readonly index: number
    readonly micros: unknown
    readonly timestamp: string | undefined
  },
): SourceEvent {
  const { items, ...parameters } = received
  const userData = readUserData(own(shared, 'user_data'))
  const consent = own(shared, 'consent')
  const userAgent = own(shared, 'user_agent')
  const ip = own(shared, 'ip_override')
  const location = own(parameters, 'page_location')
  const device = own(shared, 'device')
  const resolution = isFields(device) ? own(device, 'screen_resolution') : undefined
  const locale = isFields(device) ? own(device, 'language') : undefined
  return toSourceEvent({
    name,
    parameters,
    items: Array.isArray(items) ? items.filter((item): item is Item => isFields(item)) : [],
    identifiers: [...identifiersOf(shared), ...userData.identifiers],
    traits: { ...propertiesOf(own(shared, 'user_properties')), ...userData.traits },
    context: {
      ...pageContext(location, own(parameters, 'page_title'), own(parameters, 'page_referrer')),
      ...campaignContext(location),
      ...screenContext(resolution),
      ...(typeof locale === 'string' && { locale }),
      ...(typeof userAgent === 'string' && { userAgent }),
      ...(typeof ip === 'string' && { ip }),
      ...userData.context,
    },
    consent: isFields(consent) ? consentOfProtocol(consent) : [],
    messageId: messageIdOf(shared, name, received, when),
    timestamp: when.timestamp,
  })
}

/** `timestamp_micros` with the content names the event; without it only the order of a purchase does. */
function messageIdOf(
  shared: Fields,
  name: string,
  parameters: Fields,
  { index, micros }: { readonly index: number; readonly micros: unknown },
): string | undefined {
  const owner = own(shared, 'client_id') ?? own(shared, 'app_instance_id')
  if (micros !== undefined) return contentId('protocol', owner, micros, name, index, parameters)
  const order = own(parameters, 'transaction_id')
  return name === 'purchase' && typeof order === 'string' && order !== '' ? contentId('purchase', order) : undefined
}

function identifiersOf(shared: Fields): SourceEvent['identifiers'] {
  const entries = [
    ['userId', own(shared, 'user_id')],
    ['ga_client_id', own(shared, 'client_id')],
    ['device_id', own(shared, 'app_instance_id')],
  ] as const
  return entries
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .map(([type, value]) => ({ type, value }))
}

/** `{plan: {value: 'pro'}}`; plain values are taken too. */
export function propertiesOf(properties: unknown): Fields {
  if (!isFields(properties)) return {}
  return Object.fromEntries(
    Object.entries(properties)
      .map(([name, property]): [string, unknown] => [name, isFields(property) ? own(property, 'value') : property])
      .filter(([, value]) => value !== undefined && value !== null),
  )
}
