/** What the officer's side does by itself, once a day: approved policies, batch by batch between everything else; the record of art. 37. */
import type { Drift } from '../../schemas/records.ts'
import type { CommandHandlers } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import { SYSTEM } from './commands.ts'
import { openRun } from './run.ts'

const DAY_MS = 86_400_000

export interface RetentionKeeper {
  /**
   * @param idle nothing else waits: only then something new is started.
   * @returns true when it worked and there may be more.
   */
  round(now: number, idle: boolean): Promise<boolean>
}

/**
 * @param commands those of recordsCommands.
 * @param onDrift told once of each thing that was observed and is not declared.
 */
export function createRetentionKeeper(
  state: StateStore,
  commands: CommandHandlers,
  onDrift: (fresh: readonly Drift[]) => void = () => {},
): RetentionKeeper {
  let lookAt = 0
  const run = (name: string, now: number) =>
    state.transaction((trx) =>
      commands[name]!(
        {},
        {
          state: { ...state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
          actor: SYSTEM,
          now,
        },
      ),
    )
  return {
    async round(now, idle) {
      if (!idle) return false
      if (await openRun(state.db)) return (await run('retentionStep', now)) !== null
      if (now < lookAt) return false
      lookAt = now + DAY_MS
      if ('recordRopa' in commands) {
        const { fresh } = (await run('recordRopa', now)) as { fresh: readonly Drift[] }
        if (fresh.length > 0) onDrift(fresh)
      }
      const { started } = (await run('retentionRun', now)) as { started: readonly unknown[] }
      // What was deleted is gone from the write-ahead file too.
      state.checkpoint()
      return started.length > 0
    },
  }
}
