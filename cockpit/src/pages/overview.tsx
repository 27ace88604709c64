/** Panorama: what the encarregado must not miss, each with the way to the screen that mends it. */
import { Alert, Button, CopyButton } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Propagation, Unlock } from '../../../schemas/consent-reports.ts'
import type { Drift, Incident } from '../../../schemas/records.ts'
import type { RequestPage } from '../../../schemas/requests.ts'
import type { RetentionOverview } from '../../../schemas/retention.ts'
import { linkTo, type Place } from '../address.ts'
import { get, withQuery } from '../api.ts'
import { ago, dateTime, duration, number, share } from '../format.ts'
import { ledgerQuery } from '../ledger.ts'
import { listingOf } from '../listing.ts'
import { ClockLine } from '../parts/clock-line.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Badge } from '../parts/exit-badge.tsx'
import { Page } from '../parts/page.tsx'
import { Failure, Loading, useNow } from '../parts/states.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'
import { told } from '../words.ts'

export function OverviewPage() {
  return (
    <Guard permission="ledger.read">
      <Overview />
    </Guard>
  )
}

function Overview() {
  const { t } = useTranslation()
  const may = useMay()
  return (
    <Page title={t('overview.title')} about={t('overview.about')}>
      <div className="tiles four">
        {may('requests.read') && <RequestsTile />}
        <Anchoring />
        {may('incidents.read') && <Clocks />}
        {may('records.read') && <DriftTile />}
        {may('retention.read') && <RetentionTile />}
      </div>
      <Withdrawals />
      <Unknown />
    </Page>
  )
}

/** One thing to know, how it stands, and where to act on it. */
function Tile({
  title,
  query,
  to,
  state,
  children,
}: {
  title: string
  query: { readonly data: unknown; readonly error: unknown; refetch(): unknown }
  to: Place
  state: 'well' | 'look' | undefined
  children: ReactNode
}) {
  const { t } = useTranslation()
  return (
    <section className="card tile" data-warn={state === 'look' || undefined} aria-label={title}>
      <h2>{title}</h2>
      {query.error ? (
        <Failure error={query.error} retry={() => void query.refetch()} />
      ) : query.data === undefined ? (
        <Loading lines={2} />
      ) : (
        children
      )}
      <div style={{ marginTop: 'auto', display: 'flex', gap: '0.5rem', alignItems: 'center', flexWrap: 'wrap' }}>
        {state !== undefined && (
          <Badge tone={state === 'well' ? 'delivered' : 'quarantined'}>{t(`overview.${state}`)}</Badge>
        )}
        <Link className="link" {...linkTo(to)}>
          {t('overview.see')}
          <span className="visually-hidden">: {title}</span>
        </Link>
      </div>
    </section>
  )
}

/** Deadlines of the statute first: they never move. */
function RequestsTile() {
  const { t } = useTranslation()
  const requests = useQuery({
    queryKey: ['requests', 'counts'],
    queryFn: () => get<RequestPage>(withQuery('/api/requests', { state: 'open', limit: '1' })),
    refetchInterval: 30_000,
  })
  const counts = requests.data?.counts
  return (
    <Tile
      title={t('requests.title')}
      query={requests}
      to="/privacy/requests"
      state={counts && (counts.overdue + counts.dueIn3Days > 0 ? 'look' : 'well')}
    >
      <div className="fact-value">{t('overview.openRequests', { count: counts?.open ?? 0 })}</div>
      <div className="tile-note">
        {counts && t('overview.requestClocks', { overdue: number(counts.overdue), soon: number(counts.dueIn3Days) })}
      </div>
    </Tile>
  )
}

function Anchoring() {
  const { t } = useTranslation()
  const now = useNow(10_000)
  const ledger = useQuery(ledgerQuery)
  const { data } = ledger
  const problems = data?.problems.length ?? 0
  return (
    <Tile
      title={t('overview.ledger')}
      query={ledger}
      to="/privacy/ledger"
      state={data && (problems > 0 || data.unanchoredSince !== null ? 'look' : 'well')}
    >
      <div className="fact-value">
        {data?.unanchoredSince === null
          ? t('ledger.standing.allCovered')
          : data && t('overview.unanchored', { age: ago(data.unanchoredSince, now) })}
      </div>
      <div className="tile-note">
        {data &&
          (problems > 0
            ? t(`ledger.problem.${data.problems[0]!.what}`)
            : data.checkpoint
              ? t('overview.signed', { age: ago(data.checkpoint.at, now), size: number(data.checkpoint.size) })
              : t('ledger.standing.first'))}
      </div>
    </Tile>
  )
}

function Clocks() {
  const { t } = useTranslation()
  const incidents = useQuery({
    queryKey: ['incidents'],
    queryFn: () => get<{ items: Incident[] }>('/api/incidents'),
    refetchInterval: 60_000,
  })
  const clocks = incidents.data?.items
    .filter(({ state }) => state !== 'closed')
    .flatMap(({ id, clocks: own }) => own.filter(({ done }) => done === null).map((clock) => ({ id, clock })))
    .sort((a, b) => (a.clock.due < b.clock.due ? -1 : 1))
  return (
    <Tile
      title={t('overview.incidents')}
      query={incidents}
      to="/privacy/incidents"
      state={clocks && (clocks.length > 0 ? 'look' : 'well')}
    >
      {clocks?.length === 0 ? (
        <div className="fact-value">{t('overview.noClocks')}</div>
      ) : (
        <ul className="plain spaced">
          {clocks?.slice(0, 3).map(({ id, clock }) => (
            <ClockLine key={`${id} ${clock.what}`} clock={clock} />
          ))}
        </ul>
      )}
    </Tile>
  )
}

function DriftTile() {
  const { t } = useTranslation()
  const drift = useQuery({
    queryKey: ['drift'],
    queryFn: () => get<{ items: Drift[] }>('/api/drift'),
    refetchInterval: 60_000,
  })
  const items = drift.data?.items.filter(({ kind }) => kind !== 'declared_never_observed')
  const first = items?.[0]
  return (
    <Tile
      title={t('overview.drift')}
      query={drift}
      to="/privacy/records"
      state={items && (items.length > 0 ? 'look' : 'well')}
    >
      <div className="fact-value">{t('overview.differences', { count: items?.length ?? 0 })}</div>
      <div className="tile-note">
        {first && `${t(`records.drift.kinds.${first.kind}`)}: `}
        {first && <span className="mono">{first.subject}</span>}
      </div>
    </Tile>
  )
}

function RetentionTile() {
  const { t } = useTranslation()
  const retention = useQuery({
    queryKey: ['retention'],
    queryFn: () => get<RetentionOverview>('/api/retention'),
    refetchInterval: 60_000,
  })
  const waiting = retention.data?.policies.filter(({ state }) => state !== 'approved').length
  const errors = retention.data?.findings.filter(({ severity }) => severity === 'error').length ?? 0
  return (
    <Tile
      title={t('overview.retention')}
      query={retention}
      to="/privacy/retention"
      state={waiting === undefined ? undefined : waiting > 0 || errors > 0 ? 'look' : 'well'}
    >
      <div className="fact-value">{t('overview.policiesWaiting', { count: waiting ?? 0 })}</div>
      <div className="tile-note">{errors > 0 && t('overview.policyErrors', { count: errors })}</div>
    </Tile>
  )
}

/** What nobody answered costs, and the sentence that would change it. */
function Unknown() {
  const { t } = useTranslation()
  const unlock = useQuery({
    queryKey: ['consent', 'unlock'],
    queryFn: () => get<Unlock>('/api/consent/unlock'),
    refetchInterval: 30_000,
  })
  return (
    <section className="stack" aria-labelledby="unknown-title">
      <h2 id="unknown-title" className="section-title" style={{ margin: 0 }}>
        {t('overview.unknown.title')} <small className="quiet section-note">{t('overview.unknown.about')}</small>
      </h2>
      {unlock.error ? (
        <Failure error={unlock.error} retry={() => void unlock.refetch()} />
      ) : !unlock.data ? (
        <div className="card">
          <Loading lines={4} />
        </div>
      ) : unlock.data.items.length === 0 ? (
        <Alert variant="outline">{t('overview.unknown.none')}</Alert>
      ) : (
        <Gaps items={unlock.data.items} />
      )}
    </section>
  )
}

type Gap = Unlock['items'][number]
const GAPS_SHOWN = 3

/** One card per source and reason: one cause, whatever number of purposes it stops. */
function Gaps({ items }: { items: readonly Gap[] }) {
  const { t } = useTranslation()
  const [all, setAll] = useState(false)
  const causes = [...Map.groupBy(items, ({ source, reason }) => `${source} ${reason}`).values()]
  const hidden = all ? 0 : Math.max(0, causes.length - GAPS_SHOWN)
  return (
    <>
      <ul className="plain stack">
        {causes.slice(0, causes.length - hidden).map((gaps) => (
          <Cause key={`${gaps[0]!.source} ${gaps[0]!.reason}`} gaps={gaps} />
        ))}
      </ul>
      {hidden > 0 && (
        <div>
          <Button variant="default" size="xs" onClick={() => setAll(true)}>
            {t('overview.unknown.more', { count: hidden })}
          </Button>
        </div>
      )}
    </>
  )
}

function Cause({ gaps }: { gaps: readonly Gap[] }) {
  const { t } = useTranslation()
  const most = gaps[0]!
  return (
    <li className="card unlock">
      <div>
        <div className="tile-value">{number(most.people)}</div>
        <div className="tile-note">{t('overview.unknown.people', { count: most.people })}</div>
        <div className="tile-note">
          {t('overview.unknown.events', { share: share(Math.max(...gaps.map((gap) => gap.share))) })}
        </div>
      </div>
      <div style={{ minWidth: 0 }}>
        <h3>{most.source}</h3>
        <p style={{ margin: '0 0 0.5rem' }}>
          {told(most.sentence)} {most.sample !== null && <span className="mono quiet">{most.sample}</span>}
        </p>
        {gaps.map((gap, index) => (
          <details key={gap.purpose} open={index === 0}>
            <summary>
              {told(gap.title)} <span className="quiet">{t('overview.unknown.each', { count: gap.people })}</span>
            </summary>
            <blockquote className="remedy">{told(gap.remedy)}</blockquote>
            <CopyButton value={told(gap.remedy)}>
              {({ copied, copy }) => (
                <Button
                  size="compact-sm"
                  variant="default"
                  leftSection={copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
                  onClick={copy}
                >
                  {t(copied ? 'app.copied' : 'overview.unknown.copy')}
                </Button>
              )}
            </CopyButton>
          </details>
        ))}
      </div>
    </li>
  )
}

type Tool = Propagation['tools'][number]

function Withdrawals() {
  const { t } = useTranslation()
  const propagation = useQuery({
    queryKey: ['consent', 'propagation'],
    queryFn: () => get<Propagation>('/api/consent/propagation'),
    refetchInterval: 15_000,
  })
  const count = (id: string, title: string, of: (tool: Tool) => number): Column<Tool> => ({
    id,
    title,
    right: true,
    cell: (tool) => number(of(tool)),
    csv: of,
  })
  const lag = (id: string, title: string, of: (tool: Tool) => number | null): Column<Tool> => ({
    id,
    title,
    right: true,
    cell: (tool) => {
      const ms = of(tool)
      return ms === null ? <span className="quiet">{t('app.none')}</span> : duration(ms)
    },
    csv: of,
  })
  const columns: readonly Column<Tool>[] = [
    {
      id: 'destination',
      title: t('deliveries.destination'),
      place: 'main',
      cell: ({ destination }) => <strong>{destination}</strong>,
      csv: ({ destination }) => destination,
    },
    count('withdrawals', t('overview.withdrawals.all'), ({ withdrawals }) => withdrawals),
    count('confirmed', t('overview.withdrawals.confirmed'), ({ confirmed }) => confirmed),
    count('waiting', t('overview.withdrawals.waiting'), ({ waiting }) => waiting),
    {
      ...count('failed', t('overview.withdrawals.failed'), ({ failed }) => failed),
      cell: ({ failed }) =>
        failed === 0 ? number(0) : <Badge tone="failed">{t('overview.withdrawals.byHand', { count: failed })}</Badge>,
    },
    count('noCall', t('overview.withdrawals.noCall'), ({ noCall }) => noCall),
    lag('p50', t('overview.withdrawals.p50'), ({ p50Ms }) => p50Ms),
    lag('p99', t('overview.withdrawals.p99'), ({ p99Ms }) => p99Ms),
  ]
  const oldest = propagation.data?.recent.filter(({ state }) => state === 'waiting').at(-1)
  return (
    <section aria-labelledby="withdrawals-title">
      <h2 id="withdrawals-title" className="section-title">
        {t('overview.withdrawals.title')}{' '}
        <small className="quiet section-note">
          {t('overview.withdrawals.about')}
          {oldest && ` ${t('overview.withdrawals.oldest', { time: dateTime(oldest.receivedAt) })}`}
        </small>
      </h2>
      <DataTable
        listing={listingOf({ ...propagation, data: propagation.data && { items: propagation.data.tools } })}
        columns={columns}
        rowKey={({ destination }) => destination}
        label={t('overview.withdrawals.title')}
        file={t('overview.withdrawals.file')}
        empty={{ title: t('overview.withdrawals.none'), text: t('overview.withdrawals.noneText') }}
      />
    </section>
  )
}
