/** What a rule would have done, as marketing reads it. */
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { BacktestReport, BacktestSample } from '../../../schemas/backtest.ts'
import type { Revealed } from '../../../schemas/records.ts'
import { date, dateTime, dayOf, number, share as percent, utcDay } from '../format.ts'
import { useMay } from '../session.ts'
import { told } from '../words.ts'
import { LineChart } from './charts.tsx'
import { Clauses } from './clauses.tsx'
import { Badge, type Tone, useExits } from './exit-badge.tsx'
import { Reveal } from './reveal.tsx'

const DAY_MS = 86_400_000
const COUNTED = ['matches', 'sends', 'heldOut', 'blocked'] as const

/** A result or reason in words: of a backtest first, else as everywhere. */
function useResultWords(): (code: string) => string {
  const { t, i18n } = useTranslation()
  const { text } = useExits()
  return (code) => {
    const key = `rules.backtest.word.${code}`
    return i18n.exists(key) ? t(key as 'rules.backtest.word.ENQUEUED') : text(code)
  }
}

export function BacktestReportView({ report }: { report: BacktestReport }) {
  const { t, i18n } = useTranslation()
  const words = useResultWords()
  const may = useMay()
  const { people, sends, blocked, notAsked } = report
  const heldOut = report.days.reduce((sum, day) => sum + day.heldOut, 0)
  const arm = (id: string) => (i18n.exists(`arm.${id}`) ? t(`arm.${id}` as 'arm.treated') : id)
  const channel = (id: string) =>
    i18n.exists(`rules.backtest.channel.${id}`)
      ? t(`rules.backtest.channel.${id}` as 'rules.backtest.channel.email')
      : id
  return (
    <>
      <p className="lead">
        {t('rules.backtest.lead', {
          messages: t('rules.backtest.messages', { count: sends.total, n: number(sends.total) }),
          people: t('rules.backtest.persons', { count: people.sent, n: number(people.sent) }),
          share: percent(blocked.consentShare),
        })}
      </p>
      {(report.historyBegins === null || report.historyBegins > report.from) && (
        <p className="quiet">
          {report.historyBegins === null
            ? t('rules.backtest.noHistory')
            : t('rules.backtest.historyBegins', { day: date(Date.parse(report.historyBegins)) })}
        </p>
      )}
      <dl className="backtest-figures">
        <Figure name={t('rules.backtest.matches')} value={number(blocked.matches)} />
        <Figure name={t('rules.backtest.sends')} value={number(sends.total)} />
        <Figure name={t('rules.backtest.sentPeople')} value={number(people.sent)} />
        <Figure name={t('rules.backtest.heldOut')} value={number(heldOut)} />
        <Figure name={t('rules.backtest.byConsent')} value={percent(blocked.consentShare)} />
      </dl>
      {report.days.length === 0 ? <p>{t('rules.backtest.noDays')}</p> : <Days report={report} />}
      <div className="backtest-parts">
        <Part title={t('rules.backtest.stops')} none={t('rules.backtest.noStops')}>
          {[
            ...Object.entries(notAsked).map(([code, count]) => ({
              code: `asked ${code}`,
              name: t('rules.backtest.notAsked', { reason: words(code) }),
              count,
              part: undefined,
            })),
            ...Object.entries(blocked.reasons).map(([code, { count, share }]) => ({
              code,
              name: words(code),
              count,
              part: share,
            })),
          ].map(({ code, name, count, part }) => (
            <Row key={code} name={name} count={count} part={part} />
          ))}
        </Part>
        <Part title={t('rules.backtest.channels')} none={t('rules.backtest.noSends')}>
          {[
            ...Object.entries(sends.byChannel).map(([id, count]) => <Row key={id} name={channel(id)} count={count} />),
            ...Object.entries(sends.byDestination).map(([id, count]) => (
              <Row key={`to ${id}`} name={t('rules.backtest.toDestination', { destination: id })} count={count} />
            )),
            ...Object.entries(sends.byVariant).map(([id, count]) => (
              <Row key={`as ${id}`} name={t('rules.backtest.asVariant', { variant: id })} count={count} />
            )),
            ...(sends.waited > 0 ? [<Row key="waited" name={t('rules.backtest.waited')} count={sends.waited} />] : []),
          ]}
        </Part>
        <Part title={t('rules.backtest.arms')} none={t('rules.backtest.noArms')}>
          {Object.entries(sends.arms).map(([id, count]) => (
            <Row key={id} name={arm(id)} count={count} />
          ))}
        </Part>
        <Part title={t('rules.backtest.overlap')} none={t('rules.backtest.noOverlap')}>
          {report.overlap.map(({ rule, people: them, sends: sent }) => (
            <tr key={rule}>
              <td>{rule}</td>
              <td className="right">
                {t('rules.backtest.overlapOf', {
                  people: t('rules.backtest.persons', { count: them, n: number(them) }),
                  sends: number(sent),
                })}
              </td>
            </tr>
          ))}
        </Part>
        <Part title={t('rules.backtest.clauses')} none={t('rules.noClauses')}>
          {report.stopped.map((one) => (
            <Row key={one.id} name={told({ pt: one.pt, en: one.clause })} count={one.count} />
          ))}
        </Part>
        <Part title={t('rules.backtest.people')} none="">
          {[
            <Row key="computed" name={t('rules.backtest.computed')} count={people.computed} />,
            ...Object.entries(people.leftOut).map(([code, count]) => (
              <Row key={code} name={t('rules.backtest.leftOut', { reason: words(code) })} count={count} />
            )),
          ]}
        </Part>
      </div>
      <h4>{t('rules.backtest.samples')}</h4>
      {report.samples.length === 0 ? (
        <p className="quiet">{t('rules.backtest.noSamples')}</p>
      ) : (
        <>
          <p className="quiet" style={{ margin: '0 0 0.5rem' }}>
            {t(may('people.reveal') ? 'rules.backtest.samplesText' : 'rules.backtest.samplesOnly')}
          </p>
          <ol className="journey">
            {report.samples.map((sample) => (
              <Sample key={`${sample.person}${sample.at}`} sample={sample} words={words} />
            ))}
          </ol>
        </>
      )}
      <h4>{t('rules.backtest.notes')}</h4>
      <ul style={{ margin: 0, paddingLeft: '1.25rem', fontSize: '0.875rem' }}>
        <li>{t(`rules.backtest.clock.${report.clock}`)}</li>
        {report.notes.map((note) => (
          <li key={note.en}>{told(note)}</li>
        ))}
      </ul>
    </>
  )
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function Part({ title, none, children }: { title: string; none: string; children: readonly ReactNode[] }) {
  return (
    <section>
      <h4>{title}</h4>
      {children.length === 0 ? (
        <p className="quiet" style={{ margin: 0, fontSize: '0.875rem' }}>
          {none}
        </p>
      ) : (
        <table className="rows" aria-label={title}>
          <tbody>{children}</tbody>
        </table>
      )}
    </section>
  )
}

function Row({ name, count, part }: { name: string; count: number; part?: number | undefined }) {
  return (
    <tr>
      <td>
        {name}
        {part !== undefined && (
          <span className="share" aria-hidden style={{ ['--part' as string]: percentCss(part) }} />
        )}
      </td>
      <td className="right">
        {number(count)}
        {part !== undefined && <span className="quiet"> · {percent(part)}</span>}
      </td>
    </tr>
  )
}

const percentCss = (part: number) => `${Math.round(part * 1000) / 10}%`

/** Days on which nothing happened are counted too: nothing happened is not nothing known. */
function Days({ report }: { report: BacktestReport }) {
  const { t } = useTranslation()
  const known = new Map(report.days.map((day) => [day.day, day]))
  const [begin, end] = [report.from, report.to].map((at) => Date.parse(`${dayOf(Date.parse(at))}T00:00:00Z`)) as [
    number,
    number,
  ]
  const at = Array.from({ length: Math.round((end - begin) / DAY_MS) + 1 }, (_, index) => begin + index * DAY_MS)
  const of = (ms: number) => known.get(new Date(ms).toISOString().slice(0, 10))
  return (
    <>
      <h4>{t('rules.backtest.perDay')}</h4>
      <LineChart
        at={at}
        time={utcDay}
        series={COUNTED.map((name) => ({
          name: t(`rules.backtest.${name}`),
          values: at.map((ms) => of(ms)?.[name] ?? 0),
        }))}
        label={t('rules.backtest.perDay')}
      />
      <details>
        <summary>{t('now.sources.table')}</summary>
        <section
          className="scroll"
          style={{ maxHeight: '16rem', overflowY: 'auto' }}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
          tabIndex={0}
          aria-label={t('rules.backtest.perDay')}
        >
          <table className="rows">
            <thead>
              <tr>
                <th scope="col">{t('rules.backtest.day')}</th>
                {COUNTED.map((name) => (
                  <th scope="col" className="right" key={name}>
                    {t(`rules.backtest.${name}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {report.days.toReversed().map((day) => (
                <tr key={day.day}>
                  <td>{utcDay(Date.parse(`${day.day}T00:00:00Z`))}</td>
                  {COUNTED.map((name) => (
                    <td className="right" key={name}>
                      {number(day[name])}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
    </>
  )
}

function toneOf({ result, arm }: BacktestSample): Tone {
  if (result === 'ENQUEUED') return arm === null || arm === 'treated' ? 'delivered' : 'experiment'
  if (/CONSENT|SUPPRESSED/.test(result)) return 'consent'
  return result === 'NOT_MATCHED' ? 'no_purpose' : 'rule'
}

function Sample({ sample, words }: { sample: BacktestSample; words: (code: string) => string }) {
  const { t, i18n } = useTranslation()
  const { person, at, result, arm, clauses, sentence } = sample
  const tone = toneOf(sample)
  const armKey = `arm.${arm}`
  const [shown, setShown] = useState<Revealed>()
  return (
    <li data-tone={tone}>
      <Badge tone={tone}>{words(result)}</Badge>{' '}
      {arm !== null && <span className="quiet">{i18n.exists(armKey) ? t(armKey as 'arm.treated') : arm}</span>}
      <div>{told(sentence)}</div>
      <div className="quiet">
        <span className="mono">{person}</span> · {dateTime(Date.parse(at))}
      </div>
      <details>
        <summary>{t('rules.backtest.why')}</summary>
        <Clauses clauses={clauses} />
        <Reveal personId={person} shown={shown} onShown={setShown} />
      </details>
    </li>
  )
}
