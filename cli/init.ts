/** `anuente init`: a commented anuente.yaml to start from, one example rule, and a .gitignore that keeps data out of git. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { Document, isPair, isScalar, visit } from 'yaml'
import { STARTER_PURPOSES } from '../consent/purposes.ts'
import type { PurposeConfig } from '../schemas/config.ts'
import { DEFAULT_CONFIG, type StandardOptions } from './options.ts'
import { type Cli, CliError, writeJson, writeLine } from './output.ts'

interface InitOptions extends StandardOptions {
  readonly name?: string
  readonly dpoName?: string
  readonly dpoEmail?: string
  readonly publicUrl?: string
  readonly force?: boolean
}

interface Answers {
  readonly name: string
  readonly dpo: { readonly name: string; readonly email: string } | undefined
  readonly publicUrl: string | undefined
}

export function addInit(program: Command, cli: Cli): void {
  program
    .command('init')
    .summary('write a starting anuente.yaml')
    .description(
      'Writes a commented anuente.yaml with the starter purposes and random write keys, an example rule and a .gitignore. Existing files stay unless --force is given. Asks questions only on a terminal.',
    )
    .option('--config <file>', `where to write (default: ./${DEFAULT_CONFIG})`)
    .option('--name <text>', 'name of the organization')
    .option('--dpo-name <text>', 'name of the encarregado (LGPD art. 41)')
    .option('--dpo-email <address>', 'e-mail of the encarregado')
    .option('--public-url <url>', 'address that browsers and vendors reach the hub at')
    .option('--force', 'overwrite files that exist')
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  anuente init\n  anuente init --config /etc/anuente/anuente.yaml --name "Loja Exemplo" --dpo-name "Ana Prado" --dpo-email privacidade@loja.example --public-url https://hub.loja.example',
    )
    .action(async (options: InitOptions) => {
      const file = resolve(options.config ?? DEFAULT_CONFIG)
      const files = new Map([
        [file, ''],
        [join(dirname(file), 'rules', 'cart-recovery.yaml'), RULE],
        [join(dirname(file), '.gitignore'), IGNORED],
      ])
      const present = existsSync(file)
      if (present && !options.force)
        throw new CliError('EXISTS', `${file} exists and was left as it is. To write a new one over it, add --force.`)
      const answers = await ask(options, cli)
      files.set(file, render(answers))
      const written: string[] = []
      const kept: string[] = []
      for (const [path, text] of files) {
        if (existsSync(path) && !options.force) kept.push(path)
        else {
          mkdirSync(dirname(path), { recursive: true })
          writeFileSync(path, text)
          written.push(path)
        }
      }
      if (options.json) return writeJson(cli.stdout, { written, kept })
      for (const path of written) await writeLine(cli.stdout, `wrote ${path}`)
      for (const path of kept) await writeLine(cli.stdout, `kept  ${path}`)
      await writeLine(
        cli.stdout,
        `\nNext: have the encarregado confirm the purposes in ${file}, then run\n  anuente doctor --config ${file}\n  anuente serve --config ${file}`,
      )
    })
}

async function ask(options: InitOptions, cli: Cli): Promise<Answers> {
  let { name, dpoName, dpoEmail, publicUrl } = options
  if (cli.stdin.isTTY && cli.stdout.isTTY && !options.json) {
    const terminal = createInterface({ input: cli.stdin, output: cli.stdout })
    const question = async (text: string, known: string | undefined) =>
      known ?? ((await terminal.question(`${text}: `)).trim() || undefined)
    try {
      name = await question('Organization / organização', name)
      dpoName = await question('Encarregado (name, empty to fill in later)', dpoName)
      if (dpoName) dpoEmail = await question('Encarregado (e-mail)', dpoEmail)
      publicUrl = await question('Public address, e.g. https://hub.loja.example (empty: this machine only)', publicUrl)
    } finally {
      terminal.close()
    }
  }
  if (publicUrl !== undefined && !(URL.canParse(publicUrl) && /^https?:$/.test(new URL(publicUrl).protocol)))
    throw new CliError('INVALID', `--public-url ${publicUrl} is not an address. Write it with https:// in front.`)
  if ((dpoName === undefined) !== (dpoEmail === undefined))
    throw new CliError('INVALID', 'the encarregado needs both --dpo-name and --dpo-email')
  if (dpoEmail !== undefined && !/^\S+@\S+\.\S+$/.test(dpoEmail))
    throw new CliError('INVALID', '--dpo-email is not an e-mail address')
  return {
    name: name ?? 'Minha empresa',
    dpo: dpoName && dpoEmail ? { name: dpoName, email: dpoEmail } : undefined,
    publicUrl,
  }
}

// ---------------------------------------------------------------- the file

const text = (value: string) => JSON.stringify(value)
const writeKey = () => `wk_${randomBytes(18).toString('base64url')}`

function render({ name, dpo, publicUrl }: Answers): string {
  const dpoLine = dpo
    ? `  dpo: {name: ${text(dpo.name)}, email: ${text(dpo.email)}}`
    : '  # The encarregado (LGPD art. 41), shown to every data subject. Fill in before going live:\n  # dpo: {name: …, email: …}'
  const today = new Date().toISOString().slice(0, 10)
  return `# yaml-language-server: $schema=https://anuente.dev/schemas/config.json
# Anuente. Secrets never stand here: write \${NAME} for an environment variable or file:<path> for a file.
# Check it with: anuente doctor

organization:
  name: ${text(name)}
${dpoLine}
  timezone: America/Sao_Paulo
  currency: BRL

server:
  port: 8787
${publicUrl ? `  publicUrl: ${publicUrl.replace(/\/+$/, '')}` : '  # The address that browsers, vendors and the links in messages use; https in production.\n  # publicUrl: https://hub.loja.example'}
  # Whose X-Forwarded-For is believed. With Caddy or nginx on this machine: [127.0.0.1]
  trustedProxies: []

# mail: {smtp: \${SMTP_URL}, from: privacidade@loja.example}

storage:
  dir: ./data   # personal data and its keys: never in git, never in a public folder

# Where events come from. Each source names the privacy notice that its consent signals rest on (LGPD art. 9);
# signals before \`since\` do not count. Write keys are random; browsers show them to everybody.
sources:
  site:
    connector: segment
    notice: {id: cookies, version: 1, since: ${today}}
    settings: {writeKey: ${writeKey()}}
  app:
    connector: rudderstack
    notice: {id: app, version: 1, since: ${today}}
    settings: {writeKey: ${writeKey()}}
  # tag:
  #   connector: gtm
  #   notice: {id: cookies, version: 1, since: ${today}}
  #   settings: {measurementId: G-XXXXXXX, apiSecret: \${GA4_API_SECRET}}
  # rd:
  #   connector: rdstation
  #   notice: {id: formulario, version: 1, since: ${today}}
  #   settings: {token: \${RD_WEBHOOK_TOKEN}}

# What data is used for, and on which legal basis (LGPD art. 7). A starting point, not legal advice:
# the encarregado confirms, changes or removes each one. Unknown consent is denied.
${purposesText()}
# Where messages and audiences go. \`purposes\` says which of the purposes above a destination serves; nothing else leaves.
# A destination outside Brazil needs its country and the ground of LGPD art. 33.
destinations: {}
  # rdstation:
  #   connector: rdstation
  #   role: operator
  #   country: BR
  #   purposes: [email_marketing, orders, customer_care]
  #   settings: {accessToken: \${RD_ACCESS_TOKEN}}

# What to do, for whom, unless what. The example in rules/cart-recovery.yaml is commented out.
rules: ["./rules/*.yaml"]

experiments:
  globalHoldout: 0.05   # share of people who never get a message, to measure what all messages together are worth
`
}

/** The starter set as YAML: one key per line, everything below it in flow style, a blank line between purposes. */
function purposesText(): string {
  const parts = Object.entries(STARTER_PURPOSES).map(([id, purpose]) => {
    const document = new Document({ [id]: ordered(purpose) })
    visit(document, {
      Collection: (_, node, path) => {
        // Document, purpose and its pair stand above a value of the purpose. Descriptions are long: a line per language.
        const above = path.at(-1)
        const long = isPair(above) && isScalar(above.key) && above.key.value === 'description'
        if (path.length > 4 && !long) node.flow = true
      },
    })
    return document
      .toString({ lineWidth: 116, flowCollectionPadding: false })
      .replace(/^(?=.)/gm, '  ')
      .trimEnd()
  })
  return `purposes:\n${parts.join('\n\n')}\n`
}

function ordered({ title, description, ...rest }: PurposeConfig): Record<string, unknown> {
  return { title, ...(description && { description }), ...rest }
}

const RULE = `# An example, inactive until the lines below lose their "# ". Published schema: schemas/json/rule.json
#
# id: cart-recovery
# version: 1
# title: {pt: Recuperação de carrinho, en: Cart recovery}
# when:
#   absence:
#     start: {event: Product Added}
#     unless: {any: [{event: Order Completed}, {cart: emptied}]}
#     within: PT1H
# who:
#   all:
#     - {field: cart.total, op: gte, value: 5000}        # in centavos
# unless:
#   purpose: email_marketing
#   caps: [{per: person, max: 1, window: P1D}]
#   reentry: {max: 3, min_interval: P7D}
# then:
#   all:
#     - {destination: rdstation, action: sendConversion, with: {conversion: carrinho-abandonado}}
#   expires: PT24H
# experiment: {control: 0.1}
# exit_on: [Order Completed]
`

const IGNORED = `# Personal data and the keys to it.
data/
*.env
`
