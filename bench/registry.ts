/** The connectors of the hub and one destination without a vendor's quota, so that the hub is measured and not a limit. */
import { Type } from 'typebox'
import { registry as connectors } from '../connectors/index.ts'
import { type AnyDestination, defineDestination, type Registry } from '../core/kit/index.ts'

const none = { pt: 'Só para medição.', en: 'Only for measuring.' }

const fast = defineDestination({
  id: 'fast',
  name: 'Fast',
  docs: 'https://anuente.dev/bench',
  support: 'community',
  baseUrl: 'https://fast.example',
  settings: Type.Object({}),
  limits: { perSecond: 100_000, concurrency: 32 },
  actions: {
    send: {
      title: none,
      description: none,
      purpose: 'email_marketing',
      kind: 'event',
      identifier: [],
      idempotency: { key: 24 },
      payload: Type.Object({
        id: Type.String({ from: 'delivery.id' }),
        userId: Type.Optional(Type.String({ pii: true, from: 'identifiers.userId' })),
        properties: Type.Record(Type.String(), Type.Unknown(), { from: 'properties', default: {} }),
      }),
      perform: ({ http, payload }) => http.request('POST', '/in', { json: payload }),
    },
  },
  check: async () => ({ ok: true, detail: 'nothing to check' }),
  deleteSubject: { impossible: none },
  exportSubject: { impossible: none },
  correctSubject: { impossible: none },
  feedback: { none },
})

export const registry: Registry = {
  sources: connectors.sources,
  destinations: new Map([...connectors.destinations, ['fast', fast as AnyDestination]]),
}
