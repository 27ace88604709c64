/**
 * measure: computed traits, scores and memberships after an event or as time passes, in the same transaction; who
 * entered or left is told to destinations by rows of the outbox.
 */
import { keepFields } from '../../consent/collects.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { audienceOf, wayOut } from '../audiences/lists.ts'
import {
  type AudienceChange,
  type MeasureContext,
  type Measured,
  measureEvent,
  measureTime,
  type ScoreChange,
} from '../audiences/measure.ts'
import { mayDiffer, nodeOf, type PushChange, pushDifference, pushMark } from '../audiences/pushes.ts'
import { DEFAULT_REMOVE, type MeasureSet, NO_MEASURES } from '../audiences/set.ts'
import { type TraitPush, traitsMark, traitsOf } from '../audiences/traits.ts'
import type { DecisionInput, OtherInput } from '../decision/index.ts'
import { newId, nextOrder } from '../ids.ts'
import { sealJson } from '../seal.ts'
import type { Applied } from './apply.ts'
import type { Batch } from './batch.ts'
import { contextOf, type DecideSettings, reaches, type Turn } from './decide.ts'
import type { Identified } from './identify.ts'
import { noteInput } from './note-inputs.ts'
import type { NodeState, PersonState } from './people.ts'

export interface MeasureSettings extends DecideSettings {
  /** None when absent. */
  readonly measures?: MeasureSet
}

/** What follows for rules: each is an input of `decide`, in the same turn. */
export interface Moves {
  readonly inputs: readonly DecisionInput[]
}
const NO_MOVES: Moves = { inputs: [] }

/** After an event that was applied. Another source's copy changes what it corrected, and is no event of its own. */
export function measureApplied(applied: Applied, turn: Turn, batch: Batch, settings: MeasureSettings): Moves {
  const { measures = NO_MEASURES } = settings
  if (measures.empty) return NO_MOVES
  const { person, event } = applied
  const measured = measureEvent(
    person.profile,
    applied.touch,
    applied.copy
      ? undefined
      : {
          event,
          as: (id) => {
            const purpose = settings.purposes.get(id)
            return purpose && applied.purposes.includes(id) ? keepFields(event, [purpose]).event : undefined
          },
        },
    measures,
    contextFor(person, batch.now, settings),
  )
  note(person, measured, event.id, batch)
  // Who may be told of may be another now.
  const anew = applied.joined || applied.answers
  // Values were there before the address they can be told to.
  tellTraits(person, turn, batch, settings, anew || applied.touch.known ? undefined : measured)
  if (anew) tell(person, turn, batch, settings)
  else if (measured.changes.length > 0)
    tell(
      person,
      turn,
      batch,
      settings,
      measured.changes.map(({ audience }) => audience),
    )
  else if (mayDiffer(person.profile, measures))
    tell(person, turn, batch, settings, Object.keys(person.profile.audiences!))
  return moves(person, measured, event, settings)
}

/** The person was given an arm of a rule: exclusion lists hear of it. */
export function measureArms(applied: Applied, turn: Turn, batch: Batch, settings: MeasureSettings): void {
  const { measures = NO_MEASURES } = settings
  if (measures.empty) return
  const { person, event } = applied
  const measured = measureEvent(
    person.profile,
    { arms: true },
    undefined,
    measures,
    contextFor(person, batch.now, settings),
  )
  if (measured.changes.length === 0) return
  note(person, measured, event.id, batch)
  tell(
    person,
    turn,
    batch,
    settings,
    measured.changes.map(({ audience }) => audience),
  )
}

/** Time passed up to `watermark`. */
export function measurePassed(person: PersonState, watermark: number, batch: Batch, settings: MeasureSettings): Moves {
  const { measures = NO_MEASURES } = settings
  const { profile } = person
  if (profile.measuresDueAt === undefined || profile.measuresDueAt > watermark) return NO_MOVES
  const measured = measureTime(profile, measures, contextFor(person, watermark, settings))
  note(person, measured, undefined, batch)
  person.unheard = true
  tellTraits(person, turnOf(person), batch, settings, measured)
  tell(person, turnOf(person), batch, settings)
  return moves(person, measured, undefined, settings)
}

/** An answer about consent changed, whether or not the event that carried it is kept. */
export function measureConsent(identified: Identified, batch: Batch, settings: MeasureSettings): void {
  const { measures = NO_MEASURES } = settings
  if (measures.empty) return
  const people = new Set(
    identified.named.flatMap(({ hmac }) => {
      const node = batch.nodes.get(hmac)
      return node ? [batch.person(node.personId)] : []
    }),
  )
  for (const person of people) {
    const { seq } = person
    tellTraits(person, turnOf(person), batch, settings)
    if (!tellConsent(person, batch, settings)) continue
    // Found only once it was told; it stands before what it led to.
    noteInput({ ...person, seq }, 'consent', {}, batch)
  }
}

/** @returns whether a destination is told something because an answer about consent changed. */
export function tellConsent(person: PersonState, batch: Batch, settings: MeasureSettings): boolean {
  if (!person.profile.audiences && !person.profile.pushed) return false
  if (tell(person, turnOf(person), batch, settings) === 0) return false
  person.seq += 1
  person.profile.seq = person.seq
  person.dirty = true
  return true
}

/** Everything of one person as of now, and destinations told once more where `again` and, of values, `values` say so. */
export function measureWhole(
  person: PersonState,
  batch: Batch,
  settings: MeasureSettings,
  again: (audience: string, destination: string) => boolean = () => false,
  values: (push: TraitPush) => boolean = () => false,
): void {
  const { measures = NO_MEASURES } = settings
  const { profile, dirty } = person
  const before = JSON.stringify(profile)
  profile.measuresDueAt = 0
  if (!measures.empty || profile.audiences || profile.computed || profile.scores) {
    const measured = measureTime(profile, measures, contextFor(person, batch.now, settings))
    note(person, measured, undefined, batch)
    tellTraits(person, turnOf(person), batch, settings, measured, values)
  } else delete profile.measuresDueAt
  tell(person, turnOf(person), batch, settings, undefined, again)
  person.dirty = dirty || JSON.stringify(profile) !== before
  if (!dirty) person.unheard = true
}

/**
 * Values that became others are told, under consent and to whoever has an address.
 * @param measured undefined: all there are, since who may be told of may be another now.
 */
function tellTraits(
  person: PersonState,
  turn: Turn,
  batch: Batch,
  settings: MeasureSettings,
  measured?: Pick<Measured, 'computed' | 'scores'>,
  again: (push: TraitPush) => boolean = () => false,
): void {
  const { measures = NO_MEASURES } = settings
  if (measures.traits.length === 0) return
  const changed = measured && new Set([...measured.computed, ...measured.scores.map(({ score }) => score)])
  for (const push of measures.traits) {
    if (changed && !push.of.some(({ id }) => changed.has(id)) && !again(push)) continue
    const traits = traitsOf(person.profile, push)
    const action = settings.destinations.get(push.destination)?.definition.actions[push.action]
    const address = traits && action && nodeOf(person.nodes, action.identifier)
    const node = person.nodes.find(({ id }) => id === address)
    const { granted, entryId } = contextOf(turn, batch, settings).consent(push.purpose)
    if (!action || !node || !granted) continue
    const { properties } = action.payload
    const fields = { traits, ...('occurredAt' in properties && { occurredAt: new Date(batch.now).toISOString() }) }
    enqueueState(
      { ...push, channel: action.channel, node, entryId, mark: traitsMark(push.purpose), fields },
      person,
      turn,
      batch,
    )
  }
}

/** What somebody is, for a destination: of one mark (`event_id`) only the newest word counts. @returns its id. */
function enqueueState(
  {
    destination,
    action,
    purpose,
    channel,
    node,
    entryId,
    mark,
    fields,
  }: {
    readonly destination: string
    readonly action: string
    readonly purpose: string
    readonly channel: string | undefined
    readonly node: NodeState
    readonly entryId: string | undefined
    readonly mark: string
    readonly fields: Readonly<Record<string, unknown>>
  },
  person: PersonState,
  turn: Turn,
  batch: Batch,
): string {
  const { now } = batch
  const id = newId(now)
  batch.rows.deliveries.push([
    id,
    destination,
    action,
    // Whatever lane the action has by itself.
    'state',
    person.id,
    node.id,
    purpose,
    channel ?? null,
    null,
    null,
    'treated',
    mark,
    nextOrder(now),
    'queued',
    null,
    entryId ?? null,
    now,
    null,
    0,
    sealJson(batch.keys.unwrap(node.dataKey), { with: fields, device: turn.deviceNode?.id }),
    now,
    now,
  ])
  batch.count(`destination:${destination}`, 'RECEIVED')
  return id
}

/** Destinations that were told somebody left are told so once more. */
export function tellAgain(
  person: PersonState,
  left: readonly { readonly audience: string; readonly destination: string; readonly node_id: string }[],
  batch: Batch,
  settings: MeasureSettings,
): void {
  const { measures = NO_MEASURES } = settings
  for (const { audience, destination, node_id: node } of left) {
    // Meanwhile a member again, by the same address.
    if (person.profile.pushed?.[audience]?.[destination]?.includes(node)) continue
    const id = audienceOf(audience)
    const defined = id === audience ? measures.audience(id) : undefined
    const former = wayOut(measures.former, id, destination)
    const push = defined?.pushes.find((one) => one.destination === destination) ?? former.push
    const purpose = defined?.purpose ?? former.purpose ?? ''
    const change = { audience: id, list: audience, purpose, push, member: false, node }
    enqueuePush(change, person, turnOf(person), batch, settings)
  }
}

/** Which device a purpose about one is asked of, where no event says: the newest of the person. */
export const turnOf = (person: PersonState): Turn => ({
  person,
  deviceNode: person.nodes.findLast(({ type }) => DEVICES.has(type)),
  purposes: undefined,
  copy: false,
})
const DEVICES: ReadonlySet<string> = new Set(['anonymousId', 'ga_client_id', 'device_id'])

function contextFor(person: PersonState, now: number, settings: MeasureSettings): MeasureContext {
  return {
    now,
    personKey: person.id,
    known: reaches(person, ['userId', 'email', 'phone']),
    holdout: settings.holdout,
    view: (profile, purpose, at, event) => viewOfPerson(person, profile, purpose, at, settings, event),
  }
}

/** As a rule of that purpose sees the person. */
export function viewOfPerson(
  person: PersonState,
  profile: OpenProfile,
  purpose: string,
  now: number,
  settings: Pick<MeasureSettings, 'timezone'>,
  event?: { readonly properties: Readonly<Record<string, unknown>> },
) {
  const { cart, ...withoutCart } = profile
  const seesCart = !cart?.purposes || cart.purposes.includes(purpose)
  return {
    now,
    profile: seesCart ? profile : withoutCart,
    purpose,
    counted: profile.counted?.[purpose] ?? {},
    measured: profile.measured?.[purpose] ?? {},
    zones: { organization: settings.timezone ?? 'America/Sao_Paulo' },
    known: reaches(person, ['userId', 'email', 'phone']),
    ...(event && { event }),
  }
}

function note(person: PersonState, { changes, touched }: Measured, eventId: string | undefined, batch: Batch): void {
  if (touched) person.dirty = true
  for (const change of changes) {
    batch.stays.move(person.id, change, eventId, batch.now)
    batch.count(`audience:${change.audience}`, change.change === 'entered' ? 'ENTERED' : 'LEFT')
  }
}

/** @returns how many destinations are told something. */
function tell(
  person: PersonState,
  turn: Turn,
  batch: Batch,
  settings: MeasureSettings,
  audiences?: Iterable<string>,
  again?: (audience: string, destination: string) => boolean,
): number {
  const { measures = NO_MEASURES } = settings
  const decision = contextOf(turn, batch, settings)
  const consents = new Map<string, boolean>()
  const changes = pushDifference(
    person.profile,
    measures,
    {
      personKey: person.id,
      holdout: settings.holdout,
      consent(purpose) {
        const known = consents.get(purpose) ?? decision.consent(purpose).granted
        consents.set(purpose, known)
        return known
      },
      reaches: (destination) => settings.destinations.has(destination),
      nodeFor(push) {
        const action = settings.destinations.get(push.destination)?.definition.actions[push.add]
        return action && nodeOf(person.nodes, action.identifier)
      },
    },
    audiences,
    again,
  )
  for (const change of changes) enqueuePush(change, person, turn, batch, settings)
  if (changes.length > 0) person.dirty = true
  return changes.length
}

function enqueuePush(
  change: PushChange,
  person: PersonState,
  turn: Turn,
  batch: Batch,
  settings: MeasureSettings,
): void {
  const { audience, list = audience, push, member } = change
  const destination = settings.destinations.get(push.destination)
  const actions = destination?.definition.actions ?? {}
  const name = member ? push.add : push.remove || DEFAULT_REMOVE.find((one) => Object.hasOwn(actions, one))
  const action = name === undefined ? undefined : actions[name]
  const node: NodeState | undefined = person.nodes.find(({ id }) => id === change.node) ?? person.nodes[0]
  // Nothing can be told a destination the configuration no longer has; `listsLeft` says who is on its lists.
  if (!action || !node || name === undefined) return
  const { properties } = action.payload
  const fields: Record<string, unknown> = {
    ...('audience' in properties && { audience }),
    ...('member' in properties && { member }),
    ...('occurredAt' in properties && { occurredAt: new Date(batch.now).toISOString() }),
    ...push.with,
  }
  const entryId = contextOf(turn, batch, settings).consent(change.purpose).entryId
  const { channel } = action
  const purpose = change.purpose || action.purpose
  const id = enqueueState(
    {
      destination: push.destination,
      action: name,
      purpose,
      channel,
      node,
      entryId,
      mark: pushMark(list, member),
      fields,
    },
    person,
    turn,
    batch,
  )
  batch.pushes.set(`${list}\0${push.destination}\0${node.id}`, {
    audience: list,
    destination: push.destination,
    nodeId: node.id,
    personId: person.id,
    member,
    deliveryId: id,
  })
}

function moves(
  person: PersonState,
  { changes, scores }: { readonly changes: readonly AudienceChange[]; readonly scores: readonly ScoreChange[] },
  event: Applied['event'] | undefined,
  settings: MeasureSettings,
): Moves {
  if (changes.length === 0 && scores.length === 0) return NO_MOVES
  const cause = event ? { event } : {}
  const inputs: DecisionInput[] = []
  const next = () => {
    person.seq += 1
    person.profile.seq = person.seq
    return person.seq
  }
  // Only what some rule answers to is an input of the person.
  const offer = (input: OtherInput) => {
    const answered = settings.rules.answering(input).length + (settings.rules.shadows?.answering(input).length ?? 0)
    if (answered > 0) inputs.push({ ...input, seq: next() })
  }
  for (const { score, from, to, at } of scores) offer({ kind: 'score', score, from, to, at, seq: 0, ...cause })
  for (const { audience, change, at } of changes) offer({ kind: 'audience', audience, change, at, seq: 0, ...cause })
  return { inputs }
}
