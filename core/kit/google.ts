/** What the connectors of Google's APIs share: credentials, error bodies, and how Google normalises an e-mail. */
import { createSign } from 'node:crypto'
import { Type } from 'typebox'
import type { Outcome } from './define.ts'
import { ConfigError } from './errors.ts'
import type { HttpResponse } from './http.ts'

/** One of the two, as settings of a destination. */
export const googleCredentials = {
  accessToken: Type.Optional(Type.String({ secret: true, minLength: 8, description: 'OAuth access token.' })),
  serviceAccount: Type.Optional(
    Type.Object(
      {
        clientEmail: Type.String({ format: 'email' }),
        privateKeyId: Type.String({ minLength: 8 }),
        privateKey: Type.String({ secret: true, pattern: 'PRIVATE KEY', description: 'PEM, from the key file.' }),
      },
      { additionalProperties: false, description: 'Service account, instead of an access token.' },
    ),
  ),
}

interface GoogleCredentials {
  readonly accessToken?: string
  readonly serviceAccount?: { readonly clientEmail: string; readonly privateKeyId: string; readonly privateKey: string }
}

const HOUR = 3600
const tokens = new Map<string, { readonly token: string; readonly until: number }>()

/**
 * The value of the authorization header. A service account signs its own token
 * (https://google.aip.dev/auth/4111: a self-signed JWT with the scope, good for an hour), so nothing is exchanged.
 * @throws ConfigError when the key cannot sign.
 */
export function googleBearer(
  { accessToken, serviceAccount }: GoogleCredentials,
  scope: string,
  now = Date.now(),
): string {
  if (accessToken !== undefined || !serviceAccount) return `Bearer ${accessToken ?? ''}`
  const { clientEmail, privateKeyId, privateKey } = serviceAccount
  const id = `${clientEmail} ${privateKeyId} ${scope}`
  const seconds = Math.floor(now / 1000)
  const kept = tokens.get(id)
  if (kept && kept.until - 300 > seconds) return `Bearer ${kept.token}`
  const claims = { iss: clientEmail, sub: clientEmail, scope, iat: seconds, exp: seconds + HOUR }
  const signed = [{ alg: 'RS256', typ: 'JWT', kid: privateKeyId }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  let signature: string
  try {
    signature = createSign('RSA-SHA256').update(signed).sign(privateKey.replaceAll('\\n', '\n')).toString('base64url')
  } catch {
    // The error of the crypto library may quote the key.
    throw new ConfigError('serviceAccount.privateKey is not an RSA key in PEM', '/serviceAccount/privateKey')
  }
  const token = `${signed}.${signature}`
  tokens.set(id, { token, until: seconds + HOUR })
  return `Bearer ${token}`
}

/** https://cloud.google.com/apis/design/errors: code, status and details; the message may quote what was sent. */
export function googleVerdict({ status, json }: HttpResponse): Outcome | undefined {
  const error = (json as { error?: { status?: unknown; details?: unknown } } | undefined)?.error
  if (status < 400 || error === undefined) return undefined
  const details = Array.isArray(error.details) ? (error.details as Record<string, unknown>[]) : []
  const words = [error.status, ...details.map(({ reason, errorCode }) => reason ?? errorCode)].filter(
    (word): word is string => typeof word === 'string' && /^[A-Z][A-Z_]{2,60}$/.test(word),
  )
  const reason = [`HTTP ${status}`, ...new Set(words)].join(' ')
  if (status === 429) {
    const [, seconds] =
      /^(\d+(?:\.\d+)?)s$/.exec(String(details.find(({ retryDelay }) => retryDelay)?.['retryDelay'])) ?? []
    return seconds === undefined ? undefined : { status: 'retry', reason, retryAfterMs: Number(seconds) * 1000 }
  }
  return status < 500 && ![401, 403, 408, 425].includes(status) ? { status: 'rejected', reason } : undefined
}

/** https://support.google.com/google-ads/answer/7659867: lower case, trimmed; dots of a Gmail address say nothing. */
export function googleEmail(value: string): string {
  const [name = '', domain = ''] = value.trim().toLowerCase().split('@')
  return `${/^(gmail|googlemail)\.com$/.test(domain) ? name.replaceAll('.', '') : name}@${domain}`
}
