/** Requests to a vendor's token endpoint (RFC 6749 §4.1.3 and §6), and what its answers mean. */
import type { DestinationSettings } from '../config.ts'
import { RetryableError } from '../kit/errors.ts'
import { type HttpResponse, readRetryAfter, type Transport } from '../kit/http.ts'
import type { OAuthClient, OAuthDefinition } from '../kit/oauth.ts'
import { createTransport } from '../kit/transport.ts'
import { CLAIM_MS, type Tokens } from './rows.ts'

export type Grant =
  | {
      readonly kind: 'code'
      readonly code: string
      readonly redirectUrl: string
      readonly verifier?: string | undefined
    }
  | { readonly kind: 'refresh'; readonly refreshToken: string }

export type TokenAnswer =
  | { readonly status: 'granted'; readonly tokens: Tokens }
  /** The vendor will not give one: a person has to act. `problem` is a code of ours or the vendor's error word. */
  | { readonly status: 'refused'; readonly problem: string }
  | { readonly status: 'later'; readonly problem: string; readonly retryAfterMs?: number | undefined }

type AnyOAuth = OAuthDefinition<unknown> & { readonly client: (settings: unknown) => OAuthClient | undefined }

/** How a configured destination is connected; undefined when its settings hold a credential. */
export function oauthOf({
  definition,
  settings,
}: Pick<DestinationSettings, 'definition' | 'settings'>): { oauth: AnyOAuth; client: OAuthClient } | undefined {
  const oauth = definition.oauth as AnyOAuth | undefined
  const client = oauth?.client(settings)
  return oauth && client && { oauth, client }
}

const TIMEOUT_MS = CLAIM_MS / 3

export const addressOf = (url: string | ((settings: unknown) => string), settings: unknown): URL =>
  new URL(typeof url === 'string' ? url : url(settings))

/** The same page of the stand-in, when the destination is sandboxed. */
export function placed(url: URL, sandbox: string | undefined): URL {
  return sandbox === undefined ? url : new URL(sandbox.replace(/\/$/, '') + url.pathname + url.search)
}

/** A transport that reaches the token endpoint and nothing else. */
export function tokenTransport(
  { definition, settings, config }: DestinationSettings,
  allowPrivate: readonly string[],
): ReturnType<typeof createTransport> {
  const url = addressOf((definition.oauth as AnyOAuth).tokenUrl, settings)
  return createTransport({
    allowPrivate,
    hosts: [url.host],
    timeoutMs: TIMEOUT_MS,
    ...(config.sandbox !== undefined && { sandbox: { vendorOrigin: url.origin, target: config.sandbox } }),
  })
}

/** Never throws for what a vendor did. No token and no secret is in what it returns besides `tokens`. */
export async function requestTokens(
  destination: Pick<DestinationSettings, 'definition' | 'settings'>,
  grant: Grant,
  transport: Transport,
  now: number,
): Promise<TokenAnswer> {
  const way = oauthOf(destination)
  if (!way) return { status: 'refused', problem: 'no_client' }
  const { oauth, client } = way
  const url = addressOf(oauth.tokenUrl, destination.settings)
  for (const [name, value] of Object.entries(oauth.tokenQuery?.[grant.kind] ?? {})) url.searchParams.set(name, value)
  const all: Record<string, string> = {
    client_id: client.id,
    client_secret: client.secret,
    ...(grant.kind === 'code'
      ? {
          grant_type: 'authorization_code',
          code: grant.code,
          redirect_uri: grant.redirectUrl,
          ...(grant.verifier !== undefined && { code_verifier: grant.verifier }),
        }
      : { grant_type: 'refresh_token', refresh_token: grant.refreshToken }),
  }
  const fields = Object.fromEntries(
    Object.entries(all).filter(([name]) => oauth.tokenFields === undefined || oauth.tokenFields.includes(name)),
  )
  let response: HttpResponse
  try {
    response = await transport({
      method: 'POST',
      url: url.href,
      headers: {
        accept: 'application/json',
        'content-type': oauth.tokenBody === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
      },
      body: oauth.tokenBody === 'json' ? JSON.stringify(fields) : new URLSearchParams(fields).toString(),
    })
  } catch (error) {
    return { status: 'later', problem: error instanceof RetryableError ? 'no_answer' : 'unreachable' }
  }
  return read(response, oauth, grant, now)
}

/** RFC 6749 §5.2, where the vendor keeps to it. Words of our own for the rest. */
const ERROR_WORD = /^[a-z][a-z_]{2,60}$/

function read({ status, json, headers }: HttpResponse, oauth: AnyOAuth, grant: Grant, now: number): TokenAnswer {
  const answer = (json !== null && typeof json === 'object' ? json : {}) as Readonly<Record<string, unknown>>
  if (status >= 200 && status < 300) {
    const { access_token: accessToken, refresh_token: given } = answer
    if (typeof accessToken !== 'string' || accessToken === '') return { status: 'later', problem: 'unreadable' }
    const { access, refresh } = oauth.lifetimes
    const seconds = positive(answer['expires_in']) ?? access
    const refreshToken =
      typeof given === 'string' && given !== '' ? given : grant.kind === 'refresh' ? grant.refreshToken : undefined
    // Salesforce and others end a refresh token only when it is revoked.
    const left =
      positive(answer['refresh_token_expires_in']) ??
      (grant.kind === 'code' || oauth.lifetimes.rotates ? refresh : undefined)
    return {
      status: 'granted',
      tokens: {
        accessToken,
        refreshToken,
        expiresAt: now + seconds * 1000,
        refreshExpiresAt: left === undefined ? null : now + left * 1000,
      },
    }
  }
  const said = String(answer['error'] ?? '')
  const word = ERROR_WORD.test(said) ? said : `http_${status}`
  if (status === 429 || status >= 500 || status === 408)
    return { status: 'later', problem: word, retryAfterMs: readRetryAfter(headers['retry-after']) }
  return { status: 'refused', problem: word }
}

const positive = (value: unknown): number | undefined => {
  const number = Number(value)
  return value !== undefined && value !== null && Number.isFinite(number) && number > 0 ? number : undefined
}
