/**
 * The actions of a CDP that speaks the Segment spec. Segment and RudderStack differ in how they
 * read consent and in the SDK that sends.
 */
import { CALL_TYPES } from '../../schemas/event.ts'
import type { ActionDefinition, ItemContext, Outcome, OutgoingSignals, VendorContext } from './define.ts'
import type { Loose } from './json-body.ts'
import {
  AudienceChange,
  audienceCall,
  ComputedTraits,
  ForwardedEvent,
  forwardedCall,
  HubOutcome,
  type NoCall,
  outcomeCall,
  type SpecCall,
  sendCalls,
  traitsCall,
} from './spec-call.ts'

export interface SpecVendor<S> {
  readonly name: string
  /** For how many hours the vendor recognises a messageId that comes again. */
  readonly dedupeHours: number
  /** A person's consent in the vendor's words, to be laid into the context; {} when nothing is mapped. */
  readonly consent: (signals: OutgoingSignals, settings: S) => Loose
  /** Last change of a call before it is measured, or why the vendor must not have it. */
  readonly finish?: (call: SpecCall) => SpecCall | NoCall
  /** One request with all of them; one outcome per call, in order. */
  readonly send: (calls: readonly SpecCall[], context: VendorContext<S>) => Promise<readonly Outcome[]>
}

type SpecPayloads = {
  forwardEvent: typeof ForwardedEvent
  sendAudience: typeof AudienceChange
  sendTraits: typeof ComputedTraits
  sendOutcome: typeof HubOutcome
}
export type SpecActions<S> = { readonly [K in keyof SpecPayloads]: ActionDefinition<S, SpecPayloads[K]> }

/** Far below the 480 KB of Segment's SDK even when context and consent double small events. */
const BATCH = { max: 50, maxBytes: 300 * 1024 }

export function specActions<S>({
  name,
  dedupeHours,
  consent,
  finish = (call) => call,
  send,
}: SpecVendor<S>): SpecActions<S> {
  const common = {
    purpose: 'analytics',
    identifier: ['userId', 'anonymousId'] as const,
    // Both deduplicate on messageId: the event's own when it is passed on, else the key of the delivery.
    idempotency: { key: dedupeHours },
    batch: BATCH,
  }
  const performing =
    <P>(make: (item: Pick<ItemContext<P>, 'payload' | 'delivery'>, consent: Loose) => SpecCall | NoCall) =>
    ({ items, ...context }: VendorContext<S> & { readonly items: readonly ItemContext<P>[] }) =>
      sendCalls(
        items.map((item) => {
          const call = make(item, consent(item.signals, context.settings))
          return 'reason' in call ? call : finish(call)
        }),
        (calls) => send(calls, context),
      )
  return {
    forwardEvent: {
      ...common,
      title: { pt: 'Repassar evento', en: 'Pass on event' },
      description: {
        pt: `Repassa cada evento permitido à ${name}, como chegou, com o consentimento que o registro diz.`,
        en: `Passes each permitted event on to ${name} as it came, with the consent the ledger states.`,
      },
      kind: 'event',
      trigger: { type: CALL_TYPES },
      payload: ForwardedEvent,
      performBatch: performing(forwardedCall),
    },
    sendAudience: {
      ...common,
      title: { pt: 'Informar audiência', en: 'Send audience' },
      description: {
        pt: `Diz à ${name} que a pessoa entrou numa audiência ou saiu dela.`,
        en: `Tells ${name} that the person entered or left an audience.`,
      },
      kind: 'event',
      payload: AudienceChange,
      performBatch: performing(audienceCall),
    },
    sendTraits: {
      ...common,
      title: { pt: 'Enviar atributos calculados', en: 'Send computed traits' },
      description: {
        pt: `Grava na ${name} atributos que o hub calculou. Os outros ficam como estão.`,
        en: `Writes traits the hub computed to ${name}. The others stay as they are.`,
      },
      kind: 'state',
      payload: ComputedTraits,
      performBatch: performing(traitsCall),
    },
    sendOutcome: {
      ...common,
      title: { pt: 'Enviar resultado', en: 'Send outcome' },
      description: {
        pt: `Conta à ${name} o que o hub decidiu, mostrou ou entregou, para análise.`,
        en: `Tells ${name} what the hub decided, showed or delivered, for analysis.`,
      },
      kind: 'event',
      payload: HubOutcome,
      performBatch: performing(outcomeCall),
    },
  }
}
