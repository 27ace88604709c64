/** RD Station Marketing in miniature. */

import { createHash } from 'node:crypto'
import {
  createOAuthAccount,
  defineSandbox,
  type OAuthAccount,
  type SandboxAnswer,
  type SandboxRequest,
} from '../../core/testing/sandbox.ts'

interface Contact {
  uuid: string
  email?: string
  tags: string[]
  [field: string]: unknown
}

export interface RdState {
  readonly oauth: OAuthAccount
  contacts: Contact[]
  readonly webhooks: Record<string, unknown>[]
  /** Custom fields of the account. */
  fields: string[]
  events: { type: string; payload: Record<string, unknown>; uuid: string }[]
  /** When each counted request came, per limit. */
  usage: Record<string, number[]>
}

const TOKEN = 'rd-sandbox-access-token'
const CLIENT = { clientId: 'rd-sandbox-client', clientSecret: 'rd-sandbox-client-secret' }
const MINUTE = 60_000
const DAY = 86_400_000

export default defineSandbox<RdState>({
  connector: 'rdstation',
  state: () => ({
    oauth: createOAuthAccount({
      clientId: CLIENT.clientId,
      clientSecret: CLIENT.clientSecret,
      authorizePath: '/auth/dialog',
      tokenPath: '/auth/token',
      accessSeconds: 86_400,
      rotates: true,
      pkce: false,
      body: 'json',
      grantType: false,
      failure: (_, status) => failure(status, 'UNAUTHORIZED', 'Wrong credentials provided.'),
    }),
    contacts: [],
    webhooks: [],
    fields: ['cf_anuente_delivery_id', 'cf_anuente_stop', 'cf_anuente_why', 'cf_plano'],
    events: [],
    usage: {},
  }),
  settings: () => ({ accessToken: TOKEN, hubFields: true, customFields: { cf_plano: 'plan' } }),
  refused: () => ({ accessToken: 'expired-access-token' }),

  oauth: {
    settings: () => ({ ...CLIENT, hubFields: true, customFields: { cf_plano: 'plan' } }),
    account: ({ oauth }) => oauth,
  },

  handle(request, state) {
    // https://developers.rdstation.com/reference/autenticacao
    const opened = state.oauth.answer(request)
    if (opened) return opened
    // https://developers.rdstation.com/reference/autenticacao: expired and wrong tokens are told apart by the header.
    if (
      request.headers['authorization'] !== `Bearer ${TOKEN}` &&
      !state.oauth.accepts(request.headers['authorization'], request.now)
    )
      return {
        ...failure(401, 'UNAUTHORIZED', 'Invalid token.'),
        headers: { 'www-authenticate': 'Bearer realm="https://api.rd.services/", error="expired_token"' },
      }
    // https://developers.rdstation.com/reference/limite-de-requisicoes-da-api: 120 requests a minute per account.
    const busy = limited(state, request, 'account_limiter', 120, MINUTE)
    if (busy) return busy
    const { method, path } = request
    if (method === 'GET' && path === '/platform/contacts/fields')
      // https://developers.rdstation.com/reference/contatos-fields
      return {
        status: 200,
        body: {
          fields: ['name', 'email', ...state.fields].map((name) => ({
            api_identifier: name,
            custom_field: name.startsWith('cf_'),
          })),
        },
      }
    const [, hook] = /^\/integrations\/webhooks(?:\/([^/]+))?$/.exec(path) ?? [undefined, null]
    if (hook !== null) return webhooks(request, state, hook)
    if (method === 'POST' && path === '/platform/events') return takeEvent(request, state)
    const [, kind = '', raw = '', tag] =
      /^\/platform\/contacts\/(uuid|email):([^/]+)(\/tag|\/funnels\/default)?$/.exec(path) ?? []
    if (kind === '') return failure(404, 'RESOURCE_NOT_FOUND', 'The resource could not be found')
    const value = decodeURIComponent(raw)
    const found = state.contacts.find((contact) => contact[kind] === value)
    if (tag === '/funnels/default') {
      // https://developers.rdstation.com/reference/put_platform-contacts-identifier-value-funnels-funnel-name
      if (!found) return failure(404, 'RESOURCE_NOT_FOUND', 'The resource could not be found')
      const { lifecycle_stage: stage } = record(request.body) ?? {}
      if (!['Lead', 'Qualified Lead', 'Client'].includes(String(stage)))
        return failure(400, 'INVALID_OPTION', 'lifecycle_stage is invalid', 'lifecycle_stage')
      found['lifecycle_stage'] = stage
      return { status: 200, body: record(request.body) ?? {} }
    }
    if (tag)
      return method === 'POST' ? addTags(request, state, found) : failure(404, 'RESOURCE_NOT_FOUND', 'No such resource')
    if (method === 'PATCH') return upsert(request, state, kind, value, found)
    if (!found) return failure(404, 'RESOURCE_NOT_FOUND', 'The resource could not be found')
    if (method === 'GET') return { status: 200, body: found }
    if (method === 'DELETE') {
      // https://developers.rdstation.com/reference/delete_platform-contacts-identifier-value
      state.contacts = state.contacts.filter((contact) => contact !== found)
      return { status: 204 }
    }
    return failure(404, 'RESOURCE_NOT_FOUND', 'No such resource')
  },
})

// https://developers.rdstation.com/reference/webhooks
function webhooks({ method, body }: SandboxRequest, state: RdState, id: string | undefined): SandboxAnswer {
  if (method === 'GET' && id === undefined) return { status: 200, body: { webhooks: state.webhooks } }
  if (method === 'DELETE' && id !== undefined) {
    const at = state.webhooks.findIndex(({ uuid }) => uuid === id)
    if (at < 0) return failure(404, 'RESOURCE_NOT_FOUND', 'The resource could not be found')
    state.webhooks.splice(at, 1)
    return { status: 204 }
  }
  const fields = record(body)
  if (method !== 'POST' || !fields) return failure(400, 'INVALID_FORMAT', 'The body is not a JSON object')
  const known = /^(WEBHOOK\.(CONVERTED|MARKED_OPPORTUNITY)|crm_deal_(created|updated|deleted))$/
  if (
    !known.test(String(fields['event_type'])) ||
    fields['http_method'] !== 'POST' ||
    fields['entity_type'] !== 'CONTACT'
  )
    return failure(400, 'INVALID_OPTION', 'Must be one of the valid options', 'event_type')
  const made = { ...fields, uuid: `w-${state.webhooks.length + 1}` }
  state.webhooks.push(made)
  return { status: 201, body: made }
}

// https://developers.rdstation.com/reference/patch_platform-contacts-identifier-value
function upsert(
  request: SandboxRequest,
  state: RdState,
  kind: string,
  value: string,
  found: Contact | undefined,
): SandboxAnswer {
  const quota = limited(state, request, `lead_limiter:${kind}:${value}`, 24, DAY)
  if (quota) return quota
  const body = record(request.body)
  if (!body) return failure(400, 'INVALID_FORMAT', 'The body is not a JSON object')
  if (kind in body)
    return failure(
      400,
      'CONFLICTING_FIELD',
      'The payload contains an attribute that was used to identify the lead',
      kind,
    )
  const invalid = invalidBases(body['legal_bases'])
  if (invalid) return invalid
  if (kind === 'email' && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(value))
    return failure(400, 'INVALID_FORMAT', 'Invalid e-mail', 'email')
  if (!found && kind === 'uuid') return failure(404, 'RESOURCE_NOT_FOUND', 'The resource could not be found')
  const contact: Contact = found ?? { uuid: uuidOf(value), [kind]: value, tags: [] }
  // A custom field that does not exist is ignored without an error; a list of tags replaces the old one.
  for (const [name, inner] of Object.entries(body))
    if (!name.startsWith('cf_') || state.fields.includes(name)) contact[name] = inner
  if (!found) state.contacts.push(contact)
  return { status: 200, body: contact }
}

// https://developers.rdstation.com/reference/post_platform-contacts-identifier-value-tag
function addTags(request: SandboxRequest, state: RdState, found: Contact | undefined): SandboxAnswer {
  if (!found) return failure(404, 'RESOURCE_NOT_FOUND', 'Lead not found.')
  const quota = limited(state, request, `tag_limiter:${found.uuid}`, 24, DAY)
  if (quota) return quota
  const tags = record(request.body)?.['tags']
  if (!Array.isArray(tags) || tags.length === 0) return failure(422, 'BLANK_FIELD', 'Must not be empty', 'tags')
  found.tags = [...new Set([...found.tags, ...tags.map((tag) => String(tag).toLowerCase())])]
  return { status: 200, body: found }
}

// https://developers.rdstation.com/reference/eventos-api
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  CONVERSION: ['conversion_identifier', 'email'],
  OPPORTUNITY: ['email', 'funnel_name'],
  SALE: ['email', 'funnel_name'],
  OPPORTUNITY_LOST: ['email', 'funnel_name'],
  CHAT_STARTED: ['email', 'chat_subject', 'cf_chat_status'],
  CHAT_FINISHED: ['email', 'chat_subject', 'cf_chat_status'],
  CALL_FINISHED: ['email', 'call_from_number', 'call_status'],
  MEDIA_PLAYBACK_STARTED: ['email', 'media_type', 'media_identifier'],
  MEDIA_PLAYBACK_STOPPED: ['email', 'media_type', 'media_identifier'],
  ECOMMERCE_CHECKOUT_STARTED: ['email', 'identifier'],
  ECOMMERCE_CART_ABANDONED: ['email', 'identifier'],
  ECOMMERCE_ORDER_PLACED: ['email', 'identifier'],
  ECOMMERCE_ORDER_PAID: ['email', 'identifier'],
  ECOMMERCE_ORDER_FULFILLED: ['email', 'identifier'],
  ECOMMERCE_SHIPMENT_DELIVERED: ['email', 'identifier'],
  ECOMMERCE_ORDER_CANCELLED: ['email', 'identifier'],
  ECOMMERCE_ORDER_REFUNDED: ['email', 'identifier'],
}

function takeEvent(request: SandboxRequest, state: RdState): SandboxAnswer {
  const body = record(request.body)
  const payload = record(body?.['payload'])
  const type = String(body?.['event_type'] ?? '')
  if (!payload || !REQUIRED[type] || body?.['event_family'] !== 'CDP')
    return failure(400, 'INVALID_OPTION', "Must be one of the valid options: 'CONVERSION', …", 'event_type')
  if (request.query['event_type']?.toUpperCase() !== type)
    return failure(400, 'INVALID_OPTION', 'event_type of URL and body differ', 'event_type')
  for (const field of REQUIRED[type])
    if (typeof payload[field] !== 'string' || payload[field] === '')
      return {
        status: 400,
        body: { errors: { [field]: [{ error_type: 'CANNOT_BE_NULL', error_message: 'Cannot be null' }] } },
      }
  const invalid = invalidBases(payload['legal_bases'])
  if (invalid) return invalid
  const email = String(payload['email'])
  const quota = limited(state, request, `lead_limiter:events:${email}`, 120, DAY)
  if (quota) return quota
  let contact = state.contacts.find((known) => known.email === email)
  if (!contact) {
    contact = { uuid: uuidOf(email), email, tags: [] }
    state.contacts.push(contact)
  }
  const uuid = uuidOf(`${email}:${state.events.length}`)
  state.events.push({ type, payload, uuid })
  return { status: 200, body: { event_uuid: uuid } }
}

// https://developers.rdstation.com/reference/lgpd: categories, types, and a status for consent only.
function invalidBases(bases: unknown): SandboxAnswer | undefined {
  if (bases === undefined) return undefined
  const types = [
    'pre_existent_contract',
    'consent',
    'legitimate_interest',
    'judicial_process',
    'vital_interest',
    'public_interest',
  ]
  const good =
    Array.isArray(bases) &&
    bases.every(
      (basis) =>
        ['communications', 'data_processing'].includes(basis?.category) &&
        types.includes(basis.type) &&
        (basis.status === undefined ||
          (basis.category === 'communications' && ['granted', 'declined'].includes(basis.status))),
    )
  return good ? undefined : failure(400, 'INVALID', 'legal_bases is invalid', 'legal_bases')
}

/** A request counted in a limit, or the answer when it is used up. */
function limited(
  state: RdState,
  { now }: SandboxRequest,
  name: string,
  max: number,
  windowMs: number,
): SandboxAnswer | undefined {
  const times = (state.usage[name] ?? []).filter((time) => time > now.getTime() - windowMs)
  times.push(now.getTime())
  state.usage[name] = times
  if (times.length <= max) return undefined
  return {
    status: 429,
    body: {
      error: `'${name.split(':')[0]}' rate limit exceeded for ${windowMs / 1000} second(s) period`,
      max,
      usage: times.length,
      remaining_time: Math.ceil((times[0]! + windowMs - now.getTime()) / 1000),
    },
  }
}

const failure = (status: number, type: string, message: string, path?: string): SandboxAnswer => ({
  status,
  body: { errors: { error_type: type, error_message: message, ...(path && { path: `body.${path}` }) } },
})

const record = (value: unknown): Record<string, unknown> | undefined =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined

const uuidOf = (text: string): string =>
  createHash('sha256')
    .update(text)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5')
