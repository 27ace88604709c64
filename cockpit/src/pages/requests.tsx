import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { RequestGroup, RequestPage, RequestState, RequestSummary } from '../../../schemas/requests.ts'
import { linkChanging, useAddress, useChangeAddress } from '../address.ts'
import { get, withQuery } from '../api.ts'
import { date, number } from '../format.ts'
import { usePages } from '../listing.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Badge } from '../parts/exit-badge.tsx'
import { FilterBar, FilterSelect } from '../parts/filters.tsx'
import { ImportRequestsDialog } from '../parts/import-requests.tsx'
import { NewRequestDialog } from '../parts/new-request.tsx'
import { Page } from '../parts/page.tsx'
import { RequestClockBadge } from '../parts/request-clock.tsx'
import { RequestDrawer } from '../parts/request-drawer.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'
import { RIGHTS } from '../rights.ts'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'
import { told } from '../words.ts'

export function RequestsPage() {
  return (
    <Guard permission="requests.read">
      <Board />
    </Guard>
  )
}

/** What somebody has to do next, from left to right. */
const LANES: readonly {
  readonly id: 'identity' | 'prepare' | 'approval' | 'executing'
  readonly states: readonly RequestState[]
}[] = [
  { id: 'identity', states: ['received', 'identity'] },
  { id: 'prepare', states: ['acknowledged', 'collecting'] },
  { id: 'approval', states: ['approval'] },
  { id: 'executing', states: ['executing', 'partially_done'] },
]

function Board() {
  const { t } = useTranslation()
  const may = useMay()
  const set = useChangeAddress()
  const { right, group } = useAddress()
  const [opening, openModal] = useDisclosure()
  const [importing, importModal] = useDisclosure()
  const open = useQuery({
    queryKey: ['requests', 'open', right, group],
    queryFn: () => get<RequestPage>(withQuery('/api/requests', { state: 'open', right, group, limit: '200' })),
    refetchInterval: 15_000,
  })
  return (
    <Page title={t('requests.title')} about={t('requests.about')} at={open.dataUpdatedAt || undefined}>
      <FilterBar
        clear={
          right === undefined && group === undefined ? undefined : () => set({ right: undefined, group: undefined })
        }
        end={
          may('requests.write') && (
            <>
              <Button variant="default" onClick={importModal.open}>
                {t('requests.import.open')}
              </Button>
              <Button onClick={openModal.open}>{t('requests.enter')}</Button>
            </>
          )
        }
      >
        <FilterSelect
          label={t('requests.right')}
          all={t('deliveries.all')}
          value={right}
          options={RIGHTS.map((value) => ({ value, label: t(`requests.rights.${value}`) }))}
          onChange={(value) => set({ right: value })}
        />
        {open.data && (
          <p className="quiet" style={{ margin: 0 }}>
            {t('requests.counts', {
              open: number(open.data.counts.open),
              overdue: number(open.data.counts.overdue),
              soon: number(open.data.counts.dueIn3Days),
            })}
          </p>
        )}
      </FilterBar>
      {open.data && <Groups groups={open.data.groups} chosen={group} />}
      {open.error ? (
        <Failure error={open.error} retry={() => void open.refetch()} />
      ) : !open.data ? (
        <div className="card">
          <Loading lines={5} />
        </div>
      ) : open.data.items.length === 0 ? (
        <div className="card">
          <Empty title={t('requests.none')} text={t('requests.noneText')} />
        </div>
      ) : (
        <div className="board">
          {LANES.map(({ id, states }) => (
            <Lane
              key={id}
              id={id}
              items={open.data.items
                .filter(({ state }) => states.includes(state))
                .sort((a, b) => (a.dueAt ?? Infinity) - (b.dueAt ?? Infinity))}
            />
          ))}
        </div>
      )}
      <Closed right={right} />
      <RequestDrawer />
      {importing && <ImportRequestsDialog onClose={importModal.close} />}
      {opening && <NewRequestDialog onClose={openModal.close} />}
    </Page>
  )
}

/** Many people who asked alike: told so that nobody finds out at the deadline. Nothing is decided for them together. */
function Groups({ groups, chosen }: { groups: readonly RequestGroup[]; chosen: string | undefined }) {
  const { t } = useTranslation()
  if (groups.length === 0) return null
  return (
    <section className="card" aria-labelledby="groups-title">
      <h2 id="groups-title" style={{ marginTop: 0 }}>
        {t('requests.groups.title')}
      </h2>
      <p>{t('requests.groups.about')}</p>
      <ul className="plain spaced">
        {groups.map(({ id, kind, people, open, firstAt, lastAt }) => (
          <li key={id}>
            <strong>{t(`requests.groups.${kind}`, { count: people })}</strong>{' '}
            <span className="quiet">
              {date(firstAt)} – {date(lastAt)} · {t('requests.groups.open', { count: open })}
            </span>{' '}
            {chosen === id ? (
              <span className="quiet">{t('requests.groups.shown')}</span>
            ) : (
              <Link {...linkChanging({ group: id })}>{t('requests.groups.only')}</Link>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Lane({ id, items }: { id: (typeof LANES)[number]['id']; items: readonly RequestSummary[] }) {
  const { t } = useTranslation()
  return (
    <section className="lane" aria-labelledby={`lane-${id}`}>
      <h2 id={`lane-${id}`}>
        {t(`requests.lane.${id}`)} <span className="quiet">{number(items.length)}</span>
      </h2>
      {items.length === 0 ? (
        <p className="quiet" style={{ margin: 0 }}>
          {t('requests.laneEmpty')}
        </p>
      ) : (
        <ul className="plain stack">
          {items.map((request) => (
            <li key={request.id}>
              <Link className="card request" {...linkChanging({ item: request.id })}>
                <span className="request-title">{told(request.title)}</span>
                <RequestClockBadge request={request} />
                <span className="quiet">
                  {t(`requests.channels.${request.channel}`)} · {date(request.receivedAt)}
                  {request.kind === 'authority' && ` · ${t('requests.authority')}`}
                </span>
                {request.recipients.open > 0 && (
                  <span className="quiet">{t('requests.recipientsOpen', { count: request.recipients.open })}</span>
                )}
                {request.needs !== null && <span>{told(request.needs)}</span>}
              </Link>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function Closed({ right }: { right: string | undefined }) {
  const { t } = useTranslation()
  const listing = usePages<RequestSummary>(
    '/api/requests',
    { state: 'closed', right },
    { key: ['requests', 'closed'], everyMs: 30_000 },
  )
  const columns: readonly Column<RequestSummary>[] = [
    {
      id: 'title',
      title: t('requests.right'),
      place: 'main',
      cell: ({ title, article }) => (
        <span>
          <strong>{told(title)}</strong> <span className="quiet">{article}</span>
        </span>
      ),
      csv: ({ right: asked, kind }) => asked ?? kind,
    },
    {
      id: 'state',
      title: t('requests.outcome'),
      place: 'state',
      cell: ({ state, outcome }) => (
        <Badge tone={state === 'answered' ? 'delivered' : state === 'refused' ? 'refused' : 'rule'}>
          {outcome === 'nothing_held' ? t('requests.nothingHeld') : t(`requests.state.${state}`)}
        </Badge>
      ),
      csv: ({ state, outcome }) => outcome ?? state,
    },
    {
      id: 'received',
      title: t('requests.received'),
      sort: 'descending',
      nowrap: true,
      cell: ({ receivedAt }) => date(receivedAt),
      csv: ({ receivedAt }) => new Date(receivedAt).toISOString(),
    },
    {
      id: 'closed',
      title: t('requests.closedAt'),
      nowrap: true,
      cell: ({ closedAt, overdue }) => (
        <span>
          {closedAt === null ? t('app.none') : date(closedAt)}{' '}
          {overdue && <Badge tone="failed">{t('requests.late')}</Badge>}
        </span>
      ),
      csv: ({ closedAt }) => (closedAt === null ? null : new Date(closedAt).toISOString()),
    },
    {
      id: 'channel',
      title: t('requests.channel'),
      cell: ({ channel }) => t(`requests.channels.${channel}`),
      csv: ({ channel }) => channel,
    },
    {
      id: 'see',
      title: t('overview.see'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: ({ id }) => (
        <Button
          component={Link}
          {...linkChanging({ item: id })}
          size="compact-sm"
          variant="default"
          aria-label={t('requests.seeOf', { id })}
        >
          {t('overview.see')}
        </Button>
      ),
      csv: ({ id }) => id,
    },
  ]
  return (
    <section aria-labelledby="closed-title">
      <h2 id="closed-title" className="section-title">
        {t('requests.closed')}
      </h2>
      <DataTable
        listing={listing}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('requests.closed')}
        file={t('requests.file')}
        empty={{ title: t('requests.noneClosed'), text: t('requests.noneClosedText') }}
      />
    </section>
  )
}
