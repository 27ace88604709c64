import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Destinations } from '../../../schemas/admin.ts'
import { linkTo } from '../address.ts'
import { get } from '../api.ts'
import { ago, duration, number } from '../format.ts'
import { listingOf } from '../listing.ts'
import { useMay } from '../session.ts'
import { StateBadge, stateOf } from './connector-state.tsx'
import { type Column, DataTable } from './data-table.tsx'
import { useExits } from './exit-badge.tsx'
import { useNow } from './states.tsx'

type Destination = Destinations['items'][number]

/** Each destination by itself: one that fails must not hide among those that do not. */
export function DestinationRows() {
  const { t } = useTranslation()
  const may = useMay()
  const now = useNow(5000)
  const { tone } = useExits()
  const destinations = useQuery({
    queryKey: ['destinations'],
    queryFn: () => get<Destinations>('/api/destinations'),
    refetchInterval: 15_000,
  })
  const counted = ({ counts24h }: Destination, wanted: readonly string[]) =>
    counts24h.reduce((sum, { code, count }) => (wanted.includes(tone(code)) ? sum + count : sum), 0)
  const numbers = (id: string, title: string, of: (row: Destination) => number): Column<Destination> => ({
    id,
    title,
    right: true,
    cell: (row) => number(of(row)),
    csv: of,
  })
  const columns: readonly Column<Destination>[] = [
    {
      id: 'id',
      title: t('deliveries.destination'),
      place: 'main',
      cell: ({ id, name }) => (
        <span>
          {may('deliveries.read') ? (
            <Link className="link" {...linkTo('/deliveries', { destination: id })}>
              {id}
            </Link>
          ) : (
            id
          )}{' '}
          <span className="quiet">{name}</span>
        </span>
      ),
      csv: ({ id }) => id,
    },
    {
      id: 'state',
      title: t('deliveries.status'),
      place: 'state',
      cell: (row) => <StateBadge state={stateOf(row, now)} />,
      csv: (row) => stateOf(row, now),
    },
    numbers('delivered', t('now.strip.delivered'), (row) => counted(row, ['delivered'])),
    numbers('blocked', t('now.destinations.blocked'), (row) => counted(row, ['consent'])),
    numbers('heldOut', t('now.strip.held_out'), (row) => counted(row, ['experiment'])),
    numbers('dead', t('now.strip.failed'), ({ dead }) => dead),
    {
      id: 'queue',
      title: t('connectors.queue'),
      right: true,
      cell: ({ open, oldestDueAt }) => (
        <span>
          {number(open)}{' '}
          {oldestDueAt !== null && oldestDueAt < now - 1000 && (
            <span className="quiet">· {t('now.destinations.late', { age: duration(now - oldestDueAt) })}</span>
          )}
        </span>
      ),
      csv: ({ open }) => open,
    },
    {
      id: 'last',
      title: t('connectors.last'),
      nowrap: true,
      cell: ({ lastAt }) => (lastAt === null ? t('connectors.never') : ago(lastAt, now)),
      csv: ({ lastAt }) => (lastAt === null ? null : new Date(lastAt).toISOString()),
    },
  ]
  return (
    <section aria-labelledby="destinations-now">
      <h2 id="destinations-now" className="section-title">
        {t('now.destinations.title')} <small className="quiet section-note">{t('connectors.counts')}</small>
      </h2>
      <DataTable
        listing={listingOf(destinations)}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('now.destinations.title')}
        file={t('now.destinations.file')}
        empty={{ title: t('connectors.noDestinations'), text: t('connectors.noDestinationsText') }}
      />
    </section>
  )
}
