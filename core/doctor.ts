/**
 * Looks over an installation and says in plain words what is right, what is not, and what to do.
 * Reads and asks; changes nothing and sends no event.
 */
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { lintPurposes, loadPurposes } from '../consent/purposes.ts'
import type { DestinationSettings, LoadedConfig } from './config.ts'
import { oauthOf } from './connections/tokens.ts'
import { loadRules } from './decision/index.ts'
import { askVendor } from './delivery/ask-vendor.ts'
import { type AccountLook, examineAccounts, examineVersions, lookAtAccounts } from './doctor/connections.ts'
import { examineLists } from './doctor/lists.ts'
import { ConfigError, RetryableError } from './kit/errors.ts'
import type { HttpResponse, Transport } from './kit/http.ts'
import { createMailer } from './kit/smtp.ts'
import { createTransport } from './kit/transport.ts'
import { lintRulesOf } from './roles/surroundings.ts'

export interface Finding {
  /** Stable word for programs: node, data, disk, clock, port, config, secrets, connection, version, public-url, https, proxies, mail, purposes, rules, lists, destination. */
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly text: string
  /** What to do; absent when all is well. */
  readonly todo?: string
}

const TIMEOUT_MS = 10_000
const GIGABYTE = 1024 ** 3

const ok = (check: string, text: string): Finding => ({ check, status: 'ok', text })
const warn = (check: string, text: string, todo: string): Finding => ({ check, status: 'warn', text, todo })
const fail = (check: string, text: string, todo: string): Finding => ({ check, status: 'fail', text, todo })

export function examineNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < 22 || (major === 22 && minor < 14))
    return fail('node', `Node ${version} is too old.`, 'Install Node 24 (22.14 at least).')
  return ok('node', `Node ${version}.`)
}

export interface Examination {
  /** Ask each vendor whether the credentials work. */
  readonly online: boolean
  readonly now?: () => number
  readonly env?: Readonly<Record<string, string | undefined>>
}

export async function* examine(
  loaded: LoadedConfig,
  { online, now = Date.now, env = process.env }: Examination,
): AsyncGenerator<Finding> {
  yield ok(
    'config',
    `${loaded.path}: ${count(loaded.sourceSettings.size, 'source')}, ${count(Object.keys(loaded.config.purposes).length, 'purpose')}, ${count(loaded.destinationSettings.size, 'destination')}, ${count(loaded.ruleDocuments.length, 'rule file')}.`,
  )
  if (loaded.warnings.length === 0) yield ok('secrets', 'No secret is written into the file.')
  for (const { message } of loaded.warnings)
    yield warn(
      'secrets',
      message,
      'Move it into the environment or a file, and change the secret: it may have been seen.',
    )
  yield* examineOrganization(loaded)
  yield* examinePurposes(loaded)
  yield* examineRules(loaded)
  yield* examineData(loaded)
  yield* examineAddress(loaded, now)
  yield await examineMail(loaded)
  yield* examineVersions(loaded, now())
  const accounts = await lookAtAccounts(loaded, env, now())
  yield* examineAccounts(accounts)
  yield* examineLists(loaded)
  for (const destination of loaded.destinationSettings.values())
    yield* examineDestination(destination, loaded, online, accounts)
}

const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`

// ---------------------------------------------------------------- what is written

function* examineOrganization({ config, sourceSettings }: LoadedConfig): Generator<Finding> {
  if (!config.organization.dpo)
    yield warn(
      'config',
      'No encarregado is named (LGPD art. 41).',
      'Write organization.dpo: {name, email}; every data subject is shown it.',
    )
  for (const { id, config: source } of sourceSettings.values()) {
    if (!source.notice)
      yield warn(
        'config',
        `Source ${id} names no privacy notice, so grants it carries do not count (LGPD art. 9).`,
        `Write sources.${id}.notice: {id, version, since}.`,
      )
  }
}

function* examinePurposes({ config }: LoadedConfig): Generator<Finding> {
  const findings = lintPurposes(config)
  if (findings.length === 0) yield ok('purposes', 'The purposes agree with the policy table.')
  for (const { severity, path, message } of findings) {
    const text = `${path.slice(1).replaceAll('/', '.')}: ${message}`
    yield severity === 'error'
      ? fail('purposes', text, 'The hub refuses to start with it: correct it.')
      : warn('purposes', text, 'Have the encarregado decide.')
  }
}

function* examineRules(loaded: LoadedConfig): Generator<Finding> {
  try {
    const { rules } = loadRules(loaded.ruleDocuments)
    const purposes = loadPurposes(loaded.config)
    lintRulesOf(loaded, purposes, rules)
    yield ok('rules', `${count(rules.length, 'rule')} can run.`)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const line of error.message.split('\n'))
      yield fail('rules', line, 'Correct the rule; the hub refuses to start with it.')
  }
}

// ---------------------------------------------------------------- this machine

function* examineData({ dataDir }: LoadedConfig): Generator<Finding> {
  let folder = dataDir
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch {
    yield fail(
      'data',
      `${folder} cannot be written by this user.`,
      `Give it to the user that runs the hub: chown -R <user> ${folder}`,
    )
    return
  }
  if (folder !== dataDir) yield ok('data', `${dataDir} does not exist yet; it will be made.`)
  else if (process.platform !== 'win32' && (statSync(dataDir).mode & 0o007) !== 0)
    yield warn('data', `${dataDir} can be opened by every user of this machine.`, `chmod o-rwx ${dataDir}`)
  else yield ok('data', `${dataDir} can be written.`)
  const { bavail, bsize } = statfsSync(folder)
  const free = (bavail * bsize) / GIGABYTE
  const text = `${free.toFixed(1)} GB are free for the data.`
  if (free < 0.5)
    yield fail('disk', text, 'Free some space: when the disk is full the hub answers 429 and SDKs keep their events.')
  else if (free < 5) yield warn('disk', text, 'Plan for more: the state grows with people and history.')
  else yield ok('disk', text)
}

async function* examineAddress(loaded: LoadedConfig, now: () => number): AsyncGenerator<Finding> {
  const { publicUrl, port, host, config } = loaded
  const own = new URL(publicUrl)
  const local = `http://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host}:${port}`
  // Doctor asks its own hub, wherever it stands; private addresses are no danger here.
  const transport = createTransport({
    allowPrivate: [own.hostname.replace(/^\[|\]$/g, ''), '127.0.0.1', 'localhost', '::1', host],
    timeoutMs: TIMEOUT_MS,
  })
  try {
    const free = await portIsFree(port, host)
    const running = free === true || port === 0 ? undefined : await health(transport, local)
    if (port === 0) yield ok('port', 'Any free port will be taken.')
    else if (free === true) yield ok('port', `${host}:${port} is free; the hub is not running here.`)
    else if (running?.json) yield ok('port', `The hub is running on ${host}:${port}.`)
    else if (free === 'EADDRINUSE')
      yield fail('port', `Another program uses ${host}:${port}.`, 'Stop it, or choose another server.port.')
    else
      yield fail(
        'port',
        `${host}:${port} cannot be opened (${free}).`,
        free === 'EACCES'
          ? 'Ports below 1024 need rights: use 8787 behind a proxy.'
          : 'Choose another server.host or server.port.',
      )

    yield examineScheme(own)
    const reached = await health(transport, publicUrl)
    yield reachFinding(loaded, reached, running)
    if (reached.response) {
      yield clockFinding(reached.response, now())
      yield await proxyFinding(loaded, transport, reached.response)
    } else if (own.protocol === 'https:' && (config.server?.trustedProxies ?? []).length === 0) yield NO_PROXY
  } finally {
    await transport.close()
  }
}

const NO_PROXY = warn(
  'proxies',
  'publicUrl is https but no proxy is trusted, so every visitor seems to come from the proxy.',
  'Write server.trustedProxies: [127.0.0.1], or the address of your proxy.',
)

function portIsFree(port: number, host: string): Promise<true | string> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
    probe.listen(port, host, () => probe.close(() => resolve(true)))
  })
}

interface Health {
  readonly response?: HttpResponse
  /** The answer of a hub; undefined when something else answered. */
  readonly json?: Readonly<Record<string, unknown>>
  readonly problem?: string
}

async function health(
  transport: Transport,
  base: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Health> {
  try {
    const response = await transport({
      method: 'GET',
      url: `${base}/healthz`,
      headers: { accept: 'application/json', ...headers },
    })
    const json = response.json
    const hub =
      response.status === 200 &&
      json !== null &&
      typeof json === 'object' &&
      (json as { name?: unknown }).name === 'anuente'
    return { response, ...(hub && { json: json as Record<string, unknown> }) }
  } catch (error) {
    return {
      problem: error instanceof RetryableError ? error.message : error instanceof Error ? error.message : 'no answer',
    }
  }
}

function examineScheme(own: URL): Finding {
  const here = /^(localhost|127\.|\[::1\])/.test(own.hostname)
  if (own.protocol === 'https:') return ok('https', `${own.origin} is https.`)
  if (here)
    return warn(
      'https',
      `${own.origin} is this machine only.`,
      'Fine for trying. For browsers and vendors set server.publicUrl to an https address behind Caddy or nginx (docs/deploy.md).',
    )
  return fail(
    'https',
    `${own.origin} is not https: personal data would travel in the open.`,
    'Put Caddy or nginx in front (docs/deploy.md) and write https:// in server.publicUrl.',
  )
}

function reachFinding(
  { publicUrl }: LoadedConfig,
  { response, json, problem }: Health,
  running: Health | undefined,
): Finding {
  if (problem) {
    const certificate = /CERT|SSL|TLS|ALTNAME|SELF_SIGNED|ISSUER/.test(problem)
    if (certificate)
      return fail(
        'public-url',
        `${publicUrl}: the certificate is not valid (${problem}).`,
        'Renew it, and serve the whole chain.',
      )
    if (!running?.json)
      return warn(
        'public-url',
        `${publicUrl} does not answer (${problem}), and no hub is running here.`,
        'Start the hub, then run doctor again.',
      )
    return fail(
      'public-url',
      `${publicUrl} does not answer (${problem}), though the hub runs.`,
      'Check DNS, the firewall and the proxy.',
    )
  }
  if (!json)
    return fail(
      'public-url',
      `${publicUrl}/healthz answers ${response?.status}, and not as a hub.`,
      'Point the proxy at the hub; it must pass every path on unchanged.',
    )
  const [theirs, ours] = [json['id'], running?.json?.['id']]
  if (theirs !== undefined && ours !== undefined && theirs !== ours)
    return fail(
      'public-url',
      `${publicUrl} is answered by another hub than the one on this machine.`,
      'Check where the name and the proxy point.',
    )
  return ok('public-url', `${publicUrl} is answered by ${theirs !== undefined && theirs === ours ? 'this' : 'a'} hub.`)
}

function clockFinding(response: HttpResponse, now: number): Finding {
  const theirs = Date.parse(response.headers['date'] ?? '')
  if (Number.isNaN(theirs)) return ok('clock', 'The proxy tells no time; the clock could not be compared.')
  // The header has whole seconds.
  const off = Math.round(Math.abs(now - theirs) / 1000)
  if (off > 60)
    return fail(
      'clock',
      `The clock of this machine is ${off} s off.`,
      'Turn on time synchronisation: timedatectl set-ntp true',
    )
  if (off > 5)
    return warn(
      'clock',
      `The clock of this machine is ${off} s off.`,
      'Turn on time synchronisation: timedatectl set-ntp true',
    )
  return ok('clock', 'The clock agrees with the public address.')
}

/** A documentation address (RFC 5737): no client has it, so a hub that names it believes anybody. */
const CLAIMED = '203.0.113.7'

async function proxyFinding(
  { publicUrl, config }: LoadedConfig,
  transport: Transport,
  first: HttpResponse,
): Promise<Finding> {
  const trusted = config.server?.trustedProxies ?? []
  const behind = new URL(publicUrl).protocol === 'https:'
  const client = (first.json as { client?: unknown } | undefined)?.client
  if (typeof client !== 'string')
    return behind && trusted.length === 0
      ? NO_PROXY
      : ok('proxies', trusted.length === 0 ? 'No proxy is trusted.' : `Trusted: ${trusted.join(', ')}.`)
  const claimed = await health(transport, publicUrl, { 'x-forwarded-for': CLAIMED })
  if (claimed.json?.['client'] === CLAIMED)
    return fail(
      'proxies',
      'Whoever sends X-Forwarded-For chooses the address that is recorded as theirs.',
      'Let the proxy replace the header (proxy_set_header X-Forwarded-For $remote_addr), and trust only the proxy.',
    )
  return behind && trusted.length === 0
    ? NO_PROXY
    : ok(
        'proxies',
        trusted.length === 0 ? 'No proxy is trusted, and none is needed.' : 'The proxy passes on who really called.',
      )
}

// ---------------------------------------------------------------- others

async function examineMail({ config }: LoadedConfig): Promise<Finding> {
  if (!config.mail)
    return warn(
      'mail',
      'No mail server is set.',
      'Write mail: {smtp, from}; the hub mails administrators and data subjects with it.',
    )
  try {
    const mailer = createMailer(config.mail, TIMEOUT_MS)
    try {
      await mailer.verify()
      return ok('mail', 'The mail server takes the credentials.')
    } finally {
      mailer.close()
    }
  } catch (error) {
    return fail(
      'mail',
      `${error instanceof Error ? error.message : 'no answer'}.`,
      'Check mail.smtp: host, port, user and password.',
    )
  }
}

async function* examineDestination(
  destination: DestinationSettings,
  { config }: LoadedConfig,
  online: boolean,
  { tokens }: AccountLook,
): AsyncGenerator<Finding> {
  const { id, definition, settings } = destination
  const undeclared = destination.actions.filter(
    (name) => destination.purposeOf(definition.actions[name]?.purpose ?? '') === undefined,
  )
  if (undeclared.length > 0)
    yield warn(
      'destination',
      `${id}: ${undeclared.join(', ')} will never send, because their purposes are not declared.`,
      `Add them to destinations.${id}.purposes, or list only the wanted actions under destinations.${id}.actions.`,
    )
  if (!online) return yield ok('destination', `${id} was not asked; add --online to try its credentials.`)
  const connected = oauthOf(destination) !== undefined
  const token = tokens.get(id)
  if (connected && token === undefined)
    return yield ok(
      'destination',
      `${id} was not asked: it has no token that is good now; the hub renews it when it sends.`,
    )
  try {
    const {
      ok: works,
      detail,
      warnings = [],
    } = await askVendor(
      definition,
      token === undefined || !connected ? settings : { ...settings, accessToken: token },
      { allowPrivate: config.network?.allow ?? [], sandbox: destination.config.sandbox },
    )
    yield works
      ? ok('destination', `${id}: ${detail}`)
      : fail('destination', `${id}: ${detail}`, `Check the settings of destinations.${id}.`)
    for (const warning of warnings) yield warn('destination', `${id}: ${warning}`, 'See the page of this connector.')
  } catch (error) {
    yield fail(
      'destination',
      `${id}: ${error instanceof Error ? error.message : 'no answer'}`,
      `Check the credentials under destinations.${id}.settings.`,
    )
  }
}
