/** `anuente doctor`: one line per check, and what to do about it. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { LoadedConfig } from '../core/config.ts'
import type { Finding } from '../core/doctor.ts'
import { ConfigError } from '../core/kit/errors.ts'
import { loadWithSecrets } from '../core/secrets/read.ts'
import { languageOf } from './explain.ts'
import { DEFAULT_CONFIG, type StandardOptions, standard } from './options.ts'
import { type Cli, colors, writeJson, writeLine } from './output.ts'
import { loadConnectors } from './registry.ts'

interface DoctorOptions extends StandardOptions {
  readonly online?: boolean
  readonly send?: boolean
  readonly privacy?: boolean
  readonly lang?: string
}

export function addDoctor(program: Command, cli: Cli): void {
  const command = program
    .command('doctor')
    .summary('check an installation')
    .description(
      'Checks Node, the configuration, data folder, disk, port, clock, public address, HTTPS, proxies, mail, purposes, rules and destinations, one line each. Exit code 1 when something must be corrected.',
    )
    .option('--online', "also ask each destination's vendor whether the credentials work")
    .option('--send', 'also send a test event per source to the public address, through the real SDKs')
    .option('--privacy', 'only: what unknown consent costs per source, and how withdrawals reach the tools')
    .option('--lang <language>', 'with --privacy: pt or en (default: the language of the terminal)')
    .action(async (options: DoctorOptions) => {
      const counts = { ok: 0, warn: 0, fail: 0 }
      const c = colors(cli)
      const mark = { ok: c.green('ok  '), warn: c.yellow('warn'), fail: c.red('FAIL') }
      for await (const finding of findings(options, cli)) {
        counts[finding.status]++
        if (options.json) await writeJson(cli.stdout, finding)
        else
          await writeLine(
            cli.stdout,
            `${mark[finding.status]}  ${finding.text}${finding.todo ? `\n      ${c.dim('→')} ${finding.todo}` : ''}`,
          )
      }
      if (counts.fail > 0) cli.exit(1)
      if (!options.json)
        await writeLine(
          cli.stdout,
          `\n${counts.fail === 0 ? 'Nothing must be corrected' : `${counts.fail} to correct`}; ${counts.warn} to look at.`,
        )
    })
  standard(command, [
    'anuente doctor',
    'anuente doctor --online --send',
    'anuente doctor --privacy --lang pt',
    'anuente doctor --json | jq \'select(.status != "ok")\'',
  ])
}

/** Reads the state beside a running hub. */
async function* privacy(loaded: LoadedConfig, options: DoctorOptions, cli: Cli): AsyncGenerator<Finding> {
  const file = join(loaded.dataDir, 'state.db')
  const postgres = loaded.config.storage?.state
  if (!postgres && !existsSync(file)) {
    yield { check: 'unlock', status: 'ok', text: `No hub has run on ${loaded.dataDir} yet.` }
    return
  }
  const [{ examinePrivacy }, { openState }] = await Promise.all([
    import('../core/answers/examine.ts'),
    import('../core/stores/open.ts'),
  ])
  const state = await openState({ file, postgres }, { migrate: false })
  try {
    yield* examinePrivacy(loaded, state, { language: languageOf(options.lang, cli), now: Date.now() })
  } finally {
    await state.close()
  }
}

async function* findings(options: DoctorOptions, cli: Cli): AsyncGenerator<Finding> {
  const { examine, examineNode } = await import('../core/doctor.ts')
  yield examineNode()
  let loaded: LoadedConfig
  try {
    const file = resolve(options.config ?? DEFAULT_CONFIG)
    loaded = await loadWithSecrets(file, { registry: await loadConnectors(file, cli.env, cli.registry), env: cli.env })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const text of error.message.split('\n'))
      yield { check: 'config', status: 'fail', text, todo: 'Correct it; everything else can be checked only then.' }
    return
  }
  if (options.privacy) {
    yield* privacy(loaded, options, cli)
    return
  }
  yield* examine(loaded, { online: options.online ?? false, env: cli.env })
  if (!options.send) return
  // The vendors' SDKs take a while to load: only when they are used.
  const { sendTestEvents } = await import('../core/doctor/test-events.ts')
  yield* sendTestEvents(loaded)
}
