/** Which other rules a rule's decisions hang on: those that share what a person may receive, a group or an offer with it. */
import { offersOf } from '../decision/compile-gates.ts'
import { buildRuleSet, type CompiledRule, keptFor } from '../decision/index.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { readsOf } from './relevance.ts'

type Settings = ProcessPorts['settings']

/**
 * The settings with only what the rule's decisions hang on. Audiences, computed traits and scores stay all together or
 * not at all; where they stay, so do all rules, since who is held out of a rule may be an audience.
 * @param before what held before the rule was there: of the same rules, without this one.
 * @returns the same objects when nothing can be left out.
 */
export function narrowed(
  rule: CompiledRule,
  settings: Settings,
  before?: Settings,
): { readonly settings: Settings; readonly before?: Settings } {
  const all = settings.rules.current
  const kept = relatedTo(rule, all)
  const measures = !(settings.measures?.empty ?? true)
  const { audiences, computed, scores } = readsOf(kept, settings)
  const readsMeasures = audiences.size + computed.size + scores.size > 0
  if (measures ? readsMeasures : kept.length === all.length) return { settings, ...(before && { before }) }
  const others = new Set(kept.filter((one) => one !== rule).map(({ hash }) => hash))
  return {
    settings: only(kept, settings),
    ...(before && {
      before: only(
        before.rules.current.filter(({ hash }) => others.has(hash)),
        before,
      ),
    }),
  }
}

function only(rules: readonly CompiledRule[], settings: Settings): Settings {
  const { measures: _, ...rest } = settings
  const { rollouts } = settings.rules
  return {
    ...rest,
    rules: { ...buildRuleSet(rules), ...(rollouts && { rollouts }) },
    ...keptFor(rules),
  }
}

function relatedTo(rule: CompiledRule, all: readonly CompiledRule[]): readonly CompiledRule[] {
  const kept = new Set([rule])
  for (;;) {
    const more = all.filter((one) => !kept.has(one) && [...kept].some((known) => hangsOn(known, one)))
    if (more.length === 0) return [...kept]
    for (const one of more) kept.add(one)
  }
}

/** What `other` sends may stop something of `one`. */
function hangsOn(one: CompiledRule, other: CompiledRule): boolean {
  // Whatever another rule sends may count in a cap per person or channel.
  if (one.caps.some(({ per }) => per !== 'person+rule')) return true
  if (one.rule.group && one.rule.group.id === other.rule.group?.id) return true
  const offers = new Set(offersOf(one.rule).map(({ id }) => id))
  return offersOf(other.rule).some(({ id }) => offers.has(id))
}
