/** May this person's data be used for this purpose, and why: every stage asked, with reasons, articles and the entry. */
import { questionOf } from '../../consent/gate.ts'
import { type Decision, evaluate, type Reason } from '../../consent/policy.ts'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { standing } from '../../consent/signals.ts'
import type { PurposeStatus } from '../../consent/status.ts'
import type { Stage, Status } from '../../schemas/consent.ts'
import { factsOf } from '../stages/facts-of-person.ts'
import type { PersonState } from '../stages/people.ts'

export interface Why {
  readonly purpose: string
  readonly basis: string
  readonly status: Status
  /** ISO 8601. */
  readonly asOf: string
  readonly entryId: string | null
  readonly since: string | null
  readonly notice: { readonly id: string; readonly version: number } | null
  readonly destination: string | null
  readonly stages: readonly {
    readonly stage: Stage
    readonly effect: Decision['effect']
    readonly reasons: readonly Reason[]
  }[]
  readonly policyHash: string
}

const INSIDE: readonly Stage[] = ['collect', 'profile', 'decide', 'activate']

export function why(
  purpose: Purpose,
  statusOf: (purpose: Purpose) => PurposeStatus | undefined,
  given: {
    readonly purposes: Purposes
    readonly people: readonly PersonState[]
    readonly destinationId?: string | undefined
    /** ISO 8601. */
    readonly asOf: string
  },
): Why {
  const { purposes, asOf, people } = given
  const destination = given.destinationId === undefined ? undefined : purposes.destinations.get(given.destinationId)
  const current = statusOf(purpose)
  const share = destination?.sharePurpose
  const facts = factsOf(people[0], purposes, asOf)
  const stages: readonly Stage[] = destination ? [...INSIDE, 'share', 'transfer'] : INSIDE
  return {
    purpose: purpose.id,
    basis: purpose.basis,
    status: standing(purpose, current, asOf).status,
    asOf,
    entryId: current?.entryId ?? null,
    since: current?.occurredAt ?? null,
    notice: current?.notice ?? null,
    destination: destination?.id ?? null,
    stages: stages.map((stage) => {
      const { effect, reasons } = evaluate({
        ...questionOf(purpose, current, asOf, facts, purposes, { stage }),
        ...(destination && { destination }),
        ...(share && { shareStatus: standing(share, statusOf(share), asOf).status }),
      })
      return { stage, effect, reasons }
    }),
    policyHash: purposes.policyHash,
  }
}
