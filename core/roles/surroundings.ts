/** What every role derives from the configuration in the same way: purposes, rules, believed sources. */
import { declares } from '../../consent/collects.ts'
import { lintPurposes } from '../../consent/lint.ts'
import { loadPurposes, type Purposes } from '../../consent/purposes.ts'
import { lintRetention } from '../../consent/retention/lint.ts'
import type { Rule } from '../../schemas/rule.ts'
import type { LoadedConfig } from '../config.ts'
import {
  buildRuleSet,
  type CompiledRule,
  compileRule,
  countWindow,
  lintRules,
  loadRules,
  neededCounts,
  neededWindows,
  type RuleSet,
  recentWindow,
} from '../decision/index.ts'
import { ConfigError } from '../kit/errors.ts'
import { ledgerSettings } from '../ledger/settings.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { StateStore } from '../stores/open.ts'

/** Text traits that say nothing about who somebody is. */
const OPEN_TRAITS = ['plan', 'state', 'country', 'language', 'lifecycle_stage']
const BELIEVED = ['segment', 'rudderstack', 'gtm', 'rdstation']

export interface Surroundings {
  readonly purposes: Purposes
  readonly rules: readonly CompiledRule[]
  readonly warnings: readonly string[]
}

/** @throws ConfigError with every mistake in rules and purposes, each with its place. */
export function readSurroundings(config: LoadedConfig): Surroundings {
  const purposes = loadPurposes(config.config)
  const { rules } = loadRules(config.ruleDocuments)
  lintRules(rules, {
    purposes: purposes.all.map(({ id }) => id),
    destinations: Object.fromEntries(
      [...config.destinationSettings].map(([id, { definition }]) => [
        id,
        definition.actions as Record<string, { channel?: string }>,
      ]),
    ),
    openTraits: openTraitsOf(config),
    collectsTrait: collectsTrait(purposes),
  })
  const findings = lintPurposes(
    config.config,
    rules.map(({ rule }) => rule),
  )
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length > 0)
    throw new ConfigError(errors.map(({ path, message }) => `${path}: ${message}`).join('\n'), errors[0]!.path)
  // Nothing is deleted by a policy with a mistake: it cannot be approved. So the hub starts, and says so.
  const retention = lintRetention(config.config).map(({ path, message }) => ({ path, message: message.en }))
  return { purposes, rules, warnings: [...findings, ...retention].map(({ path, message }) => `${path}: ${message}`) }
}

/** What `lintRules` asks of traits. A purpose that does not exist is told by another finding. */
export const collectsTrait = (purposes: Purposes) => (id: string, trait: string) => {
  const purpose = purposes.get(id)
  return purpose === undefined || declares(purpose, trait)
}

/** Text traits that rules may read. */
export const openTraitsOf = (config: LoadedConfig) => [...OPEN_TRAITS, ...(config.config.openTraits ?? [])]

/** The published rules and the earlier versions whose timers may still run; new versions are remembered. */
export async function publishRules(rules: readonly CompiledRule[], state: StateStore, now: number): Promise<RuleSet> {
  for (const { rule, hash } of rules) {
    const known = await state.db
      .selectFrom('rule_versions')
      .select('hash')
      .where('rule', '=', rule.id)
      .where('version', '=', rule.version)
      .executeTakeFirst()
    if (known && known.hash !== hash)
      throw new ConfigError(
        `rule ${rule.id} version ${rule.version} was changed without a new version: raise "version", so that running instances keep theirs`,
        `rules/${rule.id}`,
      )
    if (!known)
      await state.db
        .insertInto('rule_versions')
        .values({ rule: rule.id, version: rule.version, hash, body: JSON.stringify(rule), loaded_at: now })
        .onConflict((conflict) => conflict.columns(['rule', 'version']).doNothing())
        .execute()
  }
  return loadRuleSet(rules, state)
}

export async function loadRuleSet(rules: readonly CompiledRule[], state: StateStore): Promise<RuleSet> {
  const rows = await state.db.selectFrom('rule_versions').select('body').execute()
  return buildRuleSet(
    rules,
    rows.map(({ body }) => compileRule(JSON.parse(body) as Rule)),
  )
}

export function processSettings(
  config: LoadedConfig,
  { purposes }: Surroundings,
  rules: RuleSet,
  all: readonly CompiledRule[],
): ProcessPorts['settings'] {
  const { experiments, authoritative } = config.config
  return {
    purposes,
    rules,
    privacy: ledgerSettings(config).privacy,
    destinations: config.destinationSettings,
    openTraits: new Set(openTraitsOf(config)),
    currency: config.currency,
    believed: authoritative ?? BELIEVED,
    recentWindow: recentWindow(neededWindows(all)),
    countWindow: countWindow(neededCounts(all)),
    holdout: { globalHoldout: experiments?.globalHoldout ?? 0, globalSeed: experiments?.seed ?? 'anuente-global' },
  }
}
