/**
 * Hits of gtag.js, GTM and other GA4 clients: `/g/collect`, GET or POST.
 * Parameters: https://www.thyngster.com/ga4-measurement-protocol-cheatsheet/
 */
import type { RawRequest, SourceEvent, SourceItem } from '../../core/kit/index.ts'
import { consentOfHit } from './consent-mode.ts'
import { campaignContext, contentId, type Fields, pageContext, screenContext, toSourceEvent } from './event.ts'
import { numberOf, readItems } from './items.ts'
import { readEm, readUserData } from './user-data.ts'

export type HitParameters = Readonly<Record<string, string>>

/**
 * The query is shared; each line of the body is one event whose parameters override it. With a body the lines
 * are the events; without one the query is.
 */
export function readHits(request: RawRequest, measurementId: string | undefined): SourceItem[] {
  const lines = request.body
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
  if (lines.length === 0) return request.query['en'] ? [readHit(request.query, 0, measurementId, request)] : []
  return lines.map((line, index) => {
    const parameters = { ...request.query, ...Object.fromEntries(new URLSearchParams(line)) }
    return readHit(parameters, index, measurementId, request)
  })
}

/** @param line position in the body: two events of one request may carry the same name. */
export function readHit(
  parameters: HitParameters,
  line: number,
  measurementId: string | undefined,
  request: RawRequest,
): SourceItem {
  const name = get(parameters, 'en')
  if (name === undefined)
    return { rejected: { code: 'INVALID', path: '/en', message: 'The hit has no event name.' }, raw: parameters }
  const tid = get(parameters, 'tid')
  if (measurementId !== undefined && tid !== undefined && tid !== measurementId)
    return {
      rejected: { code: 'INVALID', path: '/tid', message: 'The hit belongs to another measurement id.' },
      raw: parameters,
    }
  const userData = readUserData(userDataOf(parameters))
  const event = toSourceEvent({
    name,
    parameters: eventParameters(parameters),
    items: readItems(parameters),
    identifiers: [...identifiersOf(parameters), ...userData.identifiers],
    traits: { ...prefixed(parameters, 'up.'), ...numbers(prefixed(parameters, 'upn.')), ...userData.traits },
    context: { ...contextOf(parameters, request), ...userData.context },
    consent: consentOfHit({
      gcd: get(parameters, 'gcd'),
      gcs: get(parameters, 'gcs'),
      secGpc: request.headers['sec-gpc'],
    }),
    messageId: messageIdOf(parameters, name, line),
  })
  return { event, raw: parameters }
}

/** `_p` names the page load, `_s` the hit on it; without them only the order of a purchase names it. */
function messageIdOf(parameters: HitParameters, name: string, line: number): string | undefined {
  const pageId = get(parameters, '_p')
  const hit = get(parameters, '_s')
  const common = [get(parameters, 'tid'), get(parameters, 'cid')]
  if (pageId !== undefined && hit !== undefined) return contentId('hit', ...common, pageId, hit, name, line)
  const order = get(parameters, 'ep.transaction_id')
  return name === 'purchase' && order !== undefined ? contentId('purchase', order) : undefined
}

const get = (parameters: HitParameters, name: string): string | undefined =>
  Object.hasOwn(parameters, name) && parameters[name] !== '' ? parameters[name] : undefined

const prefixed = (parameters: HitParameters, prefix: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(parameters)
      .filter(([name]) => name.startsWith(prefix) && name.length > prefix.length)
      .map(([name, value]) => [name.slice(prefix.length), value]),
  )

const numbers = (fields: Readonly<Record<string, string>>): Fields =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, numberOf(value)]))

function identifiersOf(parameters: HitParameters): SourceEvent['identifiers'] {
  const userId = get(parameters, 'uid')
  const clientId = get(parameters, 'cid')
  return [
    ...(userId !== undefined ? [{ type: 'userId' as const, value: userId }] : []),
    ...(clientId !== undefined ? [{ type: 'ga_client_id' as const, value: clientId }] : []),
  ]
}

function eventParameters(parameters: HitParameters): Fields {
  const texts = Object.entries(prefixed(parameters, 'ep.')).filter(([name]) => !name.startsWith('user_data.'))
  const page = Object.entries({
    page_location: get(parameters, 'dl'),
    page_title: get(parameters, 'dt'),
    page_referrer: get(parameters, 'dr'),
  }).filter(([, value]) => get(parameters, 'en') === 'page_view' && value !== undefined)
  // gtag.js sends the currency as cu, other clients as ep.currency.
  const currency = get(parameters, 'cu')
  const engaged = get(parameters, '_et')
  return {
    ...Object.fromEntries(page),
    ...Object.fromEntries(texts),
    ...numbers(prefixed(parameters, 'epn.')),
    ...(currency !== undefined && { currency }),
    ...(engaged !== undefined && { engagement_time_msec: numberOf(engaged) }),
  }
}

/** `ep.user_data.*` with dots for levels, and `em`. */
function userDataOf(parameters: HitParameters): Fields {
  const flat: [string, unknown][] = []
  const address: [string, string][] = []
  for (const [name, value] of Object.entries(prefixed(parameters, 'ep.user_data.'))) {
    const inner = /^address\.(?:\d+\.)?(\w+)$/.exec(name)?.[1]
    if (inner !== undefined) address.push([inner, value])
    else flat.push([name, value])
  }
  const em = get(parameters, 'em')
  return {
    ...(em !== undefined && readEm(em)),
    ...Object.fromEntries(flat),
    ...(address.length > 0 && { address: Object.fromEntries(address) }),
  }
}

/** Consent Mode and session facts under `google`; the rest by Segment's names. */
const GOOGLE: Readonly<Record<string, string>> = {
  tid: 'measurementId',
  sid: 'sessionId',
  sct: 'sessionNumber',
  seg: 'sessionEngaged',
  _ss: 'sessionStart',
  _fv: 'firstVisit',
  gcs: 'gcs',
  gcd: 'gcd',
  // Written by the site's settings as well as by the person's choice: kept as a fact, never read as an answer.
  npa: 'npa',
  dma: 'dma',
  dma_cps: 'dmaCps',
  ur: 'region',
  _dbg: 'debug',
}

function contextOf(parameters: HitParameters, request: RawRequest): Fields {
  const url = get(parameters, 'dl')
  const google = Object.entries(GOOGLE)
    .map(([parameter, name]) => [name, get(parameters, parameter)])
    .filter(([, value]) => value !== undefined)
  const locale = get(parameters, 'ul')
  const userAgent = request.headers['user-agent']
  const ip = get(parameters, '_uip') ?? request.ip
  return {
    ...pageContext(url, get(parameters, 'dt'), get(parameters, 'dr')),
    ...campaignContext(url, {
      source: get(parameters, 'cs'),
      medium: get(parameters, 'cm'),
      name: get(parameters, 'cn'),
      term: get(parameters, 'ct'),
      content: get(parameters, 'cc'),
      id: get(parameters, 'ci'),
    }),
    ...screenContext(get(parameters, 'sr')),
    ...(locale !== undefined && { locale }),
    ...(userAgent && { userAgent }),
    ...(ip !== undefined && { ip }),
    google: Object.fromEntries(google),
  }
}
