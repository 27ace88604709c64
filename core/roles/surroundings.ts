/** What every role derives from the configuration in the same way: purposes, rules, believed sources. */
import { Duration } from 'luxon'
import { declares } from '../../consent/collects.ts'
import { lintPurposes } from '../../consent/lint.ts'
import { loadPurposes, type Purposes } from '../../consent/purposes.ts'
import { lintRetention } from '../../consent/retention/lint.ts'
import { traitProblems } from '../audiences/lint.ts'
import { compileMeasures, type MeasureSet } from '../audiences/set.ts'
import { pointer } from '../config/words.ts'
import type { LoadedConfig } from '../config.ts'
import { type CompiledRule, keptFor, lintRules, loadRules, type RuleSet } from '../decision/index.ts'
import { compileOffer } from '../decision/offers.ts'
import { identitySettings } from '../identity/limits.ts'
import type { Keys } from '../keys.ts'
import { ConfigError } from '../kit/errors.ts'
import { ledgerSettings } from '../ledger/settings.ts'
import { openRuleBook, type RuleBook, readPublished } from '../rules/book.ts'
import type { Offers } from '../rules/offer-codes.ts'
import { publishFiles } from '../rules/publish.ts'
import { recipientHmacs } from '../rules/recipients.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { StateStore } from '../stores/open.ts'

/** Text traits that say nothing about who somebody is. */
const OPEN_TRAITS = [
  'plan',
  'state',
  'country',
  'language',
  'lifecycle_stage',
  'timezone',
  'preferred_channel',
  'canal_preferido',
]
const BELIEVED = ['segment', 'rudderstack', 'gtm', 'rdstation']

export interface Surroundings {
  readonly purposes: Purposes
  readonly rules: readonly CompiledRule[]
  /** Audiences, computed traits and scores. */
  readonly measures: MeasureSet
  readonly warnings: readonly string[]
}

/** @throws ConfigError with every mistake in rules and purposes, each with its place. */
export function readSurroundings(config: LoadedConfig): Surroundings {
  const purposes = loadPurposes(config.config)
  const { rules } = loadRules(config.ruleDocuments)
  lintRulesOf(config, purposes, rules)
  lintMeasures(config, purposes)
  const findings = lintPurposes(
    config.config,
    rules.map(({ rule }) => rule),
  )
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length > 0)
    throw new ConfigError(errors.map(({ path, message }) => `${path}: ${message}`).join('\n'), errors[0]!.path)
  // Nothing is deleted by a policy with a mistake: it cannot be approved. So the hub starts, and says so.
  const retention = lintRetention(config.config).map(({ path, message }) => ({ path, message: message.en }))
  const actionsOf = (id: string) => Object.keys(config.destinationSettings.get(id)?.definition.actions ?? {})
  const measures = compileMeasures(config.config, actionsOf)
  return {
    purposes,
    rules,
    measures,
    warnings: [...findings, ...retention].map(({ path, message }) => `${path}: ${message}`),
  }
}

/** Rules against everything the configuration names. @throws ConfigError with every mistake, each with its place. */
export function lintRulesOf(config: LoadedConfig, purposes: Purposes, rules: readonly CompiledRule[]): void {
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
    audiences: config.config.audiences ?? {},
    scores: config.config.scores ?? {},
    computed: config.config.computed ?? {},
    keptMs: (purpose) => {
      const ends = purposes.get(purpose)?.ends
      return ends === undefined ? undefined : Duration.fromISO(ends).toMillis()
    },
    offers: config.config.offers ?? {},
    transactional: (purpose) => purposes.get(purpose)?.basis === 'contract',
  })
}

/** What audiences and scores read of traits. @throws ConfigError with every mistake. */
function lintMeasures(config: LoadedConfig, purposes: Purposes): void {
  const problems = traitProblems(config.config, new Set(openTraitsOf(config)), collectsTrait(purposes))
  if (problems.length > 0)
    throw new ConfigError(
      problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'),
      pointer(problems[0]!.path),
    )
}

/** What `lintRules` asks of traits. A purpose that does not exist is told by another finding. */
export const collectsTrait = (purposes: Purposes) => (id: string, trait: string) => {
  const purpose = purposes.get(id)
  return purpose === undefined || declares(purpose, trait)
}

/** Offers of the configuration by id. */
export const offersOf = (config: LoadedConfig): Offers =>
  new Map(
    Object.entries(config.config.offers ?? {}).map(
      ([id, offer]) => [id, compileOffer(id, offer, config.timezone)] as const,
    ),
  )

/** Text traits that rules may read. */
export const openTraitsOf = (config: LoadedConfig) => [...OPEN_TRAITS, ...(config.config.openTraits ?? [])]

/** The configuration's rules published as they say, and what is published then. @param keys for the test recipients they name. */
export async function publishRules(
  rules: readonly CompiledRule[],
  state: StateStore,
  now: number,
  keys?: Pick<Keys, 'identifier'>,
): Promise<RuleSet> {
  await publishFiles(rules, state, now, keys)
  return (await readPublished(state, now, undefined, rules)).rules
}

/** What is published now, without changing it. */
export async function loadRuleSet(
  rules: readonly CompiledRule[],
  state: StateStore,
  now = Date.now(),
): Promise<RuleSet> {
  return (await readPublished(state, now, undefined, rules)).rules
}

/** The rules of a role, kept up to date. */
export async function ruleBookOf(
  config: LoadedConfig,
  { rules }: Pick<Surroundings, 'rules'>,
  state: StateStore,
  keys: Pick<Keys, 'identifier'>,
  clock: () => number,
): Promise<RuleBook> {
  const recipients = new Set(recipientHmacs(config.config.testRecipients, keys, 'testRecipients'))
  return openRuleBook(state, { clock, recipients, written: rules })
}

export function processSettings(
  config: LoadedConfig,
  { purposes, measures }: Surroundings,
  rules: RuleSet,
  all: readonly CompiledRule[],
): ProcessPorts['settings'] {
  const { experiments, authoritative } = config.config
  return {
    purposes,
    rules,
    privacy: ledgerSettings(config).privacy,
    identity: identitySettings(config.config.identity),
    destinations: config.destinationSettings,
    openTraits: new Set(openTraitsOf(config)),
    currency: config.currency,
    believed: authoritative ?? BELIEVED,
    ...keptFor(all, measures.askers),
    measures,
    kept: all,
    timezone: config.timezone,
    offers: offersOf(config),
    holdout: { globalHoldout: experiments?.globalHoldout ?? 0, globalSeed: experiments?.seed ?? 'anuente-global' },
  }
}
