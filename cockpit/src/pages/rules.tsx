import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { RuleList, RuleSummary, RuleSwitch } from '../../../schemas/rules.ts'
import { linkChanging } from '../address.ts'
import { get } from '../api.ts'
import { dateTime, dayHour, number } from '../format.ts'
import { listingOf } from '../listing.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Badge } from '../parts/exit-badge.tsx'
import { Page } from '../parts/page.tsx'
import { ALL_RULES, SwitchActs } from '../parts/rule-acts.tsx'
import { useClauseWords } from '../parts/rule-clause.ts'
import { RuleDrawer } from '../parts/rule-drawer.tsx'
import { NewRuleDialog } from '../parts/rule-new.tsx'
import { RuleStanding, ruleName } from '../parts/rule-stage.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'

export function RulesPage() {
  return (
    <Guard permission="rules.read">
      <Rules />
    </Guard>
  )
}

function Rules() {
  const { t } = useTranslation()
  const may = useMay()
  const clauseWords = useClauseWords()
  const [adding, addModal] = useDisclosure()
  const list = useQuery({
    queryKey: ['rules', 'list'],
    queryFn: () => get<RuleList>('/api/rules'),
    refetchInterval: 15_000,
  })
  const columns: readonly Column<RuleSummary>[] = [
    {
      id: 'rule',
      title: t('rules.rule'),
      place: 'main',
      cell: (rule) => (
        <span>
          <strong>{ruleName(rule)}</strong> <span className="mono quiet">{rule.id}</span>
        </span>
      ),
      csv: ({ id }) => id,
    },
    {
      id: 'standing',
      title: t('rules.standing'),
      cell: (rule) => <RuleStanding rule={rule} />,
      csv: ({ live, trial, shadow, switch: { state } }) =>
        [
          ...(state === 'running' ? [] : [state]),
          ...[live, trial, shadow].flatMap((one) => (one ? [`v${one.version} ${one.stage} ${one.share}`] : [])),
        ].join(', '),
    },
    {
      id: 'fired',
      title: t('rules.fired'),
      right: true,
      cell: ({ counts }) => number(counts.fired),
      csv: ({ counts }) => counts.fired,
    },
    {
      id: 'sent',
      title: t('rules.sent'),
      right: true,
      cell: ({ counts }) => number(counts.sent),
      csv: ({ counts }) => counts.sent,
    },
    {
      id: 'held-out',
      title: t('rules.heldOut'),
      right: true,
      cell: ({ counts }) => number(counts.heldOut),
      csv: ({ counts }) => counts.heldOut,
    },
    {
      id: 'blocked',
      title: t('rules.blocked'),
      cell: ({ counts: { blocked, clauses } }) => (
        <span>
          {number(blocked.reduce((sum, { count }) => sum + count, 0))}
          {clauses.slice(0, 2).map(({ clause, count }) => (
            <span key={clause} className="quiet rule-clause" title={clause}>
              {clauseWords(clause)} {number(count)}
            </span>
          ))}
        </span>
      ),
      csv: ({ counts: { blocked } }) => blocked.map(({ code, count }) => `${code} ${count}`).join(', '),
    },
    {
      id: 'next',
      title: t('rules.next'),
      nowrap: true,
      cell: ({ schedule }) =>
        schedule?.next === undefined || schedule.next === null ? t('app.none') : dayHour(schedule.next),
      csv: ({ schedule }) => (schedule?.next ? new Date(schedule.next).toISOString() : null),
    },
    {
      id: 'see',
      title: t('rules.see'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: (rule) => (
        <Button
          component={Link}
          {...linkChanging({ item: rule.id })}
          size="compact-sm"
          variant="default"
          aria-label={t('rules.seeOf', { rule: ruleName(rule) })}
        >
          {t('rules.see')}
        </Button>
      ),
    },
  ]
  return (
    <Page
      title={t('rules.title')}
      about={t('rules.about', { days: list.data?.days ?? 7 })}
      at={list.dataUpdatedAt || undefined}
    >
      {list.data && <AllRules all={list.data.all} />}
      {may('rules.write') && (
        <div>
          <Button onClick={addModal.open}>{t('rules.new.open')}</Button>
        </div>
      )}
      <DataTable
        listing={listingOf(list)}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('rules.title')}
        file={t('rules.file')}
        empty={{ title: t('rules.empty'), text: t('rules.emptyText') }}
      />
      <RuleDrawer />
      {adding && <NewRuleDialog text="" onClose={addModal.close} />}
    </Page>
  )
}

/** The switch on everything: what it says now, who turned it and why. */
function AllRules({ all }: { all: RuleSwitch }) {
  const { t } = useTranslation()
  const may = useMay()
  return (
    <section className="card all-rules" aria-label={t('rules.ask.every')}>
      <div>
        <Badge tone={all.state === 'running' ? 'delivered' : all.state === 'killed' ? 'failed' : 'waiting'}>
          {t(`rules.all.${all.state}`)}
        </Badge>
        {all.at !== null && (
          <p className="quiet" style={{ margin: '0.25rem 0 0' }}>
            {t('rules.all.since', { actor: all.actor, time: dateTime(all.at), reason: all.reason })}
          </p>
        )}
      </div>
      {may('rules.write') && <SwitchActs id={ALL_RULES} name={t('rules.ask.every')} state={all.state} />}
    </section>
  )
}
