/** Accounts connected by OAuth, against stand-ins of the six vendors over sockets: agreed to, renewed, raced, lost, refused. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { registry, sandboxes } from '../../connectors/index.ts'
import { STARTER_PURPOSES } from '../../consent/purposes.ts'
import { type LoadedConfig, loadConfig } from '../../core/config.ts'
import { connectionCommands, finishConnection, redirectUrlOf } from '../../core/connections/flow.ts'
import { createKeepers, type Keepers } from '../../core/connections/keepers.ts'
import { CLAIM_MS, readConnection } from '../../core/connections/rows.ts'
import { connectionStatuses } from '../../core/connections/status.ts'
import { commandWriter, directWriter, writerCommands } from '../../core/connections/writer.ts'
import { connect } from '../../core/delivery/perform.ts'
import { createKeys, type Keys } from '../../core/keys.ts'
import { CredentialsMissing } from '../../core/kit/errors.ts'
import { createTransport } from '../../core/kit/transport.ts'
import { CommandError, type CommandResult } from '../../core/server/context.ts'
import { openState, type StateStore } from '../../core/stores/open.ts'
import { writeTurn } from '../../core/stores/turn.ts'
import { cases } from '../../core/testing/effort.ts'
import { writeMigratedState } from '../../core/testing/migrated-state.ts'
import type { OAuthAccount } from '../../core/testing/oauth-account.ts'
import { type RunningSandboxes, type Sandbox, serveSandboxes } from '../../core/testing/sandbox.ts'

const VENDORS = ['rdstation', 'rdstation-crm', 'google-ads', 'hubspot', 'salesforce', 'linkedin'] as const
type Vendor = (typeof VENDORS)[number]

const START = Date.parse('2026-11-24T12:00:00.000Z')
const sandboxOf = (vendor: Vendor) => sandboxes[vendor] as Sandbox<{ readonly oauth: OAuthAccount }>

let dir: string
let running: RunningSandboxes
let config: LoadedConfig
let now = START
let broken = false
/** The paths asked, newest last. */
let asked: string[] = []
const keys: Keys = createKeys(Buffer.alloc(32, 7))
const open: { close(): Promise<void> }[] = []

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-oauth-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))
beforeEach(async () => {
  now = START
  broken = false
  asked = []
  running = await serveSandboxes(
    VENDORS.map((vendor) => sandboxOf(vendor) as Sandbox),
    {
      now: () => new Date(now),
      intercept: (_, { path }) => {
        asked.push(path)
        return broken && /token|accessToken/.test(path) ? { status: 503, body: 'later' } : undefined
      },
    },
  )
  const file = join(dir, 'anuente.yaml')
  writeFileSync(
    file,
    stringify({
      organization: { name: 'Loja' },
      server: { publicUrl: 'https://hub.loja.example' },
      simulated: true,
      sources: {},
      purposes: STARTER_PURPOSES,
      destinations: Object.fromEntries(
        VENDORS.map((vendor) => [
          vendor,
          {
            connector: vendor,
            country: 'BR',
            purposes: ['customer_care'],
            sandbox: running.baseUrl(vendor),
            settings: sandboxOf(vendor).oauth!.settings(''),
          },
        ]),
      ),
    }),
  )
  config = loadConfig(file, { registry, env: {} })
})
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
  await running.close()
})

let made = 0
const storeAt = async (file: string, turn = writeTurn()): Promise<StateStore> => {
  if (!existsSync(file)) await writeMigratedState(file)
  const store = await openState({ file }, { turn })
  open.push(store)
  return store
}
const newFile = () => join(dir, `state-${++made}.db`)

/** As the hub runs a command. */
const runOn =
  (state: StateStore) =>
  async ({ name, args, actor }: { name: string; args: Readonly<Record<string, unknown>>; actor: string }) => {
    const handlers = { ...connectionCommands(config, keys), ...writerCommands(keys) }
    try {
      const value = await state.transaction((trx) =>
        handlers[name]!(args, {
          state: { ...state, db: trx as unknown as StateStore['db'] },
          actor,
          now,
        }),
      )
      return { ok: true, value } as CommandResult
    } catch (error) {
      if (error instanceof CommandError) return { ok: false, code: error.code, message: error.message } as CommandResult
      throw error
    }
  }

function keepersOn(state: StateStore, writer = directWriter(state, keys, () => now)): Keepers {
  const keepers = createKeepers(config, { db: state.db, writer, keys, clock: () => now })
  open.push(keepers)
  return keepers
}

const begin = async (state: StateStore, vendor: Vendor, session = 'session-1') => {
  const result = await runOn(state)({ name: 'beginConnection', args: { destination: vendor, session }, actor: 'ana' })
  if (!result.ok) throw new CommandError(result.code, result.message)
  return result.value as { url: string; state: string }
}
/** The owner agrees at the vendor; the browser is sent back. */
const agree = async (url: string): Promise<URL> => {
  const page = await fetch(url, { redirect: 'manual' })
  expect(page.status).toBe(302)
  return new URL(page.headers.get('location')!)
}
const finish = (state: StateStore, back: URL, session = 'session-1') =>
  finishConnection(
    {
      name: 'finishConnection',
      args: { code: back.searchParams.get('code'), state: back.searchParams.get('state'), session },
      actor: 'ana',
    },
    { config, clock: () => now, run: runOn(state) },
  )
const connectAccount = async (state: StateStore, vendor: Vendor): Promise<OAuthAccount> => {
  await finish(state, await agree((await begin(state, vendor)).url))
  return running.state(sandboxOf(vendor)).oauth
}

/** The connector's own check, with the token of the keeper, by the production transport. */
async function check(vendor: Vendor, keepers: Keepers): Promise<unknown> {
  const destination = config.destinationSettings.get(vendor)!
  const { definition, settings } = destination
  const base = typeof definition.baseUrl === 'string' ? definition.baseUrl : definition.baseUrl(settings)
  const transport = createTransport({
    allowPrivate: [],
    timeoutMs: 5000,
    sandbox: { vendorOrigin: new URL(base).origin, target: running.baseUrl(vendor) },
  })
  try {
    const http = connect(definition, settings, {
      credentials: keepers.of(destination),
      slot: (job) => job(),
      lastLook: async () => {},
      transport,
    })
    return await definition.check({ http, settings, now: new Date(now) })
  } finally {
    await transport.close()
  }
}
const tokenOf = (vendor: Vendor, keepers: Keepers) => keepers.of(config.destinationSettings.get(vendor)!)!.token()
const stateOf = async (vendor: Vendor, state: StateStore) =>
  (await connectionStatuses(config.destinationSettings.values(), state.db, now)).find(
    ({ destination }) => destination === vendor,
  )!

describe.each(VENDORS)('%s', (vendor) => {
  test('is connected by its page, renewed before the end and after a 401, and waits once revoked', async () => {
    const state = await storeAt(newFile())
    expect(await stateOf(vendor, state)).toMatchObject({ state: 'never' })
    const keepers = keepersOn(state)
    await expect(check(vendor, keepers)).rejects.toMatchObject({ connect: true })

    const account = await connectAccount(state, vendor)
    expect(await stateOf(vendor, state)).toMatchObject({ state: 'connected', connectedBy: 'ana', problem: null })
    now += 15_000
    expect(await check(vendor, keepers)).toMatchObject({ ok: true })
    expect(account.seen).toMatchObject({ refreshes: 0 })

    // Just before its end: renewed without a refusal.
    now = (await readConnection(state.db, vendor))!.expires_at! - 1000
    expect(await check(vendor, keepers)).toMatchObject({ ok: true })
    expect(account.seen).toMatchObject({ refreshes: 1, staleAccess: 0 })

    // Ended early by the vendor: one refresh, one retry of the same request.
    account.expire()
    asked = []
    expect(await check(vendor, keepers)).toMatchObject({ ok: true })
    expect(account.seen).toMatchObject({ refreshes: 2, staleRefreshes: 0 })
    expect(asked).toHaveLength(3)
    expect(asked[0]).toBe(asked[2])

    account.revoke()
    await expect(check(vendor, keepers)).rejects.toBeInstanceOf(CredentialsMissing)
    await expect(tokenOf(vendor, keepers)).resolves.toBeTypeOf('string')
    now = (await readConnection(state.db, vendor))!.expires_at! + 1
    await expect(check(vendor, keepers)).rejects.toMatchObject({ connect: true })
    expect(await stateOf(vendor, state)).toMatchObject({ state: 'needs_connection', problem: expect.any(String) })
    expect(await keepers.of(config.destinationSettings.get(vendor)!)!.ready()).toBe(false)

    // Somebody agrees again: it goes on by itself.
    await connectAccount(state, vendor)
    now += 15_000
    expect(await check(vendor, keepers)).toMatchObject({ ok: true })
  })
})

describe('the page at the vendor', () => {
  test('is asked for with the exact address, the state, the scopes and, where there is one, the challenge', async () => {
    const state = await storeAt(newFile())
    const google = new URL((await begin(state, 'google-ads')).url).searchParams
    expect(Object.fromEntries(google)).toMatchObject({
      response_type: 'code',
      redirect_uri: redirectUrlOf('https://hub.loja.example'),
      scope: 'https://www.googleapis.com/auth/datamanager https://www.googleapis.com/auth/adwords',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
      access_type: 'offline',
    })
    expect(google.get('state')).toMatch(/^[\w-]{32}$/)
    expect(new URL((await begin(state, 'rdstation')).url).searchParams.has('code_challenge')).toBe(false)
  })

  test('comes back to the session that began it, once, within a quarter of an hour', async () => {
    const state = await storeAt(newFile())
    const back = await agree((await begin(state, 'hubspot')).url)
    await expect(finish(state, back, 'session-of-somebody-else')).rejects.toMatchObject({ code: 'STATE_UNKNOWN' })
    await expect(finish(state, back)).resolves.toEqual({ destination: 'hubspot' })
    await expect(finish(state, back)).rejects.toMatchObject({ code: 'STATE_UNKNOWN' })
    const late = await agree((await begin(state, 'hubspot')).url)
    now += 16 * 60_000
    await expect(finish(state, late)).rejects.toMatchObject({ code: 'STATE_UNKNOWN' })
  })

  test('of another client says which settings to look at, and keeps no token', async () => {
    const state = await storeAt(newFile())
    const { url, state: handle } = await begin(state, 'hubspot')
    await agree(url)
    const back = new URL('https://hub.loja.example/oauth/callback')
    back.searchParams.set('code', 'somebody-made-this-up')
    back.searchParams.set('state', handle)
    await expect(finish(state, back)).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('code'),
    })
    expect(await readConnection(state.db, 'hubspot')).toBeUndefined()
  })

  test('a terminal may be sent back to its own machine and to no other place', async () => {
    const state = await storeAt(newFile())
    const ask = (redirectUrl: string, session: string) =>
      runOn(state)({ name: 'beginConnection', args: { destination: 'hubspot', session, redirectUrl }, actor: 'cli' })
    expect(await ask('http://127.0.0.1:8765/callback', 'terminal')).toMatchObject({ ok: true })
    expect(await ask('http://127.0.0.1:8765/callback', 'session-1')).toMatchObject({ ok: false })
    expect(await ask('https://elsewhere.example/callback', 'terminal')).toMatchObject({ ok: false })
  })
})

describe('renewing', () => {
  test('two processes race again and again: one asks, nobody uses a token that has ended', async () => {
    const file = newFile()
    const turn = writeTurn()
    const [one, two] = [await storeAt(file, turn), await storeAt(file, turn)]
    const account = await connectAccount(one, 'rdstation')
    // One writes by itself, as deliver does; the other by commands, as the HTTP side does.
    const [a, b] = [keepersOn(one), keepersOn(two, commandWriter(runOn(two)))]
    for (let round = 1; round <= cases(8); round++) {
      now += 25 * 3_600_000
      const tokens = await Promise.all([a, b, a, b].map((keepers) => tokenOf('rdstation', keepers)))
      expect(new Set(tokens).size).toBe(1)
      expect(account.accepts(`Bearer ${tokens[0]}`, new Date(now))).toBe(true)
      expect(account.seen).toMatchObject({ refreshes: round, staleRefreshes: 0, staleAccess: 0 })
    }
  })

  test('a crash between the answer and the commit: a vendor that keeps its refresh token loses nothing', async () => {
    const state = await storeAt(newFile())
    const account = await connectAccount(state, 'google-ads')
    const writer = directWriter(state, keys, () => now)
    const dies = keepersOn(state, { ...writer, store: () => Promise.reject(new Error('killed')) })
    now += 2 * 3_600_000
    await expect(tokenOf('google-ads', dies)).rejects.toThrow('killed')
    now += CLAIM_MS + 1
    await expect(tokenOf('google-ads', keepersOn(state))).resolves.toBeTypeOf('string')
    expect(account.seen).toMatchObject({ refreshes: 2, staleRefreshes: 0 })
  })

  test('a crash between the answer and the commit: of a rotating one the account asks to be connected, by name', async () => {
    const state = await storeAt(newFile())
    await connectAccount(state, 'rdstation')
    const writer = directWriter(state, keys, () => now)
    const dies = keepersOn(state, { ...writer, store: () => Promise.reject(new Error('killed')) })
    now += 25 * 3_600_000
    await expect(tokenOf('rdstation', dies)).rejects.toThrow('killed')
    now += CLAIM_MS + 1
    await expect(tokenOf('rdstation', keepersOn(state))).rejects.toMatchObject({
      connect: true,
      message: expect.stringContaining('anuente connect rdstation'),
    })
    expect(await stateOf('rdstation', state)).toMatchObject({ state: 'needs_connection', problem: 'answer_lost' })
  })

  test('while the token endpoint is down the old token serves until its end, then deliveries wait', async () => {
    const state = await storeAt(newFile())
    const account = await connectAccount(state, 'hubspot')
    const keepers = keepersOn(state)
    const { expires_at: ends } = (await readConnection(state.db, 'hubspot'))!
    broken = true
    now = ends! - 1000
    await expect(tokenOf('hubspot', keepers)).resolves.toBeTypeOf('string')
    now = ends! + 1
    await expect(tokenOf('hubspot', keepers)).rejects.toMatchObject({ connect: false })
    expect(await stateOf('hubspot', state)).toMatchObject({ state: 'connected', problem: 'http_503' })
    // Nobody asks again before the time it was put off to.
    asked = []
    await expect(tokenOf('hubspot', keepers)).rejects.toMatchObject({ connect: false })
    expect(asked).toEqual([])
    broken = false
    now += 31_000
    await expect(tokenOf('hubspot', keepers)).resolves.toBeTypeOf('string')
    expect(account.seen).toMatchObject({ refreshes: 1 })
  })

  test('a vendor that refuses even a fresh token is not asked in a loop', async () => {
    const state = await storeAt(newFile())
    const account = await connectAccount(state, 'linkedin')
    const keepers = keepersOn(state)
    account.refuseTokens()
    await expect(check('linkedin', keepers)).rejects.toMatchObject({ connect: true })
    expect(await stateOf('linkedin', state)).toMatchObject({ state: 'needs_connection', problem: 'token_refused' })
    asked = []
    await expect(check('linkedin', keepers)).rejects.toMatchObject({ connect: true })
    expect(asked).toEqual([])
  })

  test('tokens of another app are not used, and a refresh token about to end is told of', async () => {
    const state = await storeAt(newFile())
    await connectAccount(state, 'linkedin')
    now += 352 * 86_400_000
    expect(await stateOf('linkedin', state)).toMatchObject({ state: 'expiring' })
    await state.db.updateTable('oauth_connections').set({ client: 'another-app' }).execute()
    expect(await stateOf('linkedin', state)).toMatchObject({ state: 'needs_connection', problem: 'other_client' })
    await expect(tokenOf('linkedin', keepersOn(state))).rejects.toMatchObject({ connect: true })
  })

  test('nothing that is stored can be read without the keys, nor in another row', async () => {
    const state = await storeAt(newFile())
    await connectAccount(state, 'hubspot')
    await connectAccount(state, 'rdstation')
    const [hubspot, rdstation] = await Promise.all([
      readConnection(state.db, 'hubspot'),
      readConnection(state.db, 'rdstation'),
    ])
    expect(Buffer.from(hubspot!.sealed).toString('latin1')).not.toContain('access-')
    await state.db
      .updateTable('oauth_connections')
      .set({ sealed: rdstation!.sealed, key_id: rdstation!.key_id })
      .where('destination', '=', 'hubspot')
      .execute()
    await expect(tokenOf('hubspot', keepersOn(state))).rejects.toThrow('unable to authenticate data')
  })
})
