/**
 * The way of one event: three straight lines, nothing else calls the stages. Each step returns the
 * next value or a named exit.
 *
 *   ingest     verify ─▶ normalize ─▶ record                                   answers 200 once on disk
 *   process    deduplicate ─▶ identify ─▶ note consent ─▶ collect ─▶ apply ─▶ decide ─▶ enqueue
 *   deliver    lease ─▶ permit ─▶ map ─▶ send ─▶ settle
 */

import { keepFields } from '../consent/collects.ts'
import { collect } from '../consent/gate.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import type { ExitCode, StageName } from '../schemas/exits.ts'
import { EXITS } from '../schemas/exits.ts'
import { type DecisionInput, dueTimers } from './decision/index.ts'
import type { HttpAnswer, RawRequest } from './kit/define.ts'
import type { Positioned } from './log/event-log.ts'
import { type Applied, apply } from './stages/apply.ts'
import { Batch } from './stages/batch.ts'
import { commitBatch } from './stages/commit.ts'
import { decideTurn, type Turn } from './stages/decide.ts'
import { deduplicate, type Fresh, remember, rememberReleased } from './stages/deduplicate.ts'
import type { DeliverPorts } from './stages/deliver-ports.ts'
import { enqueueDecision, enqueueFollowing } from './stages/enqueue.ts'
import { factsOfEvent } from './stages/facts-of-person.ts'
import { hold } from './stages/hold.ts'
import { identify } from './stages/identify.ts'
import {
  type IngestPorts,
  isRefusal,
  isSetAside,
  normalize,
  record,
  refuse,
  type SourcePath,
  verify,
} from './stages/ingest.ts'
import { isolate } from './stages/isolate.ts'
import { leaseDue, whileLeased } from './stages/lease.ts'
import { type DueTimers, type Loaded, loadBatch, loadTimers } from './stages/load.ts'
import { mapLeased } from './stages/map.ts'
import { measureApplied, measureArms, measureConsent, measurePassed } from './stages/measure.ts'
import { noteConsent, statusFor } from './stages/note-consent.ts'
import { noteContact } from './stages/note-contact.ts'
import { noteInput } from './stages/note-inputs.ts'
import { notePlan, planExit } from './stages/note-plan.ts'
import { noteSkew, noteWanted } from './stages/note-traffic.ts'
import { noteUnanswered } from './stages/note-unanswered.ts'
import type { NodeState, PersonState } from './stages/people.ts'
import { permitLeased } from './stages/permit.ts'
import type { ProcessPorts } from './stages/ports.ts'
import { moveQuarantined } from './stages/quarantine.ts'
import { sendMapped } from './stages/send.ts'
import { settle } from './stages/settle.ts'
import { enqueueShadow } from './stages/shadow.ts'
import { staysSuppressed } from './stages/suppress.ts'

/** One request of a source. The answer leaves once its events, and the fence of any withdrawal on them, are on disk. */
export async function ingest(request: RawRequest, path: SourcePath, ports: IngestPorts): Promise<HttpAnswer> {
  const source = await verify(request, path, ports)
  if (isRefusal(source)) return refuse(source)
  const normalized = normalize(request, source, ports)
  if (isRefusal(normalized)) return refuse(normalized)
  const taken = await record(normalized, ports)
  return source.definition.accept(request, taken)
}

/** One batch of the log: everything it changes is one state transaction, with the log position in it. */
export async function process(inputs: readonly Positioned[], from: number, ports: ProcessPorts): Promise<Batch> {
  const batch = new Batch(ports.clock(), ports.keys, ports.settings.privacy, ports.settings.identity)
  for (const { record } of inputs)
    batch.count(`source:${record.kind === 'event' ? record.event.source.id : record.sourceId}`, 'RECEIVED')
  await moveQuarantined(inputs, batch, ports)
  const { fresh, exits } = await deduplicate(inputs.filter(isEvent), batch, ports.state)
  for (const { input, code } of exits) exit(input.record.event, code, batch)
  await moveQuarantined(
    exits.filter(({ code }) => code === 'ID_REUSED').map(({ input }) => input),
    batch,
    ports,
    'ID_REUSED',
  )
  const setAside = fresh.filter(({ input }) => isSetAside(input.record)).map(({ input }) => input)
  await moveQuarantined(setAside, batch, ports, 'PLAN_VIOLATION')
  for (const { input } of [
    ...fresh.filter(({ input }) => !isSetAside(input.record)),
    ...exits.filter(({ code }) => code !== 'ID_REUSED'),
  ])
    batch.finishedFences.push(...input.record.fences)
  for (const item of fresh) {
    notePlan(item, batch)
    noteSkew(item, batch)
  }
  for (const { input } of fresh)
    if (input.record.unanswered) batch.count(`consent:${input.record.event.source.id}`, 'DEFAULT_ONLY')
  for (const { input } of fresh) if (input.record.quarantineId !== undefined) batch.redriven.add(input.record.event.id)
  const loaded = await loadBatch(fresh, batch, ports)
  for (const item of fresh) processEvent(item.input.record.event, item, loaded, batch, ports)
  const to = inputs.length === 0 ? from : inputs.at(-1)!.position + 1
  await commitBatch(batch, ports.state, { partition: 0, logId: ports.logId, from, to })
  return batch
}

/**
 * Timers whose time, grace included, has passed and before which nothing waits unprocessed. Another process may fire
 * the same ones, or take an event of their person: then nothing is written.
 * @throws PersonTaken
 */
export async function fireTimers(watermark: number, ports: ProcessPorts): Promise<Batch | undefined> {
  const batch = new Batch(ports.clock(), ports.keys)
  const due = await loadTimers(watermark, batch, ports)
  if (due.people.length === 0) return undefined
  for (const person of due.people) {
    const { timers, measuresDueAt } = person.profile
    // Looked at too early, a person sleeps on.
    if (timers.length > 0 || (measuresDueAt !== undefined && measuresDueAt <= watermark))
      noteInput(person, 'wake', { watermark }, batch)
    wake(person, watermark, due.startOf, batch, ports.settings)
  }
  await commitBatch(batch, ports.state, undefined)
  return batch
}

/** Time passed for one person: the same lines live and in a replay. */
export function wake(
  person: PersonState,
  watermark: number,
  startOf: DueTimers['startOf'],
  batch: Batch,
  settings: ProcessPorts['settings'],
): void {
  const { inputs } = measurePassed(person, watermark, batch, settings)
  const passed = { person, deviceNode: undefined, purposes: undefined, copy: false }
  decideMoves(inputs, passed, person.nodes[0]!, batch, settings)
  for (const timer of dueTimers(person.profile, new Date(watermark).toISOString(), settings.rules)) {
    const start = startOf(person, timer)
    person.seq += 1
    person.profile.seq = person.seq
    const turn = { person, deviceNode: start?.deviceNode, purposes: undefined, copy: false }
    const input: DecisionInput = { ...timer, seq: person.seq, ...(start && { event: start.event }) }
    const node = start?.node ?? person.nodes[0]!
    enqueueDecision(decideTurn(input, turn, batch, settings), turn, node, batch, settings)
    enqueueShadow(input, turn, node, batch, settings)
  }
  person.dirty = true
}

/** Rules that answer to who entered an audience, or whose score moved. */
export function decideMoves(
  inputs: readonly DecisionInput[],
  turn: Turn,
  node: NodeState,
  batch: Batch,
  settings: ProcessPorts['settings'],
): void {
  for (const input of inputs) {
    const any = { ...turn, purposes: undefined }
    enqueueDecision(decideTurn(input, any, batch, settings), any, node, batch, settings)
    enqueueShadow(input, any, node, batch, settings)
  }
}

/**
 * One event in the order of its person. What its answer releases from holding comes first: it happened
 * earlier. What it joins to the person can only be asked about once it is joined.
 */
function processEvent(
  event: CanonicalEvent,
  item: Fresh | undefined,
  loaded: Loaded,
  batch: Batch,
  ports: ProcessPorts,
): void {
  const { settings } = ports
  let identified = identify(event, batch)
  if (staysSuppressed(identified, batch)) {
    if (!item) batch.releasedHeld.add(event.id)
    else remember(item, 'SUBJECT_SUPPRESSED', batch)
    exit(event, 'SUBJECT_SUPPRESSED', batch)
    return
  }
  const outOfPlan = item && planExit(item)
  const changed = item !== undefined && noteConsent(identified, batch, settings.purposes, !outOfPlan)
  if (changed) {
    for (const held of loaded.heldFor(identified)) processEvent(held.event, undefined, loaded, batch, ports)
    // What they joined was not known when this event was asked whom it reaches.
    identified = identify(event, batch)
  }
  if (changed) measureConsent(identified, batch, settings)
  if (outOfPlan) {
    remember(item, outOfPlan, batch)
    exit(event, outOfPlan, batch)
    return
  }
  if (item) noteContact(identified, batch)
  const now = new Date(batch.now).toISOString()
  const collected = collect(
    event,
    (purpose) => statusFor(identified, purpose.scope, purpose.id, batch),
    settings.purposes,
    now,
    factsOfEvent(identified, settings.purposes, now),
  )
  if (item) {
    noteUnanswered(identified, collected.unanswered, batch)
    noteWanted(event.source.id, settings.purposes.wanting(event).purposes, batch)
  }
  if (collected.effect === 'hold') {
    // Already held and still without an answer: it stays where it is, with its own deadline.
    if (item) {
      hold(identified, batch, loaded.heldKey)
      loaded.addHeld(identified)
      remember(item, 'HELD', batch)
      exit(event, 'HELD', batch)
    }
    return
  }
  if (!item) batch.releasedHeld.add(event.id)
  if (collected.effect === 'drop') {
    if (item) remember(item, collected.code, batch)
    else rememberReleased(event, collected.code, batch)
    exit(event, collected.code, batch)
    return
  }
  const purposes = collected.allowed.map(({ id }) => id)
  const applied = apply(identified, keepFields(event, collected.allowed), purposes, batch, settings)
  const turn = follow(applied, event.source.past === true, batch, settings)
  enqueueFollowing(applied, turn, batch, settings)
  if (applied.copy) batch.count(`source:${event.source.id}`, 'COPY')
  if (item) remember(item, 'KEPT', batch)
  else rememberReleased(event, 'KEPT', batch)
  exit(event, 'KEPT', batch, applied.person.id)
  if (item && applied.joined)
    for (const held of loaded.heldFor(identified)) processEvent(held.event, undefined, loaded, batch, ports)
}

/** decide ─▶ enqueue for an event that was applied: the same lines live and in a replay. @param past a file tells of it long after. */
export function follow(applied: Applied, past: boolean, batch: Batch, settings: ProcessPorts['settings']): Turn {
  const { person, deviceNode, purposes, copy } = applied
  const turn = { person, deviceNode, purposes, copy: copy || past }
  const input: DecisionInput = { kind: 'event', event: applied.event, seq: person.seq }
  const { inputs } = measureApplied(applied, turn, batch, settings)
  const decided = decideTurn(input, turn, batch, settings)
  enqueueDecision(decided, turn, applied.node, batch, settings)
  enqueueShadow(input, turn, applied.node, batch, settings)
  if (!turn.copy) decideMoves(inputs, turn, applied.node, batch, settings)
  if (decided.deliveries.length > 0) measureArms(applied, turn, batch, settings)
  return turn
}

/**
 * One round of one destination: what is due leaves, or is settled with the reason why not.
 * @param onLeased told how many deliveries this round has, before it goes on with them.
 */
export async function deliver(
  destinationId: string,
  ports: DeliverPorts,
  onLeased: (count: number) => void = () => {},
): Promise<number> {
  const leased = await leaseDue(destinationId, ports)
  onLeased(leased.length)
  await whileLeased(leased, ports, async () => {
    const prepared = await isolate(
      leased,
      async (part) => {
        const permitted = await permitLeased(part, ports)
        return mapLeased(permitted, ports)
      },
      ports,
    )
    const sent = await sendMapped(prepared, ports)
    await settle(sent, ports)
  })
  return leased.length
}

function exit(event: CanonicalEvent, code: ExitCode, batch: Batch, personId?: string): void {
  const origin = `source:${event.source.id}`
  batch.count(origin, code)
  batch.live.push({
    id: event.id,
    at: batch.now,
    kind: 'event',
    origin: event.source.id,
    type: event.type,
    name: event.type === 'track' ? event.name : '',
    stage: EXITS[code].stage as StageName,
    code,
    ...(personId !== undefined && { personId }),
  })
}

function isEvent(input: Positioned): input is Fresh['input'] {
  return input.record.kind === 'event'
}
