/**
 * OAuth as Segment's server SDK does it (https://segment.com/docs/connections/oauth/, RFC 7523): the client
 * signs an assertion with its own RSA key, changes it for an access token at POST /token, and sends that
 * token as Bearer.
 *
 * The access token is the verified assertion itself, good for an hour from its `iat`. So every process of
 * the hub checks it with the public key alone, before and after a restart; there is no secret of ours that
 * could leak, and a new `publicKey` in the settings ends all tokens at once.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { decodeJwt, jwtVerify } from 'jose'
import type { HttpAnswer, RawRequest } from '../../core/kit/index.ts'

export interface OAuthSettings {
  readonly clientId: string
  /** PEM. */
  readonly publicKey: string
  /** `aud` that assertions must carry. Absent: any. */
  readonly audience?: string
}

const TOKEN_SECONDS = 3600
/** How old an assertion may be when it is changed for a token; the SDK gives it 60 s. */
const ASSERTION_SECONDS = 300
const CLOCK_TOLERANCE_SECONDS = 60
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** The credential under which an OAuth client's source is found; never equal to a write key that is one. */
export const clientCredential = (clientId: string): string => `oauth:${clientId}`

export function bearerToken(request: RawRequest): string | undefined {
  return /^bearer\s+(\S+)\s*$/i.exec(request.headers['authorization'] ?? '')?.[1]
}

/** The client a token or assertion says it is of. Not verified: it only finds the source that verifies. */
export function claimedClient(token: string | undefined): string | undefined {
  if (token === undefined) return undefined
  try {
    return decodeJwt(token).iss
  } catch {
    return undefined // Not a JWT.
  }
}

/** The assertion in the form of POST /token. */
export const readAssertion = (request: RawRequest): string | undefined =>
  new URLSearchParams(request.body.toString('utf8')).get('client_assertion') ?? undefined

export async function isAccessToken(token: string, settings: OAuthSettings, receivedAt: string): Promise<boolean> {
  const claims = await readClaims(token, settings)
  if (!claims) return false
  const now = Date.parse(receivedAt) / 1000
  return claims.iat <= now + CLOCK_TOLERANCE_SECONDS && now < claims.iat + TOKEN_SECONDS
}

/** Assertions already changed for a token, until they are too old to be changed again. Per process. */
const used = new Map<string, number>()

/** RFC 6749 §5. What the SDK gives up on is 400 and 401; its own clock error shows in `iat`. */
export async function grantToken(request: RawRequest, settings: OAuthSettings): Promise<HttpAnswer> {
  const form = new URLSearchParams(request.body.toString('utf8'))
  if (form.get('grant_type') !== 'client_credentials') return refuse(400, 'unsupported_grant_type')
  const assertion = form.get('client_assertion')
  if (form.get('client_assertion_type') !== ASSERTION_TYPE || !assertion) return refuse(400, 'invalid_request')

  const claims = await readClaims(assertion, settings)
  const now = Date.parse(request.receivedAt) / 1000
  const fresh =
    claims !== undefined &&
    claims.iat <= now + CLOCK_TOLERANCE_SECONDS &&
    now <= Math.min(claims.exp, claims.iat + ASSERTION_SECONDS) + CLOCK_TOLERANCE_SECONDS
  if (!fresh || !remember(`${settings.clientId} ${claims.jti}`, now)) return refuse(401, 'invalid_client')
  return {
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: {
      access_token: assertion,
      token_type: 'Bearer',
      expires_in: Math.min(TOKEN_SECONDS, Math.floor(claims.iat + TOKEN_SECONDS - now)),
    },
  }
}

/** False when seen before. */
function remember(id: string, now: number): boolean {
  for (const [old, until] of used) {
    if (until > now) break // In order of arrival: the rest is newer.
    used.delete(old)
  }
  if (used.has(id)) return false
  used.set(id, now + ASSERTION_SECONDS + 2 * CLOCK_TOLERANCE_SECONDS)
  return true
}

/** The claims when the client of these settings signed them. Times are left to the caller. */
async function readClaims(
  token: string,
  settings: OAuthSettings,
): Promise<{ iat: number; exp: number; jti: string } | undefined> {
  try {
    const { iat } = decodeJwt(token)
    const { payload } = await jwtVerify(token, publicKey(settings.publicKey), {
      algorithms: ['RS256'],
      issuer: settings.clientId,
      subject: settings.clientId,
      ...(settings.audience !== undefined && { audience: settings.audience }),
      requiredClaims: ['iat', 'exp', 'jti'],
      currentDate: new Date((iat ?? 0) * 1000),
    })
    const { exp, jti } = payload
    return iat !== undefined && exp !== undefined && typeof jti === 'string' && jti !== ''
      ? { iat, exp, jti }
      : undefined
  } catch {
    return undefined // Not a JWT, another key, another client: all the same to the sender.
  }
}

const keys = new Map<string, KeyObject>()

function publicKey(pem: string): KeyObject {
  let key = keys.get(pem)
  if (!key) {
    key = createPublicKey(pem)
    keys.set(pem, key)
  }
  return key
}

const refuse = (status: number, error: string): HttpAnswer => ({
  status,
  headers: { 'cache-control': 'no-store' },
  body: { error },
})
