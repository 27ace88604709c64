/** Deadlines of an incident (LGPD art. 48, Res. CD/ANPD 15/2024), doubled for small agents (Res. CD/ANPD 2/2022 art. 14). */
import { DateTime } from 'luxon'
import type { IncidentClock } from '../../schemas/records.ts'
import { afterBusinessDays, businessDaysLeft } from './business-days.ts'

/** Res. CD/ANPD 15/2024 art. 6 and 9: from the knowledge that personal data was affected. */
const NOTICE_DAYS = 3
/** Art. 6 §3: from the communication. */
const SUPPLEMENT_DAYS = 20
/** Art. 10: from the registration, for incidents that were not communicated too. */
const KEPT_YEARS = 5

export interface IncidentDates {
  /** ISO 8601. */
  readonly knownAt: string
  readonly notifiable: boolean
  /** Epoch milliseconds. */
  readonly authorityAt: number | null
  readonly subjectsAt: number | null
  readonly supplementAt: number | null
}

export function incidentClocks(
  incident: IncidentDates,
  now: number,
  { smallAgent, holidays }: { readonly smallAgent: boolean; readonly holidays: readonly string[] },
): IncidentClock[] {
  if (!incident.notifiable) return []
  const factor = smallAgent ? 2 : 1
  const clock = (
    what: IncidentClock['what'],
    from: string,
    days: number,
    done: number | null,
    ground: string,
  ): IncidentClock => {
    const due = afterBusinessDays(from, days * factor, holidays)
    return {
      what,
      due,
      businessDays: days * factor,
      done,
      overdue: (done ?? now) > Date.parse(due),
      daysLeft: businessDaysLeft(due, new Date(done ?? now).toISOString(), holidays),
      ground: smallAgent ? `${ground}; Res. CD/ANPD 2/2022 art. 14` : ground,
    }
  }
  const clocks = [
    clock(
      'authority',
      incident.knownAt,
      NOTICE_DAYS,
      incident.authorityAt,
      'LGPD art. 48; Res. CD/ANPD 15/2024 art. 6',
    ),
    clock('subjects', incident.knownAt, NOTICE_DAYS, incident.subjectsAt, 'LGPD art. 48; Res. CD/ANPD 15/2024 art. 9'),
  ]
  if (incident.authorityAt !== null)
    clocks.push(
      clock(
        'supplement',
        new Date(incident.authorityAt).toISOString(),
        SUPPLEMENT_DAYS,
        incident.supplementAt,
        'Res. CD/ANPD 15/2024 art. 6 §3',
      ),
    )
  return clocks
}

/** Epoch milliseconds. */
export function keptUntil(registeredAt: number): number {
  return DateTime.fromMillis(registeredAt, { zone: 'utc' }).plus({ years: KEPT_YEARS }).toMillis()
}
