import { Button } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Pipeline } from '../../../schemas/admin.ts'
import { dateTime, number, share } from '../format.ts'
import { LineChart, type Series } from './charts.tsx'
import { Empty } from './states.tsx'

const total = (values: Series['values']) => values.reduce<number>((sum, value) => sum + (value ?? 0), 0)

/** At most five lines and the rest as one. */
function seriesOf(pipeline: Pipeline, other: string): Series[] {
  // The bucket now running is left out: it is not full.
  const all = Object.entries(pipeline.series.sources)
    .map(([name, values]) => ({ name, values: values.slice(0, -1) }))
    .sort((a, b) => total(b.values) - total(a.values))
  if (all.length <= 5) return all
  const rest = all.slice(5)
  const values = rest[0]!.values.map((_, index) => {
    const known = rest.map((series) => series.values[index]).filter((value) => value !== null && value !== undefined)
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0)
  })
  return [...all.slice(0, 5), { name: other, values }]
}

export function SourceLines({ pipeline }: { pipeline: Pipeline }) {
  const { t } = useTranslation()
  const [asTable, setAsTable] = useState(false)
  const series = seriesOf(pipeline, t('now.sources.other'))
  const at = pipeline.series.at.slice(0, -1)
  const minutes = pipeline.bucketMs / 60_000
  const title = minutes === 1 ? t('now.sources.title') : t('now.sources.perBucket', { minutes: number(minutes) })
  const sum = series.reduce((before, { values }) => before + total(values), 0)
  const running = Object.values(pipeline.series.sources).some((values) => (values.at(-1) ?? 0) > 0)
  const first = series[0]
  const summary =
    first === undefined
      ? ''
      : series.length === 1
        ? t('now.sources.summaryOne', { source: first.name })
        : t('now.sources.summary', { source: first.name, share: share(total(first.values) / Math.max(1, sum)) })
  return (
    <section className="card" aria-labelledby="sources-title">
      <div className="card-head">
        <h2 id="sources-title">{title}</h2>
        {sum > 0 && (
          <div className="end">
            <Button size="compact-sm" variant="default" onClick={() => setAsTable(!asTable)} aria-pressed={asTable}>
              {t(asTable ? 'now.sources.chart' : 'now.sources.table')}
            </Button>
          </div>
        )}
      </div>
      {sum === 0 ? (
        <Empty
          title={t(running ? 'now.tiles.collecting' : 'now.sources.empty')}
          text={t(running ? 'now.sources.collectingText' : 'now.sources.emptyText')}
        />
      ) : (
        <>
          <p className="quiet" style={{ margin: '-0.5rem 0 0.75rem', fontSize: '0.875rem' }}>
            {summary}
          </p>
          {asTable ? (
            <section
              className="scroll"
              style={{ maxHeight: '20rem', overflowY: 'auto' }}
              // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
              tabIndex={0}
              aria-label={title}
            >
              <table className="rows">
                <thead>
                  <tr>
                    <th scope="col">{t('now.sources.time')}</th>
                    {series.map(({ name }) => (
                      <th scope="col" className="right" key={name}>
                        {name}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {at.toReversed().map((time, back) => (
                    <tr key={time}>
                      <td>{dateTime(time)}</td>
                      {series.map(({ name, values }) => {
                        const value = values[at.length - 1 - back]
                        return (
                          <td className="right" key={name}>
                            {value === null || value === undefined ? t('now.sources.noData') : number(value)}
                          </td>
                        )
                      })}
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          ) : (
            <LineChart at={at} series={series} label={`${title}. ${summary}`} />
          )}
        </>
      )}
    </section>
  )
}
