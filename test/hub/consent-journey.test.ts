/**
 * From the yes at the shop to the proof on an auditor's machine: a person consents, gets a message, withdraws by the
 * link in it, is not messaged again, asks for erasure in the portal, and somebody with Node alone checks all of it.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Analytics } from '@segment/analytics-node'
import { afterEach, expect, test } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import type { RequestDetail, RequestPlan } from '../../schemas/requests.ts'
import { type MailServer, startMail } from './mail-server.ts'
import { portalBrowser } from './portal-browser.ts'
import { makePlace, type Place, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub
let mail: MailServer
let auditor: string

afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  await mail?.close()
  place?.remove()
  rmSync(auditor, { recursive: true, force: true })
})

const consent = (answer: boolean) => ({ consent: { categoryPreferences: { Marketing: answer, Analytics: answer } } })

async function run<T>(name: string, args: Record<string, unknown>): Promise<T> {
  const result = await hub.run({ name, args, actor: 'officer' })
  if (!result.ok) throw new Error(`${name}: ${result.code} ${result.message}`)
  return result.value as T
}

/** What the auditor's Node says of a folder: exit code and words. */
async function verify(livro: string): Promise<{ code: number; words: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(livro, 'verify.mjs'), livro], {
      cwd: auditor,
      env: {},
    })
    return { code: 0, words: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, words: stdout + stderr }
  }
}

test('consent, message, withdrawal, erasure, proof', async () => {
  vendor = await startVendor()
  mail = await startMail()
  auditor = mkdtempSync(join(tmpdir(), 'anuente-auditor-'))
  place = await makePlace(vendor, {
    change(config) {
      config['mail'] = { smtp: mail.url, from: 'privacidade@loja.example' }
    },
  })
  hub = await startInProcess(place)
  const shop = new Analytics({ writeKey: WRITE_KEYS.site, host: hub.url, flushAt: 1, maxRetries: 1 })
  const flushed = async () => {
    await shop.flush()
    await hub.drained()
  }

  // At the shop she says yes, and puts something into her cart.
  shop.identify({ userId: 'clara-1', traits: { email: 'clara@example.com', name: 'Clara' }, context: consent(true) })
  shop.track({ userId: 'clara-1', event: 'Product Added', properties: { product_id: 'p1', price: 10, quantity: 1 } })
  await flushed()
  expect(vendor.requests.length).toBe(1)
  const { links } = JSON.parse(vendor.requests[0]!.body) as { links: { stop: string; why: string } }

  // The link in the message shows what it would do, and stops by one click.
  expect(await (await fetch(links.why)).text()).toContain('Por que recebi isto?')
  const stopped = await fetch(links.stop, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'List-Unsubscribe=One-Click',
  })
  expect(stopped.status).toBe(200)
  shop.track({ userId: 'clara-1', event: 'Product Added', properties: { product_id: 'p2', price: 10, quantity: 1 } })
  await flushed()
  expect(vendor.requests.filter(({ body }) => body.includes('"text"')).length).toBe(1)

  // In the portal she asks for erasure; the officer looks at what would go, and approves.
  const browser = portalBrowser(hub.url, mail)
  await browser.enter('clara@example.com')
  const form = await browser.go('GET', '/privacidade/pedir?direito=erasure')
  await browser.submit(form.text, '/privacidade/pedidos', {})
  const { id } = await hub.state.db.selectFrom('requests').select('id').executeTakeFirstOrThrow()
  expect((await run<RequestDetail>('readRequest', { id })).request).toMatchObject({ right: 'erasure' })
  const plan = await run<RequestPlan>('planRequest', { id })
  await run('executeRequest', { id, planHash: plan.hash })
  await hub.drained()
  for (const { recipient, operation } of (await run<RequestDetail>('readRequest', { id })).recipients)
    await run('settleRequestRecipient', { id, recipient, operation, status: 'done', answer: 'apagado' })
  expect((await run<RequestDetail>('readRequest', { id })).request.state).toBe('answered')

  // The same person, sent again by a source that remembers her, stays erased.
  shop.track({ userId: 'clara-1', event: 'Product Added', properties: { product_id: 'p3', price: 10, quantity: 1 } })
  await flushed()
  await shop.closeAndFlush()
  expect(vendor.requests.filter(({ body }) => body.includes('"text"')).length).toBe(1)

  // The pack, made by the command, carried to another machine.
  const today = new Date().toISOString().slice(0, 10)
  const main = fileURLToPath(new URL('../../bin/anuente.js', import.meta.url))
  const pack = join(auditor, 'pacote')
  await promisify(execFile)(process.execPath, [
    main,
    ...['audit', 'pack', '--config', place.configFile, '--period', `${today}/${today}`, '--out', pack, '--json'],
  ])
  const livro = join(pack, 'livro')
  const honest = await verify(livro)
  expect(honest).toMatchObject({ code: 0 })
  const text = readFileSync(join(livro, 'ledger.ndjson'), 'utf8')
  for (const type of ['consent.grant', 'consent.revoke', 'deliveries.root', 'state.root']) expect(text).toContain(type)
  for (const personal of ['clara', 'Clara']) expect(text).not.toContain(personal)

  // Somebody takes her withdrawal out of the folder, or turns it into a yes.
  const lines = text.trimEnd().split('\n')
  const withdrawal = lines.findIndex((line) => line.includes('consent.revoke'))
  const forged = join(auditor, 'adulterado')
  for (const rewritten of [
    lines.toSpliced(withdrawal, 1),
    lines.with(withdrawal, lines[withdrawal]!.replace('revoked', 'granted')),
  ]) {
    cpSync(livro, forged, { recursive: true })
    writeFileSync(join(forged, 'ledger.ndjson'), `${rewritten.join('\n')}\n`)
    expect(await verify(forged)).toMatchObject({ code: 2 })
    rmSync(forged, { recursive: true })
  }
}, 180_000)
