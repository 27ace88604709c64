/** Approved policies run by themselves: looked at once a day, one batch at a time between everything else. */
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

/** @param commands those of retentionCommands. */
export function createRetentionKeeper(state: StateStore, commands: CommandHandlers): RetentionKeeper {
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
      const { started } = (await run('retentionRun', now)) as { started: readonly unknown[] }
      // What was deleted is gone from the write-ahead file too.
      state.checkpoint()
      return started.length > 0
    },
  }
}
