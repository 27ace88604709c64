/**
 * The OAuth side of a vendor's stand-in: a page that agrees at once, codes good once, access tokens that end, refresh
 * tokens that rotate where the vendor's do, `invalid_grant`, an account that can be revoked.
 */
import { createHash, randomBytes } from 'node:crypto'
import { fieldsOf, type SandboxAnswer, type SandboxRequest } from './sandbox.ts'

export interface OAuthTerms {
  readonly clientId: string
  readonly clientSecret: string
  /** Path of the page on which the owner agrees. */
  readonly authorizePath: string
  readonly tokenPath: string
  readonly accessSeconds: number
  /** Seconds of a refresh token; absent: until revoked. */
  readonly refreshSeconds?: number
  readonly rotates: boolean
  readonly pkce: boolean
  /** How requests for tokens are written; another content type is refused. */
  readonly body: 'form' | 'json'
  /** False where the endpoint takes no grant_type and names the grant in its query. */
  readonly grantType?: boolean
  /** The vendor's way to refuse; RFC 6749 §5.2 when absent. */
  readonly failure?: (error: string, status: number) => SandboxAnswer
  /** Whether answers say how long an access token lasts; they do when absent. */
  readonly tellsExpiry?: boolean
  /** More fields of an answer. */
  readonly extra?: Readonly<Record<string, unknown>>
}

export interface OAuthAccount {
  /** What the account answers, or undefined when the request is about something else. */
  answer(request: SandboxRequest): SandboxAnswer | undefined
  /** Whether this authorization header is good now. */
  accepts(header: string | undefined, now: Date): boolean
  /** An account as if its owner had agreed: a code for this redirect address. */
  agree(redirectUrl: string, challenge?: string): string
  /** Ends every access token; refresh tokens stay. */
  expire(): void
  /** Ends everything, as when the owner takes the app away. */
  revoke(): void
  /** Refuses every access token from now on, also new ones. */
  refuseTokens(): void
  readonly seen: {
    /** Tokens given. */
    grants: number
    refreshes: number
    /** Refresh tokens used after they had ended. */
    staleRefreshes: number
    /** Access tokens used after they had ended. */
    staleAccess: number
  }
}

export function createOAuthAccount(terms: OAuthTerms): OAuthAccount {
  const codes = new Map<string, { readonly redirectUrl: string; readonly challenge: string | undefined }>()
  let access = new Map<string, number>()
  let refresh = new Set<string>()
  let refusing = false
  const seen = { grants: 0, refreshes: 0, staleRefreshes: 0, staleAccess: 0 }
  const failure = terms.failure ?? ((error: string, status: number): SandboxAnswer => ({ status, body: { error } }))

  const agree = (redirectUrl: string, challenge?: string): string => {
    const code = randomBytes(12).toString('hex')
    codes.set(code, { redirectUrl, challenge })
    return code
  }

  const give = (now: Date, kept?: string): SandboxAnswer => {
    seen.grants += 1
    const accessToken = `access-${randomBytes(16).toString('hex')}`
    access.set(accessToken, now.getTime() + terms.accessSeconds * 1000)
    const refreshToken = kept !== undefined && !terms.rotates ? kept : `refresh-${randomBytes(16).toString('hex')}`
    refresh.add(refreshToken)
    return {
      status: 200,
      body: {
        access_token: accessToken,
        token_type: 'Bearer',
        ...(terms.tellsExpiry !== false && { expires_in: terms.accessSeconds }),
        ...((kept === undefined || terms.rotates) && { refresh_token: refreshToken }),
        ...(terms.refreshSeconds !== undefined && { refresh_token_expires_in: terms.refreshSeconds }),
        ...terms.extra,
      },
    }
  }

  const token = ({ body, headers, query, now }: SandboxRequest): SandboxAnswer => {
    const wanted = terms.body === 'json' ? 'application/json' : 'application/x-www-form-urlencoded'
    if (headers['content-type'] !== wanted) return failure('invalid_request', 400)
    const fields = fieldsOf(body)
    if (fields['client_id'] !== terms.clientId || fields['client_secret'] !== terms.clientSecret)
      return failure('invalid_client', 401)
    const grant =
      terms.grantType === false
        ? ({ code: 'authorization_code', refresh_token: 'refresh_token' }[query['token_by'] ?? ''] ?? '')
        : String(fields['grant_type'])
    if (grant === 'authorization_code') {
      const code = String(fields['code'])
      const known = codes.get(code)
      codes.delete(code)
      if (!known) return failure('invalid_grant', 400)
      if (terms.grantType !== false && fields['redirect_uri'] !== known.redirectUrl)
        return failure('redirect_uri_mismatch', 400)
      const given = createHash('sha256')
        .update(String(fields['code_verifier'] ?? ''))
        .digest('base64url')
      if (terms.pkce && given !== known.challenge) return failure('invalid_grant', 400)
      return give(now)
    }
    if (grant !== 'refresh_token') return failure('unsupported_grant_type', 400)
    const held = String(fields['refresh_token'])
    seen.refreshes += 1
    if (!refresh.has(held)) {
      seen.staleRefreshes += 1
      return failure('invalid_grant', 400)
    }
    if (terms.rotates) refresh.delete(held)
    return give(now, held)
  }

  return {
    seen,
    agree,
    answer(request) {
      if (request.method === 'GET' && request.path === terms.authorizePath) {
        const { client_id: client, redirect_uri: redirectUrl, state, code_challenge: challenge } = request.query
        if (client !== terms.clientId || redirectUrl === undefined || !URL.canParse(redirectUrl))
          return { status: 400, body: 'This app is not known here.' }
        const back = new URL(redirectUrl)
        back.searchParams.set('code', agree(redirectUrl, challenge))
        if (state !== undefined) back.searchParams.set('state', state)
        return { status: 302, headers: { location: back.href } }
      }
      return request.method === 'POST' && request.path === terms.tokenPath ? token(request) : undefined
    },
    accepts(header, now) {
      const ends = access.get(header?.replace(/^Bearer /, '') ?? '')
      if (ends === undefined) return false
      if (refusing) return false
      if (ends > now.getTime()) return true
      seen.staleAccess += 1
      return false
    },
    expire() {
      access = new Map([...access].map(([name]) => [name, 0]))
    },
    revoke() {
      access = new Map()
      refresh = new Set()
    },
    refuseTokens() {
      refusing = true
    },
  }
}
