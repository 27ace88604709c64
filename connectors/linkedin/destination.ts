/**
 * LinkedIn Conversions API and matched audiences (DMP segments). E-mail leaves as SHA-256 only. Batches answer item by
 * item. A version of the API lives a year.
 */
import { type Static, Type } from 'typebox'
import {
  defineDestination,
  type Http,
  type HttpResponse,
  hashedOnce,
  type ItemContext,
  inGroups,
  known,
  namesOf,
  type Outcome,
  oauthChoice,
  oauthClient,
  oauthFields,
  personal,
  personFields,
} from '../../core/kit/index.ts'

const VERSION = '202610'
const DAY = 86_400
const email = Type.String({ format: 'email', pii: true, from: ['identifiers.email', 'traits.email'] })
const audience = Type.String({ pattern: '^\\d+$', description: 'Id of the DMP segment.' })

const Settings = Type.Object(
  {
    ...oauthFields,
    version: Type.String({
      pattern: '^20\\d{4}$',
      default: VERSION,
      description: 'LinkedIn-Version, YYYYMM; raise it within a year.',
    }),
    conversionId: Type.Optional(Type.String({ pattern: '^\\d+$', description: 'Conversion rule of orders.' })),
    audiences: Type.Array(audience, {
      default: [],
      description: 'Segments from which a withdrawal or a deletion request takes a person.',
    }),
    defaultCurrency: Type.String({ pattern: '^[A-Z]{3}$', default: 'BRL' }),
  },
  { additionalProperties: false, ...oauthChoice() },
)
type Settings = Static<typeof Settings>

const Conversion = Type.Object({
  email,
  firstName: personFields.firstName,
  lastName: personFields.lastName,
  name: personFields.name,
  company: personal('traits.company.name', 'traits.companyName'),
  title: personal('traits.title', 'traits.jobTitle'),
  country: personFields.country,
  conversionId: Type.Optional(
    Type.String({ pattern: '^\\d+$', description: 'Set by the rule; that of the settings when absent.' }),
  ),
  eventId: Type.String({ minLength: 1, from: ['properties.order_id', 'messageId'] }),
  occurredAt: Type.String({ format: 'date-time', from: 'occurredAt' }),
  value: Type.Optional(
    Type.Number({
      from: ['properties.total', 'properties.revenue', 'properties.value'],
      description: 'In the currency, with decimals; a rule may set margin or predicted value.',
    }),
  ),
  currency: Type.Optional(Type.String({ from: 'properties.currency' })),
  fatId: Type.Optional(Type.String({ from: ['context.li_fat_id', 'properties.li_fat_id', 'traits.li_fat_id'] })),
})
const OLDEST_MS = 90 * 86_400_000

export default defineDestination({
  id: 'linkedin',
  name: 'LinkedIn Ads',
  docs: 'https://learn.microsoft.com/linkedin/marketing/conversions/conversions-overview',
  support: 'community',
  apiVersion: {
    version: VERSION,
    docs: 'https://learn.microsoft.com/linkedin/marketing/versioning',
    setting: 'version',
    // A version lives a year: 202511 ends on 2026-11-16.
    ends: (version) => `${Number(version.slice(0, 4)) + 1}-${version.slice(4)}-16`,
  },
  baseUrl: 'https://api.linkedin.com/rest',
  settings: Settings,
  authenticate: ({ accessToken, version }) => ({
    authorization: `Bearer ${accessToken}`,
    'linkedin-version': version,
    'x-restli-protocol-version': '2.0.0',
  }),
  // An access token lasts 60 days, a refresh token a year from the day the owner agreed: then somebody must agree again.
  oauth: {
    docs: 'https://learn.microsoft.com/linkedin/shared/authentication/programmatic-refresh-tokens',
    client: (settings) => oauthClient(settings),
    authorizeUrl: 'https://www.linkedin.com/oauth/v2/authorization',
    tokenUrl: 'https://www.linkedin.com/oauth/v2/accessToken',
    tokenBody: 'form',
    scopes: ['r_ads', 'rw_conversions', 'rw_dmp_segments'],
    pkce: false,
    lifetimes: { access: 60 * DAY, refresh: 365 * DAY, rotates: false },
  },
  verdict,
  // https://learn.microsoft.com/linkedin/marketing/conversions/conversions-overview#rate-limits: 600 a minute, 300,000 a day.
  limits: {
    perSecond: 10,
    concurrency: 4,
    windows: [
      { seconds: 60, max: 600 },
      { seconds: 86_400, max: 300_000 },
    ],
  },

  actions: {
    sendConversion: {
      title: { pt: 'Enviar conversão', en: 'Send conversion' },
      description: {
        pt: 'Envia o pedido como conversão, com o valor. O e-mail sai só como SHA-256.',
        en: 'Sends the order as a conversion, with its value. The e-mail leaves as SHA-256 only.',
      },
      purpose: 'ads_measurement',
      channel: 'ads',
      kind: 'event',
      identifier: ['email'],
      // https://learn.microsoft.com/linkedin/marketing/conversions/deduplication: by eventId.
      idempotency: { key: 24 },
      trigger: { type: 'track', name: 'Order Completed' },
      payload: Conversion,
      batch: { max: 5000 },
      async performBatch({ http, settings, items, now }) {
        const flaws = items.map(({ payload }) =>
          (payload.conversionId ?? settings.conversionId) === undefined
            ? 'no conversion in the rule or the settings'
            : now.getTime() - Date.parse(payload.occurredAt) > OLDEST_MS - 60_000
              ? 'older than the 90 days LinkedIn takes'
              : undefined,
        )
        const good = items.filter((_, index) => flaws[index] === undefined)
        const answers =
          good.length === 0
            ? []
            : each(
                good,
                await http.request('POST', '/conversionEvents', {
                  json: { elements: good.map((item) => conversionOf(item, settings)) },
                  headers: { 'x-restli-method': 'BATCH_CREATE' },
                }),
              )
        let next = 0
        return flaws.map((reason) => (reason === undefined ? answers[next++]! : { status: 'rejected', reason }))
      },
    },

    addToAudience: {
      title: { pt: 'Pôr no público', en: 'Add to audience' },
      description: { pt: 'Põe a pessoa num segmento de público.', en: 'Puts the person into a segment.' },
      purpose: 'ads_personalization',
      channel: 'ads',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email, audience }),
      batch: { max: 5000 },
      performBatch: ({ http, items }) =>
        inGroups(
          items,
          ({ payload }) => payload.audience,
          (group, segment) => change(http, group, segment, 'ADD'),
        ),
    },

    removeFromAudience: {
      title: { pt: 'Tirar do público', en: 'Remove from audience' },
      description: {
        pt: 'Tira a pessoa de um segmento, por exemplo depois de uma revogação.',
        en: 'Takes the person out of a segment, after a withdrawal for example.',
      },
      withdraws: ['ads_personalization'],
      purpose: 'customer_care',
      channel: 'ads',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email, audience: Type.Optional(audience) }),
      // One segment is one request, so a person in several is not batched.
      async perform({ http, payload, settings, ...item }) {
        const segments = payload.audience === undefined ? settings.audiences : [payload.audience]
        let last: Outcome = { status: 'delivered', answer: 'no audiences in the settings' }
        for (const segment of segments) {
          ;[last] = (await change(http, [{ ...item, payload }], segment, 'REMOVE')) as [Outcome]
          if (last.status !== 'delivered') return last
        }
        return last
      },
    },
  },

  async check({ http, settings }) {
    await http.lookup('/adAccounts?q=search&pageSize=1')
    return {
      ok: true,
      detail: 'LinkedIn knows the token and takes the version.',
      ...(settings.conversionId === undefined && { warnings: ['No conversionId: orders cannot be sent.'] }),
    }
  },

  deleteSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      if (!identifiers.email) return { status: 'rejected', reason: 'no e-mail to look for' }
      for (const segment of settings.audiences)
        await http.request('POST', `/dmpSegments/${segment}/users`, {
          json: { elements: [userOf('REMOVE', identifiers.email)] },
          headers: { 'x-restli-method': 'BATCH_CREATE' },
        })
      return { status: 'delivered', answer: `taken out of ${settings.audiences.length} segments` }
    },
  },
  exportSubject: {
    impossible: {
      pt: 'O LinkedIn não devolve conversões nem membros de um segmento: guarda só os hashes. O que o hub enviou está em entregas.',
      en: 'LinkedIn does not give back conversions or members of a segment: it keeps hashes only. What the hub sent is under deliveries.',
    },
  },
  correctSubject: {
    impossible: {
      pt: 'Uma conversão enviada não pode ser alterada; a próxima leva os dados corrigidos.',
      en: 'A conversion that was sent cannot be changed; the next one carries the corrected data.',
    },
  },
  feedback: {
    none: {
      pt: 'O LinkedIn não informa o que foi feito de uma conversão; o Campaign Manager mostra os totais.',
      en: 'LinkedIn does not tell what became of a conversion; Campaign Manager shows the totals.',
    },
  },
})

/** Lower case, trimmed, SHA-256 in hexadecimal. */
const hashOf = (value: string): string => hashedOnce(value, (text) => text.trim().toLowerCase()) ?? ''

/** https://learn.microsoft.com/linkedin/marketing/conversions/conversion-events-schema */
function conversionOf({ payload }: ItemContext<Static<typeof Conversion>>, settings: Settings) {
  const { firstName, lastName } = namesOf(payload)
  const country = payload.country?.trim().toUpperCase()
  return {
    conversion: `urn:lla:llaPartnerConversion:${payload.conversionId ?? settings.conversionId}`,
    conversionHappenedAt: Date.parse(payload.occurredAt),
    eventId: payload.eventId,
    ...(payload.value !== undefined && {
      conversionValue: {
        currencyCode: payload.currency ?? settings.defaultCurrency,
        amount: payload.value.toFixed(2),
      },
    }),
    user: {
      userIds: [
        { idType: 'SHA256_EMAIL', idValue: hashOf(payload.email) },
        ...(payload.fatId === undefined
          ? []
          : [{ idType: 'LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID', idValue: payload.fatId }]),
      ],
      // A name helps only with its other half.
      ...(firstName !== undefined &&
        lastName !== undefined && {
          userInfo: known({
            firstName,
            lastName,
            companyName: payload.company,
            title: payload.title,
            countryCode: /^[A-Z]{2}$/.test(country ?? '')
              ? country
              : /^BRA(S|Z)?/.test(country ?? '')
                ? 'BR'
                : undefined,
          }),
        }),
    },
  }
}

const userOf = (action: 'ADD' | 'REMOVE', address: string) => ({
  action,
  userIds: [{ idType: 'SHA256_EMAIL', idValue: hashOf(address) }],
})

/** https://learn.microsoft.com/linkedin/marketing/matched-audiences/create-and-manage-segment-users */
const change = async (
  http: Http,
  items: readonly ItemContext<{ readonly email: string }>[],
  segment: string,
  action: 'ADD' | 'REMOVE',
): Promise<readonly Outcome[]> =>
  each(
    items,
    await http.request('POST', `/dmpSegments/${segment}/users`, {
      json: { elements: items.map(({ payload }) => userOf(action, payload.email)) },
      headers: { 'x-restli-method': 'BATCH_CREATE' },
    }),
  )

/** BATCH_CREATE: one status per element, in order. Without them the request as a whole was taken. */
function each(items: readonly ItemContext<unknown>[], { json }: HttpResponse): readonly Outcome[] {
  const { elements } = (json ?? {}) as { elements?: { status?: unknown }[] }
  return items.map((_, index) => {
    const status = Array.isArray(elements) ? elements[index]?.status : undefined
    if (typeof status !== 'number' || (status >= 200 && status < 300)) return { status: 'delivered', answer: '201' }
    const reason = `LinkedIn item status ${status}`
    return status === 429 || status >= 500 ? { status: 'retry', reason } : { status: 'rejected', reason }
  })
}

/** 426: the version has ended. https://learn.microsoft.com/linkedin/marketing/versioning */
function verdict({ status }: HttpResponse): Outcome | undefined {
  return status === 426
    ? { status: 'authentication', reason: 'HTTP 426 the LinkedIn-Version of the settings has ended' }
    : undefined
}
