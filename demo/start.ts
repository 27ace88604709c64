/** The demo: simulated vendors, the real hub and a simulated shop, in one process and on this machine only. */
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { registry } from '../connectors/index.ts'
import { type Hub, startHub } from '../core/hub.ts'
import { openBrowser } from './browser.ts'
import { PREFERRED_PORTS, SOURCE_KEYS, writeDemoConfig } from './config.ts'
import type { Receipt } from './inbox.ts'
import { startMailServer } from './mail.ts'
import { runShop, type ShopRun } from './shop/run.ts'
import { startVendors, type Vendors } from './vendors.ts'
import { hasEverything, judge, summary } from './verdict.ts'
import { welcome } from './welcome.ts'

export interface DemoOptions {
  /** Shop time per real time; rules wait in real time. 1 when absent. */
  readonly speed?: number
  readonly seed?: number
  readonly people?: number
  /** Begin with an empty data directory. */
  readonly reset?: boolean
  /** false: never open a browser. */
  readonly open?: boolean
  /** No browser and no words of welcome. */
  readonly headless?: boolean
  /** Play for at most a minute, then compare what happened with what should have; exit status 1 when it differs. */
  readonly assert?: boolean
  /** The shop closes after that many events, and the demo ends. */
  readonly once?: number
  /** For programs: one value per line, the addresses first and the result last. */
  readonly json?: boolean
  /** Where everything lies; .demo in the working directory when absent. */
  readonly dir?: string
}

export interface DemoTerminal {
  readonly stdout: Writable & { readonly isTTY?: boolean }
  readonly stderr: Writable
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Stops the demo, as SIGINT does. */
  readonly signal?: AbortSignal
}

/** The story needs the cart rule's 23 seconds after the opening's last carts. */
const LEAST_MS = 36_000
/** Arms are drawn: a minute has carts enough that somebody is held out, but for one run in a thousand. */
const MOST_MS = 60_000

/** @returns exit status: 1 when `assert` found something wrong. */
export async function runDemo(options: DemoOptions, io: DemoTerminal): Promise<0 | 1> {
  const dir = resolve(options.dir ?? '.demo')
  if (options.reset) rmSync(dir, { recursive: true, force: true })
  const stop = stopSignal(io.signal)
  const receipts: Receipt[] = []
  // In the order they started; ended from the last to the first.
  const running: (() => Promise<unknown>)[] = [async () => stop.forget()]
  try {
    const vendors = await startVendors({
      port: await freePort(PREFERRED_PORTS.vendors),
      ...(options.assert && { observe: (receipt: Receipt) => receipts.push(receipt) }),
    })
    running.push(vendors.close)
    const mail = await startMailServer(await freePort(PREFERRED_PORTS.mail), vendors.noteMail)
    running.push(mail.close)
    const configFile = writeDemoConfig(dir, {
      hub: await freePort(PREFERRED_PORTS.hub),
      vendors: Number(new URL(vendors.origin).port),
      mail: mail.port,
    })
    const hub = await startHub({
      configFile,
      registry,
      worker: new URL('../cli/worker.ts', import.meta.url),
      log: 'json',
    })
    running.push(hub.close)
    for (const warning of hub.warnings) io.stderr.write(`${warning}\n`)
    if (!options.headless) await greet(hub, vendors, dir, options, io)
    const shop = runShop({
      hubUrl: hub.url,
      rdToken: SOURCE_KEYS.rdToken,
      rdSource: 'rd',
      keys: SOURCE_KEYS,
      seed: options.seed ?? 7,
      people: options.people ?? 150,
      speed: options.speed ?? 1,
      ...(options.once !== undefined && { once: options.once }),
    })
    running.push(shop.stop)
    if (options.assert) return await assertAll({ hub, shop, receipts, stop, io, json: options.json === true })
    await Promise.race([stop.asked, ...(options.once === undefined ? [] : [shop.finished])])
    await shop.stop()
    if (options.once !== undefined && !stop.signal.aborted) await hub.drained()
    if (options.json) writeJson(io, { simulated: true, sent: shop.sent() })
    else io.stdout.write(`SIMULADO: ${shop.sent()} eventos enviados / events sent\n`)
    return 0
  } finally {
    for (const end of running.reverse()) await end()
  }
}

interface Assertion {
  readonly hub: Hub
  readonly shop: ShopRun
  readonly receipts: readonly Receipt[]
  readonly stop: Stop
  readonly io: DemoTerminal
  readonly json: boolean
}

async function assertAll({ hub, shop, receipts, stop, io, json }: Assertion): Promise<0 | 1> {
  const evidence = { hub, shop, receipts }
  const began = Date.now()
  while (!stop.signal.aborted && Date.now() - began < MOST_MS) {
    if (Date.now() - began > LEAST_MS && (await hasEverything(evidence))) break
    await Promise.race([wait(500), stop.asked])
  }
  await shop.stop()
  await hub.drained()
  const verdict = await judge(evidence)
  if (json) writeJson(io, { simulated: true, sent: shop.sent(), ...verdict })
  else io.stdout.write(`${summary(verdict)}\n${shop.sent()} eventos enviados / events sent\n`)
  return verdict.ok ? 0 : 1
}

async function greet(hub: Hub, vendors: Vendors, dir: string, options: DemoOptions, io: DemoTerminal): Promise<void> {
  const invitation = await hub.invitation()
  const cockpit = invitation ?? hub.config.publicUrl
  const places = {
    cockpit,
    firstTime: invitation !== undefined,
    inbox: `${vendors.origin}/_inbox`,
    portal: `${hub.config.publicUrl}/privacidade`,
    vendors: vendors.origin,
    metrics: `${hub.url}/metrics`,
    dir: join(dir, '/'),
  }
  if (options.json) writeJson(io, { simulated: true, ...places })
  else io.stdout.write(welcome(places))
  const { CI } = io.env ?? process.env
  if (options.open !== false && !CI && io.stdout.isTTY) openBrowser(cockpit)
}

const writeJson = ({ stdout }: DemoTerminal, value: unknown) => stdout.write(`${JSON.stringify(value)}\n`)

interface Stop {
  readonly signal: AbortSignal
  readonly asked: Promise<void>
  forget(): void
}

/** The first signal ends in order; a second one takes the default action and ends at once. */
function stopSignal(given: AbortSignal | undefined): Stop {
  const controller = new AbortController()
  const stop = () => controller.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  given?.addEventListener('abort', stop, { once: true })
  if (given?.aborted) stop()
  return {
    signal: controller.signal,
    asked: new Promise((done) => {
      if (controller.signal.aborted) done()
      controller.signal.addEventListener('abort', () => done(), { once: true })
    }),
    forget() {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
      given?.removeEventListener('abort', stop)
    },
  }
}

/** The port people know the demo by, or any other when it is taken. */
async function freePort(preferred: number): Promise<number> {
  for (const port of [preferred, 0]) {
    const probe = createServer()
    probe.listen(port, '127.0.0.1')
    const free = await Promise.race([
      once(probe, 'listening').then(() => true),
      new Promise<false>((resolve) => probe.once('error', () => resolve(false))),
    ]).catch(() => false)
    if (!free) continue
    const { port: found } = probe.address() as { port: number }
    await new Promise((done) => probe.close(done))
    return found
  }
  throw new Error('no port is free on 127.0.0.1')
}
