/** How the senders of a Segment-spec source name themselves, and how a secret is compared. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { RawRequest } from './define.ts'
import { isLoose, readJson } from './json-body.ts'

/** The user name of Basic authentication: SDKs send base64("<write key>:"). */
export function basicKey(authorization: string | undefined): string | undefined {
  const encoded = /^basic\s+([A-Za-z0-9+/=_-]+)\s*$/i.exec(authorization ?? '')?.[1]
  if (!encoded) return undefined
  return Buffer.from(encoded, 'base64').toString('utf8').split(':', 1)[0] || undefined
}

/** Write keys on a request, most trusted first: Basic authentication, `?writeKey=`, body. */
export function writeKeys(request: RawRequest): string[] {
  const found = [basicKey(request.headers['authorization']), request.query['writeKey'], bodyKey(request)]
  return [...new Set(found.filter((key): key is string => typeof key === 'string' && key !== ''))]
}

function bodyKey(request: RawRequest): string | undefined {
  if (request.body.length === 0) return undefined
  try {
    const body = readJson(request)
    return isLoose(body) && typeof body['writeKey'] === 'string' ? body['writeKey'] : undefined
  } catch {
    return undefined // Malformed JSON names nobody; normalize says so to a sender that is known otherwise.
  }
}

/** In constant time, whatever the lengths. An empty or absent secret equals nothing. */
export function sameSecret(expected: string | undefined, received: string | undefined): boolean {
  if (!expected || !received) return false
  const digest = (value: string) => createHash('sha256').update(value).digest()
  return timingSafeEqual(digest(expected), digest(received))
}
