import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { SourceReport } from '../../../schemas/sources.ts'
import { linkTo, useAddress } from '../address.ts'
import { get, withQuery } from '../api.ts'
import { dateTime, number, share } from '../format.ts'
import { currentLanguage } from '../i18n/index.ts'
import { LineChart } from '../parts/charts.tsx'
import { ExitBadge, useExits } from '../parts/exit-badge.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'
import { rangeQuery } from '../range.ts'
import { Guard } from '../shell.tsx'

export function SourcePage() {
  return (
    <Guard permission="connectors.read">
      <Report />
    </Guard>
  )
}

function Report() {
  const { t } = useTranslation()
  const { source, range = '24h' } = useAddress()
  const report = useQuery({
    queryKey: ['source-report', source, range],
    queryFn: () =>
      get<SourceReport>(withQuery(`/api/sources/${encodeURIComponent(source!)}/report`, rangeQuery(range))),
    refetchInterval: 15_000,
    enabled: source !== undefined,
  })
  if (source === undefined)
    return (
      <Page title={t('connectors.title')}>
        <div className="card">
          <Empty title={t('source.none')} text="" next={<Link {...linkTo('/connectors')}>{t('source.back')}</Link>} />
        </div>
      </Page>
    )
  return (
    <Page title={t('source.title', { id: source })} about={t('source.about')} at={report.dataUpdatedAt || undefined}>
      {report.error ? (
        <Failure error={report.error} retry={() => void report.refetch()} />
      ) : report.data ? (
        <Sections report={report.data} />
      ) : (
        <Loading />
      )}
    </Page>
  )
}

function Sections({ report }: { report: SourceReport }) {
  const { t } = useTranslation()
  const { text } = useExits()
  const wrong = report.series.wrong.reduce((sum, count) => sum + count, 0)
  const skewed = report.skew.filter(({ count }) => count > 0)
  const all = skewed.reduce((sum, { count }) => sum + count, 0)
  return (
    <>
      <section className="card" aria-label={t('source.about')}>
        <dl className="facts">
          <dt>{t('source.received')}</dt>
          <dd>{number(report.received)}</dd>
          <dt>{t('source.kept')}</dt>
          <dd>{number(report.kept)}</dd>
          {(['duplicates', 'echoes', 'copies', 'held'] as const).map((name) => (
            <div key={name} style={{ display: 'contents' }}>
              <dt>{t(`source.${name}`)}</dt>
              <dd>
                {number(report[name])} <span className="quiet">{t(`source.${name}Hint`)}</span>
              </dd>
            </div>
          ))}
        </dl>
      </section>
      <Card title={t('source.series')}>
        <LineChart
          at={whole(report.series.at)}
          series={[
            { name: t('source.received'), values: whole(report.series.received) },
            ...(wrong > 0 ? [{ name: t('source.wrong'), values: whole(report.series.wrong) }] : []),
          ]}
          label={t('source.seriesText', { received: number(report.received), wrong: number(wrong) })}
        />
      </Card>
      <Card title={t('source.consent')} text={t('source.consentText')}>
        <Consent consent={report.consent} />
      </Card>
      <Card title={t('source.plan')}>
        <Plan report={report} />
      </Card>
      <div className="grid-2">
        <Card title={t('source.quarantine')}>
          {report.waiting.length === 0 ? (
            <p className="quiet">{t('source.noQuarantine')}</p>
          ) : (
            <>
              <Table
                head={[t('source.reason'), t('source.events')]}
                rows={report.waiting.map(({ code, path, count }) => [
                  `${code}${path}`,
                  <span key="why">
                    {text(code)} <span className="mono quiet">{path}</span>
                  </span>,
                  number(count),
                ])}
              />
              <Link className="link" {...linkTo('/quarantine', { source: report.source })}>
                {t('source.fix')}
              </Link>
            </>
          )}
        </Card>
        <Card title={t('source.dropped')}>
          {report.dropped.length === 0 ? (
            <p className="quiet">{t('source.noDropped')}</p>
          ) : (
            <Table
              head={[t('source.reason'), t('source.events')]}
              rows={report.dropped.map(({ code, count }) => [code, text(code), number(count)])}
            />
          )}
        </Card>
      </div>
      <Card title={t('source.skew')} text={t('source.skewText')}>
        {all === 0 ? (
          <p className="quiet">{t('source.noSkew')}</p>
        ) : (
          <Table
            head={[t('source.correction'), t('source.events')]}
            rows={skewed.map(({ step, count }) => [
              step,
              t(`source.step.${step}`),
              `${number(count)} (${share(count / all)})`,
            ])}
          />
        )}
      </Card>
      <Card title={t('source.newest')}>
        {report.newest.length === 0 ? (
          <p className="quiet">{t('source.noNewest')}</p>
        ) : (
          <Table
            head={[t('source.when'), t('source.event'), t('source.became')]}
            rows={report.newest.map(({ id, at, type, name, code }) => [
              id,
              dateTime(at),
              name || type,
              <ExitBadge key="exit" code={code} />,
            ])}
          />
        )}
      </Card>
    </>
  )
}

/** The bucket now running is left out: it is not full. */
const whole = (values: readonly number[]) => values.slice(0, -1)

function Card({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
  return (
    <section className="card" aria-label={title}>
      <div className="card-head">
        <h2>{title}</h2>
      </div>
      {text !== undefined && (
        <p className="quiet" style={{ margin: '-0.5rem 0 0.75rem', fontSize: '0.875rem' }}>
          {text}
        </p>
      )}
      {children}
    </section>
  )
}

/** @param rows key, then one cell per column. */
function Table({ head, rows }: { head: readonly string[]; rows: readonly (readonly [string, ...ReactNode[]])[] }) {
  return (
    <div className="scroll">
      <table className="rows">
        <thead>
          <tr>
            {head.map((name) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([key, ...cells]) => (
            <tr key={key}>
              {cells.map((cell, place) => (
                <td key={head[place]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Consent({ consent }: { consent: SourceReport['consent'] }) {
  const { t } = useTranslation()
  const own = currentLanguage() === 'en' ? 'en' : 'pt'
  if (consent.length === 0) return <p className="quiet">{t('source.noConsent')}</p>
  return (
    <ul className="plain">
      {consent.map(({ purpose, title, wanted, answered, gaps }) => (
        <li key={purpose} style={{ marginBottom: '0.75rem' }}>
          <strong>{title[own]}</strong>: {share(answered / wanted)} {t('source.answered')}{' '}
          <span className="quiet">({t('source.ofEvents', { shown: number(wanted) })})</span>
          {gaps.map(({ reason, sentence, remedy }) => (
            <p key={reason} style={{ margin: '0.25rem 0 0' }}>
              {sentence[own]}
              <br />
              <span className="quiet">{t('source.add')}</span> {remedy[own]}
            </p>
          ))}
        </li>
      ))}
    </ul>
  )
}

function Plan({ report: { source, plan } }: { report: SourceReport }) {
  const { t } = useTranslation()
  if (plan.version === null)
    return (
      <p>
        {t('source.noPlan')} <code className="mono">anuente plan infer {source}</code>
      </p>
    )
  return (
    <>
      <p style={{ marginTop: 0 }}>
        {t('source.planText', {
          version: plan.version,
          passed: number(plan.passed),
          quarantined: number(plan.quarantined),
          blocked: number(plan.blocked),
        })}
      </p>
      {plan.violations.length === 0 ? (
        <p className="quiet">{t('source.noViolations')}</p>
      ) : (
        <Table
          head={[t('source.event'), t('source.problem'), t('source.events')]}
          rows={plan.violations.map(({ event, kind, path, expected, events, shape }) => [
            `${event}\0${kind}\0${path}`,
            <span key="event">
              {event}
              <br />
              <span className="mono quiet" title={JSON.stringify(shape)}>
                {path}
              </span>
            </span>,
            <span key="problem">
              {t(`source.kind.${kind}`)}{' '}
              {expected !== '' && <span className="quiet">{t('source.expected', { expected })}</span>}
            </span>,
            number(events),
          ])}
        />
      )}
    </>
  )
}
