/** One normal form per identifier, so that the same person from four sources meets in one node. */
import { parsePhoneNumberFromString } from 'libphonenumber-js/max'
import type { IdentifierType } from '../../schemas/event.ts'

/**
 * Values that mean "nobody" and must never join two people. Lists of Segment Unify and PostHog,
 * plus the zero UUID and what is typed to get past a form: one digit nine times and more.
 */
const BLOCKED =
  /^(anonymous|guest|distinct_?id|id|not_authenticated|e-?mail|undefined|true|false|null|none|nan|unknown|n\/?a|-1|[0-]*|(\d)\2{8,}|\[object object\])$/i

/** Our own list: what sales desks type where there is no address, and mailboxes that nobody reads. */
const NOBODYS_MAILBOX = /^(no-?reply|n[aã]o-?responda|n[aã]o-?tem|n[aã]o-?possui|sem-?e?-?mail)@/

const EMAIL = /^[^\s@"(),:;<>[\\\]]{1,64}@[^\s@]{1,190}\.[^\s@.]{2,63}$/

/** @returns the normal form, or undefined when the value cannot identify anybody. */
export function normalizeIdentifier(type: IdentifierType, value: unknown): string | undefined {
  const text =
    typeof value === 'number' && Number.isFinite(value)
      ? String(value)
      : typeof value === 'string'
        ? value.normalize('NFC').trim()
        : ''
  const bare = text.replace(/^["'](.*)["']$/, '$1')
  if (bare === '' || bare.length > 512 || BLOCKED.test(bare)) return undefined
  switch (type) {
    case 'email':
      return normalizeEmail(bare)
    case 'phone':
      return normalizePhone(bare)
    case 'cpf':
      return normalizeCpf(bare)
    case 'rdstation_uuid':
      return bare.toLowerCase()
    default:
      return bare
  }
}

export function normalizeEmail(value: string): string | undefined {
  const email = value.trim().toLowerCase()
  return EMAIL.test(email) && !NOBODYS_MAILBOX.test(email) ? email : undefined
}

/**
 * E.164. A number without country code is read as Brazilian; a Brazilian mobile number written
 * with eight digits gets its ninth (Anatel Res. 553/2010: mobile numbers begin with 9).
 */
export function normalizePhone(value: string): string | undefined {
  const parsed = parsePhoneNumberFromString(value, 'BR')
  if (!parsed) return undefined
  if (parsed.countryCallingCode === '55') {
    const national = parsed.nationalNumber
    // Area code + 8 digits beginning with 6 to 9 is a mobile number of the old plan.
    if (national.length === 10 && /^[1-9][1-9][6-9]/.test(national)) {
      const mobile = parsePhoneNumberFromString(`+55${national.slice(0, 2)}9${national.slice(2)}`)
      return mobile?.isValid() ? mobile.number : undefined
    }
    // Behind the area code one digit all along: typed to get past a form.
    if (/^\d\d(\d)\1+$/.test(national)) return undefined
  }
  return parsed.isValid() ? parsed.number : undefined
}

/** Eleven digits with right check digits (Receita Federal). */
export function normalizeCpf(value: string): string | undefined {
  const digits = value.replace(/[.\-\s]/g, '')
  if (!/^\d{11}$/.test(digits) || /^(\d)\1{10}$/.test(digits)) return undefined
  const check = (length: number) => {
    let sum = 0
    for (let index = 0; index < length; index++) sum += Number(digits[index]) * (length + 1 - index)
    return ((sum * 10) % 11) % 10
  }
  return check(9) === Number(digits[9]) && check(10) === Number(digits[10]) ? digits : undefined
}
