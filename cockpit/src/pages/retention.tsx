import { Alert, Button, Checkbox } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type {
  RetentionOverview,
  RetentionPlan,
  RetentionPlanItem,
  RetentionPolicyView,
  RetentionRun,
  RunAnswer,
} from '../../../schemas/retention.ts'
import { get, post } from '../api.ts'
import { date, dateTime, number } from '../format.ts'
import { listingOf } from '../listing.ts'
import { Confirm } from '../parts/confirm.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Badge, type Tone } from '../parts/exit-badge.tsx'
import { Holds } from '../parts/holds.tsx'
import { Page } from '../parts/page.tsx'
import { Failure, Loading } from '../parts/states.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'
import { period, told } from '../words.ts'

export function RetentionPage() {
  return (
    <Guard permission="retention.read">
      <Retention />
    </Guard>
  )
}

const STATE_TONE: Record<RetentionPolicyView['state'], Tone> = {
  approved: 'delivered',
  new: 'waiting',
  changed: 'quarantined',
  unusual: 'failed',
}

function Retention() {
  const { t } = useTranslation()
  const may = useMay()
  const overview = useQuery({
    queryKey: ['retention'],
    queryFn: () => get<RetentionOverview>('/api/retention'),
    refetchInterval: 15_000,
  })
  const { data } = overview
  return (
    <Page title={t('retention.title')} about={t('retention.about')} at={overview.dataUpdatedAt || undefined}>
      {overview.error ? (
        <Failure error={overview.error} retry={() => void overview.refetch()} />
      ) : !data ? (
        <div className="card">
          <Loading lines={8} />
        </div>
      ) : (
        <>
          {data.findings.map((finding) => (
            <Alert
              key={`${finding.code} ${finding.path}`}
              color={finding.severity === 'error' ? 'red' : 'yellow'}
              variant="outline"
              title={t(`retention.severity.${finding.severity}`)}
            >
              {told(finding.message)} <span className="mono">{finding.path}</span>
            </Alert>
          ))}
          <Policies overview={data} refetch={() => void overview.refetch()} />
          {may('retention.write') && <Plan latest={data.latestPlan} />}
          <Runs runs={data.runs} />
          <Holds holds={data.holds} />
          <section className="card" aria-labelledby="places-title">
            <details>
              <summary style={{ margin: 0 }}>
                <h2 id="places-title" className="section-title" style={{ display: 'inline' }}>
                  {t('retention.places')}
                </h2>
              </summary>
              <div className="scroll" style={{ marginTop: '0.75rem' }}>
                <table className="rows stacks">
                  <thead>
                    <tr>
                      <th scope="col">{t('retention.place')}</th>
                      <th scope="col">{t('retention.holds')}</th>
                      <th scope="col">{t('retention.key')}</th>
                      <th scope="col">{t('retention.clock')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {data.places.map(({ place, holds, key, clock }) => (
                      <tr key={place}>
                        <td data-place="main" className="mono">
                          {place}
                        </td>
                        <td data-label={t('retention.holds')}>{told(holds)}</td>
                        <td data-label={t('retention.key')}>{told(key)}</td>
                        <td data-label={t('retention.clock')}>{told(clock)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            </details>
          </section>
        </>
      )}
    </Page>
  )
}

function Policies({ overview, refetch }: { overview: RetentionOverview; refetch: () => void }) {
  const { t } = useTranslation()
  const columns: readonly Column<RetentionPolicyView>[] = [
    {
      id: 'class',
      title: t('retention.class'),
      place: 'main',
      cell: ({ policy, origin }) => (
        <span>
          <strong>{t(`retention.classes.${policy.class}`)}</strong>{' '}
          <span className="quiet">
            {[policy.purpose, origin === 'config' && t('retention.own')].filter(Boolean).join(' · ')}
          </span>
        </span>
      ),
      csv: ({ id }) => id,
    },
    {
      id: 'period',
      title: t('retention.period'),
      cell: ({ policy }) => (
        <span>
          {period(policy.period)} <span className="quiet">{t(`retention.triggers.${policy.trigger}`)}</span>
        </span>
      ),
      csv: ({ policy }) => `${policy.period} ${policy.trigger}`,
    },
    {
      id: 'action',
      title: t('retention.action'),
      cell: ({ policy }) => t(`retention.actions.${policy.action}`),
      csv: ({ policy }) => policy.action,
    },
    {
      id: 'ground',
      title: t('retention.ground'),
      cell: ({ policy }) => (
        <span title={policy.reason}>
          {policy.ground === 'processing'
            ? t('retention.processing')
            : t('retention.article', { article: policy.ground })}
        </span>
      ),
      csv: ({ policy }) => policy.ground,
    },
    {
      id: 'state',
      title: t('retention.state'),
      place: 'state',
      cell: ({ state }) => (
        <Badge tone={STATE_TONE[state]} title={t(`retention.stateHint.${state}`)}>
          {t(`retention.states.${state}`)}
        </Badge>
      ),
      csv: ({ state }) => state,
    },
    {
      id: 'approved',
      title: t('retention.approved'),
      cell: ({ approvedAt, approvedCount }) =>
        approvedAt === null ? (
          <span className="quiet">{t('app.none')}</span>
        ) : (
          <span>
            {date(approvedAt)}{' '}
            {approvedCount !== null && (
              <span className="quiet">{t('retention.withCount', { value: number(approvedCount) })}</span>
            )}
          </span>
        ),
      csv: ({ approvedAt }) => (approvedAt === null ? null : new Date(approvedAt).toISOString()),
    },
  ]
  return (
    <section aria-labelledby="policies-title">
      <h2 id="policies-title" className="section-title">
        {t('retention.policies')} <small className="quiet section-note">{told(overview.unusualRule)}</small>
      </h2>
      <DataTable
        listing={{ rows: overview.policies, error: undefined, at: undefined, retry: refetch }}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('retention.policies')}
        file={t('retention.file')}
        empty={{ title: t('retention.noPolicies'), text: t('retention.noPoliciesText') }}
      />
    </section>
  )
}

/** Counts first, then the approval of exactly those counts, by the hash of the plan. */
function Plan({ latest }: { latest: RetentionPlan | null }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [asking, setAsking] = useState(false)
  const again = () => void queries.invalidateQueries({ queryKey: ['retention'] })
  const make = useMutation({
    mutationFn: () => post<RetentionPlan>('/api/retention/plan'),
    onSuccess: (plan) => setChosen(new Set(plan.items.map(({ policyId }) => policyId))),
  })
  const plan = make.data ?? latest
  const approve = useMutation({
    mutationFn: (body: { hash: string; policies: string[] }) => post('/api/retention/approve', body),
    onSettled: again,
  })
  const run = useMutation({ mutationFn: () => post<RunAnswer>('/api/retention/run', {}), onSettled: again })
  const toggle = (id: string) => {
    const next = new Set(chosen)
    if (!next.delete(id)) next.add(id)
    setChosen(next)
  }
  const columns: readonly Column<RetentionPlanItem>[] = [
    ...(make.data
      ? [
          {
            id: 'choose',
            title: t('retention.choose'),
            hiddenTitle: true,
            cell: ({ policyId }: RetentionPlanItem) => (
              <Checkbox
                aria-label={t('retention.chooseOf', { id: policyId })}
                checked={chosen.has(policyId)}
                onChange={() => toggle(policyId)}
              />
            ),
          },
        ]
      : []),
    {
      id: 'policy',
      title: t('retention.class'),
      place: 'main',
      cell: (item) => (
        <span>
          <strong>{t(`retention.classes.${item.class}`)}</strong> <span className="mono quiet">{item.policyId}</span>
        </span>
      ),
      csv: ({ policyId }) => policyId,
    },
    {
      id: 'action',
      title: t('retention.action'),
      cell: (item) => t(`retention.actions.${item.action}`),
      csv: ({ action }) => action,
    },
    {
      id: 'count',
      title: t('retention.due'),
      right: true,
      cell: ({ count, unusual }) => (
        <span>
          {number(count)} {unusual && <Badge tone="failed">{t('retention.states.unusual')}</Badge>}
        </span>
      ),
      csv: ({ count }) => count,
    },
    {
      id: 'people',
      title: t('retention.people'),
      right: true,
      cell: ({ people }) => number(people),
      csv: ({ people }) => people,
    },
    {
      id: 'oldest',
      title: t('retention.oldest'),
      cell: ({ oldest }) => (oldest === null ? <span className="quiet">{t('app.none')}</span> : date(oldest)),
      csv: ({ oldest }) => (oldest === null ? null : new Date(oldest).toISOString()),
    },
    {
      id: 'held',
      title: t('retention.held'),
      right: true,
      cell: ({ held, holds }) => <span title={holds.join(', ')}>{number(held)}</span>,
      csv: ({ held }) => held,
    },
  ]
  return (
    <section aria-labelledby="plan-title" className="stack">
      <div className="card-head" style={{ margin: 0 }}>
        <h2 id="plan-title">{t('retention.plan')}</h2>
        <span className="quiet">
          {plan === null
            ? t('retention.noPlan')
            : plan.approvedAt === null
              ? t('retention.planAt', { time: dateTime(plan.at) })
              : t('retention.planApproved', { time: dateTime(plan.approvedAt) })}
        </span>
        <div className="end">
          <Button size="xs" variant="default" loading={run.isPending} onClick={() => run.mutate()}>
            {t('retention.run')}
          </Button>
          <Button size="xs" loading={make.isPending} onClick={() => make.mutate()}>
            {t('retention.makePlan')}
          </Button>
        </div>
      </div>
      {(make.error ?? approve.error ?? run.error) && <Failure error={make.error ?? approve.error ?? run.error} />}
      <div role="status" className="collapses">
        {approve.isSuccess && <Alert variant="outline">{t('retention.approvedText')}</Alert>}
        {run.data && (
          <Alert variant="outline">
            {t('retention.started', {
              started: number(run.data.started.length),
              waiting: number(run.data.waiting.length),
            })}
          </Alert>
        )}
      </div>
      {plan !== null && (
        <DataTable
          listing={{ rows: plan.items, error: undefined, at: plan.at, retry: () => make.mutate() }}
          columns={columns}
          rowKey={({ policyId }) => policyId}
          label={t('retention.plan')}
          file={t('retention.planFile')}
          empty={{ title: t('retention.nothingDue'), text: t('retention.nothingDueText') }}
        />
      )}
      {make.data && make.data.items.length > 0 && (
        <div>
          <Button disabled={chosen.size === 0} loading={approve.isPending} onClick={() => setAsking(true)}>
            {t('retention.approve', { count: chosen.size })}
          </Button>
        </div>
      )}
      <Confirm
        opened={asking}
        onClose={() => setAsking(false)}
        title={t('retention.approveTitle')}
        text={t('retention.approveAsk')}
        act={t('retention.approveGo')}
        go={() => make.data && approve.mutate({ hash: make.data.hash, policies: [...chosen] })}
      />
    </section>
  )
}

function Runs({ runs }: { runs: readonly RetentionRun[] }) {
  const { t } = useTranslation()
  const columns: readonly Column<RetentionRun>[] = [
    {
      id: 'started',
      title: t('retention.started_at'),
      sort: 'descending',
      nowrap: true,
      cell: ({ startedAt }) => dateTime(startedAt),
      csv: ({ startedAt }) => new Date(startedAt).toISOString(),
    },
    {
      id: 'class',
      title: t('retention.class'),
      place: 'main',
      cell: (run) => (
        <span>
          <strong>{t(`retention.classes.${run.class}`)}</strong> <span className="mono quiet">{run.policyId}</span>
        </span>
      ),
      csv: ({ policyId }) => policyId,
    },
    {
      id: 'state',
      title: t('retention.state'),
      place: 'state',
      cell: ({ state }) => (
        <Badge tone={state === 'done' ? 'delivered' : state === 'running' ? 'rule' : 'failed'}>
          {t(`retention.runStates.${state}`)}
        </Badge>
      ),
      csv: ({ state }) => state,
    },
    {
      id: 'done',
      title: t('retention.doneOf'),
      right: true,
      cell: ({ done, due }) => `${number(done)} / ${number(due)}`,
      csv: ({ done }) => done,
    },
    {
      id: 'held',
      title: t('retention.held'),
      right: true,
      cell: ({ held }) => number(held),
      csv: ({ held }) => held,
    },
    {
      id: 'remaining',
      title: t('retention.verified'),
      cell: ({ remaining }) =>
        remaining === null ? (
          <span className="quiet">{t('app.none')}</span>
        ) : (
          t(remaining === 0 ? 'retention.nothingLeft' : 'retention.somethingLeft', { value: number(remaining) })
        ),
      csv: ({ remaining }) => remaining,
    },
  ]
  return (
    <section aria-labelledby="runs-title">
      <h2 id="runs-title" className="section-title">
        {t('retention.runs')}
      </h2>
      <DataTable
        listing={listingOf({ data: { items: runs }, error: null, dataUpdatedAt: 0, refetch: () => undefined })}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('retention.runs')}
        file={t('retention.runsFile')}
        empty={{ title: t('retention.noRuns'), text: t('retention.noRunsText') }}
      />
    </section>
  )
}
