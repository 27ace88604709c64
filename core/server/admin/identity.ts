/** Who is asking: a session cookie, or an API token. */
import { timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Permission, Role } from '../../../schemas/admin.ts'
import { SESSION_MS } from '../accounts/commands.ts'
import { isRole, ROLE_PERMISSIONS } from '../accounts/roles.ts'
import { hashSecret } from '../accounts/secrets.ts'
import type { ServerContext } from '../context.ts'
import { Refusal } from './route.ts'

export interface Identity {
  readonly kind: 'user' | 'token'
  readonly id: string
  readonly name: string
  readonly email: string | null
  readonly role: Role
  readonly csrf: string | null
  /** Hex SHA-256 of the session id; null for tokens. */
  readonly sessionHash: string | null
}

/** A session is written at most this often while it is used, a token's last use likewise. */
const TOUCH_MS = 10 * 60_000

export function cookieName(secure: boolean): string {
  // The prefix makes browsers refuse a cookie set by a neighbour domain; it needs https.
  return secure ? '__Host-anuente' : 'anuente'
}

export function setSessionCookie(reply: FastifyReply, id: string, secure: boolean): void {
  reply.setCookie(cookieName(secure), id, {
    httpOnly: true,
    sameSite: 'strict',
    path: '/',
    secure,
    maxAge: SESSION_MS / 1000,
  })
}

export function clearSessionCookie(reply: FastifyReply, secure: boolean): void {
  reply.clearCookie(cookieName(secure), { httpOnly: true, sameSite: 'strict', path: '/', secure })
}

/** @returns undefined when nobody is logged in. */
export async function identify(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  options: { readonly secureCookies: boolean },
  now: number,
): Promise<Identity | undefined> {
  const authorization = request.headers.authorization
  if (authorization !== undefined) return byToken(context, authorization, now)
  const id = request.cookies[cookieName(options.secureCookies)]
  if (!id) return undefined
  const hash = hashSecret(id)
  const row = await context.state.db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select(['users.id', 'users.name', 'users.email', 'users.role', 'sessions.csrf', 'sessions.expires_at'])
    .where('sessions.hash', '=', hash)
    .where('sessions.expires_at', '>', now)
    .where('users.disabled_at', 'is', null)
    .executeTakeFirst()
  if (!row || !isRole(row.role)) return undefined
  const sessionHash = hash.toString('hex')
  if (row.expires_at < now + SESSION_MS - TOUCH_MS) {
    await context.run({ name: 'touchSession', args: { hash: sessionHash }, actor: row.id })
    if (!reply.sent) setSessionCookie(reply, id, options.secureCookies)
  }
  return { kind: 'user', id: row.id, name: row.name, email: row.email, role: row.role, csrf: row.csrf, sessionHash }
}

async function byToken(context: ServerContext, authorization: string, now: number): Promise<Identity | undefined> {
  const value = /^Bearer (anu_[A-Za-z0-9_-]{1,128})$/i.exec(authorization)?.[1]
  if (!value) return undefined
  const row = await context.state.db
    .selectFrom('api_tokens')
    .selectAll()
    .where('hash', '=', hashSecret(value))
    .executeTakeFirst()
  if (!row || !isRole(row.role) || (row.expires_at !== null && row.expires_at <= now)) return undefined
  if ((row.last_used_at ?? 0) < now - TOUCH_MS)
    await context.run({ name: 'touchToken', args: { id: row.id }, actor: row.id })
  return { kind: 'token', id: row.id, name: row.name, email: null, role: row.role, csrf: null, sessionHash: null }
}

export function may(identity: Identity, permission: Permission): boolean {
  return ROLE_PERMISSIONS[identity.role].includes(permission)
}

/** @throws Refusal 401, or 403 with the permission that is missing. */
export function demand(identity: Identity | undefined, permission: Permission | 'session'): Identity {
  if (!identity)
    throw new Refusal(401, 'LOGIN_REQUIRED', 'Log in, or send an API token as "Authorization: Bearer anu_…".')
  if (permission !== 'session' && !may(identity, permission)) {
    throw new Refusal(
      403,
      'FORBIDDEN',
      `The role "${identity.role}" lacks "${permission}". Ask an administrator for a role that has it.`,
    )
  }
  return identity
}

/** Another site can make a browser send the cookie, but cannot read this value. */
export function demandCsrf(identity: Identity, request: FastifyRequest): void {
  if (identity.csrf === null) return
  const sent = Buffer.from(String(request.headers['x-csrf-token'] ?? ''))
  const expected = Buffer.from(identity.csrf)
  if (sent.length !== expected.length || !timingSafeEqual(sent, expected)) {
    throw new Refusal(
      403,
      'CSRF_MISMATCH',
      'Send the header x-csrf-token with the value that GET /api/me tells. Reload the page if it is old.',
    )
  }
}
