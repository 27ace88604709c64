import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { typed } from '../../cli/typed.fixture.ts'
import type { Hub } from '../../core/hub.ts'
import { makePlace, type Place, startInProcess, startVendor, type Vendor } from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub
const dir = mkdtempSync(join(tmpdir(), 'anuente-import-'))

beforeAll(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
}, 60_000)
afterAll(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
  rmSync(dir, { recursive: true, force: true })
})

async function anuente(...args: string[]) {
  const ended = await typed(args, { config: place.configFile, env: process.env })
  return {
    ...ended,
    json: () =>
      ended.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as never),
  }
}

const file = (name: string, text: string) => {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}
const statuses = async (subject: string, ...more: string[]) => {
  const shown = await anuente('consent', 'show', subject, '--json', ...more)
  return Object.fromEntries(
    shown.json().map(({ purpose, status }: { purpose: string; status: string }) => [purpose, status]),
  )
}

describe('anuente consent import', () => {
  const csv = `e-mail;finalidade;consentimento;data
ana@example.com;email_marketing;sim;2025-03-01T10:00:00-03:00
bia@example.com;email_marketing;não;2025-03-01T10:00:00-03:00
nobody;email_marketing;sim;2025-03-01T10:00:00-03:00
caio@example.com;newsletter;sim;2025-03-01T10:00:00-03:00
davi@example.com;email_marketing;talvez;2025-03-01T10:00:00-03:00
eva@example.com;email_marketing;sim;ontem
ana@example.com;email_marketing;sim;2025-03-02T10:00:00-03:00
`

  test('a dry run tells what each row would change, and changes nothing', async () => {
    const path = file('lista.csv', csv)
    const answer = await anuente(
      'consent',
      'import',
      path,
      '--notice',
      'cadastro:2',
      '--method',
      'checkbox',
      '--dry-run',
      '--json',
    )
    expect(answer.code).toBe(1)
    expect(answer.json()).toMatchObject([
      { row: 1, verdict: 'grants', purpose: 'email_marketing' },
      { row: 2, verdict: 'withdraws' },
      { row: 3, verdict: 'error', path: '/subject/email' },
      { row: 4, verdict: 'error', path: '/consents/0/purpose' },
      { row: 5, verdict: 'error', path: '/action' },
      { row: 6, verdict: 'error', path: '/occurred_at' },
      { row: 7, verdict: 'no_change' },
    ])
    expect(answer.out).not.toContain('example.com')
    await hub.drained()
    expect((await anuente('consent', 'show', 'ana@example.com')).code).toBe(1)
  })

  test('what was imported counts from when it was said, rests on its notice, and keeps its row as evidence', async () => {
    const path = file('lista.csv', csv)
    const answer = await anuente('consent', 'import', path, '--notice', 'cadastro:2', '--method', 'checkbox')
    expect(answer.out).toMatch(/1 {2}grant a purpose\n1 {2}take a purpose back/)
    expect(answer.err).toContain('row 3 /subject/email')
    await hub.drained()
    expect((await statuses('ana@example.com'))['email_marketing']).toBe('granted')
    expect((await statuses('bia@example.com'))['email_marketing']).toBe('denied')
    const why = await anuente(
      'consent',
      'why',
      'ana@example.com',
      '--purpose',
      'email_marketing',
      '--destination',
      'hook',
    )
    expect(why.out).toContain('email_marketing rests on consent; it is granted since 2025-03-01T13:00:00.000Z')
    expect(why.out).toMatch(/transfer +allow/)
    const again = await anuente('consent', 'import', path, '--notice', 'cadastro:2', '--method', 'checkbox', '--json')
    expect(again.json().slice(0, 2)).toMatchObject([{ verdict: 'no_change' }, { verdict: 'no_change' }])
  })

  test('rows without a notice, or ticked beforehand, are recorded and count for nothing', async () => {
    const rows = [
      {
        email: 'fabi@example.com',
        purpose: 'email_marketing',
        action: 'grant',
        occurred_at: '2025-01-01',
        method: 'checkbox',
      },
      {
        email: 'gil@example.com',
        purpose: 'email_marketing',
        action: 'grant',
        occurred_at: '2025-01-01',
        method: 'checkbox',
        flags: 'preticked',
      },
    ]
    const path = file('old.ndjson', rows.map((row) => JSON.stringify(row)).join('\n'))
    const answer = await anuente('consent', 'import', path, '--json')
    expect(answer.json()).toMatchObject([
      { verdict: 'recorded', flags: ['no_notice'] },
      { verdict: 'recorded', flags: ['preticked', 'no_notice'] },
    ])
    await hub.drained()
    expect((await statuses('fabi@example.com'))['email_marketing']).toBe('invalid')
  })
})

describe('anuente consent show and why', () => {
  test('as of a date, from what was received by then', async () => {
    const say = (action: string) =>
      file(
        'h.ndjson',
        JSON.stringify({
          user_id: 'hugo',
          purpose: 'sms_marketing',
          action,
          occurred_at: new Date().toISOString(),
          method: 'button',
          notice_id: 'app',
          notice_version: 1,
        }),
      )
    await anuente('consent', 'import', say('grant'))
    await hub.drained()
    const between = new Date().toISOString()
    await new Promise((done) => setTimeout(done, 5))
    await anuente('consent', 'import', say('revoke'))
    await hub.drained()
    expect((await statuses('userId:hugo'))['sms_marketing']).toBe('revoked')
    expect((await statuses('userId:hugo', '--as-of', between))['sms_marketing']).toBe('granted')
    expect((await statuses('userId:hugo', '--as-of', '2020-01-01'))['sms_marketing']).toBe('unknown')
    const why = await anuente('consent', 'why', 'userId:hugo', '--purpose', 'sms_marketing', '--json')
    expect(why.json()).toMatchObject([
      {
        status: 'revoked',
        stages: [
          { stage: 'collect', effect: 'deny', reasons: [{ code: 'consent_revoked', art: '8 §5' }] },
          { stage: 'profile' },
          { stage: 'decide', effect: 'deny' },
          { stage: 'activate', effect: 'deny' },
        ],
      },
    ])
  })

  test('nobody, no such purpose and no such time are told plainly', async () => {
    expect((await anuente('consent', 'show', 'zeca@example.com')).err).toContain('the hub knows nobody')
    expect((await anuente('consent', 'why', 'x', '--purpose', 'nope')).err).toContain('no purpose is called nope')
    expect((await anuente('consent', 'show', 'userId:hugo', '--as-of', 'ontem')).err).toContain('is no time')
  })
})

describe('anuente doctor --privacy', () => {
  test('tells per source what is missing, whom it would unlock, and what to write on the page', async () => {
    for (const n of [1, 2, 3])
      await fetch(`${hub.url}/v1/page`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Basic ${btoa('wk_site:')}` },
        body: JSON.stringify({ anonymousId: `visitor-${n}`, messageId: `v${n}`, name: 'Home' }),
      })
    await hub.drained()
    const told = await anuente('doctor', '--privacy', '--lang', 'pt')
    expect(told.out).toMatch(
      /Sua fonte Segment \(site\) não diz nada sobre consentimento em \d+% dos eventos\. Estatísticas de uso \(analytics\): cerca de 3 pessoas e 3 eventos/,
    )
    expect(told.out).toContain('[ ] Estatísticas de uso (Loja Exemplo).')
    expect(told.out).not.toContain('visitor-')
    expect((await anuente('doctor', '--privacy', '--json')).json()).toContainEqual(
      expect.objectContaining({ check: 'unlock', status: 'warn' }),
    )
  })
})
