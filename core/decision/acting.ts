/** What is done once every gate about the person is passed: offer, time, caps, arm, variant, drafts. */
import type { Arm } from '../../schemas/delivery.ts'
import { assignArm } from './assign.ts'
import { budgetUses, spentClause } from './budget.ts'
import { capKey, capKeys, usedAt } from './caps.ts'
import type { Preference } from './channel.ts'
import { capClause, channelClause, clause, heldClause, silenceClauseOf } from './clauses.ts'
import type { Clause, RuleView } from './compile.ts'
import { type Deciding, digest, type Instance, iso } from './deciding.ts'
import type { DeliveryDraft, SkippedAction } from './decision.ts'
import { exclusionClause, groupKey } from './exclusion.ts'
import { explain } from './explanations.ts'
import type { Candidate } from './gates.ts'
import { type CompiledOffer, offerKey, offerRefusal, offerUses } from './offers.ts'
import type { CompiledRule } from './ruleset.ts'
import { type Planned, planSend } from './send-plan.ts'
import { withEntry } from './sessions.ts'
import { variantOf } from './variants.ts'
import { zoneFor } from './zone.ts'

export interface Judged {
  /** What held. */
  readonly clauses: readonly Clause[]
  /** Why some actions were left out. */
  readonly stopped: readonly Clause[]
  /** The channel of `send` that the person likes. */
  readonly preferred: Preference | undefined
  /** What goes with it, where the variant names none: of the branch, else of the rule. */
  readonly offer: string | string[] | undefined
  readonly entry: { readonly entryId?: string }
  readonly skipped: SkippedAction[]
}

/** Everything that stops an action is asked of controls too: the arms differ in the message alone. */
export function act(
  deciding: Deciding,
  instance: Instance,
  view: RuleView,
  candidates: readonly Candidate[],
  { clauses, stopped, preferred, offer: wanted, entry, skipped }: Judged,
): void {
  const { compiled, correlation, eventId } = instance
  const { rule } = compiled
  const { personKey, now } = deciding.context
  const trial = isTried(deciding, compiled)
  const arm = assign(deciding, compiled)
  const variant = variantOf(personKey, rule.experiment, rule.id, deciding.context.variantOf?.(rule.id))
  const offer = offerFor(deciding, variant?.offer ?? wanted ?? compiled.rule.then.offer, view)
  if (offer.refused) {
    explain(deciding, instance, 'NO_OFFER', [...clauses, offer.refused], { ...entry, skipped })
    return
  }
  const excluded = candidates.some(({ facts }) => groupKey(compiled, facts)) && exclusionClause(deciding, compiled)
  if (excluded) {
    explain(deciding, instance, 'EXCLUDED', [...clauses, excluded], { ...entry, skipped })
    return
  }
  const limits: Clause[] = [...stopped]
  const waits: Clause[] = []
  const drafts: DeliveryDraft[] = []
  const queue = [...candidates]
  for (let candidate = queue.shift(); candidate; candidate = queue.shift()) {
    const { action, key, chosen, facts, purpose, entryId, instead = [] } = candidate
    const skip = (code: SkippedAction['code'], why: Clause) => {
      if (!limits.some((other) => other.id === why.id)) limits.push(why)
      skipped.push({ destination: action.destination, action: action.action, code })
    }
    const transactional = deciding.context.transactional?.(purpose) ?? false
    const plan = planSend(deciding, compiled, facts.channel)
    const at = plan.at ?? deciding.nowMs
    const full = fullCap(deciding, compiled, candidate, at, transactional)
    if (full) {
      skip('CAPPED', full)
      const [next, ...others] = instead
      if (next) queue.unshift({ ...next, instead: others })
      continue
    }
    const spent = spentClause(rule, deciding.context.budgets, now, drafts.length)
    if (spent) {
      skip('BUDGET', spent)
      continue
    }
    const late = tooLateFor(deciding, compiled, plan)
    if (late) {
      skip(late, silenceClauseOf(plan, compiled.times?.onHit === 'skip'))
      continue
    }
    const id = digest(rule.id, rule.version, personKey, correlation, eventId, key)
    if (chosen)
      waits.push(channelClause(facts.channel ?? '', preferred?.channel === facts.channel ? preferred?.why : undefined))
    if (plan.held) waits.push(heldClause(plan, iso(at)))
    drafts.push({
      id,
      destination: action.destination,
      action: action.action,
      purpose,
      ...(facts.channel !== undefined && { channel: facts.channel }),
      kind: facts.kind,
      rule: rule.id,
      version: rule.version,
      arm,
      ...(trial && { trial }),
      ...(variant && arm === 'treated' && { variant: variant.id }),
      ...(offer.found && { offer: offer.found.id }),
      eventId,
      correlation,
      with: { ...action.with, ...(arm === 'treated' && variant?.with) },
      ...(plan.held && { dueAt: iso(at) }),
      ...(compiled.expiresMs !== undefined && { expiresAt: iso(deciding.nowMs + compiled.expiresMs) }),
      ...(entryId !== undefined && { entryId }),
      since: iso(instance.sinceMs),
    })
    if (arm === 'treated') deciding.budgetUses.push(...budgetUses(rule, deciding.context.budgets, now, id))
    // An offer is one, on however many channels it is told.
    const first = drafts.length === 1 ? offer.found : undefined
    if (first && arm === 'treated') deciding.budgetUses.push(...offerUses(first, id))
    for (const key of [
      ...capKeys(compiled, facts, transactional),
      ...listed(groupKey(compiled, facts)),
      ...listed(first && offerKey(first.id)),
    ])
      deciding.capUses.push({ key, at: iso(at), deliveryId: id, shadow: arm !== 'treated' })
  }
  if (drafts.length === 0) {
    const codes = skipped.map(({ code }) => code)
    const result = (['CAPPED', 'BUDGET', 'QUIET_HOURS', 'EXPIRED'] as const).find((code) => codes.includes(code))
    explain(deciding, instance, result ?? 'CAPPED', [...clauses, ...limits], { ...entry, skipped })
    return
  }
  deciding.deliveries.push(...drafts)
  enter(deciding, instance, view)
  const [draft] = drafts
  explain(deciding, instance, 'ENQUEUED', [...clauses, ...limits, ...waits], {
    ...entry,
    ...(draft?.entryId !== undefined && { entryId: draft.entryId }),
    skipped,
    arm,
    ...(draft?.variant !== undefined && { variant: draft.variant }),
    ...(draft?.offer !== undefined && { offer: draft.offer }),
    ...(draft?.dueAt !== undefined && { heldUntil: draft.dueAt }),
    deliveryIds: drafts.map(({ id }) => id),
  })
}

/** Only test recipients have this version. */
const isTried = ({ rules }: Deciding, { rule }: CompiledRule): true | undefined =>
  rules.rollouts?.stageOf(rule.id, rule.version)?.stage === 'test' || undefined

function assign(deciding: Deciding, compiled: CompiledRule): Arm {
  const { experiment, id } = compiled.rule
  const { globalHoldout, globalSeed } = deciding.context.holdout
  // Whoever tries a version out is to see its message, also where the draw holds them out. Our choice.
  if (isTried(deciding, compiled)) return 'treated'
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

/** The first offer this person may have. A variant's own stands for the rule's, for controls as well. */
function offerFor(
  deciding: Deciding,
  wanted: string | string[] | undefined,
  view: RuleView,
): { found?: CompiledOffer; refused?: Clause } {
  const { offers } = deciding.context
  let refused: Clause | undefined
  for (const id of [wanted ?? []].flat()) {
    const offer = offers?.find(id)
    if (!offer) {
      refused ??= clause('then.offer', `the offer "${id}" exists`, `a oferta "${id}" existe`, false, id)
      continue
    }
    const key = offerKey(id)
    const reserved = deciding.capUses.filter((use) => use.key === key)
    const taken = reserved.filter(({ shadow }) => !shadow).length
    const uses = [...deciding.context.capUses(key), ...reserved.map(({ at }) => at)]
    const why = offerRefusal(offer, view, uses, offers!.left(id) - taken)
    if (!why) return { found: offer }
    refused ??= why
  }
  return refused ? { refused } : {}
}

function fullCap(
  deciding: Deciding,
  compiled: CompiledRule,
  { facts, purpose }: Candidate,
  at: number,
  transactional: boolean,
): Clause | undefined {
  const { context, state } = deciding
  for (const [index, cap] of compiled.caps.entries()) {
    const key = capKey(cap.per, compiled, facts, transactional)
    if (key === undefined) continue
    const reserved = deciding.capUses.filter((use) => use.key === key).map((use) => use.at)
    const uses = [...context.capUses(key), ...reserved].map((use) => Date.parse(use))
    const zone = zoneFor(cap.zone, state.zone, purpose, organizationZone(deciding))
    const used = usedAt(cap, uses, at, zone)
    if (used < cap.max) continue
    return capClause(cap, index, used)
  }
  return undefined
}

/** What waits must still be worth sending when it may leave. */
function tooLateFor(
  { nowMs }: Deciding,
  { expiresMs, times }: CompiledRule,
  plan: Planned,
): 'QUIET_HOURS' | 'EXPIRED' | undefined {
  if (plan.at === undefined || (plan.silence && times?.onHit === 'skip')) return 'QUIET_HOURS'
  return expiresMs !== undefined && plan.at >= nowMs + expiresMs ? 'EXPIRED' : undefined
}

const organizationZone = ({ context }: Deciding): string => context.zones?.organization ?? 'America/Sao_Paulo'

function enter(deciding: Deciding, { compiled, sinceMs }: Instance, { event }: RuleView): void {
  const { reentry, rule } = compiled
  if (!reentry) return
  if (reentry.perSession) deciding.sessions[rule.id] = withEntry(deciding.sessions[rule.id], { event, sinceMs })
  deciding.entries[rule.id] = [...(deciding.entries[rule.id] ?? []), deciding.context.now].slice(-(reentry.max ?? 1))
}

const listed = (key: string | undefined): string[] => (key === undefined ? [] : [key])
