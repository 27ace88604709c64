/** The settings of a rig with other rules than those it runs: for trying them on what it kept. */
import { buildRuleSet, keptFor, loadRules } from '../decision/index.ts'
import type { Rig } from './pipeline-rig.ts'

export function withRules(rig: Rig, ...texts: string[]) {
  const { rules } = loadRules(texts.map((text, index) => ({ file: `rule${index}.yaml`, text })))
  return { rules, settings: { ...rig.processPorts.settings, rules: buildRuleSet(rules), ...keptFor(rules) } }
}
