/** What of a request is personal, under the request's own key. */
import type { Identifier, IdentifierType } from '../../schemas/event.ts'
import type { Representative } from '../../schemas/requests.ts'
import type { Keys } from '../keys.ts'
import { sealJson, unsealJson } from '../seal.ts'
import type { Tables } from '../stores/tables.ts'

export interface SealedRequest {
  readonly name?: string
  /** Where the answer goes. */
  readonly contact?: string
  readonly text?: string
  readonly identifiers: readonly Identifier[]
  readonly identityCheck?: string
  readonly representative?: Representative
  readonly answer?: string
  /** Trait or contact -> right value. */
  readonly corrections?: Readonly<Record<string, string | number | boolean>>
  /** As vendors know the person: kept until the last of them has answered, since the profile is gone by then. */
  readonly vendor?: Readonly<Partial<Record<IdentifierType, string>>>
  /** OpenDSR: where the sender wants to hear of it. */
  readonly callbacks?: readonly string[]
}

export const openRequest = (row: Pick<Tables['requests'], 'data_key' | 'sealed'>, keys: Keys): SealedRequest =>
  unsealJson<SealedRequest>(keys.unwrap(row.data_key), row.sealed)

export const sealRequest = (row: Pick<Tables['requests'], 'data_key'>, content: SealedRequest, keys: Keys): Buffer =>
  sealJson(keys.unwrap(row.data_key), content)
