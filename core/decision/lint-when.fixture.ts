/** The problems of one rule as a person reads them, against a small configuration. */
import { lintRules, loadRules } from './index.ts'

export function ruleProblems(text: string): string {
  try {
    lintRules(loadRules([{ file: 'r.yaml', text }]).rules, {
      purposes: ['email_marketing', 'orders'],
      destinations: { d: { a: {} } },
      openTraits: [],
      scores: { s: { purpose: 'email_marketing' }, other: { purpose: 'orders' } },
      keptMs: () => 365 * 86_400_000,
    })
    return ''
  } catch (error) {
    return (error as Error).message
  }
}
