/** One person as the hub would keep them around `decide`: history of times, cart, timers, reservations. For tests. */

import type { CanonicalEvent, IdentifierType } from '../../schemas/event.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { emptyProfile } from './empty-profile.ts'
import {
  buildRuleSet,
  type CapUse,
  type ConsentAnswer,
  type DecisionContext,
  type DecisionInput,
  type DecisionResult,
  type DeliveryDraft,
  decide,
  dueTimers,
  type Explanation,
  keptFor,
  loadRules,
  type RuleSet,
  triggerName,
} from './index.ts'
import { withEvent } from './measures.ts'
import { withActivity } from './sessions.ts'

export const T0 = Date.parse('2026-03-10T12:00:00.000Z')
export const MINUTE = 60_000
/** Minutes after T0, as ISO. */
export const at = (minutes: number) => new Date(T0 + minutes * MINUTE).toISOString()

export function rulesFrom(...texts: string[]): RuleSet {
  return buildRuleSet(loadRules(texts.map((text, index) => ({ file: `rule${index}.yaml`, text }))).rules)
}

let made = 0
export function event(
  name: string,
  minutes: number,
  properties: Record<string, unknown> = {},
  id = `evt-${++made}`,
): CanonicalEvent {
  const occurredAt = at(minutes)
  return {
    schemaVersion: 1,
    id,
    messageId: id,
    type: 'track',
    name,
    occurredAt,
    receivedAt: occurredAt,
    source: { id: 'site', connector: 'segment', payloadHash: '' },
    subject: { identifiers: [] },
    traits: {},
    properties,
    context: {},
    consent: [],
  }
}

export interface PersonOptions {
  key?: string
  consent?: (purpose: string) => ConsentAnswer
  identifiers?: IdentifierType[]
  globalHoldout?: number
  /** Over what this person has by themselves. */
  context?: Partial<DecisionContext>
}

export class Person {
  profile: OpenProfile = emptyProfile(at(0))
  uses: CapUse[] = []
  deliveries: DeliveryDraft[] = []
  explanations: Explanation[] = []
  readonly events = new Map<string, CanonicalEvent>()
  rules: RuleSet
  readonly #options: PersonOptions

  constructor(rules: RuleSet, options: PersonOptions = {}) {
    this.rules = rules
    this.#options = options
  }

  #purposes(): string[] {
    return [...new Set(this.rules.current.map(({ rule }) => rule.unless.purpose))]
  }

  context(minutes: number): DecisionContext {
    const known = this.#options.identifiers ?? ['userId', 'email']
    return {
      now: at(minutes),
      personKey: this.#options.key ?? '01JPERSON0000000000000000A',
      holdout: { globalHoldout: this.#options.globalHoldout ?? 0, globalSeed: 'global' },
      consent: this.#options.consent ?? (() => ({ granted: true, entryId: '01JENTRY000000000000000000' })),
      reachable: (identifiers) => identifiers.some((type) => known.includes(type)),
      capUses: (key) => this.uses.filter((use) => use.key === key).map((use) => use.at),
      actionOf: (destination, action) =>
        destination === 'nowhere'
          ? undefined
          : destination === 'slack'
            ? { kind: 'event', identifier: [] }
            : { channel: destination, kind: 'message', identifier: action === 'sendSms' ? ['phone'] : ['email'] },
      ...this.#options.context,
    }
  }

  /** The event is taken at `received` minutes, by default when it happened. */
  take(taken: CanonicalEvent, received = (Date.parse(taken.occurredAt) - T0) / MINUTE): DecisionResult {
    const name = triggerName(taken)
    const { recentWindow, countWindow: counts, measuresFor: measures } = keptFor(this.rules.current)
    const windowMs = recentWindow(name)
    const now = T0 + received * MINUTE
    const { recent, counted = {}, measured = {} } = this.profile
    const kept = (times: readonly string[] | undefined, ms: number) =>
      [...(times ?? []), taken.occurredAt].filter((time) => Date.parse(time) > now - ms)
    this.events.set(taken.id, taken)
    const { sessions: _, ...before } = this.profile
    const sessions = this.profile.sessions && withActivity(this.profile.sessions, taken)
    this.profile = {
      ...before,
      ...(sessions && { sessions }),
      seq: this.profile.seq + 1,
      lastSeenAt: taken.occurredAt > before.lastSeenAt ? taken.occurredAt : before.lastSeenAt,
      recent:
        windowMs === 0
          ? recent
          : {
              ...recent,
              [name]: kept(recent[name], windowMs),
            },
      measured: Object.fromEntries(
        this.#purposes().map((purpose) => [
          purpose,
          {
            ...measured[purpose],
            ...Object.fromEntries(
              measures(purpose, name, taken.properties).map((measure) => [
                measure.key,
                withEvent(structuredClone(measured[purpose]?.[measure.key] ?? []), measure, taken),
              ]),
            ),
          },
        ]),
      ),
      // Taken as kept for every purpose.
      counted: Object.fromEntries(
        this.#purposes().map((purpose) => {
          const ms = counts(purpose, name)
          const times = counted[purpose] ?? {}
          return [purpose, ms === 0 ? times : { ...times, [name]: kept(times[name], ms) }]
        }),
      ),
    }
    return this.#decide({ kind: 'event', event: taken, seq: this.profile.seq }, received)
  }

  /** Fires what is due, as a worker woken at that time would. */
  wake(minutes: number): DecisionResult[] {
    return dueTimers(this.profile, at(minutes), this.rules).map((input) => {
      const timer = this.profile.timers.find(
        (open) => open.rule === input.rule && open.correlation === input.correlation,
      )
      const start = timer && this.events.get(timer.startEventId)
      return this.#decide({ ...input, ...(start && { event: start }) }, minutes)
    })
  }

  fire(input: DecisionInput, minutes: number): DecisionResult {
    return this.#decide(input, minutes)
  }

  putInCart(total: number, pieces = 1): void {
    const lines = pieces === 0 ? [] : [{ productId: 'p', price: total / pieces, quantity: pieces }]
    this.profile = { ...this.profile, cart: { lines, total, currency: 'BRL', updatedAt: at(0) } }
  }

  get results(): string[] {
    return this.explanations.map((explanation) => explanation.result)
  }

  #decide(input: DecisionInput, minutes: number): DecisionResult {
    const result = decide(input, deepFreeze(this.profile), this.rules, this.context(minutes))
    const { timers, entries, sessions, closings, sequences, crossed } = result
    this.profile = { ...this.profile, timers, entries, sessions, closings, sequences, crossed }
    this.uses.push(...result.capUses)
    this.deliveries.push(...result.deliveries)
    this.explanations.push(...result.explanations)
    return result
  }
}

/** A decision that writes into its arguments would throw. */
function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object')
    for (const part of Object.values(Object.freeze(value))) deepFreeze(part)
  return value
}

export const CART_RECOVERY = `
id: carrinho-abandonado
version: 3
title: {pt: Carrinho abandonado, en: Cart recovery}
when:
  absence:
    start: {event: Product Added}
    unless: {any: [{event: Order Completed}, {cart: emptied}]}
    within: PT30M
    grace: PT5M
unless: {purpose: email_marketing}
then:
  all: [{destination: email, action: sendCart, with: {template: carrinho}}]
  expires: PT24H
`
