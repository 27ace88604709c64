/**
 * An answer about consent that comes by another door than a source: API, import, portal, link, vendor.
 * It goes the way of every event: into the log, with the fence of what it withdraws, before the 200.
 */
import type { ConsentSignal } from '../../schemas/consent.ts'
import { type CanonicalEvent, EVENT_SCHEMA_VERSION, IDENTIFIER_TYPES, type Identifier } from '../../schemas/event.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import type { Fence, LogRecord, LogWriter } from '../log/event-log.ts'
import { unseal } from '../seal.ts'
import { fenceFor } from '../stages/ingest.ts'
import type { StateStore } from '../stores/open.ts'

export interface GivenAnswer {
  /** Event name; when somebody agrees the event is an identify, so that the identifiers are known as one person. */
  readonly name: string
  /** Deduplicated per source id, as every message. */
  readonly messageId?: string
  readonly source: Pick<CanonicalEvent['source'], 'id' | 'connector' | 'feedback'>
  readonly identifiers: readonly Identifier[]
  readonly consent: readonly ConsentSignal[]
  readonly properties?: Readonly<Record<string, unknown>>
  /** ISO 8601. */
  readonly occurredAt: string
  readonly receivedAt: string
}

export function answerEvent(given: GivenAnswer, payloadHash: string): CanonicalEvent {
  const id = newId()
  const agrees = given.consent.some(({ action }) => action === 'grant')
  const contacts = given.identifiers.filter(({ type }) => type === 'email' || type === 'phone' || type === 'cpf')
  return {
    schemaVersion: EVENT_SCHEMA_VERSION,
    id,
    messageId: given.messageId ?? `anuente-${id}`,
    type: agrees ? 'identify' : 'track',
    name: agrees ? 'identify' : given.name,
    occurredAt: new Date(Math.min(Date.parse(given.occurredAt), Date.parse(given.receivedAt))).toISOString(),
    receivedAt: given.receivedAt,
    source: { ...given.source, payloadHash },
    subject: {
      identifiers: [...given.identifiers].sort(
        (a, b) => IDENTIFIER_TYPES.indexOf(a.type) - IDENTIFIER_TYPES.indexOf(b.type),
      ),
    },
    traits: agrees ? Object.fromEntries(contacts.map(({ type, value }) => [type, value])) : {},
    properties: { ...given.properties },
    context: {},
    consent: [...given.consent],
  }
}

/** Resolves once events and fences are on disk: what they withdraw is effective from then on. */
export async function recordAnswers(
  events: readonly CanonicalEvent[],
  { keys, log }: { readonly keys: Keys; readonly log: Pick<LogWriter, 'append'> },
): Promise<void> {
  const records: LogRecord[] = []
  const fences: Fence[] = []
  for (const event of events) {
    const fence = fenceFor(event, keys)
    if (fence) fences.push(fence)
    records.push({ kind: 'event', event, fences: fence ? [fence.id] : [] })
  }
  await log.append(records, fences)
}

/** Every identifier of a person whose value is known: a withdrawal through a delivery reaches all of them at once. */
export async function identifiersOfPerson(personId: string, state: StateStore, keys: Keys): Promise<Identifier[]> {
  const person = await state.db
    .selectFrom('persons')
    .select(['id', 'merged_into'])
    .where('id', '=', personId)
    .executeTakeFirst()
  const nodes = await state.db
    .selectFrom('nodes')
    .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
    .select(['identifiers.type', 'identifiers.sealed', 'nodes.data_key'])
    .where('nodes.person_id', '=', person?.merged_into ?? personId)
    .execute()
  return nodes.flatMap(({ type, sealed, data_key }) =>
    sealed ? [{ type: type as Identifier['type'], value: unseal(keys.unwrap(data_key), sealed).toString('utf8') }] : [],
  )
}
