/** What the browser suites of the cockpit share: the built pages, a hub with a made-up day, one Chromium. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AxeBuilder } from '@axe-core/playwright'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { build } from 'vite'
import { expect } from 'vitest'
import { audienceCommands } from '../core/audiences/commands.ts'
import type { LoadedConfig } from '../core/config.ts'
import { identityCommands } from '../core/identity/commands.ts'
import { createKeys } from '../core/keys.ts'
import { ensureLedger } from '../core/ledger/keyring.ts'
import { ruleCommands } from '../core/rules/commands.ts'
import { seal, sealJson } from '../core/seal.ts'
import { processCommands } from '../core/server/commands.ts'
import { CommandError } from '../core/server/context.ts'
import {
  type AdminHub,
  type AdminHubOptions,
  adminHubConfig,
  fillAdminHub,
  liveLines,
  startAdminHub,
} from '../core/testing/admin-hub.ts'
import { joinedConfig, joinPeople } from '../core/testing/joined-people.ts'
import { type MadeUpBacktest, madeUpBacktest } from '../core/testing/made-up-backtest.ts'
import { publishedConfig, publishWorld } from '../core/testing/published.ts'

export const PASSWORD = 'correto cavalo bateria'
export const EMAIL = 'ana@loja.example'
/** Set to a folder to keep pictures of every screen. */
const pictures = process.env['ANUENTE_SCREENSHOTS']

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface Look {
  readonly width?: number
  readonly scheme?: 'light' | 'dark'
  readonly language?: 'pt-BR' | 'en'
  readonly anonymous?: boolean
}

export interface CockpitRig {
  readonly hub: AdminHub
  readonly backtest: MadeUpBacktest
  readonly cockpitDir: string
  /** An address that makes somebody of that role, once. */
  invite(role: string): Promise<string>
  /** A page whose console errors (a blocked style, a failed script) fail the test. */
  open(path: string, look: Look, work: (page: Page) => Promise<void>): Promise<void>
  close(): Promise<void>
}

export async function startCockpit(options: AdminHubOptions = {}): Promise<CockpitRig> {
  const cockpitDir = mkdtempSync(join(tmpdir(), 'anuente-cockpit-'))
  const root = fileURLToPath(new URL('../cockpit', import.meta.url))
  await build({
    root,
    configFile: join(root, 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir: cockpitDir, reportCompressedSize: false },
  })
  const keys = createKeys(randomBytes(32))
  const backtest = madeUpBacktest()
  const hub = await startAdminHub({
    backtest: backtest.run,
    ...options,
    cockpitDir,
    commands: {
      ...processCommands(loaded, keys),
      ...identityCommands(joinedConfig, keys),
      ...ruleCommands(publishedConfig, keys),
      ...audienceCommands(publishedConfig, keys),
      ...commands,
      ...options.commands,
    },
  })
  const now = Date.now()
  await fillAdminHub(hub, now)
  // What the made-up day has for bodies nobody can open; the record of processing reads a sample of them.
  const data = keys.create()
  await hub.state.db.updateTable('nodes').set({ data_key: data.wrapped, proof_key: keys.create().wrapped }).execute()
  await hub.state.db
    .updateTable('history')
    .set({
      sealed: sealJson(data.key, {
        messageId: 'm1',
        properties: { product_id: 'p1' },
        context: {},
        traits: {},
        identifiers: [{ type: 'email', value: 'ana@example.com' }],
        device: 'n1',
      }),
    })
    .execute()
  await hub.state.db
    .insertInto('persons')
    .values({ id: 'p_ana', seq: 12, profile: '{}', merged_into: null, updated_at: now })
    .execute()
  await hub.state.db
    .insertInto('identifiers')
    .values({
      hmac: keys.identifier('email', 'ana@example.com'),
      type: 'email',
      node_id: 'n1',
      sealed: seal(data.key, 'ana@example.com'),
      first_seen_at: now - 86_400_000,
    })
    .execute()
  await joinPeople(hub.state, keys, now)
  await publishWorld(hub.state, now)
  await ensureLedger(hub.state, keys, hub.url, now - 86_400_000)
  hub.emit(...liveLines(now, 40))
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  const invite = async (role: string) => {
    const made = (await hub.run('createInvitation', { role })) as { value: { token: string } }
    return `${hub.url}/setup#${made.value.token}`
  }
  const signedIn = await signIn(browser, hub.url, await invite('admin'))
  return {
    hub,
    backtest,
    cockpitDir,
    invite,
    open: (path, look, work) =>
      openPage(browser, path.startsWith('http') ? path : hub.url + path, look, signedIn, work),
    async close() {
      await browser.close()
      await hub.close()
      rmSync(cockpitDir, { recursive: true, force: true })
    },
  }
}

/** What commands read of a configuration file, for the hub that has none. */
const loaded = {
  config: adminHubConfig,
  publicUrl: 'http://hub.loja.example',
  timezone: 'America/Sao_Paulo',
  currency: 'BRL',
  sourceSettings: new Map(),
  destinationSettings: new Map(),
} as unknown as LoadedConfig

/** Those that need the rest of a running hub. */
const commands: NonNullable<AdminHubOptions['commands']> = {
  redriveQuarantine: async ({ id }, { state }) => {
    const item = await state.db
      .selectFrom('quarantine')
      .select('status')
      .where('id', '=', String(id))
      .executeTakeFirst()
    if (item?.status !== 'open') throw new CommandError('CONFLICT', 'Already re-driven.')
    await state.db.updateTable('quarantine').set({ status: 'redriven' }).where('id', '=', String(id)).execute()
    return { id }
  },
  dismissQuarantine: async ({ id }, { state }) => {
    await state.db.updateTable('quarantine').set({ status: 'dismissed' }).where('id', '=', String(id)).execute()
    return { id }
  },
  redriveDeliveries: async ({ dryRun }) => ({
    deliveries: 1,
    people: 1,
    mayRepeat: 0,
    leftOut: [{ code: 'BLOCKED_BY_CONSENT', count: 2 }],
    budgets: [{ destination: 'crm', deliveries: 1, perSecond: 2.5, lastAt: Date.now() }],
    samples: dryRun
      ? [
          {
            id: 'd-1',
            destination: 'crm',
            action: 'sendConversion',
            rule: null,
            contact: 'a•••@example.com',
            code: null,
          },
        ]
      : [],
    more: false,
    dryRun,
  }),
}

type StorageState = Awaited<ReturnType<BrowserContext['storageState']>>

async function signIn(browser: Browser, url: string, invitation: string): Promise<StorageState> {
  const context = await browser.newContext()
  const body = { token: invitation.split('#')[1], email: EMAIL, name: 'Ana Souza', password: PASSWORD }
  await context.request.post(`${url}/api/setup`, { data: body })
  const state = await context.storageState()
  await context.close()
  return state
}

async function openPage(
  browser: Browser,
  url: string,
  look: Look,
  signedIn: StorageState,
  work: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({
    viewport: sizeOf(look.width ?? 1280),
    colorScheme: look.scheme ?? 'light',
    locale: look.language ?? 'pt-BR',
    reducedMotion: 'reduce',
    ...(look.anonymous ? {} : { storageState: signedIn }),
  })
  const problems: string[] = []
  try {
    const page = await context.newPage()
    page.setDefaultTimeout(30_000)
    page.on('console', (message) => {
      // The browser itself writes a line for each 401 and 404 that a test asks for.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        problems.push(message.text())
    })
    page.on('pageerror', (error) => problems.push(String(error)))
    await page.goto(url)
    try {
      await work(page)
    } catch (error) {
      await picture(page, 'failed')
      throw error
    }
    expect(problems).toEqual([])
  } finally {
    await context.close()
  }
}

export const sizeOf = (width: number) => ({ width, height: width < 600 ? 844 : 900 })

export async function picture(page: Page, name: string): Promise<void> {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
}

export async function expectAccessible(page: Page): Promise<void> {
  const found = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    // Mantine's dialogs have a <header>, which axe takes for a second banner.
    .disableRules(['landmark-no-duplicate-banner', 'landmark-unique'])
    .analyze()
  expect(
    found.violations.map(({ id, nodes }) => ({
      id,
      at: nodes.map(({ target, failureSummary }) => `${String(target)} ${failureSummary}`),
    })),
  ).toEqual([])
}

/** Names what sticks out, so that a failure tells where to look. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  // As text: the types of a browser's document are no business of the rest of this repository.
  const sticking = await page.evaluate<string[]>(`(() => {
    const { clientWidth, scrollWidth } = document.documentElement
    if (scrollWidth <= clientWidth) return []
    return [...document.querySelectorAll('body *')]
      .filter((element) => element.getBoundingClientRect().right > clientWidth + 0.5)
      .map((element) => element.tagName + ' ' + element.getAttribute('class'))
  })()`)
  expect(sticking).toEqual([])
}

/** Both widths and both schemes: readable by machines, nothing wider than the screen. */
export async function expectGoodInEveryLook(page: Page, name: string): Promise<void> {
  for (const width of [1280, 390]) {
    await page.setViewportSize(sizeOf(width))
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.locator(`html[data-mantine-color-scheme="${colorScheme}"]`).waitFor({ state: 'attached' })
      await picture(page, `${name}-${colorScheme}-${width}`)
      await expectAccessible(page)
    }
    await expectNoSidewaysScroll(page)
  }
}
