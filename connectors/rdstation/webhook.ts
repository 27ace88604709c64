/**
 * Webhooks of RD Station Marketing in their present form, and those of deals in RD Station CRM.
 * https://developers.rdstation.com/reference/webhooks-payload-copy
 */
import { createHash } from 'node:crypto'
import { decodeTime } from 'ulid'
import type { SourceEvent, SourceItem } from '../../core/kit/index.ts'
import { consentOf, type Fields, identifiersOf, isFields, own, stated, textOf, traitsOf } from './contact.ts'
import { conversionEcho } from './echo.ts'

/** RD Station's event -> the hub's. Also in SOURCE.md. */
export const EVENT_NAMES: Readonly<Record<string, string>> = {
  'WEBHOOK.CONVERTED': 'Lead Converted',
  'WEBHOOK.MARKED_OPPORTUNITY': 'Lead Marked as Opportunity',
  crm_deal_created: 'Deal Created',
  crm_deal_updated: 'Deal Updated',
  crm_deal_deleted: 'Deal Deleted',
}

/**
 * One webhook becomes an identify and a track. What is kept of each says which of the two it is, so that either can
 * be read again alone.
 */
export const PART = 'anuente_part'

export const contentId = (...parts: readonly unknown[]): string =>
  `rd-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40)}`

/** The contact, then what happened; only the one that `part` names on a second reading. */
export function both(payload: Fields, contact: SourceEvent, happened: SourceEvent | undefined): SourceItem[] {
  const part = own(payload, PART)
  return [
    ...(part !== 'event' ? [{ event: contact, raw: { ...payload, [PART]: 'contact' } }] : []),
    ...(part !== 'contact' && happened ? [{ event: happened, raw: { ...payload, [PART]: 'event' } }] : []),
  ]
}

/** Null when it is no webhook of this form. */
export function readWebhook(payload: Fields): SourceItem[] | null {
  const type = own(payload, 'event_type') ?? own(payload, 'event_name')
  if (typeof type !== 'string') return null
  const name = own(EVENT_NAMES, type)
  if (typeof name !== 'string')
    return [
      {
        rejected: { code: 'INVALID', path: '/event_type', message: 'RD Station documents no such event.' },
        raw: payload,
      },
    ]
  if (type.startsWith('crm_')) return [readDeal(payload, type, name)]
  const contact = own(payload, 'contact')
  if (!isFields(contact))
    return [
      { rejected: { code: 'INVALID', path: '/contact', message: 'The webhook carries no contact.' }, raw: payload },
    ]
  const at = own(payload, 'event_timestamp') ?? own(payload, 'timestamp')
  const identifier = textOf(own(payload, 'event_identifier'))
  const uuid = textOf(own(contact, 'uuid'))
  const key = uuid && typeof at === 'string' ? contentId(type, uuid, identifier, at) : undefined
  const common = { identifiers: identifiersOf(contact), ...(typeof at === 'string' && { timestamp: at }) }
  const consent = consentOf(contact)
  const identify: SourceEvent = {
    ...common,
    type: 'identify',
    ...(key && { messageId: `${key}-contact` }),
    traits: traitsOf(contact),
    ...(consent.length > 0 && { consent }),
  }
  const converted = type === 'WEBHOOK.CONVERTED'
  const email = textOf(own(contact, 'email'))
  const deliveryId = deliveryOf(payload, contact, at)
  return both(payload, identify, {
    ...common,
    type: 'track',
    name,
    originalName: type,
    ...(key && { messageId: key }),
    properties: {
      ...funnelOf(contact),
      ...stated({ [converted ? 'conversion_identifier' : 'event_identifier']: identifier }),
    },
    ...campaignOf(own(contact, 'origin')),
    ...(deliveryId !== undefined && { deliveryId }),
    ...(converted && identifier !== undefined && email !== undefined && { echo: conversionEcho(identifier, email) }),
  })
}

function funnelOf(contact: Fields): Fields {
  const nested = own(contact, 'funnel')
  const funnel = isFields(nested) ? nested : contact
  const origin = own(funnel, 'origin')
  return stated({
    funnel_name: isFields(nested) ? own(nested, 'name') : undefined,
    lifecycle_stage: own(funnel, 'lifecycle_stage'),
    origin: typeof origin === 'string' ? origin : undefined,
  })
}

/** An origin as Segment's `context.campaign`. */
export function campaignOf(origin: unknown): { context?: Fields } {
  if (!isFields(origin)) return {}
  const campaign = stated({
    source: own(origin, 'source'),
    medium: own(origin, 'medium'),
    name: own(origin, 'campaign'),
    term: own(origin, 'value'),
  })
  return Object.keys(campaign).length > 0 ? { context: { campaign } } : {}
}

const FRESH_MS = 15 * 60_000

/**
 * The delivery that caused this. A contact keeps its custom fields for ever, so the id found there names the
 * delivery of this event only when it was made shortly before; an old one would hide every later conversion.
 */
function deliveryOf(payload: Fields, contact: Fields, at: unknown): string | undefined {
  const said = textOf(own(payload, 'cf_anuente_delivery_id'))
  if (said !== undefined) return said
  const kept = textOf(own(contact, 'cf_anuente_delivery_id'))
  if (kept === undefined || typeof at !== 'string') return undefined
  try {
    const age = Date.parse(at) - decodeTime(kept)
    return age > -60_000 && age < FRESH_MS ? kept : undefined
  } catch {
    return undefined // Not an id of this hub.
  }
}

/** A deal often comes without contacts; without any identifier the hub sets it aside as NO_IDENTIFIER. */
function readDeal(payload: Fields, type: string, name: string): SourceItem {
  const given = own(payload, 'document')
  const deal = isFields(given) ? given : {}
  const contacts = own(deal, 'contacts')
  const contact = Array.isArray(contacts) ? contacts.find(isFields) : undefined
  const at = own(payload, 'event_timestamp')
  const transaction = textOf(own(payload, 'transaction_uuid'))
  const inner = (field: string, key: string) => {
    const value = own(deal, field)
    return isFields(value) ? own(value, key) : undefined
  }
  return {
    event: {
      type: 'track',
      name,
      originalName: type,
      ...(transaction !== undefined && { messageId: contentId(type, transaction) }),
      ...(typeof at === 'string' && { timestamp: at }),
      identifiers: contact ? contactOfDeal(contact) : [],
      properties: stated({
        deal_id: own(deal, 'id'),
        deal_name: own(deal, 'name'),
        status: own(deal, 'status'),
        value: own(deal, 'amount_total'),
        stage: inner('deal_stage', 'name'),
        pipeline: inner('deal_pipeline', 'name'),
        fields: dealFields(own(deal, 'deal_custom_fields')),
      }),
    },
    raw: payload,
  }
}

function contactOfDeal(contact: Fields): SourceEvent['identifiers'] {
  const first = (list: string, field: string): unknown => {
    const values = own(contact, list)
    const value: unknown = Array.isArray(values) ? values[0] : undefined
    return isFields(value) ? own(value, field) : value
  }
  return [
    { type: 'email' as const, value: first('emails', 'email') },
    { type: 'phone' as const, value: first('phones', 'phone') },
  ].filter(({ value }) => textOf(value) !== undefined)
}

function dealFields(fields: unknown): Fields | undefined {
  if (!Array.isArray(fields)) return undefined
  const named = fields.filter(isFields).map((field): [string, unknown] => {
    const definition = own(field, 'custom_field')
    return [textOf(isFields(definition) ? own(definition, 'label') : undefined) ?? '', own(field, 'value')]
  })
  const filled = stated(Object.fromEntries(named.filter(([label]) => label !== '')))
  return Object.keys(filled).length > 0 ? filled : undefined
}
