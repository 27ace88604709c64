/** The writes of a keeper: by whoever owns a connection to the state that may write, or by commands to the process role. */
import type { Keys } from '../keys.ts'
import type { Command, CommandResult } from '../server/context.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import type { ConnectionWriter } from './keeper.ts'
import { claimRefresh, markUnconnected, postpone, storeRefreshed, type Tokens } from './rows.ts'

export function directWriter(state: StateStore, keys: Keys, clock: () => number): ConnectionWriter {
  return {
    claim: (row) => state.transaction((trx) => claimRefresh(trx, row, clock())),
    store: (row, claim, tokens) => state.transaction((trx) => storeRefreshed(trx, keys, row, claim, tokens, clock())),
    postpone: (destination, claim, problem, retryAt) =>
      state.transaction((trx) => postpone(trx, destination, claim, problem, retryAt)),
    unconnect: (row, problem) => state.transaction((trx) => markUnconnected(trx, row, problem)),
  }
}

/** For the HTTP side, which only reads the state. */
export function commandWriter(run: (command: Command) => Promise<CommandResult>): ConnectionWriter {
  const ask = async (name: string, args: Readonly<Record<string, unknown>>): Promise<unknown> => {
    const result = await run({ name, args, actor: 'system' })
    if (!result.ok) throw new CommandError(result.code, result.message)
    return result.value
  }
  const only = ({ destination, version }: { destination: string; version: number }) => ({ destination, version })
  return {
    claim: async (row) => ((await ask('claimConnection', only(row))) as { claim: string | null }).claim ?? undefined,
    store: async (row, claim, tokens) =>
      ((await ask('storeConnection', { ...only(row), claim, tokens })) as { stored: boolean }).stored,
    postpone: async (destination, claim, problem, retryAt) => {
      await ask('postponeConnection', { destination, claim, problem, retryAt })
    },
    unconnect: async (row, problem) => {
      await ask('unconnectConnection', { ...only(row), problem })
    },
  }
}

/** What `commandWriter` asks for. */
export function writerCommands(keys: Keys): CommandHandlers {
  const rowOf = (args: Readonly<Record<string, unknown>>) => ({
    destination: String(args['destination']),
    version: Number(args['version']),
  })
  return {
    async claimConnection(args, { state: { db }, now }) {
      return { claim: (await claimRefresh(db, rowOf(args), now)) ?? null }
    },
    async storeConnection(args, { state: { db }, now }) {
      const stored = await storeRefreshed(db, keys, rowOf(args), String(args['claim']), args['tokens'] as Tokens, now)
      return { stored }
    },
    async postponeConnection({ destination, claim, problem, retryAt }, { state: { db } }) {
      await postpone(db, String(destination), String(claim), String(problem), Number(retryAt))
      return null
    },
    async unconnectConnection(args, { state: { db } }) {
      await markUnconnected(db, rowOf(args), String(args['problem']))
      return null
    },
  }
}
