/**
 * What vendors tell of messages and people, at /in/<destination id>. An unsubscribe, a complaint or a reply
 * such as SAIR is a withdrawal, effective from its 200; the rest becomes events of the person.
 */
import { createHash } from 'node:crypto'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { withdrawalSignals } from '../../consent/signals.ts'
import type { CanonicalEvent, Identifier } from '../../schemas/event.ts'
import { answerEvent, identifiersOfPerson, recordAnswers } from '../answers/record.ts'
import type { DestinationSettings } from '../config.ts'
import type { AnyDestination, FeedbackDefinition, FeedbackItem, HttpAnswer, RawRequest } from '../kit/define.ts'
import { InputError } from '../kit/errors.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'
import { type IngestPorts, refuse } from '../stages/ingest.ts'
import type { StateStore } from '../stores/open.ts'

export interface FeedbackPorts {
  readonly destinations: ReadonlyMap<string, DestinationSettings>
  readonly state: StateStore
  readonly ingest: Pick<IngestPorts, 'purposes' | 'keys' | 'log' | 'maxLogBytes'>
}

/** Names of the Segment spec for e-mail (https://segment.com/docs/connections/spec/email/), for every channel. */
const EVENTS: Readonly<Record<FeedbackItem['kind'], string>> = {
  delivered: 'Message Delivered',
  opened: 'Message Opened',
  clicked: 'Message Link Clicked',
  bounced: 'Message Bounced',
  complained: 'Message Marked as Spam',
  unsubscribed: 'Unsubscribed',
  replied: 'Message Replied',
}

/** The words people write to stop messages; the whole reply must be one of them. Our own list. */
const STOP_WORDS = new Set([
  'sair',
  'parar',
  'pare',
  'cancelar',
  'descadastrar',
  'remover',
  'stop',
  'unsubscribe',
  'quit',
])

/** Whether a reply asks to stop: one word or two, whatever its accents, case and punctuation. */
export function asksToStop(text: string | undefined): boolean {
  if (text === undefined || text.length > 60) return false
  const words = text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '')
  return words.length > 0 && words.length <= 2 && STOP_WORDS.has(words[0]!)
}

/** @returns undefined when no destination of this name listens. */
export async function takeFeedback(
  destinationId: string,
  request: RawRequest,
  ports: FeedbackPorts,
): Promise<HttpAnswer | undefined> {
  const destination = ports.destinations.get(destinationId)
  const receive = destination && receiverOf(destination.definition)
  if (!destination || !receive) return undefined
  const asked = receive.challenge?.(request, destination.settings)
  if (asked !== undefined)
    return typeof asked === 'string'
      ? refuse({ refused: asked, message: 'the verify token is not the one of the destination' })
      : asked
  const verdict = receive.verify(request, destination.settings)
  if (verdict !== true)
    return refuse({ refused: verdict, message: 'the credentials on this request are not those of the destination' })
  const { ingest } = ports
  if (ingest.log.size() > ingest.maxLogBytes)
    return refuse({ refused: 'OVERLOADED', message: 'the hub is behind; send again after Retry-After' })
  let items: readonly FeedbackItem[]
  try {
    items = receive.read(request, destination.settings)
  } catch (error) {
    if (error instanceof InputError) return refuse({ refused: error.code, message: error.message, path: error.path })
    throw error
  }
  const events: CanonicalEvent[] = []
  let unknown = 0
  for (const item of items) {
    const event = await eventOf(item, destination, request, ports)
    if (event) events.push(event)
    else unknown += 1
  }
  if (events.length > 0) await recordAnswers(events, ingest)
  return { status: 200, body: { taken: events.length, unknown } }
}

function receiverOf({ feedback }: AnyDestination): FeedbackDefinition<unknown>['receive'] {
  return 'webhook' in feedback ? (feedback.receive as FeedbackDefinition<unknown>['receive']) : undefined
}

/** @returns undefined when it is about nobody the hub knows how to name. */
async function eventOf(
  item: FeedbackItem,
  destination: DestinationSettings,
  request: RawRequest,
  { state, ingest }: FeedbackPorts,
): Promise<CanonicalEvent | undefined> {
  const delivery =
    item.deliveryId === undefined
      ? undefined
      : await state.db
          .selectFrom('deliveries')
          .select(['id', 'person_id', 'purpose', 'channel'])
          .where('id', '=', item.deliveryId)
          // The id of another tool's delivery proves nothing here.
          .where('destination', '=', destination.id)
          .executeTakeFirst()
  const identifiers: Identifier[] = delivery
    ? await identifiersOfPerson(delivery.person_id, state, ingest.keys)
    : (item.identifiers ?? []).flatMap(({ type, value }) => {
        const normal = normalizeIdentifier(type, value)
        return normal === undefined ? [] : [{ type, value: normal }]
      })
  if (identifiers.length === 0) return undefined
  const { receivedAt } = request
  const occurredAt = item.at !== undefined && !Number.isNaN(Date.parse(item.at)) ? item.at : receivedAt
  const channel = item.channel ?? delivery?.channel ?? undefined
  const withdraws =
    item.kind === 'unsubscribed' || item.kind === 'complained' || (item.kind === 'replied' && asksToStop(item.text))
  const purposes = withdraws ? withdrawn(delivery?.purpose, channel, destination.id, ingest.purposes) : []
  const raw = {
    destination: destination.id,
    kind: item.kind,
    deliveryId: delivery?.id ?? null,
    channel: channel ?? null,
  }
  const facts = JSON.stringify([
    destination.id,
    item.kind,
    item.deliveryId ?? null,
    item.identifiers ?? null,
    item.at ?? null,
  ])
  return answerEvent(
    {
      // A complaint keeps its own name: rules that `suppress: [complained]` and guardrails count it.
      name: withdraws && item.kind === 'replied' ? 'Unsubscribed' : EVENTS[item.kind],
      source: { id: destination.id, connector: destination.connector, feedback: true },
      identifiers,
      // A vendor repeats what was not answered in time; without a time of its own it may be a second open.
      ...((item.at !== undefined || withdraws) && {
        messageId: `feedback-${createHash('sha256').update(facts).digest('hex').slice(0, 32)}${item.at === undefined ? `-${receivedAt}` : ''}`,
      }),
      properties: {
        ...(delivery && { delivery_id: delivery.id }),
        ...(channel !== undefined && { channel }),
        destination: destination.id,
      },
      consent: purposes.flatMap((purpose) =>
        withdrawalSignals({
          purposes: ingest.purposes,
          purpose: purpose.id,
          origin: { kind: 'feedback', ref: destination.id },
          actor: 'subject',
          method: 'link',
          raw,
          occurredAt,
        }),
      ),
      occurredAt,
      receivedAt,
    },
    createHash('sha256').update(facts).digest('hex'),
  )
}

/** What somebody stops: the purpose of the message, else the offers by that channel, else all offers of this tool. */
function withdrawn(
  ofDelivery: string | undefined,
  channel: string | undefined,
  destinationId: string,
  purposes: Purposes,
): readonly Purpose[] {
  const own = ofDelivery === undefined ? undefined : purposes.get(ofDelivery)
  if (own && (own.basis === 'consent' || own.basis === 'legitimate_interest')) return [own]
  const served = [...(purposes.destinations.get(destinationId)?.byStarter ?? [])]
  const byChannel = served.filter(([starter]) => channel !== undefined && starter === `${channel}_marketing`)
  const offers = byChannel.length > 0 ? byChannel : served.filter(([, purpose]) => purpose.promotional)
  return [...new Set(offers.map(([, purpose]) => purpose))].filter(
    ({ basis }) => basis === 'consent' || basis === 'legitimate_interest',
  )
}
