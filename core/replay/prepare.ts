/** Which rule is tried, and beside which others: what a backtest, a preview or an answer to "why" needs of the configuration. */
import type { LoadedConfig } from '../config.ts'
import { buildRuleSet, type CompiledRule, compileRule, loadRules } from '../decision/index.ts'
import type { VersionStage } from '../decision/rollout.ts'
import { ConfigError } from '../kit/errors.ts'
import { lintRulesOf, processSettings, readSurroundings } from '../roles/surroundings.ts'
import { readPublished } from '../rules/book.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { StateStore } from '../stores/open.ts'

/** A rule that was added, by its id (`id` or `id@version`; drafts too), or one that is only written down. */
export type WantedRule = { readonly id: string } | { readonly file: string; readonly text: string }

export interface Prepared {
  readonly rule: CompiledRule
  readonly published: boolean
  readonly settings: ProcessPorts['settings']
  /** Since when this text is live, and what held before; only for a published one. */
  readonly live?: { readonly at: number; readonly settings: ProcessPorts['settings'] }
  /** How far this text is published; only for a published one. */
  readonly stage?: VersionStage
}

/** @throws ConfigError when there is no such rule, or it has mistakes. @param now epoch milliseconds. */
export async function prepareRule(
  wanted: WantedRule,
  config: LoadedConfig,
  state: StateStore,
  now: number,
): Promise<Prepared> {
  const surroundings = readSurroundings(config)
  const published = await readPublished(state, now, new Set(), surroundings.rules)
  const rows = await state.db.selectFrom('rule_versions').selectAll().execute()
  const rule = 'text' in wanted ? writtenRule(wanted) : publishedRule(wanted.id, published.rules.current)
  lintRulesOf(config, surroundings.purposes, [rule])
  // Where a version is on trial, the one for everybody stands for its rule.
  const others = new Map<string, CompiledRule>()
  for (const one of published.rules.current)
    if (
      one.rule.id !== rule.rule.id &&
      (others.get(one.rule.id)?.rule.version ?? Number.POSITIVE_INFINITY) > one.rule.version
    )
      others.set(one.rule.id, one)
  const versions = rows
    .map(({ body }) => compileRule(JSON.parse(body) as Parameters<typeof compileRule>[0]))
    .filter((one) => one.rule.id !== rule.rule.id)
  const kept = [...others.values(), ...published.kept.filter((one) => one.rule.id !== rule.rule.id)]
  const settingsWith = (current: readonly CompiledRule[]) =>
    processSettings(config, surroundings, buildRuleSet(current, versions), [...current, ...kept])
  const known = rows.find(({ rule: id, hash }) => id === rule.rule.id && hash === rule.hash)
  const isLive = known !== undefined && published.rules.current.some(({ hash }) => hash === rule.hash)
  return {
    rule,
    published: isLive,
    settings: settingsWith([...others.values(), rule]),
    ...(isLive && {
      live: { at: known.loaded_at, settings: settingsWith([...others.values()]) },
      // Without a row of its own it is live for everybody.
      stage: published.rules.rollouts?.stageOf(rule.rule.id, rule.rule.version) ?? {
        rule: rule.rule.id,
        version: rule.rule.version,
        stage: 'live',
        share: 1,
        recipients: new Set(),
        since: known.loaded_at,
      },
    }),
  }

  function publishedRule(name: string, current: readonly CompiledRule[]): CompiledRule {
    const [id, version] = name.split('@') as [string, string?]
    const mine = current.filter((one) => one.rule.id === id)
    if (version === undefined && mine.length > 0)
      return mine.reduce((a, b) => (a.rule.version > b.rule.version ? a : b))
    // Nothing of it is published: its newest draft.
    const [row] = rows
      .filter((one) => one.rule === id && (version === undefined || String(one.version) === version))
      .sort((a, b) => b.version - a.version)
    if (row) return compileRule(JSON.parse(row.body) as Parameters<typeof compileRule>[0])
    const there = [...new Set([...current.map((one) => one.rule.id), ...rows.map((one) => one.rule)])].join(', ')
    throw new ConfigError(
      `there is no rule ${name}${there ? ` (there are: ${there})` : ''}; name a file to try one that was not added yet`,
      'rule',
    )
  }
}

function writtenRule({ file, text }: { readonly file: string; readonly text: string }): CompiledRule {
  const { rules } = loadRules([{ file, text }])
  if (rules.length !== 1)
    throw new ConfigError(
      `${file} has ${rules.length} rules; a backtest tries one, so put it into a file of its own`,
      file,
    )
  return rules[0]!
}
