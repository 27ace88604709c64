/**
 * Segment, by its own SDK for Node (https://segment.com/docs/connections/sources/catalog/libraries/server/node/):
 * the SDK builds and batches, the hub's transport carries.
 */
import { Analytics, type HTTPClient, type TrackParams } from '@segment/analytics-node'
import { Type } from 'typebox'
import {
  defineDestination,
  type Outcome,
  RejectedError,
  type SpecCall,
  sdkExchange,
  specActions,
  type VendorContext,
} from '../../core/kit/index.ts'

const PATH = '/v1/batch'

interface Settings {
  readonly writeKey: string
  readonly host: string
}

export default defineDestination({
  id: 'segment',
  name: 'Segment',
  docs: 'https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/',
  support: 'community',
  apiVersion: {
    version: 'v1',
    docs: 'https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/',
  },
  baseUrl: ({ host }) => host,

  settings: Type.Object(
    {
      writeKey: Type.String({
        secret: true,
        minLength: 4,
        description: 'Write key of a server source of its own (HTTP API or Node.js) in the Segment workspace.',
      }),
      host: Type.String({
        pattern: '^https://[^/?#@\\s]+/?$',
        default: 'https://api.segment.io',
        description: 'Origin of the tracking API. A workspace in the EU has https://events.eu1.segmentapis.com.',
      }),
    },
    { additionalProperties: false },
  ),

  // https://segment.com/docs/connections/rate-limits/: 1,000 events a second per workspace.
  limits: { perSecond: 20, concurrency: 4 },

  actions: specActions<Settings>({
    name: 'Segment',
    // https://segment.com/docs/guides/duplicate-data/: a messageId is looked for among those of about the last 24 hours.
    dedupeHours: 24,
    // https://segment.com/docs/privacy/consent-management/consent-in-segment-connections/
    consent: ({ segment }) =>
      Object.keys(segment).length > 0 ? { consent: { categoryPreferences: { ...segment } } } : {},
    // The SDK would drop such an event without a word.
    finish: (call) =>
      call.integrations?.['Segment.io'] === false
        ? { reason: 'the sender asked that this event not go to Segment' }
        : call,
    send,
  }),

  // No call of the tracking API says whether a key is right, so this one carries none.
  async check({ http, settings: { host } }) {
    try {
      await http.lookup(PATH)
    } catch (error) {
      // It takes only POST: any answer shows that the address is right.
      if (!(error instanceof RejectedError)) throw error
    }
    return {
      ok: true,
      detail: `The tracking API answers at ${host}. The write key was not tried.`,
      warnings: [
        "Segment has no call that proves a write key, and may answer 200 to a wrong one. Look for the first event in the source's Debugger.",
      ],
    }
  },

  deleteSubject: {
    manual: {
      pt: 'No Segment: Privacy > Deletion and Suppression, pedido "Suppress and delete" com o userId da pessoa (pela API: POST https://api.segmentapis.com/regulations, regulationType SUPPRESS_WITH_DELETE). O pedido vale para todo o workspace, também para eventos que não vieram deste hub, e o Segment não garante a exclusão nos destinos dele. Quem só tem anonymousId não pode ser excluído assim.',
      en: 'In Segment: Privacy > Deletion and Suppression, a "Suppress and delete" request with the person\'s userId (by API: POST https://api.segmentapis.com/regulations, regulationType SUPPRESS_WITH_DELETE). It holds for the whole workspace, also for events that did not come from this hub, and Segment does not guarantee deletion at its destinations. Somebody with an anonymousId alone cannot be deleted this way.',
    },
  },
  exportSubject: {
    manual: {
      pt: 'Copie o perfil em Unify > Profile explorer, procurando o userId, ou consulte os eventos no armazém de dados ligado ao Segment.',
      en: 'Copy the profile from Unify > Profile explorer, looking for the userId, or query the events in the warehouse connected to Segment.',
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo pela ação forwardEvent. Eventos já guardados no Segment não mudam.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value through forwardEvent. Events already stored by Segment do not change.',
    },
  },
  feedback: {
    none: {
      pt: 'O Segment não diz o que foi feito de um evento; a fonte segment reconhece pelo anuente_delivery_id os que voltam.',
      en: 'Segment does not tell what became of an event; the segment source recognises those that come back by anuente_delivery_id.',
    },
  },
})

async function send(calls: readonly SpecCall[], context: VendorContext<Settings>): Promise<readonly Outcome[]> {
  const { writeKey, host } = context.settings
  const { exchange, outcomeOf } = sdkExchange(context.http)
  const httpClient: HTTPClient = {
    async makeRequest({ url, method, headers, body }) {
      const response = await exchange({ url, method, headers, body })
      return { status: response.status, statusText: '', headers: response.headers }
    },
  }
  const sdk = new Analytics({ writeKey, host, path: PATH, flushAt: calls.length, maxRetries: 0, httpClient })
  // The SDK's callback per call says the same, 300 ms later. By messageId, because the SDK copies its events.
  const faults = new Map<string, unknown>()
  sdk.on('error', ({ ctx, reason }) => {
    const about = ctx?.event.messageId
    for (const { messageId } of calls)
      if (about === undefined || about === messageId) faults.set(messageId, reason ?? new Error('no reason'))
  })
  for (const call of calls) {
    try {
      hand(sdk, call)
    } catch (error) {
      faults.set(call.messageId, error)
    }
  }
  // Without a time limit of its own, which would outlive this batch: the transport has one.
  await sdk.closeAndFlush({ timeout: 0 })
  return calls.map((call) => outcomeOf(faults.get(call.messageId)))
}

function hand(sdk: Analytics, { messageId, timestamp, context, integrations, ...call }: SpecCall): void {
  // Any JSON is taken here; the type knows only the forms Segment describes.
  const wishes = integrations as TrackParams['integrations']
  const common = { messageId, timestamp, context, ...(wishes && { integrations: wishes }) }
  if (call.type === 'alias') sdk.alias({ ...common, userId: call.userId, previousId: call.previousId })
  else if (call.type === 'track')
    sdk.track({ ...common, ...call.who, event: call.event, properties: { ...call.properties } })
  else if (call.type === 'identify') sdk.identify({ ...common, ...call.who, traits: { ...call.traits } })
  else if (call.type === 'group')
    sdk.group({ ...common, ...call.who, groupId: call.groupId, traits: { ...call.traits } })
  else {
    const { type, who, name, category, properties } = call
    const named = { ...(name !== undefined && { name }), ...(category !== undefined && { category }) }
    sdk[type]({ ...common, ...who, ...named, properties: { ...properties } })
  }
}
