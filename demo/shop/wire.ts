/** From what somebody did to what each tool would report of it. Consent goes in each vendor's own words. */
import type { Product } from './catalogue.ts'
import type { Moment, SdkCall, Sending, Told } from './moment.ts'
import { type BannerAnswer, type Device, type Person, writeCpf, writeEmail, writePhone } from './people.ts'
import type { Random } from './random.ts'

export interface Clock {
  /** Real time (epoch ms) of a moment of the shop. */
  real(at: number): number
}

export interface Wire {
  readonly random: Random
  readonly clock: Clock
  /** A new id for a message, unlike those of all other runs. */
  id(): string
  readonly keys: { readonly segment: string; readonly measurementId: string }
}

export interface Line {
  readonly product: Product
  readonly quantity: number
}

const iso = (ms: number) => new Date(ms).toISOString()
const cents = (value: number) => Math.round(value * 100) / 100
export const totalOf = (lines: readonly Line[]): number =>
  cents(lines.reduce((sum, { product, quantity }) => sum + product.price * quantity, 0))

// ---------------------------------------------------------------- the two SDKs

const SEGMENT: Readonly<Record<BannerAnswer, Readonly<Record<string, boolean>> | undefined>> = {
  all: { Analytics: true, Functional: true, Advertising: true, SharingMeta: true },
  statistics: { Analytics: true, Functional: false, Advertising: false, SharingMeta: false },
  nothing: { Analytics: false, Functional: false, Advertising: false, SharingMeta: false },
  unanswered: undefined,
}
const RUDDER = ['analytics', 'functional', 'advertising', 'sharing_meta'] as const
const RUDDER_ALLOWED: Readonly<Record<BannerAnswer, readonly string[] | undefined>> = {
  all: RUDDER,
  statistics: ['analytics'],
  nothing: [],
  unanswered: undefined,
}

function bannerContext(device: Device, banner: BannerAnswer): Record<string, unknown> {
  const preferences = SEGMENT[banner]
  if (device.kind === 'web') return preferences ? { consent: { categoryPreferences: preferences } } : {}
  const allowed = RUDDER_ALLOWED[banner]
  if (!allowed) return {}
  return {
    consentManagement: {
      provider: 'custom',
      allowedConsentIds: allowed,
      deniedConsentIds: RUDDER.filter((id) => !allowed.includes(id)),
    },
  }
}

export interface Deed {
  readonly call: SdkCall
  readonly event?: string
  readonly name?: string
  readonly properties?: Readonly<Record<string, unknown>>
  readonly traits?: Readonly<Record<string, unknown>>
  /** Not yet logged in. */
  readonly anonymous?: boolean
  readonly banner?: BannerAnswer
  /** How much later than it happened it is sent, in milliseconds of the shop. */
  readonly lateBy?: number
}

/** Web goes to Segment, app to RudderStack. */
export function sdk(wire: Wire, person: Person, device: Device, at: number, told: Deed): Moment {
  const { call, event, name, properties, traits, anonymous, banner = device.banner, lateBy = 0 } = told
  return {
    at: at + lateBy,
    ...(lateBy > 0 && { flaw: 'late' as const }),
    sending: {
      via: device.kind === 'web' ? 'segment' : 'rudderstack',
      call,
      message: {
        messageId: wire.id(),
        ...(!anonymous && { userId: person.userId }),
        anonymousId: device.anonymousId,
        ...(event !== undefined && { event }),
        ...(name !== undefined && { name }),
        ...(traits && { traits }),
        ...(properties && { properties }),
        context: {
          ...bannerContext(device, banner),
          locale: 'pt-BR',
          timezone: 'America/Sao_Paulo',
          userAgent: device.kind === 'web' ? 'Mozilla/5.0 (simulado)' : 'LojaExemplo/4.2 (simulado)',
        },
        timestamp: iso(wire.clock.real(at)),
      },
    },
  }
}

export function traits(wire: Wire, person: Person): Record<string, unknown> {
  const { random } = wire
  return {
    email: writeEmail(person.email, random),
    phone: writePhone(person.phone, random),
    name: `${person.firstName} ${person.lastName}`,
    firstName: person.firstName,
    lastName: person.lastName,
    ...(random.chance(0.4) && { cpf: writeCpf(person.cpf, random) }),
    address: { city: person.city, state: person.state, country: 'BR' },
    state: person.state,
  }
}

export const productProperties = ({ product, quantity }: Line): Record<string, unknown> => ({
  product_id: product.id,
  sku: product.id.toUpperCase(),
  name: product.name,
  category: product.category,
  price: product.price,
  quantity,
  currency: 'BRL',
  url: `https://loja.example/p/${product.id}`,
})

// ---------------------------------------------------------------- a browser whose clock is wrong

/** Both times by the device's own clock, as analytics.js writes them. */
export function skewed(wire: Wire, person: Person, device: Device, at: number, line: Line): Moment {
  const now = wire.clock.real(at) + device.clockAhead
  return {
    at,
    flaw: 'skewed',
    sending: browser(wire, {
      event: 'Product Viewed',
      userId: person.userId,
      anonymousId: device.anonymousId,
      properties: productProperties(line),
      context: bannerContext(device, device.banner),
      timestamp: iso(now - 1200),
      sentAt: iso(now),
    }),
  }
}

/** A track call whose event was left out, as a wrong tag sends it. */
export const invalid = (wire: Wire, device: Device, at: number): Moment => ({
  at,
  flaw: 'invalid',
  sending: browser(wire, {
    anonymousId: device.anonymousId,
    properties: { botao: 'comprar' },
    context: bannerContext(device, device.banner),
    timestamp: iso(wire.clock.real(at)),
    sentAt: iso(wire.clock.real(at)),
  }),
})

/** Somebody put a whole page into a property: above the 32 KB one event may have. */
export const oversize = (wire: Wire, device: Device, at: number): Moment => ({
  at,
  flaw: 'oversize',
  sending: browser(wire, {
    event: 'Page Saved',
    anonymousId: device.anonymousId,
    properties: { html: 'ção '.repeat(9000) },
    context: bannerContext(device, device.banner),
    timestamp: iso(wire.clock.real(at)),
    sentAt: iso(wire.clock.real(at)),
  }),
})

const browser = (wire: Wire, body: Record<string, unknown>): Sending => ({
  via: 'browser',
  path: '/v1/t',
  body: { type: 'track', messageId: wire.id(), writeKey: wire.keys.segment, ...body },
})

// ---------------------------------------------------------------- GA4

/** Consent Mode: default denied, then what was answered; `l` says nothing. */
const GCD: Readonly<Record<BannerAnswer, { readonly gcd: string; readonly gcs?: string }>> = {
  all: { gcd: '13r3r3r3r5', gcs: 'G111' },
  statistics: { gcd: '13q3r3q3q5', gcs: 'G101' },
  nothing: { gcd: '13q3q3q3q5', gcs: 'G100' },
  unanswered: { gcd: '13l3l3l3l5' },
}

export interface Hit {
  readonly en: string
  readonly lines?: readonly Line[]
  readonly order?: string
}

/** One page load's hits so far: `_p` names the load, `_s` the hit on it. */
export interface PageLoad {
  readonly id: string
  hits: number
}

export const pageLoad = (wire: Wire): PageLoad => ({ id: String(wire.random.int(100_000_000, 999_999_999)), hits: 0 })

/** @param hits several go as lines of one POST. */
export function ga4(
  wire: Wire,
  person: Person,
  device: Device,
  at: number,
  page: PageLoad,
  hits: readonly [Hit, ...Hit[]],
): Moment {
  const shared: Record<string, string> = {
    v: '2',
    tid: wire.keys.measurementId,
    cid: device.gaClientId,
    uid: person.userId,
    _p: page.id,
    dl: 'https://loja.example/',
    dt: 'Loja Exemplo (simulada)',
    ul: 'pt-br',
    ...GCD[device.banner],
  }
  const numbered = hits.map((hit) => ({ _s: String(++page.hits), ...parameters(hit) }))
  const [first] = numbered
  return {
    at,
    sending:
      hits.length === 1
        ? { via: 'ga4', method: wire.random.chance(0.5) ? 'GET' : 'POST', query: { ...shared, ...first } }
        : { via: 'ga4', method: 'POST', query: shared, lines: numbered },
  }
}

function parameters({ en, lines, order }: Hit): Record<string, string> {
  if (!lines) return { en }
  const items = lines.map(({ product, quantity }, index): [string, string] => [
    `pr${index + 1}`,
    [`id${product.id}`, `nm${product.name}`, `ca${product.category}`, `pr${product.price}`, `qt${quantity}`].join('~'),
  ])
  return {
    en,
    cu: 'BRL',
    'epn.value': String(totalOf(lines)),
    ...(order !== undefined && { 'ep.transaction_id': order }),
    ...Object.fromEntries(items),
  }
}

// ---------------------------------------------------------------- RD Station

export interface Conversion {
  readonly identifier: string
  /** Absent: the form asked nothing. */
  readonly answer?: Told['answer']
}

/** A third of the accounts' webhooks still have the first form. */
export function rdstation(wire: Wire, person: Person, at: number, { identifier, answer }: Conversion): Moment {
  const { random } = wire
  const when = iso(wire.clock.real(at))
  const bases = answer && { legal_bases: [{ category: 'communications', type: 'consent', status: answer }] }
  const contact = {
    uuid: person.rdUuid,
    email: writeEmail(person.email, random),
    name: `${person.firstName} ${person.lastName}`,
    ...bases,
  }
  const phone = writePhone(person.phone, random)
  const body = random.chance(1 / 3)
    ? {
        leads: [
          {
            ...contact,
            id: wire.id(),
            mobile_phone: phone,
            lead_stage: 'Lead',
            opportunity: 'false',
            last_conversion: {
              content: { identificador: identifier, Nome: contact.name, email_lead: contact.email },
              created_at: when,
              cumulative_sum: '1',
              source: identifier,
            },
          },
        ],
      }
    : {
        event_type: 'WEBHOOK.CONVERTED',
        entity_type: 'CONTACT',
        event_identifier: identifier,
        timestamp: when,
        event_timestamp: when,
        contact: { ...contact, mobile_phone: phone, funnel: { name: 'default', lifecycle_stage: 'Lead' } },
      }
  return {
    at,
    sending: { via: 'rdstation', body },
    ...(answer && { told: { email: person.email, answer } }),
  }
}
