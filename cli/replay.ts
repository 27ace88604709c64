/** anuente replay: people rebuilt from their history. */
import { join } from 'node:path'
import type { Command } from 'commander'
import { callLocal, socketPath } from '../core/local-socket.ts'
import { openToRead } from './backtest.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, progress, table, writeJson, writeLine } from './output.ts'

export function addReplay(program: Command, cli: Cli): void {
  const command = program
    .command('replay')
    .summary('compare people with what their history makes them, and mend them')
    .description(
      'Replays history and compares profiles, counters, carts and timers with what is stored. With --write, stores what history gives. Never enqueues a delivery. People whose history is not complete stay as they are.',
    )
    .option('--write', 'store what history gives; the hub must be stopped')
    .action(async (options: StandardOptions & { readonly write?: boolean }) => {
      const loaded = await openConfig(options, cli)
      if (options.write && (await callLocal(socketPath(loaded.dataDir), { name: 'ping', args: {} })))
        throw new CliError('HUB_RUNNING', 'a hub runs on this data directory; stop it, then replay with --write')
      const [{ rebuild }, { countPeople }, { createKeys, loadMasterKey }, surroundings, { readPublished }] =
        await Promise.all([
          import('../core/replay/rebuild.ts'),
          import('../core/replay/history.ts'),
          import('../core/keys.ts'),
          import('../core/roles/surroundings.ts'),
          import('../core/rules/book.ts'),
        ])
      const state = await openToRead(loaded)
      const bar = progress(cli, 'replay', await countPeople(state))
      try {
        const now = Date.now()
        const read = surroundings.readSurroundings(loaded)
        const { rules, kept } = await readPublished(state, now, new Set(), read.rules)
        const result = await rebuild({
          state,
          keys: createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env)),
          settings: surroundings.processSettings(loaded, read, rules, kept),
          now,
          write: options.write === true,
          onPeople: (count) => bar.add(count),
        })
        bar.end()
        if (options.json) return await writeJson(cli.stdout, result)
        await writeLine(
          cli.stdout,
          table([
            ['people', String(result.people)],
            ['events', String(result.events)],
            ['same', String(result.same)],
            [result.written ? 'written' : 'different', String(result.changed - result.taken)],
            ...Object.entries(result.different).map(([field, count]) => [`  ${field}`, String(count)]),
            ['history not complete', String(result.incomplete)],
          ]),
        )
      } finally {
        bar.end()
        await state.close()
      }
    })
  standard(command, ['anuente replay', 'anuente replay --write', "anuente replay --json | jq '.different'"])
}
