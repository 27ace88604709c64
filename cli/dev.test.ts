/** `anuente dev`: its calls, who may make them, what it saves, and the page in a real browser. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { chromium } from 'playwright-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { registry, sandboxes } from '../connectors/index.ts'
import { track } from '../core/testing/events.ts'
import type { DestinationExample } from '../core/testing/example-run.ts'
import { savedExamples } from '../core/testing/example-run.ts'
import { redactEvent } from './dev/redact.ts'
import { type DevServer, startDev } from './dev/server.ts'

let folder: string
let server: DevServer

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anuente-dev-'))
  server = await startDev({
    definition: registry.destinations.get('brevo')!,
    registry,
    loaded: undefined,
    sandbox: sandboxes.brevo,
    folder,
    port: 0,
  })
})
afterEach(async () => {
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

const origin = () => new URL(server.url).origin
async function call<T>(method: string, path: string, body?: unknown, token = server.token) {
  const response = await fetch(origin() + path, {
    method,
    headers: { 'x-anuente-dev': token },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as T }
}

const IDENTIFY = { type: 'identify', userId: 'u1', traits: { email: 'Ana@Example.com', name: 'Ana Souza' } }
interface Answer {
  event: object
  trials: {
    action: string
    consent: { permitted: boolean; reasons: string[] }
    payload?: Record<string, unknown>
    halt?: { code: string }
    exchanges: { request: { url: string; body: Record<string, unknown> }; response: { status: number } }[]
    outcome?: { status: string }
  }[]
}
interface About {
  sandbox: Record<string, unknown>
  actions: { name: string }[]
  examples: DestinationExample[]
}
const about = async () => (await call<About>('GET', '/api/connector')).body

describe('the calls', () => {
  test('only the page may make them: neither without its token, nor under another name', async () => {
    expect((await call('GET', '/api/connector', undefined, 'x')).status).toBe(403)
    expect((await call('POST', '/api/try', {}, '')).status).toBe(403)
    // What a page of another site reaches when its name is pointed at this machine.
    const status = await new Promise<number>((done) => {
      const { hostname, port } = new URL(origin())
      httpRequest({ hostname, port, path: '/', headers: { host: 'loja.example' } }, (response) =>
        done(response.statusCode ?? 0),
      ).end()
    })
    expect(status).toBe(403)
  })

  test('a case is told step by step; the sandbox answers, nobody else is asked', async () => {
    const { sandbox } = await about()
    const given = { action: 'upsertContact', settings: sandbox, event: IDENTIFY }
    const denied = await call<Answer>('POST', '/api/try', { carrier: 'sandbox', case: given })
    expect(denied.body.trials[0]).toMatchObject({
      consent: { permitted: false, reasons: ['consent_unknown'] },
      halt: { code: 'BLOCKED_BY_CONSENT' },
      exchanges: [],
    })
    const sent = await call<Answer>('POST', '/api/try', { carrier: 'sandbox', case: { ...given, consent: 'granted' } })
    expect(sent.body.trials[0]).toMatchObject({
      consent: { permitted: true },
      payload: { email: 'ana@example.com' },
      outcome: { status: 'delivered' },
    })
    expect(sent.body.trials[0]!.exchanges[0]).toMatchObject({
      request: { url: expect.stringContaining('api.brevo.com') },
      response: { status: expect.any(Number) },
    })
    const wrong = await call<Answer>('POST', '/api/try', {
      carrier: 'sandbox',
      case: { ...given, settings: { ...sandbox, apiKey: 'xkeysib-wrong-key-000000' }, consent: 'granted' },
    })
    expect(wrong.body.trials[0]!.outcome!.status).toBe('authentication')
  })

  test('fields that a rule sets win; what is wrong is told with its place', async () => {
    const { sandbox } = await about()
    const given = { action: 'upsertContact', settings: sandbox, event: IDENTIFY, consent: 'granted' }
    const set = await call<Answer>('POST', '/api/try', {
      carrier: 'none',
      case: { ...given, with: { email: 'bia@example.com' } },
    })
    expect(set.body.trials[0]!.payload).toMatchObject({ email: 'bia@example.com' })
    expect(
      (await call<object>('POST', '/api/try', { carrier: 'none', case: { ...given, event: 7 } })).body,
    ).toMatchObject({
      error: { code: 'INVALID', path: '/event' },
    })
  })
})

test('what is saved is an example as the contract suite runs it, without secrets', async () => {
  const { sandbox } = await about()
  const { event } = (
    await call<Answer>('POST', '/api/try', {
      carrier: 'none',
      case: { action: 'upsertContact', settings: sandbox, event: IDENTIFY, consent: 'granted' },
    })
  ).body
  const { apiKey: _secret, ...open } = sandbox
  const example = { title: 'a contact with a name', action: 'upsertContact', given: event, settings: open }
  expect((await call('POST', '/api/examples', example)).status).toBe(200)
  expect((await call('POST', '/api/examples', example)).status).toBe(409)
  const [saved] = savedExamples(join(folder, 'examples.json'))
  expect(saved).toMatchObject({
    title: 'a contact with a name',
    sends: { method: 'POST', body: expect.objectContaining({ email: 'ana@example.com' }) },
  })
  expect(saved!.sends.path).toMatch(/^\//)
  expect(readFileSync(join(folder, 'examples.json'), 'utf8')).not.toContain(String(sandbox['apiKey']))
  expect((await about()).examples).toHaveLength(1)
})

describe('redaction', () => {
  test('leaves the shape and the goods, and nobody', () => {
    const redacted = redactEvent(
      track({
        name: 'Order Completed',
        userId: 'cliente-77',
        traits: { email: 'maria@loja.example', name: 'Maria Prado', phone: '+5521999990000', vip: true },
        properties: {
          order_id: 'P-2026-000123',
          total: 219.9,
          currency: 'BRL',
          coupon: 'MARIA10',
          shipping: { name: 'Maria Prado', address: 'Rua das Flores, 12' },
          products: [
            { name: 'Tênis', price: 219.9 },
            { name: 'Camiseta da Maria', price: 10 },
          ],
        },
      }),
    )
    expect(JSON.stringify(redacted)).not.toMatch(/maria|prado|cliente-77|9999|flores|000123/i)
    expect(redacted.properties).toMatchObject({
      total: 219.9,
      currency: 'BRL',
      products: [{ name: 'Tênis', price: 219.9 }, { price: 10 }],
    })
    expect(redacted.traits).toMatchObject({ email: 'ana@example.com', vip: true })
  })

  test('no identifier and no trait is left, wherever it was copied to', () => {
    const secret = fc.stringMatching(/^[a-z]{4,10}[0-9]{0,4}$/)
    fc.assert(
      fc.property(
        secret,
        secret,
        fc.constantFrom('category', 'name', 'coupon', 'note', 'currency'),
        (one, two, key) => {
          const event = track({
            name: 'X',
            userId: `zz${one}`,
            traits: { nickname: `zz${two}` },
            properties: {
              [key]: `de zz${two}`,
              list: [{ [key]: `ZZ${one.toUpperCase()}` }],
              deep: { [key]: [`zz${one}`] },
            },
          })
          const { id: _id, source: _source, ...shown } = redactEvent(event)
          const text = JSON.stringify(shown).toLowerCase()
          expect([text.includes(`zz${one}`), text.includes(`zz${two}`)]).toEqual([false, false])
        },
      ),
    )
  })
})

test('the page: an event is changed and the request with it', async () => {
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  })
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(error.message))
    await page.goto(server.url)
    await page.getByLabel('Action').selectOption('upsertContact')
    const result = page.locator('#result')
    await expect.poll(() => result.textContent(), { timeout: 10_000 }).toContain('May be sent')
    await page
      .getByLabel('Event (Segment spec or canonical)')
      .fill(JSON.stringify({ ...IDENTIFY, traits: { email: 'outra@example.com' } }))
    await page.getByLabel('the sandbox').check()
    await page.getByRole('button', { name: 'Run' }).click()
    await expect.poll(() => result.textContent(), { timeout: 10_000 }).toContain('outra@example.com')
    expect(await result.textContent()).toContain('Outcome: delivered')
    await page.getByLabel('nobody answered').check()
    await page.getByRole('button', { name: 'Run' }).click()
    await expect.poll(() => result.textContent()).toContain('BLOCKED_BY_CONSENT')
    await page.setViewportSize({ width: 390, height: 844 })
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    expect(errors).toEqual([])
    if (process.env['ANUENTE_SCREENSHOTS']) {
      await page.emulateMedia({ colorScheme: 'dark' })
      await page.screenshot({ path: join(process.env['ANUENTE_SCREENSHOTS'], 'dev-390.png'), fullPage: true })
      await page.emulateMedia({ colorScheme: 'light' })
      await page.setViewportSize({ width: 1280, height: 900 })
      await page.getByLabel('every purpose granted').check()
      await page.getByRole('button', { name: 'Run' }).click()
      await page.waitForTimeout(500)
      await page.screenshot({ path: join(process.env['ANUENTE_SCREENSHOTS'], 'dev-1280.png'), fullPage: true })
    }
  } finally {
    await browser.close()
  }
}, 60_000)
