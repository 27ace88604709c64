/**
 * What of a history some rules can tell apart: which events have to be opened, of which the time is enough, and which
 * only pass. Whatever is not sure is opened, so that the decisions stay those of the whole history.
 */

import { collectsTraits } from '../../consent/collects.ts'
import type { Purposes } from '../../consent/purposes.ts'
import type { IdentifierType } from '../../schemas/event.ts'
import type { Rule } from '../../schemas/rule.ts'
import { emptyReads, type Reads, readConditions } from '../audiences/touch.ts'
import { actionsOf, offersOf, partsOf } from '../decision/compile-gates.ts'
import { type CompiledRule, triggerName } from '../decision/index.ts'
import { leavesOf, measureOf } from '../decision/measures.ts'
import { placesOf } from '../decision/triggers.ts'
import { isCartEvent } from '../stages/cart.ts'
import { tellsOfMessages } from '../stages/contact-facts.ts'
import { CART_ACTS, isOrderEvent } from '../stages/facts.ts'
import type { PersonState } from '../stages/people.ts'
import type { ProcessPorts } from '../stages/ports.ts'

/** `open`: what is sealed may matter. `time`: that it happened. `none`: it only counts as an input. */
export type Weight = 'open' | 'time' | 'none'

export interface Relevance {
  /** Whatever the event: everything is opened. */
  readonly everything: boolean
  /** @param purposes those it was kept for, as the row has them. */
  weigh(row: EventName, purposes: readonly string[], key: string): Weight
  /** Nothing of this person can be left out. */
  needsAllOf(person: PersonState): boolean
  /** Identifiers that matter by being known: whoever lacks one may be given it by any event. */
  readonly identifiers: ReadonlySet<IdentifierType>
}

interface EventName {
  readonly type: string
  readonly name: string
}

/** Names come from outside. */
const MOST_NAMES = 20_000

export function relevanceOf(settings: ProcessPorts['settings']): Relevance {
  const { rules, purposes, measures } = settings
  const current = [...rules.current, ...(rules.shadows?.current ?? [])]
  const reads = readsOf(current, settings)
  const everything =
    (measures !== undefined && !measures.empty) || current.some((rule) => readsZone(rule) || rule.reentry?.perSession)
  const messages = current.some(readsMessages)
  const sets = rules.shadows ? [rules, rules.shadows] : [rules]
  const weights = new Map<string, Weight>()

  function weighAnew({ type, name }: EventName, allowed: readonly string[]): Weight {
    const trigger = triggerName({ type, name } as Parameters<typeof triggerName>[0])
    const listened = sets.some(
      (set) =>
        set.triggeredBy(trigger).length > 0 ||
        set.startedBy(trigger).length > 0 ||
        set.steppedBy(trigger).length > 0 ||
        set.closedBy(trigger).length > 0 ||
        set.goalOf(trigger).length > 0,
    )
    if (listened || settings.recentWindow(trigger) > 0) return 'open'
    if (allowed.some((purpose) => settings.measuresFor(purpose, trigger).length > 0)) return 'open'
    if (reads.traits.size > 0 && bringsTraits({ type, name }, allowed, purposes)) return 'open'
    const counted = allowed.some((purpose) => settings.countWindow(purpose, trigger) > 0)
    if (type !== 'track') return counted ? 'time' : 'none'
    if (reads.cart && isCartEvent(name)) return 'open'
    if (messages && tellsOfMessages(name)) return 'open'
    if (isOrderEvent(name)) return counted || reads.counters ? 'open' : 'none'
    // Another source's copy counts for nothing, and which is the copy hangs on the acts before it.
    if (CART_ACTS.has(name)) return allowed.some(countsCartActs) ? 'open' : 'none'
    return counted ? 'time' : 'none'
  }
  const countsCartActs = (purpose: string) =>
    [...CART_ACTS].some((name) => settings.countWindow(purpose, name) > 0 || settings.recentWindow(name) > 0)

  return {
    everything,
    weigh({ type, name }, allowed, key) {
      if (everything) return 'open'
      const place = `${type}\0${name}\0${key}`
      let weight = weights.get(place)
      if (weight === undefined) {
        if (weights.size >= MOST_NAMES) weights.clear()
        weight = weighAnew({ type, name }, allowed)
        weights.set(place, weight)
      }
      return weight
    },
    needsAllOf: (person) => purposes.ageTrait !== undefined && person.profile.age !== undefined,
    identifiers: identifiersOf(current, settings),
  }
}

function bringsTraits({ type, name }: EventName, allowed: readonly string[], purposes: Purposes): boolean {
  return allowed.some((id) => {
    const purpose = purposes.get(id)
    return purpose !== undefined && collectsTraits(purpose, { type, name } as Parameters<typeof collectsTraits>[1])
  })
}

/** Everything that conditions of the rules, and of the offers they give, look at. */
export function readsOf(rules: readonly CompiledRule[], settings: Pick<ProcessPorts['settings'], 'offers'>): Reads {
  const reads = emptyReads()
  for (const compiled of rules) {
    const { rule, line } = compiled
    for (const { conditions } of placesOf(rule)) readConditions(conditions, reads)
    for (const { id } of offersOf(rule)) readConditions(settings.offers?.get(id)?.config.who, reads)
    if (compiled.absence?.cancelledByEmptyCart) reads.cart = true
    if (asksPreference(rule)) reads.traits.add('preferred_channel')
    if (line) reads.scores.add(line.score)
    if ('audience' in rule.when)
      reads.audiences.add('enters' in rule.when.audience ? rule.when.audience.enters : rule.when.audience.leaves)
    for (const what of rule.unless.suppress ?? []) if (typeof what === 'object') reads.audiences.add(what.audience)
  }
  return reads
}

/** Opened, clicked, bounced, complained of, tickets. */
const readsMessages = ({ rule }: CompiledRule): boolean =>
  (rule.unless.suppress ?? []).length > 0 || asksPreference(rule) || rule.then.send_at?.learn === true

const asksPreference = (rule: Rule): boolean => partsOf(rule).some(({ part }) => part.channel?.order === 'preferred')

/** The clock of the person: any event may tell where they live. */
function readsZone({ rule, times, caps, crossing }: CompiledRule): boolean {
  const isPersons = (zone: string) => zone === 'person'
  if (times && isPersons(times.zone.zone)) return true
  if (!times && rule.then.send_at) return true
  if (caps.some(({ period, zone }) => period && isPersons(zone.zone))) return true
  const measured = placesOf(rule).flatMap(({ conditions }) =>
    leavesOf(conditions).flatMap(({ condition }) =>
      'field' in condition || 'audience' in condition ? [] : [measureOf(condition).measured],
    ),
  )
  return [...measured, ...(crossing ? [crossing.measured] : [])].some(({ calendar }) => calendar === 'person')
}

function identifiersOf(
  rules: readonly CompiledRule[],
  { destinations }: ProcessPorts['settings'],
): ReadonlySet<IdentifierType> {
  // Of somebody who is known by one of these, conditions and scores say so.
  const needed = new Set<IdentifierType>(['userId', 'email', 'phone'])
  for (const { rule } of rules)
    for (const {
      action: { destination, action },
    } of actionsOf(rule))
      for (const type of destinations.get(destination)?.definition.actions[action]?.identifier ?? []) needed.add(type)
  return needed
}
