/** For whom a rule counts, in words. */
import { useTranslation } from 'react-i18next'
import type { RuleSummary, RuleVersionView } from '../../../schemas/rules.ts'
import { share as percent } from '../format.ts'
import { told } from '../words.ts'
import { Badge, type Tone } from './exit-badge.tsx'

type Stage = RuleVersionView['stage']
type Word = Stage | 'part'

const TONES: Readonly<Record<Word, Tone>> = {
  draft: 'rule',
  test: 'experiment',
  shadow: 'duplicate',
  live: 'delivered',
  part: 'experiment',
  retired: 'no_purpose',
}

export const ruleName = ({ id, title }: Pick<RuleSummary, 'id' | 'title'>) => (title ? told(title) : id)

const wordOf = (stage: Stage, share: number): Word => (stage === 'live' && share < 1 ? 'part' : stage)

export function useStageWords(): (stage: Stage, share: number) => string {
  const { t } = useTranslation()
  return (stage, share) => t(`rules.stage.${wordOf(stage, share)}`, { share: percent(share) })
}

export function StageBadge({ version, stage, share }: { version?: number; stage: Stage; share: number }) {
  const { t } = useTranslation()
  const words = useStageWords()
  const text = words(stage, share)
  const word = wordOf(stage, share)
  return (
    <Badge tone={TONES[word]} title={t(`rules.stageHint.${word}`)}>
      {version === undefined ? text : t('rules.stageOf', { version, stage: text })}
    </Badge>
  )
}

/** What stops the rule first, then every version that stands somewhere; a newest one that stands nowhere is a draft. */
export function RuleStanding({ rule }: { rule: RuleSummary }) {
  const { t } = useTranslation()
  const { live, trial, shadow, version } = rule
  const { state } = rule.switch
  const standing = [live, trial, shadow].filter((one) => one !== null)
  return (
    <span className="acts" style={{ justifyContent: 'start' }}>
      {state !== 'running' && (
        <Badge tone={state === 'killed' ? 'failed' : 'waiting'} title={t(`rules.stageHint.${state}`)}>
          {t(`rules.stage.${state}`)}
        </Badge>
      )}
      {standing.map((one) => (
        <StageBadge key={one.version} version={one.version} stage={one.stage} share={one.share} />
      ))}
      {!standing.some((one) => one.version === version) && <StageBadge version={version} stage="draft" share={1} />}
    </span>
  )
}
