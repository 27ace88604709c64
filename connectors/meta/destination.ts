/**
 * Meta Conversions API and custom audiences. Contact data leaves as SHA-256 only, normalised as Meta asks; an event
 * has the id of the source's message, so that a pixel sending the same id is counted once.
 */
import { type Static, Type } from 'typebox'
import {
  bisect,
  countryCode,
  defineDestination,
  type Http,
  type HttpResponse,
  hashedOnce,
  type ItemContext,
  numberOf,
  type Outcome,
  personal,
} from '../../core/kit/index.ts'
import { changeMembers, Leaver, leave, Member, rowOf, SCHEMA } from './audiences.ts'
import { nameOf } from './normalize.ts'

const API_VERSION = 'v25.0'

/** https://developers.facebook.com/docs/meta-pixel/reference: Meta's standard events for those of the Segment spec. */
const STANDARD_EVENTS: Readonly<Record<string, string>> = {
  'Products Searched': 'Search',
  'Product Viewed': 'ViewContent',
  'Product List Viewed': 'ViewContent',
  'Product Added': 'AddToCart',
  'Product Added to Wishlist': 'AddToWishlist',
  'Checkout Started': 'InitiateCheckout',
  'Payment Info Entered': 'AddPaymentInfo',
  'Order Completed': 'Purchase',
  'Signed Up': 'CompleteRegistration',
  'Lead Captured': 'Lead',
  'Lead Generated': 'Lead',
  'Trial Started': 'StartTrial',
  'Subscription Started': 'Subscribe',
}

const Payload = Type.Object({
  type: Type.String({ from: 'type' }),
  event: Type.String({
    minLength: 1,
    from: 'name',
    description: 'Known names become standard events, others custom ones.',
  }),
  eventId: Type.String({
    minLength: 1,
    from: 'messageId',
    description: 'Give the pixel the same id as eventID and Meta counts both once.',
  }),
  eventTime: Type.String({ format: 'date-time', from: 'occurredAt' }),
  url: Type.Optional(Type.String({ from: ['context.page.url', 'properties.url'] })),
  email: personal('identifiers.email', 'traits.email'),
  phone: personal('identifiers.phone', 'traits.phone'),
  firstName: personal('traits.firstName', 'traits.first_name'),
  lastName: personal('traits.lastName', 'traits.last_name'),
  city: personal('traits.address.city', 'traits.city'),
  state: personal('traits.address.state', 'traits.state'),
  zip: personal('traits.address.postalCode', 'traits.address.zip', 'traits.zip'),
  country: personal('traits.address.country', 'traits.country'),
  externalId: personal('identifiers.userId'),
  ip: personal('context.ip'),
  userAgent: personal('context.userAgent'),
  fbc: personal('context.fbc', 'properties.fbc', 'traits.fbc'),
  fbp: personal('context.fbp', 'properties.fbp', 'traits.fbp'),
  value: Type.Optional(
    Type.Number({
      from: ['properties.total', 'properties.revenue', 'properties.value', 'properties.price'],
      description: 'In the currency, with decimals. A rule may set the margin: bids for value then follow it.',
    }),
  ),
  predictedValue: Type.Optional(
    Type.Number({ from: 'traits.predicted_ltv', description: 'Lifetime value that is expected of the person.' }),
  ),
  currency: Type.Optional(Type.String({ from: 'properties.currency' })),
  orderId: Type.Optional(Type.String({ from: 'properties.order_id' })),
  search: Type.Optional(Type.String({ from: 'properties.query' })),
  productId: Type.Optional(Type.String({ from: ['properties.product_id', 'properties.sku'] })),
  quantity: Type.Optional(Type.Number({ from: 'properties.quantity' })),
  products: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown()), { from: 'properties.products' })),
})

type Sent = ItemContext<Static<typeof Payload>>

interface Settings {
  readonly datasetId: string
  readonly accessToken: string
  readonly testEventCode?: string
  readonly actionSource: string
  readonly defaultCurrency: string
}

export default defineDestination({
  id: 'meta',
  name: 'Meta',
  docs: 'https://developers.facebook.com/docs/marketing-api/conversions-api',
  support: 'community',
  // A version lives about two years; its last day is on this page, and calls then fall to the oldest one alive.
  apiVersion: {
    version: API_VERSION,
    docs: 'https://developers.facebook.com/docs/graph-api/changelog/versions',
    setting: 'apiVersion',
  },
  baseUrl: ({ apiVersion }) => `https://graph.facebook.com/${apiVersion}`,

  settings: Type.Object(
    {
      datasetId: Type.String({ pattern: '^\\d+$', description: 'Dataset (pixel) id.' }),
      accessToken: Type.String({ secret: true, minLength: 8, description: 'System user or dataset access token.' }),
      apiVersion: Type.String({
        pattern: '^v\\d+\\.\\d+$',
        default: API_VERSION,
        description: 'Graph API version; raise it before its end of life.',
      }),
      testEventCode: Type.Optional(
        Type.String({ minLength: 1, description: 'From Events Manager > Test events. Events then count nowhere.' }),
      ),
      actionSource: Type.Union(
        (['website', 'app', 'physical_store', 'system_generated', 'email', 'phone_call', 'chat', 'other'] as const).map(
          (source) => Type.Literal(source),
        ),
        {
          default: 'website',
          description: 'Where the events happen. One without a browser is sent as system_generated instead of website.',
        },
      ),
      defaultCurrency: Type.String({ pattern: '^[A-Z]{3}$', default: 'BRL' }),
      audiences: Type.Array(Type.String({ pattern: '^\\d+$' }), {
        default: [],
        description: 'Custom audiences from which a withdrawal or a deletion request takes a person.',
      }),
    },
    { additionalProperties: false },
  ),

  verdict,
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
      // https://developers.facebook.com/docs/marketing-api/conversions-api/deduplicate-pixel-and-server-events
      idempotency: { key: 48 },
      // Only what Meta has a word for goes by itself; tickets or answers of surveys are none of its business.
      trigger: { type: 'track', name: Object.keys(STANDARD_EVENTS) },
      payload: Payload,
      batch: { max: 1000 },
      async performBatch({ http, settings, items, now }) {
        // One event older than seven days fails the whole request, so it never gets into one.
        const outcomes = items.map((item) => tooOld(item, now))
        const young = items.filter((_, index) => outcomes[index] === undefined)
        const answers = young.length > 0 ? await sendOrBisect(http, settings, young) : []
        let next = 0
        return outcomes.map((outcome) => outcome ?? answers[next++]!)
      },
    },

    addToAudience: {
      title: { pt: 'Pôr no público', en: 'Add to audience' },
      description: {
        pt: 'Põe a pessoa num público personalizado, para anúncios ou para excluir quem já comprou.',
        en: 'Puts the person into a custom audience, for ads or to exclude who bought already.',
      },
      purpose: 'ads_personalization',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone'],
      idempotency: 'natural',
      payload: Member,
      batch: { max: 10_000 },
      performBatch: ({ http, settings, items }) => changeMembers(http, settings.accessToken, items, 'POST'),
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
      batch: { max: 10_000 },
      performBatch: ({ http, settings, items }) => leave(http, settings, items),
    },
  },

  async check({ http, settings }) {
    const { status } = await http.lookup(`/${settings.datasetId}?fields=id`, {
      headers: { authorization: `Bearer ${settings.accessToken}` },
    })
    if (status === 404) return { ok: false, detail: 'Meta answers, but there is no dataset with this id.' }
    return {
      ok: true,
      detail: 'Meta answers and the token reaches the dataset.',
      ...(settings.testEventCode && {
        warnings: ['testEventCode is set: events appear under Test events and count nowhere.'],
      }),
    }
  },

  deleteSubject: {
    // Conversion events are kept by hash, without an address of their own: those sent before only expire.
    async implemented({ http, settings, subject: { identifiers } }) {
      const row = rowOf({
        ...(identifiers.email && { email: identifiers.email }),
        ...(identifiers.phone && { phone: identifiers.phone }),
      })
      if (row.every((hash) => hash === '')) return { status: 'rejected', reason: 'no e-mail and no phone to look for' }
      if (settings.audiences.length === 0) return { status: 'delivered', answer: 'no audiences in the settings' }
      for (const audience of settings.audiences)
        await http.request('DELETE', `/${audience}/users`, {
          json: { payload: { schema: SCHEMA, data: [row] }, access_token: settings.accessToken },
        })
      return { status: 'delivered', answer: 'taken out of the audiences; events that were sent expire by themselves' }
    },
  },
  exportSubject: {
    impossible: {
      pt: 'A Meta não devolve eventos de conversão de uma pessoa. O hub mostra o que ele mesmo enviou, em entregas.',
      en: 'Meta does not give back the conversion events of one person. The hub shows what it sent itself, under deliveries.',
    },
  },
  correctSubject: {
    impossible: {
      pt: 'Um evento de conversão enviado não pode ser alterado; o próximo leva os dados corrigidos.',
      en: 'A conversion event that was sent cannot be changed; the next one carries the corrected data.',
    },
  },
  feedback: {
    none: {
      pt: 'A Meta não informa o que foi feito de um evento; o Events Manager mostra a qualidade do casamento.',
      en: 'Meta does not tell what became of an event; Events Manager shows the match quality.',
    },
  },
})

// ---------------------------------------------------------------- sending

/** https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event#event-time */
const OLDEST_MS = 7 * 86_400_000

function tooOld({ payload }: Sent, now: Date): Outcome | undefined {
  // A minute to spare for the way there.
  return now.getTime() - Date.parse(payload.eventTime) > OLDEST_MS - 60_000
    ? { status: 'rejected', reason: 'older than the 7 days Meta takes' }
    : undefined
}

const INVALID_PARAMETER = 'Meta code 100'

/**
 * One request; when Meta refuses a parameter somewhere in it, each half again, down to the event that is wrong.
 * A repeat of an event that had been taken is counted once by its id.
 */
const sendOrBisect = (http: Http, settings: Settings, items: readonly Sent[]): Promise<readonly Outcome[]> =>
  bisect(
    items,
    async (some) => {
      const { json } = await http.request('POST', `/${settings.datasetId}/events`, {
        json: {
          data: some.map((item) => serverEvent(item, settings)),
          // In the body: a token in the URL ends in the logs of everything on the way.
          access_token: settings.accessToken,
          ...(settings.testEventCode !== undefined && { test_event_code: settings.testEventCode }),
        },
      })
      const received = (json as { events_received?: unknown } | undefined)?.events_received
      const taken: Outcome =
        typeof received === 'number' && received < some.length
          ? { status: 'retry', reason: 'Meta received fewer events than were sent' }
          : { status: 'delivered', answer: `${some.length} events received` }
      return some.map(() => taken)
    },
    (error) => error.message.startsWith(INVALID_PARAMETER),
  )

/** https://developers.facebook.com/docs/marketing-api/conversions-api/parameters */
function serverEvent({ payload }: Sent, settings: Settings): Record<string, unknown> {
  const { ip, userAgent, fbc, fbp, url } = payload
  return {
    event_name: payload.type === 'page' ? 'PageView' : (STANDARD_EVENTS[payload.event] ?? payload.event),
    event_time: Math.floor(Date.parse(payload.eventTime) / 1000),
    event_id: payload.eventId,
    // Website events must name a browser; one that a server reported did not come from one.
    action_source:
      settings.actionSource === 'website' && userAgent === undefined ? 'system_generated' : settings.actionSource,
    ...(url !== undefined && { event_source_url: url }),
    user_data: {
      ...hashed('em', payload.email, (value) => value.trim().toLowerCase()),
      ...hashed('ph', payload.phone, (value) => value.replace(/\D/g, '').replace(/^0+/, '')),
      ...hashed('fn', payload.firstName, nameOf),
      ...hashed('ln', payload.lastName, nameOf),
      ...hashed('ct', payload.city, (value) => nameOf(value).replace(/\s/g, '')),
      ...hashed('st', payload.state, (value) => nameOf(value).replace(/\s/g, '')),
      ...hashed('zp', payload.zip, (value) => value.toLowerCase().replace(/[\s-]/g, '')),
      ...hashed('country', payload.country, countryCode),
      ...hashed('external_id', payload.externalId, (value) => value.trim()),
      ...(ip !== undefined && { client_ip_address: ip }),
      ...(userAgent !== undefined && { client_user_agent: userAgent }),
      ...(fbc !== undefined && { fbc }),
      ...(fbp !== undefined && { fbp }),
    },
    custom_data: customData(payload, settings),
  }
}

/** Meta takes each value as a list. */
export function hashed(
  name: string,
  value: string | undefined,
  normalize: (value: string) => string,
): Record<string, readonly string[]> {
  const hash = hashedOnce(value, normalize)
  return hash === undefined ? {} : { [name]: [hash] }
}

function customData(payload: Sent['payload'], settings: Settings): Record<string, unknown> {
  const lines =
    payload.products ??
    (payload.productId !== undefined
      ? [{ product_id: payload.productId, quantity: payload.quantity, price: payload.value }]
      : [])
  const contents = lines.flatMap((line) => {
    const id = line['product_id'] ?? line['sku'] ?? line['id']
    if (typeof id !== 'string' && typeof id !== 'number') return []
    const price = numberOf(line['price'])
    return [
      { id: String(id), quantity: numberOf(line['quantity']) ?? 1, ...(price !== undefined && { item_price: price }) },
    ]
  })
  return {
    ...(payload.value !== undefined && {
      value: payload.value,
      currency: payload.currency ?? settings.defaultCurrency,
    }),
    ...(payload.predictedValue !== undefined && { predicted_ltv: payload.predictedValue }),
    ...(contents.length > 0 && {
      content_type: 'product',
      content_ids: contents.map(({ id }) => id),
      contents,
      num_items: contents.reduce((sum, { quantity }) => sum + quantity, 0),
    }),
    ...(payload.orderId !== undefined && { order_id: payload.orderId }),
    ...(payload.search !== undefined && { search_string: payload.search }),
  }
}

// ---------------------------------------------------------------- answers

/** https://developers.facebook.com/docs/graph-api/guides/error-handling: temporary errors and limits of calls. */
const TEMPORARY = new Set([1, 2, 4, 17, 341, 613])

function verdict({ status, json }: HttpResponse): Outcome | undefined {
  const error = (json as { error?: { code?: unknown; error_subcode?: unknown } } | undefined)?.error
  const { code, error_subcode: subcode } = error ?? {}
  if (typeof code !== 'number') return undefined
  const reason = `Meta code ${code}${typeof subcode === 'number' ? `/${subcode}` : ''}`
  if (TEMPORARY.has(code) || (code >= 80_000 && code <= 80_099)) return { status: 'retry', reason }
  // 190, 102: token. 10, 200-299: permission. 100/33: the dataset is not there for this token.
  if (code === 190 || code === 102 || code === 10 || (code >= 200 && code <= 299) || (code === 100 && subcode === 33))
    return { status: 'authentication', reason }
  if (code === 100) return { status: 'rejected', reason }
  return status >= 400 && status < 500 && ![401, 403, 408, 425, 429].includes(status)
    ? { status: 'rejected', reason }
    : undefined
}
