/** The migration comparison, on events of a file. Counts and reasons only; nobody is named. */
import { rudderLetsThrough, segmentLetsThrough } from '../../consent/compare.ts'
import { isHalt, permit } from '../../consent/gate.ts'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { applySignal, type PurposeStatus } from '../../consent/status.ts'
import { type CanonicalEvent, DEVICE_IDENTIFIER_TYPES } from '../../schemas/event.ts'

export interface Difference {
  readonly destination: string
  readonly rule: 'segment' | 'rudderstack'
  /** theirs: they would have sent it and we do not. ours: we send it and they would not have. */
  readonly only: 'theirs' | 'ours'
  /** Headline reason of our gate, with its article; empty where we send. */
  readonly reason: string
  readonly events: number
  readonly people: number
}

export interface Comparison {
  readonly events: number
  /** Pairs of event and destination on which both agree. */
  readonly same: number
  readonly differences: readonly Difference[]
}

/** Statuses as the events themselves make them, in the order given: a file has no state beside it. */
export function createComparison(purposes: Purposes) {
  const statuses = new Map<string, PurposeStatus>()
  const found = new Map<
    string,
    { difference: Omit<Difference, 'events' | 'people'>; events: number; people: Set<string> }
  >()
  let events = 0
  let same = 0
  let ids = 0

  const whose = (event: CanonicalEvent, { id, scope }: Purpose) => {
    const { identifiers } = event.subject
    const who =
      scope === 'device'
        ? (identifiers.find(({ type }) => DEVICE_IDENTIFIER_TYPES.includes(type)) ?? identifiers[0])
        : identifiers[0]
    return `${who?.type}:${who?.value}\0${id}`
  }

  return {
    add(event: CanonicalEvent, raw: { readonly integrations?: unknown; readonly context?: unknown }): void {
      events++
      const verified = event.subject.identifiers[0]?.type === 'userId'
      for (const signal of event.consent) {
        const purpose = purposes.get(signal.purpose)
        if (!purpose) continue
        const key = whose(event, purpose)
        const { next } = applySignal(statuses.get(key), signal, {
          receivedAt: event.receivedAt,
          newId: () => `compare-${++ids}`,
          ends: purpose.ends,
          verified,
        })
        statuses.set(key, next)
      }
      const context = raw.context as Readonly<Record<string, unknown>> | undefined
      for (const destination of purposes.destinations.values()) {
        const served = [...destination.purposes].flatMap((id) => purposes.get(id) ?? [])
        const rule = event.source.connector === 'rudderstack' ? 'rudderstack' : 'segment'
        const categories = [
          ...new Set(served.flatMap(({ signals }) => (rule === 'segment' ? signals.segment : signals.rudder) ?? [])),
        ]
        const theirs =
          rule === 'segment'
            ? segmentLetsThrough(destination.id, categories, {
                consent: context?.['consent'],
                integrations: raw.integrations,
              })
            : rudderLetsThrough(categories, context?.['consentManagement'])
        const answers = served.map((purpose) =>
          permit({
            purpose,
            destinationId: destination.id,
            statusOf: (one) => statuses.get(whose(event, one)),
            purposes,
            fences: [],
            now: event.receivedAt,
          }),
        )
        const ours = answers.some((answer) => !isHalt(answer))
        if (ours === theirs) {
          same++
          continue
        }
        const halt = answers.find(isHalt)
        const reason = ours ? '' : halt ? wordsOf(halt.reasons[0]) : 'undeclared_destination (6 I)'
        const difference = {
          destination: destination.id,
          rule,
          only: theirs ? 'theirs' : 'ours',
          reason,
        } as const
        const key = JSON.stringify(difference)
        const known = found.get(key) ?? { difference, events: 0, people: new Set<string>() }
        known.events++
        const first = event.subject.identifiers[0]
        known.people.add(`${first?.type}:${first?.value}`)
        found.set(key, known)
      }
    },
    result(): Comparison {
      return {
        events,
        same,
        differences: [...found.values()]
          .map((one) => ({ ...one.difference, events: one.events, people: one.people.size }))
          .sort((a, b) => b.events - a.events),
      }
    },
  }
}

/** Headline reason of a refusal with its article. */
export const wordsOf = (reason: { readonly code: string; readonly art: string } | undefined) =>
  reason ? `${reason.code} (${reason.art})` : ''
