/**
 * Rules, events and people of the rules' bench. Every event has the same name and is sent alike to every number of rules;
 * `matching` rules are set off by every event, and all others wait for a value of it, or for something else.
 */
import { keptFor, loadRules, triggerName } from '../core/decision/index.ts'
import { withEvent } from '../core/decision/measures.ts'
import type { CompiledRule } from '../core/decision/ruleset.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import type { OpenProfile } from '../schemas/profile.ts'

export const START = Date.parse('2026-03-10T12:00:00.000Z')
/** Everybody does something every six hours on average, however many people there are: profiles are of one size. */
export const PACE_MS = 6 * 3_600_000

/** Set off by every event; of the kinds that an event can set off in turn. */
const MATCHING = [
  '{event: Product Viewed, where: {all: [{field: event.value, op: gte, value: 50}]}}',
  '{absence: {start: {event: Product Viewed}, unless: {any: [{event: Order Completed}]}, within: PT30M}}',
  '{sequence: {steps: [{event: Product Viewed}, {event: Product Viewed}], within: P1D}}',
  '{sum: {event: Product Viewed, property: value, window: P7D}, op: gte, value: 500}',
]
/** Never set off: five in eight listen to the very event that is sent, but for a category that nobody looks at. */
const others = (index: number): string[] => {
  const where = `where: {all: [{field: event.category, op: eq, value: c${index}}]}`
  return [
    `{event: Product Viewed, ${where}}`,
    `{absence: {start: {event: Product Viewed, ${where}}, unless: {any: [{event: Order Completed}]}, within: PT30M}}`,
    `{sequence: {steps: [{event: Product Viewed, ${where}}, {event: Product Added, ${where}}], within: PT1H}}`,
    `{sum: {event: Product Viewed, property: value, window: P7D, ${where}}, op: gte, value: 500}`,
    `{event: "Product *", where: {any: [{field: event.category, op: eq, value: d${index}}, {field: event.category, op: in, value: [e${index}, f${index}]}]}}`,
    `{event: Event ${index}}`,
    `{audience: {enters: a${index}}}`,
    `{crosses: {score: s${index}, above: 0.7}}`,
  ]
}

export function ruleTexts(count: number, matching: number, purpose = 'p', to = 'd'): string[] {
  return Array.from({ length: count }, (_, index) => {
    const kinds = index < matching ? MATCHING : others(index)
    const when = kinds[index % kinds.length]
    return `{id: r${index}, version: 1, when: ${when}, who: {all: [{count: {event: Product Viewed, window: P1D}, op: lt, value: 6}, {field: traits.points, op: gte, value: 10}], none: [{sum: {event: Product Viewed, property: value, window: P30D}, op: gt, value: 9000}]}, unless: {purpose: ${purpose}, reentry: {min_interval: P1D}}, then: {all: [{destination: ${to}, action: send}]}, exit_on: [Order Completed]}`
  })
}

export const compiledRules = (count: number, matching: number): CompiledRule[] =>
  loadRules(ruleTexts(count, matching).map((text, index) => ({ file: `r${index}.yaml`, text }))).rules

/** @param now epoch ms */
export function eventOf(index: number, now: number): CanonicalEvent {
  const occurredAt = new Date(now).toISOString()
  return {
    schemaVersion: 1,
    id: `e${index}`,
    messageId: `e${index}`,
    type: 'track',
    name: 'Product Viewed',
    occurredAt,
    receivedAt: occurredAt,
    source: { id: 's', connector: 'segment', payloadHash: '' },
    subject: { identifiers: [] },
    traits: {},
    properties: { value: (index * 13) % 120, category: `k${index % 50}`, product_id: `p${index % 997}` },
    context: {},
    consent: [],
  }
}

/** In an order without neighbours; everybody is as likely as everybody else. */
export const personOf = (index: number, profiles: number): number =>
  Math.floor(((index * 0.6180339887498949) % 1) * profiles)

/** What `apply` keeps of an event for the rules. */
export function keeperFor(rules: readonly CompiledRule[]): (profile: OpenProfile, event: CanonicalEvent) => void {
  const { recentWindow: recent, countWindow: counts, measuresFor: measures } = keptFor(rules)
  return (profile, event) => {
    const name = triggerName(event)
    const push = (times: Record<string, string[]>, window: number) => {
      if (window === 0) return
      const oldest = new Date(Date.parse(event.occurredAt) - window).toISOString()
      times[name] = [...(times[name] ?? []), event.occurredAt].filter((time) => time >= oldest).slice(-500)
    }
    push(profile.recent, recent(name))
    profile.counted ??= {}
    profile.counted['p'] ??= {}
    push(profile.counted['p'], counts('p', name))
    profile.measured ??= {}
    profile.measured['p'] ??= {}
    const own = profile.measured['p']
    for (const measure of measures('p', name, event.properties))
      own[measure.key] = withEvent(own[measure.key] ?? [], measure, event)
    profile.seq += 1
  }
}
