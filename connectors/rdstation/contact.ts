/**
 * A contact of RD Station Marketing as identifiers, traits and consent.
 * https://developers.rdstation.com/reference/webhooks-payload-copy
 */
import { type ConsentEvidence, legalBasesOf, type SourceEvent } from '../../core/kit/index.ts'

export type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

export const own = (fields: Fields, name: string): unknown => (Object.hasOwn(fields, name) ? fields[name] : undefined)

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : typeof value === 'number' ? String(value) : undefined

/** Entries that say something: an empty text is how RD Station says "not filled in". */
export const stated = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  )

export function identifiersOf(contact: Fields): SourceEvent['identifiers'] {
  return [
    { type: 'rdstation_uuid' as const, value: own(contact, 'uuid') },
    { type: 'email' as const, value: own(contact, 'email') },
    { type: 'phone' as const, value: own(contact, 'mobile_phone') },
    { type: 'phone' as const, value: own(contact, 'personal_phone') },
  ].filter(({ value }) => textOf(value) !== undefined)
}

/** Traits that keep RD Station's name. */
const SAME = [
  'name',
  'email',
  'job_title',
  'bio',
  'website',
  'mobile_phone',
  'personal_phone',
  'birthdate',
  'gender',
  'address',
  'city',
  'state',
  'country',
  'twitter',
  'facebook',
  'linkedin',
  'tags',
  // First form only: custom fields by their label.
  'custom_fields',
]
/** In `funnel`, or flat in the contact. */
const FUNNEL = ['lifecycle_stage', 'opportunity', 'contact_owner_email', 'interest', 'fit', 'origin']
/** Fields the hub writes itself; its own ids and links are nobody's traits. */
const OURS = /^cf_anuente_/

export function traitsOf(contact: Fields): Fields {
  const nested = own(contact, 'funnel')
  const funnel = isFields(nested) ? nested : contact
  const company = own(contact, 'company')
  const companyName = textOf(isFields(company) ? own(company, 'name') : company)
  return stated({
    ...Object.fromEntries(SAME.map((name) => [name, own(contact, name)])),
    phone: textOf(own(contact, 'mobile_phone')) ?? textOf(own(contact, 'personal_phone')),
    company: companyName === undefined ? undefined : { name: companyName },
    ...Object.fromEntries(FUNNEL.map((name) => [name, own(funnel, name)])),
    ...Object.fromEntries(Object.entries(contact).filter(([name]) => name.startsWith('cf_') && !OURS.test(name))),
  })
}

/** @see legalBasesOf */
export const consentOf = (contact: Fields): ConsentEvidence[] => legalBasesOf(own(contact, 'legal_bases'))
