/** Writes about people who use the hub. Each runs alone, inside one write transaction of the process role. */
import { newId } from '../../ids.ts'
import type { Db } from '../../stores/open.ts'
import { CommandError, type CommandHandlers } from '../context.ts'
import { isRole } from './roles.ts'
import { hashSecret, newApiToken, newSecret } from './secrets.ts'

/** A session ends this long after its last use. */
export const SESSION_MS = 12 * 3_600_000
/** An invitation that nobody used ends after this long. */
export const INVITATION_MS = 7 * 24 * 3_600_000

type Args = Readonly<Record<string, unknown>>

function text(args: Args, name: string): string {
  const value = args[name]
  if (typeof value !== 'string' || value === '') throw new CommandError('INVALID', `"${name}" must be a text.`)
  return value
}

function role(args: Args) {
  const value = args['role']
  if (!isRole(value))
    throw new CommandError('INVALID', '"role" must be admin, marketing, compliance, auditor, integrator or viewer.')
  return value
}

export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase()
}

async function note(db: Db, now: number, actor: string, act: string, target: string): Promise<void> {
  await db
    .insertInto('access_log')
    .values({ id: newId(now), at: now, actor, act, target })
    .execute()
}

async function insertUser(
  db: Db,
  now: number,
  user: { email: string; name: string; role: string; passwordHash: string },
): Promise<string> {
  const email = normalizeEmail(user.email)
  const taken = await db.selectFrom('users').select('id').where('email', '=', email).executeTakeFirst()
  if (taken)
    throw new CommandError(
      'CONFLICT',
      'Somebody already uses this e-mail. Choose another one or change the role of that user.',
    )
  const id = newId(now)
  await db
    .insertInto('users')
    .values({
      id,
      email,
      name: user.name.trim(),
      role: user.role,
      password_hash: user.passwordHash,
      created_at: now,
      disabled_at: null,
    })
    .execute()
  return id
}

/** Nobody could mend a hub without an administrator. */
async function keepOneAdmin(db: Db, exceptId: string): Promise<void> {
  const other = await db
    .selectFrom('users')
    .select('id')
    .where('role', '=', 'admin')
    .where('disabled_at', 'is', null)
    .where('id', '!=', exceptId)
    .executeTakeFirst()
  if (!other)
    throw new CommandError(
      'LAST_ADMIN',
      'This is the last active administrator. Make somebody else administrator first.',
    )
}

async function findUser(db: Db, id: string) {
  const user = await db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
  if (!user) throw new CommandError('NOT_FOUND', 'No user has this id.')
  return user
}

export const adminCommands: CommandHandlers = {
  /** {role?} -> {token, expiresAt}. The token is told only here. */
  async createInvitation(args, { state, actor, now }) {
    const invited = args['role'] === undefined ? 'admin' : role(args)
    const token = newSecret()
    const expiresAt = now + INVITATION_MS
    await state.db.deleteFrom('invitations').where('expires_at', '<', now).execute()
    await state.db
      .insertInto('invitations')
      .values({ hash: hashSecret(token), role: invited, expires_at: expiresAt, used_at: null })
      .execute()
    await note(state.db, now, actor, 'createInvitation', invited)
    return { token, role: invited, expiresAt }
  },

  /** {} -> {token, expiresAt} or null. For start-up: a link is needed only while nobody can log in. */
  async createFirstInvitation(_args, { state, actor, now }) {
    const anybody = await state.db.selectFrom('users').select('id').limit(1).executeTakeFirst()
    if (anybody) return null
    // An older link may have been seen in a log; only the newest works.
    await state.db.deleteFrom('invitations').where('role', '=', 'admin').where('used_at', 'is', null).execute()
    const token = newSecret()
    const expiresAt = now + INVITATION_MS
    await state.db
      .insertInto('invitations')
      .values({ hash: hashSecret(token), role: 'admin', expires_at: expiresAt, used_at: null })
      .execute()
    await note(state.db, now, actor, 'createInvitation', 'admin')
    return { token, role: 'admin', expiresAt }
  },

  /** {token, email, name, passwordHash} -> {id, role}. Whoever holds the link becomes a user with the role it names. */
  async createFirstAdmin(args, { state, now }) {
    const hash = hashSecret(text(args, 'token'))
    const invitation = await state.db.selectFrom('invitations').selectAll().where('hash', '=', hash).executeTakeFirst()
    if (!invitation || invitation.used_at !== null || invitation.expires_at <= now) {
      throw new CommandError(
        'INVITATION_INVALID',
        'This link was already used or has expired. Ask for a new one, or restart the hub if nobody can log in yet.',
      )
    }
    const id = await insertUser(state.db, now, {
      email: text(args, 'email'),
      name: text(args, 'name'),
      role: invitation.role,
      passwordHash: text(args, 'passwordHash'),
    })
    await state.db.updateTable('invitations').set({ used_at: now }).where('hash', '=', hash).execute()
    await note(state.db, now, id, 'acceptInvitation', id)
    return { id, role: invitation.role }
  },

  /** {email, name, role, passwordHash} -> {id} */
  async createUser(args, { state, actor, now }) {
    const id = await insertUser(state.db, now, {
      email: text(args, 'email'),
      name: text(args, 'name'),
      role: role(args),
      passwordHash: text(args, 'passwordHash'),
    })
    await note(state.db, now, actor, 'createUser', id)
    return { id }
  },

  /** {id, role} */
  async setRole(args, { state, actor, now }) {
    const user = await findUser(state.db, text(args, 'id'))
    const next = role(args)
    if (user.role === 'admin' && next !== 'admin') await keepOneAdmin(state.db, user.id)
    await state.db.updateTable('users').set({ role: next }).where('id', '=', user.id).execute()
    await note(state.db, now, actor, 'setRole', `${user.id} ${next}`)
    return { id: user.id }
  },

  /** {id}: ends the sessions too. */
  async disableUser(args, { state, actor, now }) {
    const user = await findUser(state.db, text(args, 'id'))
    if (user.role === 'admin' && user.disabled_at === null) await keepOneAdmin(state.db, user.id)
    await state.db
      .updateTable('users')
      .set({ disabled_at: user.disabled_at ?? now })
      .where('id', '=', user.id)
      .execute()
    await state.db.deleteFrom('sessions').where('user_id', '=', user.id).execute()
    await note(state.db, now, actor, 'disableUser', user.id)
    return { id: user.id }
  },

  /** {id} */
  async enableUser(args, { state, actor, now }) {
    const user = await findUser(state.db, text(args, 'id'))
    await state.db.updateTable('users').set({ disabled_at: null }).where('id', '=', user.id).execute()
    await note(state.db, now, actor, 'enableUser', user.id)
    return { id: user.id }
  },

  /** {id, passwordHash, keepSession?}: ends every session of the user but the one named (hex SHA-256). */
  async setPassword(args, { state, actor, now }) {
    const user = await findUser(state.db, text(args, 'id'))
    await state.db
      .updateTable('users')
      .set({ password_hash: text(args, 'passwordHash') })
      .where('id', '=', user.id)
      .execute()
    const keep = args['keepSession']
    let ended = state.db.deleteFrom('sessions').where('user_id', '=', user.id)
    if (typeof keep === 'string') ended = ended.where('hash', '!=', Buffer.from(keep, 'hex'))
    await ended.execute()
    await note(state.db, now, actor, 'setPassword', user.id)
    return { id: user.id }
  },

  /** {userId, hash (hex SHA-256), csrf} -> {expiresAt} */
  async openSession(args, { state, now }) {
    const user = await findUser(state.db, text(args, 'userId'))
    if (user.disabled_at !== null) throw new CommandError('FORBIDDEN', 'This user is disabled.')
    const expiresAt = now + SESSION_MS
    await state.db.deleteFrom('sessions').where('expires_at', '<', now).execute()
    await state.db
      .insertInto('sessions')
      .values({
        hash: Buffer.from(text(args, 'hash'), 'hex'),
        user_id: user.id,
        csrf: text(args, 'csrf'),
        created_at: now,
        expires_at: expiresAt,
      })
      .execute()
    await note(state.db, now, user.id, 'login', user.id)
    return { expiresAt }
  },

  /** {hash}: the session goes on for another twelve hours. */
  async touchSession(args, { state, now }) {
    await state.db
      .updateTable('sessions')
      .set({ expires_at: now + SESSION_MS })
      .where('hash', '=', Buffer.from(text(args, 'hash'), 'hex'))
      .execute()
    return null
  },

  /** {hash} */
  async closeSession(args, { state, actor, now }) {
    await state.db
      .deleteFrom('sessions')
      .where('hash', '=', Buffer.from(text(args, 'hash'), 'hex'))
      .execute()
    await note(state.db, now, actor, 'logout', actor)
    return null
  },

  /** {name, role, expiresAt?} -> {id, value}. The value is told only here. */
  async createToken(args, { state, actor, now }) {
    const value = newApiToken()
    const id = newId(now)
    const expiresAt = args['expiresAt']
    await state.db
      .insertInto('api_tokens')
      .values({
        id,
        hash: hashSecret(value),
        name: text(args, 'name').trim(),
        role: role(args),
        created_by: actor,
        created_at: now,
        expires_at: typeof expiresAt === 'number' ? expiresAt : null,
        last_used_at: null,
      })
      .execute()
    await note(state.db, now, actor, 'createToken', id)
    return { id, value }
  },

  /** {id} */
  async revokeToken(args, { state, actor, now }) {
    const id = text(args, 'id')
    const gone = await state.db.deleteFrom('api_tokens').where('id', '=', id).executeTakeFirst()
    if (Number(gone.numDeletedRows) === 0) throw new CommandError('NOT_FOUND', 'No API token has this id.')
    await note(state.db, now, actor, 'revokeToken', id)
    return { id }
  },

  /** {id} */
  async touchToken(args, { state, now }) {
    await state.db.updateTable('api_tokens').set({ last_used_at: now }).where('id', '=', text(args, 'id')).execute()
    return null
  },

  /** {act, target}: somebody looked at somebody. */
  async recordAccess(args, { state, actor, now }) {
    await note(state.db, now, actor, text(args, 'act'), text(args, 'target'))
    return null
  },
}
