/** What a batch has loaded of the people it touches. Stages change these objects; commit writes them. */
import type { PurposeStatus } from '../../consent/status.ts'
import type { IdentifierType } from '../../schemas/event.ts'
import type { OpenProfile, SealedTraits } from '../../schemas/profile.ts'

export interface NodeState {
  readonly id: string
  personId: string
  readonly subject: string
  readonly type: IdentifierType
  /** Hex of the identifier's HMAC. */
  readonly hmac: string
  readonly dataKey: Uint8Array
  readonly proofKey: Uint8Array
  readonly foundedAt: number
  /** Nodes it is never again one person with: somebody took them apart. */
  readonly apart?: readonly string[]
  isNew: boolean
  /** The identifier's value is stored, sealed under the node's data key. */
  hasValue: boolean
  /** Set when this batch stores the value. */
  newValue?: string
}

export interface PersonState {
  readonly id: string
  seq: number
  profile: OpenProfile
  nodes: NodeState[]
  caps: CapUse[]
  isNew: boolean
  /** Something of the row changed. */
  dirty: boolean
  /** Only time passed: when the person was last heard of stays as it is. */
  unheard?: true
  /** Kept for a proceeding and blocked: no use (LGPD art. 5 XIII). */
  legalHold?: true
}

/** Nodes of one person are another's from now on, in the order in which they are loaded: the newest comes last. */
export function takeNodes(into: PersonState, from: PersonState): void {
  for (const node of from.nodes) node.personId = into.id
  into.nodes.push(...from.nodes)
  into.nodes.sort((a, b) => (a.id < b.id ? -1 : 1))
}

export interface CapUse {
  readonly key: string
  readonly at: number
  readonly deliveryId: string
  isNew: boolean
}

export interface StatusRow {
  readonly status: PurposeStatus
  readonly updatedAt: number
}

/** node id -> purpose -> status */
export type Statuses = Map<string, Map<string, StatusRow>>

export interface TraitsRow {
  readonly sealed: SealedTraits
  dirty: boolean
}
