/** Secrets of settings: set, listed by name, deleted, sealed under a new key. A value goes in and never comes out. */
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { Db } from '../stores/open.ts'
import { box, rotate, secretPlace } from './box.ts'
import { isSecretName, MAX_SECRET_BYTES } from './names.ts'

export interface ListedSecret {
  readonly name: string
  readonly setAt: number
  /** User id, token id or "cli". */
  readonly setBy: string
  /** Last four characters; null when it is too short for them to be told. */
  readonly hint: string | null
}

/** Of twelve characters four still leave eight to guess; of fewer they would tell too much. */
const hintOf = (value: string): string | null => (value.length >= 12 ? value.slice(-4) : null)

export function secretCommands(keys: Keys): CommandHandlers {
  return {
    async setSecret(args, { state: { db }, actor, now }) {
      const name = nameOf(args)
      const value = args['value']
      if (typeof value !== 'string' || value === '')
        throw new CommandError('INVALID', 'The value of a secret is a text that is not empty.')
      if (Buffer.byteLength(value) > MAX_SECRET_BYTES)
        throw new CommandError('INVALID', `The value is longer than ${MAX_SECRET_BYTES} bytes.`)
      const before = await db.selectFrom('secrets').select('name').where('name', '=', name).executeTakeFirst()
      const row = {
        ...(await box(db, keys, secretPlace(name), value, now)),
        hint: hintOf(value),
        set_by: actor,
        set_at: now,
      }
      await db
        .insertInto('secrets')
        .values({ name, ...row })
        .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
        .execute()
      await noteAccess(db, now, actor, 'secrets.set', name)
      return { name, replaced: before !== undefined }
    },

    async listSecrets(_args, { state: { db } }) {
      return listSecrets(db)
    },

    async deleteSecret(args, { state: { db }, actor, now }) {
      const name = nameOf(args)
      const gone = await db.deleteFrom('secrets').where('name', '=', name).returning('name').executeTakeFirst()
      if (!gone) throw new CommandError('NOT_FOUND', `There is no secret ${name}.`)
      await noteAccess(db, now, actor, 'secrets.delete', name)
      return { name }
    },

    async rotateSecretKey(_args, { state: { db }, actor, now }) {
      const sealed = await rotate(db, keys, now)
      await noteAccess(db, now, actor, 'secrets.rotate_key', `${sealed.secrets} ${sealed.connections}`)
      return sealed
    },
  }
}

/** By name. */
export async function listSecrets(db: Db): Promise<{ items: ListedSecret[] }> {
  const rows = await db.selectFrom('secrets').select(['name', 'set_at', 'set_by', 'hint']).orderBy('name').execute()
  return { items: rows.map(({ name, set_at, set_by, hint }) => ({ name, setAt: set_at, setBy: set_by, hint })) }
}

function nameOf(args: Readonly<Record<string, unknown>>): string {
  const name = String(args['name'] ?? '')
  if (!isSecretName(name))
    throw new CommandError(
      'INVALID',
      'The name of a secret begins with a letter and has letters, digits, _, - and dots, at most 63 characters.',
    )
  return name
}

export async function noteAccess(db: Db, now: number, actor: string, act: string, target: string): Promise<void> {
  await db
    .insertInto('access_log')
    .values({ id: newId(now), at: now, actor, act, target })
    .execute()
}
