/**
 * The rules as they are published now, read from the state: versions, stages, switches. Every role keeps one and
 * looks between two pieces of work whether a revision has passed; so a change reaches all processes without a restart.
 */
import type { Rule } from '../../schemas/rule.ts'
import { buildRuleSet, type CompiledRule, compileRule, type RuleSet } from '../decision/index.ts'
import { ALL_RULES, Rollouts, type Stage, type Stopped, shadowId, type VersionStage } from '../decision/rollout.ts'
import { newId } from '../ids.ts'
import type { Db, StateStore } from '../stores/open.ts'

/** How long after its retirement what a version counts is still kept, for the instances it left running. */
const RETIRED_MEMORY_MS = 30 * 86_400_000
const REVISION = 'rules:revision'

export interface PublishedRules {
  readonly rules: RuleSet
  /** Everything whose windows, counts and caps have to be kept. */
  readonly kept: readonly CompiledRule[]
  readonly revision: string
}

/** A text is compiled once, however often its stage changes. By hash, and by name where it runs as a shadow. */
const compiledTexts = new Map<string, CompiledRule>()

/**
 * @param recipients HMACs (hex) of the test recipients of every rule.
 * @param written rules as written down, for a state that has no row about them: they are published.
 */
export async function readPublished(
  { db }: Pick<StateStore, 'db'>,
  now: number,
  recipients: ReadonlySet<string> = new Set(),
  written: readonly CompiledRule[] = [],
): Promise<PublishedRules> {
  const revision = await readRevision(db)
  const texts = await db.selectFrom('rule_versions').select(['rule', 'version', 'hash', 'body']).execute()
  const stages = await readStages(db)
  const switches = await readSwitches(db)
  const versions = new Map<string, CompiledRule>()
  for (const { rule, version, hash, body } of texts) versions.set(`${rule}@${version}`, compiledOf(hash, body))
  const places = new Map(written.map((compiled) => [compiled.hash, compiled]))
  const known = new Set(stages.map(({ rule }) => rule))
  const published: CompiledRule[] = written.filter(({ rule }) => !known.has(rule.id))
  const shadows: CompiledRule[] = []
  const formerShadows: CompiledRule[] = []
  const kept: CompiledRule[] = []
  for (const { rule, version, stage, since, shadowed } of stages) {
    const compiled = versions.get(`${rule}@${version}`)
    if (!compiled) continue
    if (stage === 'live' || stage === 'test') published.push(places.get(compiled.hash) ?? compiled)
    if (stage === 'shadow') shadows.push(shadowOf(compiled))
    else if (shadowed) formerShadows.push(shadowOf(compiled))
    if (stage !== 'draft' && (stage !== 'retired' || since > now - RETIRED_MEMORY_MS)) kept.push(compiled)
  }
  const live = buildRuleSet(published, [...versions.values()])
  return {
    rules: {
      ...live,
      rollouts: new Rollouts(stages, switches, recipients),
      ...(shadows.length + formerShadows.length > 0 && { shadows: buildRuleSet(shadows, formerShadows) }),
    },
    kept: [...published.filter(({ rule }) => !known.has(rule.id)), ...kept],
    revision,
  }
}

export function compiledOf(hash: string, body: string): CompiledRule {
  let compiled = compiledTexts.get(hash)
  if (!compiled) {
    compiled = compileRule(JSON.parse(body) as Rule)
    compiledTexts.set(hash, compiled)
  }
  return compiled
}

function shadowOf({ rule, hash }: CompiledRule): CompiledRule {
  const key = `${hash}~`
  let compiled = compiledTexts.get(key)
  if (!compiled) {
    const experiment = { ...rule.experiment, seed: rule.experiment?.seed ?? rule.id }
    compiled = { ...compileRule({ ...rule, id: shadowId(rule.id, rule.version), experiment }), hash }
    compiledTexts.set(key, compiled)
  }
  return compiled
}

export type StageRow = VersionStage & { readonly shadowed: boolean; readonly actor: string; readonly reason: string }

export async function readStages(db: Db): Promise<StageRow[]> {
  const rows = await db.selectFrom('rule_rollouts').selectAll().execute()
  return rows.map(({ rule, version, stage, share, recipients, shadowed, since, actor, reason }) => ({
    rule,
    version,
    stage: stage as Stage,
    share: share / 10_000,
    recipients: new Set(JSON.parse(recipients) as string[]),
    shadowed: shadowed === 1,
    since,
    actor,
    reason,
  }))
}

/** Rule or `*` -> why nothing of it happens. */
export async function readSwitches(db: Db): Promise<Map<string, Stopped>> {
  const rows = await db.selectFrom('rule_switches').select(['rule', 'state']).execute()
  return new Map(rows.map(({ rule, state }) => [rule, state === 'killed' ? 'KILLED' : 'PAUSED']))
}

export const stoppedBy = (switches: ReadonlyMap<string, Stopped>, rule: string): Stopped | undefined =>
  switches.get(ALL_RULES) ?? switches.get(rule)

export async function readRevision(db: Db): Promise<string> {
  const row = await db.selectFrom('meta').select('value').where('key', '=', REVISION).executeTakeFirst()
  return row?.value ?? ''
}

/** Tells every process, as soon as the transaction is committed. */
export async function passRevision(db: Db, now: number): Promise<void> {
  await db
    .insertInto('meta')
    .values({ key: REVISION, value: newId(now) })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: newId(now) }))
    .execute()
}

export interface RuleBook {
  now(): PublishedRules
  /** Reads again when a revision has passed. @returns whether it has. */
  refresh(): Promise<boolean>
}

export async function openRuleBook(
  state: StateStore,
  options: {
    readonly clock: () => number
    readonly recipients?: ReadonlySet<string>
    readonly written?: readonly CompiledRule[]
  },
): Promise<RuleBook> {
  const read = () => readPublished(state, options.clock(), options.recipients, options.written)
  let published = await read()
  return {
    now: () => published,
    async refresh() {
      if ((await readRevision(state.db)) === published.revision) return false
      published = await read()
      return true
    },
  }
}
