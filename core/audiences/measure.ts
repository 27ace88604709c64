/**
 * Computed traits, scores and memberships of one person, brought up to date. A pure function of the profile, what
 * changed and the clock: with every event only what that event may change, and at the moments at which time alone may
 * change something. Doing it step by step gives what computing everything anew would give (a property test).
 */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { assignArm } from '../decision/assign.ts'
import type { Clause, Compiled, RuleView } from '../decision/compile.ts'
import { nameMatches, triggerName } from '../decision/names.ts'
import { type ComputedValue, computedChangesAt, sampleOf, settled, withSample } from './computed.ts'
import type { CompiledAudience, MeasureSet } from './set.ts'
import { EVERYTHING, type Touch } from './touch.ts'

export interface MeasureContext {
  /** Epoch milliseconds. */
  readonly now: number
  /** Canonical person id. */
  readonly personKey: string
  /** The person has a user id, an e-mail or a phone. */
  readonly known: boolean
  readonly holdout: { readonly globalHoldout: number; readonly globalSeed: string }
  /** Conditions see the person through this; see `viewOf` of the decision. */
  view(profile: OpenProfile, purpose: string, now: number, event?: Pick<CanonicalEvent, 'properties'>): RuleView
}

/** A kept event that counts, with what each purpose that allowed it may see. */
export interface MeasuredEvent {
  readonly event: CanonicalEvent
  /** Undefined when the event was not kept for that purpose. */
  as(purpose: string): Pick<CanonicalEvent, 'properties'> | undefined
}

export interface AudienceChange {
  readonly audience: string
  readonly change: 'entered' | 'left'
  /** ISO 8601. */
  readonly at: string
  /** The clauses of the definition as they stood. */
  readonly why: readonly Clause[]
}

export interface ScoreChange {
  readonly score: string
  readonly from: number | undefined
  readonly to: number
  readonly at: string
}

export interface Measured {
  readonly changes: readonly AudienceChange[]
  readonly scores: readonly ScoreChange[]
  /** Computed traits whose value is another one now. */
  readonly computed: readonly string[]
  readonly touched: boolean
}

/** Most moments gone through one by one after a long stop; what is left is looked at as of now. */
const MOST_STEPS = 500

/** Brings the profile up to date after an event. Changes `profile`. */
export function measureEvent(
  profile: OpenProfile,
  touch: Touch,
  measured: MeasuredEvent | undefined,
  set: MeasureSet,
  context: MeasureContext,
): Measured {
  if (set.empty) return NOTHING
  // A moment that passed before the event came would be looked at with the event in it: everything is as of now.
  const overdue = profile.measuresDueAt !== undefined && profile.measuresDueAt <= context.now
  return new Measuring(profile, set, context).run(overdue ? EVERYTHING : touch, context.now, measured)
}

/** Time passed: every moment between the last look and `now` at which something may have changed, in order. Changes `profile`. */
export function measureTime(profile: OpenProfile, set: MeasureSet, context: MeasureContext): Measured {
  const all: { changes: AudienceChange[]; scores: ScoreChange[]; computed: Set<string>; touched: boolean } = {
    changes: [],
    scores: [],
    computed: new Set(),
    touched: false,
  }
  for (let steps = 0; profile.measuresDueAt !== undefined && profile.measuresDueAt <= context.now; steps++) {
    // 0 stands for now: nobody knows since when.
    const due = profile.measuresDueAt
    const at = due === 0 || steps >= MOST_STEPS ? context.now : due
    const step = new Measuring(profile, set, context).run(EVERYTHING, at, undefined)
    all.changes.push(...step.changes)
    all.scores.push(...step.scores)
    for (const id of step.computed) all.computed.add(id)
    all.touched = true
  }
  return { ...all, computed: [...all.computed] }
}

const NOTHING: Measured = { changes: [], scores: [], computed: [], touched: false }

class Measuring {
  readonly #profile: OpenProfile
  readonly #set: MeasureSet
  readonly #context: MeasureContext

  constructor(profile: OpenProfile, set: MeasureSet, context: MeasureContext) {
    this.#profile = profile
    this.#set = set
    this.#context = context
  }

  run(touch: Touch, now: number, measured: MeasuredEvent | undefined): Measured {
    const whole = touch.everything === true
    const profile = this.#profile
    const due = { at: whole ? undefined : profile.measuresDueAt }
    const soonest = (at: number | undefined) => {
      if (at !== undefined && (due.at === undefined || at < due.at)) due.at = Math.max(at, now + 1)
    }
    if (whole) this.#forget()
    const computed = this.#computed(touch, now, measured, soonest)
    const scores = this.#scores(touch, now, computed, soonest)
    const changes = this.#audiences(touch, now, computed, new Set(scores.map(({ score }) => score)), soonest)
    if (due.at === undefined) delete profile.measuresDueAt
    else profile.measuresDueAt = due.at
    return {
      changes,
      scores,
      computed: [...computed],
      touched: whole || changes.length > 0 || scores.length > 0 || computed.size > 0,
    }
  }

  /** What the configuration no longer has. Memberships are left in `#audiences`, so that somebody hears of it. */
  #forget(): void {
    const { computed, scores } = this.#profile
    for (const id of Object.keys(computed ?? {}))
      if (!this.#set.computed.some((one) => one.id === id)) delete computed![id]
    for (const id of Object.keys(scores ?? {})) if (!this.#set.scores.some((one) => one.id === id)) delete scores![id]
  }

  #view(purpose: string, now: number, event?: Pick<CanonicalEvent, 'properties'>): RuleView {
    return this.#context.view(this.#profile, purpose, now, event)
  }

  #computed(
    touch: Touch,
    now: number,
    measured: MeasuredEvent | undefined,
    soonest: (at: number | undefined) => void,
  ): Set<string> {
    const changed = new Set<string>()
    const touched = this.#set.touched.computed.find(touch)
    if (touched.size === 0) return changed
    const profile = this.#profile
    const values = (id: string): ComputedValue | undefined => profile.computed?.[id]?.value
    for (const compiled of this.#set.computed) {
      if (!touched.has(compiled) && !reads(compiled.reads.computed, changed)) continue
      const before = profile.computed?.[compiled.id]
      let state = before
      const { measure } = compiled
      if (measure && measured && nameMatches(measure.event, triggerName(measured.event))) {
        const seen = measured.as(compiled.purpose)
        const counts = seen && (!measure.where || measure.where.test(this.#view(compiled.purpose, now, seen)))
        const sample = counts ? sampleOf(measure, seen) : undefined
        if (sample !== undefined) state = withSample(compiled, state, Date.parse(measured.event.occurredAt), sample)
      }
      const after = settled(compiled, state, now, values)
      if (after?.value !== before?.value) changed.add(compiled.id)
      if (after) profile.computed = { ...profile.computed, [compiled.id]: after }
      else if (before) delete profile.computed![compiled.id]
      soonest(computedChangesAt(compiled, after, now))
    }
    return changed
  }

  #scores(
    touch: Touch,
    now: number,
    computed: ReadonlySet<string>,
    soonest: (at: number | undefined) => void,
  ): ScoreChange[] {
    const touched = this.#set.touched.scores.find(touch)
    if (touched.size === 0 && computed.size === 0) return []
    const profile = this.#profile
    const changes: ScoreChange[] = []
    for (const compiled of this.#set.scores) {
      if (!touched.has(compiled) && !reads(compiled.reads.computed, computed)) continue
      const view = this.#view(compiled.purpose, now)
      const value = compiled.score(view)
      const before = profile.scores?.[compiled.id]
      for (const conditions of compiled.conditions) soonest(conditions.changesAt(view))
      if (before?.value === value) continue
      const at = new Date(now).toISOString()
      profile.scores = { ...profile.scores, [compiled.id]: { ...before, value, at, purpose: compiled.purpose } }
      changes.push({ score: compiled.id, from: before?.value, to: value, at })
    }
    return changes
  }

  #audiences(
    touch: Touch,
    now: number,
    computed: ReadonlySet<string>,
    scores: ReadonlySet<string>,
    soonest: (at: number | undefined) => void,
  ): AudienceChange[] {
    const touched = this.#set.touched.audiences.find(touch)
    const changes: AudienceChange[] = []
    const profile = this.#profile
    const at = new Date(now).toISOString()
    if (touch.everything)
      for (const id of Object.keys(profile.audiences ?? {}))
        if (!this.#set.audience(id)) {
          delete profile.audiences![id]
          changes.push({ audience: id, change: 'left', at, why: [DEFINITION_GONE] })
        }
    if (touched.size === 0 && computed.size === 0 && scores.size === 0) return changes
    const moved = new Set<string>()
    for (const audience of this.#set.audiences) {
      const again =
        touched.has(audience) ||
        reads(audience.reads.computed, computed) ||
        reads(audience.reads.scores, scores) ||
        reads(audience.reads.audiences, moved)
      if (!again) continue
      const { holds, why, changesAt } = this.#judge(audience, now)
      const since = profile.audiences?.[audience.id]?.since
      const mayLeaveAt = since === undefined ? 0 : Date.parse(since) + audience.stayMs
      soonest(changesAt)
      if (holds === (since !== undefined)) continue
      if (!holds && now < mayLeaveAt) {
        soonest(mayLeaveAt)
        continue
      }
      if (holds) profile.audiences = { ...profile.audiences, [audience.id]: { since: at, purpose: audience.purpose } }
      else delete profile.audiences![audience.id]
      moved.add(audience.id)
      changes.push({ audience: audience.id, change: holds ? 'entered' : 'left', at, why: why() })
    }
    return changes
  }

  #judge(
    audience: CompiledAudience,
    now: number,
  ): { holds: boolean; why: () => readonly Clause[]; changesAt: number | undefined } {
    const view = this.#view(audience.purpose, now)
    const heldOut = audience.heldOut.length === 0 || audience.heldOut.some((one) => this.#heldOut(one))
    const { who } = audience
    return {
      holds: heldOut && (!who || who.test(view)),
      why: () => [...(audience.heldOut.length > 0 ? [heldOutClause(heldOut)] : []), ...clausesOf(who, view)],
      changesAt: who?.changesAt(view),
    }
  }

  #heldOut(one: CompiledAudience['heldOut'][number]): boolean {
    const { holdout, personKey } = this.#context
    if ('global' in one) return assignArm(personKey, { ...holdout, control: 0, seed: '' }) === 'holdout'
    if ('rule' in one) {
      const arm = this.#profile.arms?.[one.rule]
      return arm !== undefined && arm !== 'treated' && arm !== 'test'
    }
    const audience = this.#set.audience(one.audience)
    return (
      audience !== undefined &&
      Object.hasOwn(this.#profile.audiences ?? {}, audience.id) &&
      isHeldOut(audience, personKey, holdout)
    )
  }
}

/** Whether a member of an audience is one that no destination hears of. Goes with the person's id, for ever. */
export function isHeldOut(
  { id, config }: Pick<CompiledAudience, 'id' | 'config'>,
  personKey: string,
  { globalHoldout, globalSeed }: MeasureContext['holdout'],
): boolean {
  const { experiment } = config
  if (!experiment) return false
  const arm = assignArm(personKey, {
    globalHoldout: experiment.holdout === 'global' ? globalHoldout : 0,
    globalSeed,
    control: experiment.control ?? 0,
    seed: experiment.seed ?? `audience:${id}`,
  })
  return arm !== 'treated'
}

const reads = (wanted: ReadonlySet<string>, changed: ReadonlySet<string>): boolean => {
  if (changed.size === 0) return false
  for (const id of wanted) if (changed.has(id)) return true
  return false
}

const clausesOf = (who: Compiled | undefined, view: RuleView) => who?.explain(view) ?? []

const heldOutClause = (ok: boolean): Clause => ({
  id: 'held_out',
  clause: 'the person is held out',
  pt: 'a pessoa está no grupo que não recebe',
  ok,
  value: ok,
})

const DEFINITION_GONE: Clause = {
  id: 'definition',
  clause: 'the audience is still in the configuration',
  pt: 'o público ainda está na configuração',
  ok: false,
  value: false,
}
