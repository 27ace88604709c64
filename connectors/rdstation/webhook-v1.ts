/**
 * Webhooks of the first form, `{"leads": […]}`, still sent to accounts that never migrated.
 * https://developers.rdstation.com/docs/como-migrar-webhooks
 */
import type { SourceEvent, SourceItem } from '../../core/kit/index.ts'
import { consentOf, type Fields, identifiersOf, isFields, own, stated, textOf, traitsOf } from './contact.ts'
import { conversionEcho } from './echo.ts'
import { both, campaignOf, contentId, EVENT_NAMES } from './webhook.ts'

export type LeadsTrigger = 'conversion' | 'opportunity'

/** @param trigger what the webhook was set up for: the payload is the same for both and does not say. */
export function readLeads(payload: Fields, trigger: LeadsTrigger): SourceItem[] {
  const { leads: given, ...rest } = payload
  const leads = typeof given === 'string' ? parsed(given) : given
  if (!Array.isArray(leads))
    return [{ rejected: { code: 'INVALID', path: '/leads', message: 'leads must be a list.' }, raw: payload }]
  return leads.flatMap((lead: unknown, index): SourceItem[] =>
    isFields(lead)
      ? readLead({ ...rest, leads: [lead] }, lead, trigger).map((item) => ({
          path: `/leads/${index}`,
          rawPath: '/leads/0',
          ...item,
        }))
      : [
          {
            rejected: { code: 'INVALID', path: `/leads/${index}`, message: 'A lead must be an object.' },
            raw: { ...rest, leads: [lead] },
          },
        ],
  )
}

function readLead(payload: Fields, lead: Fields, trigger: LeadsTrigger): SourceItem[] {
  const contact = contactOf(lead)
  const given = own(lead, 'last_conversion')
  const conversion = isFields(given) ? given : {}
  const content = contentOf(conversion)
  const identifier = textOf(own(content, 'identificador')) ?? textOf(own(content, 'conversion_identifier'))
  const uuid = textOf(own(lead, 'uuid'))
  const at = own(conversion, 'created_at')
  const key = keyOf(content, [uuid, identifier, at, own(conversion, 'cumulative_sum')])
  const identifiers = identifiersOf(contact)
  const consent = consentOf(contact)
  const identify: SourceEvent = {
    type: 'identify',
    ...(key && { messageId: `${key}-contact` }),
    identifiers,
    traits: traitsOf(contact),
    ...(consent.length > 0 && { consent }),
  }
  if (trigger === 'opportunity')
    return both(payload, identify, {
      type: 'track',
      name: EVENT_NAMES['WEBHOOK.MARKED_OPPORTUNITY']!,
      originalName: 'leads',
      ...(key && { messageId: `${key}-opportunity` }),
      identifiers,
      properties: stated({ lifecycle_stage: own(contact, 'lifecycle_stage') }),
    })
  // A lead made by hand or by import has no conversion.
  if (!isFields(given)) return both(payload, identify, undefined)
  const email = textOf(own(contact, 'email'))
  const deliveryId = textOf(own(content, 'cf_anuente_delivery_id'))
  return both(payload, identify, {
    type: 'track',
    name: EVENT_NAMES['WEBHOOK.CONVERTED']!,
    originalName: 'leads',
    ...(key && { messageId: key }),
    ...(typeof at === 'string' && { timestamp: at }),
    identifiers,
    properties: stated({
      conversion_identifier: identifier,
      source: own(conversion, 'source'),
      cumulative_sum: plain(own(conversion, 'cumulative_sum')),
      fields: fieldsOf(content),
    }),
    ...campaignOf(own(conversion, 'conversion_origin')),
    ...(deliveryId !== undefined && { deliveryId }),
    ...(identifier !== undefined && email !== undefined && { echo: conversionEcho(identifier, email) }),
  })
}

/** The id RD Station gave the conversion; else what tells it from others. */
function keyOf(content: Fields, parts: readonly unknown[]): string | undefined {
  const original = own(content, '__cdp__original_event')
  const uuid = isFields(original) ? textOf(own(original, 'event_uuid')) : undefined
  if (uuid !== undefined) return contentId('event_uuid', uuid)
  const [lead, , at] = parts
  return typeof lead === 'string' && typeof at === 'string' ? contentId(...parts.map(plainText)) : undefined
}

const plainText = (part: unknown): string | null => textOf(part) ?? null

/** Keyed by the labels of the form ("Nome", "Celular"), as the team wrote them. */
function contentOf(conversion: Fields): Fields {
  const content = own(conversion, 'content')
  const read = typeof content === 'string' ? parsed(content) : content
  return isFields(read) ? read : {}
}

function fieldsOf(content: Fields): Fields | undefined {
  const { __cdp__original_event: _original, identificador: _identifier, ...labels } = content
  const filled = stated(Object.fromEntries(Object.entries(labels).filter(([name]) => !name.startsWith('cf_anuente_'))))
  return Object.keys(filled).length > 0 ? filled : undefined
}

/** A lead by the names of a contact of today. Numbers and booleans come as text. */
function contactOf(lead: Fields): Fields {
  const {
    lead_stage: stage,
    user: owner,
    fit_score: fit,
    opportunity,
    interest,
    tags,
    custom_fields: custom,
    ...same
  } = lead
  const fields = Object.entries(isFields(custom) ? custom : {})
  const labels = stated(Object.fromEntries(fields.filter(([name]) => !name.startsWith('cf_'))))
  return {
    ...same,
    ...Object.fromEntries(fields.filter(([name]) => name.startsWith('cf_'))),
    ...(Object.keys(labels).length > 0 && { custom_fields: labels }),
    ...stated({
      lifecycle_stage: stage,
      contact_owner_email: owner,
      fit,
      opportunity: plain(opportunity),
      interest: plain(interest),
      tags: typeof tags === 'string' ? tags.split(',').map((tag) => tag.trim()) : tags,
    }),
  }
}

function plain(value: unknown): unknown {
  if (value === 'true' || value === 'false') return value === 'true'
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // Reported by the caller as a list or object that is missing.
  }
}
