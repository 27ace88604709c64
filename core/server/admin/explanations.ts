import type { DeliveryRow, Explanation } from '../../../schemas/admin.ts'
import type { DeliveryStatus } from '../../../schemas/delivery.ts'
import type { StoredDecision } from '../../explain/stored.ts'
import type { Tables } from '../../stores/tables.ts'

/** JSON text as stored; what cannot be read is shown as text rather than hidden. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

export const asExplanation = ({
  id,
  rule,
  version,
  at,
  result,
  clauses,
  arm,
  entryId,
  skipped,
}: StoredDecision): Explanation => ({
  id,
  rule,
  version,
  at: Date.parse(at),
  result,
  clauses: [...clauses],
  arm: arm ?? null,
  entryId: entryId ?? null,
  skipped: [...skipped],
})

export const DELIVERY_COLUMNS = [
  'id',
  'destination',
  'action',
  'kind',
  'person_id',
  'purpose',
  'channel',
  'rule',
  'rule_version',
  'arm',
  'variant',
  'offer',
  'event_id',
  'status',
  'reason',
  'attempt',
  'due_at',
  'created_at',
  'settled_at',
] as const satisfies readonly (keyof Tables['deliveries'])[]

export function asDelivery(row: Pick<Tables['deliveries'], (typeof DELIVERY_COLUMNS)[number]>): DeliveryRow {
  return {
    id: row.id,
    destination: row.destination,
    action: row.action,
    kind: row.kind,
    personId: row.person_id,
    purpose: row.purpose,
    channel: row.channel,
    rule: row.rule,
    ruleVersion: row.rule_version,
    arm: row.arm,
    variant: row.variant ?? null,
    offer: row.offer ?? null,
    eventId: row.event_id,
    status: row.status as DeliveryStatus,
    reason: row.reason,
    attempt: row.attempt,
    dueAt: row.due_at,
    createdAt: row.created_at,
    settledAt: row.settled_at,
  }
}
