/**
 * `npm run bench`: events per second and per CPU-second from HTTP to settled outbox, beside the bare
 * pipeline (bench/bare.ts) with the same bodies and the same number of requests sent, interleaved, best
 * of three. Ratios carry from machine to machine; absolute figures do not.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { STARTER_PURPOSES } from '../consent/purposes.ts'

const PEOPLE = 2_000
const BATCHES = 100
const PER_BATCH = 100
/** One in ten events is a Product Added, which a rule answers with a message. */
const MESSAGE_EVERY = 10
const ROUNDS = 3

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

async function start(script: string, args: readonly string[] = []): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return { child, line: line.toString('utf8').trim() }
}

/** CPU seconds a process used so far, all threads (Linux; 0 elsewhere). */
function cpuOf(child: ChildProcess): number {
  try {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return 0
  }
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

async function measure(url: string, sink: string, child: ChildProcess, round: number) {
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
  while ((await taken()) - before < expected) await new Promise((resolve) => setTimeout(resolve, 20))
  const seconds = (performance.now() - started) / 1000
  const used = cpuOf(child) - cpu
  const events = BATCHES * PER_BATCH
  return { perSecond: events / seconds, perCpuSecond: used > 0 ? events / used : 0 }
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
  const hub = await start(here('./hub.ts'), [join(dir, 'anuente.yaml')])
  children.push(hub.child)

  const best = { hub: { perSecond: 0, perCpuSecond: 0 }, bare: { perSecond: 0, perCpuSecond: 0 } }
  const better = (name: 'hub' | 'bare', figures: { perSecond: number; perCpuSecond: number }) => {
    best[name] = {
      perSecond: Math.max(best[name].perSecond, figures.perSecond),
      perCpuSecond: Math.max(best[name].perCpuSecond, figures.perCpuSecond),
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    better('bare', await measure(`http://127.0.0.1:${bare.line}`, sinkUrl, bare.child, round))
    better('hub', await measure(`http://127.0.0.1:${port}`, sinkUrl, hub.child, round))
  }
  const row = (name: string, { perSecond, perCpuSecond }: { perSecond: number; perCpuSecond: number }) =>
    `${name.padEnd(8)} ${perSecond.toFixed(0).padStart(8)} events/s  ${perCpuSecond.toFixed(0).padStart(8)} events/CPU-s`
  console.log(
    `HTTP to settled outbox, ${BATCHES} batches of ${PER_BATCH}, one message per ${MESSAGE_EVERY} events, best of ${ROUNDS}`,
  )
  console.log(row('bare', best.bare))
  console.log(row('hub', best.hub))
  console.log(
    `ratio hub/bare: ${(best.hub.perSecond / best.bare.perSecond).toFixed(2)} by the clock, ${(best.hub.perCpuSecond / best.bare.perCpuSecond).toFixed(2)} per CPU-second`,
  )
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
}
