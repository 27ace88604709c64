/** `anuente keys shred`: destroying the keys of one node, or of all nodes of a person, outside of a request. */
import type { ShredAnswer } from '../../schemas/records.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { shredNodes } from '../ledger/shred.ts'
import { personOf } from '../retention/commands.ts'
import { dissolveNodes, forgetPerson } from '../retention/erase.ts'
import { heldPersons } from '../retention/holds.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'

export function shredCommands(keys: Keys): CommandHandlers {
  return {
    /** ShredRequest -> ShredAnswer. What lay under a destroyed data key is deleted with it: nobody could read it again. */
    async shredKeys(args, { state, now, actor }): Promise<ShredAnswer> {
      const { db } = state
      const subject = String(args['subject'] ?? '')
      const which = (args['which'] as 'data' | 'proof' | 'both' | undefined) ?? 'data'
      const reason = String(args['reason'] ?? '')
      if (!/^[a-z][a-z0-9_]{2,39}$/.test(reason))
        throw new CommandError(
          'INVALID',
          'The reason is one word for the ledger, such as erasure, court_order or key_exposed.',
        )
      const personId = await personOf(state, subject)
      if ((await heldPersons(db, [personId])).has(personId))
        throw new CommandError(
          'LEGAL_HOLD',
          'A legal hold keeps the data of this person. Release it first: anuente retention holds',
        )
      const nodes = await db.selectFrom('nodes').select(['id', 'subject']).where('person_id', '=', personId).execute()
      const named = nodes.filter((node) => node.subject === subject)
      const nodeIds = (named.length > 0 ? named : nodes).map(({ id }) => id)
      const act = { at: now, reason, actor: 'agent' as const }
      // The proof key first: an opposition that stays gets a new node, whose keys are not meant.
      const proof = which === 'data' ? undefined : await shredNodes(db, nodeIds, ['proof'], act)
      const data = which === 'proof' ? undefined : await dissolveNodes(nodeIds, act, { db, keys })
      if (data && nodeIds.length === nodes.length) await forgetPerson(personId, now, db)
      await db
        .insertInto('access_log')
        .values({ id: newId(now), at: now, actor, act: 'keys.shred', target: subject, reason })
        .execute()
      return { nodes: nodeIds.length, entryId: data?.entryId ?? proof ?? null, erased: data?.erased ?? {} }
    },
  }
}
