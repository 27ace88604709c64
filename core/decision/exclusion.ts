/** Exclusion groups: of all rules of a group a person gets one message within the window. Pure. */
import { clause } from './clauses.ts'
import type { Clause } from './compile.ts'
import type { Deciding } from './deciding.ts'
import type { ActionFacts } from './decision.ts'
import { durationWords, parseDuration } from './duration.ts'
import type { CompiledRule } from './ruleset.ts'

/** Where uses of a group are counted; undefined for what is no message to the person, or of no group. */
export function groupKey({ rule }: CompiledRule, { kind, channel }: ActionFacts): string | undefined {
  return rule.group && (kind === 'message' || channel !== undefined) ? `group:${rule.group.id}` : undefined
}

/** The group's place within the window is taken, by this rule or another; undefined when it is free. */
export function exclusionClause(
  { context, capUses, nowMs }: Pick<Deciding, 'context' | 'capUses' | 'nowMs'>,
  { rule }: CompiledRule,
): Clause | undefined {
  if (!rule.group) return undefined
  const key = `group:${rule.group.id}`
  const windowMs = parseDuration(rule.group.window)
  const uses = [...context.capUses(key), ...capUses.filter((use) => use.key === key).map(({ at }) => at)]
  if (!uses.some((at) => Date.parse(at) > nowMs - windowMs)) return undefined
  return takenClause(rule.group.id, windowMs, uses.length)
}

export const takenClause = (group: string, windowMs: number, uses: number): Clause =>
  clause(
    'group',
    `no message of the group "${group}" within ${durationWords(windowMs, 'en')}`,
    `nenhuma mensagem do grupo "${group}" em ${durationWords(windowMs, 'pt')}`,
    false,
    uses,
  )

/** Whether two rules of one group disagree on its window; `P7D` and `P1W` are the same. */
export const windowsDiffer = (a: { readonly window: string }, b: { readonly window: string }): boolean =>
  parseDuration(a.window) !== parseDuration(b.window)

/** How long uses of groups have to be remembered, in milliseconds. */
export function groupMemoryMs(rules: readonly CompiledRule[]): number {
  return Math.max(0, ...rules.map(({ rule }) => (rule.group ? parseDuration(rule.group.window) : 0)))
}

/** Of what is due at the same time the highest priority goes first. */
export const byPriority = (a: CompiledRule, b: CompiledRule): number => (b.rule.priority ?? 0) - (a.rule.priority ?? 0)
