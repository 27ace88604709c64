/** What a clause of a rule is about, by the beginning of its id. */
import { useTranslation } from 'react-i18next'

/** The first that fits. */
const CLAUSES = [
  ['when.absence.unless', 'whenGoal'],
  ['when.sequence.goal', 'whenGoal'],
  ['when.', 'when'],
  ['who', 'who'],
  ['unless.caps', 'caps'],
  ['unless.reentry', 'reentry'],
  ['unless.quiet_hours', 'quiet'],
  ['unless.suppress', 'suppress'],
  ['unless', 'unless'],
  ['then.offer', 'offer'],
  ['then.channel', 'channel'],
  ['then.branches', 'branch'],
  ['then.expires', 'expires'],
] as const

function clauseKey(id: string) {
  if (/\.where(\.|$)/.test(id)) return 'whenWhere' as const
  return CLAUSES.find(([start]) => id.startsWith(start))?.[1] ?? ('action' as const)
}

export function useClauseWords(): (id: string) => string {
  const { t } = useTranslation()
  return (id) => t(`rules.clause.${clauseKey(id)}`)
}
