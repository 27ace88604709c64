/** "Testar no passado": a range, how far it is, and what the rule would have done. */
import { Button, NativeSelect, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { BacktestDetail, BacktestJob, BacktestJobs, BacktestRequest } from '../../../schemas/backtest.ts'
import { get, post } from '../api.ts'
import { date, dateTime, dayOf, dayRange, number } from '../format.ts'
import { useMay } from '../session.ts'
import { BacktestReportView } from './backtest-report.tsx'
import { Failure } from './states.tsx'

const DAY_MS = 86_400_000
const LATELY = [7, 30, 90] as const
const EVERY_MS = 700

export function BacktestPanel({
  wanted,
  standing,
  before,
}: {
  /** `rule`: id@version of one that was added; `text`: as it stands in the editor. */
  wanted: { readonly rule: string } | { readonly text: string }
  /** For whom it is published, in words, where that is not everybody: it may be tried on them alone. */
  standing?: string | undefined
  /** Looks the text through first. @returns whether it can be tried. */
  before?: () => Promise<boolean>
}) {
  const { t } = useTranslation()
  const may = useMay()
  const queries = useQueryClient()
  const panel = useRef<HTMLDivElement>(null)
  const [lately, setLately] = useState('30')
  const [share, setShare] = useState<'all' | 'live'>('all')
  const [from, setFrom] = useState(() => dayOf(Date.now() - 29 * DAY_MS))
  const [until, setUntil] = useState(() => dayOf(Date.now()))
  const [started, setStarted] = useState<{ readonly id: string; readonly text: string | undefined }>()
  const list = useQuery({
    queryKey: ['backtests', 'list'],
    queryFn: () => get<BacktestJobs>('/api/backtests'),
    refetchInterval: ({ state }) => (state.data?.items.some(isRunning) ? EVERY_MS : 15_000),
  })
  const jobs = list.data?.items ?? []
  // What somebody asked of this very version is shown without asking again.
  const mine = started?.id ?? ('rule' in wanted ? jobs.find(({ rule }) => rule === wanted.rule)?.id : undefined)
  const detail = useQuery({
    queryKey: ['backtests', 'one', mine],
    queryFn: () => get<BacktestDetail>(`/api/backtests/${mine}`),
    enabled: mine !== undefined,
    refetchInterval: ({ state }) => (state.data && !isRunning(state.data.job) ? false : EVERY_MS),
  })
  const job = detail.data?.job
  const other = jobs.find((one) => isRunning(one) && one.id !== mine)
  const seen = () => queries.invalidateQueries({ queryKey: ['backtests'] })
  const start = useMutation({
    mutationFn: async (): Promise<BacktestJob | undefined> => {
      if (before && !(await before())) return undefined
      const range =
        lately === 'days'
          ? dayRange(from, until)
          : dayRange(dayOf(Date.now() - (Number(lately) - 1) * DAY_MS), undefined)
      return post<BacktestJob>('/api/backtests', {
        ...wanted,
        ...range,
        ...(share === 'live' && { share }),
      } satisfies BacktestRequest)
    },
    onSuccess: (made) => {
      if (!made) return
      setStarted({ id: made.id, text: 'text' in wanted ? wanted.text : undefined })
      panel.current?.scrollIntoView({ block: 'start' })
    },
    onSettled: seen,
  })
  const cancel = useMutation({
    mutationFn: (id: string) => post<BacktestJob>(`/api/backtests/${id}/cancel`),
    onSuccess: () => start.reset(),
    onSettled: seen,
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    start.mutate()
  }
  return (
    <div className="backtest" ref={panel}>
      <p style={{ margin: '0 0 0.75rem' }}>{t('rules.backtest.text')}</p>
      {may('rules.write') && (
        <form className="backtest-ask" onSubmit={submit}>
          <NativeSelect
            size="xs"
            label={t('rules.backtest.range')}
            value={lately}
            data={[
              ...LATELY.map((days) => ({ value: String(days), label: t('rules.backtest.last', { days }) })),
              { value: 'days', label: t('rules.backtest.choose') },
            ]}
            onChange={(event) => setLately(event.currentTarget.value)}
          />
          {lately === 'days' && (
            <>
              <TextInput
                size="xs"
                type="date"
                required
                withAsterisk={false}
                label={t('table.from')}
                max={until}
                value={from}
                onChange={(event) => setFrom(event.currentTarget.value)}
              />
              <TextInput
                size="xs"
                type="date"
                required
                withAsterisk={false}
                label={t('table.until')}
                min={from}
                max={dayOf(Date.now())}
                value={until}
                onChange={(event) => setUntil(event.currentTarget.value)}
              />
            </>
          )}
          {standing !== undefined && (
            <NativeSelect
              size="xs"
              label={t('rules.backtest.share')}
              value={share}
              data={[
                { value: 'all', label: t('rules.backtest.everybody') },
                { value: 'live', label: t('rules.backtest.standing', { stage: standing }) },
              ]}
              onChange={(event) => setShare(event.currentTarget.value === 'live' ? 'live' : 'all')}
            />
          )}
          <Button size="xs" type="submit" loading={start.isPending} disabled={job !== undefined && isRunning(job)}>
            {t('rules.backtest.run')}
          </Button>
        </form>
      )}
      {other && !(job && isRunning(job)) && (
        <Progress job={other} words={t('rules.backtest.other')} cancel={() => cancel.mutate(other.id)} />
      )}
      {start.error && (
        <div style={{ marginTop: '0.75rem' }}>
          <Failure error={start.error} title={t('rules.backtest.notStarted')} />
        </div>
      )}
      {detail.error && <Failure error={detail.error} />}
      {job && isRunning(job) && (
        <Progress job={job} words={t('rules.backtest.running')} cancel={() => cancel.mutate(job.id)} />
      )}
      <p role="status" style={{ margin: '0.75rem 0 0' }}>
        {job && !isRunning(job) && job.status !== 'failed' && (
          <span className="quiet">
            {t(job.status === 'done' ? 'rules.backtest.done' : 'rules.backtest.cancelled', {
              from: date(Date.parse(job.from)),
              to: date(Date.parse(job.to)),
              time: dateTime(Date.parse(job.endedAt ?? job.startedAt)),
            })}
          </span>
        )}
      </p>
      {started?.text !== undefined && 'text' in wanted && started.text !== wanted.text && (
        <p className="remedy">{t('rules.backtest.changed')}</p>
      )}
      {job?.status === 'failed' && (
        <div role="alert" className="remedy" data-wrong>
          <strong>{t('rules.backtest.failed')}</strong> {job.error}
        </div>
      )}
      {detail.data?.report && <BacktestReportView report={detail.data.report} />}
    </div>
  )
}

const isRunning = ({ status }: BacktestJob) => status === 'running'

function Progress({ job, words, cancel }: { job: BacktestJob; words: string; cancel: () => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const { done, total } = job.people
  return (
    <div className="backtest-run">
      <span>
        {words}{' '}
        <span className="quiet">
          {total === null
            ? t('rules.backtest.counting')
            : t('rules.backtest.of', { done: number(done), total: number(total) })}
        </span>
      </span>
      <progress aria-label={words} {...(total !== null && { max: Math.max(1, total), value: done })} />
      {may('rules.write') && (
        <div>
          <Button size="xs" variant="default" onClick={cancel}>
            {t('rules.backtest.cancel')}
          </Button>
        </div>
      )}
    </div>
  )
}
