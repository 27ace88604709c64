/**
 * RudderStack, by its own SDK for Node (https://www.rudderstack.com/docs/sources/event-streams/sdks/rudderstack-node-sdk/):
 * the SDK builds, batches and compresses, the hub's transport carries.
 */
import RudderAnalytics from '@rudderstack/rudder-sdk-node'
import { Type } from 'typebox'
import {
  axiosOver,
  defineDestination,
  isLoose,
  type Outcome,
  type SpecCall,
  sdkExchange,
  specActions,
  type VendorContext,
} from '../../core/kit/index.ts'
import { oneOf } from '../../schemas/one-of.ts'

interface Settings {
  readonly writeKey: string
  readonly dataPlaneUrl: string
  readonly consentProvider: 'custom' | 'oneTrust' | 'ketch' | 'iubenda'
}

export default defineDestination({
  id: 'rudderstack',
  name: 'RudderStack',
  docs: 'https://www.rudderstack.com/docs/api/http-api/',
  support: 'community',
  apiVersion: { version: 'v1', docs: 'https://www.rudderstack.com/docs/api/http-api/' },
  baseUrl: ({ dataPlaneUrl }) => dataPlaneUrl,

  settings: Type.Object(
    {
      writeKey: Type.String({
        secret: true,
        minLength: 4,
        description: 'Write key of a server source of its own (HTTP or Node.js) in RudderStack.',
      }),
      dataPlaneUrl: Type.String({
        pattern: '^https?://[^?#@\\s]+$',
        description: 'Address of the data plane, without /v1/batch. http:// only inside a network of your own.',
      }),
      consentProvider: Type.Unsafe<Settings['consentProvider']>({
        ...oneOf(['custom', 'oneTrust', 'ketch', 'iubenda']),
        default: 'custom',
        description: "Consent management provider that RudderStack's destinations are configured with.",
      }),
    },
    { additionalProperties: false },
  ),

  // Not documented for a data plane; a request carries up to 50 events.
  limits: { perSecond: 20, concurrency: 4 },

  actions: specActions<Settings>({
    name: 'RudderStack',
    // Dedup.dedupWindow of the data plane is 3600 s where its operator changed nothing, and Dedup.enableDedup may be
    // off (https://github.com/rudderlabs/rudder-server, config/config.yaml): an answer lost for longer than the hour
    // is a decision for a person. Where deduplication is off, a repeated event is one for the warehouse's own to find.
    dedupeHours: 1,
    // https://www.rudderstack.com/docs/data-governance/consent-management/custom-consent-manager/. The server lets
    // through what is not in the denied list, so that list must be complete; `and` is its stricter reading.
    consent: ({ rudder: { allowedConsentIds, deniedConsentIds } }, { consentProvider }) =>
      allowedConsentIds.length + deniedConsentIds.length > 0
        ? {
            consentManagement: {
              provider: consentProvider,
              allowedConsentIds: [...allowedConsentIds],
              deniedConsentIds: [...deniedConsentIds],
              resolutionStrategy: 'and',
            },
          }
        : {},
    // The SDK sends the traits of an identify in both places; here, so that they are measured.
    finish: (call) =>
      call.type === 'identify' ? { ...call, context: { ...call.context, traits: call.traits } } : call,
    send,
  }),

  // https://www.rudderstack.com/docs/rudderstack-open-source/: the data plane says how it is, to anybody.
  async check({ http, settings: { dataPlaneUrl } }) {
    const { status, json } = await http.lookup('/health')
    const health = isLoose(json) ? json : undefined
    if (status === 404 || health?.['server'] === undefined)
      return { ok: false, detail: `${dataPlaneUrl} answers, but not as a RudderStack data plane.` }
    if (health['server'] !== 'UP' || health['acceptingEvents'] === 'FALSE')
      return { ok: false, detail: `The data plane at ${dataPlaneUrl} answers that it takes no events.` }
    return {
      ok: true,
      detail: `The data plane at ${dataPlaneUrl} is up. The write key was not tried.`,
      warnings: [
        'RudderStack has no call that proves a write key without sending an event; a wrong one shows with the first delivery.',
      ],
    }
  },

  deleteSubject: {
    manual: {
      pt: 'No RudderStack: POST https://api.rudderstack.com/v2/regulations com um token de acesso, {"regulationType": "suppress_with_delete", "destinationIds": […], "users": [{"userId": …}]}. O pedido vale para todo o workspace, também para eventos que não vieram deste hub, e só apaga nos destinos que o RudderStack suporta. Em instalação própria, apague a pessoa no armazém de dados e em cada destino.',
      en: 'In RudderStack: POST https://api.rudderstack.com/v2/regulations with an access token, {"regulationType": "suppress_with_delete", "destinationIds": […], "users": [{"userId": …}]}. It holds for the whole workspace, also for events that did not come from this hub, and deletes only at destinations that RudderStack supports. Self-hosted: delete the person in the warehouse and at each destination.',
    },
  },
  exportSubject: {
    impossible: {
      pt: 'O RudderStack repassa eventos e não guarda perfis que se possam consultar; peça a cópia ao armazém de dados ou aos destinos ligados a ele.',
      en: 'RudderStack passes events on and keeps no profile that can be asked for; take the copy from the warehouse or the destinations connected to it.',
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo pela ação forwardEvent. Eventos já gravados no armazém de dados não mudam.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value through forwardEvent. Events already written to the warehouse do not change.',
    },
  },
  feedback: {
    none: {
      pt: 'O RudderStack não diz o que foi feito de um evento; a fonte rudderstack reconhece pelo anuente_delivery_id os que voltam.',
      en: 'RudderStack does not tell what became of an event; the rudderstack source recognises those that come back by anuente_delivery_id.',
    },
  },
})

async function send(calls: readonly SpecCall[], context: VendorContext<Settings>): Promise<readonly Outcome[]> {
  const { writeKey, dataPlaneUrl } = context.settings
  const { exchange, outcomeOf } = sdkExchange(context.http)
  const sdk = new RudderAnalytics(writeKey, {
    dataPlaneUrl,
    axiosInstance: axiosOver(exchange),
    retryCount: 0,
    // One above what will be queued, and no limit by size: flush() below sends all, once.
    flushAt: calls.length + 1,
    maxQueueSize: Number.POSITIVE_INFINITY,
    // Its log would name statuses on the console. What went wrong reaches the callbacks.
    logLevel: 'none',
    // Without one, a refused request is an unhandled rejection, which ends the process.
    errorHandler: () => {},
  })
  // The SDK sends its first event alone unless it has sent before; the types do not know this field.
  Object.assign(sdk, { flushed: true })
  const faults = new Map<SpecCall, unknown>()
  for (const call of calls) {
    try {
      hand(sdk, call, (error) => faults.set(call, error))
    } catch (error) {
      faults.set(call, error)
    }
  }
  // The flush settles before the callbacks have run; its own callback is the last of them.
  await new Promise<void>((resolve, reject) => sdk.flush(() => resolve()).catch(reject))
  return calls.map((call) => outcomeOf(faults.get(call)))
}

function hand(sdk: RudderAnalytics, call: SpecCall, told: (error?: unknown) => void): void {
  const { messageId, timestamp, context, integrations } = call
  const common = {
    messageId,
    timestamp: new Date(timestamp),
    // RudderStack reckons the time from this one; the SDK would put its own clock.
    originalTimestamp: timestamp,
    context,
    ...(integrations && { integrations }),
  }
  // The SDK's types allow neither the ids and times it takes, nor JSON that is not known beforehand.
  const methods = sdk as unknown as Record<SpecCall['type'], (message: object, told: (error?: unknown) => void) => void>
  if (call.type === 'alias') {
    methods.alias({ ...common, userId: call.userId, previousId: call.previousId }, told)
    return
  }
  const { type, who } = call
  const about =
    call.type === 'track'
      ? { event: call.event, properties: call.properties }
      : call.type === 'identify'
        ? { traits: call.traits }
        : call.type === 'group'
          ? { groupId: call.groupId, traits: call.traits }
          : {
              ...(call.name !== undefined && { name: call.name }),
              ...(call.category !== undefined && { category: call.category }),
              properties: call.properties,
            }
  methods[type]({ ...common, ...who, ...about }, told)
}
