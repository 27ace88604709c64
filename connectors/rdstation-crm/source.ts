/**
 * Webhooks of RD Station CRM: deals and contacts. `{event_name, event_timestamp, transaction_uuid, document}`.
 * https://developers.rdstation.com/reference/crm-v1-webhooks
 */
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import {
  defineSource,
  isLoose,
  keepItem,
  type Loose,
  legalBasesOf,
  type Part,
  readJson,
  readKept,
  readPath,
  type SourceEvent,
  type SourceItem,
  sameSecret,
} from '../../core/kit/index.ts'

export default defineSource({
  id: 'rdstation-crm',
  name: 'RD Station CRM',
  docs: 'https://developers.rdstation.com/reference/crm-v1-webhooks',
  support: 'community',
  settings: Type.Object(
    {
      token: Type.String({
        minLength: 8,
        secret: true,
        description: 'Secret of the webhook, in the URL (?token=) or in a header. RD Station signs nothing.',
      }),
      header: Type.String({
        default: 'x-anuente-token',
        pattern: '^[A-Za-z0-9-]+$',
        description: 'Header the token may come in.',
      }),
    },
    { additionalProperties: false },
  ),
  routes: [],
  maxBytes: 1_000_000,
  volatileFields: [],
  credentials: () => [],
  keys: () => [],

  verify: ({ query, headers }, { token, header = 'x-anuente-token' }) =>
    sameSecret(token, headers[header.toLowerCase()] ?? query['token']) ? true : 'BAD_SIGNATURE',

  /** RD Station tries an address with a body of its own, and suspends webhooks that are answered with errors. */
  normalize(request): SourceItem[] {
    if (request.body.toString('utf8').trim() === '') return []
    const body = readable(request)
    if (body === undefined)
      return [
        {
          rejected: { code: 'INVALID', path: '', message: 'The body is not JSON.' },
          raw: request.body.toString('utf8'),
        },
      ]
    const kept = readKept(body)
    const payload = kept ? kept.item : body
    if (!isLoose(payload)) return []
    const name = textOf(payload['event_name']) ?? textOf(payload['event_type'])
    if (name === undefined) return []
    const read = READERS[/^crm_(deal|contact)_(created|updated|deleted)$/.exec(name)?.[1] ?? '']
    const refuse = (path: string, message: string): SourceItem[] => [
      { rejected: { code: 'INVALID', path, message }, raw: keepItem({ item: payload }) },
    ]
    if (!read) return refuse('/event_name', 'this source reads crm_deal_* and crm_contact_*.')
    const { document } = payload
    if (!isLoose(document)) return refuse('/document', 'the webhook carries no document.')
    return read(document, name, payload)
      .filter(({ part }) => kept?.part === undefined || part === kept.part)
      .map(({ part, event }) => ({ event, raw: keepItem({ item: payload, part }), rawPath: '/anuente_item' }))
  },

  accept: (_request, { recorded, quarantined }) => ({ status: 200, body: { ok: true, recorded, quarantined } }),
})

type Read = (document: Loose, name: string, payload: Loose) => { part: Part; event: SourceEvent }[]

const READERS: Readonly<Record<string, Read>> = {
  deal(deal, webhook, payload) {
    const { id, timestamp } = stamp(webhook, payload)
    const contacts = Array.isArray(deal['contacts']) ? deal['contacts'] : []
    const contact = contacts.find(isLoose) ?? {}
    const name = dealEvent(deal, webhook, timestamp)
    const about = {
      ...(timestamp !== undefined && { timestamp }),
      identifiers: identifiersOf(contact),
    }
    const traits = {
      ...traitsOf(contact),
      // The destination of the same name finds the deal by it.
      ...stated({ rdstation_crm_deal_id: name === 'Deal Created' ? textOf(deal['id']) : undefined }),
    }
    const consent = legalBasesOf(contact['legal_bases'])
    const happened: SourceEvent = {
      type: 'track',
      name,
      originalName: webhook,
      ...(id !== undefined && { messageId: id }),
      ...about,
      properties: stated({
        deal_id: deal['id'],
        deal_name: deal['name'],
        status: statusOf(deal),
        value: deal['amount_total'],
        stage: readPath(deal, 'deal_stage.name'),
        pipeline: readPath(deal, 'deal_pipeline.name'),
        source: readPath(deal, 'deal_source.name'),
        campaign: readPath(deal, 'campaign.name'),
        lost_reason: readPath(deal, 'deal_lost_reason.name'),
        owner_id: readPath(deal, 'user.id'),
        organization: readPath(deal, 'organization.name'),
        fields: fieldsOf(deal['deal_custom_fields']),
      }),
    }
    return [
      ...(about.identifiers.length > 0 ? [{ part: 'person' as const, event: person(id, about, traits, consent) }] : []),
      { part: 'act' as const, event: happened },
    ]
  },

  contact(contact, webhook, payload) {
    // That the CRM forgot a contact is no wish of the person, and nothing the person did.
    if (webhook.endsWith('_deleted')) return []
    const { id, timestamp } = stamp(webhook, payload)
    const about = { ...(timestamp !== undefined && { timestamp }), identifiers: identifiersOf(contact) }
    const consent = legalBasesOf(contact['legal_bases'])
    return [{ part: 'person', event: person(id, about, traitsOf(contact), consent) }]
  },
}

function person(
  id: string | undefined,
  about: Pick<SourceEvent, 'timestamp' | 'identifiers'>,
  traits: Loose,
  consent: NonNullable<SourceEvent['consent']>,
): SourceEvent {
  return {
    type: 'identify',
    ...(id !== undefined && { messageId: `${id}-person` }),
    ...about,
    ...(Object.keys(traits).length > 0 && { traits }),
    ...(consent.length > 0 && { consent }),
  }
}

const CLOSED: Readonly<Record<string, string>> = { won: 'Deal Won', lost: 'Deal Lost' }
/** Our own choice: a closed deal that is edited later was not won once more. */
const JUST_CLOSED_MS = 10 * 60_000

function dealEvent(deal: Loose, webhook: string, at: string | undefined): string {
  if (webhook === 'crm_deal_deleted') return 'Deal Deleted'
  const status = statusOf(deal)
  const closed = status !== undefined && Object.hasOwn(CLOSED, status) ? CLOSED[status] : undefined
  const since = Date.parse(textOf(deal['closed_at']) ?? '')
  const passed = Date.parse(at ?? '') - since
  if (closed !== undefined && !(passed > JUST_CLOSED_MS)) return closed
  return webhook === 'crm_deal_created' ? 'Deal Created' : 'Deal Updated'
}

/** API v2 has `status`; v1 says it by `win`. */
function statusOf(deal: Loose): string | undefined {
  const status = textOf(deal['status'])
  if (status !== undefined) return status
  return deal['win'] === true ? 'won' : deal['win'] === false ? 'lost' : undefined
}

/** RD Station repeats a webhook it got no 2xx for, with the same transaction. */
function stamp(webhook: string, payload: Loose): { id: string | undefined; timestamp: string | undefined } {
  const transaction = textOf(payload['transaction_uuid'])
  const at = payload['event_timestamp']
  return {
    id:
      transaction === undefined
        ? undefined
        : `rd-${createHash('sha256')
            .update(JSON.stringify([webhook, transaction]))
            .digest('hex')
            .slice(0, 40)}`,
    timestamp: typeof at === 'string' ? at : undefined,
  }
}

function inList(contact: Loose, list: string, field: string): string[] {
  const values = Array.isArray(contact[list]) ? (contact[list] as unknown[]) : []
  return values.map((value) => textOf(isLoose(value) ? value[field] : value)).filter((value) => value !== undefined)
}

const identifiersOf = (contact: Loose): SourceEvent['identifiers'] => [
  ...inList(contact, 'emails', 'email').map((value) => ({ type: 'email' as const, value })),
  ...inList(contact, 'phones', 'phone').map((value) => ({ type: 'phone' as const, value })),
]

function traitsOf(contact: Loose): Loose {
  return stated({
    name: contact['name'],
    email: inList(contact, 'emails', 'email')[0],
    phone: inList(contact, 'phones', 'phone')[0],
    title: contact['title'],
    birthday: birthdayOf(contact['birthday']),
    company:
      readPath(contact, 'organization.name') === undefined
        ? undefined
        : { name: readPath(contact, 'organization.name') },
    custom_fields: fieldsOf(contact['contact_custom_fields']),
  })
}

/** Text, or an object of three numbers. */
function birthdayOf(value: unknown): string | undefined {
  if (!isLoose(value)) return textOf(value)
  const [year, month, day] = ['year', 'month', 'day'].map((part) => textOf(value[part])?.padStart(2, '0'))
  return year !== undefined && month !== undefined && day !== undefined ? `${year}-${month}-${day}` : undefined
}

/** By the labels the team gave them. */
function fieldsOf(fields: unknown): Loose | undefined {
  if (!Array.isArray(fields)) return undefined
  const named = fields.filter(isLoose).flatMap((field) => {
    const label = textOf(readPath(field, 'custom_field.label'))
    return label === undefined ? [] : [[label, field['value']] as const]
  })
  const filled = stated(Object.fromEntries(named))
  return Object.keys(filled).length > 0 ? filled : undefined
}

const stated = (fields: Loose): Loose =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  )

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : typeof value === 'number' ? String(value) : undefined

function readable(request: Parameters<typeof readJson>[0]): unknown {
  try {
    return readJson(request)
  } catch {
    return undefined // Answered 200 and set aside.
  }
}
