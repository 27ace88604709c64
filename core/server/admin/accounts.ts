/** Logging in and out, users, invitations and API tokens. */
import {
  CreatedToken,
  Done,
  IdParams,
  Invitation,
  LoginRequest,
  Me,
  NewInvitation,
  NewToken,
  NewUser,
  PasswordRequest,
  type Role,
  SetupRequest,
  Tokens,
  User,
  UserChange,
  Users,
} from '../../../schemas/admin.ts'
import { normalizeEmail } from '../accounts/commands.ts'
import { LoginLimit } from '../accounts/login-limit.ts'
import { checkPassword, hashPassword } from '../accounts/passwords.ts'
import { ROLE_PERMISSIONS } from '../accounts/roles.ts'
import { hashSecret, newSecret } from '../accounts/secrets.ts'
import type { ServerContext } from '../context.ts'
import { clearSessionCookie, type Identity, setSessionCookie } from './identity.ts'
import { type AnyRoute, defineRoute, expectOk, Refusal, type RouteCall } from './route.ts'

const TAG = 'Accounts'

export function accountRoutes(options: {
  readonly secureCookies: boolean
  readonly publicUrl: string
}): readonly AnyRoute[] {
  const limit = new LoginLimit()

  async function openSession(call: RouteCall<unknown, unknown, unknown>, userId: string): Promise<Me> {
    const id = newSecret()
    const csrf = newSecret()
    const sessionHash = hashSecret(id).toString('hex')
    expectOk(await call.context.run({ name: 'openSession', args: { userId, hash: sessionHash, csrf }, actor: userId }))
    setSessionCookie(call.reply, id, options.secureCookies)
    const user = await call.context.state.db
      .selectFrom('users')
      .selectAll()
      .where('id', '=', userId)
      .executeTakeFirstOrThrow()
    return describe(call.context, {
      kind: 'user',
      id: userId,
      name: user.name,
      email: user.email,
      role: user.role as Role,
      csrf,
      sessionHash,
    })
  }

  return [
    defineRoute({
      method: 'POST',
      path: '/api/setup',
      operationId: 'acceptInvitation',
      tag: TAG,
      summary:
        'Become a user through a one-time link, and log in. The first link is printed when the hub starts without users.',
      permission: 'public',
      body: SetupRequest,
      answer: Me,
      status: 201,
      errors: [
        { status: 410, code: 'INVITATION_INVALID', when: 'The link was used or has expired.' },
        { status: 409, code: 'CONFLICT', when: 'The e-mail is taken.' },
        { status: 429, code: 'TOO_MANY_TRIES', when: 'Wait for Retry-After.' },
      ],
      handle: async (call) => {
        const { token, email, name, password } = call.body
        slowDown(limit, call, 'setup')
        // Before the costly hash: guessing tokens must not cost the hub more than the guesser.
        const known = await call.context.state.db
          .selectFrom('invitations')
          .select('used_at')
          .where('hash', '=', hashSecret(token))
          .where('expires_at', '>', call.now)
          .executeTakeFirst()
        if (!known || known.used_at !== null) {
          throw new Refusal(
            410,
            'INVITATION_INVALID',
            'This link was already used or has expired. Ask for a new one, or restart the hub if nobody can log in yet.',
          )
        }
        const passwordHash = await hashPassword(password)
        const created = expectOk(
          await call.context.run({
            name: 'createFirstAdmin',
            args: { token, email, name, passwordHash },
            actor: 'invitation',
          }),
        ) as { id: string }
        limit.forgive(call.request.ip, 'setup')
        return openSession(call, created.id)
      },
    }),

    defineRoute({
      method: 'POST',
      path: '/api/login',
      operationId: 'login',
      tag: TAG,
      summary: 'Log in; answers with the session cookie and the CSRF value.',
      permission: 'public',
      body: LoginRequest,
      answer: Me,
      errors: [
        {
          status: 401,
          code: 'WRONG_CREDENTIALS',
          when: 'E-mail or password is wrong, or the user is disabled: one answer for all.',
        },
        { status: 429, code: 'TOO_MANY_TRIES', when: 'Wait for Retry-After.' },
      ],
      handle: async (call) => {
        const email = normalizeEmail(call.body.email)
        slowDown(limit, call, email)
        const user = await call.context.state.db
          .selectFrom('users')
          .select(['id', 'password_hash'])
          .where('email', '=', email)
          .where('disabled_at', 'is', null)
          .executeTakeFirst()
        const right = await checkPassword(call.body.password, user?.password_hash)
        if (!right || !user) throw new Refusal(401, 'WRONG_CREDENTIALS', 'E-mail or password is wrong.')
        limit.forgive(call.request.ip, email)
        return openSession(call, user.id)
      },
    }),

    defineRoute({
      method: 'POST',
      path: '/api/logout',
      operationId: 'logout',
      tag: TAG,
      summary: 'End this session.',
      permission: 'session',
      answer: Done,
      handle: async ({ context, identity, reply }) => {
        if (identity.sessionHash) {
          expectOk(
            await context.run({ name: 'closeSession', args: { hash: identity.sessionHash }, actor: identity.id }),
          )
          clearSessionCookie(reply, options.secureCookies)
        }
        return { ok: true } as const
      },
    }),

    defineRoute({
      method: 'GET',
      path: '/api/me',
      operationId: 'getMe',
      tag: TAG,
      summary: 'Who is asking, what they may do, and the CSRF value of the session.',
      permission: 'session',
      answer: Me,
      handle: async ({ context, identity }) => describe(context, identity),
    }),

    defineRoute({
      method: 'POST',
      path: '/api/me/password',
      operationId: 'changeMyPassword',
      tag: TAG,
      summary: 'Change the own password; every other session of this user ends.',
      permission: 'session',
      body: PasswordRequest,
      answer: Done,
      errors: [{ status: 429, code: 'TOO_MANY_TRIES', when: 'Wait for Retry-After.' }],
      handle: async (call) => {
        const { context, identity, body } = call
        if (identity.kind !== 'user')
          throw new Refusal(403, 'FORBIDDEN', 'An API token has no password. Log in as a user.')
        slowDown(limit, call, identity.id)
        const row = await context.state.db
          .selectFrom('users')
          .select('password_hash')
          .where('id', '=', identity.id)
          .executeTakeFirstOrThrow()
        if (!(await checkPassword(body.current, row.password_hash))) {
          throw new Refusal(403, 'WRONG_CREDENTIALS', 'The current password is wrong.', { path: '/current' })
        }
        limit.forgive(call.request.ip, identity.id)
        const passwordHash = await hashPassword(body.next)
        expectOk(
          await context.run({
            name: 'setPassword',
            args: { id: identity.id, passwordHash, keepSession: identity.sessionHash },
            actor: identity.id,
          }),
        )
        return { ok: true } as const
      },
    }),

    defineRoute({
      method: 'GET',
      path: '/api/users',
      operationId: 'listUsers',
      tag: TAG,
      summary: 'Everybody who can log in, and those disabled.',
      permission: 'accounts.manage',
      answer: Users,
      handle: async ({ context }) => {
        const rows = await context.state.db.selectFrom('users').selectAll().orderBy('name').execute()
        return { items: rows.map(asUser) }
      },
    }),

    defineRoute({
      method: 'POST',
      path: '/api/users',
      operationId: 'createUser',
      tag: TAG,
      summary: 'Create a user with a password. An invitation is the better way: then only they know it.',
      permission: 'accounts.manage',
      body: NewUser,
      answer: User,
      status: 201,
      errors: [{ status: 409, code: 'CONFLICT', when: 'The e-mail is taken.' }],
      handle: async ({ context, identity, body }) => {
        const passwordHash = await hashPassword(body.password)
        const args = { email: body.email, name: body.name, role: body.role, passwordHash }
        const { id } = expectOk(await context.run({ name: 'createUser', args, actor: identity.id })) as { id: string }
        return readUser(context, id)
      },
    }),

    defineRoute({
      method: 'PATCH',
      path: '/api/users/{id}',
      operationId: 'changeUser',
      tag: TAG,
      summary: 'Change the role, or disable and enable a user. Disabling ends their sessions.',
      permission: 'accounts.manage',
      params: IdParams,
      body: UserChange,
      answer: User,
      errors: [
        { status: 404, code: 'NOT_FOUND', when: 'No such user.' },
        { status: 409, code: 'LAST_ADMIN', when: 'Nobody else is an active administrator.' },
      ],
      handle: async ({ context, identity, params, body }) => {
        const run = async (name: string, args: Record<string, unknown>) =>
          expectOk(await context.run({ name, args, actor: identity.id }))
        if (body.role !== undefined) await run('setRole', { id: params.id, role: body.role })
        if (body.disabled !== undefined) await run(body.disabled ? 'disableUser' : 'enableUser', { id: params.id })
        return readUser(context, params.id)
      },
    }),

    defineRoute({
      method: 'POST',
      path: '/api/invitations',
      operationId: 'createInvitation',
      tag: TAG,
      summary: 'A one-time link with which somebody becomes a user of this role. Valid for seven days.',
      permission: 'accounts.manage',
      body: NewInvitation,
      answer: Invitation,
      status: 201,
      handle: async ({ context, identity, body }) => {
        const made = expectOk(
          await context.run({ name: 'createInvitation', args: { role: body.role }, actor: identity.id }),
        ) as { token: string; expiresAt: number }
        return { url: invitationUrl(options.publicUrl, made.token), role: body.role, expiresAt: made.expiresAt }
      },
    }),

    defineRoute({
      method: 'GET',
      path: '/api/tokens',
      operationId: 'listTokens',
      tag: TAG,
      summary: 'API tokens, without their values.',
      permission: 'accounts.manage',
      answer: Tokens,
      handle: async ({ context }) => {
        const rows = await context.state.db.selectFrom('api_tokens').selectAll().orderBy('created_at', 'desc').execute()
        return { items: rows.map(asToken) }
      },
    }),

    defineRoute({
      method: 'POST',
      path: '/api/tokens',
      operationId: 'createToken',
      tag: TAG,
      summary: 'Make an API token. Its value is in this answer and nowhere else.',
      permission: 'accounts.manage',
      body: NewToken,
      answer: CreatedToken,
      status: 201,
      handle: async ({ context, identity, body, now }) => {
        const expiresAt = body.expiresInDays === undefined ? undefined : now + body.expiresInDays * 86_400_000
        const args = { name: body.name, role: body.role, ...(expiresAt === undefined ? {} : { expiresAt }) }
        const made = expectOk(await context.run({ name: 'createToken', args, actor: identity.id })) as {
          id: string
          value: string
        }
        const row = await context.state.db
          .selectFrom('api_tokens')
          .selectAll()
          .where('id', '=', made.id)
          .executeTakeFirstOrThrow()
        return { token: asToken(row), value: made.value }
      },
    }),

    defineRoute({
      method: 'DELETE',
      path: '/api/tokens/{id}',
      operationId: 'revokeToken',
      tag: TAG,
      summary: 'Revoke an API token; it stops working at once.',
      permission: 'accounts.manage',
      params: IdParams,
      answer: Done,
      errors: [{ status: 404, code: 'NOT_FOUND', when: 'No such token.' }],
      handle: async ({ context, identity, params }) => {
        expectOk(await context.run({ name: 'revokeToken', args: { id: params.id }, actor: identity.id }))
        return { ok: true } as const
      },
    }),
  ]
}

/** The link of `createInvitation` and `createFirstInvitation`. The token stands after the #: it reaches no server log and no Referer. */
export function invitationUrl(publicUrl: string, token: string): string {
  return `${publicUrl.replace(/\/$/, '')}/setup#${token}`
}

function slowDown(limit: LoginLimit, call: RouteCall<unknown, unknown, unknown>, account: string): void {
  const seconds = limit.take(call.request.ip, account, call.now)
  if (seconds > 0) {
    throw new Refusal(429, 'TOO_MANY_TRIES', `Too many tries. Wait ${Math.ceil(seconds / 60)} min and try again.`, {
      headers: { 'retry-after': String(seconds) },
    })
  }
}

function describe(context: ServerContext, identity: Identity): Me {
  const { organization, simulated } = context.config
  return {
    user: { id: identity.id, name: identity.name, email: identity.email, kind: identity.kind },
    role: identity.role,
    permissions: [...ROLE_PERMISSIONS[identity.role]],
    csrf: identity.csrf,
    simulated: simulated === true,
    organization: {
      name: organization.name,
      timezone: organization.timezone ?? 'America/Sao_Paulo',
      currency: organization.currency ?? 'BRL',
    },
    languages: ['pt-BR', 'en'],
  }
}

async function readUser(context: ServerContext, id: string) {
  const row = await context.state.db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new Refusal(404, 'NOT_FOUND', 'No user has this id.')
  return asUser(row)
}

function asUser(row: {
  id: string
  email: string
  name: string
  role: string
  created_at: number
  disabled_at: number | null
}): User {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role as Role,
    createdAt: row.created_at,
    disabledAt: row.disabled_at,
  }
}

function asToken(row: {
  id: string
  name: string
  role: string
  created_by: string
  created_at: number
  expires_at: number | null
  last_used_at: number | null
}) {
  return {
    id: row.id,
    name: row.name,
    role: row.role as Role,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
  }
}
