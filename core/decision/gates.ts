/** From a rule that matched to what is sent: the gates in their fixed order, the arm, the drafts. */
import type { Arm } from '../../schemas/delivery.ts'
import type { Rule } from '../../schemas/rule.ts'
import { assignArm } from './assign.ts'
import { budgetUses, spentClause } from './budget.ts'
import { CAP_WORDS, capKey, capKeys } from './caps.ts'
import { clause, publishedClause, tooLateClause } from './clauses.ts'
import type { Clause, RuleView } from './compile.ts'
import { type Deciding, digest, type Instance, iso } from './deciding.ts'
import type { ActionFacts, DeliveryDraft, SkippedAction } from './decision.ts'
import { durationWords } from './duration.ts'
import { exclusionClause, groupKey } from './exclusion.ts'
import { explain } from './explanations.ts'
import type { CompiledRule } from './ruleset.ts'

interface ReachableAction {
  readonly action: Rule['then']['all'][number]
  /** Place in `then.all`. */
  readonly index: number
  readonly facts: ActionFacts
}

type EntryRef = { readonly entryId?: string }

/** who → still worth it → consent and reachable → re-entry → caps → assign → act */
export function judge(deciding: Deciding, instance: Instance, view: RuleView, triggered: readonly Clause[]): void {
  const { compiled } = instance
  const who = compiled.who.explain(view)
  const clauses = [...triggered, ...who]
  if (!compiled.who.holds(who)) {
    explain(deciding, instance, 'NOT_MATCHED', clauses, { latestOnly: instance.startedAt === undefined })
    return
  }
  const refusal = deciding.context.refusal?.(compiled.rule.id, compiled.rule.version, instance.startedAt !== undefined)
  if (refusal) {
    explain(deciding, instance, refusal, [...clauses, publishedClause(refusal)], {
      latestOnly: instance.startedAt === undefined,
    })
    return
  }
  const { expiresMs } = compiled
  if (expiresMs !== undefined && deciding.nowMs > instance.ripeMs + expiresMs) {
    explain(deciding, instance, 'EXPIRED', [...clauses, tooLateClause(deciding.nowMs - instance.ripeMs)])
    return
  }
  const consent = deciding.context.consent(compiled.rule.unless.purpose)
  const entry = consent.entryId === undefined ? {} : { entryId: consent.entryId }
  if (!consent.granted) {
    explain(deciding, instance, consent.code ?? 'NO_CONSENT', clauses, entry)
    return
  }
  const skipped: SkippedAction[] = []
  const reachable = reachableActions(deciding, compiled, skipped)
  if (reachable.length === 0) {
    const undeclared = skipped.every((action) => action.code === 'UNDECLARED')
    explain(deciding, instance, undeclared ? 'UNDECLARED' : 'NOT_REACHABLE', clauses, { ...entry, skipped })
    return
  }
  const reentry = reentryClause(deciding, compiled)
  if (reentry) {
    explain(deciding, instance, 'REENTRY', [...clauses, reentry], { ...entry, skipped })
    return
  }
  act(deciding, instance, clauses, reachable, entry, skipped)
}

function reachableActions(deciding: Deciding, compiled: CompiledRule, skipped: SkippedAction[]): ReachableAction[] {
  return compiled.rule.then.all.flatMap((action, index) => {
    const facts = deciding.context.actionOf(action.destination, action.action)
    if (facts && (facts.identifier.length === 0 || deciding.context.reachable(facts.identifier)))
      return [{ action, index, facts }]
    skipped.push({
      destination: action.destination,
      action: action.action,
      code: facts ? 'NOT_REACHABLE' : 'UNDECLARED',
    })
    return []
  })
}

function reentryClause(deciding: Deciding, compiled: CompiledRule): Clause | undefined {
  if (!compiled.reentry) return undefined
  const { max, minIntervalMs } = compiled.reentry
  const entries = deciding.entries[compiled.rule.id] ?? []
  if (max !== undefined && entries.length >= max)
    return clause(
      'unless.reentry.max',
      `entered fewer than ${max} times`,
      `entrou menos de ${max} vezes`,
      false,
      entries.length,
    )
  const tooRecent = minIntervalMs !== undefined && entries.some((at) => Date.parse(at) > deciding.nowMs - minIntervalMs)
  return tooRecent
    ? clause(
        'unless.reentry.min_interval',
        'the last entry is long enough ago',
        'a última entrada foi há tempo suficiente',
        false,
        entries.at(-1)!,
      )
    : undefined
}

function act(
  deciding: Deciding,
  instance: Instance,
  clauses: readonly Clause[],
  reachable: readonly ReachableAction[],
  entry: EntryRef,
  skipped: SkippedAction[],
): void {
  const { compiled, correlation, eventId } = instance
  const { rule } = compiled
  const { personKey, now } = deciding.context
  const capped: Clause[] = []
  const arm = assign(deciding, compiled)
  const excluded = reachable.some(({ facts }) => groupKey(compiled, facts)) && exclusionClause(deciding, compiled)
  if (excluded) {
    explain(deciding, instance, 'EXCLUDED', [...clauses, excluded], { ...entry, skipped })
    return
  }
  const drafts: DeliveryDraft[] = []
  for (const { action, index, facts } of reachable) {
    const full = fullCap(deciding, compiled, facts)
    if (full) {
      if (!capped.some((other) => other.id === full.id)) capped.push(full)
      skipped.push({ destination: action.destination, action: action.action, code: 'CAPPED' })
      continue
    }
    const spent = spentClause(rule, deciding.context.budgets, now, drafts.length)
    if (spent) {
      if (!capped.some((other) => other.id === spent.id)) capped.push(spent)
      skipped.push({ destination: action.destination, action: action.action, code: 'BUDGET' })
      continue
    }
    const id = digest(rule.id, rule.version, personKey, correlation, eventId, index)
    drafts.push({
      id,
      destination: action.destination,
      action: action.action,
      purpose: rule.unless.purpose,
      ...(facts.channel !== undefined && { channel: facts.channel }),
      kind: facts.kind,
      rule: rule.id,
      version: rule.version,
      arm,
      eventId,
      correlation,
      with: action.with ?? {},
      ...(compiled.expiresMs !== undefined && { expiresAt: iso(deciding.nowMs + compiled.expiresMs) }),
      ...entry,
      since: iso(instance.sinceMs),
    })
    if (arm === 'treated') deciding.budgetUses.push(...budgetUses(rule, deciding.context.budgets, now, id))
    for (const key of [...capKeys(compiled, facts), ...listed(groupKey(compiled, facts))])
      deciding.capUses.push({ key, at: now, deliveryId: id, shadow: arm !== 'treated' })
  }
  if (drafts.length === 0) {
    const result = skipped.some(({ code }) => code === 'CAPPED') ? 'CAPPED' : 'BUDGET'
    explain(deciding, instance, result, [...clauses, ...capped], { ...entry, skipped })
    return
  }
  deciding.deliveries.push(...drafts)
  enter(deciding, compiled)
  const deliveryIds = drafts.map((draft) => draft.id)
  explain(deciding, instance, 'ENQUEUED', [...clauses, ...capped], { ...entry, skipped, arm, deliveryIds })
}

function assign(deciding: Deciding, compiled: CompiledRule): Arm {
  const { experiment, id } = compiled.rule
  const { globalHoldout, globalSeed } = deciding.context.holdout
  const exposed = deciding.context.armOf?.(id)
  // Exposed to two arms before a merge: counted in neither, and nothing is sent.
  if (exposed) return exposed === 'multiple' ? 'control' : exposed
  return assignArm(deciding.context.personKey, {
    globalHoldout: experiment?.holdout === 'global' ? globalHoldout : 0,
    globalSeed,
    control: experiment?.control ?? 0,
    // Without the version: a new text of the rule must not move people between the arms.
    seed: experiment?.seed ?? id,
  })
}

function fullCap(deciding: Deciding, compiled: CompiledRule, facts: ActionFacts): Clause | undefined {
  for (const [index, cap] of compiled.caps.entries()) {
    const key = capKey(cap.per, compiled, facts)
    if (key === undefined) continue
    const after = deciding.nowMs - cap.windowMs
    const reserved = deciding.capUses.filter((use) => use.key === key).map((use) => use.at)
    const uses = [...deciding.context.capUses(key), ...reserved].filter((at) => Date.parse(at) > after).length
    if (uses < cap.max) continue
    return clause(
      `unless.caps.${index}`,
      `fewer than ${cap.max} within ${durationWords(cap.windowMs, 'en')} ${CAP_WORDS[cap.per].en}`,
      `menos de ${cap.max} no período de ${durationWords(cap.windowMs, 'pt')} ${CAP_WORDS[cap.per].pt}`,
      false,
      uses,
    )
  }
  return undefined
}

function enter(deciding: Deciding, compiled: CompiledRule): void {
  const { reentry, rule } = compiled
  if (!reentry) return
  deciding.entries[rule.id] = [...(deciding.entries[rule.id] ?? []), deciding.context.now].slice(-(reentry.max ?? 1))
}

const listed = (key: string | undefined): string[] => (key === undefined ? [] : [key])
