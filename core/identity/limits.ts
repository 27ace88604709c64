/**
 * How many identifiers of a type one person may have, in all and lately, which type is trusted more, and what joins
 * nobody. The numbers are those of Segment Unify (user id 1 ever, e-mail 5 a year, anonymous id 5 a week, others 5);
 * CPF is ours: there is one per person. A join beyond them is refused and kept as refused evidence.
 */
import { Duration } from 'luxon'
import { IDENTIFIER_TYPES, type Identifier, type IdentifierType } from '../../schemas/event.ts'
import type { IdentityConfig } from '../../schemas/identity.ts'
import { createEdgeMemory, type EdgeMemory } from './edge-memory.ts'

export interface Limit {
  readonly ever?: number
  /** `window` in milliseconds. */
  readonly within?: { readonly max: number; readonly window: number }
}

export interface IdentityLimits {
  readonly perType: Readonly<Record<IdentifierType, Limit>>
  /** Identifiers of all types together. */
  readonly maxIdentifiers: number
}

/** What resolving needs of the configuration. */
export interface IdentitySettings extends IdentityLimits {
  /** Place of each type, most trusted first. */
  readonly rank: Readonly<Record<IdentifierType, number>>
  /** Of the configuration; built-in values never get this far (kit/identifiers.ts). */
  isBlocked(identifier: Identifier): boolean
  /** Edges that are written already; each process has its own. */
  readonly edges: EdgeMemory
}

const DAY_MS = 86_400_000
const yearly: Limit = { within: { max: 5, window: 365 * DAY_MS } }
const weekly: Limit = { within: { max: 5, window: 7 * DAY_MS } }

export const DEFAULT_LIMITS: IdentityLimits['perType'] = {
  userId: { ever: 1 },
  cpf: { ever: 1 },
  email: yearly,
  phone: yearly,
  rdstation_uuid: { ever: 5 },
  anonymousId: weekly,
  ga_client_id: weekly,
  device_id: weekly,
}

/** Our choice: far more than anybody has, and few enough that a wrong join can be looked through by a person. */
export const DEFAULT_MAX_IDENTIFIERS = 100

export function identitySettings(config: IdentityConfig = {}): IdentitySettings {
  const order = [...(config.priority ?? []), ...IDENTIFIER_TYPES.filter((type) => !config.priority?.includes(type))]
  const values = new Set(config.blocked?.values?.map((value) => value.trim().toLowerCase()))
  const endings = config.blocked?.endings?.map((ending) => ending.toLowerCase()) ?? []
  return {
    perType: Object.fromEntries(
      IDENTIFIER_TYPES.map((type) => {
        const given = config.limits?.[type]
        return [type, given ? limitOf(given) : DEFAULT_LIMITS[type]]
      }),
    ) as Record<IdentifierType, Limit>,
    maxIdentifiers: config.maxIdentifiers ?? DEFAULT_MAX_IDENTIFIERS,
    rank: Object.fromEntries(order.map((type, place) => [type, place])) as Record<IdentifierType, number>,
    isBlocked: ({ type, value }) =>
      (values.size > 0 && values.has(value.toLowerCase())) ||
      (type === 'email' && endings.some((ending) => value.endsWith(ending))),
    edges: createEdgeMemory(),
  }
}

function limitOf({ ever, within }: NonNullable<NonNullable<IdentityConfig['limits']>[IdentifierType]>): Limit {
  return {
    ...(ever !== undefined && { ever }),
    ...(within && { within: { max: within.max, window: Duration.fromISO(within.window).toMillis() } }),
  }
}

/** An identifier of a person, or one that would become theirs now. */
export interface Counted {
  readonly type: IdentifierType
  /** Epoch milliseconds. */
  readonly foundedAt: number
}

/** @returns the limit the union would pass, as a reason: `userId`, `size`; undefined when the join is fine. */
export function overLimit(
  union: Iterable<Counted>,
  { perType, maxIdentifiers }: IdentityLimits,
  now: number,
): IdentifierType | 'size' | undefined {
  const ever = new Map<IdentifierType, number>()
  const lately = new Map<IdentifierType, number>()
  let size = 0
  for (const { type, foundedAt } of union) {
    size += 1
    ever.set(type, (ever.get(type) ?? 0) + 1)
    const { within } = perType[type]
    if (within && foundedAt > now - within.window) lately.set(type, (lately.get(type) ?? 0) + 1)
  }
  for (const type of IDENTIFIER_TYPES) {
    const limit = perType[type]
    if (limit.ever !== undefined && (ever.get(type) ?? 0) > limit.ever) return type
    if (limit.within && (lately.get(type) ?? 0) > limit.within.max) return type
  }
  return size > maxIdentifiers ? 'size' : undefined
}
