import { useTranslation } from 'react-i18next'
import type { IncidentClock } from '../../../schemas/records.ts'
import { date, dateTime } from '../format.ts'
import { Badge } from './exit-badge.tsx'

/** One deadline: how it stands in words, what is due, until when, by which article. */
export function ClockLine({ clock }: { clock: IncidentClock }) {
  const { t } = useTranslation()
  const state = clock.done !== null ? 'done' : clock.overdue ? 'overdue' : clock.daysLeft <= 1 ? 'soon' : 'running'
  return (
    <li>
      <Badge tone={{ done: 'delivered', overdue: 'failed', soon: 'quarantined', running: 'rule' }[state] as 'rule'}>
        {clock.done !== null
          ? t('clock.done', { time: date(clock.done) })
          : clock.overdue
            ? t('clock.overdue')
            : t('clock.businessDays', { count: clock.daysLeft })}
      </Badge>{' '}
      <strong>{t(`incidents.clock.${clock.what}`)}</strong>{' '}
      <span className="quiet">
        {t('clock.until', { time: dateTime(Date.parse(clock.due)) })} · {clock.ground}
      </span>
    </li>
  )
}
