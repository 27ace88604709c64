/** What the process role does for the ledger between its batches: numbers entries, signs checkpoints, copies them out. */
import type { LedgerCheckpoint } from '../../schemas/ledger.ts'
import { AnchorFailed, noteAnchor, writeAnchor } from './anchors.ts'
import { asCheckpoint, LedgerForked, type LedgerPorts, newestCheckpoint, signCheckpoint } from './checkpoint.ts'
import { clearProblem, noteProblem } from './problem.ts'
import { readHead } from './rows.ts'
import { sequence } from './sequence.ts'

/** All our own choices: how long an entry may wait for its number under load, for a checkpoint, for a copy outside. */
const SEQUENCE_MS = 200
const CHECKPOINT_MS = 5 * 60_000
const ANCHOR_MS = 3_600_000
/** After a fault. */
const RETRY_MS = 5_000
const PAUSE_MS = 60_000

export interface Keeper {
  /** @param idle nothing else is to do. @returns whether entries got their number. */
  round(now: number, idle: boolean): Promise<boolean>
}

/** @param onFault a fault that stops neither events nor deliveries. */
export function createKeeper(ports: LedgerPorts, onFault: (error: unknown) => void): Keeper {
  const { state, anchorFolder } = ports
  let sequenceAt = 0
  let signAt: number | undefined
  let anchorAt: number | undefined
  let numberAgainAt = 0
  let signAgainAt = 0

  const sign = async (now: number) => {
    signAt ??= ((await newestCheckpoint(state.db))?.at ?? 0) + CHECKPOINT_MS
    if (now < signAt) return
    await signCheckpoint(ports, now)
    signAt = now + CHECKPOINT_MS
    await clearProblem(state, 'signing')
  }
  const anchor = async (now: number) => {
    if (anchorFolder === undefined) return
    anchorAt ??= ((await newestAnchorAt()) ?? 0) + ANCHOR_MS
    if (now < anchorAt) return
    const last = await newestCheckpoint(state.db)
    if (!last) return
    await anchorCheckpoint(ports, asCheckpoint(last), now)
    anchorAt = now + ANCHOR_MS
  }
  const newestAnchorAt = async () =>
    (
      await state.db
        .selectFrom('ledger_anchors')
        .select('at')
        .where('kind', '=', 'folder')
        .orderBy('size', 'desc')
        .limit(1)
        .executeTakeFirst()
    )?.at

  return {
    async round(now, idle) {
      if (now < numberAgainAt || (!idle && now < sequenceAt)) return false
      sequenceAt = now + SEQUENCE_MS
      try {
        if ((await sequence(state, { now })) > 0) return true
      } catch (error) {
        numberAgainAt = now + RETRY_MS
        onFault(error)
        return false
      }
      if (now < signAgainAt) return false
      try {
        await sign(now)
        await anchor(now)
      } catch (error) {
        // Numbering goes on meanwhile.
        signAgainAt = now + PAUSE_MS
        const what = error instanceof LedgerForked ? 'signing' : error instanceof AnchorFailed ? 'anchoring' : undefined
        if (what !== undefined) {
          const { code, message } = error as LedgerForked | AnchorFailed
          await noteProblem(state, what, { code, message, at: now })
        }
        onFault(error)
      }
      return false
    },
  }
}

/** @returns the files written: none without a folder, or when the copy was there. @throws AnchorFailed */
export async function anchorCheckpoint(
  ports: LedgerPorts,
  checkpoint: LedgerCheckpoint,
  now: number,
): Promise<string[]> {
  const { state, anchorFolder } = ports
  if (anchorFolder === undefined) return []
  const { origin } = (await readHead(state.db))!
  const file = await writeAnchor(anchorFolder, origin, checkpoint)
  await state.transaction((db) => noteAnchor(db, { size: checkpoint.size, kind: 'folder', at: now, ref: anchorFolder }))
  await clearProblem(state, 'anchoring')
  return file === undefined ? [] : [file]
}
