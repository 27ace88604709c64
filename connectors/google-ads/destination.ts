/**
 * Google Ads by the Data Manager API: members of customer lists, and conversions with the value that bids should
 * follow. It needs no developer token. Contact data leaves as SHA-256 only; consent says what the ledger says.
 */
import { type Static, Type } from 'typebox'
import {
  bisect,
  commerceFields,
  countryCode,
  defineDestination,
  googleBearer,
  googleCredentials,
  googleEmail,
  googleVerdict,
  type Http,
  hashedOnce,
  type ItemContext,
  inGroups,
  known,
  linesOf,
  namesOf,
  type Outcome,
  type OutgoingSignals,
  oauthChoice,
  oauthClient,
  oauthFields,
  personal,
  personFields,
  RejectedError,
  someOf,
} from '../../core/kit/index.ts'
import { ADS_HOST, ADS_VERSION, adjust, Restatement, Retraction } from './adjustments.ts'

const digits = (description: string) => Type.String({ pattern: '^\\d{1,19}$', description })

const Settings = Type.Object(
  {
    ...googleCredentials,
    ...oauthFields,
    customerId: Type.String({ pattern: '^\\d{10}$', description: 'Google Ads account, ten digits without hyphens.' }),
    loginCustomerId: Type.Optional(
      Type.String({ pattern: '^\\d{10}$', description: 'Manager account through which the account is reached.' }),
    ),
    conversionActionId: Type.Optional(digits('Conversion action of orders; ctId in its address.')),
    buyers: Type.Optional(
      digits('Customer list of buyers, to be excluded in campaigns for new customers; orders put people on it.'),
    ),
    audiences: Type.Array(digits('Customer list'), {
      default: [],
      description: 'Lists from which a withdrawal or a deletion request takes a person.',
    }),
    developerToken: Type.Optional(
      Type.String({
        minLength: 8,
        secret: true,
        description: 'Of the Google Ads API, to change conversions after they were sent.',
      }),
    ),
    adsApiVersion: Type.String({
      pattern: '^v\\d{1,3}$',
      default: ADS_VERSION,
      description: 'Version of the Google Ads API, for adjustments; raise it before its end of life.',
    }),
    defaultCurrency: Type.String({ pattern: '^[A-Z]{3}$', default: 'BRL' }),
    validateOnly: Type.Boolean({ default: false, description: 'Google checks the requests and keeps nothing.' }),
  },
  { additionalProperties: false, ...oauthChoice('serviceAccount') },
)
type Settings = Static<typeof Settings>

const who = {
  email: personal('identifiers.email', 'traits.email'),
  phone: personal('identifiers.phone', 'traits.phone'),
  ...personFields,
}
const Member = Type.Object({ ...who, audience: digits('Id of the customer list.') }, someOf('email', 'phone'))
/** Whoever leaves: one list, or all that the settings name. */
const Leaver = Type.Object(
  { ...who, audience: Type.Optional(digits('Id of the customer list; all of the settings when absent.')) },
  someOf('email', 'phone'),
)
const Conversion = Type.Object({
  ...who,
  ...commerceFields,
  conversionActionId: Type.Optional(digits('Conversion action, set by the rule; that of the settings when absent.')),
  transactionId: Type.String({
    minLength: 1,
    from: ['properties.order_id', 'messageId'],
    description: 'Google counts a transaction once per conversion action.',
  }),
  occurredAt: Type.String({ format: 'date-time', from: 'occurredAt' }),
  gclid: Type.Optional(Type.String({ from: ['context.gclid', 'properties.gclid', 'traits.gclid'] })),
  gbraid: Type.Optional(Type.String({ from: ['context.gbraid', 'properties.gbraid'] })),
  wbraid: Type.Optional(Type.String({ from: ['context.wbraid', 'properties.wbraid'] })),
})
type Who = Readonly<Partial<Record<'email' | 'phone' | 'firstName' | 'lastName' | 'name' | 'zip' | 'country', string>>>

const SCOPE = 'https://www.googleapis.com/auth/datamanager'
/** Of the Google Ads API: for adjustments alone. */
const ADS_SCOPE = 'https://www.googleapis.com/auth/adwords'

export default defineDestination({
  id: 'google-ads',
  name: 'Google Ads',
  docs: 'https://developers.google.com/data-manager/api',
  support: 'community',
  apiVersion: { version: 'v1', docs: 'https://developers.google.com/data-manager/api/release-notes' },
  baseUrl: 'https://datamanager.googleapis.com/v1',
  settings: Settings,
  hosts: [ADS_HOST],
  authenticate: (settings) => ({
    authorization: googleBearer(settings, settings.developerToken === undefined ? SCOPE : `${SCOPE} ${ADS_SCOPE}`),
  }),
  // A refresh token does not rotate. It ends after six months without use, when revoked, and after seven days while the
  // consent screen of the project is in testing: answers then tell refresh_token_expires_in.
  oauth: {
    docs: 'https://developers.google.com/identity/protocols/oauth2/web-server',
    client: (settings) => oauthClient(settings, ['serviceAccount']),
    authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
    // Without `consent` a second agreement brings no refresh token.
    authorizeFields: { access_type: 'offline', prompt: 'consent' },
    tokenUrl: 'https://oauth2.googleapis.com/token',
    tokenBody: 'form',
    scopes: [SCOPE, ADS_SCOPE],
    pkce: true,
    lifetimes: { access: 3599, rotates: false },
  },
  verdict: googleVerdict,
  // https://developers.google.com/data-manager/api/limits: 300 requests a minute, 100,000 a day.
  limits: {
    perSecond: 5,
    concurrency: 4,
    windows: [
      { seconds: 60, max: 300 },
      { seconds: 86_400, max: 100_000 },
    ],
  },

  actions: {
    sendConversion: {
      title: { pt: 'Enviar conversão', en: 'Send conversion' },
      description: {
        pt: 'Envia o pedido como conversão, com o valor que os lances devem seguir: receita, margem ou valor previsto.',
        en: 'Sends the order as a conversion, with the value that bids should follow: revenue, margin or predicted value.',
      },
      purpose: 'ads_measurement',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone', 'userId', 'anonymousId', 'ga_client_id'],
      // By transactionId, per conversion action.
      idempotency: { key: 24 },
      trigger: { type: 'track', name: 'Order Completed' },
      payload: Conversion,
      batch: { max: 2000 },
      performBatch: ({ http, settings, items }) =>
        each(items, conversionFlaw(settings), (good) =>
          inGroups(
            good,
            ({ payload }) => payload.conversionActionId ?? settings.conversionActionId ?? '',
            (group, action) =>
              bisect(
                group,
                (some) =>
                  ingest(http, '/events:ingest', some, {
                    destinations: [destinationOf(settings, action)],
                    events: some.map((item) => conversionOf(item, settings)),
                    encoding: 'HEX',
                    validateOnly: settings.validateOnly,
                  }),
                divisible,
              ),
          ),
        ),
    },

    restateConversion: {
      title: { pt: 'Corrigir valor da conversão', en: 'Restate conversion' },
      description: {
        pt: 'Muda o valor de uma conversão já enviada, para que os lances sigam a margem, o valor previsto ou o que sobrou de uma devolução.',
        en: 'Changes the value of a conversion that was sent, so that bids follow margin, predicted value or what a refund left.',
      },
      purpose: 'ads_measurement',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone', 'userId', 'anonymousId', 'ga_client_id'],
      idempotency: 'natural',
      payload: Restatement,
      batch: { max: 2000 },
      performBatch: ({ http, settings, items }) => adjust(http, settings, items, 'RESTATEMENT'),
    },

    retractConversion: {
      title: { pt: 'Retirar conversão', en: 'Retract conversion' },
      description: {
        pt: 'Retira uma conversão já enviada, por exemplo de um pedido cancelado.',
        en: 'Takes a conversion back that was sent, of a cancelled order for example.',
      },
      purpose: 'ads_measurement',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone', 'userId', 'anonymousId', 'ga_client_id'],
      idempotency: 'natural',
      payload: Retraction,
      batch: { max: 2000 },
      performBatch: ({ http, settings, items }) => adjust(http, settings, items, 'RETRACTION'),
    },

    addToAudience: {
      title: { pt: 'Pôr na lista de clientes', en: 'Add to customer list' },
      description: {
        pt: 'Põe a pessoa numa lista de clientes, para anúncios ou para excluir quem já comprou.',
        en: 'Puts the person on a customer list, for ads or to exclude who bought already.',
      },
      purpose: 'ads_personalization',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone'],
      idempotency: 'natural',
      payload: Member,
      batch: { max: 10_000 },
      performBatch: ({ http, settings, items }) => members(http, settings, items, 'ingest'),
    },

    excludeBuyer: {
      title: { pt: 'Excluir comprador', en: 'Exclude buyer' },
      description: {
        pt: 'Põe quem comprou na lista de compradores, que as campanhas para novos clientes excluem.',
        en: 'Puts who bought on the list of buyers, which campaigns for new customers exclude.',
      },
      purpose: 'ads_personalization',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone'],
      idempotency: 'natural',
      trigger: { type: 'track', name: 'Order Completed' },
      payload: Type.Object(
        { ...who, audience: Type.Optional(digits('Customer list; `buyers` of the settings when absent.')) },
        someOf('email', 'phone'),
      ),
      batch: { max: 10_000 },
      async performBatch({ http, settings, items }) {
        const { buyers } = settings
        // It follows orders by itself: without a list there is nothing to do, which is no failure.
        if (buyers === undefined && items.every(({ payload }) => payload.audience === undefined))
          return items.map(() => ({ status: 'delivered', answer: 'no list of buyers in the settings' }))
        return members(http, { ...settings, audiences: buyers === undefined ? [] : [buyers] }, items, 'ingest')
      },
    },

    removeFromAudience: {
      title: { pt: 'Tirar da lista de clientes', en: 'Remove from customer list' },
      description: {
        pt: 'Tira a pessoa da lista de clientes, por exemplo depois de uma revogação.',
        en: 'Takes the person off the customer list, after a withdrawal for example.',
      },
      withdraws: ['ads_personalization'],
      purpose: 'customer_care',
      channel: 'ads',
      kind: 'event',
      identifier: ['email', 'phone'],
      idempotency: 'natural',
      payload: Leaver,
      batch: { max: 10_000 },
      performBatch: ({ http, settings, items }) =>
        members(http, { ...settings, audiences: listsOf(settings) }, items, 'remove'),
    },
  },

  async check({ http, settings }) {
    const warnings = [
      ...(settings.validateOnly ? ['validateOnly is set: Google keeps nothing.'] : []),
      ...(settings.conversionActionId === undefined ? ['No conversionActionId: orders cannot be sent.'] : []),
    ]
    try {
      // Nothing has this id. Refused credentials are found before it is looked for.
      await http.lookup('/requestStatus:retrieve?requestId=anuente-check')
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error
    }
    return { ok: true, detail: 'Google knows the credentials.', ...(warnings.length > 0 && { warnings }) }
  },

  deleteSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      const who = { ...identifiers } as Who
      const identifiersOf = userIdentifiers(who)
      if (identifiersOf.length === 0) return { status: 'rejected', reason: 'no e-mail and no phone to look for' }
      const lists = listsOf(settings)
      if (lists.length === 0) return { status: 'delivered', answer: 'no audiences in the settings' }
      return http.request('POST', '/audienceMembers:remove', {
        json: {
          destinations: lists.map((audience) => destinationOf(settings, audience)),
          audienceMembers: [{ userData: { userIdentifiers: identifiersOf } }],
          encoding: 'HEX',
        },
      })
    },
  },
  exportSubject: {
    impossible: {
      pt: 'O Google não devolve membros de listas nem conversões de uma pessoa: só guarda os hashes. O que o hub enviou está em entregas.',
      en: 'Google does not give back list members or conversions of one person: it keeps hashes only. What the hub sent is under deliveries.',
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem e envie a pessoa de novo à lista; retire o contato antigo com removeFromAudience. Conversões enviadas não mudam.',
      en: 'Correct the profile in the system of origin and send the person to the list again; take the old contact off with removeFromAudience. Conversions that were sent do not change.',
    },
  },
  feedback: {
    none: {
      pt: 'O Google informa só o total aproveitado por requisição, nunca por pessoa.',
      en: 'Google tells only the total matched per request, never per person.',
    },
  },
})

// ---------------------------------------------------------------- requests

type Item<P> = ItemContext<P>

/** Every list that a person is taken from, that of buyers included. */
const listsOf = ({ audiences, buyers }: Settings): string[] => [
  ...new Set([...audiences, ...(buyers === undefined ? [] : [buyers])]),
]

const destinationOf = ({ customerId, loginCustomerId }: Settings, productDestinationId: string) => ({
  operatingAccount: { accountType: 'GOOGLE_ADS', accountId: customerId },
  ...(loginCustomerId !== undefined && { loginAccount: { accountType: 'GOOGLE_ADS', accountId: loginCustomerId } }),
  productDestinationId,
})

async function ingest<P>(
  http: Http,
  path: string,
  items: readonly Item<P>[],
  { validateOnly, ...body }: Record<string, unknown> & { readonly validateOnly: boolean },
): Promise<readonly Outcome[]> {
  await http.request('POST', path, { json: { ...body, ...(validateOnly && { validateOnly }) } })
  // Taken; what Google matched shows under requestStatus within hours.
  return items.map(() => ({ status: 'delivered', answer: `${items.length} taken` }))
}

/** Only a fault of the content may be one item's. */
const divisible = (error: RejectedError) => error.message.includes('INVALID_ARGUMENT')

function members(
  http: Http,
  settings: Settings,
  items: readonly Item<Static<typeof Leaver>>[],
  act: 'ingest' | 'remove',
): Promise<readonly Outcome[]> {
  const flaw = ({ payload }: Item<Static<typeof Leaver>>) =>
    userIdentifiers(payload).length === 0
      ? 'nothing Google could match the person by'
      : payload.audience === undefined && settings.audiences.length === 0
        ? 'no audience in the rule or the settings'
        : undefined
  return each(items, flaw, (good) =>
    inGroups(
      good,
      ({ payload }) => payload.audience ?? settings.audiences.join(),
      (group, audiences) =>
        bisect(
          group,
          (some) =>
            ingest(http, `/audienceMembers:${act}`, some, {
              destinations: audiences.split(',').map((audience) => destinationOf(settings, audience)),
              audienceMembers: some.map(({ payload, signals }) => ({
                userData: { userIdentifiers: userIdentifiers(payload) },
                ...(act === 'ingest' && consentOf(signals)),
              })),
              encoding: 'HEX',
              ...(act === 'ingest' && { termsOfService: { customerMatchTermsOfServiceStatus: 'ACCEPTED' } }),
              validateOnly: settings.validateOnly,
            }),
          divisible,
        ),
    ),
  )
}

/** Items with a flaw of their own never get into a request that others share. */
async function each<P>(
  items: readonly Item<P>[],
  flaw: (item: Item<P>) => string | undefined,
  send: (items: readonly Item<P>[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const flaws = items.map(flaw)
  const good = items.filter((_, index) => flaws[index] === undefined)
  const answers = good.length > 0 ? await send(good) : []
  let next = 0
  return flaws.map((reason) => (reason === undefined ? answers[next++]! : { status: 'rejected', reason }))
}

const conversionFlaw =
  (settings: Settings) =>
  ({ payload }: Item<Static<typeof Conversion>>): string | undefined => {
    if ((payload.conversionActionId ?? settings.conversionActionId) === undefined)
      return 'no conversion action in the rule or the settings'
    return payload.gclid === undefined &&
      payload.gbraid === undefined &&
      payload.wbraid === undefined &&
      userIdentifiers(payload).length === 0
      ? 'neither a click id nor anything Google could match the person by'
      : undefined
  }

function conversionOf({ payload, signals }: Item<Static<typeof Conversion>>, settings: Settings) {
  const identifiers = userIdentifiers(payload)
  const clicks = known({ gclid: payload.gclid, gbraid: payload.gbraid, wbraid: payload.wbraid })
  const items = linesOf(payload).map((line) =>
    known({ merchantProductId: line.id, quantity: line.quantity, unitPrice: line.price }),
  )
  return {
    transactionId: payload.transactionId,
    eventTimestamp: payload.occurredAt,
    eventSource: 'WEB',
    ...(identifiers.length > 0 && { userData: { userIdentifiers: identifiers } }),
    ...(Object.keys(clicks).length > 0 && { adIdentifiers: clicks }),
    ...(payload.value !== undefined && {
      conversionValue: payload.value,
      currency: payload.currency ?? settings.defaultCurrency,
    }),
    ...(items.length > 0 && { cartData: { items } }),
    ...consentOf(signals),
  }
}

/** Only what the ledger knows; Google reads what is missing as not stated. */
function consentOf({ google }: OutgoingSignals): { consent?: Record<string, string> } {
  const consent = known({
    adUserData: google.ad_user_data && `CONSENT_${google.ad_user_data}`,
    adPersonalization: google.ad_personalization && `CONSENT_${google.ad_personalization}`,
  })
  return Object.keys(consent).length > 0 ? { consent: consent as Record<string, string> } : {}
}

// ---------------------------------------------------------------- people

/** https://developers.google.com/data-manager/api/devguides/concepts/formatting: up to ten per person. */
export function userIdentifiers(payload: Who): Record<string, unknown>[] {
  const { firstName, lastName } = namesOf(payload)
  const email = hashedOnce(payload.email, googleEmail)
  const phone = hashedOnce(payload.phone, phoneOf)
  const region = payload.country === undefined ? '' : countryCode(payload.country).toUpperCase()
  const given = hashedOnce(firstName, nameOf)
  const family = hashedOnce(lastName, nameOf)
  const zip = payload.zip?.replace(/[\s-]/g, '').toLowerCase()
  return [
    ...(email === undefined ? [] : [{ emailAddress: email }]),
    ...(phone === undefined ? [] : [{ phoneNumber: phone }]),
    // An address matches by all four parts, or not at all.
    ...(given === undefined || family === undefined || region === '' || !zip
      ? []
      : [{ address: { givenName: given, familyName: family, regionCode: region, postalCode: zip } }]),
  ]
}

/** E.164 with its plus sign. */
const phoneOf = (value: string): string => value.replace(/[^\d+]/g, '')
/** Lower case, trimmed, one space between words. */
const nameOf = (value: string): string => value.normalize('NFC').trim().toLowerCase().replace(/\s+/g, ' ')
