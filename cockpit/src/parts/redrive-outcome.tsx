import { useTranslation } from 'react-i18next'
import type { RedrivePreview } from '../../../schemas/deliveries.ts'
import { dateTime, number } from '../format.ts'
import { useExits } from './exit-badge.tsx'

/** Who goes, who not and why, and how fast. */
export function RedriveOutcome({ outcome }: { outcome: RedrivePreview }) {
  const { t } = useTranslation()
  const { text } = useExits()
  const { deliveries, people, mayRepeat, leftOut, budgets, samples, more, dryRun } = outcome
  return (
    <>
      <dl className="facts">
        <dt>{t(dryRun ? 'redrive.goes' : 'redrive.went')}</dt>
        <dd>{t('redrive.people', { deliveries: number(deliveries), people: number(people) })}</dd>
        {mayRepeat > 0 && (
          <>
            <dt>{t('redrive.mayRepeat')}</dt>
            <dd>{number(mayRepeat)}</dd>
          </>
        )}
        {leftOut.length > 0 && (
          <>
            <dt>{t('redrive.leftOut')}</dt>
            <dd>
              {leftOut.map(({ code, count }) => (
                <div key={code}>
                  {number(count)} · {text(code)} <span className="mono quiet">{code}</span>
                </div>
              ))}
            </dd>
          </>
        )}
        {budgets.length > 0 && (
          <>
            <dt>{t('redrive.pace')}</dt>
            <dd>
              {budgets.map(({ destination, perSecond, lastAt }) => (
                <div key={destination}>
                  {t('redrive.paceText', { destination, perSecond: number(perSecond), at: dateTime(lastAt) })}
                </div>
              ))}
            </dd>
          </>
        )}
      </dl>
      {samples.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
        <section className="scroll below" tabIndex={0} aria-label={t('redrive.sample')}>
          <table className="rows">
            <thead>
              <tr>
                <th scope="col">{t('stats.destination')}</th>
                <th scope="col">{t('redrive.contact')}</th>
                <th scope="col">{t('redrive.verdict')}</th>
              </tr>
            </thead>
            <tbody>
              {samples.map(({ id, destination, action, contact, code }) => (
                <tr key={id}>
                  <td>
                    {destination} <span className="quiet samples-action">{action}</span>
                  </td>
                  <td>{contact ?? t('app.none')}</td>
                  <td>{code === null ? t('redrive.go') : <span title={text(code)}>{code}</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {more && <p>{t('redrive.more')}</p>}
    </>
  )
}
