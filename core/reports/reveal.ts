/**
 * Looking at somebody. The read and its line in the access log are one transaction: without the line nothing
 * is shown. Inside a data-subject request the request is the reason.
 */

import type { SealedTraits } from '../../schemas/profile.ts'
import type { Revealed } from '../../schemas/records.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { isShredded } from '../ledger/shred.ts'
import { personOf } from '../retention/commands.ts'
import { unseal, unsealJson } from '../seal.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { SealedEvent } from '../stages/apply.ts'
import type { Db } from '../stores/open.ts'

export function revealCommands(keys: Keys): CommandHandlers {
  return {
    /** RevealRequest -> Revealed */
    async reveal(args, { state, now, actor }): Promise<Revealed> {
      const { db } = state
      const what = String(args['what'] ?? '') as Revealed['what']
      const id = String(args['id'] ?? '')
      const reason = typeof args['reason'] === 'string' ? args['reason'].trim() : ''
      const request = typeof args['request'] === 'string' ? args['request'] : null
      if (request === null && reason.length < 10)
        throw new CommandError(
          'REASON_REQUIRED',
          'Say why you need to see it, in at least 10 characters, or name the request of the data subject. It is kept in the access log.',
        )
      const seen = await look(what, id, db, keys)
      const logged = newId(now)
      await db
        .insertInto('access_log')
        .values({ id: logged, at: now, actor, act: `reveal.${what}`, target: id, reason: reason || null, request })
        .execute()
      return { ...seen, what, id, logged }
    },
  }
}

type Seen = Omit<Revealed, 'what' | 'id' | 'logged'>

async function look(what: string, id: string, db: Db, keys: Keys): Promise<Seen> {
  switch (what) {
    case 'person':
      return lookAtPerson(await personOf({ db } as Parameters<typeof personOf>[0], id), db, keys)
    case 'event': {
      const row = await db
        .selectFrom('history')
        .innerJoin('nodes', 'nodes.id', 'history.node_id')
        .select(['history.sealed', 'nodes.data_key', 'nodes.person_id', 'nodes.subject'])
        .where('history.id', '=', id)
        .executeTakeFirst()
      if (!row) throw new CommandError('NOT_FOUND', 'No kept event has this id.')
      if (isShredded(row.data_key)) throw new CommandError('ERASED', 'The key of these data was destroyed.')
      const { identifiers, traits, properties, context } = unsealJson<SealedEvent>(
        keys.unwrap(row.data_key),
        row.sealed,
      )
      return {
        personId: row.person_id,
        subjects: [row.subject],
        identifiers: identifiers.map(({ type, value }) => ({ type, value })),
        fields: { traits, properties, context },
      }
    }
    case 'delivery': {
      const row = await db
        .selectFrom('deliveries')
        .innerJoin('nodes', 'nodes.id', 'deliveries.node_id')
        .select(['deliveries.payload', 'deliveries.input', 'nodes.data_key', 'nodes.person_id', 'nodes.subject'])
        .where('deliveries.id', '=', id)
        .executeTakeFirst()
      if (!row) throw new CommandError('NOT_FOUND', 'No delivery has this id.')
      if (isShredded(row.data_key)) throw new CommandError('ERASED', 'The key of these data was destroyed.')
      const key = keys.unwrap(row.data_key)
      return {
        personId: row.person_id,
        subjects: [row.subject],
        identifiers: [],
        fields: {
          ...(row.payload && { payload: JSON.parse(unseal(key, row.payload).toString('utf8')) as unknown }),
          ...(row.input && { input: JSON.parse(unseal(key, row.input).toString('utf8')) as unknown }),
        },
      }
    }
    default:
      throw new CommandError('INVALID', 'What is shown is a person, an event or a delivery.')
  }
}

async function lookAtPerson(personId: string, db: Db, keys: Keys): Promise<Seen> {
  const nodes = await db.selectFrom('nodes').selectAll().where('person_id', '=', personId).orderBy('id').execute()
  const identifiers: Seen['identifiers'] = []
  const traits: Record<string, unknown> = {}
  for (const node of nodes) {
    const known = await db.selectFrom('identifiers').select(['type', 'sealed']).where('node_id', '=', node.id).execute()
    const key = isShredded(node.data_key) ? undefined : keys.unwrap(node.data_key)
    for (const { type, sealed } of known)
      identifiers.push({ type, value: key && sealed ? unseal(key, sealed).toString('utf8') : null, node: node.id })
    const row = await db.selectFrom('node_traits').select('sealed').where('node_id', '=', node.id).executeTakeFirst()
    if (key && row)
      for (const [path, { value }] of Object.entries(unsealJson<SealedTraits>(key, row.sealed).traits))
        traits[path] = value
  }
  return { personId, subjects: nodes.map(({ subject }) => subject), identifiers, fields: { traits } }
}
