/** Which caps a delivery counts in, and under which key. Pure. */
import type { ActionFacts } from './decision.ts'
import type { CompiledRule } from './ruleset.ts'

/** Channels on which nobody is interrupted: they do not use up what a person may receive. */
const SILENT_CHANNELS: readonly string[] = ['ads', 'onsite', 'task']

export const CAP_WORDS = {
  person: { en: 'to this person', pt: 'para esta pessoa' },
  'person+channel': { en: 'to this person on this channel', pt: 'para esta pessoa neste canal' },
  'person+rule': { en: 'to this person by this rule', pt: 'para esta pessoa por esta regra' },
} as const

/** Undefined when a cap of that kind does not concern the action. */
export function capKey(
  per: keyof typeof CAP_WORDS,
  compiled: CompiledRule,
  { channel }: ActionFacts,
): string | undefined {
  if (per === 'person+rule') return `rule:${compiled.rule.id}`
  if (channel === undefined) return undefined
  if (per === 'person+channel') return `channel:${channel}`
  return SILENT_CHANNELS.includes(channel) ? undefined : 'person'
}

/** What one delivery uses up, also for the caps of other rules. */
export function capKeys(compiled: CompiledRule, facts: ActionFacts): string[] {
  const own = compiled.caps.some((cap) => cap.per === 'person+rule') ? (['person+rule'] as const) : []
  return (['person', 'person+channel', ...own] as const).flatMap((per) => capKey(per, compiled, facts) ?? [])
}
