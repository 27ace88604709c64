/** A hub with nothing but its state, admin API and cockpit: filled with a made-up day, for tests of what people see. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Config } from '../../schemas/config.ts'
import { createBacktestDesk, type RunBacktest } from '../backtests/jobs.ts'
import type { ExplainedJourney } from '../explain.ts'
import type { Registry } from '../kit/define.ts'
import { adminCommands } from '../server/accounts/commands.ts'
import { registerAdmin } from '../server/admin/register.ts'
import {
  CommandError,
  type CommandHandlers,
  type CommandResult,
  type LiveEvent,
  type ServerContext,
} from '../server/context.ts'
import { insertMany, openState, type StateStore } from '../stores/open.ts'

const purposes: Config['purposes'] = {
  orders: {
    basis: 'contract',
    scope: 'person',
    title: { pt: 'Pedidos', en: 'Orders' },
    collects: ['Order *'],
    stages: ['collect', 'decide', 'activate'],
  },
  email_marketing: {
    basis: 'consent',
    scope: 'person',
    title: { pt: 'Ofertas por e-mail', en: 'Offers by e-mail' },
    collects: ['Cart *'],
    stages: ['collect', 'decide', 'activate'],
  },
}

export const adminHubConfig: Config = {
  organization: { name: 'Loja Exemplo', timezone: 'America/Sao_Paulo', currency: 'BRL' },
  server: { publicUrl: 'http://hub.loja.example' },
  sources: {
    site: {
      connector: 'shop',
      notice: { id: 'cookies', version: 3 },
      settings: { writeKey: 'wk_site_0123456789', region: 'br' },
    },
    app: { connector: 'shop', settings: { writeKey: 'short' } },
    antigo: { connector: 'gone', settings: { apiKey: 'never-to-be-seen-1234' } },
  },
  purposes,
  destinations: {
    crm: {
      connector: 'mailer',
      role: 'operator',
      country: 'BR',
      purposes: ['email_marketing', 'orders'],
      settings: { apiKey: 'key-0123456789-abcd', list: 'L1' },
    },
    ads: {
      connector: 'mailer',
      role: 'operator',
      country: 'US',
      purposes: { ads_measurement: 'orders' },
      settings: { apiKey: 'key-9876543210-wxyz', list: 'L2' },
    },
  },
  simulated: true,
}

const nothing = { pt: 'Não há.', en: 'None.' }
export const adminHubRegistry = {
  sources: new Map([
    [
      'shop',
      {
        id: 'shop',
        name: 'Loja (SDK)',
        docs: 'https://docs.loja.example/sdk',
        support: 'community',
        settings: Type.Object({
          writeKey: Type.String({ secret: true, description: 'Key of the SDK.' }),
          region: Type.String({ description: 'Where the shop sells.' }),
        }),
      },
    ],
  ]),
  destinations: new Map([
    [
      'mailer',
      {
        id: 'mailer',
        name: 'Correio Exemplo',
        docs: 'https://docs.correio.example',
        support: 'community',
        settings: Type.Object({ apiKey: Type.String({ secret: true }), list: Type.String() }),
        deleteSubject: { manual: nothing },
        feedback: { none: nothing },
        actions: {
          sendConversion: {
            title: { pt: 'Enviar conversão', en: 'Send conversion' },
            purpose: 'email_marketing',
            channel: 'email',
          },
          upsertContact: {
            title: { pt: 'Criar ou atualizar contato', en: 'Create or update contact' },
            purpose: 'orders',
          },
        },
      },
    ],
  ]),
} as unknown as Registry

export interface AdminHub {
  readonly app: FastifyInstance
  readonly state: StateStore
  readonly config: Config
  readonly url: string
  /** Every command that was run, in order. */
  readonly ran: { name: string; actor: string; args: Readonly<Record<string, unknown>> }[]
  run(name: string, args?: Record<string, unknown>, actor?: string): Promise<CommandResult>
  /** Shows lines in the live view. */
  emit(...lines: LiveEvent[]): void
  close(): Promise<void>
}

export interface AdminHubOptions {
  readonly cockpitDir?: string
  readonly secureCookies?: boolean
  readonly config?: Partial<Config>
  /** Commands that other parts of the hub own. */
  readonly commands?: CommandHandlers
  /** What there is to explain, by id. */
  readonly journeys?: Readonly<Record<string, ExplainedJourney>>
  readonly why?: ServerContext['why']
  readonly backtest?: RunBacktest
}

export async function startAdminHub(options: AdminHubOptions = {}): Promise<AdminHub> {
  const dir = mkdtempSync(join(tmpdir(), 'anuente-admin-'))
  const state = await openState({ file: join(dir, 'state.db') })
  const handlers: CommandHandlers = { ...adminCommands, ...options.commands }
  const ran: AdminHub['ran'] = []
  const recent: LiveEvent[] = []
  const listeners = new Set<(events: readonly LiveEvent[]) => void>()

  const execute: ServerContext['run'] = async ({ name, args, actor }) => {
    ran.push({ name, actor, args })
    const handler = handlers[name]
    if (!handler) return { ok: false, code: 'UNAVAILABLE', message: `Nothing here runs "${name}".` }
    try {
      // What crosses the message port must be plain data.
      const value = await state.transaction((trx) =>
        handler(structuredClone(args), {
          // As the process role runs them: a command that asks for a transaction is in one already.
          state: { ...state, db: trx, transaction: (work) => work(trx) },
          actor,
          now: Date.now(),
        }),
      )
      return { ok: true, value: structuredClone(value) }
    } catch (error) {
      if (error instanceof CommandError) return { ok: false, code: error.code, message: error.message }
      throw error
    }
  }
  const config = { ...adminHubConfig, ...options.config }
  const backtests = createBacktestDesk(
    options.backtest ?? (async () => Promise.reject(new Error('nothing here runs backtests'))),
    Date.now,
  )
  const context: ServerContext = {
    config,
    registry: adminHubRegistry,
    state,
    ledger: { anchorFolder: undefined, privacy: 'open' },
    live: {
      recent: () => recent,
      subscribe: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    explain: async (id) => options.journeys?.[id],
    why: options.why ?? (async () => 'NOBODY'),
    backtests,
    run: execute,
  }
  const app = Fastify({ forceCloseConnections: true })
  await registerAdmin(app, context, {
    secureCookies: options.secureCookies ?? false,
    cockpitDir: options.cockpitDir ?? join(dir, 'cockpit'),
    logBacklog: () => 7,
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    app,
    state,
    config,
    url,
    ran,
    run: (name, args = {}, actor = 'test') => execute({ name, args, actor }),
    emit: (...lines) => {
      recent.push(...lines)
      if (recent.length > 500) recent.splice(0, recent.length - 500)
      for (const listener of listeners) listener(lines)
    },
    close: async () => {
      await app.close()
      await state.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** A delivery with the usual values; the rest from `row`. */
export function deliveryRow(row: { id: string; created_at: number } & Record<string, unknown>) {
  return {
    destination: 'crm',
    action: 'sendConversion',
    kind: 'message',
    person_id: 'p_ana',
    node_id: 'n1',
    purpose: 'email_marketing',
    channel: 'email',
    rule: 'cart-recovery',
    rule_version: 3,
    arm: 'treated',
    event_id: 'evt-cart',
    ord: row.created_at,
    status: 'delivered',
    reason: 'DELIVERED',
    entry_id: null,
    due_at: row.created_at,
    expires_at: null,
    attempt: 1,
    lease: null,
    leased_until: null,
    input: null,
    payload: null,
    answer: null,
    settled_at: row.created_at + 900,
    ...row,
  }
}

const SEALED = Buffer.from('SEALED-BODY ana@example.com')

/** Two hours of traffic, one delivery of every kind, three quarantined inputs, and one explanation. */
export async function fillAdminHub({ state }: Pick<AdminHub, 'state'>, now: number): Promise<void> {
  const { db, dialect } = state
  const minute = Math.floor(now / 60_000)
  const rollups: [number, string, string, number][] = []
  for (let back = 130; back >= 0; back--) {
    const wave = 1 + 0.35 * Math.sin(back / 9) + 0.1 * Math.cos(back / 2)
    rollups.push(
      [minute - back, 'source:site', 'RECEIVED', Math.round(60 * wave)],
      [minute - back, 'source:app', 'RECEIVED', Math.round(24 * wave)],
      [minute - back, 'source:site', 'DUPLICATE', Math.round(3 * wave)],
      [minute - back, 'source:site', 'CONSENT_DENIED', Math.round(11 * wave)],
      [minute - back, 'source:app', 'NO_PURPOSE', Math.round(4 * wave)],
      [minute - back, 'source:site', 'KEPT', Math.round(48 * wave)],
      [minute - back, 'destination:crm', 'RECEIVED', Math.round(11 * wave)],
      [minute - back, 'destination:crm', 'DELIVERED', Math.round(9 * wave)],
      [minute - back, 'destination:crm', 'HELD_OUT', Math.round(2 * wave)],
      [minute - back, 'destination:ads', 'BLOCKED_BY_CONSENT', Math.round(2 * wave)],
    )
    if (back % 7 === 0)
      rollups.push([minute - back, 'destination:ads', 'EXHAUSTED', 1], [minute - back, 'destination:ads', 'RETRY', 3])
    if (back % 11 === 0)
      rollups.push([minute - back, 'source:site', 'INVALID', 2], [minute - back, 'source:site', 'UNKNOWN_KEY', 1])
    if (back % 5 === 0)
      rollups.push([minute - back, 'source:site', 'HELD', 4], [minute - back, 'destination:crm', 'CAPPED', 1])
  }
  await insertMany(db, dialect, 'rollups', ['minute', 'origin', 'code', 'count'], rollups)

  await db
    .insertInto('nodes')
    .values({
      id: 'n1',
      person_id: 'p_ana',
      subject: 's_00000000000000000000000000',
      device: 0,
      data_key: SEALED,
      proof_key: SEALED,
      founded_at: now - 86_400_000,
    })
    .execute()
  await db
    .insertInto('history')
    .values({
      id: 'evt-cart',
      node_id: 'n1',
      person_seq: 12,
      type: 'track',
      name: 'Product Added',
      occurred_at: now - 1_900_000,
      received_at: now - 1_899_000,
      source_id: 'site',
      connector: 'shop',
      purposes: JSON.stringify(['email_marketing']),
      amounts: JSON.stringify({ value: 12_990, currency: 'BRL' }),
      sealed: SEALED,
    })
    .execute()
  await db
    .insertInto('ledger_pending')
    .values({
      id: 'entry-1',
      node_id: 'n1',
      subject: 's_00000000000000000000000000',
      purpose: 'email_marketing',
      at: now - 40 * 86_400_000,
      public: JSON.stringify({
        v: 1,
        id: 'entry-1',
        ts: new Date(now - 40 * 86_400_000).toISOString(),
        type: 'consent.grant',
        subject: 's_00000000000000000000000000',
        actor_kind: 'subject',
        source: 'segment/site',
        purpose: 'email_marketing',
        status: 'granted',
        basis: 'consent',
        evidence_class: 'valid',
        notice: { id: 'newsletter', version: 2 },
        commit: '00',
      }),
      sealed: SEALED,
    })
    .execute()

  const explanation = (id: string, result: string, arm: string, entered: boolean, deliveryIds: string[]) => ({
    id,
    person_id: 'p_ana',
    event_id: id === 'x2' ? 'evt-other' : 'evt-cart',
    at: now - 100_000,
    body: JSON.stringify([
      {
        rule: 'cart-recovery',
        version: 3,
        at: new Date(now - 100_000).toISOString(),
        result,
        clauses: [
          {
            id: 'when.absence.within',
            clause: 'nothing ended the wait of 30 minutes after "Product Added"',
            pt: 'nada encerrou a espera de 30 minutos depois de "Product Added"',
            ok: true,
            value: true,
          },
          {
            id: 'who.all.0',
            clause: 'cart.total is at least 5000',
            pt: 'cart.total é pelo menos 5000',
            ok: true,
            value: 12_990,
          },
          {
            id: 'unless.caps.0',
            clause: 'fewer than 2 within 7 days for this person',
            pt: 'menos de 2 no período de 7 dias para esta pessoa',
            ok: entered,
            value: entered ? 0 : 2,
          },
        ],
        arm,
        entryId: 'entry-1',
        deliveryIds,
        skipped: [],
      },
    ]),
  })
  await db
    .insertInto('explanations')
    .values([
      explanation('x1', 'ENQUEUED', 'treated', true, ['d-delivered', 'd-dead']),
      explanation('x2', 'ENQUEUED', 'control', true, ['d-held-out']),
    ])
    .execute()
  const rows = [
    deliveryRow({
      id: 'd-delivered',
      created_at: now - 90_000,
      entry_id: 'entry-1',
      answer: '200 event_uuid 5408c5a3',
    }),
    deliveryRow({
      id: 'd-held-out',
      created_at: now - 95_000,
      status: 'held_out',
      reason: 'HELD_OUT',
      arm: 'control',
      entry_id: 'entry-1',
      event_id: 'evt-other',
      attempt: 0,
    }),
    deliveryRow({
      id: 'd-blocked',
      created_at: now - 200_000,
      status: 'blocked',
      reason: 'BLOCKED_BY_CONSENT',
      destination: 'ads',
      rule: null,
      rule_version: null,
      event_id: 'evt-order',
      purpose: 'orders',
      channel: null,
      attempt: 0,
    }),
    deliveryRow({
      id: 'd-dead',
      created_at: now - 300_000,
      status: 'dead',
      reason: 'EXHAUSTED',
      destination: 'ads',
      attempt: 3,
      answer: '503 upstream unavailable',
    }),
    deliveryRow({
      id: 'd-retry',
      created_at: now - 60_000,
      status: 'retry',
      reason: 'RETRY',
      destination: 'ads',
      due_at: now - 20_000,
      settled_at: null,
      attempt: 1,
    }),
  ]
  for (let index = 0; index < 60; index++)
    rows.push(
      deliveryRow({
        id: `d-more-${String(index).padStart(2, '0')}`,
        created_at: now - 400_000 - index * 1000,
        event_id: `evt-${index}`,
      }),
    )
  await db
    .insertInto('deliveries')
    .values(rows as never)
    .execute()
  await db
    .insertInto('attempts')
    .values([
      { delivery_id: 'd-delivered', n: 1, at: now - 89_500, outcome: 'DELIVERED', reason: '200' },
      { delivery_id: 'd-dead', n: 1, at: now - 299_000, outcome: 'RETRY', reason: '503 upstream unavailable' },
      { delivery_id: 'd-dead', n: 2, at: now - 295_000, outcome: 'RETRY', reason: '503 upstream unavailable' },
      { delivery_id: 'd-dead', n: 3, at: now - 280_000, outcome: 'RETRY', reason: 'timeout after 10 s' },
    ])
    .execute()
  const quarantined = (id: string, code: string, path: string, message: string, age: number) => ({
    id,
    source_id: 'site',
    connector: 'shop',
    code,
    path,
    message,
    key_id: 'day',
    sealed: SEALED,
    status: 'open',
    fences: '[]',
    received_at: now - age,
    expires_at: now - age + 30 * 86_400_000,
  })
  await db
    .insertInto('quarantine')
    .values([
      quarantined('q-1', 'INVALID', '/batch/2/properties', 'properties must be an object', 30_000),
      quarantined('q-2', 'NO_IDENTIFIER', '/batch/0', 'the event names nobody', 400_000),
      quarantined('q-3', 'BAD_TIMESTAMP', '/batch/1/timestamp', 'the timestamp lies in 1970', 4_000_000),
    ])
    .execute()
  await db
    .insertInto('rule_versions')
    .values([
      { rule: 'cart-recovery', version: 2, hash: 'aa', body: '{}', loaded_at: now - 86_400_000 },
      {
        rule: 'cart-recovery',
        version: 3,
        hash: 'bb',
        body: JSON.stringify({ title: { pt: 'Recuperação de carrinho', en: 'Cart recovery' } }),
        loaded_at: now - 3_600_000,
      },
    ])
    .execute()
}

export function liveLines(now: number, count: number, from = 0): LiveEvent[] {
  const kinds = [
    {
      kind: 'event',
      origin: 'site',
      type: 'track',
      name: 'Product Added',
      stage: 'apply',
      code: 'KEPT',
      personId: 'p_ana',
    },
    { kind: 'event', origin: 'app', type: 'page', name: 'Carrinho', stage: 'collect', code: 'CONSENT_DENIED' },
    {
      kind: 'delivery',
      origin: 'crm',
      type: 'message',
      name: 'sendConversion',
      stage: 'settle',
      code: 'DELIVERED',
      personId: 'p_ana',
    },
    { kind: 'event', origin: 'site', type: 'identify', name: 'identify', stage: 'deduplicate', code: 'DUPLICATE' },
    { kind: 'delivery', origin: 'crm', type: 'message', name: 'sendConversion', stage: 'permit', code: 'HELD_OUT' },
    { kind: 'event', origin: 'site', type: 'track', name: 'Checkout Started', stage: 'normalize', code: 'INVALID' },
    { kind: 'delivery', origin: 'ads', type: 'event', name: 'sendPurchase', stage: 'send', code: 'EXHAUSTED' },
  ] as const
  const ids = ['evt-cart', 'evt-none', 'd-delivered', 'evt-dup', 'd-held-out', 'q-1', 'd-dead'] as const
  return Array.from({ length: count }, (_, index) => {
    const n = from + index
    const kind = kinds[n % kinds.length]!
    const named = n < kinds.length ? ids[n]! : `${ids[n % ids.length]}-${n}`
    return { id: named, at: now - (count - index) * 700, ...kind }
  })
}
