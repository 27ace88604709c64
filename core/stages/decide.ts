/** decide: the rules' pure function over one person's state, and what it asks to be written. */
import { decide as askGate, isHalt } from '../../consent/gate.ts'
import type { Purposes } from '../../consent/purposes.ts'
import type { IdentifierType } from '../../schemas/event.ts'
import type { DestinationSettings } from '../config.ts'
import {
  type CompiledRule,
  type DecisionContext,
  type DecisionInput,
  type DecisionResult,
  decide,
  type OtherInput,
  type RuleSet,
} from '../decision/index.ts'
import { isShadow } from '../decision/rollout.ts'
import { leftOf, type Offers } from '../rules/offer-codes.ts'
import type { Batch } from './batch.ts'
import { factsOf } from './facts-of-person.ts'
import { personStatus } from './identify.ts'
import type { NodeState, PersonState } from './people.ts'

export interface DecideSettings {
  readonly purposes: Purposes
  readonly rules: RuleSet
  readonly destinations: ReadonlyMap<string, DestinationSettings>
  readonly holdout: { readonly globalHoldout: number; readonly globalSeed: string }
  /** None when absent. */
  readonly offers?: Offers
  /** IANA name: whose hours and days budgets are counted in; America/Sao_Paulo when absent. */
  readonly timezone?: string
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
  const { rules } = settings
  const isOurs = ({ rule }: Kept) => !isShadow(rule)
  return decideAmong(isOurs, input, turn, rulesFor(turn, rules), contextOf(turn, batch, settings))
}

/** What a person's profile keeps of a rule that waits. */
type Kept = { readonly rule: string }

/** Decides with the clocks and sequences of some rules in sight; those of the others stay as they are. */
export function decideAmong(
  isOurs: (kept: Kept) => boolean,
  input: DecisionInput,
  { person: { profile } }: Turn,
  rules: RuleSet,
  context: DecisionContext,
): DecisionResult {
  const { timers, sequences = [] } = profile
  if (timers.every(isOurs) && sequences.every(isOurs)) return decide(input, profile, rules, context)
  const isOther = (kept: Kept) => !isOurs(kept)
  const seen = { ...profile, timers: timers.filter(isOurs), sequences: sequences.filter(isOurs) }
  const result = decide(input, seen, rules, context)
  return {
    ...result,
    timers: [...result.timers, ...timers.filter(isOther)],
    sequences: [...result.sequences, ...sequences.filter(isOther)],
  }
}

/** Who only tried a rule out is drawn like everybody. */
function armOf({ arms }: PersonState['profile'], rule: string) {
  const arm = arms?.[rule]
  return arm === 'test' ? undefined : arm
}

export function contextOf(turn: Turn, batch: Batch, settings: DecideSettings): DecisionContext {
  const { person } = turn
  const { rollouts } = settings.rules
  const now = new Date(batch.now).toISOString()
  return {
    now,
    personKey: person.id,
    holdout: settings.holdout,
    armOf: (rule) => armOf(person.profile, rule),
    variantOf: (rule) => person.profile.variants?.[rule],
    transactional: (purpose) => settings.purposes.get(purpose)?.basis === 'contract',
    offers: {
      find: (id) => settings.offers?.get(id),
      left: (id) => {
        const offer = settings.offers?.get(id)
        return offer ? leftOf(offer, batch.offers, batch.budgets) : 0
      },
    },
    ...(rollouts && { refusal: (rule, version, running) => rollouts.refusal(rule, version, person, running) }),
    zones: {
      organization: settings.timezone ?? 'America/Sao_Paulo',
      ...(person.profile.zone && { person: person.profile.zone.name }),
    },
    budgets: {
      zone: settings.timezone ?? 'America/Sao_Paulo',
      used: (rule, bucket) => batch.budgets.used(rule, bucket),
    },
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
        ? {
            granted: false,
            code: answer.code,
            ...(answer.reasons[0] && { reason: answer.reasons[0].code }),
            ...(answer.entryId !== undefined && { entryId: answer.entryId }),
          }
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
}

/**
 * What of a rule set is this turn's: a rule may start only from events kept for its own purpose, and in the version
 * this person gets; anything kept may end what it started.
 */
export function rulesFor({ purposes, copy, person }: Turn, rules: RuleSet): RuleSet {
  if (copy) return { ...rules, triggeredBy: () => [], startedBy: () => [], steppedBy: () => [] }
  const { rollouts } = rules
  const kept = ({ rule }: CompiledRule) => !purposes || purposes.includes(rule.unless.purpose)
  const speaks = ({ rule }: CompiledRule) => !rollouts || rollouts.speaksFor(rule.id, rule.version, person)
  if (!purposes && !rollouts) return rules
  return {
    ...rules,
    triggeredBy: (name, properties) =>
      rules.triggeredBy(name, properties).filter((compiled) => kept(compiled) && speaks(compiled)),
    startedBy: (name, properties) => rules.startedBy(name, properties).filter(kept),
    steppedBy: (name, properties) => rules.steppedBy(name, properties).filter(kept),
    answering: (input) =>
      rules.answering(input).filter((compiled) => kept(compiled) && speaks(compiled) && isOfVersion(input, compiled)),
    isCurrent: (compiled) =>
      rules.isCurrent(compiled) &&
      rollouts?.refusal(compiled.rule.id, compiled.rule.version, person, false) === undefined,
  }
}

/** A slot is about the version whose schedule it is of. */
const isOfVersion = (input: OtherInput, { rule }: CompiledRule) =>
  input.kind !== 'schedule' || input.version === undefined || input.version === rule.version

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
