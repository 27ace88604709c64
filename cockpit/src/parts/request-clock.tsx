import { useTranslation } from 'react-i18next'
import type { RequestSummary } from '../../../schemas/requests.ts'
import { dateTime } from '../format.ts'
import { Badge } from './exit-badge.tsx'

const DAY_MS = 86_400_000
/** Own choice: a quarter of the fifteen days of art. 19 II. */
const SOON_MS = 4 * DAY_MS

/** Days left in words and by colour; the date in full beside it. */
export function RequestClockBadge({ request }: { request: Pick<RequestSummary, 'overdue' | 'dueAt'> }) {
  const { t } = useTranslation()
  const { overdue, dueAt } = request
  if (dueAt === null) return null
  const left = dueAt - Date.now()
  return (
    <Badge
      tone={overdue || left < 0 ? 'failed' : left < SOON_MS ? 'quarantined' : 'rule'}
      title={t('clock.until', { time: dateTime(dueAt) })}
    >
      {overdue || left < 0 ? t('clock.overdue') : t('clock.days', { count: Math.floor(left / DAY_MS) })}
    </Badge>
  )
}
