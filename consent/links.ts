/**
 * Links in messages: *Parar* and *Por que recebi isto?*. They name a delivery, a purpose and a
 * channel, never a person, and work without a login because they are signed.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

export interface LinkBody {
  readonly kind: 'stop' | 'why'
  readonly deliveryId: string
  readonly purpose: string
  /** Empty: no channel. */
  readonly channel: string
}

const VERSION = '1'
const MAX_TOKEN = 1024

/** @param key at least 32 bytes, kept with the hub's keys. */
export function signLink(key: KeyObject | Uint8Array, { kind, deliveryId, purpose, channel }: LinkBody): string {
  const body = `${VERSION}.${Buffer.from(JSON.stringify([kind, deliveryId, purpose, channel]), 'utf8').toString('base64url')}`
  return `${body}.${mac(key, body).toString('base64url')}`
}

/** @returns undefined for anything this hub did not sign. */
export function readLink(key: KeyObject | Uint8Array, token: string): LinkBody | undefined {
  if (token.length > MAX_TOKEN) return undefined
  const [version, encoded, signature, rest] = token.split('.')
  if (version !== VERSION || !encoded || !signature || rest !== undefined) return undefined
  const expected = mac(key, `${version}.${encoded}`)
  const given = Buffer.from(signature, 'base64url')
  // Base64 has several spellings of one value: only the one we write counts, so that a token has one form.
  if (
    given.length !== expected.length ||
    !timingSafeEqual(given, expected) ||
    given.toString('base64url') !== signature
  )
    return undefined
  const [kind, deliveryId, purpose, channel] = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')) as [
    LinkBody['kind'],
    string,
    string,
    string,
  ]
  return { kind, deliveryId, purpose, channel }
}

/** @param publicUrl without trailing slash. */
export function stopUrl(publicUrl: string, token: string): string {
  return `${publicUrl}/privacidade/parar?t=${token}`
}

export function whyUrl(publicUrl: string, token: string): string {
  return `${publicUrl}/privacidade/por-que?t=${token}`
}

function mac(key: KeyObject | Uint8Array, body: string): Buffer {
  return createHmac('sha256', key).update(`anuente-link.${body}`).digest()
}
