/**
 * Accounts that are connected by OAuth 2.0 (RFC 6749), as a destination declares them. The hub keeps the tokens: a
 * connector sees the one to use now as `settings.accessToken`, in `authenticate` alone.
 */
import { Type } from 'typebox'
import { someOf } from './payload-fields.ts'

export interface OAuthClient {
  readonly id: string
  readonly secret: string
}

export interface OAuthDefinition<S> {
  /** The vendor's page about it. */
  readonly docs: string
  /** Page on which the account's owner agrees. */
  readonly authorizeUrl: string | ((settings: S) => string)
  /** Further fields of its query. */
  readonly authorizeFields?: Readonly<Record<string, string>>
  readonly tokenUrl: string | ((settings: S) => string)
  /** Fields in the query of the token endpoint, by grant. */
  readonly tokenQuery?: Readonly<Record<'code' | 'refresh', Readonly<Record<string, string>>>>
  readonly tokenBody: 'form' | 'json'
  /** Of the standard fields those it takes; all when absent. */
  readonly tokenFields?: readonly string[]
  /** Empty: the vendor has none. */
  readonly scopes: readonly string[]
  /** Proof Key for Code Exchange, S256 (RFC 7636). */
  readonly pkce: boolean
  readonly lifetimes: {
    /** Seconds an access token lasts, where the answer does not say. */
    readonly access: number
    /** Seconds a refresh token lasts, where it ends and the answer does not say; absent: until revoked. */
    readonly refresh?: number
    /** Each refresh gives a new refresh token and ends the one before. */
    readonly rotates: boolean
  }
}

/** Settings of a destination that takes a token of the operator's own, or is connected by OAuth. */
export const oauthFields = {
  accessToken: Type.Optional(
    Type.String({ secret: true, minLength: 8, description: 'Access token, instead of connecting an account.' }),
  ),
  clientId: Type.Optional(
    Type.String({ minLength: 4, description: 'Client id of your app at the vendor; then connect the account.' }),
  ),
  clientSecret: Type.Optional(Type.String({ secret: true, minLength: 8, description: 'Client secret of that app.' })),
}

/** A token, or both parts of the client. */
export const oauthChoice = (...others: readonly string[]) => {
  const { anyOf } = someOf('accessToken', ...others)
  return {
    anyOf: [
      ...anyOf,
      Type.Unsafe({
        type: 'object',
        required: ['clientId', 'clientSecret'],
        properties: { clientId: {}, clientSecret: {} },
      }),
    ],
  }
}

/** The client by which these settings are connected; undefined when they have a credential of their own. */
export function oauthClient(settings: unknown, others: readonly string[] = []): OAuthClient | undefined {
  const { accessToken, clientId, clientSecret, ...more } = settings as Readonly<Record<string, unknown>>
  if (accessToken !== undefined || others.some((name) => more[name] !== undefined)) return undefined
  return typeof clientId === 'string' && typeof clientSecret === 'string'
    ? { id: clientId, secret: clientSecret }
    : undefined
}
