/**
 * What the default mapping of an action reads. Pure. The caller hands in only what the action's
 * purpose may see; nothing is added here.
 */
import type { CanonicalEvent, IdentifierType } from '../../schemas/event.ts'
import type { Cart } from '../../schemas/profile.ts'
import type { MappingView } from '../kit/define.ts'

export interface ViewInput {
  /** The event followed or the one that fired the rule; absent when a schedule fired it. */
  readonly event?: CanonicalEvent
  /** The profile's traits; those of the event win. */
  readonly traits?: Readonly<Record<string, unknown>>
  /** The person's identifiers, one per type; those of the event win. */
  readonly identifiers?: Readonly<Partial<Record<IdentifierType, string>>>
  readonly cart?: Cart
  /** Computed traits, scores and audiences of the purpose. */
  readonly measured?: Pick<MappingView, 'computed' | 'scores' | 'audiences'>
  readonly person: MappingView['person']
  readonly delivery: MappingView['delivery']
  readonly links: MappingView['links']
  readonly rule?: NonNullable<MappingView['rule']>
  readonly offer?: NonNullable<MappingView['offer']>
  /** When the delivery was decided, ISO 8601; stands for the time of an absent event. */
  readonly decidedAt: string
}

export function buildView(input: ViewInput): MappingView {
  const { event, rule } = input
  const named: Partial<Record<IdentifierType, string>> = {}
  // The list is in order of trust, so the first of a type is the one that counts.
  for (const { type, value } of event?.subject.identifiers ?? []) named[type] ??= value
  return {
    type: event?.type ?? 'track',
    name: event?.name ?? rule?.id ?? '',
    messageId: event?.messageId ?? input.delivery.id,
    occurredAt: event?.occurredAt ?? input.decidedAt,
    properties: event?.properties ?? {},
    context: event?.context ?? {},
    traits: { ...input.traits, ...event?.traits },
    ...(event && {
      event: {
        traits: event.traits,
        identifiers: named,
        ...(event.subject.previousId !== undefined && { previousId: event.subject.previousId }),
      },
    }),
    identifiers: { ...input.identifiers, ...named },
    ...(input.cart && { cart: input.cart }),
    ...input.measured,
    person: { id: input.person.id },
    delivery: { id: input.delivery.id },
    links: input.links,
    ...(rule && { rule }),
    ...(input.offer && { offer: input.offer }),
  }
}
