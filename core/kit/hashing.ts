/**
 * Contact data for advertising platforms leaves as SHA-256 only. Each connector says how its platform
 * normalises; here is what they share. A hash is a pseudonym, still personal data (LGPD art. 13 §4).
 */
import { createHash } from 'node:crypto'

export const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex')

/** SHA-256 (hex) of the normal form; undefined when nothing is left of it. A value hashed before goes as it is. */
export function hashedOnce(value: string | undefined, normalize: (value: string) => string): string | undefined {
  if (value === undefined) return undefined
  if (/^[0-9a-f]{64}$/.test(value)) return value
  const normal = normalize(value)
  return normal === '' ? undefined : sha256(normal)
}

/** Two letters of ISO 3166-1, lower case; the names under which Brazil arrives become br, other names nothing. */
export function countryCode(value: string): string {
  const country = value.trim().toLowerCase()
  if (country === 'brasil' || country === 'brazil' || country === 'bra') return 'br'
  return /^[a-z]{2}$/.test(country) ? country : ''
}
