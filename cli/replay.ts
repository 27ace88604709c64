/** anuente replay: people rebuilt from their history. */
import { join } from 'node:path'
import type { Command } from 'commander'
import type { LoadedConfig } from '../core/config.ts'
import { callLocal, socketPath } from '../core/local-socket.ts'
import type { Rebuilt } from '../core/replay/rebuild.ts'
import { languageOf } from './explain.ts'
import { openToRead } from './open-to-read.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, NO_PROGRESS, progress, table, writeJson, writeLine } from './output.ts'

export function addReplay(program: Command, cli: Cli): void {
  const command = program
    .command('replay')
    .summary('compare people with what their history makes them, and mend them')
    .description(
      'Replays history and compares profiles, counters, carts and timers with what is stored. With --write, stores what history gives. Never enqueues a delivery. People whose history is not complete stay as they are.',
    )
    .option('--write', 'store what history gives; the hub must be stopped')
    .option('--lang <language>', 'pt or en (default: the language of the terminal)')
    .action(async (options: ReplayOptions) => {
      const language = languageOf(options.lang, cli)
      const loaded = await openConfig(options, cli)
      if (options.write && (await callLocal(socketPath(loaded.dataDir), { name: 'ping', args: {} })))
        throw new CliError('HUB_RUNNING', 'a hub runs on this data directory; stop it, then replay with --write')
      const result = await replay(loaded, options.write === true, cli)
      if (options.json) return await writeJson(cli.stdout, result)
      await writeLine(cli.stdout, renderReplay(result, language))
    })
  standard(command, ['anuente replay', 'anuente replay --write --lang pt', "anuente replay --json | jq '.different'"])
}

interface ReplayOptions extends StandardOptions {
  readonly write?: boolean
  readonly lang?: string
}

async function replay(loaded: LoadedConfig, write: boolean, cli: Cli): Promise<Rebuilt> {
  const [{ rebuild }, { countPeople }, { createKeys, loadMasterKey }, surroundings, { readPublished }] =
    await Promise.all([
      import('../core/replay/rebuild.ts'),
      import('../core/replay/history.ts'),
      import('../core/keys.ts'),
      import('../core/roles/surroundings.ts'),
      import('../core/rules/book.ts'),
    ])
  const state = await openToRead(loaded)
  let bar = NO_PROGRESS
  try {
    const now = Date.now()
    const read = surroundings.readSurroundings(loaded)
    const { rules, kept } = await readPublished(state, now, new Set(), read.rules)
    bar = progress(cli, 'replay', await countPeople(state))
    return await rebuild({
      state,
      keys: createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env)),
      settings: surroundings.processSettings(loaded, read, rules, kept),
      now,
      write,
      onPeople: (count) => bar.add(count),
    })
  } finally {
    bar.end()
    await state.close()
  }
}

function renderReplay(result: Rebuilt, language: 'pt' | 'en'): string {
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const number = new Intl.NumberFormat(language === 'pt' ? 'pt-BR' : 'en-GB')
  const { people, events, same, changed, taken, incomplete, different, written } = result
  const rows: [string, number][] = [
    [say('pessoas', 'people'), people],
    [say('eventos', 'events'), events],
    [say('iguais', 'same'), same],
    [written ? say('gravadas', 'written') : say('diferentes', 'different'), changed - taken],
    ...Object.entries(different).map(([field, count]): [string, number] => [`  ${field}`, count]),
    [say('histórico incompleto', 'history not complete'), incomplete],
  ]
  if (taken > 0) rows.push([say('mudaram enquanto isso', 'changed meanwhile'), taken])
  return table(rows.map(([name, count]) => [name, number.format(count)]))
}
