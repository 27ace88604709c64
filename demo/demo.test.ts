/** The demo as people run it: real threads, real SDKs, sockets on this machine only. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, expect, it } from 'vitest'
import { type DemoOptions, runDemo } from './start.ts'

let dir: string | undefined
afterEach(() => {
  if (dir) rmSync(dir, { recursive: true, force: true })
  dir = undefined
})

function start(options: DemoOptions) {
  dir ??= mkdtempSync(join(tmpdir(), 'anuente-demo-'))
  const written = { out: '', err: '' }
  const stream = (name: 'out' | 'err') =>
    new PassThrough().on('data', (chunk: Buffer) => {
      written[name] += chunk.toString()
    })
  const stopping = new AbortController()
  const status = runDemo(
    { dir, open: false, ...options },
    { stdout: stream('out'), stderr: stream('err'), signal: stopping.signal },
  )
  return { status, written, stop: () => stopping.abort() }
}

it('says where everything is, runs, and ends in order when told to', async () => {
  const { status, written, stop } = start({ people: 20, seed: 3 })
  await expect.poll(() => written.out, { timeout: 30_000 }).toContain('Ctrl-C')
  expect(written.out).toMatch(/SIMULADO.*\nSIMULATED/)
  const [cockpit] = /http:\/\/localhost:\d+\/setup#[\w-]+/.exec(written.out)!
  const [inbox] = /http:\/\/127\.0\.0\.1:\d+\/_inbox/.exec(written.out)!
  const [metrics] = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(written.out)!
  const health = new URL('/healthz', metrics)
  expect(new URL(cockpit).port).toBe(health.port)
  expect(await (await fetch(health)).json()).toMatchObject({ name: 'anuente' })
  for (const source of ['site', 'app', 'tag', 'rd'])
    await expect
      .poll(async () => (await fetch(metrics)).text(), { timeout: 20_000 })
      .toMatch(new RegExp(`anuente_received_total\\{source="${source}"\\} [1-9]`))
  expect(await (await fetch(inbox, { headers: { accept: 'text/html' } })).text()).toContain('SIMULADO')
  for (const language of ['Seis coisas', 'Six things']) expect(written.out).toContain(language)

  stop()
  expect(await status).toBe(0)
  expect(written.out).toMatch(/[1-9]\d* eventos enviados/)
  await expect(fetch(health)).rejects.toThrow()
  await expect(fetch(inbox)).rejects.toThrow()

  // The next run has the same people's data, an empty one after a reset.
  const marker = join(dir!, 'data', 'state.db')
  expect(existsSync(marker)).toBe(true)
  const again = start({ headless: true, reset: true, once: 40, json: true })
  expect(await again.status).toBe(0)
  expect(JSON.parse(again.written.out)).toEqual({ simulated: true, sent: 40 })
}, 90_000)

it('everybody gets what is theirs: reminders by consent and group, orders once, and a reason for each', async () => {
  const { status, written } = start({ headless: true, assert: true })
  const result = await status
  expect(written.out).toContain('Tudo certo. / All is well.')
  expect([result, written.out.includes('FALHA')]).toEqual([0, false])
  expect(written.out).toMatch(/[1-9]\d* lembretes chegaram, 0 a quem não consentiu/)
  expect(written.out).toMatch(/[1-9]\d* held out, of whom 0 got a reminder/)
  expect(written.out).toMatch(/[1-9]\d* people refused e-mails and filled a cart; 0 reminders for them/)
  const [, orders, counted] = /(\d+) orders \(\d+ reported by several tools\) counted (\d+) times/.exec(written.out)!
  expect(counted).toBe(orders)

  const why = (who: string) =>
    written.out
      .slice(written.out.indexOf(`  ${who} (`))
      .split('\n')
      .slice(0, 3)
      .join('\n')
  expect(why('abandons')).toContain('enviou uma mensagem')
  expect(why('abandons')).toContain('“Ofertas por e-mail”')
  expect(why('held_out')).toContain('Nothing was sent')
  expect(why('buys-in-time')).toContain('nenhum "Order Completed" durante a espera')
  expect(why('withdraws')).toContain('the purpose of its action is not granted')
}, 90_000)
