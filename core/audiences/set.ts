/** All definitions of a configuration, compiled, in an order in which each comes after what it reads. */
import type { AudienceConfig, AudienceDestination, HeldOut } from '../../schemas/audience.ts'
import type { Config } from '../../schemas/config.ts'
import { type Compiled, compileConditions } from '../decision/compile.ts'
import { parseDuration } from '../decision/duration.ts'
import type { Asker } from '../decision/needs.ts'
import { type CompiledComputed, compileComputed } from './computed.ts'
import type { FormerLists } from './lists.ts'
import { meaningHash } from './meaning.ts'
import { type CompiledScore, compileScore } from './scores.ts'
import { emptyReads, type Reads, readConditions, TouchIndex } from './touch.ts'
import { compileTraitPushes, type TraitPush } from './traits.ts'

/** One destination that is told of an audience. */
export interface Push {
  readonly destination: string
  readonly add: string
  readonly remove: string
  readonly with: Readonly<Record<string, unknown>>
}

export interface CompiledAudience {
  readonly id: string
  readonly config: AudienceConfig
  readonly purpose: string
  readonly reads: Reads
  readonly who: Compiled | undefined
  readonly heldOut: readonly HeldOut[]
  readonly stayMs: number
  readonly pushes: readonly Push[]
}

export type Definitions = Pick<Config, 'audiences' | 'computed' | 'scores'>

export interface MeasureSet {
  readonly audiences: readonly CompiledAudience[]
  readonly computed: readonly CompiledComputed[]
  readonly scores: readonly CompiledScore[]
  audience(id: string): CompiledAudience | undefined
  readonly touched: {
    readonly audiences: TouchIndex<CompiledAudience>
    readonly computed: TouchIndex<CompiledComputed>
    readonly scores: TouchIndex<CompiledScore>
  }
  /** What has to be kept of events, so that conditions can be answered. */
  readonly askers: readonly Asker[]
  /** As the configuration has them. */
  readonly definitions: Definitions
  /** Lists that are no longer told as they were; `noteLists` fills it in. */
  readonly former: FormerLists
  readonly traits: readonly TraitPush[]
  /** Of what they mean, not of how they are called: another one means that all people are gone through once. */
  readonly hash: string
  readonly empty: boolean
}

export const NO_MEASURES: MeasureSet = compileMeasures({})

/** What stands for an action that the configuration does not name. */
export const DEFAULT_ADD = ['addToAudience', 'sendAudience'] as const
export const DEFAULT_REMOVE = ['removeFromAudience', 'sendAudience'] as const

/**
 * @param actionsOf names of the actions of a destination.
 * @throws ConfigError for durations without a fixed length. A linted configuration never throws.
 */
export function compileMeasures(
  config: Definitions,
  actionsOf: (destination: string) => readonly string[] = () => [],
): MeasureSet {
  const computed = inOrder(
    Object.entries(config.computed ?? {}).map(([id, one]) => compileComputed(id, one)),
    ({ reads }) => reads.computed,
  )
  const scores = Object.entries(config.scores ?? {}).map(([id, one]) => compileScore(id, one))
  const audiences = inOrder(
    Object.entries(config.audiences ?? {}).map(([id, one]) => compileAudience(id, one, actionsOf)),
    ({ reads }) => reads.audiences,
  )
  const byId = new Map(audiences.map((audience) => [audience.id, audience]))
  const { audiences: a, computed: c, scores: s } = config
  return {
    audiences,
    computed,
    scores,
    audience: (id) => byId.get(id),
    touched: {
      audiences: new TouchIndex(audiences),
      computed: new TouchIndex(computed),
      scores: new TouchIndex(scores),
    },
    askers: [
      ...audiences.map(({ purpose, config: { who } }) => ({ purpose, conditions: who })),
      ...Object.values(s ?? {}).flatMap(({ purpose, scorecard }) =>
        (scorecard?.points ?? []).map((line) => ({ purpose, conditions: line.if })),
      ),
    ],
    definitions: { ...(a && { audiences: a }), ...(c && { computed: c }), ...(s && { scores: s }) },
    former: new Map(),
    traits: compileTraitPushes(config),
    hash: meaningHash([a ?? {}, c ?? {}, s ?? {}]),
    empty: audiences.length === 0 && computed.length === 0 && scores.length === 0,
  }
}

export function compileAudience(
  id: string,
  config: AudienceConfig,
  actionsOf: (destination: string) => readonly string[] = () => [],
): CompiledAudience {
  const reads = emptyReads()
  readConditions(config.who, reads)
  for (const held of config.held_out ?? []) {
    if ('audience' in held) reads.audiences.add(held.audience)
    // An arm goes with the person's id: it may change when two become one, and then everything is looked at.
    if ('rule' in held) reads.arms = true
  }
  return {
    id,
    config,
    purpose: config.purpose,
    reads,
    who: config.who && compileConditions(config.who, `audiences.${id}.who`),
    heldOut: config.held_out ?? [],
    stayMs: config.stay === undefined ? 0 : parseDuration(config.stay),
    pushes: (config.destinations ?? []).map((given) => pushOf(given, actionsOf)),
  }
}

export function pushOf(
  given: string | AudienceDestination,
  actionsOf: (destination: string) => readonly string[],
): Push {
  const named = typeof given === 'string' ? { destination: given } : given
  const actions = actionsOf(named.destination)
  const first = (names: readonly string[]) => names.find((name) => actions.includes(name)) ?? names[0]!
  return {
    destination: named.destination,
    add: named.add ?? first(DEFAULT_ADD),
    remove: named.remove ?? first(DEFAULT_REMOVE),
    with: named.with ?? {},
  }
}

/** Each after what it reads; whatever reads itself in a circle comes last (the linter refuses it). */
function inOrder<T extends { readonly id: string }>(all: readonly T[], reads: (one: T) => ReadonlySet<string>): T[] {
  const left = new Map(all.map((one) => [one.id, one]))
  const ordered: T[] = []
  for (;;) {
    const ready = [...left.values()].filter((one) => ![...reads(one)].some((id) => left.has(id) && id !== one.id))
    if (ready.length === 0) return [...ordered, ...left.values()]
    for (const one of ready) {
      ordered.push(one)
      left.delete(one.id)
    }
  }
}
