/** The tutorial docs/pt/erp-sms.md, as it stands in the page: an ERP's CSV to an SMS, without code. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { run } from '../../cli/program.ts'
import { registry } from '../../connectors/index.ts'
import { type Hub, startHub } from '../../core/hub.ts'
import { freePort, startVendor, type Vendor } from './rig.ts'

const PAGE = readFileSync(new URL('../../docs/pt/erp-sms.md', import.meta.url), 'utf8')
const environment = { ...process.env, SMS_TOKEN: 'o-token-do-provedor' }

let vendor: Vendor
let dir: string
let hub: Hub | undefined

beforeAll(async () => {
  vendor = await startVendor()
  vendor.answer = (_request, response) =>
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"id":1}')
  dir = mkdtempSync(join(tmpdir(), 'anuente-erp-'))
})
afterAll(async () => {
  await hub?.close()
  await vendor?.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Blocks that name their file in the first line. */
function filesOfPage(): { name: string; text: string }[] {
  return [...PAGE.matchAll(/```(?:yaml|csv)\n# (\S+)\n([\s\S]*?)```/g)].map(([, name, text]) => ({
    name: name!,
    text: text!,
  }))
}

/** The commands of the page, each on its line. */
const commandsOfPage = () => [...PAGE.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, text]) => text!.trim().split('\n'))

async function type(line: string): Promise<{ code: number; out: string }> {
  const [program, ...words] = line.split(' ')
  expect(program).toBe('anuente')
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end()
  let out = ''
  for (const stream of [stdout, stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
  const args = words.map((word) => (word.startsWith('entrada/') ? join(dir, word) : word))
  const code = await run(['node', 'anuente', ...args, '--config', join(dir, 'anuente.yaml')], {
    stdin,
    stdout,
    stderr,
    env: environment,
  })
  await new Promise(setImmediate)
  return { code, out }
}

test('the page is followed from the first block to the last', async () => {
  const today = new Intl.DateTimeFormat('pt-BR', { timeZone: 'America/Sao_Paulo' }).format(new Date())
  expect(filesOfPage().map(({ name }) => name)).toEqual(['anuente.yaml', 'rules/saiu.yaml', 'entrada/pedidos.csv'])
  const port = await freePort()
  for (const { name, text } of filesOfPage()) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    const path = join(dir, name)
    if (name !== 'anuente.yaml') writeFileSync(path, Buffer.from(text.replaceAll('HOJE', today), 'latin1'))
    else {
      // The provider of the page does not exist: its requests go to one that answers as it would. And a free port.
      const config = parse(text) as { server: { port: number }; destinations: { sms: { sandbox?: string } } }
      config.server.port = port
      config.destinations.sms.sandbox = vendor.url
      writeFileSync(path, stringify(config))
    }
  }
  const csv = join(dir, 'entrada', 'pedidos.csv')
  utimesSync(csv, new Date(), new Date(Date.now() - 60_000))
  const commands = commandsOfPage()
  expect(commands).toEqual([
    'anuente backfill entrada/pedidos.csv --source erp --dry-run',
    'export SMS_TOKEN=o-token-do-provedor',
    'anuente serve',
    'anuente poll erp',
    'anuente explain 1002',
  ])
  const [preview, , , poll, explain] = commands as [string, string, string, string, string]

  const seen = await type(preview)
  expect(seen.code).toBe(0)
  expect(seen.out).toContain('Order Shipped')
  expect(seen.out).toMatch(/NO_IDENTIFIER|BAD_IDENTIFIER/)

  hub = await startHub({ configFile: join(dir, 'anuente.yaml'), registry, log: 'silent', environment })
  await expect.poll(() => readdirSync(join(dir, 'entrada')), { timeout: 30_000 }).toEqual(['done'])
  await hub.drained()
  await expect.poll(() => vendor.requests.length, { timeout: 10_000 }).toBeGreaterThan(0)
  await hub.drained()
  expect(vendor.requests.map(({ headers, body }) => [headers.authorization, JSON.parse(body)])).toEqual([
    [
      'Bearer o-token-do-provedor',
      {
        to: '+5511987654321',
        message: 'Seu pedido saiu para entrega.',
        optOut: expect.stringContaining(`http://127.0.0.1:8080/`),
      },
    ],
  ])
  // The row is an identify and a track; both wait, and nobody else's does.
  const aside = await hub.state.db.selectFrom('quarantine').select('path').execute()
  expect(aside.map(({ path }) => path.split('/')[1])).toEqual(['3', '3'])

  // Typed while it runs.
  expect(await type(poll)).toMatchObject({ code: 0 })
  const why = await type(explain)
  expect(why.code).toBe(0)
  expect(why.out).toMatch(/CONSENT_DENIED|denied|negad/i)
  expect(why.out).not.toMatch(/Bia|99876/)
}, 90_000)
