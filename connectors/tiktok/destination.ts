/**
 * TikTok Events API and custom audiences. Contact data leaves as SHA-256 only. TikTok answers 200 to everything and says
 * in `code` what it means.
 */
import { type Static, Type } from 'typebox'
import {
  bisect,
  commerceFields,
  defineDestination,
  type Http,
  type HttpResponse,
  hashedOnce,
  type ItemContext,
  inGroups,
  known,
  linesOf,
  type Outcome,
  personal,
  someOf,
} from '../../core/kit/index.ts'

/** https://business-api.tiktok.com/portal/docs?id=1771101186666498: standard events of the web. */
const STANDARD_EVENTS: Readonly<Record<string, string>> = {
  'Products Searched': 'Search',
  'Product Viewed': 'ViewContent',
  'Product Added': 'AddToCart',
  'Product Added to Wishlist': 'AddToWishlist',
  'Checkout Started': 'InitiateCheckout',
  'Payment Info Entered': 'AddPaymentInfo',
  'Order Completed': 'Purchase',
  'Signed Up': 'CompleteRegistration',
  'Lead Generated': 'Lead',
  'Lead Captured': 'Lead',
  'Subscription Started': 'Subscribe',
  'Trial Started': 'StartTrial',
}

const Settings = Type.Object(
  {
    accessToken: Type.String({ secret: true, minLength: 8, description: 'Events Manager > pixel > access token.' }),
    pixelCode: Type.String({ pattern: '^[A-Z0-9]{8,32}$', description: 'Pixel (event source) id.' }),
    advertiserId: Type.Optional(Type.String({ pattern: '^\\d+$', description: 'For audiences.' })),
    audiences: Type.Array(Type.String({ pattern: '^\\d+$' }), {
      default: [],
      description: 'Custom audiences from which a withdrawal or a deletion request takes a person.',
    }),
    apiVersion: Type.String({ pattern: '^v\\d+\\.\\d+$', default: 'v1.3' }),
    testEventCode: Type.Optional(
      Type.String({ minLength: 1, description: 'From Test Events. Events then count nowhere.' }),
    ),
    defaultCurrency: Type.String({ pattern: '^[A-Z]{3}$', default: 'BRL' }),
  },
  { additionalProperties: false },
)
type Settings = Static<typeof Settings>

const audience = Type.String({ pattern: '^\\d+$', description: 'Id of the custom audience.' })
const who = {
  email: personal('identifiers.email', 'traits.email'),
  phone: personal('identifiers.phone', 'traits.phone'),
}
const Member = Type.Object({ ...who, audience }, someOf('email', 'phone'))
const Leaver = Type.Object({ ...who, audience: Type.Optional(audience) }, someOf('email', 'phone'))

const Event = Type.Object({
  type: Type.String({ from: 'type' }),
  event: Type.String({ minLength: 1, from: 'name', description: 'Known names become standard events.' }),
  eventId: Type.String({
    minLength: 1,
    from: 'messageId',
    description: 'Give the pixel the same id and TikTok counts both once.',
  }),
  eventTime: Type.String({ format: 'date-time', from: 'occurredAt' }),
  ...who,
  externalId: personal('identifiers.userId'),
  ip: personal('context.ip'),
  userAgent: personal('context.userAgent'),
  ttclid: Type.Optional(Type.String({ from: ['context.ttclid', 'properties.ttclid', 'traits.ttclid'] })),
  ttp: personal('context.ttp', 'properties.ttp', 'traits.ttp'),
  url: Type.Optional(Type.String({ from: ['context.page.url', 'properties.url'] })),
  referrer: Type.Optional(Type.String({ from: 'context.page.referrer' })),
  ...commerceFields,
})

export default defineDestination({
  id: 'tiktok',
  name: 'TikTok Ads',
  docs: 'https://business-api.tiktok.com/portal/docs?id=1771100865818625',
  support: 'community',
  apiVersion: {
    version: 'v1.3',
    docs: 'https://business-api.tiktok.com/portal/docs?id=1740579480076290',
    setting: 'apiVersion',
  },
  baseUrl: ({ apiVersion }) => `https://business-api.tiktok.com/open_api/${apiVersion}`,
  settings: Settings,
  authenticate: ({ accessToken }) => ({ 'access-token': accessToken }),
  verdict,
  // The limit is one of the app and not published for all; ten a second is the lowest class.
  limits: { perSecond: 10, concurrency: 4 },

  actions: {
    sendEvent: {
      title: { pt: 'Enviar evento de conversão', en: 'Send conversion event' },
      description: {
        pt: 'Mede anúncios com os eventos da loja. Dados de contato saem só como SHA-256.',
        en: 'Measures ads with the events of the shop. Contact data leaves as SHA-256 only.',
      },
      purpose: 'ads_measurement',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone', 'userId', 'anonymousId', 'ga_client_id'],
      // https://business-api.tiktok.com/portal/docs?id=1771100965992450: event and event_id, within 48 hours.
      idempotency: { key: 48 },
      trigger: { type: 'track', name: Object.keys(STANDARD_EVENTS) },
      payload: Event,
      batch: { max: 1000 },
      performBatch: ({ http, settings, items }) =>
        bisect(
          items,
          async (some) => {
            await http.request('POST', '/event/track/', {
              json: {
                event_source: 'web',
                event_source_id: settings.pixelCode,
                ...(settings.testEventCode !== undefined && { test_event_code: settings.testEventCode }),
                data: some.map((item) => eventOf(item, settings)),
              },
            })
            return some.map(() => ({ status: 'delivered', answer: 'code 0' }))
          },
          ({ message }) => message === INVALID,
        ),
    },

    addToAudience: {
      title: { pt: 'Pôr no público', en: 'Add to audience' },
      description: { pt: 'Põe a pessoa num público personalizado.', en: 'Puts the person into a custom audience.' },
      purpose: 'ads_personalization',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone'],
      idempotency: 'natural',
      payload: Member,
      batch: { max: 1000 },
      performBatch: ({ http, settings, items }) => change(http, settings, items, 'add'),
    },

    removeFromAudience: {
      title: { pt: 'Tirar do público', en: 'Remove from audience' },
      description: {
        pt: 'Tira a pessoa de um público personalizado, por exemplo depois de uma revogação.',
        en: 'Takes the person out of a custom audience, after a withdrawal for example.',
      },
      withdraws: ['ads_personalization'],
      purpose: 'customer_care',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone'],
      idempotency: 'natural',
      payload: Leaver,
      batch: { max: 1000 },
      performBatch: ({ http, settings, items }) => change(http, settings, items, 'delete'),
    },
  },

  async check({ http, settings }) {
    // A request without events is refused as invalid, after the token.
    const answer = await http
      .request('POST', '/event/track/', {
        json: { event_source: 'web', event_source_id: settings.pixelCode, data: [] },
      })
      .catch((error: unknown) => {
        if (error instanceof Error && error.message === INVALID) return undefined
        throw error
      })
    return {
      ok: true,
      detail: answer ? 'TikTok takes the token.' : 'TikTok takes the token; nothing was sent.',
      ...(settings.testEventCode !== undefined && { warnings: ['testEventCode is set: events count nowhere.'] }),
    }
  },

  deleteSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      const hashes = hashesOf(identifiers)
      if (hashes.length === 0) return { status: 'rejected', reason: 'no e-mail and no phone to look for' }
      if (settings.audiences.length === 0) return { status: 'delivered', answer: 'no audiences in the settings' }
      return mapping(http, settings, [{ hashes, audiences: settings.audiences }], 'delete')
    },
  },
  exportSubject: {
    impossible: {
      pt: 'O TikTok não devolve eventos nem membros de públicos de uma pessoa: guarda só os hashes. O que o hub enviou está em entregas.',
      en: 'TikTok does not give back events or audience members of one person: it keeps hashes only. What the hub sent is under deliveries.',
    },
  },
  correctSubject: {
    impossible: {
      pt: 'Um evento enviado não pode ser alterado; o próximo leva os dados corrigidos.',
      en: 'An event that was sent cannot be changed; the next one carries the corrected data.',
    },
  },
  feedback: {
    none: {
      pt: 'O TikTok não informa o que foi feito de um evento; o Events Manager mostra a qualidade do casamento.',
      en: 'TikTok does not tell what became of an event; Events Manager shows the match quality.',
    },
  },
})

// ---------------------------------------------------------------- events

/** https://business-api.tiktok.com/portal/docs?id=1771101027431425: hashed are e-mail, phone and external_id. */
function eventOf({ payload }: ItemContext<Static<typeof Event>>, { defaultCurrency }: Settings) {
  const contents = linesOf(payload).map((line) =>
    known({
      content_id: line.id,
      content_name: line.name,
      content_category: line.category,
      brand: line.brand,
      price: line.price,
      quantity: line.quantity,
    }),
  )
  const page = known({ url: payload.url, referrer: payload.referrer })
  return {
    event: Object.hasOwn(STANDARD_EVENTS, payload.event) ? STANDARD_EVENTS[payload.event] : payload.event,
    event_time: Math.floor(Date.parse(payload.eventTime) / 1000),
    event_id: payload.eventId,
    user: known({
      email: hashedOnce(payload.email, emailOf),
      phone: hashedOnce(payload.phone, phoneOf),
      external_id: hashedOnce(payload.externalId, (value) => value.trim()),
      ip: payload.ip,
      user_agent: payload.userAgent,
      ttclid: payload.ttclid,
      ttp: payload.ttp,
    }),
    properties: known({
      value: payload.value,
      currency: payload.value === undefined ? undefined : (payload.currency ?? defaultCurrency),
      content_type: contents.length > 0 ? 'product' : undefined,
      contents: contents.length > 0 ? contents : undefined,
      order_id: payload.orderId,
      query: payload.query,
    }),
    ...(Object.keys(page).length > 0 && { page }),
  }
}

const emailOf = (value: string): string => value.trim().toLowerCase()
/** E.164 with its plus sign. */
const phoneOf = (value: string): string => value.replace(/[^\d+]/g, '')

// ---------------------------------------------------------------- audiences

/** E-mail and phone, each in its column; empty when nothing is known. */
function hashesOf({ email, phone }: { readonly email?: string; readonly phone?: string }): (string | undefined)[] {
  const hashes = [hashedOnce(email, emailOf), hashedOnce(phone, phoneOf)]
  return hashes.every((hash) => hash === undefined) ? [] : hashes
}

/** https://business-api.tiktok.com/portal/docs?id=1739940507792385: each person is a row, one cell per id schema. */
function mapping(
  http: Http,
  { advertiserId }: Settings,
  rows: readonly { readonly hashes: readonly (string | undefined)[]; readonly audiences: readonly string[] }[],
  action: 'add' | 'delete',
): Promise<HttpResponse> {
  return http.request('POST', '/segment/mapping/', {
    json: {
      advertiser_ids: [advertiserId],
      action,
      id_schema: ['EMAIL_SHA256', 'PHONE_SHA256'],
      batch_data: rows.map(({ hashes, audiences }) =>
        [hashes[0], hashes[1]].map((id) => (id === undefined ? {} : { id, audience_ids: audiences })),
      ),
    },
  })
}

async function change(
  http: Http,
  settings: Settings,
  items: readonly ItemContext<Static<typeof Leaver>>[],
  action: 'add' | 'delete',
): Promise<readonly Outcome[]> {
  if (settings.advertiserId === undefined)
    return items.map(() => ({ status: 'rejected', reason: 'the settings name no advertiserId' }))
  return inGroups(
    items,
    ({ payload }) => payload.audience ?? settings.audiences.join(),
    async (group, key) => {
      if (key === '') return group.map(() => ({ status: 'delivered', answer: 'no audiences in the settings' }))
      await mapping(
        http,
        settings,
        group.map(({ payload }) => ({ hashes: hashesOf(payload), audiences: key.split(',') })),
        action,
      )
      return group.map(() => ({ status: 'delivered', answer: 'code 0' }))
    },
  )
}

// ---------------------------------------------------------------- answers

const INVALID = 'TikTok code 40002'

/** https://business-api.tiktok.com/portal/docs?id=1737172488964097: return codes. The message may quote what was sent. */
function verdict({ status, json }: HttpResponse): Outcome | undefined {
  const code = (json as { code?: unknown } | undefined)?.code
  if (status >= 400 || typeof code !== 'number')
    return status === 200 ? { status: 'retry', reason: 'TikTok answered 200 without a code' } : undefined
  if (code === 0) return { status: 'delivered', answer: 'code 0' }
  const reason = `TikTok code ${code}`
  if ([40100, 40016, 40133].includes(code) || code >= 50_000) return { status: 'retry', reason }
  if ([40001, 40101, 40102, 40104, 40105, 40106, 40110].includes(code)) return { status: 'authentication', reason }
  return { status: 'rejected', reason }
}
