/** Rule documents against the language and the configuration; no state is asked. */
import { loadPurposes } from '../../consent/purposes.ts'
import type { LoadedConfig } from '../config.ts'
import { type CompiledRule, loadRules } from '../decision/index.ts'
import type { RuleDocument } from '../decision/load.ts'
import { lintRulesOf } from '../roles/surroundings.ts'

/** @throws ConfigError with every mistake, each with file, line and column. */
export function readRules(documents: readonly RuleDocument[], config: LoadedConfig): CompiledRule[] {
  const { rules } = loadRules(documents)
  lintRulesOf(config, loadPurposes(config.config), rules)
  return rules
}
