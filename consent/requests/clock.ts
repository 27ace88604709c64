/**
 * The clocks of a request. The statute knows two: *immediately* (art. 19 I, and by their nature art. 18 VIII, IX
 * and §2) and fifteen calendar days (art. 19 II), doubled for small agents (Res. CD/ANPD 2/2022). Everything else is a promise of our own
 * and says so. Clocks start on arrival, whoever enters the request and whenever, and nothing stops those of the statute.
 */
import { DateTime } from 'luxon'
import type { RequestClock, RequestPause, Right } from '../../schemas/requests.ts'
import { RIGHT_RULES } from './rights.ts'

export interface ClockSettings {
  /** IANA. Days are days there. */
  readonly timezone: string
  readonly smallAgent: boolean
  /** Days of our own promise. */
  readonly ownDays: number
}

export interface ClockFacts {
  readonly kind: 'subject' | 'authority'
  readonly right: Right | null
  /** Epoch milliseconds. */
  readonly receivedAt: number
  /** Inquiry of the authority: the day it set. */
  readonly authorityDueAt: number | null
  readonly pauses: readonly RequestPause[]
  /** Clock id -> when it was met. */
  readonly done: Readonly<Record<string, number>>
  readonly closedAt: number | null
  readonly simplifiedOnly?: boolean | undefined
}

const COMPLETE_DAYS = 15
/** Own choice: the statute says "immediately" and no number; we count as late what took longer than a day. */
const IMMEDIATE_HOURS = 24
/** Res. CD/ANPD 2/2022: the simplified statement of a small agent may take up to fifteen days. */
const SMALL_IMMEDIATE_DAYS = 15

/** End of the day so many days after the day of arrival. */
function daysAfter(at: number, days: number, zone: string): number {
  return DateTime.fromMillis(at, { zone }).plus({ days }).endOf('day').toMillis()
}

export function clocksOf(facts: ClockFacts, settings: ClockSettings, now: number): RequestClock[] {
  const { timezone, smallAgent, ownDays } = settings
  const clock = (id: RequestClock['id'], dueAt: number, law: string | null, pt: string, en: string): RequestClock => {
    const doneAt = facts.done[id] ?? facts.closedAt
    return { id, dueAt, law, label: { pt, en }, doneAt, overdue: (doneAt ?? now) > dueAt }
  }
  if (facts.kind === 'authority')
    return [
      facts.authorityDueAt === null
        ? clock(
            'own',
            daysAfter(facts.receivedAt, ownDays, timezone) + pausedMs(facts.pauses, now),
            null,
            `Prazo próprio de ${ownDays} dias: a autoridade não fixou data`,
            `Own promise of ${ownDays} days: the authority set no date`,
          )
        : clock(
            'authority',
            facts.authorityDueAt,
            'art. 55-J',
            'Prazo fixado pela autoridade',
            'Deadline set by the authority',
          ),
    ]
  if (facts.right === null) return []
  const wanted = RIGHT_RULES[facts.right].clocks.filter((id) => !(facts.simplifiedOnly && id === 'complete'))
  return wanted.map((id) => {
    switch (id) {
      case 'immediate':
        return smallAgent && (facts.right === 'confirmation' || facts.right === 'access')
          ? clock(
              'immediate',
              daysAfter(facts.receivedAt, SMALL_IMMEDIATE_DAYS, timezone),
              'art. 19 I; Res. CD/ANPD 2/2022',
              'Declaração simplificada: até 15 dias (agente de pequeno porte)',
              'Simplified statement: within 15 days (small agent)',
            )
          : clock(
              'immediate',
              facts.receivedAt + IMMEDIATE_HOURS * 3_600_000,
              immediateLaw(facts.right!),
              'Imediatamente (a lei não dá número; contamos como atraso depois de 24 horas)',
              'Immediately (the statute gives no number; we count more than 24 hours as late)',
            )
      case 'complete': {
        const days = smallAgent ? COMPLETE_DAYS * 2 : COMPLETE_DAYS
        return clock(
          'complete',
          daysAfter(facts.receivedAt, days, timezone),
          smallAgent ? 'art. 19 II; Res. CD/ANPD 2/2022' : 'art. 19 II',
          `Declaração completa: ${days} dias corridos desde a chegada`,
          `Complete statement: ${days} calendar days from arrival`,
        )
      }
      default: {
        const days = smallAgent ? ownDays * 2 : ownDays
        return clock(
          'own',
          daysAfter(facts.receivedAt, days, timezone) + pausedMs(facts.pauses, now),
          null,
          `Prazo próprio de ${days} dias: a lei não fixa prazo para este direito`,
          `Own promise of ${days} days: no statute sets a deadline for this right`,
        )
      }
    }
  })
}

const immediateLaw = (right: Right) =>
  right === 'confirmation' || right === 'access'
    ? 'art. 19 I'
    : right === 'revocation'
      ? 'art. 8 §5, art. 18 IX'
      : RIGHT_RULES[right].article

/** Written waits move own promises only. */
function pausedMs(pauses: readonly RequestPause[], now: number): number {
  return pauses.reduce((sum, { from, to }) => sum + Math.max(0, (to ?? now) - from), 0)
}

/** The next thing that becomes late; null when nothing is open. */
export function nextDue(clocks: readonly RequestClock[]): number | null {
  const open = clocks.filter(({ doneAt }) => doneAt === null).map(({ dueAt }) => dueAt)
  return open.length === 0 ? null : Math.min(...open)
}

/** A day without time is its beginning in the time zone of the organization. @returns undefined when it is no date. */
export function readMoment(text: string, zone: string): number | undefined {
  const at = DateTime.fromISO(text, { zone })
  return at.isValid ? at.toMillis() : undefined
}
