/** Entering a request, by whatever way it came. The day of arrival starts its clocks. */
import { readMoment } from '../../consent/requests/clock.ts'
import { type NewRequest, REQUEST_CHANNELS, type RequestOpened, RIGHTS } from '../../schemas/requests.ts'
import { newId } from '../ids.ts'
import { normalizeEmail } from '../kit/identifiers.ts'
import { hubEntry } from '../ledger/hub-entry.ts'
import { sealJson } from '../seal.ts'
import { CommandError } from '../server/context.ts'
import { type ActContext, identifiersOf, lineOf } from './acts.ts'
import { writeMarks } from './alike.ts'
import { checkCorrections } from './correct.ts'
import { findPeople } from './people.ts'
import type { SealedRequest } from './sealed.ts'

const TOMORROW_MS = 86_400_000

export async function open(
  given: NewRequest & { readonly callbacks?: readonly string[] },
  context: ActContext,
  dryRun = false,
): Promise<RequestOpened> {
  const { db, keys, settings, now, actor } = context
  const kind = given.kind ?? 'subject'
  if (kind === 'subject' && !(RIGHTS as readonly string[]).includes(given.right ?? ''))
    throw new CommandError('INVALID', `"right" must be one of: ${RIGHTS.join(', ')}.`)
  if (!(REQUEST_CHANNELS as readonly string[]).includes(given.channel))
    throw new CommandError('INVALID', `"channel" must be one of: ${REQUEST_CHANNELS.join(', ')}.`)
  const receivedAt = readMoment(String(given.receivedAt), settings.clocks.timezone)
  if (receivedAt === undefined)
    throw new CommandError('INVALID', '"receivedAt" must be the day of arrival, such as 2026-11-24.')
  if (receivedAt > now + TOMORROW_MS) throw new CommandError('INVALID', 'A request cannot arrive in the future.')
  const dueAt = given.dueAt === undefined ? undefined : endOfDay(given.dueAt, settings.clocks.timezone)
  if (given.dueAt !== undefined && (dueAt === undefined || kind !== 'authority'))
    throw new CommandError('INVALID', '"dueAt" is the day the authority set, for its inquiries only.')
  const identifiers = identifiersOf(given.identifiers)
  const email = given.contact === undefined ? undefined : normalizeEmail(given.contact)
  if (identifiers.length === 0 && email !== undefined && kind === 'subject')
    identifiers.push({ type: 'email', value: email })
  if (kind === 'subject' && identifiers.length === 0 && given.right !== 'consent_information')
    throw new CommandError('INVALID', 'Give an identifier: an e-mail, phone, CPF or customer number of the person.')
  const { corrections, ...scope } = given.scope ?? {}
  if (given.right === 'correction' && corrections) checkCorrections(corrections)
  for (const id of scope.purposes ?? [])
    if (!settings.purposes.has(id)) throw new CommandError('INVALID', `No purpose is called ${id}.`)

  const hmacs = identifiers.map(({ type, value }) => keys.suppression(keys.identifier(type, value)))
  const right = kind === 'authority' ? null : (given.right ?? null)
  const same = await findSame({ channel: given.channel, reference: given.reference, right, receivedAt, hmacs }, context)
  if (same) return { id: same, repeated: true, duplicateOf: null }
  const duplicateOf = await findDuplicate(right, hmacs, context)
  if (dryRun) return { id: '', repeated: false, duplicateOf }

  const people = await findPeople(db, keys, identifiers)
  const id = newId(now)
  const key = keys.create()
  const content: SealedRequest = {
    identifiers,
    ...(given.name !== undefined && { name: given.name }),
    ...(given.contact !== undefined && { contact: email ?? given.contact }),
    ...(given.text !== undefined && { text: given.text }),
    ...(given.identityCheck !== undefined && { identityCheck: given.identityCheck }),
    ...(given.representative && { representative: given.representative }),
    ...(corrections && { corrections }),
    ...(given.callbacks && { callbacks: given.callbacks }),
  }
  await db
    .insertInto('requests')
    .values({
      id,
      kind,
      right_id: right,
      state: kind === 'authority' ? 'acknowledged' : 'received',
      channel: given.channel,
      language: given.language ?? 'pt',
      received_at: receivedAt,
      entered_at: now,
      entered_by: actor,
      due_at: dueAt ?? null,
      assurance: given.assurance ?? 'claimed',
      person_id: people?.personIds[0] ?? null,
      subject: people?.nodes[0]?.subject ?? null,
      scope: JSON.stringify(scope),
      pauses: '[]',
      done: '{}',
      plan: null,
      ground: null,
      outcome: null,
      closed_at: null,
      duplicate_of: duplicateOf,
      reference: given.reference ?? null,
      data_key: key.wrapped,
      sealed: sealJson(key.key, content),
    })
    .execute()
  for (const hmac of hmacs)
    await db
      .insertInto('request_identifiers')
      .values({ hmac, request_id: id })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  await writeMarks(id, { ...given, identifiers }, hmacs[0], context)
  await lineOf({ id, state: 'received' }, 'opened', 'received', given.channel, context)
  await hubEntry(db, {
    type: 'request.opened',
    at: now,
    actor: actor === 'portal' ? 'system' : 'agent',
    source: 'hub/requests',
    facts: { request: id, kind, right: right ?? '', received: new Date(receivedAt).toISOString() },
  })
  return { id, repeated: false, duplicateOf }
}

/** Sent or typed in twice: one request. By its reference; without one, by the same words on the same day. */
async function findSame(
  {
    channel,
    reference,
    right,
    receivedAt,
    hmacs,
  }: {
    readonly channel: string
    readonly reference: string | undefined
    readonly right: string | null
    readonly receivedAt: number
    readonly hmacs: readonly Buffer[]
  },
  { db }: ActContext,
): Promise<string | undefined> {
  if (reference !== undefined)
    return (
      await db
        .selectFrom('requests')
        .select('id')
        .where('channel', '=', channel)
        .where('reference', '=', reference)
        .executeTakeFirst()
    )?.id
  if (hmacs.length === 0 || right === null) return undefined
  const rows = await db
    .selectFrom('requests')
    .innerJoin('request_identifiers', 'request_identifiers.request_id', 'requests.id')
    .select('requests.id')
    .where('request_identifiers.hmac', 'in', [...hmacs])
    .where('requests.channel', '=', channel)
    .where('requests.right_id', '=', right)
    .where('requests.received_at', '=', receivedAt)
    .where('requests.reference', 'is', null)
    .execute()
  return rows[0]?.id
}

/** Another open request of the same person for the same right. It is entered all the same: its own clock runs. */
async function findDuplicate(
  right: string | null,
  hmacs: readonly Buffer[],
  { db }: ActContext,
): Promise<string | null> {
  if (right === null || hmacs.length === 0) return null
  const row = await db
    .selectFrom('requests')
    .innerJoin('request_identifiers', 'request_identifiers.request_id', 'requests.id')
    .select('requests.id')
    .where('request_identifiers.hmac', 'in', [...hmacs])
    .where('requests.right_id', '=', right)
    .where('requests.closed_at', 'is', null)
    .orderBy('requests.received_at')
    .executeTakeFirst()
  return row?.id ?? null
}

function endOfDay(text: string, zone: string): number | undefined {
  const at = readMoment(text, zone)
  return at === undefined ? undefined : /^\d{4}-\d{2}-\d{2}$/.test(text) ? at + 86_400_000 - 1 : at
}
