/** The way of the newest version, from its text to everybody: each step is a button, and where it stands is marked. */

import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { RuleDetail } from '../../../schemas/rules.ts'
import { linkTo } from '../address.ts'

const STEPS = ['edit', 'backtest', 'test', 'shadow', 'one', 'ten', 'all'] as const
export type WayStep = (typeof STEPS)[number]

export function RuleWay({
  detail: { rule, versions },
  go,
}: {
  detail: Pick<RuleDetail, 'rule' | 'versions'>
  go: (step: WayStep) => void
}) {
  const { t } = useTranslation()
  const newest = versions.find(({ version }) => version === rule.version)
  const stands = newest && stepOf(newest)
  return (
    <nav aria-label={t('rules.way.label', { version: rule.version })}>
      <ol className="way">
        {STEPS.map((step) => (
          <li key={step}>
            <button type="button" aria-current={step === stands ? 'step' : undefined} onClick={() => go(step)}>
              <span>{t(`rules.way.${step}`)}</span>
            </button>
          </li>
        ))}
      </ol>
      <p className="quiet" style={{ margin: '0.5rem 0 0', fontSize: '0.875rem' }}>
        {t(`rules.way.next.${stands ?? 'edit'}`)}{' '}
        {(stands === 'test' || stands === 'one' || stands === 'ten' || stands === 'all') && (
          <Link className="link" {...linkTo('/deliveries', { rule: rule.id })}>
            {t('rules.way.deliveries')}
          </Link>
        )}
      </p>
    </nav>
  )
}

function stepOf({ stage, share }: Pick<RuleDetail['versions'][number], 'stage' | 'share'>): WayStep | undefined {
  if (stage === 'draft') return 'edit'
  if (stage === 'test' || stage === 'shadow') return stage
  if (stage === 'retired') return undefined
  return share >= 1 ? 'all' : share > 0.01 ? 'ten' : 'one'
}
