/** `anuente secrets`: credentials that anuente.yaml refers to as ${secret:NAME}, sealed in the state. A value is read from standard input, never from the arguments. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import type { Command } from 'commander'
import type { ListedSecret } from '../core/secrets/commands.ts'
import { DEFAULT_CONFIG, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'

export function addSecrets(program: Command, cli: Cli): void {
  const secrets = program
    .command('secrets')
    .summary('credentials that the configuration refers to')
    .description(
      `Secrets lie in the state, sealed with AES-256-GCM under a key that the master key wraps. anuente.yaml names them as ${'$'}{secret:NAME}. They are never shown again.`,
    )
  standard(
    secrets
      .command('set')
      .argument('<name>', `as in ${'$'}{secret:NAME}`)
      .description(
        'Set a secret, or replace it. The value is asked for, or read from standard input; one line break at its end is left out. A running hub takes it at its next start.',
      )
      .action(async (name: string, options: StandardOptions) => {
        const value = await readValue(name, cli)
        const answer = (await run('setSecret', { name, value }, options, cli)) as { replaced: boolean }
        if (options.json) return writeJson(cli.stdout, answer)
        await writeLine(
          cli.stdout,
          `${name} is ${answer.replaced ? 'replaced' : 'set'}. Write ${'$'}{secret:${name}} in the configuration; the hub takes it at its next start.`,
        )
      }),
    ['anuente secrets set MAILCHIMP_KEY', 'anuente secrets set MAILCHIMP_KEY < key.txt'],
  )
  standard(
    secrets
      .command('list')
      .description('Names, when and by whom they were set, and the last four characters of long ones.')
      .action(async (options: StandardOptions) => {
        const { items } = (await run('listSecrets', {}, options, cli)) as { items: ListedSecret[] }
        if (options.json) {
          for (const item of items) await writeJson(cli.stdout, item)
          return
        }
        if (items.length === 0) return writeLine(cli.stdout, 'No secret is set.')
        await writeLine(
          cli.stdout,
          table(
            items.map(({ name, setAt, setBy, hint }) => [
              name,
              hint === null ? '••••' : `••••${hint}`,
              new Date(setAt).toISOString(),
              setBy,
            ]),
          ),
        )
      }),
    ['anuente secrets list', 'anuente secrets list --json'],
  )
  standard(
    secrets
      .command('delete')
      .argument('<name>', 'name of the secret')
      .description('Delete a secret. A configuration that still refers to it does not start.')
      .action(async (name: string, options: StandardOptions) => {
        const answer = await run('deleteSecret', { name }, options, cli)
        if (options.json) return writeJson(cli.stdout, answer)
        await writeLine(cli.stdout, `${name} is deleted.`)
      }),
    ['anuente secrets delete MAILCHIMP_KEY'],
  )
  standard(
    secrets
      .command('rotate-key')
      .description('Seal every secret and every connected account under a fresh key, and destroy the old one.')
      .action(async (options: StandardOptions) => {
        const answer = (await run('rotateSecretKey', {}, options, cli)) as { secrets: number; connections: number }
        if (options.json) return writeJson(cli.stdout, answer)
        await writeLine(
          cli.stdout,
          `${answer.secrets} secrets and ${answer.connections} connections are sealed under a new key.`,
        )
      }),
    ['anuente secrets rotate-key'],
  )
}

async function run(
  name: string,
  args: Readonly<Record<string, unknown>>,
  options: StandardOptions,
  { env }: Cli,
): Promise<unknown> {
  const file = resolve(options.config ?? DEFAULT_CONFIG)
  if (!existsSync(file)) throw new CliError('CONFIG', `${file} does not exist. Make one with: anuente init`)
  const [{ locate }, { runSecretCommand }] = await Promise.all([
    import('../core/secrets/read.ts'),
    import('../core/secrets/offline.ts'),
  ])
  const result = await runSecretCommand(locate(file, env), name, args, env)
  if (!result.ok) throw new CliError(result.code, result.message)
  return result.value
}

async function readValue(name: string, { stdin, stdout }: Cli): Promise<string> {
  if (stdin.isTTY && stdout.isTTY) {
    stdout.write(`${name} (not shown): `)
    // What is typed goes nowhere.
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const asking = createInterface({ input: stdin, output: nowhere, terminal: true })
    const given = await asking.question('')
    asking.close()
    stdout.write('\n')
    return given
  }
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Buffer))
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}
