/** `anuente new destination|source NAME`: the folder of a new connector, green at once. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { AUTHS, type Auth, credentialsOf, yamlSettings } from './new/credentials.ts'
import { destinationFiles } from './new/destination.ts'
import { sourceFiles } from './new/source.ts'
import { type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, writeJson, writeLine } from './output.ts'

interface NewOptions extends StandardOptions {
  readonly auth: Auth
  readonly dir: string
}

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const MAX_NAME = 39

export function addNew(program: Command, cli: Cli): void {
  const command = program
    .command('new')
    .summary('begin a connector')
    .description('Writes the folder of a new connector, with examples and a test that pass as they are.')
  for (const direction of ['destination', 'source'] as const) {
    const own = command
      .command(direction)
      .argument('<name>', 'lower-case letters, digits and hyphens; also the name of its folder')
      .description(
        direction === 'destination'
          ? 'Writes definition, examples, sandbox, contract test and README of a destination: an HTTP API that keeps contacts.'
          : 'Writes definition, examples, contract test and README of a source: a webhook of customers and orders.',
      )
      .addOption(new Option('--auth <way>', 'how the API asks who is calling').choices(AUTHS).default('bearer'))
      .option('--dir <folder>', 'where the folder of the connector goes', './connectors')
      .action((name: string, options: NewOptions) => write(direction, name, options, cli))
    standard(own, [
      `anuente new ${direction} clima`,
      `anuente new ${direction} meu-crm --auth header`,
      `anuente new ${direction} clima --auth basic --dir ./integrations --json`,
    ])
  }
}

async function write(
  direction: 'destination' | 'source',
  name: string,
  { auth, dir, json }: NewOptions,
  cli: Cli,
): Promise<void> {
  if (!NAME.test(name) || name.length > MAX_NAME)
    throw new CliError(
      'INVALID_NAME',
      `"${name}" cannot name a connector: use up to ${MAX_NAME} lower-case letters, digits and hyphens, such as meu-crm.`,
    )
  const known = direction === 'destination' ? cli.registry.destinations : cli.registry.sources
  if (known.has(name))
    throw new CliError('NAME_TAKEN', `the hub has a ${direction} connector ${name} already. Choose another name.`)
  if (direction === 'source' && auth === 'none')
    throw new CliError(
      'INVALID',
      'a source must know who sends: without credentials anybody could write events. Choose another --auth.',
    )
  const folder = resolve(dir, name)
  if (existsSync(folder))
    throw new CliError('EXISTS', `${folder} exists and was left as it is. Choose another name, or remove the folder.`)
  const files =
    direction === 'destination' ? destinationFiles(name, auth) : sourceFiles(name, auth as Exclude<Auth, 'none'>)
  mkdirSync(folder, { recursive: true })
  const written = Object.entries(files).map(([file, text]) => {
    const path = join(folder, file)
    writeFileSync(path, text, { flag: 'wx' })
    return path
  })
  const credentials = credentialsOf(auth, name)
  const { variables } = credentials
  if (json)
    return writeJson(cli.stdout, { connector: name, direction, folder, written, environment: Object.values(variables) })
  for (const path of written) await writeLine(cli.stdout, `wrote ${relative(process.cwd(), path)}`)
  const entry =
    direction === 'destination'
      ? `destinations:\n  ${name}: {connector: ${name}, role: operator, country: BR, purposes: [email_marketing], settings: ${yamlSettings(credentials)}}`
      : `sources:\n  ${name}: {connector: ${name}, settings: ${yamlSettings(credentials)}}`
  const shownDir = /^[./\\]|^[A-Za-z]:/.test(dir) ? dir : `./${dir}`
  await writeLine(
    cli.stdout,
    `\nTest it:\n  npx vitest run --root ${shownDir}\n\nIn anuente.yaml:\nconnectors: [${shownDir}]\n${entry}`,
  )
}
