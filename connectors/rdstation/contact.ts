/**
 * A contact of RD Station Marketing as identifiers, traits and consent.
 * https://developers.rdstation.com/reference/webhooks-payload-copy
 */
import type { ConsentEvidence, SourceEvent } from '../../core/kit/index.ts'

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

/** RD Station's `type` -> basis of LGPD art. 7. It knows six of the ten. */
const BASES = {
  consent: 'consent',
  public_interest: 'public_policy',
  pre_existent_contract: 'contract',
  judicial_process: 'legal_claims',
  vital_interest: 'vital_interest',
  legitimate_interest: 'legitimate_interest',
} as const

/**
 * `legal_bases`. A status exists for communications only, and says something only about consent; every other entry
 * states its basis. Entries whose category, type or status RD Station does not document say nothing.
 */
export function consentOf(contact: Fields): ConsentEvidence[] {
  const bases = own(contact, 'legal_bases')
  if (!Array.isArray(bases)) return []
  const statements: Record<string, ConsentEvidence['answers'][string]>[] = []
  for (const entry of bases) {
    if (!isFields(entry)) continue
    const category = own(entry, 'category')
    const type = own(entry, 'type')
    const status = own(entry, 'status')
    if (category !== 'communications' && category !== 'data_processing') continue
    if (typeof type !== 'string' || !Object.hasOwn(BASES, type)) continue
    const basis = BASES[type as keyof typeof BASES]
    const answer = answerOf(category, basis, status)
    if (answer === undefined) continue
    // Two bases for one category are two statements: neither may hide the other.
    let statement = statements.find((known) => !Object.hasOwn(known, category))
    if (!statement) {
      statement = {}
      statements.push(statement)
    }
    statement[category] = { answer, basis }
  }
  // Nothing in the webhook says by which act the contact answered.
  return statements.map((answers) => ({ vendor: 'rd', answers, method: 'none', actor: 'subject', raw: bases }))
}

function answerOf(category: string, basis: string, status: unknown): 'granted' | 'denied' | undefined {
  if (status === 'declined') return 'denied'
  if (status === 'granted') return 'granted'
  return status === undefined && !(category === 'communications' && basis === 'consent') ? 'granted' : undefined
}
