/**
 * `npm run bench`: events per second and per CPU-second from HTTP to settled outbox, beside the bare
 * pipeline (bench/bare.ts) with the same bodies and the same number of requests sent, interleaved, best
 * of several. Ratios carry from machine to machine; absolute figures do not.
 *
 *   node bench/run.ts [--rounds 5] [--json] [--profile folder]
 *   node bench/run.ts ledger [entries]
 *   node bench/run.ts rules [--profiles 10000,100000]
 *   node bench/run.ts engines [--rules 100]
 *
 * Both answer 200 after an fsync. What the hub does more than the bare pipeline, per event: seals the log and the
 * history, hashes identifiers, resolves the person, notes consent in the ledger, asks at three gates, counts,
 * explains, and per message: lease, permit, mapping, attempt on disk, last look, settlement.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { STARTER_PURPOSES } from '../consent/purposes.ts'

// `npm run bench -- ledger` measures the ledger alone.
if (process.argv[2] === 'ledger') {
  await import('./ledger.ts')
  process.exit()
}
// `npm run bench -- rules` measures the rules alone.
if (process.argv[2] === 'rules') {
  await import('./rules.ts')
  process.exit()
}
// `npm run bench -- engines` holds the conditions of rules against other engines.
if (process.argv[2] === 'engines') {
  await import('./engines.ts')
  process.exit()
}
// `npm run bench -- backtest` measures the backtest of a rule alone.
if (process.argv[2] === 'backtest') {
  await import('./backtest.ts')
  process.exit()
}

const PEOPLE = 2_000
const BATCHES = 100
const PER_BATCH = 100
/** One in ten events is a Product Added, which a rule answers with a message. */
const MESSAGE_EVERY = 10
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
})
const ROUNDS = Number(options.rounds)

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

async function start(
  script: string,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [...flags, script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return { child, line: line.toString('utf8').trim() }
}

const THREADS: Readonly<Record<string, string>> = { MainThread: 'http', process: 'process', deliver: 'deliver' }

/** CPU seconds a process used so far, by thread (Linux; nothing elsewhere). Garbage collection and disk are `others`. */
function cpuOf(child: ChildProcess): Map<string, number> {
  const used = new Map<string, number>()
  try {
    for (const thread of readdirSync(`/proc/${child.pid}/task`)) {
      const stat = readFileSync(`/proc/${child.pid}/task/${thread}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
      const name = THREADS[stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))] ?? 'others'
      used.set(name, (used.get(name) ?? 0) + (Number(fields[11]) + Number(fields[12])) / 100)
    }
  } catch {
    // Not Linux: by the clock only.
  }
  return used
}

interface Figures {
  readonly perSecond: number
  readonly perCpuSecond: number
  /** Microseconds of CPU per event, by thread. */
  readonly threads: Readonly<Record<string, number>>
}

function bodies(round: number): string[] {
  return Array.from({ length: BATCHES }, (_, batch) =>
    JSON.stringify({
      batch: Array.from({ length: PER_BATCH }, (_, n) => {
        const index = batch * PER_BATCH + n
        return {
          type: 'track',
          event: index % MESSAGE_EVERY === 0 ? 'Product Added' : 'Product Viewed',
          userId: `person-${index % PEOPLE}`,
          messageId: `r${round}-${index}`,
          timestamp: new Date().toISOString(),
          properties: {
            product_id: `p-${index % 500}`,
            name: 'Tênis Corrida São João',
            price: 219.9,
            quantity: 1,
            currency: 'BRL',
          },
          context: {
            consent: { categoryPreferences: { Marketing: true, Analytics: true } },
            library: { name: '@segment/analytics-node', version: '3.1.0' },
          },
        }
      }),
    }),
  )
}

async function measure(url: string, sink: string, child: ChildProcess, round: number): Promise<Figures> {
  const requests = bodies(round)
  const expected = (BATCHES * PER_BATCH) / MESSAGE_EVERY
  const taken = async () => Number(await (await fetch(sink)).text())
  const before = await taken()
  const cpu = cpuOf(child)
  const started = performance.now()
  const queue = [...requests]
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let body = queue.pop(); body !== undefined; body = queue.pop()) {
        const response = await fetch(`${url}/v1/batch`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Basic ${btoa('wk_bench:')}` },
          body,
        })
        if (response.status !== 200) throw new Error(`answered ${response.status}`)
        await response.arrayBuffer()
      }
    }),
  )
  for (let count = 0, quiet = 0; count < expected; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const now = (await taken()) - before
    quiet = now === count ? quiet + 1 : 0
    if (quiet > 3_000) throw new Error(`only ${now} of ${expected} messages arrived, and no more for a minute`)
    count = now
  }
  const seconds = (performance.now() - started) / 1000
  const events = BATCHES * PER_BATCH
  const threads = [...cpuOf(child)].map(([name, used]) => [name, used - (cpu.get(name) ?? 0)] as const)
  const used = threads.reduce((sum, [, seconds]) => sum + seconds, 0)
  return {
    perSecond: events / seconds,
    perCpuSecond: used > 0 ? events / used : 0,
    threads: Object.fromEntries(threads.map(([name, seconds]) => [name, Math.round((seconds * 1e6) / events)])),
  }
}

const dir = mkdtempSync(join(tmpdir(), 'anuente-bench-'))
const children: ChildProcess[] = []
try {
  const sink = await start(here('./sink.ts'))
  children.push(sink.child)
  const sinkUrl = `http://127.0.0.1:${sink.line}`
  const bare = await start(here('./bare.ts'), [join(dir, 'bare.db'), sinkUrl])
  children.push(bare.child)

  mkdirSync(join(dir, 'rules'))
  writeFileSync(
    join(dir, 'rules', 'bench.yaml'),
    'id: bench\nversion: 1\nwhen: {event: Product Added}\nunless: {purpose: email_marketing}\nthen: {all: [{destination: fast, action: send}]}\n',
  )
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  writeFileSync(
    join(dir, 'anuente.yaml'),
    stringify({
      organization: { name: 'Bench' },
      server: { port, host: '127.0.0.1' },
      storage: { dir: './data' },
      simulated: true,
      sources: { site: { connector: 'segment', notice: { id: 'n', version: 1 }, settings: { writeKey: 'wk_bench' } } },
      purposes: {
        email_marketing: { ...STARTER_PURPOSES['email_marketing'], signals: { segment: ['Marketing'], person: true } },
        analytics: STARTER_PURPOSES['analytics'],
      },
      destinations: {
        fast: {
          connector: 'fast',
          role: 'operator',
          country: 'BR',
          purposes: ['email_marketing'],
          actions: [],
          sandbox: sinkUrl,
        },
      },
      rules: ['./rules/*.yaml'],
    }),
  )
  const flags = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`]
  const hub = await start(here('./hub.ts'), [join(dir, 'anuente.yaml')], flags)
  children.push(hub.child)

  const rounds: { bare: Figures; hub: Figures }[] = []
  for (let round = 0; round < ROUNDS; round++)
    rounds.push({
      bare: await measure(`http://127.0.0.1:${bare.line}`, sinkUrl, bare.child, round),
      hub: await measure(`http://127.0.0.1:${port}`, sinkUrl, hub.child, round),
    })
  const best = (side: 'bare' | 'hub', figure: 'perSecond' | 'perCpuSecond') =>
    Math.max(...rounds.map((round) => round[side][figure]))
  const ratio = {
    clock: best('hub', 'perSecond') / best('bare', 'perSecond'),
    cpu: best('hub', 'perCpuSecond') / best('bare', 'perCpuSecond'),
  }
  if (options.json) console.log(JSON.stringify({ load: loadavg()[0], ratio, rounds }))
  else {
    console.log(
      `HTTP to settled outbox, ${BATCHES} batches of ${PER_BATCH}, one message per ${MESSAGE_EVERY} events, best of ${ROUNDS}; load ${loadavg()[0]!.toFixed(1)}`,
    )
    for (const side of ['bare', 'hub'] as const) {
      const { threads } = rounds.reduce((a, b) => (a[side].perCpuSecond > b[side].perCpuSecond ? a : b))[side]
      console.log(
        `${side.padEnd(8)} ${best(side, 'perSecond').toFixed(0).padStart(8)} events/s  ${best(side, 'perCpuSecond').toFixed(0).padStart(8)} events/CPU-s  µs of CPU per event: ${Object.entries(
          threads,
        )
          .map(([name, used]) => `${name} ${used}`)
          .join(', ')}`,
      )
    }
    console.log(`ratio hub/bare: ${ratio.clock.toFixed(2)} by the clock, ${ratio.cpu.toFixed(2)} per CPU-second`)
  }
  if (options.profile !== undefined) {
    hub.child.kill('SIGTERM')
    await once(hub.child, 'exit')
  }
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
}
