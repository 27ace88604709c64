/**
 * One person's history given again to the functions that took it the first time, under a clock of its own. Nothing is
 * read from or written to a store.
 */
import { keepFields } from '../../consent/collects.ts'
import type { Purpose } from '../../consent/purposes.ts'
import { applySignal, conflictStatus, isNoted, mergeStatuses } from '../../consent/status.ts'
import type { ConsentSignal } from '../../schemas/consent.ts'
import type { PastEntry } from '../answers/status.ts'
import { mergeProfiles } from '../identity/merge-profiles.ts'
import type { Keys } from '../keys.ts'
import { follow, wake } from '../pipeline.ts'
import { type CountedFact, change } from '../stages/apply.ts'
import { Batch } from '../stages/batch.ts'
import { rememberReport } from '../stages/contact-facts.ts'
import { amountsOf, applyCounters, type Reported, reportFact } from '../stages/facts.ts'
import { ageOn } from '../stages/facts-of-person.ts'
import { namesOf, personStatus, setStatus } from '../stages/identify.ts'
import { eventOf, type StartEvent } from '../stages/load.ts'
import { emptyProfile, type NodeState, type PersonState } from '../stages/people.ts'
import type { ProcessPorts } from '../stages/ports.ts'
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
}

export interface ReplayedTurn {
  readonly kind: 'event' | 'wake'
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

class Replay {
  readonly #history: PersonHistory
  readonly #options: ReplayOptions
  readonly #batch: Batch
  readonly #events = new Map<string, Extract<Step, { kind: 'event' }>>()
  readonly #purposes = new Map<string, readonly Purpose[]>()
  readonly #released: { readonly id: string; readonly at: number }[]
  #taken = 0

  constructor(history: PersonHistory, options: ReplayOptions) {
    this.#history = history
    this.#options = options
    this.#batch = new Batch(0, options.keys)
    this.#released = [...history.released].map(([id, at]) => ({ id, at })).sort((a, b) => a.at - b.at)
    // A node of somebody else stands for a shared device: only its own answers are asked.
    for (const node of history.nodes.values()) if (!this.#isOwn(node)) this.#batch.addNode({ ...node })
  }

  get #settings(): ProcessPorts['settings'] {
    const { before, settings } = this.#options
    return before && this.#batch.now < before.at ? before.settings : settings
  }

  result(): Replayed {
    return { people: [...this.#batch.persons.values()], batch: this.#batch, events: this.#taken }
  }

  take(step: Step): void {
    if (step.kind === 'event' || step.kind === 'wake') this.#letTimePass(step)
    this.#batch.now = step.at
    if (step.kind === 'event') this.#event(step)
    else if (step.kind === 'wake') this.#woken(step)
    else if (step.kind === 'entry') this.#entry(step.entry)
    else if (step.kind === 'join') this.#unite(step.join, new Date(step.at).toISOString())
    else if (step.kind === 'contact')
      rememberReport(this.#personOf(step.nodeId, step.at).profile, step.report)
    else applyCounters([{ person: this.#personOf(step.nodeId, step.at), ...step.change }])
  }

  /** Time goes on after the last input, up to the end of the range. */
  finish(): void {
    this.#wakeBefore(this.#options.until + 1, this.#idealUntilEnd())
  }

  // -------------------------------------------------------------- time

  #idealUntilEnd(): boolean {
    return this.#options.clock === 'ideal' || this.#history.notedFrom === undefined
  }

  /** What was due before this input happens first: the hub waits only for what it had received by then. */
  #letTimePass(step: Extract<Step, { kind: 'event' | 'wake' }>): void {
    const { notedFrom } = this.#history
    const ideal = this.#options.clock === 'ideal' || notedFrom === undefined || step.key <= notedFrom
    this.#wakeBefore(step.kind === 'event' ? step.row.received_at : step.at, ideal)
  }

  #wakeBefore(at: number, ideal: boolean): void {
    if (!ideal) return
    for (;;) {
      let next: { person: PersonState; due: number } | undefined
      for (const person of this.#batch.persons.values()) {
        const due = nextDue(person)
        if (due !== undefined && due < at && (!next || due < next.due)) next = { person, due }
      }
      if (!next || next.due > this.#options.until) return
      this.#batch.now = next.due
      this.#release(next.due)
      this.#wake(next.person, next.due)
    }
  }

  #woken({ nodeId, at, watermark }: Extract<Step, { kind: 'wake' }>): void {
    if (this.#options.clock === 'ideal') return
    this.#release(at)
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
    for (const person of this.#batch.persons.values())
      person.caps = person.caps.filter(({ deliveryId }) => !gone.has(deliveryId))
  }

  // -------------------------------------------------------------- inputs

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
        named: namesOf(event, batch),
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

  #traitPurposes({ row, sealed, purposes }: Extract<Step, { kind: 'event' }>) {
    if (Object.keys(sealed.traits).length === 0) return NO_TRAITS
    let allowed = this.#purposes.get(row.purposes)
    if (!allowed) {
      allowed = purposes.map((id) => this.#settings.purposes.get(id)).filter((purpose) => purpose !== undefined)
      this.#purposes.set(row.purposes, allowed)
    }
    return keepFields(eventOf(row, sealed), allowed).traitPurposes
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

  #personOf(nodeId: string, at: number): PersonState {
    return this.#batch.person(this.#node(nodeId, new Date(at).toISOString()).personId)
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
    for (const node of from.nodes) node.personId = into.id
    into.nodes.push(...from.nodes)
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
  }
}

const NO_TRAITS = {}

const reportedOf = ({ copy, news, changes }: CountedFact, person: PersonState): Reported => ({
  copy,
  news,
  changes: changes.map((one) => ({ person, ...one })),
})

function nextDue({ profile }: PersonState): number | undefined {
  let earliest: number | undefined
  for (const { graceUntil } of profile.timers) {
    const due = Date.parse(graceUntil)
    if (earliest === undefined || due < earliest) earliest = due
  }
  return earliest
}
