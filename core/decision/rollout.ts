/**
 * Who gets which version of a rule. Pure. Of one rule one version is live for everybody, one more may be on trial
 * (test recipients, or a share of people), and one may be a shadow that decides and sends nothing.
 *
 * The share is a hash of the person and the rule, under a seed of its own: whoever is in 1 % is in 10 %, whoever is
 * in 10 % is in 100 %, and nobody's place has to do with the arm of an experiment. A person is their canonical id,
 * the smallest of their nodes': after merges, in whatever order, they are where that id is.
 */
import type { ExitCode } from '../../schemas/exits.ts'
import { bucketOf } from './assign.ts'

export const STAGES = ['draft', 'test', 'shadow', 'live', 'retired'] as const
export type Stage = (typeof STAGES)[number]

export interface VersionStage {
  readonly rule: string
  readonly version: number
  readonly stage: Stage
  /** 0 to 1; counts for `live` alone. */
  readonly share: number
  /** Hex of the identifiers' HMACs. */
  readonly recipients: ReadonlySet<string>
  /** Epoch ms: when it came to this stage. */
  readonly since: number
}

/** What of a person a rollout looks at. */
export interface RolledPerson {
  readonly id: string
  readonly nodes: readonly { readonly hmac: string }[]
}

export type Stopped = Extract<ExitCode, 'PAUSED' | 'KILLED'>

/** Stands for every rule in the switches. */
export const ALL_RULES = '*'

export class Rollouts {
  readonly #stages = new Map<string, VersionStage[]>()
  readonly #switches: ReadonlyMap<string, Stopped>
  readonly #recipients: ReadonlySet<string>

  /**
   * @param switches rule or `*` -> why nothing of it happens.
   * @param recipients test recipients of every rule.
   */
  constructor(
    stages: readonly VersionStage[],
    switches: ReadonlyMap<string, Stopped> = new Map(),
    recipients: ReadonlySet<string> = new Set(),
  ) {
    for (const stage of stages) this.#stages.set(stage.rule, [...(this.#stages.get(stage.rule) ?? []), stage])
    for (const list of this.#stages.values()) list.sort(trialFirst)
    this.#switches = switches
    this.#recipients = recipients
  }

  stopped(rule: string): Stopped | undefined {
    return this.#switches.get(ALL_RULES) ?? this.#switches.get(rule)
  }

  stageOf(rule: string, version: number): VersionStage | undefined {
    return this.#stages.get(rule)?.find((stage) => stage.version === version)
  }

  /** The version this person gets; undefined when they get none. */
  versionFor(rule: string, person: RolledPerson): number | undefined {
    return this.#stages.get(rule)?.find((stage) => this.#includes(stage, person))?.version
  }

  /**
   * Why a rule does nothing for a person now; undefined when it acts.
   * @param running an instance that began earlier: it stays on its version, whatever was published since.
   */
  refusal(rule: string, version: number, person: RolledPerson, running: boolean): ExitCode | undefined {
    const stopped = this.stopped(rule)
    if (stopped) return stopped
    const stages = this.#stages.get(rule)
    if (!stages) return undefined
    if (!running) return this.versionFor(rule, person) === version ? undefined : 'NOT_PUBLISHED'
    const stage = this.stageOf(rule, version)
    const withdrawn =
      stage?.stage === 'draft' ||
      stage?.stage === 'shadow' ||
      (stage?.stage === 'test' && !this.#includes(stage, person))
    return withdrawn ? 'NOT_PUBLISHED' : undefined
  }

  /**
   * Whether a version is the one to ask about a person: theirs, or, where they get none, the one that comes first, so
   * that the reason is written once.
   */
  speaksFor(rule: string, version: number, person: RolledPerson): boolean {
    const stages = this.#stages.get(rule)
    if (!stages) return true
    return (this.versionFor(rule, person) ?? stages[0]?.version) === version
  }

  /** Test recipients stay with what they tried: they are part of every share. */
  #includes(stage: VersionStage, person: RolledPerson): boolean {
    if (stage.stage !== 'test' && stage.stage !== 'live') return false
    if (stage.stage === 'live' && inShare(stage.rule, stage.share, person.id)) return true
    if (stage.recipients.size === 0 && this.#recipients.size === 0) return false
    return person.nodes.some(({ hmac }) => stage.recipients.has(hmac) || this.#recipients.has(hmac))
  }
}

/** @param share 0 to 1. */
export function inShare(rule: string, share: number, personId: string): boolean {
  return share >= 1 || bucketOf(`rollout:${rule}`, personId) < share
}

const rank = ({ stage, share }: VersionStage) =>
  stage === 'test' ? 0 : stage === 'live' ? (share < 1 ? 1 : 2) : stage === 'shadow' ? 3 : 4

const trialFirst = (a: VersionStage, b: VersionStage) => rank(a) - rank(b) || b.since - a.since || b.version - a.version

// ---------------------------------------------------------------- shadows

/** A shadow is decided under a name of its own, so that its clocks and entries never touch those of the live version. */
export const shadowId = (rule: string, version: number): string => `${rule}~${version}`

/** The rule behind a name; the name itself when it is no shadow's. */
export const ruleOf = (id: string): string => (isShadow(id) ? id.slice(0, id.indexOf('~')) : id)

export const isShadow = (id: string): boolean => id.includes('~')

/** Where decisions and deliveries of a version are counted; `shadow:` where it only would have acted. */
export function versionOrigin(rule: string, version: number, shadow = false): string {
  const origins = shadow ? shadowOrigins : ruleOrigins
  let known = origins.get(rule)
  if (known?.version !== version) {
    known = { version, origin: `${shadow ? 'shadow' : 'rule'}:${rule}@${version}` }
    origins.set(rule, known)
  }
  return known.origin
}

/** Of each rule the version asked for last: the same text is counted under again and again. */
const ruleOrigins = new Map<string, { readonly version: number; readonly origin: string }>()
const shadowOrigins = new Map<string, { readonly version: number; readonly origin: string }>()
