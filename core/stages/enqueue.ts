/** enqueue: outbox rows, in the same transaction as the state they follow from. */

import type { TObject } from 'typebox'
import type { ExitCode } from '../../schemas/exits.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { type DecisionResult, type DeliveryDraft, type Explanation, nameMatches } from '../decision/index.ts'
import { versionOrigin } from '../decision/rollout.ts'
import { nextOrder } from '../ids.ts'
import type { ActionDefinition } from '../kit/define.ts'
import { readPath } from '../kit/read-path.ts'
import { sealJson } from '../seal.ts'
import { type Applied, followingDeliveryId } from './apply.ts'
import type { Batch } from './batch.ts'
import { type DecideSettings, reaches, statusOfTurn, type Turn } from './decide.ts'

/** Writes what the rules decided: deliveries, reservations, timers, cancellations, explanations. */
export function enqueueDecision(
  result: DecisionResult,
  turn: Turn,
  node: { readonly id: string; readonly dataKey: Uint8Array },
  batch: Batch,
  { rules }: Pick<DecideSettings, 'rules'>,
): void {
  const { person } = turn
  const { profile } = person
  profile.timers = result.timers
  profile.entries = result.entries
  profile.closings = result.closings
  if (Object.keys(result.sessions).length > 0) profile.sessions = result.sessions
  else delete profile.sessions
  if (result.sequences.length > 0) profile.sequences = result.sequences
  else delete profile.sequences
  if (Object.keys(result.crossed).length > 0) profile.crossed = result.crossed
  else delete profile.crossed
  person.dirty = true
  for (const cancel of result.cancels)
    batch.cancels.push({ personId: person.id, rule: cancel.rule, reason: cancel.reason, at: Date.parse(cancel.at) })
  for (const use of result.budgetUses) batch.budgets.take(use)
  for (const use of result.capUses)
    person.caps.push({
      key: `${person.id}|${use.key}`,
      at: Date.parse(use.at),
      deliveryId: use.deliveryId,
      isNew: true,
    })
  for (const draft of result.deliveries) {
    expose(profile, draft)
    if (draft.offer !== undefined && draft.arm === 'treated') batch.offers.take(draft.offer, draft.id)
    batch.rows.deliveries.push([
      draft.id,
      draft.destination,
      draft.action,
      draft.kind,
      person.id,
      node.id,
      draft.purpose,
      draft.channel ?? null,
      draft.rule,
      draft.version,
      draft.arm,
      draft.eventId,
      nextOrder(batch.now),
      'queued',
      draft.dueAt === undefined ? null : ('HELD_UNTIL' satisfies ExitCode),
      draft.entryId ?? null,
      draft.dueAt === undefined ? batch.now : Date.parse(draft.dueAt),
      draft.expiresAt === undefined ? null : Date.parse(draft.expiresAt),
      0,
      sealJson(batch.keys.unwrap(node.dataKey), { with: draft.with, device: turn.deviceNode?.id }),
      batch.now,
      Date.parse(draft.since),
      ...(draft.variant !== undefined || draft.offer !== undefined ? [draft.variant ?? null, draft.offer ?? null] : []),
    ])
    batch.count(`destination:${draft.destination}`, 'RECEIVED')
  }
  for (const explanation of result.explanations) {
    if (batch.decided) {
      batch.decided(explanation)
      continue
    }
    countDecision(explanation, batch)
    if (explanation.result === 'SHADOW' && explanation.latestOnly) continue
    const { rule, version, latestOnly } = explanation
    const decided = { personId: person.id, explanation, compiled: rules.versionOf(rule, version) }
    if (!latestOnly) {
      batch.rows.explanations.push(decided)
      continue
    }
    // For a trigger that fired and a person who did not match: the newest, and how often each clause was the reason.
    for (const clause of explanation.failed) batch.count(`rule:${rule}`, clause)
    batch.rows.latest.set(`${person.id}\0${rule}`, decided)
  }
}

/** The first exposure stays. Whoever tried a version out has seen more than an arm would: they are in none, for ever. */
function expose(profile: OpenProfile, { rule, arm, variant, trial }: DeliveryDraft): void {
  const known = profile.arms?.[rule]
  profile.arms = { ...profile.arms, [rule]: trial ? 'test' : (known ?? arm) }
  if (profile.arms[rule] !== 'test') {
    if (variant !== undefined) profile.variants = { ...profile.variants, [rule]: variant }
    return
  }
  if (!profile.variants) return
  const { [rule]: _, ...variants } = profile.variants
  if (Object.keys(variants).length > 0) profile.variants = variants
  else delete profile.variants
}

/** As many as rules have places: made once each. */
const clauseCodes = new Map<string, string>()
function clauseCode(id: string): string {
  let code = clauseCodes.get(id)
  if (code === undefined) {
    code = `clause:${id}`
    clauseCodes.set(id, code)
  }
  return code
}

/** By result and arm, and by the clauses that were the reason. */
export function countDecision({ rule, version, result, would, arm, failed }: Explanation, batch: Batch): void {
  const origin = versionOrigin(rule, version, would !== undefined)
  const outcome = would ?? result
  batch.count(origin, outcome === 'ENQUEUED' && arm !== 'treated' ? 'WOULD_HOLD_OUT' : outcome)
  if (outcome !== 'ENQUEUED') for (const id of failed) batch.count(origin, clauseCode(id))
}

/** Actions that follow an event by themselves, for the purposes the event was kept for. */
export function enqueueFollowing(applied: Applied, turn: Turn, batch: Batch, settings: DecideSettings): void {
  if (turn.copy) return
  const { event, person, node } = applied
  for (const destination of settings.destinations.values())
    for (const id of destination.actions) {
      const action = destination.definition.actions[id] as ActionDefinition<unknown, TObject> | undefined
      if (!action?.trigger || !follows(action.trigger, applied)) continue
      const purpose = destination.purposeOf(action.purpose)
      const origin = `destination:${destination.id}`
      if (purpose === undefined || !applied.purposes.includes(purpose)) {
        batch.count(origin, purpose === undefined ? 'UNDECLARED' : 'NO_CONSENT')
        continue
      }
      if (!reaches(person, action.identifier)) {
        batch.count(origin, 'NOT_REACHABLE')
        continue
      }
      const scope = settings.purposes.get(purpose)!.scope
      batch.rows.deliveries.push([
        followingDeliveryId(event.id, destination.id, id),
        destination.id,
        id,
        action.kind,
        person.id,
        node.id,
        purpose,
        action.channel ?? null,
        null,
        null,
        'treated',
        event.id,
        nextOrder(batch.now),
        'queued',
        null,
        statusOfTurn(turn, purpose, scope, batch)?.entryId ?? null,
        batch.now,
        null,
        0,
        sealJson(batch.keys.unwrap(node.dataKey), { with: {}, device: applied.deviceNode.id }),
        batch.now,
        Date.parse(event.occurredAt),
      ])
      batch.count(origin, 'RECEIVED')
    }
}

function follows(trigger: NonNullable<ActionDefinition<unknown, TObject>['trigger']>, { event }: Applied): boolean {
  const types = typeof trigger.type === 'string' ? [trigger.type] : trigger.type
  if (!types.includes(event.type)) return false
  if (trigger.name !== undefined) {
    const names = typeof trigger.name === 'string' ? [trigger.name] : trigger.name
    if (!names.some((name) => nameMatches(name, event.name))) return false
  }
  return (trigger.has ?? []).every((path) => readPath(event, path) !== undefined)
}
