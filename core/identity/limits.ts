/**
 * How many identifiers of a type one person may have. More than one user id or CPF is two people
 * at one device, not one person: such a join is refused and kept as refused evidence.
 */
import { IDENTIFIER_TYPES, type IdentifierType } from '../../schemas/event.ts'
import type { NodeState } from '../stages/people.ts'

export const IDENTIFIER_LIMITS: Readonly<Record<IdentifierType, number>> = {
  userId: 1,
  cpf: 1,
  email: 5,
  phone: 5,
  rdstation_uuid: 5,
  anonymousId: 100,
  ga_client_id: 100,
  device_id: 100,
}

/** @returns the type whose limit the union would pass, or undefined when the join is fine. */
export function overLimit(
  nodes: readonly Pick<NodeState, 'type'>[],
  more: readonly Pick<NodeState, 'type'>[],
): IdentifierType | undefined {
  const counts = new Map<IdentifierType, number>()
  for (const { type } of nodes) counts.set(type, (counts.get(type) ?? 0) + 1)
  for (const { type } of more) counts.set(type, (counts.get(type) ?? 0) + 1)
  return IDENTIFIER_TYPES.find((type) => (counts.get(type) ?? 0) > IDENTIFIER_LIMITS[type])
}
