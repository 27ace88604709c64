/** `anuente plan` and the fixes of `anuente redrive quarantine`, beside a running hub. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { registry } from '../connectors/index.ts'
import { STARTER_PURPOSES } from '../consent/starter.ts'
import { type Hub, startHub } from '../core/hub.ts'
import { typed } from './typed.fixture.ts'

const dir = mkdtempSync(join(tmpdir(), 'anuente-plan-'))
const at = (name: string) => join(dir, name)
const PLAN = `version: 1
mode: quarantine
events:
  Order Completed:
    properties:
      required: [order_id, total]
      properties: {order_id: {type: string}, total: {type: number}}
`
let hub: Hub

beforeAll(async () => {
  writeFileSync(at('site.yaml'), PLAN)
  writeFileSync(
    at('anuente.yaml'),
    stringify({
      organization: { name: 'Loja' },
      storage: { dir: './data' },
      sources: { site: { connector: 'segment', settings: { writeKey: 'wk_site' }, plan: 'site.yaml' } },
      purposes: STARTER_PURPOSES,
    }),
  )
  hub = await startHub({ configFile: at('anuente.yaml'), registry, log: 'silent', port: 0, environment: {} })
  const order = (n: number, properties: object) => ({
    type: 'track',
    event: 'Order Completed',
    messageId: `m${n}`,
    userId: `u${n}`,
    properties,
  })
  const batch = [
    ...Array.from({ length: 4 }, (_, n) => order(n, { order_id: `A-${n}`, total: n + 1 })),
    order(8, { order_id: 'A-8', valor: '1.234,50' }),
    order(9, { order_id: 9, total: 'muito' }),
  ]
  const answer = await fetch(`${hub.url}/v1/batch`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from('wk_site:').toString('base64')}`,
    },
    body: JSON.stringify({ batch }),
  })
  expect(answer.status).toBe(200)
  await hub.drained()
})
afterAll(async () => {
  await hub?.close()
  rmSync(dir, { recursive: true, force: true })
})

const anuente = (args: string[], input?: string) => typed(args, { config: at('anuente.yaml'), ...(input && { input }) })
const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

test('violations: what was sent against the plan, in words and as JSON', async () => {
  const { out } = await anuente(['plan', 'violations', 'site', '--lang', 'pt'])
  expect(out).toMatch(/1 +site +Order Completed +missing +\/properties\/total: falta \(number\) +quarantined 1/)
  expect(out).not.toContain('muito')
  expect(lines((await anuente(['plan', 'violations', '--json'])).out)).toContainEqual(
    expect.objectContaining({ kind: 'type', path: '/properties/order_id', events: 1, quarantined: 1, passed: 0 }),
  )
})

test('infer: a first plan from what was kept, which accepts it', async () => {
  const { code, out, err } = await anuente(['plan', 'infer', 'site'])
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('# Tracking plan of site, from 4 events of 30 days.')
  expect(out).toMatch(/# 4×\n {2}Order Completed:/)
  writeFileSync(at('first.yaml'), out)

  const good = JSON.stringify({
    body: { type: 'track', event: 'Order Completed', userId: 'u', properties: { order_id: 'x', total: 3 } },
  })
  const bad = good.replace('"total":3', '"total":"ana@example.com"')
  const events = (await anuente(['normalize', 'site'], `${good}\n${bad}\n`)).out
  const validated = await anuente(['plan', 'validate', '--plan', at('first.yaml'), '--json'], events)
  expect(validated.code).toBe(2)
  expect(lines(validated.out).map(({ effect }) => effect)).toEqual([null, 'pass'])
  expect(validated.out).not.toContain('ana@example.com')
  expect((await anuente(['plan', 'validate', 'site'], `${JSON.stringify(lines(events)[0])}\n`)).code).toBe(0)
  expect((await anuente(['plan', 'validate', 'site'], 'x\n')).err).toMatch(/line 1 is not valid JSON/)
})

test('show and diff: the version that ran, and what the file changes', async () => {
  expect((await anuente(['plan', 'show', 'site'])).out).toContain('Order Completed')
  expect((await anuente(['plan', 'show', 'site', '--plan-version', '7'])).err).toMatch(/version 7 .* never ran/)
  expect((await anuente(['plan', 'diff', 'site'])).out).toMatch(/ask for the same/)
  writeFileSync(at('site.yaml'), PLAN.replace('version: 1', 'version: 2').replace('[order_id, total]', '[order_id]'))
  const { out } = await anuente(['plan', 'diff', 'site'])
  expect(out).toMatch(/- +Order Completed +properties\/required\/total/)
  writeFileSync(at('site.yaml'), PLAN)
})

test('a plan with a mistake is told by the configuration with the place in its file', async () => {
  writeFileSync(at('site.yaml'), PLAN.replace('required', 'requried'))
  const { code, err } = await anuente(['plan', 'show', 'site'])
  writeFileSync(at('site.yaml'), PLAN)
  expect(code).toBe(1)
  expect(err).toMatch(/sources\.site\.plan: site\.yaml:4:3 events\.Order Completed: .*requried/)
})

test('a plan changed without a new version does not start', async () => {
  const other = mkdtempSync(join(tmpdir(), 'anuente-plan-'))
  const start = () =>
    startHub({ configFile: join(other, 'anuente.yaml'), registry, log: 'silent', port: 0, environment: {} })
  writeFileSync(join(other, 'site.yaml'), PLAN)
  writeFileSync(
    join(other, 'anuente.yaml'),
    'organization: {name: L}\nstorage: {dir: data}\npurposes: {}\nsources: {site: {connector: segment, settings: {writeKey: w}, plan: {file: site.yaml}}}\n',
  )
  await (await start()).close()
  writeFileSync(join(other, 'site.yaml'), PLAN.replace('[order_id, total]', '[total]'))
  await expect(start()).rejects.toThrow(/changed without a new version: raise its "version" to 2/)
  rmSync(other, { recursive: true, force: true })
})

test('fixes: looked at first, then carried out; nothing of a person is shown', async () => {
  const fix = ['redrive', 'quarantine', '--code', 'PLAN_VIOLATION', '--event', 'Order Completed']
  const fixes = ['--rename', '/properties/valor=/properties/total', '--coerce', '/properties/total=number']
  const look = await anuente([...fix, ...fixes, '--dry-run'])
  expect(look.out).toMatch(/would be re-driven +1\nchanged by fixes +1\nstill PLAN_VIOLATION +1/)
  expect(look.out).toContain('was  {"properties":{"order_id":"string","valor":"string"}}')
  expect(look.out).toContain('is   {"properties":{"order_id":"string","total":"number"}}')
  expect(look.out).not.toMatch(/1\.234|muito/)
  expect((await anuente([...fix, '--rename', '/userId=/properties/x'])).err).toMatch(/fix 1: \/userId is not below/)

  const done = JSON.parse((await anuente([...fix, ...fixes, '--json'])).out) as Record<string, unknown>
  expect(done).toMatchObject({ redriven: 1, refused: { PLAN_VIOLATION: 1 }, samples: [] })
  await hub.drained()
  const history = await hub.state.db.selectFrom('history').select('amounts').execute()
  expect(history.map(({ amounts }) => (JSON.parse(amounts) as { total?: number }).total)).toContain(123450)
  const log = await hub.state.db
    .selectFrom('access_log')
    .select('target')
    .where('act', '=', 'quarantine.redrive')
    .execute()
  expect(log).toEqual([{ target: '1, 2 fixes' }])

  expect(JSON.parse((await anuente([...fix, '--as-is', '--json'])).out)).toMatchObject({ redriven: 1 })
})
