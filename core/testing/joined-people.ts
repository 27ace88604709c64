/** Two customers that one e-mail joined by mistake, in a state without a pipeline: for tests of what people see of it. */

import type { LoadedConfig } from '../config.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import type { Keys } from '../keys.ts'
import { seal, sealJson } from '../seal.ts'
import type { StateStore } from '../stores/open.ts'
import { adminHubConfig } from './admin-hub.ts'

export const JOINED = { a: '01JOINED000000000000000A00', b: '01JOINED000000000000000B00' } as const

/** What commands on identities read of a configuration file, for the hub that has none. */
export const joinedConfig = {
  config: {
    ...adminHubConfig,
    purposes: { email_marketing: adminHubConfig.purposes['email_marketing']! },
    destinations: {},
  },
  ruleDocuments: [],
  publicUrl: 'http://hub.loja.example',
  timezone: 'America/Sao_Paulo',
  currency: 'BRL',
  sourceSettings: new Map(),
  destinationSettings: new Map(),
} as unknown as LoadedConfig

/** @param now epoch milliseconds. The person is `JOINED.a`. */
export async function joinPeople({ db }: StateStore, keys: Keys, now: number): Promise<void> {
  const { a, b } = JOINED
  const at = now - 86_400_000
  const data = keys.create()
  const empty = JSON.stringify(emptyProfile(new Date(at).toISOString()))
  await db
    .insertInto('persons')
    .values([
      { id: a, seq: 2, profile: empty, merged_into: null, updated_at: at },
      { id: b, seq: 1, profile: empty, merged_into: a, updated_at: at },
    ])
    .execute()
  const node = (id: string, subject: string) => ({
    id,
    person_id: a,
    subject,
    device: 0,
    data_key: data.wrapped,
    proof_key: keys.create().wrapped,
    founded_at: at,
  })
  await db
    .insertInto('nodes')
    .values([node(a, 's_0000000000000000000000000a'), node(b, 's_0000000000000000000000000b')])
    .execute()
  const identifier = (type: 'userId' | 'email', value: string, node_id: string) => ({
    hmac: keys.identifier(type, value),
    type,
    node_id,
    sealed: seal(data.key, value),
    first_seen_at: at,
  })
  await db
    .insertInto('identifiers')
    .values([identifier('userId', 'ana', a), identifier('email', 'bia@loja.example', b)])
    .execute()
  const event = (id: string, node_id: string) => ({
    id,
    node_id,
    person_seq: 0,
    type: 'track',
    name: 'Product Viewed',
    occurred_at: at,
    received_at: at,
    source_id: 'site',
    connector: 'segment',
    purposes: JSON.stringify(['email_marketing']),
    amounts: '{}',
    sealed: sealJson(data.key, {
      messageId: id,
      properties: {},
      context: {},
      traits: {},
      identifiers: [],
      device: node_id,
    }),
    taken: null,
    taken_at: null,
  })
  await db
    .insertInto('history')
    .values([event('evt-joined-1', a), event('evt-joined-2', b)])
    .execute()
  const tie = { node_a: a, node_b: b, event_id: 'evt-joined-2', at }
  await db
    .insertInto('edges')
    .values({ ...tie, source_id: 'site', refused: null, strength: 'stated' })
    .execute()
  await db
    .insertInto('merge_log')
    .values({ ...tie, id: '01JOINED000000000000000M00', from_person: b, into_person: a, reason: 'identify' })
    .execute()
}

/** A legal hold on that person. */
export async function holdJoined({ db }: StateStore, now: number): Promise<void> {
  await db
    .insertInto('legal_holds')
    .values({
      id: 'h-joined',
      kind: 'person',
      person_id: JOINED.a,
      class: null,
      from_at: null,
      to_at: null,
      ref: '0001',
      reason: 'Ordem judicial.',
      set_by: 'u',
      set_at: now,
      released_by: null,
      released_at: null,
      release_reason: null,
    })
    .execute()
}
