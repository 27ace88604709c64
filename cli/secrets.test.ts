/** Secrets as an operator handles them: set, named by the configuration, never seen again. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { registry } from '../connectors/index.ts'
import { loadWithSecrets } from '../core/secrets/read.ts'
import { typed } from './typed.fixture.ts'

const VALUE = 'SG.a-key-that-nobody-may-see-4321'
const CONFIG = (apiKey: string, dir = './data') => `
organization: {name: Loja}
storage: {dir: ${dir}}
sources: {}
purposes:
  orders: {basis: contract, scope: person, title: {pt: Pedidos, en: Orders}, collects: ["Order *"], stages: [collect], opens: [Order Completed], ends: P5Y}
destinations:
  mail: {connector: sendgrid, role: operator, country: US, purposes: [orders], settings: {apiKey: ${apiKey}, from: {email: loja@loja.example}}}
`

const secret = (name: string) => `\${secret:${name}}`

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-secrets-'))
  write(CONFIG(secret('SENDGRID_KEY')))
})
afterEach(() => rmSync(dir, { recursive: true }))
const write = (text: string) => writeFileSync(join(dir, 'anuente.yaml'), text)

async function anuente(args: string[], input = '', env: Record<string, string> = {}) {
  const { code, out, err } = await typed(args, { config: join(dir, 'anuente.yaml'), input, env })
  return { code, text: out + err }
}
const apiKeyOf = async (env = {}) =>
  (await loadWithSecrets(join(dir, 'anuente.yaml'), { registry, env })).destinationSettings.get('mail')!.settings[
    'apiKey'
  ]

test('a secret is set before the hub ever ran, named in the configuration, listed by its end and never shown', async () => {
  await expect(apiKeyOf()).rejects.toThrow('the secret SENDGRID_KEY is not set. Set it with: anuente secrets set')
  const set = await anuente(['secrets', 'set', 'SENDGRID_KEY'], `${VALUE}\n`)
  expect(set).toMatchObject({ code: 0 })
  expect(await apiKeyOf()).toBe(VALUE)

  const listed = await anuente(['secrets', 'list', '--json'])
  expect(JSON.parse(listed.text)).toEqual({
    name: 'SENDGRID_KEY',
    hint: '4321',
    setBy: 'cli',
    setAt: expect.any(Number),
  })
  await anuente(['secrets', 'set', 'PIN'], '12345')
  expect((await anuente(['secrets', 'list'])).text).not.toContain('2345')
  expect(set.text + listed.text).not.toContain(VALUE)
  for (const file of readdirSync(join(dir, 'data')))
    expect(readFileSync(join(dir, 'data', file), 'latin1')).not.toContain(VALUE)
})

test('the key is rotated: values stay, the old sealed bytes open no more', async () => {
  await anuente(['secrets', 'set', 'SENDGRID_KEY'], VALUE)
  const before = readFileSync(join(dir, 'data', 'state.db'))
  expect(await anuente(['secrets', 'rotate-key', '--json'])).toMatchObject({
    code: 0,
    text: '{"secrets":1,"connections":0}\n',
  })
  expect(readFileSync(join(dir, 'data', 'state.db')).equals(before)).toBe(false)
  expect(await apiKeyOf()).toBe(VALUE)
})

test('another master key does not open them, and says so without a value', async () => {
  await anuente(['secrets', 'set', 'SENDGRID_KEY'], VALUE)
  const other = { ANUENTE_MASTER_KEY: Buffer.alloc(32, 1).toString('base64') }
  await expect(apiKeyOf(other)).rejects.toThrow('the master key is not the one they were sealed with')
})

test('what is deleted is gone, and whatever is wrong is told', async () => {
  await anuente(['secrets', 'set', 'SENDGRID_KEY'], VALUE)
  expect(await anuente(['secrets', 'delete', 'SENDGRID_KEY'])).toMatchObject({ code: 0 })
  expect(await anuente(['secrets', 'delete', 'SENDGRID_KEY'])).toMatchObject({
    code: 1,
    text: expect.stringContaining('no secret'),
  })
  expect(await anuente(['secrets', 'set', 'SENDGRID_KEY'], '')).toMatchObject({ code: 1 })
  expect(await anuente(['secrets', 'set', '9-lives'], VALUE)).toMatchObject({ code: 1 })
  write(CONFIG('x-literal', `"${secret('PLACE')}"`))
  await expect(apiKeyOf()).rejects.toThrow('secrets lie in the storage itself')
})
