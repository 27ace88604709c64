/**
 * One person's history given again to the functions that took it the first time, under a clock of its own. Nothing is
 * read from or written to a store.
 */
import { keepFields } from '../../consent/collects.ts'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { applySignal, conflictStatus, isNoted, mergeStatuses } from '../../consent/status.ts'
import type { ConsentSignal } from '../../schemas/consent.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import type { PastEntry } from '../answers/status.ts'
import { graft } from '../audiences/graft.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { type CompiledRule, type Explanation, nextWake, type RuleSet, triggerName } from '../decision/index.ts'
import { ruleOf } from '../decision/rollout.ts'
import { nextSlot } from '../decision/schedule.ts'
import { mergeProfiles } from '../identity/merge-profiles.ts'
import type { Keys } from '../keys.ts'
import { follow, wake } from '../pipeline.ts'
import type { BudgetCounts } from '../rules/budgets.ts'
import type { OfferCounts } from '../rules/offer-codes.ts'
import { decideSlot, type ScheduledRule, scheduledRules } from '../rules/slot-turn.ts'
import { type CountedFact, change, countTimes, noteSeen } from '../stages/apply.ts'
import { Batch } from '../stages/batch.ts'
import { rememberReport } from '../stages/contact-facts.ts'
import { amountsOf, applyCounters, type Reported, reportFact } from '../stages/facts.ts'
import { ageOn } from '../stages/facts-of-person.ts'
import { namesOf, personStatus, setStatus } from '../stages/identify.ts'
import { eventOf, type StartEvent } from '../stages/load.ts'
import { measureWhole, tellConsent } from '../stages/measure.ts'
import { type NodeState, type PersonState, takeNodes } from '../stages/people.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { besideEvents, cameAt, OF_THE_CLOCK } from './came-at.ts'
import { withDefinitions } from './definitions.ts'
import type { Join, PersonHistory, Step } from './history.ts'

/** How time passes where nothing says when the hub looked. */
export type Clock =
  /** As it did: people are woken when the hub woke them; before it noted that, when something was due. */
  | 'noted'
  /** Ideally: at the very moment something is due. For rules that did not run then. */
  | 'ideal'

export interface ReplayOptions {
  readonly settings: ProcessPorts['settings']
  /** What held before a moment (epoch milliseconds), where that was something else. */
  readonly before?: { readonly at: number; readonly settings: ProcessPorts['settings'] }
  readonly keys: Keys
  readonly clock: Clock
  /** Epoch milliseconds. */
  readonly until: number
  /** Told of every input once it is taken; `rows` of the batch hold what it led to, and are emptied afterwards. */
  readonly watch?: (turn: ReplayedTurn) => void
  /** What rules may spend, where that is one for several people. */
  readonly shared?: { readonly budgets: BudgetCounts & Releasing; readonly offers: OfferCounts }
  /** Told of every decision; then none of them is among the rows of the batch. */
  readonly decided?: (explanation: Explanation) => void
  /** Audiences, computed traits and scores count from the beginning; otherwise, by the clock of then, from when they did. */
  readonly alwaysMeasured?: true
}

/** Told of deliveries that did not happen. */
export interface Releasing {
  release(deliveryIds: ReadonlySet<string>): void
}

export interface ReplayedTurn {
  readonly kind: 'event' | 'wake' | 'schedule'
  readonly at: number
  readonly person: PersonState
  readonly batch: Batch
  readonly event?: Extract<Step, { kind: 'event' }>
}

export interface Replayed {
  /** Usually one; several where what joined them is not in history. */
  readonly people: readonly PersonState[]
  readonly batch: Batch
  /** Inputs taken. */
  readonly events: number
}

export function replayPerson(history: PersonHistory, options: ReplayOptions): Replayed {
  const replay = new Replay(history, options)
  for (const step of history.steps) replay.take(step)
  replay.finish()
  return replay.result()
}

/** Somebody is to be woken, or a slot has come. */
type Due =
  | { readonly person: PersonState; readonly due: number }
  | { readonly one: ScheduledRule; readonly due: number }

export class Replay {
  readonly #history: PersonHistory
  readonly #options: ReplayOptions
  readonly #batch: Batch
  readonly #events = new Map<string, Extract<Step, { kind: 'event' }>>()
  readonly #released: { readonly id: string; readonly at: number }[]
  /** Ideal clock: when each scheduled rule is due next. */
  readonly #slots = new Map<ScheduledRule, number>()
  /** People are held against the definitions of the moment at hand, not against those of today. */
  readonly #asOfThen: boolean
  /** How many definitions have been in force so far. */
  #defined = 0
  /** When the newest input came, in epoch milliseconds. */
  #knownAt = 0
  readonly #beside: ReadonlyMap<Step, number>
  #taken = 0
  /** In the steps, where they are taken one by one. */
  #place = 0

  constructor(history: PersonHistory, options: ReplayOptions) {
    this.#history = history
    this.#options = options
    this.#batch = new Batch(0, options.keys)
    if (options.shared) Object.assign(this.#batch, { budgets: options.shared.budgets, offers: options.shared.offers })
    if (options.decided) this.#batch.decided = options.decided
    this.#released = [...history.released].map(([id, at]) => ({ id, at })).sort((a, b) => a.at - b.at)
    this.#beside = options.clock === 'ideal' ? besideEvents(history.steps) : NOTHING_BESIDE
    this.#asOfThen = options.clock === 'noted' && !options.alwaysMeasured && history.definitions.length > 0
    // A node of somebody else stands for a shared device: only its own answers are asked.
    for (const node of history.nodes.values()) if (!this.#isOwn(node)) this.#batch.addNode({ ...node })
  }

  get #settings(): ProcessPorts['settings'] {
    const { before, settings } = this.#options
    const of = before && this.#batch.now < before.at ? before.settings : settings
    return this.#asOfThen ? withDefinitions(of, this.#history.definitions[this.#defined - 1]) : of
  }

  result(): Replayed {
    return { people: [...this.#batch.persons.values()], batch: this.#batch, events: this.#taken }
  }

  take(step: Step): void {
    const { clock } = this.#options
    if (clock === 'ideal' && OF_THE_CLOCK.has(step.kind)) return
    if (this.#passesTime(step)) this.#wakeBefore(cameAt(step, this.#beside))
    this.#batch.now = step.at
    this.#knownAt = Math.max(this.#knownAt, cameAt(step, this.#beside))
    const { definitions } = this.#history
    while (this.#defined < definitions.length && definitions[this.#defined]!.key <= step.key) this.#defined += 1
    switch (step.kind) {
      case 'event':
        this.#event(step)
        return
      case 'passing':
        this.#passing(step)
        return
      case 'wake':
        this.#woken(step)
        return
      case 'entry':
        this.#entry(step.entry)
        return
      case 'join':
        this.#unite(step.join, new Date(step.at).toISOString())
        return
      case 'contact':
        rememberReport(this.#personOf(step.nodeId, step.at).profile, step.report)
        return
      case 'counters':
        this.#corrected(step)
        return
      case 'schedule':
        this.#scheduled(step)
        return
      case 'measured':
        this.#measured(step)
        return
      case 'separated':
        this.#separated(step)
        return
      case 'consent':
        tellConsent(this.#personOf(step.nodeId, step.at), this.#batch, this.#settings)
    }
  }

  /** Time goes on after the last input, up to the end of the range. */
  finish(): void {
    if (this.#idealUntilEnd()) this.#wakeBefore(this.#options.until + 1)
  }

  // -------------------------------------------------------------- one thing at a time, beside others

  /** When the next thing happens; undefined: nothing does any more. */
  nextAt(): number | undefined {
    const step = this.#history.steps[this.#place]
    const due = this.#dueNow(step)
    const released = this.#released[0]
    const at = due ? this.#momentOf(due) : step?.at
    return released && at !== undefined && released.at < at ? released.at : at
  }

  /** That thing. */
  goOn(): void {
    const step = this.#history.steps[this.#place]
    const due = this.#dueNow(step)
    const at = due ? this.#momentOf(due) : step!.at
    if (this.#released[0] && this.#released[0].at < at) this.#release(this.#released[0].at + 1)
    else if (due) this.#let(due)
    else {
      this.#place += 1
      this.take(step!)
    }
  }

  #dueNow(step: Step | undefined): Due | undefined {
    if (!step) return this.#idealUntilEnd() ? this.#dueBefore(this.#options.until + 1) : undefined
    return this.#passesTime(step) ? this.#dueBefore(cameAt(step, this.#beside)) : undefined
  }

  // -------------------------------------------------------------- time

  #idealUntilEnd(): boolean {
    return this.#options.clock === 'ideal' || this.#history.notedFrom === undefined
  }

  /** Whether what was due before this input happens first: nothing says that the hub looked at another time. */
  #passesTime({ kind, key }: Step): boolean {
    if (this.#options.clock === 'ideal') return !OF_THE_CLOCK.has(kind)
    const { notedFrom } = this.#history
    const mayWait = kind === 'event' || kind === 'passing' || kind === 'wake'
    return mayWait && (notedFrom === undefined || key <= notedFrom)
  }

  #wakeBefore(at: number): void {
    while (true) {
      const due = this.#dueBefore(at)
      if (!due) return
      this.#let(due)
    }
  }

  /** What is due first before that moment, and within the range. */
  #dueBefore(at: number): Due | undefined {
    let next: Extract<Due, { person: PersonState }> | undefined
    for (const person of this.#batch.persons.values()) {
      const due = nextWake(person.profile, person.profile.measuresDueAt)
      // Nobody wakes for what nobody knows yet: a released event may start a clock that had run out before.
      if (due !== undefined && Math.max(due, this.#knownAt) < at && (!next || due < next.due)) next = { person, due }
    }
    const slot = this.#nextSlot()
    const first = slot && slot.due < at && (!next || slot.due < next.due) ? slot : next
    return first && first.due <= this.#options.until ? first : undefined
  }

  #momentOf({ due }: Due): number {
    return Math.max(due, this.#options.clock === 'ideal' ? this.#knownAt : this.#batch.now)
  }

  #let(first: Due): void {
    if ('one' in first) {
      this.#runSlot(first)
      return
    }
    // What is due "at once" is due now.
    const due = this.#momentOf(first)
    this.#batch.now = due
    this.#releaseUpTo(due)
    this.#wake(first.person, due)
  }

  /** Slots count from when the first of these people was there. */
  #nextSlot(): Extract<Due, { one: ScheduledRule }> | undefined {
    if (this.#options.clock !== 'ideal' || this.#batch.persons.size === 0) return undefined
    let first: { one: ScheduledRule; due: number } | undefined
    for (const one of scheduleOf(this.#settings)) {
      let due = this.#slots.get(one)
      if (due === undefined) {
        due = nextSlot(one.schedule, this.#batch.now) ?? Number.POSITIVE_INFINITY
        this.#slots.set(one, due)
      }
      if (!first || due < first.due) first = { one, due }
    }
    return first
  }

  #runSlot({ one, due }: { readonly one: ScheduledRule; readonly due: number }): void {
    this.#batch.now = due
    this.#slots.set(one, slotAfter(one, due))
    this.#releaseUpTo(due)
    for (const person of this.#batch.persons.values()) this.#decideSlot(person, one, due)
  }

  #scheduled({ nodeId, at, slot }: Extract<Step, { kind: 'schedule' }>): void {
    if (this.#options.clock === 'ideal') return
    const { rules } = this.#settings
    const isMeant = ({ rule: { id, version } }: CompiledRule) => id === slot.rule && version === slot.version
    const compiled = rules.current.find(isMeant) ?? rules.shadows?.current.find(isMeant)
    this.#releaseUpTo(at)
    const person = this.#personOf(nodeId, at)
    if (compiled) this.#decideSlot(person, { compiled, rule: ruleOf(slot.rule) }, slot.slot)
    // No rule of then is known any more: it was an input all the same.
    else if (ruleOf(slot.rule) === slot.rule) person.profile.seq = person.seq += 1
  }

  #decideSlot(person: PersonState, one: Pick<ScheduledRule, 'compiled' | 'rule'>, slot: number): void {
    decideSlot(person, one, slot, this.#batch, this.#settings)
    this.#tell({ kind: 'schedule', at: this.#batch.now, person, batch: this.#batch })
  }

  #woken({ nodeId, at, watermark }: Extract<Step, { kind: 'wake' }>): void {
    if (this.#options.clock === 'ideal') return
    this.#releaseUpTo(at)
    this.#wake(this.#personOf(nodeId, at), watermark)
  }

  #wake(person: PersonState, watermark: number): void {
    wake(person, watermark, (one, timer) => this.#startOf(one, timer), this.#batch, this.#settings)
    this.#tell({ kind: 'wake', at: this.#batch.now, person, batch: this.#batch })
  }

  #startOf(person: PersonState, timer: { rule: string; correlation: string; dueAt: string }): StartEvent | undefined {
    const open = person.profile.timers.find(
      (other) => other.rule === timer.rule && other.correlation === timer.correlation && other.dueAt === timer.dueAt,
    )
    const step = open && this.#events.get(open.startEventId)
    const node = step && this.#batch.node(step.row.node_id)
    if (!step || !node || !person.nodes.includes(node)) return undefined
    return { event: eventOf(step.row, step.sealed), node, deviceNode: this.#batch.node(step.sealed.device) }
  }

  /** Reservations of deliveries that did not happen are gone from the moment that was clear. */
  #release(at: number): void {
    const gone = new Set<string>()
    while (this.#released.length > 0 && this.#released[0]!.at < at) gone.add(this.#released.shift()!.id)
    if (gone.size === 0) return
    this.#options.shared?.budgets.release(gone)
    this.#giveBack(gone)
  }

  /** The same for a wake or a slot, which is a transaction of its own: what an event of the same moment gave back is there. */
  #releaseUpTo(at: number): void {
    this.#release(at)
    const next = this.#released.findIndex((one) => one.at > at)
    const now = next === -1 ? this.#released : this.#released.slice(0, next)
    if (now.length > 0) this.#giveBack(new Set(now.map(({ id }) => id)))
  }

  #giveBack(gone: ReadonlySet<string>): void {
    for (const person of this.#batch.persons.values())
      person.caps = person.caps.filter(({ deliveryId }) => !gone.has(deliveryId))
  }

  // -------------------------------------------------------------- inputs

  #corrected({ nodeId, at, change: counters }: Extract<Step, { kind: 'counters' }>): void {
    const person = this.#personOf(nodeId, at)
    applyCounters([{ person, ...counters }])
    person.profile.measuresDueAt = 0
  }

  /** Everybody was held against the definitions of then; after a change of these, with what history makes of them. */
  #measured({ key, nodeId, at, measured: { fill } }: Extract<Step, { kind: 'measured' }>): void {
    const { clock, alwaysMeasured } = this.#options
    if (clock === 'ideal' || alwaysMeasured) return
    const person = this.#personOf(nodeId, at)
    if (fill) for (const profile of this.#asEverMeasured(person, key)) graft(person.profile, profile)
    measureWhole(person, this.#batch, this.#settings)
  }

  /** The person before that input, as if the definitions of the moment had always been there. */
  #asEverMeasured({ nodes }: PersonState, key: string): OpenProfile[] {
    const { keys, clock, until } = this.#options
    const earlier = { ...this.#history, steps: this.#history.steps.filter((step) => step.key < key) }
    const replay = new Replay(earlier, { settings: this.#settings, keys, clock, until, alwaysMeasured: true })
    for (const step of earlier.steps) replay.take(step)
    const theirs = new Set(nodes.map(({ id }) => id))
    // Who becomes one with them later is somebody else yet.
    return replay
      .result()
      .people.filter((person) => person.nodes.some(({ id }) => theirs.has(id)))
      .map(({ profile }) => profile)
  }

  /** What they did as one left traces of which history alone knows nothing: clocks, entries, caps, memberships. */
  #separated({ nodeId, at, left: { caps, ...left } }: Extract<Step, { kind: 'separated' }>): void {
    if (this.#options.clock === 'ideal' || this.#options.alwaysMeasured) return
    const person = this.#personOf(nodeId, at)
    const { sessions, variants, crossed, audiences, scores, pushed, measuresDueAt, sequences, ...rest } = person.profile
    person.profile = { ...rest, ...left }
    person.seq = left.seq
    person.caps = caps.map((cap) => ({ ...cap, isNew: false }))
  }

  #event(step: Extract<Step, { kind: 'event' }>): void {
    const { row, sealed, joins } = step
    const settings = this.#settings
    const batch = this.#batch
    this.#release(step.at)
    const event = eventOf(row, sealed)
    const at = event.occurredAt
    const node = this.#node(row.node_id, at)
    let joined = false
    for (const join of joins) joined = this.#unite(join, at) || joined
    const person = batch.person(node.personId)
    const deviceNode = this.#isOwn(sealed.device) ? this.#node(sealed.device, at) : (batch.node(sealed.device) ?? node)
    const amounts = amountsOf(event, settings.currency)
    const { applied } = change(
      {
        event,
        traitPurposes: this.#traitPurposes(step),
        sealedIdentifiers: event.subject.identifiers.map(({ type }) => type),
      },
      {
        person,
        node,
        deviceNode,
        joined,
        answers: sealed.answers === true,
        named: this.#hasUnnamed() ? namesOf(event, batch) : NO_NAMES,
        allowed: step.purposes,
        amounts,
        fact: sealed.fact
          ? reportedOf(sealed.fact, person)
          : reportFact(event, { person, node }, amounts, step.purposes, batch, settings.believed),
        age: sealed.age ?? ageOn(event, settings.purposes),
      },
      batch,
      settings,
    )
    this.#events.set(row.id, step)
    this.#taken += 1
    follow(applied, sealed.past === true, batch, settings)
    this.#tell({ kind: 'event', at: batch.now, person, batch, event: step })
  }

  /** Whoever replays it sees no more of it than that it was. */
  #passing({ row, purposes, counts }: Extract<Step, { kind: 'passing' }>): void {
    const at = new Date(row.occurred_at).toISOString()
    const person = this.#batch.person(this.#node(row.node_id, at).personId)
    noteSeen(person, at)
    if (counts) countTimes(person.profile, triggerName(row as EventName), at, purposes, this.#settings)
    this.#taken += 1
  }

  #traitPurposes({ row, sealed, purposes }: Extract<Step, { kind: 'event' }>) {
    if (Object.keys(sealed.traits).length === 0) return NO_TRAITS
    return keepFields(eventOf(row, sealed), listOf(purposes, row.purposes, this.#settings.purposes)).traitPurposes
  }

  #entry({ draft, nodeId, purpose, id }: PastEntry): void {
    if (!draft) return
    const batch = this.#batch
    const device = draft.scope === 'device'
    if (!this.#isOwn(nodeId) && !device) return
    const node = this.#isOwn(nodeId) ? this.#node(nodeId, draft.occurredAt) : batch.node(nodeId)
    if (!node) return
    if (isNoted(draft)) {
      setStatus(batch, nodeId, purpose, conflictStatus(draft))
      return
    }
    const current = device
      ? batch.statuses.get(nodeId)?.get(purpose)?.status
      : personStatus(batch.person(node.personId).nodes, purpose, batch)?.row.status
    const { next } = applySignal(
      current,
      { ...draft, action: draft.action as ConsentSignal['action'] },
      { receivedAt: draft.receivedAt, newId: () => id, ends: draft.ends, verified: draft.verified },
    )
    setStatus(batch, nodeId, purpose, next)
  }

  // -------------------------------------------------------------- people

  #isOwn(node: string | Pick<NodeState, 'id'>): boolean {
    const found = this.#history.nodes.get(typeof node === 'string' ? node : node.id)
    return found !== undefined && found.personId === this.#history.person.id
  }

  /** The node as it was founded: a person of its own, nothing known of it. */
  #node(id: string, at: string): NodeState {
    const known = this.#batch.node(id)
    if (known) return known
    const node: NodeState = { ...this.#history.nodes.get(id)!, personId: id, hasValue: false }
    delete node.newValue
    this.#batch.addNode(node)
    this.#batch.persons.set(id, {
      id,
      seq: 0,
      profile: emptyProfile(at),
      nodes: [node],
      caps: [],
      isNew: false,
      dirty: false,
    })
    return node
  }

  /** What an event calls its people is hashed to find nodes whose value it may be the first to bring. */
  #hasUnnamed(): boolean {
    for (const { hasValue } of this.#batch.nodes.values()) if (!hasValue) return true
    return false
  }

  /** @param at of an input that is no sign of life: who is first heard of by it was there since their node was. */
  #personOf(nodeId: string, at: number): PersonState {
    const since = Math.min(at, this.#history.nodes.get(nodeId)?.foundedAt ?? at)
    return this.#batch.person(this.#node(nodeId, new Date(since).toISOString()).personId)
  }

  /** @returns whether they were two. */
  #unite({ a, b }: Join, at: string): boolean {
    if (!this.#isOwn(a) || !this.#isOwn(b)) return false
    const batch = this.#batch
    const [one, other] = [a, b].map((id) => batch.person(this.#node(id, at).personId)) as [PersonState, PersonState]
    if (one === other) return false
    const [into, from] = one.id < other.id ? [one, other] : [other, one]
    for (const purpose of this.#settings.purposes.all) {
      if (purpose.scope !== 'person') continue
      const merged = mergeStatuses(
        personStatus(into.nodes, purpose.id, batch)?.row.status,
        personStatus(from.nodes, purpose.id, batch)?.row.status,
      )
      if (merged) setStatus(batch, into.nodes[0]!.id, purpose.id, merged)
    }
    into.profile = mergeProfiles(into.profile, from.profile)
    into.seq = Math.max(into.seq, from.seq)
    takeNodes(into, from)
    into.caps.push(...from.caps)
    into.caps.sort((x, y) => x.at - y.at)
    batch.merged.set(from.id, into.id)
    batch.persons.delete(from.id)
    return true
  }

  #tell(turn: ReplayedTurn): void {
    this.#options.watch?.(turn)
    const { batch } = turn
    const { rows } = batch
    rows.explanations.length = 0
    rows.latest.clear()
    rows.deliveries.length = 0
    batch.cancels.length = 0
    batch.counts.clear()
    batch.rows.historyInputs.length = 0
    batch.pushes.clear()
  }
}

type EventName = Parameters<typeof triggerName>[0]

const NO_TRAITS = {}
const NOTHING_BESIDE: ReadonlyMap<Step, number> = new Map()
const NO_NAMES: readonly [] = []

/** What is planned for a list of purposes is planned once for all people. */
const lists = new WeakMap<Purposes, Map<string, readonly Purpose[]>>()
function listOf(ids: readonly string[], key: string, purposes: Purposes): readonly Purpose[] {
  let known = lists.get(purposes)
  if (!known) {
    known = new Map()
    lists.set(purposes, known)
  }
  let list = known.get(key)
  if (!list) {
    list = ids.map((id) => purposes.get(id)).filter((purpose) => purpose !== undefined)
    known.set(key, list)
  }
  return list
}

const reportedOf = ({ copy, news, changes }: CountedFact, person: PersonState): Reported => ({
  copy,
  news,
  changes: changes.map((one) => ({ person, ...one })),
})

const schedules = new WeakMap<RuleSet, readonly ScheduledRule[]>()
function scheduleOf({ rules, timezone }: ProcessPorts['settings']): readonly ScheduledRule[] {
  let found = schedules.get(rules)
  if (!found) {
    found = scheduledRules(rules, timezone ?? 'America/Sao_Paulo')
    schedules.set(rules, found)
  }
  return found
}

/** Everybody's slots are the same: each is looked up once. */
const slots = new WeakMap<ScheduledRule, Map<number, number>>()
function slotAfter(one: ScheduledRule, after: number): number {
  let known = slots.get(one)
  if (!known) {
    known = new Map()
    slots.set(one, known)
  }
  let slot = known.get(after)
  if (slot === undefined) {
    slot = nextSlot(one.schedule, after) ?? Number.POSITIVE_INFINITY
    known.set(after, slot)
  }
  return slot
}
