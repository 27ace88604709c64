import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { HubStatus, Pipeline } from '../../../schemas/admin.ts'
import { linkTo, useAddress, useChangeAddress } from '../address.ts'
import { get, withQuery } from '../api.ts'
import { compact, duration, number, share } from '../format.ts'
import { Sparkline } from '../parts/charts.tsx'
import { DestinationRows } from '../parts/destination-rows.tsx'
import { LivePanel } from '../parts/live-panel.tsx'
import { Page } from '../parts/page.tsx'
import { PipelineStrip } from '../parts/pipeline-strip.tsx'
import { SourceLines } from '../parts/source-lines.tsx'
import { Failure, Loading, useNow } from '../parts/states.tsx'
import { RANGES, rangeQuery } from '../range.ts'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'

export function NowPage() {
  const { t } = useTranslation()
  const may = useMay()
  const { range = '1h', step = 'consent' } = useAddress()
  const change = useChangeAddress()
  const everyMs = RANGES[range] <= RANGES['1h'] ? 5000 : 30_000
  const pipeline = useQuery({
    queryKey: ['pipeline', range],
    queryFn: () => get<Pipeline>(withQuery('/api/pipeline', rangeQuery(range))),
    refetchInterval: everyMs,
    enabled: may('overview.read'),
  })
  // The tiles always show the last hour by the minute, whatever period the strip shows.
  const hour = useQuery({
    queryKey: ['pipeline', '1h'],
    queryFn: () => get<Pipeline>(withQuery('/api/pipeline', rangeQuery('1h'))),
    refetchInterval: 5000,
    enabled: may('overview.read'),
  })
  const status = useQuery({
    queryKey: ['status'],
    queryFn: () => get<HubStatus>('/api/status'),
    refetchInterval: 5000,
    enabled: may('overview.read'),
  })

  return (
    <Guard permission="overview.read">
      <Page title={t('now.title')} at={pipeline.dataUpdatedAt || undefined}>
        {pipeline.error ? (
          <Failure error={pipeline.error} retry={() => void pipeline.refetch()} />
        ) : !pipeline.data ? (
          <div className="card">
            <Loading lines={6} />
          </div>
        ) : (
          <>
            <Tiles hour={hour.data} range={pipeline.data} status={status.data} />
            <PipelineStrip
              pipeline={pipeline.data}
              chosen={step}
              onChoose={(next) => change({ step: next }, { replace: true })}
            />
          </>
        )}
        <LivePanel />
        {pipeline.data && <SourceLines pipeline={pipeline.data} />}
        {may('connectors.read') && <DestinationRows />}
      </Page>
    </Guard>
  )
}

/** The last minute that is over: the one now running would look like a fall. It stands in while there is no other. */
function perMinute(values: readonly (number | null)[] | undefined): { value: number; running: boolean } {
  const full = values?.slice(0, -1).findLast((value) => value !== null)
  return full === undefined || full === null
    ? { value: values?.at(-1) ?? 0, running: true }
    : { value: full, running: false }
}

function Tiles({
  hour,
  range,
  status,
}: {
  hour: Pipeline | undefined
  range: Pipeline
  status: HubStatus | undefined
}) {
  const { t } = useTranslation()
  const now = useNow()
  const may = useMay()
  const steps = new Map(range.steps.map((step) => [step.step, step]))
  const count = (step: Pipeline['steps'][number]['step']) => steps.get(step)?.count ?? 0
  const late = status?.queue.oldestDueAt != null && status.queue.oldestDueAt < now ? now - status.queue.oldestDueAt : 0
  const line = (step: string) => hour?.series.steps[step]?.slice(0, -1) ?? []
  const received = perMinute(hour?.series.steps['received'])
  const delivered = perMinute(hour?.series.steps['delivered'])
  const minute = (running: boolean) => t(running ? 'now.tiles.runningMinute' : 'now.tiles.lastMinute')
  return (
    <div className="tiles">
      <Tile
        title={t('now.tiles.received')}
        value={compact(received.value)}
        note={minute(received.running)}
        tone="received"
        line={line('received')}
      />
      <Tile
        title={t('now.tiles.consent')}
        value={compact(count('consent'))}
        note={
          count('received') > 0
            ? t('now.tiles.ofEvents', { share: share(count('consent') / count('received')) })
            : t('now.tiles.inRange')
        }
        tone="consent"
        line={line('consent')}
      />
      <Tile
        title={t('now.tiles.delivered')}
        value={compact(delivered.value)}
        note={minute(delivered.running)}
        tone="delivered"
        line={line('delivered')}
      />
      <Tile
        title={t('now.tiles.failed')}
        value={compact(count('failed'))}
        note={
          count('created') > 0
            ? t('now.tiles.ofDeliveries', { share: share(count('failed') / count('created')) })
            : t('now.tiles.inRange')
        }
        tone="failed"
        line={line('failed')}
      />
      <div className="card tile">
        <h2>{t('now.tiles.queue')}</h2>
        <div className="tile-value">{status ? compact(status.queue.open) : t('app.none')}</div>
        <div className="tile-note">
          {status &&
            (status.queue.open === 0
              ? t('now.tiles.empty')
              : late > 1000
                ? t('now.tiles.oldest', { age: duration(late) })
                : t('now.tiles.onTime'))}
        </div>
        {status?.logBacklog !== null && status?.logBacklog !== undefined && status.logBacklog > 0 && (
          <div className="tile-note">{t('now.tiles.backlog', { value: number(status.logBacklog) })}</div>
        )}
        {may('deliveries.read') && status !== undefined && status.queue.dead > 0 && (
          <Button
            component={Link}
            {...linkTo('/deliveries', { status: 'dead' })}
            size="compact-xs"
            variant="default"
            mt="auto"
            style={{ alignSelf: 'start' }}
          >
            {number(status.queue.dead)} · {t('status.dead')}
          </Button>
        )}
      </div>
    </div>
  )
}

function Tile({
  title,
  value,
  note,
  tone,
  line,
}: {
  title: string
  value: string
  note: string
  tone: string
  line: readonly (number | null)[]
}) {
  const { t } = useTranslation()
  return (
    <div className="card tile" data-tone={tone}>
      <h2>{title}</h2>
      <div className="tile-value">{value}</div>
      <div className="tile-note">{note}</div>
      <Sparkline values={line} label={`${title}, ${t('range.1h')}`} />
    </div>
  )
}
