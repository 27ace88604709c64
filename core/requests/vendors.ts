/** Calls to recipients: what a destination's definition says about subjects, and systems that speak OpenDSR. */
import { openDsrOut } from '../../consent/requests/opendsr.ts'
import type { IdentifierType } from '../../schemas/event.ts'
import type { RecipientOperation, Right, SystemConfig } from '../../schemas/requests.ts'
import type { DestinationSettings, LoadedConfig } from '../config.ts'
import { createLimiter, type Limiter } from '../delivery/limiter.ts'
import { buildPayload } from '../delivery/payload.ts'
import { type Credentials, connect, performAction, reachOf, resultOf } from '../delivery/perform.ts'
import { buildView } from '../delivery/view.ts'
import type { Outcome } from '../kit/define.ts'
import { createHttp, type HttpResponse, judge, type Transport } from '../kit/http.ts'
import { type ClosableTransport, createTransport } from '../kit/transport.ts'

export interface VendorResult {
  readonly status: 'done' | 'retry' | 'failed'
  readonly answer: string
  readonly retryAfterMs?: number | undefined
  /** What a vendor exported. */
  readonly content?: string
}

export interface Vendors {
  call(
    destinationId: string,
    operation: RecipientOperation,
    subject: Readonly<Partial<Record<IdentifierType, string>>>,
    corrections: Readonly<Record<string, unknown>> | undefined,
  ): Promise<VendorResult>
  openDsr(
    system: SystemConfig,
    request: { readonly id: string; readonly right: Right; readonly receivedAt: number },
    subject: Readonly<Partial<Record<IdentifierType, string>>>,
  ): Promise<VendorResult>
  /** A status told to whoever sent a request by OpenDSR. */
  callback(url: string, body: object): Promise<VendorResult>
  /** A code of the portal, by an action of a destination. */
  sendCode(way: CodeWay, contact: string, code: string, id: string): Promise<VendorResult>
  close(): Promise<void>
}

export interface CodeWay {
  readonly channel: 'sms' | 'whatsapp'
  readonly destination: string
  readonly action: string
  readonly with?: Readonly<Record<string, unknown>>
}

const TIMEOUT_MS = 15_000

export interface VendorPorts {
  readonly transportFor?: ((id: string) => Transport | undefined) | undefined
  /** The token of a connected account. */
  readonly credentialsFor?: ((destination: DestinationSettings) => Credentials | undefined) | undefined
}

export function createVendors(config: LoadedConfig, { transportFor, credentialsFor }: VendorPorts = {}): Vendors {
  const transports = new Map<string, ClosableTransport>()
  const limiters = new Map<string, Limiter>()
  const allowPrivate = config.config.network?.allow ?? []

  const transportOf = ({ id, definition, settings, config: own }: DestinationSettings): Transport => {
    const given = transportFor?.(id)
    if (given) return given
    let transport = transports.get(id)
    if (!transport) {
      const { origin, hosts } = reachOf(definition, settings)
      transport = createTransport({
        allowPrivate,
        hosts,
        ...(own.sandbox !== undefined && { sandbox: { vendorOrigin: origin.origin, target: own.sandbox } }),
        timeoutMs: TIMEOUT_MS,
      })
      transports.set(id, transport)
    }
    return transport
  }
  const slotOf = ({ id, definition }: DestinationSettings): Limiter['slot'] => {
    let limiter = limiters.get(id)
    if (!limiter) {
      limiter = createLimiter(definition.limits)
      limiters.set(id, limiter)
    }
    return limiter.slot
  }
  /** To an address of the configuration that is no destination. */
  const post = async (url: string, body: object, headers: Record<string, string>): Promise<VendorResult> => {
    const { host } = new URL(url)
    let transport = transports.get(`url ${host}`)
    if (!transport) {
      transport = createTransport({ allowPrivate, hosts: [host], timeoutMs: TIMEOUT_MS })
      transports.set(`url ${host}`, transport)
    }
    const http = createHttp({ baseUrl: url, headers, slot: (job) => job(), lastLook: async () => {}, transport })
    try {
      const answer = await http.request('POST', '', { json: body })
      return { status: 'done', answer: String(answer.status) }
    } catch (error) {
      return asResult(resultOf(error))
    }
  }

  return {
    async call(id, operation, subject, corrections) {
      const destination = config.destinationSettings.get(id)
      if (!destination) return { status: 'failed', answer: 'the destination is no longer configured' }
      const { definition, settings } = destination
      const way =
        definition[
          operation === 'delete' ? 'deleteSubject' : operation === 'export' ? 'exportSubject' : 'correctSubject'
        ]
      if (!('implemented' in way)) return { status: 'failed', answer: 'the destination has no call for this' }
      // That it may be told rests on art. 18 §6 and 7 II, not on a consent: there is no last look.
      const http = connect(definition, settings, {
        credentials: credentialsFor?.(destination),
        slot: slotOf(destination),
        lastLook: async () => {},
        transport: transportOf(destination),
      })
      try {
        const answer = await way.implemented({
          http,
          settings,
          now: new Date(),
          subject: { identifiers: subject },
          ...(corrections && { corrections }),
        })
        if (!isResponse(answer)) return asResult(answer)
        if (answer.status === 404 && operation !== 'correct') return { status: 'done', answer: 'not there' }
        const outcome = definition.verdict?.(answer) ?? judge(answer)
        return {
          ...asResult(outcome),
          ...(operation === 'export' && outcome.status === 'delivered' && { content: answer.text }),
        }
      } catch (error) {
        return asResult(resultOf(error))
      }
    },

    openDsr: (system, request, subject) =>
      system.opendsr
        ? post(
            system.opendsr.url,
            {
              ...openDsrOut({ ...request, identifiers: subject }),
              controller_id: system.opendsr.controllerId ?? config.config.organization.name,
            },
            system.opendsr.token ? { authorization: `Bearer ${system.opendsr.token}` } : {},
          )
        : Promise.resolve({ status: 'failed', answer: 'the system has no address' }),

    callback: (url, body) => post(url, body, {}),

    async sendCode(way, contact, code, id) {
      const destination = config.destinationSettings.get(way.destination)
      const action = destination?.definition.actions[way.action]
      if (!destination || !action) return { status: 'failed', answer: 'no such action' }
      const now = new Date()
      const view = buildView({
        identifiers: { phone: contact },
        traits: { phone: contact },
        person: { id: 'portal' },
        delivery: { id },
        // The code is no offer: there is nothing to stop, and the portal says why it came.
        links: { stop: `${config.publicUrl}/privacidade`, why: `${config.publicUrl}/privacidade` },
        rule: { id: 'portal-code', version: 1 },
        decidedAt: now.toISOString(),
      })
      const fields = Object.fromEntries(
        Object.entries(way.with ?? { text: '{code}' }).map(([name, value]) => [
          name,
          typeof value === 'string' ? value.replaceAll('{code}', code) : value,
        ]),
      )
      const payload = buildPayload(action.payload, view, fields)
      if ('errors' in payload)
        return { status: 'failed', answer: `the action needs ${payload.errors.map(({ path }) => path).join(', ')}` }
      const [result] = await performAction({
        definition: destination.definition,
        action: way.action,
        settings: destination.settings,
        now,
        items: [
          {
            payload: payload.value,
            signals: { rd: [], google: {}, segment: {}, rudder: { allowedConsentIds: [], deniedConsentIds: [] } },
            delivery: { id, key: id },
            occurredAt: now.toISOString(),
          },
        ],
        http: () =>
          connect(destination.definition, destination.settings, {
            credentials: credentialsFor?.(destination),
            slot: slotOf(destination),
            lastLook: async () => {},
            transport: transportOf(destination),
          }),
      })
      return asResult(result ?? { status: 'refused' })
    },

    async close() {
      for (const limiter of limiters.values()) limiter.close()
      await Promise.all([...transports.values()].map((transport) => transport.close()))
    },
  }
}

const isResponse = (answer: HttpResponse | Outcome): answer is HttpResponse => typeof answer.status === 'number'

function asResult(outcome: Outcome | { readonly status: 'refused' }): VendorResult {
  switch (outcome.status) {
    case 'delivered':
      return { status: 'done', answer: outcome.answer ?? 'done' }
    case 'retry':
      return { status: 'retry', answer: outcome.reason, retryAfterMs: outcome.retryAfterMs }
    // Credentials get mended: it is tried again.
    case 'authentication':
      return { status: 'retry', answer: outcome.reason }
    case 'rejected':
      return { status: 'failed', answer: outcome.reason }
    default:
      return { status: 'failed', answer: 'refused' }
  }
}
