/** Rules as their people publish them: by files, at the terminal and over the admin API, beside a running hub. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../cli/program.ts'
import type { Hub } from '../../core/hub.ts'
import type { Role } from '../../schemas/admin.ts'
import type { RuleDetail, RuleList, RuleValidation } from '../../schemas/rules.ts'
import { basic, makePlace, type Place, post, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

const rule = (version: number, more = '') => `id: aviso
version: ${version}
title: {pt: Aviso de teste, en: Test notice}
when: {event: Product Added}
unless: {purpose: email_marketing}
then: {all: [{destination: hook, action: sendMessage, with: {text: v${version}}}]}
${more}`
const BROKEN = rule(7).replace('unless: {purpose: email_marketing}', 'unless: {purpose: email}')
/** Where the mistake of BROKEN stands. */
const PLACE = '5:10'

let vendor: Vendor
let place: Place
let hub: Hub
const file = (name: string) => join(place.dir, name)
const write = (name: string, text: string) => {
  writeFileSync(file(name), text)
  return file(name)
}

beforeAll(async () => {
  vendor = await startVendor()
  vendor.answer = (_request, response) => response.writeHead(503, { 'retry-after': '3600' }).end()
  place = await makePlace(vendor, { rules: { 'aviso.yaml': rule(1) } })
  hub = await startInProcess(place)
}, 60_000)
afterAll(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

async function anuente(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  let [out, err] = ['', '']
  stdout.on('data', (part: Buffer) => {
    out += part
  })
  stderr.on('data', (part: Buffer) => {
    err += part
  })
  const env = { ...process.env, NO_COLOR: '1' }
  const status = await run(['node', 'anuente', ...args, '--config', place.configFile], { stdin, stdout, stderr, env })
  await new Promise(setImmediate)
  return { status, out, err }
}
const json = async <T>(...args: string[]) => JSON.parse((await anuente(...args, '--json')).out) as T

const tokens = new Map<Role, string>()
async function call<T = unknown>(role: Role, method: 'GET' | 'POST', path: string, body?: object) {
  let token = tokens.get(role)
  if (token === undefined) {
    const made = await hub.run({ name: 'createToken', args: { name: role, role }, actor: 'cli' })
    token = (made as unknown as { value: { value: string } }).value.value
    tokens.set(role, token)
  }
  const answer = await fetch(`${hub.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as T }
}

let made = 0
/** Somebody who may be written to does what the rule waits for. */
async function somebody(): Promise<void> {
  const userId = `u${++made}`
  const context = { consent: { categoryPreferences: { Marketing: true } } }
  for (const message of [
    { type: 'identify', userId, messageId: `i-${userId}`, traits: { email: `${userId}@loja.example` }, context },
    {
      type: 'track',
      event: 'Product Added',
      userId,
      messageId: `t-${userId}`,
      properties: { product_id: 'p' },
      context,
    },
  ])
    expect(await post(`${hub.url}/v1/batch`, { batch: [message] }, basic(WRITE_KEYS.site))).toBe(200)
  await hub.drained()
}
const deliveries = () =>
  hub.state.db.selectFrom('deliveries').select(['rule_version', 'status', 'reason']).orderBy('created_at').execute()

test('a mistake is told with line and column, at the terminal and over the API, and changes nothing', async () => {
  const text = write('quebrada.yaml', BROKEN)
  for (const command of ['validate', 'add']) {
    const told = await anuente('rules', command, text)
    expect(told.status).toBe(1)
    expect(told.err).toContain(`quebrada.yaml:${PLACE}: rule aviso: purpose "email" is not in the configuration`)
  }
  const checked = await call<RuleValidation>('marketing', 'POST', '/api/rules/validate', {
    text: BROKEN,
    file: 'a.yaml',
  })
  expect(checked).toMatchObject({
    status: 200,
    body: {
      valid: false,
      versions: [],
      problems: [{ file: 'a.yaml', line: 5, column: 10, pt: expect.stringContaining('não está na configuração') }],
    },
  })
  const posted = await call('marketing', 'POST', '/api/rules', { text: BROKEN })
  expect(posted).toMatchObject({ status: 400, body: { error: { code: 'INVALID' } } })
  expect(JSON.stringify(posted.body)).toContain(`rule.yaml:${PLACE}:`)
  const syntax = await call<RuleValidation>('marketing', 'POST', '/api/rules/validate', { text: 'id: [\n' })
  expect(syntax.body.problems).toMatchObject([{ line: 2, column: 1 }])
  expect((await json<RuleDetail>('rules', 'show', 'aviso')).versions.map(({ version }) => version)).toEqual([1])
  const groups = [2, 1].map((days, n) => rule(1, `group: {id: promo, window: P${days}D}`).replace('aviso', `g${n}`))
  expect((await anuente('rules', 'validate', write('grupos.yaml', groups.join('\n---\n')))).err).toMatch(
    /grupos\.yaml:\d+:\d+: rule g1: group "promo" has the window P2D in rule g0/,
  )
  const missing = await anuente('rules', 'validate', file('nowhere.yaml'))
  expect(missing).toMatchObject({ status: 1, out: '' })
  expect(missing.err).toContain('nowhere.yaml')
})

test('test recipients, 1 %, 10 %, 100 %, and back: each step is what the next reader sees, with who and why', async () => {
  expect((await anuente('rules', 'add', write('v2.yaml', rule(2)))).out).toMatch(/aviso@2 +new +draft/)
  expect((await anuente('rules', 'add', file('v2.yaml'))).out).toMatch(/aviso@2 +known already +draft/)
  const steps = [['test', '--recipient', 'ana@loja.example'], ['1%'], ['10%'], ['100%']] as const
  const seen: unknown[] = []
  for (const [to, ...more] of steps) {
    const answer = await anuente('rules', 'publish', 'aviso', '--to', to, ...more, '--reason', `passo ${to}`)
    expect(answer).toMatchObject({ status: 0, err: '' })
    const [item] = (await json<RuleList>('rules', 'list')).items
    seen.push([item!.live?.version, item!.trial && [item!.trial.version, item!.trial.stage, item!.trial.share]])
  }
  expect(seen).toEqual([
    [1, [2, 'test', 1]],
    [1, [2, 'live', 0.01]],
    [1, [2, 'live', 0.1]],
    [2, null],
  ])
  await somebody()
  expect((await deliveries()).at(-1)).toMatchObject({ rule_version: 2 })

  expect((await anuente('rules', 'revert', 'aviso', '--reason', 'o texto confundiu')).out).toBe(
    'version 1 is live for everybody\n',
  )
  await somebody()
  expect((await deliveries()).at(-1)).toMatchObject({ rule_version: 1 })
  const detail = (await call<RuleDetail>('auditor', 'GET', '/api/rules/aviso')).body
  expect(detail.versions.map(({ version, stage, recipients }) => [version, stage, recipients])).toEqual([
    [2, 'retired', 1],
    [1, 'live', 0],
  ])
  expect(JSON.stringify(detail)).not.toContain('ana@loja.example')
  expect(detail.log[0]).toMatchObject({ act: 'revert', version: 1, actor: 'cli', reason: 'o texto confundiu' })
  expect(detail.log.filter(({ act }) => act === 'publish').map(({ share, reason }) => [share, reason])).toEqual([
    [1, 'passo 100%'],
    [0.1, 'passo 10%'],
    [0.01, 'passo 1%'],
    [1, 'passo test'],
    [1, 'start with this configuration'],
  ])
  expect(detail.rule.counts).toMatchObject({ fired: 2, decided: 2, sent: 0 })
  expect((await anuente('rules', 'show', 'aviso')).out).toMatch(
    /v2 +retired[\s\S]*v1 +100 %[\s\S]*cli: o texto confundiu/,
  )
})

/** What is not over waits for another try. */
const tried = () =>
  expect
    .poll(async () => (await deliveries()).filter(({ status }) => status !== 'cancelled').map(({ reason }) => reason), {
      timeout: 60_000,
    })
    .not.toContain(null)

test('pause holds what waits, resume lets it go on, kill cancels it; one rule or all', async () => {
  const open = async () =>
    (await deliveries()).filter(({ status }) => status === 'retry' || status === 'queued').map(({ reason }) => reason)
  await tried()
  expect((await anuente('rules', 'pause', 'aviso', '--reason', 'erro no cupom')).out).toBe('held deliveries: 2\n')
  expect(await open()).toEqual(['PAUSED', 'PAUSED'])
  await somebody()
  expect(await deliveries()).toHaveLength(2)
  expect((await anuente('rules', 'list')).out).toMatch(/aviso +paused +v1/)
  expect(await call('marketing', 'POST', '/api/rules/aviso/resume', { reason: 'cupom certo' })).toMatchObject({
    status: 200,
    body: { released: 2 },
  })
  await somebody()
  expect(await deliveries()).toHaveLength(3)
  expect((await anuente('rules', 'resume', 'aviso', '--reason', 'outra vez')).err).toContain(
    'neither paused nor stopped',
  )

  await tried()
  expect((await anuente('rules', 'kill', '--all', '--reason', 'vazou um texto', '--json')).out).toBe(
    '{"cancelled":3}\n',
  )
  expect((await anuente('rules', 'list')).out).toContain('all rules are killed: vazou um texto')
  expect((await deliveries()).map(({ status, reason }) => `${status} ${reason}`)).toEqual(
    Array(3).fill('cancelled KILLED'),
  )
  await somebody()
  expect(await deliveries()).toHaveLength(3)
  expect((await anuente('rules', 'resume', '--all', '--reason', 'texto certo')).out).toBe('released deliveries: 0\n')
  const both = await anuente('rules', 'pause', 'aviso', '--all', '--reason', 'duas vezes')
  expect([both.status, (await anuente('rules', 'pause', '--reason', 'nenhuma')).status]).toEqual([1, 1])
  expect(both.err).toContain('Name one rule, or write --all')
})

test('marketing may publish, who audits may read; both need a reason, an id and a stage that exist', async () => {
  const change = { stage: 'live', share: 0.1, version: 2, reason: 'um décimo' }
  for (const role of ['auditor', 'viewer', 'compliance'] as const) {
    expect((await call(role, 'GET', '/api/rules')).status, role).toBe(role === 'viewer' ? 403 : 200)
    expect((await call(role, 'POST', '/api/rules/aviso/publish', change)).status, role).toBe(403)
    expect((await call(role, 'POST', '/api/rules/*/kill', { reason: 'porque sim' })).status, role).toBe(403)
    expect((await call(role, 'POST', '/api/rules', { text: rule(9) })).status, role).toBe(403)
  }
  expect(await call('marketing', 'POST', '/api/rules/aviso/publish', change)).toMatchObject({ status: 200 })
  expect((await call<RuleDetail>('marketing', 'GET', '/api/rules/aviso')).body.log[0]).toMatchObject({
    actor: 'marketing',
    act: 'publish',
    share: 0.1,
  })
  const refused = async (path: string, body: object) => {
    const url = path === '' ? '/api/rules' : `/api/rules/${path}`
    const answer = await call<{ error: { code: string } }>('marketing', 'POST', url, body)
    return [answer.status, answer.body.error.code]
  }
  expect(await refused('nenhuma/publish', change)).toEqual([404, 'NOT_FOUND'])
  expect(await refused('aviso/publish', { ...change, version: 8 })).toEqual([404, 'NOT_FOUND'])
  expect(await refused('aviso/publish', { ...change, share: 0 })).toEqual([400, 'INVALID'])
  expect(await refused('aviso/publish', { ...change, share: 0.00001 })).toEqual([400, 'INVALID'])
  expect(await refused('aviso/publish', { ...change, stage: 'retired' })).toEqual([400, 'INVALID'])
  expect(await refused('aviso/pause', { reason: 'x' })).toEqual([400, 'INVALID'])
  expect(await refused('nenhuma/kill', { reason: 'porque sim' })).toEqual([404, 'NOT_FOUND'])
  expect((await call('marketing', 'GET', '/api/rules/nenhuma')).status).toBe(404)
  expect((await anuente('rules', 'publish', 'aviso@2.5', '--to', '1%', '--reason', 'um por cento')).status).toBe(1)
  expect((await anuente('rules', 'publish', 'aviso', '--to', 'amanhã', '--reason', 'um por cento')).err).toContain(
    'draft, test, shadow',
  )
  const group = (id: string, days: number, more = '') =>
    rule(1, `group: {id: promo, window: P${days}D}\n${more}`).replace('id: aviso', `id: ${id}`)
  expect(
    (await call('marketing', 'POST', '/api/rules', { text: group('g1', 1, 'rollout: {stage: live}') })).status,
  ).toBe(200)
  expect(await refused('', { text: group('g2', 2) })).toEqual([400, 'INVALID'])
  expect((await call('marketing', 'POST', '/api/rules', { text: group('g2', 1) })).status).toBe(200)
  await call('marketing', 'POST', '/api/rules/g1/publish', { stage: 'draft', reason: 'por enquanto' })
  expect((await anuente('rules', 'show', 'nenhuma')).err).toContain('anuente rules list')
  const changed = await call('marketing', 'POST', '/api/rules', { text: rule(2).replace('v2', 'outro') })
  expect(changed).toMatchObject({ status: 409, body: { error: { code: 'CONFLICT' } } })
})

test('apply acts on what the files say anew, tells a mistake with its place, and retires what left', async () => {
  const file = join('rules', 'aviso.yaml')
  expect((await anuente('apply')).out).toBe('The files say nothing new.\n')
  write(file, rule(3, 'rollout: {stage: live, share: 0.1}'))
  write(join('rules', 'outra.yaml'), rule(1).replace('id: aviso', 'id: outra'))
  const dry = await anuente('apply', '--dry-run')
  expect(dry.out).toMatch(/aviso@3 +added +10 %\noutra@1 +added +100 %/)
  expect(dry.err).toContain('Nothing was changed')
  expect((await json<RuleList>('rules', 'list')).items.map(({ id }) => id)).not.toContain('outra')
  expect((await anuente('apply', '--reason', 'campanha de novembro')).status).toBe(0)
  expect((await json<RuleDetail>('rules', 'show', 'outra')).log[0]).toMatchObject({ reason: 'campanha de novembro' })
  // What was published otherwise since stays until a file says something new.
  await anuente('rules', 'publish', 'aviso', '--to', '50%', '--reason', 'mais gente')
  expect((await anuente('apply')).out).toBe('The files say nothing new.\n')

  write(file, BROKEN)
  const broken = await anuente('apply')
  expect(broken.status).toBe(1)
  expect(broken.err).toContain(`aviso.yaml:${PLACE}:`)
  write(file, rule(3).replace('v3', 'outro texto'))
  expect((await anuente('apply')).err).toContain('raise "version"')
  write(file, rule(4))
  rmSync(join(place.dir, 'rules', 'outra.yaml'))
  expect((await anuente('apply')).out).toMatch(/aviso@4 +added +100 %\noutra@1 +retired +retired/)
  await somebody()
  expect((await deliveries()).filter(({ status }) => status !== 'cancelled')).toMatchObject([{ rule_version: 4 }])
})
