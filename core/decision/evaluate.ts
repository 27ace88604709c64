/**
 * What a person's event, or a clock that ran out, leads to. A pure function of its arguments: the same
 * one runs live, in a replay and in a backtest, and gives the same log each time.
 *
 * Order, fixed: when → who → still worth it → consent and reachable → re-entry → caps → ASSIGN → act.
 * Control and held-out people pass the same gates, so that the arms differ in the message alone.
 */
import { createHash } from 'node:crypto'
import type { Arm } from '../../schemas/delivery.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { Closing, OpenProfile, OpenTimer } from '../../schemas/profile.ts'
import type { Rule } from '../../schemas/rule.ts'
import { assignArm } from './assign.ts'
import { CAP_WORDS, capKey, capKeys } from './caps.ts'
import { clause, emptyCartClause, endedClause, silenceClause, startedClause, tooLateClause } from './clauses.ts'
import { type Clause, countSince, type RuleView } from './compile.ts'
import { correlationOf, sameInstance, UNNAMED } from './correlation.ts'
import type {
  ActionFacts,
  CapUse,
  DecisionContext,
  DecisionInput,
  DecisionOutcome,
  DecisionResult,
  DeliveryDraft,
  DroppedTimer,
  Explanation,
  GoalCancel,
  SkippedAction,
} from './decision.ts'
import { durationWords } from './duration.ts'
import { triggerName } from './names.ts'
import { type CompiledRule, LATE_START_MS, memoryMs, type RuleSet } from './ruleset.ts'

/**
 * @param state the open profile, already updated by the event
 * @param rules see `buildRuleSet`
 */
export function decide(
  input: DecisionInput,
  state: OpenProfile,
  rules: RuleSet,
  context: DecisionContext,
): DecisionResult {
  const decision = new Decision(state, rules, context, input.seq)
  decision.dropUnknownVersions()
  if (input.kind === 'event') decision.event(input.event)
  else decision.timer(input)
  return decision.result()
}

/** Timers that may fire now, in the order in which to give them to `decide`. */
export function dueTimers(
  state: Pick<OpenProfile, 'timers'>,
  now: string,
): Extract<DecisionInput, { kind: 'timer' }>[] {
  const nowMs = Date.parse(now)
  return state.timers
    .filter((timer) => Date.parse(timer.graceUntil) <= nowMs)
    .sort((a, b) => order(a.graceUntil, b.graceUntil) || order(a.rule, b.rule) || order(a.correlation, b.correlation))
    .map(({ rule, correlation, dueAt }) => ({ kind: 'timer', rule, correlation, dueAt }))
}

/** When two persons become one: of two instances of the same rule and correlation the earlier is kept. */
export function mergeTimers(a: readonly OpenTimer[], b: readonly OpenTimer[]): OpenTimer[] {
  const kept = new Map<string, OpenTimer>()
  for (const timer of [...a, ...b]) {
    const key = JSON.stringify([timer.rule, timer.correlation])
    const other = kept.get(key)
    if (!other || timer.dueAt < other.dueAt) kept.set(key, timer)
  }
  return [...kept.values()]
}

/**
 * Whether the person did what the rule wants after `since` (a draft's `since`). Asked again at permit,
 * because the goal may have been reached while the delivery waited.
 */
export function goalReached(compiled: CompiledRule, profile: Pick<OpenProfile, 'recent'>, since: string): boolean {
  const after = Date.parse(since)
  return (compiled.rule.exit_on ?? []).some((goal) => countSince(profile.recent, goal, after) > 0)
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
const iso = (ms: number) => new Date(ms).toISOString()
/** 128 bits of SHA-256, hex. */
const digest = (...parts: readonly (string | number)[]) =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)

/** One instance of a rule about to be judged. */
interface Instance {
  readonly compiled: CompiledRule
  readonly correlation: string
  readonly eventId: string
  /** Epoch ms of the trigger, or of the start of the clock. */
  readonly sinceMs: number
  /** Epoch ms from which `then.expires` says the action is not worth it any more. */
  readonly ripeMs: number
  readonly startedAt?: string
}

class Decision {
  readonly #state: OpenProfile
  readonly #rules: RuleSet
  readonly #context: DecisionContext
  readonly #seq: number | undefined
  readonly #nowMs: number
  #timers: OpenTimer[]
  readonly #entries: Record<string, string[]>
  readonly #closings: Record<string, Closing[]>
  readonly #deliveries: DeliveryDraft[] = []
  readonly #capUses: CapUse[] = []
  #cancels: GoalCancel[] = []
  readonly #explanations: Explanation[] = []
  readonly #dropped: DroppedTimer[] = []

  constructor(state: OpenProfile, rules: RuleSet, context: DecisionContext, seq: number | undefined) {
    this.#state = state
    this.#rules = rules
    this.#context = context
    this.#seq = seq
    this.#nowMs = Date.parse(context.now)
    this.#timers = [...state.timers]
    this.#entries = { ...state.entries }
    this.#closings = { ...state.closings }
  }

  result(): DecisionResult {
    const wakeAt = this.#timers.map((timer) => timer.graceUntil).sort()[0]
    return {
      timers: this.#timers,
      entries: this.#entries,
      closings: this.#closings,
      deliveries: this.#deliveries,
      capUses: this.#capUses,
      cancels: this.#cancels,
      explanations: this.#explanations,
      dropped: this.#dropped,
      ...(wakeAt !== undefined && { wakeAt }),
    }
  }

  /** A timer stays on the version that started it; without that version nobody knows what it meant. */
  dropUnknownVersions(): void {
    for (const timer of this.#timers) {
      if (this.#rules.versionOf(timer.rule, timer.version)) continue
      this.#remove(timer)
      const { rule, version, correlation } = timer
      this.#dropped.push({ rule, version, correlation, reason: 'VERSION_NOT_LOADED' })
      this.#explanations.push({
        id: digest(
          'explanation',
          rule,
          version,
          this.#context.personKey,
          correlation,
          timer.startEventId,
          'VERSION_NOT_LOADED',
        ),
        rule,
        version,
        hash: '',
        eventId: timer.startEventId,
        correlation,
        ...(this.#seq !== undefined && { seq: this.#seq }),
        at: this.#context.now,
        startedAt: timer.startedAt,
        result: 'CANCELLED',
        clauses: [
          clause(
            'when.version',
            'this version of the rule is still loaded',
            'esta versão da regra ainda está carregada',
            false,
            version,
          ),
        ],
        deliveryIds: [],
        skipped: [],
        latestOnly: false,
        failed: ['when.version'],
      })
    }
  }

  event(event: CanonicalEvent): void {
    const name = triggerName(event)
    // A clock that runs ahead must not put a start into the future and so delay what follows.
    const atMs = Math.min(Date.parse(event.occurredAt), this.#nowMs)
    const goals = new Set(this.#rules.goalOf(name).map((compiled) => compiled.rule.id))
    this.#cancels = [...goals].map((rule) => ({ rule, reason: 'GOAL_REACHED', at: event.occurredAt }))
    const ended = this.#endInstances(event, name)
    this.#noteClosings(event, name)
    this.#startClocks(event, name, atMs, ended)
    for (const compiled of this.#rules.triggeredBy(name)) {
      const view = this.#view(event, compiled)
      const where = compiled.where.explain(view)
      const instance = { compiled, correlation: '', eventId: event.id, sinceMs: atMs, ripeMs: atMs }
      if (compiled.where.holds(where)) this.#judge(instance, view, where)
      else this.#explain(instance, 'NOT_MATCHED', where, { latestOnly: true })
    }
  }

  timer(input: Extract<DecisionInput, { kind: 'timer' }>): void {
    const timer = this.#timers.find(
      (open) => open.rule === input.rule && open.correlation === input.correlation && open.dueAt === input.dueAt,
    )
    // Reset or ended since the wake-up was read, or woken early: the wake-up that follows is in the result.
    if (!timer || this.#nowMs < Date.parse(timer.graceUntil)) return
    const compiled = this.#rules.versionOf(timer.rule, timer.version)!
    this.#remove(timer)
    const instance = instanceOf(compiled, timer)
    const ended = this.#endedSince(compiled, timer.correlation, instance.sinceMs, timer.hadCart === true)
    if (ended) this.#explain(instance, ended.result, [ended.clause])
    else this.#judge(instance, this.#view(input.event, compiled), [silenceClause(compiled)])
  }

  // -------------------------------------------------------------- clocks

  /** @returns ids of the rules of which an instance ended. */
  #endInstances(event: CanonicalEvent, name: string): Set<string> {
    const ended = new Set<string>()
    const at = Date.parse(event.occurredAt)
    for (const timer of this.#timers) {
      const compiled = this.#rules.versionOf(timer.rule, timer.version)!
      const absence = compiled.absence!
      const unless = absence.unlessMatches(name)
      // What happened before the clock started says nothing about what happened after.
      const byEvent =
        (unless || compiled.goalMatches(name)) &&
        at >= Date.parse(timer.startedAt) &&
        sameInstance(absence.correlate, correlationOf(absence.correlate, event), timer.correlation)
      const byCart = !byEvent && absence.cancelledByEmptyCart && timer.hadCart === true && this.#cartIsEmpty()
      if (!byEvent && !byCart) continue
      this.#remove(timer)
      ended.add(timer.rule)
      const instance = instanceOf(compiled, timer)
      if (byCart) this.#explain(instance, 'CANCELLED', [emptyCartClause()], {}, event.id)
      else this.#explain(instance, unless ? 'CANCELLED' : 'GOAL_REACHED', [endedClause(name)], {}, event.id)
    }
    return ended
  }

  #noteClosings(event: CanonicalEvent, name: string): void {
    for (const compiled of this.#rules.closedBy(name)) {
      const { id } = compiled.rule
      const correlation = correlationOf(compiled.absence!.correlate, event)
      const goalOnly = !compiled.absence!.unlessMatches(name)
      const closing: Closing = {
        at: event.occurredAt,
        ...(correlation !== undefined && { correlation }),
        ...(goalOnly && { goal: true }),
      }
      const oldest = this.#nowMs - memoryMs(compiled)
      const kept = [...(this.#closings[id] ?? []), closing].filter((entry) => Date.parse(entry.at) > oldest)
      if (kept.length > 0) this.#closings[id] = kept
      else delete this.#closings[id]
    }
  }

  #startClocks(event: CanonicalEvent, name: string, atMs: number, ended: ReadonlySet<string>): void {
    for (const compiled of this.#rules.startedBy(name)) {
      const absence = compiled.absence!
      // An event that ends an instance does not start the next one.
      if (ended.has(compiled.rule.id) || absence.unlessMatches(name)) continue
      const named = correlationOf(absence.correlate, event)
      const running = this.#runningInstance(compiled, named)
      if (running) {
        // The instance keeps the version that started it, also through resets; a late repeat changes nothing.
        if (running.version !== compiled.rule.version || atMs < Date.parse(running.startedAt)) continue
        const timer = this.#clock(compiled, event, named ?? running.correlation, atMs)
        this.#timers = this.#timers.map((open) => (open === running ? timer : open))
        this.#explain(instanceOf(compiled, timer), 'RESET', [startedClause(name)])
      } else if (this.#rules.isCurrent(compiled)) this.#arm(compiled, event, name, named ?? UNNAMED, atMs)
    }
  }

  #arm(compiled: CompiledRule, event: CanonicalEvent, name: string, correlation: string, atMs: number): void {
    const timer = this.#clock(compiled, event, correlation, atMs)
    const instance = instanceOf(compiled, timer)
    const ended = this.#endedSince(compiled, correlation, atMs, false)
    if (ended) this.#explain(instance, ended.result, [ended.clause])
    else if (this.#nowMs > Date.parse(timer.graceUntil) + (compiled.expiresMs ?? LATE_START_MS))
      this.#explain(instance, 'EXPIRED', [startedClause(name), tooLateClause(this.#nowMs - instance.ripeMs)])
    else {
      this.#timers.push(timer)
      this.#explain(instance, 'ARMED', [startedClause(name)])
    }
  }

  #clock(compiled: CompiledRule, event: CanonicalEvent, correlation: string, atMs: number): OpenTimer {
    const { withinMs, graceMs } = compiled.absence!
    return {
      rule: compiled.rule.id,
      version: compiled.rule.version,
      correlation,
      startEventId: event.id,
      startedAt: iso(atMs),
      dueAt: iso(atMs + withinMs),
      graceUntil: iso(atMs + withinMs + graceMs),
      ...(!this.#cartIsEmpty() && { hadCart: true }),
    }
  }

  /**
   * The open instance a start belongs to. Sources differ in whether they name the cart, and one cart must
   * not be two instances: a start without a name is about the newest instance, and a named one takes over
   * the instance that had no name yet.
   */
  #runningInstance(compiled: CompiledRule, named: string | undefined): OpenTimer | undefined {
    const mine = this.#timers.filter((timer) => timer.rule === compiled.rule.id)
    if (named !== undefined)
      return mine.find((timer) => timer.correlation === named) ?? mine.find((timer) => timer.correlation === UNNAMED)
    return mine.reduce<OpenTimer | undefined>(
      (newest, timer) => (newest && newest.startedAt >= timer.startedAt ? newest : timer),
      undefined,
    )
  }

  /** Something that ends the instance is already known: it came before its start did, or with a merge. */
  #endedSince(compiled: CompiledRule, correlation: string, sinceMs: number, hadCart: boolean) {
    const absence = compiled.absence!
    if (hadCart && absence.cancelledByEmptyCart && this.#cartIsEmpty())
      return { result: 'CANCELLED' as const, clause: emptyCartClause() }
    if (absence.correlate) {
      const closing = (this.#closings[compiled.rule.id] ?? []).find(
        (entry) => Date.parse(entry.at) > sinceMs && sameInstance(absence.correlate, entry.correlation, correlation),
      )
      return (
        closing && { result: closing.goal ? ('GOAL_REACHED' as const) : ('CANCELLED' as const), clause: endedClause() }
      )
    }
    for (const name of Object.keys(this.#state.recent)) {
      const unless = absence.unlessMatches(name)
      if (!unless && !compiled.goalMatches(name)) continue
      if (countSince({ [name]: this.#state.recent[name]! }, name, sinceMs) > 0)
        return { result: unless ? ('CANCELLED' as const) : ('GOAL_REACHED' as const), clause: endedClause(name) }
    }
    return undefined
  }

  // -------------------------------------------------------------- gates

  /** who → still worth it → consent and reachable → re-entry → caps → assign → act */
  #judge(instance: Instance, view: RuleView, triggered: readonly Clause[]): void {
    const { compiled } = instance
    const who = compiled.who.explain(view)
    const clauses = [...triggered, ...who]
    if (!compiled.who.holds(who)) {
      this.#explain(instance, 'NOT_MATCHED', clauses, { latestOnly: instance.startedAt === undefined })
      return
    }
    const { expiresMs } = compiled
    if (expiresMs !== undefined && this.#nowMs > instance.ripeMs + expiresMs) {
      this.#explain(instance, 'EXPIRED', [...clauses, tooLateClause(this.#nowMs - instance.ripeMs)])
      return
    }
    const consent = this.#context.consent(compiled.rule.unless.purpose)
    const entry = consent.entryId === undefined ? {} : { entryId: consent.entryId }
    if (!consent.granted) {
      this.#explain(instance, consent.code ?? 'NO_CONSENT', clauses, entry)
      return
    }
    const skipped: SkippedAction[] = []
    const reachable = this.#reachableActions(compiled, skipped)
    if (reachable.length === 0) {
      const undeclared = skipped.every((action) => action.code === 'UNDECLARED')
      this.#explain(instance, undeclared ? 'UNDECLARED' : 'NOT_REACHABLE', clauses, { ...entry, skipped })
      return
    }
    const reentry = this.#reentryClause(compiled)
    if (reentry) {
      this.#explain(instance, 'REENTRY', [...clauses, reentry], { ...entry, skipped })
      return
    }
    this.#act(instance, clauses, reachable, entry, skipped)
  }

  #reachableActions(compiled: CompiledRule, skipped: SkippedAction[]): ReachableAction[] {
    return compiled.rule.then.all.flatMap((action, index) => {
      const facts = this.#context.actionOf(action.destination, action.action)
      if (facts && (facts.identifier.length === 0 || this.#context.reachable(facts.identifier)))
        return [{ action, index, facts }]
      skipped.push({
        destination: action.destination,
        action: action.action,
        code: facts ? 'NOT_REACHABLE' : 'UNDECLARED',
      })
      return []
    })
  }

  #reentryClause(compiled: CompiledRule): Clause | undefined {
    if (!compiled.reentry) return undefined
    const { max, minIntervalMs } = compiled.reentry
    const entries = this.#entries[compiled.rule.id] ?? []
    if (max !== undefined && entries.length >= max)
      return clause(
        'unless.reentry.max',
        `entered fewer than ${max} times`,
        `entrou menos de ${max} vezes`,
        false,
        entries.length,
      )
    const tooRecent = minIntervalMs !== undefined && entries.some((at) => Date.parse(at) > this.#nowMs - minIntervalMs)
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

  #act(
    instance: Instance,
    clauses: readonly Clause[],
    reachable: readonly ReachableAction[],
    entry: EntryRef,
    skipped: SkippedAction[],
  ): void {
    const { compiled, correlation, eventId } = instance
    const { rule } = compiled
    const { personKey, now } = this.#context
    const capped: Clause[] = []
    const arm = this.#assign(compiled)
    const drafts: DeliveryDraft[] = []
    for (const { action, index, facts } of reachable) {
      const full = this.#fullCap(compiled, facts)
      if (full) {
        if (!capped.some((other) => other.id === full.id)) capped.push(full)
        skipped.push({ destination: action.destination, action: action.action, code: 'CAPPED' })
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
        ...(compiled.expiresMs !== undefined && { expiresAt: iso(this.#nowMs + compiled.expiresMs) }),
        ...entry,
        since: iso(instance.sinceMs),
      })
      for (const key of capKeys(compiled, facts))
        this.#capUses.push({ key, at: now, deliveryId: id, shadow: arm !== 'treated' })
    }
    if (drafts.length === 0) {
      this.#explain(instance, 'CAPPED', [...clauses, ...capped], { ...entry, skipped })
      return
    }
    this.#deliveries.push(...drafts)
    this.#enter(compiled)
    const deliveryIds = drafts.map((draft) => draft.id)
    this.#explain(instance, 'ENQUEUED', [...clauses, ...capped], { ...entry, skipped, arm, deliveryIds })
  }

  #assign(compiled: CompiledRule): Arm {
    const { experiment, id } = compiled.rule
    const { globalHoldout, globalSeed } = this.#context.holdout
    const exposed = this.#context.armOf?.(id)
    // Exposed to two arms before a merge: counted in neither, and nothing is sent.
    if (exposed) return exposed === 'multiple' ? 'control' : exposed
    return assignArm(this.#context.personKey, {
      globalHoldout: experiment?.holdout === 'global' ? globalHoldout : 0,
      globalSeed,
      control: experiment?.control ?? 0,
      // Without the version: a new text of the rule must not move people between the arms.
      seed: experiment?.seed ?? id,
    })
  }

  #fullCap(compiled: CompiledRule, facts: ActionFacts): Clause | undefined {
    for (const [index, cap] of compiled.caps.entries()) {
      const key = capKey(cap.per, compiled, facts)
      if (key === undefined) continue
      const after = this.#nowMs - cap.windowMs
      const reserved = this.#capUses.filter((use) => use.key === key).map((use) => use.at)
      const uses = [...this.#context.capUses(key), ...reserved].filter((at) => Date.parse(at) > after).length
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

  #enter(compiled: CompiledRule): void {
    const { reentry, rule } = compiled
    if (!reentry) return
    this.#entries[rule.id] = [...(this.#entries[rule.id] ?? []), this.#context.now].slice(-(reentry.max ?? 1))
  }

  // -------------------------------------------------------------- plain parts

  /** A rule sees the cart only when everything in it was collected for the rule's own purpose, and counts and traits of that purpose alone. */
  #view(event: CanonicalEvent | undefined, compiled: CompiledRule): RuleView {
    const known = this.#context.reachable(['userId', 'email', 'phone'])
    const { cart, ...withoutCart } = this.#state
    const { purpose } = compiled.rule.unless
    const seesCart = !cart?.purposes || cart.purposes.includes(purpose)
    return {
      now: this.#nowMs,
      profile: seesCart ? this.#state : withoutCart,
      purpose,
      counted: this.#state.counted?.[purpose] ?? {},
      known,
      ...(event && { event }),
    }
  }

  #cartIsEmpty(): boolean {
    return (this.#state.cart?.lines.length ?? 0) === 0
  }

  #remove(timer: OpenTimer): void {
    this.#timers = this.#timers.filter((open) => open !== timer)
  }

  /** @param causeId what ended the instance, where that is not its own event: keeps two endings apart. */
  #explain(
    instance: Instance,
    result: DecisionOutcome,
    clauses: readonly Clause[],
    more: Partial<Pick<Explanation, 'arm' | 'entryId' | 'deliveryIds' | 'skipped' | 'latestOnly'>> = {},
    causeId = '',
  ): void {
    const { compiled, correlation, eventId, startedAt } = instance
    const { id, version } = compiled.rule
    const latestOnly = more.latestOnly ?? false
    this.#explanations.push({
      ...(!latestOnly && {
        id: digest('explanation', id, version, this.#context.personKey, correlation, eventId, result, causeId),
      }),
      rule: id,
      version,
      hash: compiled.hash,
      eventId,
      correlation,
      ...(this.#seq !== undefined && { seq: this.#seq }),
      at: this.#context.now,
      ...(startedAt !== undefined && { startedAt }),
      result,
      clauses,
      ...(more.arm !== undefined && { arm: more.arm }),
      ...(more.entryId !== undefined && { entryId: more.entryId }),
      deliveryIds: more.deliveryIds ?? [],
      skipped: more.skipped ?? [],
      latestOnly,
      failed: clauses.filter((entry) => !entry.ok).map((entry) => entry.id),
    })
  }
}

interface ReachableAction {
  readonly action: Rule['then']['all'][number]
  /** Place in `then.all`. */
  readonly index: number
  readonly facts: ActionFacts
}

type EntryRef = { readonly entryId?: string }

function instanceOf(compiled: CompiledRule, timer: OpenTimer): Instance {
  return {
    compiled,
    correlation: timer.correlation,
    eventId: timer.startEventId,
    sinceMs: Date.parse(timer.startedAt),
    ripeMs: Date.parse(timer.graceUntil),
    startedAt: timer.startedAt,
  }
}
