/**
 * Conversions changed after they were sent: the Data Manager API has no call for it, the Google Ads API has
 * (https://developers.google.com/google-ads/api/docs/conversions/upload-adjustments). It needs a developer token, and
 * since June 2026 Google lets only tokens that used it before do so (CUSTOMER_NOT_ALLOWLISTED_FOR_THIS_FEATURE).
 */
import { type Http, type ItemContext, type Outcome, type Static, Type } from '../../core/kit/index.ts'

/** https://developers.google.com/google-ads/api/docs/sunset-dates tells when a version ends. */
export const ADS_VERSION = 'v22'
export const ADS_HOST = 'googleads.googleapis.com'

const action = Type.Optional(
  Type.String({ pattern: '^\\d{1,19}$', description: 'Conversion action; that of the settings when absent.' }),
)
const transactionId = Type.String({
  minLength: 1,
  from: 'properties.order_id',
  description: 'Transaction of the conversion that was sent.',
})
const occurredAt = Type.String({ format: 'date-time', from: 'occurredAt' })

export const Restatement = Type.Object({
  transactionId,
  occurredAt,
  conversionActionId: action,
  value: Type.Number({
    from: ['properties.value', 'properties.revenue', 'properties.total'],
    description: 'The value that bids should follow from now on: after a refund, margin, predicted value.',
  }),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', from: 'properties.currency' })),
})
export const Retraction = Type.Object({ transactionId, occurredAt, conversionActionId: action })

export interface AdjustmentSettings {
  readonly customerId: string
  readonly loginCustomerId?: string
  readonly conversionActionId?: string
  readonly developerToken?: string
  readonly adsApiVersion: string
  readonly defaultCurrency: string
  readonly validateOnly: boolean
}

type Item = ItemContext<Static<typeof Retraction> & Partial<Static<typeof Restatement>>>

/** The vendor may not have processed a conversion yet that it took hours ago. */
const PROCESSED_MS = 6 * 3600_000

export async function adjust(
  http: Http,
  settings: AdjustmentSettings,
  items: readonly Item[],
  adjustmentType: 'RESTATEMENT' | 'RETRACTION',
): Promise<readonly Outcome[]> {
  const { customerId, loginCustomerId, developerToken, adsApiVersion, validateOnly } = settings
  const refused = (reason: string): Outcome => ({ status: 'rejected', reason })
  if (developerToken === undefined)
    return items.map(() => refused('no developerToken in the settings: the Google Ads API needs one to adjust'))
  const outcomes: (Outcome | undefined)[] = items.map(({ payload }) =>
    (payload.conversionActionId ?? settings.conversionActionId) === undefined
      ? refused('no conversion action in the rule or the settings')
      : undefined,
  )
  const sent = items.flatMap((item, index) => (outcomes[index] ? [] : [{ item, index }]))
  if (sent.length === 0) return outcomes as Outcome[]
  const { json } = await http.request(
    'POST',
    `https://${ADS_HOST}/${adsApiVersion}/customers/${customerId}:uploadConversionAdjustments`,
    {
      headers: {
        'developer-token': developerToken,
        ...(loginCustomerId !== undefined && { 'login-customer-id': loginCustomerId }),
      },
      json: {
        conversionAdjustments: sent.map(({ item: { payload } }) => ({
          adjustmentType,
          conversionAction: `customers/${customerId}/conversionActions/${payload.conversionActionId ?? settings.conversionActionId}`,
          orderId: payload.transactionId,
          adjustmentDateTime: adsTime(payload.occurredAt),
          ...(adjustmentType === 'RESTATEMENT' && {
            restatementValue: {
              adjustedValue: payload.value,
              currencyCode: payload.currency ?? settings.defaultCurrency,
            },
          }),
        })),
        // One wrong adjustment does not keep its neighbours out.
        partialFailure: true,
        ...(validateOnly && { validateOnly }),
      },
    },
  )
  for (const { place, code } of failuresOf(json)) {
    const one = sent[place]
    if (one)
      outcomes[one.index] =
        code === 'CONVERSION_NOT_FOUND'
          ? { status: 'retry', reason: code, retryAfterMs: PROCESSED_MS }
          : { status: 'rejected', reason: code }
  }
  return outcomes.map((outcome) => outcome ?? { status: 'delivered' })
}

/** yyyy-MM-dd HH:mm:ss+00:00 */
const adsTime = (at: string): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}+00:00`

/** https://developers.google.com/google-ads/api/docs/best-practices/partial-failures */
function failuresOf(json: unknown): { place: number; code: string }[] {
  const error = (json as { partialFailureError?: { details?: unknown } } | undefined)?.partialFailureError
  const details = Array.isArray(error?.details) ? (error.details as { errors?: unknown }[]) : []
  return details.flatMap(({ errors }) =>
    (Array.isArray(errors) ? (errors as AdsError[]) : []).flatMap(({ errorCode, location }) => {
      const place = location?.fieldPathElements?.find(({ index }) => index !== undefined)?.index
      const code = Object.values(errorCode ?? {})[0]
      return place === undefined
        ? []
        : [{ place: Number(place), code: /^[A-Z_]{3,60}$/.test(String(code)) ? String(code) : 'REFUSED' }]
    }),
  )
}

interface AdsError {
  readonly errorCode?: Readonly<Record<string, unknown>>
  readonly location?: {
    readonly fieldPathElements?: readonly { readonly fieldName?: string; readonly index?: number }[]
  }
}
