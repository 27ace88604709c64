/** decide: the rules' pure function over one person's state, and what it asks to be written. */
import { decide as askGate, isHalt } from '../../consent/gate.ts'
import type { Purposes } from '../../consent/purposes.ts'
import type { IdentifierType } from '../../schemas/event.ts'
import type { DestinationSettings } from '../config.ts'
import {
  type DecisionContext,
  type DecisionInput,
  type DecisionResult,
  decide,
  type RuleSet,
} from '../decision/index.ts'
import type { Batch } from './batch.ts'
import { factsOf } from './facts-of-person.ts'
import { personStatus } from './identify.ts'
import type { NodeState, PersonState } from './people.ts'

export interface DecideSettings {
  readonly purposes: Purposes
  readonly rules: RuleSet
  readonly destinations: ReadonlyMap<string, DestinationSettings>
  readonly holdout: { readonly globalHoldout: number; readonly globalSeed: string }
}

/** Whose turn it is: the person, and the node that stands for the device where a purpose is about one. */
export interface Turn {
  readonly person: PersonState
  readonly deviceNode: NodeState | undefined
  /** Purposes the event was kept for; undefined for a timer, whose rule was armed under its purpose. */
  readonly purposes: readonly string[] | undefined
  /** Another source already reported this, or a file tells of the past: it may end things, not start them. */
  readonly copy: boolean
}

export function decideTurn(input: DecisionInput, turn: Turn, batch: Batch, settings: DecideSettings): DecisionResult {
  const { person } = turn
  const now = new Date(batch.now).toISOString()
  const context: DecisionContext = {
    now,
    personKey: person.id,
    holdout: settings.holdout,
    armOf: (rule) => person.profile.arms?.[rule],
    consent(id) {
      const purpose = settings.purposes.get(id)
      if (!purpose) return { granted: false, code: 'UNDECLARED' }
      const answer = askGate(
        purpose,
        ({ id, scope }) => statusOfTurn(turn, id, scope, batch),
        settings.purposes,
        now,
        factsOf(person, settings.purposes, now),
      )
      return isHalt(answer)
        ? { granted: false, code: answer.code, ...(answer.entryId !== undefined && { entryId: answer.entryId }) }
        : { granted: true, ...(answer.entryId !== undefined && { entryId: answer.entryId }) }
    },
    reachable: (identifiers) => reaches(person, identifiers),
    capUses: (key) =>
      person.caps
        .filter((cap) => cap.key === `${person.id}|${key}` || cap.key.endsWith(`|${key}`))
        .map(({ at }) => new Date(at).toISOString()),
    actionOf(destination, action) {
      const definition = settings.destinations.get(destination)?.definition.actions[action]
      return (
        definition && {
          kind: definition.kind,
          identifier: definition.identifier,
          ...(definition.channel !== undefined && { channel: definition.channel }),
        }
      )
    },
  }
  return decide(input, person.profile, rulesFor(turn, settings.rules), context)
}

/** A rule may start only from events kept for its own purpose; anything kept may end what it started. */
function rulesFor({ purposes, copy }: Turn, rules: RuleSet): RuleSet {
  if (copy) return { ...rules, triggeredBy: () => [], startedBy: () => [] }
  if (!purposes) return rules
  return {
    ...rules,
    triggeredBy: (name) => rules.triggeredBy(name).filter(({ rule }) => purposes.includes(rule.unless.purpose)),
    startedBy: (name) => rules.startedBy(name).filter(({ rule }) => purposes.includes(rule.unless.purpose)),
  }
}

export function statusOfTurn(
  turn: Pick<Turn, 'person' | 'deviceNode'>,
  purpose: string,
  scope: 'person' | 'device',
  batch: Pick<Batch, 'statuses'>,
) {
  if (scope === 'device') return turn.deviceNode && batch.statuses.get(turn.deviceNode.id)?.get(purpose)?.status
  return personStatus(turn.person.nodes, purpose, batch)?.row.status
}

/** Any one of the identifiers is known with its value; none is needed when the list is empty. */
export function reaches(person: PersonState, identifiers: readonly IdentifierType[]): boolean {
  return identifiers.length === 0 || person.nodes.some((node) => node.hasValue && identifiers.includes(node.type))
}
