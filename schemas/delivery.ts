import { type Static, Type } from 'typebox'

/**
 * Every way a delivery can stand. All are rows with a reason.
 * Open: queued, leased, retry, held, attempted. Settled: the rest.
 */
export const DELIVERY_STATUSES = [
  'queued',
  'leased',
  'attempted',
  'retry',
  'delivered',
  'blocked',
  'held_out',
  'suppressed',
  'cancelled',
  'superseded',
  'uncertain',
  'dead',
] as const
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

export const OPEN_STATUSES: readonly DeliveryStatus[] = ['queued', 'leased', 'attempted', 'retry']

/** Kinds of lane: how order is kept and whether a newer value replaces an older one. */
export const LANE_KINDS = ['state', 'message', 'event'] as const
export type LaneKind = (typeof LANE_KINDS)[number]

/** How often one delivery may reach the vendor: see the promise on idempotency in docs/architecture.md. */
export const IDEMPOTENCIES = ['key', 'natural', 'none'] as const
export type Idempotency = (typeof IDEMPOTENCIES)[number]

export const Arm = Type.Union([Type.Literal('treated'), Type.Literal('control'), Type.Literal('holdout')])
export type Arm = Static<typeof Arm>
