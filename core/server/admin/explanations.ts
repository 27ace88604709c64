import type { DeliveryRow, Explanation } from '../../../schemas/admin.ts'
import type { DeliveryStatus } from '../../../schemas/delivery.ts'
import type { Tables } from '../../stores/tables.ts'

/** JSON text as stored; what cannot be read is shown as text rather than hidden. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const textOrNull = (value: unknown) => (typeof value === 'string' ? value : null)

function listOf(body: unknown, name: string): Record<string, unknown>[] {
  const list = isRecord(body) ? body[name] : undefined
  return Array.isArray(list) ? list.filter(isRecord) : []
}

/** The Explanation of core/decision/evaluate.ts as it was stored; the table outlives the code that wrote it. */
export function asExplanation(
  row: Pick<Tables['explanations'], 'rule' | 'at' | 'result' | 'body'> & { id: string | null; version: number | null },
): Explanation {
  const body = parse(row.body)
  return {
    id: row.id,
    rule: row.rule,
    version: row.version,
    at: row.at,
    result: row.result,
    clauses: listOf(body, 'clauses').map((clause) => ({
      id: String(clause['id'] ?? ''),
      clause: String(clause['clause'] ?? ''),
      pt: String(clause['pt'] ?? clause['clause'] ?? ''),
      ok: clause['ok'] === true,
      value: clause['value'] ?? null,
    })),
    arm: isRecord(body) ? textOrNull(body['arm']) : null,
    entryId: isRecord(body) ? textOrNull(body['entryId']) : null,
    skipped: listOf(body, 'skipped').map(({ destination, action, code }) => ({
      destination: String(destination),
      action: String(action),
      code: String(code),
    })),
  }
}

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
