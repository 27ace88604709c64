/**
 * Examples of a destination, run as the deliver stage would: what they are given, and what leaves. The contract suite
 * compares them, `anuente dev` records new ones.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { TObject } from 'typebox'
import type { CanonicalEvent, IdentifierType } from '../../schemas/event.ts'
import type { Cart } from '../../schemas/profile.ts'
import { buildPayload, checkAgainst } from '../delivery/payload.ts'
import { connect, type Item, type ItemResult, performAction, reachOf } from '../delivery/perform.ts'
import { buildView } from '../delivery/view.ts'
import type { AnyDestination, OutgoingSignals } from '../kit/define.ts'
import type { Http, HttpRequest, Transport } from '../kit/http.ts'
import { type ClosableTransport, createTransport, isDeclared } from '../kit/transport.ts'
import type { RunningSandboxes } from './sandbox.ts'

/** What every example is given besides its event. Two events of one example are delivery-1 and delivery-2. */
export const GIVEN = {
  now: '2026-11-24T12:00:00.000Z',
  person: '01JDPERS0N0000000000000001',
  delivery: (position = 1) => ({ id: `delivery-${position}`, key: `key-${position}` }),
  links: {
    stop: 'https://hub.example/privacidade/parar/tk_stop',
    why: 'https://hub.example/privacidade/porque/tk_why',
  },
} as const

export interface SentRequest {
  readonly method: string
  /** Below the connector's base URL, with the query; or absolute. */
  readonly path: string
  /** Must be among the headers; names lower-cased. */
  readonly headers?: Readonly<Record<string, unknown>>
  /** JSON and forms are compared as values, anything else as text. Absent: no body. Matchers such as expect.any(String) are allowed. */
  readonly body?: unknown
}

export interface VendorAnswer {
  readonly status: number
  readonly body?: string | object
  readonly headers?: Readonly<Record<string, string>>
}

export interface DestinationExample {
  readonly title: string
  readonly action: string
  /** Several events: one batch. */
  readonly given: CanonicalEvent | readonly CanonicalEvent[]
  readonly profile?: {
    readonly traits?: Readonly<Record<string, unknown>>
    readonly identifiers?: Readonly<Partial<Record<IdentifierType, string>>>
  }
  readonly cart?: Cart
  readonly rule?: { readonly id: string; readonly version: number }
  /** Payload fields the rule sets. */
  readonly with?: Readonly<Record<string, unknown>>
  readonly signals?: Partial<OutgoingSignals>
  /** On top of the contract's settings. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Look-ups before the write, in order, and what the vendor answers to them. */
  readonly lookups?: readonly { readonly method?: 'POST'; readonly path: string; readonly answers: VendorAnswer }[]
  /** The one write. */
  readonly sends: SentRequest
  /** What the vendor answers to the write; 200 with {} when absent. */
  readonly answers?: VendorAnswer
  /** One per event; all delivered when absent. */
  readonly outcomes?: readonly unknown[]
}

export const NO_SIGNALS: OutgoingSignals = {
  rd: [],
  google: {},
  segment: {},
  rudder: { allowedConsentIds: [], deniedConsentIds: [] },
}

/** The frozen items of an example, as the deliver stage would hold them. */
export function itemsOf(definition: AnyDestination, example: Omit<DestinationExample, 'sends' | 'title'>): Item[] {
  const given = 'id' in example.given ? [example.given] : example.given
  return given.map((event, index) => {
    const delivery = GIVEN.delivery(index + 1)
    const view = buildView({
      event,
      ...(example.profile?.traits && { traits: example.profile.traits }),
      ...(example.profile?.identifiers && { identifiers: example.profile.identifiers }),
      ...(example.cart && { cart: example.cart }),
      ...(example.rule && { rule: example.rule }),
      person: { id: GIVEN.person },
      delivery,
      links: GIVEN.links,
      decidedAt: GIVEN.now,
    })
    const payload = buildPayload(actionOf(definition, example.action).payload, view, example.with)
    if ('errors' in payload) throw new Error(`the example does not map: ${JSON.stringify(payload.errors)}`)
    return {
      payload: payload.value,
      signals: { ...NO_SIGNALS, ...example.signals },
      delivery,
      occurredAt: event.occurredAt,
    }
  })
}

export interface Recording {
  readonly results: readonly ItemResult[]
  readonly requests: readonly HttpRequest[]
  /** slot, look, bytes in the order they happened. */
  readonly steps: readonly string[]
}

/** Runs items through an action as the deliver stage would, recording what leaves. */
export async function runAction(
  definition: AnyDestination,
  action: string,
  items: readonly Item[],
  options: {
    readonly settings: Readonly<Record<string, unknown>>
    readonly transport: Transport
    readonly now?: string
    readonly lastLook?: () => Promise<void>
  },
): Promise<Recording> {
  const requests: HttpRequest[] = []
  const steps: string[] = []
  const settings = settingsOf(definition, options.settings)
  const http = () =>
    connect(definition, settings, {
      slot: (job) => {
        steps.push('slot')
        return job()
      },
      lastLook: async () => {
        steps.push('look')
        await options.lastLook?.()
      },
      transport: (request) => {
        steps.push('bytes')
        requests.push(request)
        demandDeclared(definition, settings, request)
        return options.transport(request)
      },
    })
  const now = new Date(options.now ?? GIVEN.now)
  const results = await performAction({ definition, action, settings, now, items, http })
  return { results, requests, steps }
}

/** The connector's HTTP without quota or gate, for `check` and subject rights. */
export function plainHttp(
  definition: AnyDestination,
  settings: Readonly<Record<string, unknown>>,
  transport: Transport,
): Http {
  const checked = settingsOf(definition, settings)
  return connect(definition, checked, {
    slot: (job) => job(),
    lastLook: async () => {},
    async transport(request) {
      demandDeclared(definition, checked, request)
      return transport(request)
    },
  })
}

/** At run time the transport refuses such a request; here it is a fault of the connector. */
function demandDeclared(definition: AnyDestination, settings: unknown, { url }: HttpRequest): void {
  if (!isDeclared(reachOf(definition, settings).hosts, new URL(url)))
    throw new Error(`${definition.id} reaches ${new URL(url).host} and does not declare it under hosts`)
}

/** The production transport, with the connector's vendor replaced by its running sandbox. */
export function sandboxTransport(running: RunningSandboxes, connector: string, timeoutMs = 10_000): ClosableTransport {
  const target = running.baseUrl(connector)
  const byOrigin = new Map<string, ClosableTransport>()
  const transport: Transport = (request) => {
    const vendorOrigin = new URL(request.url).origin
    let carrier = byOrigin.get(vendorOrigin)
    if (!carrier) {
      const there = vendorOrigin === running.origin ? {} : { sandbox: { vendorOrigin, target } }
      carrier = createTransport({ allowPrivate: ['127.0.0.1'], timeoutMs, ...there })
      byOrigin.set(vendorOrigin, carrier)
    }
    return carrier(request)
  }
  const close = async () => {
    await Promise.all([...byOrigin.values()].map((carrier) => carrier.close()))
  }
  return Object.assign(transport, { close })
}

/** Checked, with defaults. */
export function settingsOf(
  definition: AnyDestination,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const checked = checkAgainst<Record<string, unknown>>(definition.settings, structuredClone(given))
  if ('errors' in checked) throw new Error(`settings of ${definition.id}: ${JSON.stringify(checked.errors)}`)
  return checked.value
}

export const actionOf = (
  definition: AnyDestination,
  action: string,
): { readonly payload: TObject; readonly batch?: unknown } => {
  const found = definition.actions[action]
  if (!found) throw new Error(`${definition.id} has no action ${action}`)
  return found
}

/** JSON and forms as values, anything else as text. */
export function readBody(body: string, type = ''): unknown {
  if (body === '') return undefined
  if (type.includes('x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(body))
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

/** Examples that `anuente dev` saved beside a connector; none when there is no such file. */
export function savedExamples(file: string): DestinationExample[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as DestinationExample[]) : []
}
