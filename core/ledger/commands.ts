/** Acts on the ledger, run between batches by the process role. */
import type { CheckpointAnswer } from '../../schemas/ledger.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import { AnchorFailed, noteAnchor } from './anchors.ts'
import { LedgerForked, type LedgerPorts, rotateKey, signCheckpoint } from './checkpoint.ts'
import { anchorCheckpoint } from './keeper.ts'
import { proveEntry } from './prove.ts'
import { sequence } from './sequence.ts'
import type { LedgerSettings } from './settings.ts'

export function ledgerCommands(settings: LedgerSettings, keys: Keys): CommandHandlers {
  const portsOf = (state: StateStore): LedgerPorts => ({ state, keys, anchorFolder: settings.anchorFolder })

  return {
    /** Everything pending gets its number, the last words their root, and the tree a signature and a copy. */
    async ledgerCheckpoint(_args, { state, now, actor }): Promise<CheckpointAnswer> {
      const ports = portsOf(state)
      // Twice: the root of the last words covers what was numbered before it.
      while ((await sequence(state, { now })) > 0);
      await sequence(state, { now, stateRoot: true })
      const checkpoint = await refused(() => signCheckpoint(ports, now))
      if (!checkpoint) throw new CommandError('EMPTY', 'The ledger has no entry yet: there is nothing to sign.')
      await noteAccess(state, now, actor, 'ledger.checkpoint', String(checkpoint.size))
      return { checkpoint, anchored: await refused(() => anchorCheckpoint(ports, checkpoint, now)) }
    },

    async ledgerRotateKey(args, { state, now, actor }) {
      const reason = demandReason(args['reason'])
      const rotated = await refused(() => rotateKey(portsOf(state), { now, reason }))
      if (!rotated) throw new CommandError('BUSY', 'Another process is at the ledger; try again.')
      await noteAccess(state, now, actor, 'ledger.rotate_key', rotated.to.split('+')[1] ?? '')
      return { ...rotated, anchored: await refused(() => anchorCheckpoint(portsOf(state), rotated.checkpoint, now)) }
    },

    /** Minutes were printed of this checkpoint: a copy outside, as far as somebody keeps the paper. */
    async ledgerMinutes(args, { state, now, actor }) {
      const size = Number(args['size'])
      const known = await state.db
        .selectFrom('ledger_checkpoints')
        .select('size')
        .where('size', '=', size)
        .executeTakeFirst()
      if (!known) throw new CommandError('NOT_FOUND', 'No checkpoint of this size was signed.')
      await noteAnchor(state.db, { size, kind: 'minutes', at: now, ref: actor })
      await noteAccess(state, now, actor, 'ledger.minutes', String(size))
      return { size }
    },

    /** A receipt with its payload: somebody's personal data, so the reason is kept with who asked. */
    async ledgerReveal(args, { state, now, actor }) {
      const reason = demandReason(args['reason'])
      const id = String(args['id'] ?? '')
      const proof = await proveEntry(state.db, id, keys)
      if (!proof) throw new CommandError('NOT_FOUND', 'The ledger has no entry with this id.')
      await noteAccess(state, now, actor, 'ledger.reveal', `${id} ${reason}`)
      return proof
    },
  }
}

function demandReason(value: unknown): string {
  const reason = typeof value === 'string' ? value.trim() : ''
  if (reason.length < 3 || reason.length > 200)
    throw new CommandError(
      'INVALID',
      'Give a reason of 3 to 200 characters: it is kept in the ledger or the access log.',
    )
  return reason
}

async function refused<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof AnchorFailed) throw new CommandError('ANCHOR_FAILED', `Not copied: ${error.message}.`)
    if (error instanceof LedgerForked)
      throw new CommandError(error.code, `Not signed: ${error.message}. Run: anuente ledger verify`)
    throw error
  }
}

async function noteAccess({ db }: StateStore, now: number, actor: string, act: string, target: string): Promise<void> {
  await db
    .insertInto('access_log')
    .values({ id: newId(now), at: now, actor, act, target })
    .execute()
}
