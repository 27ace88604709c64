import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { DeliveryOutcome, DeliveryStats } from '../../../schemas/deliveries.ts'
import { linkChanging, useAddress } from '../address.ts'
import { get, withQuery } from '../api.ts'
import { number } from '../format.ts'
import { rangeQuery } from '../range.ts'
import { LineChart } from './charts.tsx'
import { useExits } from './exit-badge.tsx'
import { Failure, Loading } from './states.tsx'

const OUTCOMES: readonly DeliveryOutcome[] = [
  'delivered',
  'retried',
  'failed',
  'uncertain',
  'blocked',
  'held_out',
  'cancelled',
]

/** How deliveries ended, per destination; a destination narrows the list below. */
export function DeliveryConsole() {
  const { t } = useTranslation()
  const { text } = useExits()
  const { range = '1h', destination } = useAddress()
  const stats = useQuery({
    queryKey: ['delivery-stats', range, destination],
    queryFn: () => get<DeliveryStats>(withQuery('/api/deliveries/stats', { ...rangeQuery(range), destination })),
    refetchInterval: 15_000,
  })
  if (stats.error) return <Failure error={stats.error} retry={() => void stats.refetch()} />
  if (!stats.data) return <Loading />
  const { items } = stats.data
  // The bucket now running is left out: it is not full.
  const at = stats.data.at.slice(0, -1)
  const reasons = items
    .flatMap((item) => item.reasons.slice(0, 3).map((reason) => ({ destination: item.destination, ...reason })))
    .slice(0, 9)
  const total = (pick: (outcomes: DeliveryStats['items'][number]['outcomes']) => number) =>
    at.map((_, place) => items.reduce((sum, { series }) => sum + (series[place] ? pick(series[place]) : 0), 0))
  return (
    <section className="card" aria-label={t('stats.title')}>
      <div className="card-head">
        <h2>{t('stats.title')}</h2>
      </div>
      <p className="quiet" style={{ margin: '-0.5rem 0 0.75rem', fontSize: '0.875rem' }}>
        {t('stats.text')}
      </p>
      <LineChart
        at={at}
        series={[
          { name: t('stats.delivered'), values: total(({ delivered }) => delivered) },
          {
            name: t('stats.notDelivered'),
            values: total(({ failed, uncertain, blocked }) => failed + uncertain + blocked),
          },
        ]}
        label={t('stats.chart')}
      />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard. */}
      <section className="scroll below" tabIndex={0} aria-label={t('stats.title')}>
        <table className="rows" style={{ fontSize: '0.8125rem' }}>
          <thead>
            <tr>
              <th scope="col">{t('stats.destination')}</th>
              {OUTCOMES.map((name) => (
                <th scope="col" className="right" key={name}>
                  {t(`stats.${name}`)}
                </th>
              ))}
              <th scope="col" className="right">
                {t('stats.waiting')}
              </th>
              <th scope="col" className="right">
                {t('stats.dead')}
              </th>
            </tr>
          </thead>
          <tbody>
            {items.map((item) => (
              <tr key={item.destination}>
                <td>
                  <Link
                    className="link"
                    {...linkChanging({ destination: destination === undefined ? item.destination : undefined })}
                  >
                    {item.destination}
                  </Link>
                </td>
                {OUTCOMES.map((name) => (
                  <td className="right" key={name}>
                    {number(item.outcomes[name])}
                  </td>
                ))}
                <td className="right">
                  {number(item.waiting)}
                  {item.late > 0 && <span className="quiet"> ({t('stats.late', { count: item.late })})</span>}
                </td>
                <td className="right">{number(item.dead + item.uncertain)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {reasons.length > 0 && (
        <dl className="facts" style={{ marginTop: '1rem' }} aria-label={t('stats.reasons')}>
          {reasons.map(({ destination: of, code, count }) => (
            <div key={`${of}${code}`} style={{ display: 'contents' }}>
              <dt>
                {of} · {number(count)}
              </dt>
              <dd title={code}>{text(code)}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}
