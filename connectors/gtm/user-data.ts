/**
 * user_data: contact data for Google's enhanced conversions, in the clear or hashed.
 * Hashes are kept beside the event and identify nobody here: each platform normalises before hashing in its own
 * way, so equal people need not have equal hashes.
 * https://developers.google.com/analytics/devguides/collection/ga4/uid-data
 */
import type { SourceEvent } from '../../core/kit/index.ts'
import { type Fields, isFields } from './event.ts'

export interface UserData {
  readonly identifiers: SourceEvent['identifiers']
  readonly traits: Fields
  readonly context: Fields
}

const firstOf = (value: unknown): unknown => (Array.isArray(value) ? value[0] : value)
const text = (value: unknown): string | undefined => {
  const one = firstOf(value)
  return typeof one === 'string' && one !== '' ? one : typeof one === 'number' ? String(one) : undefined
}

export function readUserData(userData: unknown): UserData {
  if (!isFields(userData)) return { identifiers: [], traits: {}, context: {} }
  const hashed = Object.entries(userData).filter(([name, value]) => name.startsWith('sha256_') && firstOf(value))
  const address = firstOf(userData['address'])
  if (isFields(address)) {
    const hashes = Object.entries(address).filter(([name]) => name.startsWith('sha256_'))
    if (hashes.length > 0) hashed.push(['address', Object.fromEntries(hashes)])
  }
  const email = text(userData['email_address'] ?? userData['email'])
  const phone = text(userData['phone_number'] ?? userData['phone'])
  const place = isFields(address) ? address : {}
  const traits = Object.entries({
    email,
    phone,
    firstName: text(place['first_name']),
    lastName: text(place['last_name']),
    address: addressOf(place),
  }).filter(([, value]) => value !== undefined)
  return {
    identifiers: [
      ...(email !== undefined ? [{ type: 'email' as const, value: email }] : []),
      ...(phone !== undefined ? [{ type: 'phone' as const, value: phone }] : []),
    ],
    traits: Object.fromEntries(traits),
    context: hashed.length > 0 ? { userData: Object.fromEntries(hashed) } : {},
  }
}

/** Segment's trait `address`. */
function addressOf(place: Fields): Fields | undefined {
  const parts = Object.entries({
    street: text(place['street']),
    city: text(place['city']),
    state: text(place['region']),
    postalCode: text(place['postal_code']),
    country: text(place['country']),
  }).filter(([, value]) => value !== undefined)
  return parts.length > 0 ? Object.fromEntries(parts) : undefined
}

const EM_NAMES: Readonly<Record<string, string>> = {
  em: 'sha256_email_address',
  pn: 'sha256_phone_number',
  fn: 'sha256_first_name',
  ln: 'sha256_last_name',
  sa: 'sha256_street',
  ct: 'city',
  rg: 'region',
  pc: 'postal_code',
  co: 'country',
}

/** The hit's `em=tv.1~em.<hash>~pn.<hash>~fn0.<hash>…`; hashes come in base64url and are given in hex. */
export function readEm(em: string): Fields {
  const found: [string, string][] = []
  for (const part of em.split('~')) {
    const match = /^([a-z]{2})\d*\.(.+)$/.exec(part)
    const name = match ? EM_NAMES[match[1]!] : undefined
    if (match && name) found.push([name, name.startsWith('sha256_') ? hex(match[2]!) : match[2]!])
  }
  return Object.fromEntries(found)
}

function hex(hash: string): string {
  const bytes = Buffer.from(hash, 'base64url')
  return /^[\w-]{43}=?$/.test(hash) && bytes.length === 32 ? bytes.toString('hex') : hash
}
