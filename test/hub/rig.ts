/** A hub as people run it, with vendors that only count what reaches them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { registry } from '../../connectors/index.ts'
import { STARTER_PURPOSES } from '../../consent/purposes.ts'
import { type Hub, startHub } from '../../core/hub.ts'
import { createKeys, loadMasterKey } from '../../core/keys.ts'
import { unseal, unsealJson } from '../../core/seal.ts'
import type { SealedEvent } from '../../core/stages/apply.ts'
import { openState, type StateStore } from '../../core/stores/open.ts'

export const WRITE_KEYS = {
  site: 'wk_site',
  app: 'wk_app',
  measurementId: 'G-TEST1234',
  rdToken: 'rd-webhook-token-1',
} as const

const NOTICE = { id: 'cookies', version: 3, since: '2020-01-01' }

/** The configuration of the tests: four sources, starter purposes, RD Station as the one who writes to people. */
export function configOf(options: {
  port: number
  vendor: string
  postgres?: string | undefined
  rules?: boolean
}): Record<string, unknown> {
  return {
    organization: { name: 'Loja Exemplo', dpo: { name: 'Ana Encarregada', email: 'privacidade@loja.example' } },
    server: { port: options.port, host: '127.0.0.1', publicUrl: `http://127.0.0.1:${options.port}` },
    storage: { dir: './data', ...(options.postgres && { state: options.postgres }) },
    simulated: true,
    sources: {
      site: { connector: 'segment', notice: NOTICE, settings: { writeKey: WRITE_KEYS.site } },
      app: { connector: 'rudderstack', notice: NOTICE, settings: { writeKey: WRITE_KEYS.app } },
      tag: { connector: 'gtm', notice: NOTICE, settings: { measurementId: WRITE_KEYS.measurementId } },
      rd: { connector: 'rdstation', notice: NOTICE, settings: { token: WRITE_KEYS.rdToken } },
    },
    purposes: {
      ...STARTER_PURPOSES,
      email_marketing: {
        ...STARTER_PURPOSES['email_marketing'],
        signals: { rd: 'communications', segment: ['Marketing'], rudder: ['marketing'], person: true },
      },
    },
    destinations: {
      rdstation: {
        connector: 'rdstation',
        role: 'operator',
        country: 'BR',
        purposes: ['email_marketing'],
        settings: { accessToken: 'simulated-access-token' },
        sandbox: options.vendor,
        actions: [],
      },
      hook: {
        connector: 'webhook',
        role: 'operator',
        country: 'BR',
        purposes: ['email_marketing', 'analytics'],
        settings: { url: 'https://hook.example/in', secret: 'a-secret-of-sixteen' },
        sandbox: options.vendor,
        actions: [],
      },
    },
    ...(options.rules !== false && { rules: ['./rules/*.yaml'] }),
  }
}

/** One message per Product Added of people who allow it. */
export const MESSAGE_RULE = `id: aviso
version: 1
title: {pt: Aviso de teste, en: Test notice}
when: {event: Product Added}
unless: {purpose: email_marketing}
then: {all: [{destination: hook, action: sendMessage, with: {text: Olá}}]}
`

export interface Vendor {
  readonly url: string
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers']; readonly body: string }[]
  /** How it answers from now on. */
  answer: (request: IncomingMessage, response: ServerResponse) => void
  close(): Promise<void>
}

export async function startVendor(): Promise<Vendor> {
  const requests: Vendor['requests'] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    requests.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(parts).toString('utf8') })
    vendor.answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const vendor: Vendor = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
    close: () =>
      new Promise((done) => {
        server.closeAllConnections()
        server.close(() => done())
      }),
  }
  return vendor
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

export interface Place {
  readonly dir: string
  readonly configFile: string
  readonly port: number
  remove(): void
}

/** A folder with configuration and rules. */
export async function makePlace(
  vendor: Vendor,
  options: {
    rules?: Record<string, string>
    postgres?: string
    change?: (config: Record<string, unknown>) => void
  } = {},
): Promise<Place> {
  const dir = mkdtempSync(join(tmpdir(), 'anuente-test-'))
  const port = await freePort()
  const rules = options.rules ?? { 'aviso.yaml': MESSAGE_RULE }
  const config = configOf({
    port,
    vendor: vendor.url,
    postgres: options.postgres,
    rules: Object.keys(rules).length > 0,
  })
  options.change?.(config)
  mkdirSync(join(dir, 'rules'))
  for (const [name, text] of Object.entries(rules)) writeFileSync(join(dir, 'rules', name), text)
  const configFile = join(dir, 'anuente.yaml')
  writeFileSync(configFile, stringify(config))
  return { dir, configFile, port, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** Every role in this process. */
export const startInProcess = (place: Place): Promise<Hub> =>
  startHub({ configFile: place.configFile, registry, log: 'silent' })

export interface HubProcess {
  readonly url: string
  readonly child: ChildProcess
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

/** The hub as its own process with its threads: what can be killed. */
export async function spawnHub(place: Place): Promise<HubProcess> {
  const main = fileURLToPath(new URL('../../bin/anuente.js', import.meta.url))
  const child = spawn(process.execPath, [main, 'serve', '--json', '--config', place.configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr!.on('data', (text: Buffer) => {
    errors += text
  })
  await new Promise<void>((ready, failed) => {
    child.stdout!.once('data', () => ready())
    child.once('exit', (code) => failed(new Error(`the hub ended with ${code}: ${errors}`)))
  })
  return {
    url: `http://127.0.0.1:${place.port}`,
    child,
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    },
  }
}

/** Opens the state of a stopped or running hub, for looking. */
export async function openPlace(place: Pick<Place, 'dir'>, postgres?: string) {
  const state = await openState({ file: join(place.dir, 'data', 'state.db'), postgres }, { migrate: false })
  return { state, keys: createKeys(loadMasterKey(join(place.dir, 'data', 'master.key'))) }
}

export interface KeptEvent {
  readonly id: string
  readonly type: string
  readonly name: string
  readonly source: string
  readonly occurredAt: string
  readonly personId: string
  readonly purposes: string[]
  readonly sealed: SealedEvent
}

/** Everything history kept, in the clear, in order of arrival. */
export async function historyOf(place: Place, given?: StateStore): Promise<KeptEvent[]> {
  const opened = await openPlace(place)
  const state = given ?? opened.state
  const rows = await state.db
    .selectFrom('history')
    .innerJoin('nodes', 'nodes.id', 'history.node_id')
    .selectAll('history')
    .select(['nodes.data_key', 'nodes.person_id'])
    .orderBy('history.id')
    .execute()
  const kept = rows.map((row) => ({
    id: row.id,
    type: row.type,
    name: row.name,
    source: row.source_id,
    occurredAt: new Date(row.occurred_at).toISOString(),
    personId: row.person_id,
    purposes: JSON.parse(row.purposes) as string[],
    sealed: unsealJson<SealedEvent>(opened.keys.unwrap(row.data_key), row.sealed),
  }))
  await opened.state.close()
  return kept
}

/** Identifier values a person is known by, `type:value`. */
export async function identifiersOf(place: Place, personId: string): Promise<string[]> {
  const { state, keys } = await openPlace(place)
  const rows = await state.db
    .selectFrom('nodes')
    .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
    .select(['identifiers.type', 'identifiers.sealed', 'nodes.data_key'])
    .where('nodes.person_id', '=', personId)
    .execute()
  await state.close()
  return rows
    .flatMap(({ type, sealed, data_key }) =>
      sealed ? [`${type}:${unseal(keys.unwrap(data_key), sealed).toString('utf8')}`] : [],
    )
    .sort()
}

/** POSTs JSON; returns the status. */
export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  await response.arrayBuffer()
  return response.status
}

export const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` })
