/** A source that reads calls of the Segment spec, for tests of what the hub does with any source. */
import { Type } from 'typebox'
import type { SourceSettings } from '../config.ts'
import { type AnySource, defineSource, type RawRequest } from '../kit/define.ts'
import { readSpec } from '../kit/segment-spec.ts'
import type { CompiledPlan } from '../plans/plan.ts'

const definition = defineSource({
  id: 'spec',
  name: 'Spec',
  docs: '',
  support: 'community',
  settings: Type.Object({}),
  routes: [],
  maxBytes: 500_000,
  volatileFields: ['sentAt'],
  credentials: () => [],
  keys: () => [],
  verify: () => true,
  normalize: (request) =>
    readSpec(request, {
      timestampFields: ['timestamp'],
      consentKeys: ['consent'],
      // `context.consent`: purpose -> granted or denied, named by purpose.
      consent: ({ consent }) =>
        consent !== null && typeof consent === 'object'
          ? {
              vendor: 'mapped',
              answers: Object.fromEntries(
                Object.entries(consent).map(([category, answer]) => [
                  category,
                  { answer: answer === 'granted' ? 'granted' : 'denied' },
                ]),
              ),
              method: 'button',
              actor: 'subject',
              raw: consent,
            }
          : undefined,
    }),
  accept: () => ({ status: 200 }),
})

export function specSource(id: string, plan?: CompiledPlan): SourceSettings {
  return {
    id,
    connector: 'spec',
    definition: definition as unknown as AnySource,
    config: { connector: 'spec' },
    settings: {},
    ...(plan && { plan }),
  }
}

export const specRequest = (source: string, body: unknown, receivedAt: string): RawRequest => ({
  method: 'POST',
  path: `/in/${source}`,
  query: {},
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
  receivedAt,
})
