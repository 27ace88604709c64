/** Mailchimp Marketing API 3.0 in miniature: one audience. */
import { createHash } from 'node:crypto'
import { defineSandbox, type SandboxAnswer, type SandboxRequest } from '../../core/testing/sandbox.ts'

interface Member {
  id: string
  email_address: string
  status: string
  merge_fields: Record<string, unknown>
  tags: string[]
  events: { name: string; properties: Record<string, string>; occurred_at?: string }[]
}

export interface MailchimpState {
  members: Map<string, Member>
  /** Addresses erased for good: Mailchimp refuses them ever after. */
  forgotten: Set<string>
  mergeFields: string[]
}

const KEY = 'mailchimpsandbox0123456789abcdef-us21'
const LIST = 'a1b2c3d4e5'

export default defineSandbox<MailchimpState>({
  connector: 'mailchimp',
  state: () => ({ members: new Map(), forgotten: new Set(), mergeFields: ['FNAME', 'LNAME', 'PHONE', 'PLANO'] }),
  settings: () => ({ apiKey: KEY, listId: LIST }),
  refused: () => ({ apiKey: 'revokedkey0123456789abcdef012345-us21', listId: LIST }),

  handle(request, state) {
    // https://mailchimp.com/developer/marketing/docs/fundamentals/: Basic with any user name and the key.
    const [, password] = Buffer.from((request.headers['authorization'] ?? '').replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':')
    if (password !== KEY)
      return problem(
        401,
        'API Key Invalid',
        "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
      )
    const [, list, rest = ''] = /^\/3\.0\/lists\/([^/]+)(\/.*)$/.exec(request.path) ?? []
    if (list !== LIST) return problem(404, 'Resource Not Found', 'The requested resource could not be found.')
    if (rest === '/merge-fields')
      return { status: 200, body: { merge_fields: state.mergeFields.map((tag) => ({ tag })), list_id: LIST } }
    const [, hash = '', below = ''] = /^\/members\/([0-9a-f]{32})(\/.*)?$/.exec(rest) ?? []
    if (hash === '') return problem(404, 'Resource Not Found', 'The requested resource could not be found.')
    const member = state.members.get(hash)
    if (request.method === 'PUT' && below === '') return upsert(request, state, hash, member)
    if (!member) return problem(404, 'Resource Not Found', 'The requested resource could not be found.')
    if (request.method === 'GET' && below === '') return { status: 200, body: shown(member) }
    if (request.method === 'PATCH' && below === '') return update(request, member)
    if (request.method === 'POST' && below === '/tags') return addTags(request, member)
    if (request.method === 'POST' && below === '/events') return addEvent(request, member)
    if (request.method === 'POST' && below === '/actions/delete-permanent') {
      // https://mailchimp.com/developer/marketing/api/list-members/delete-list-member/
      state.members.delete(hash)
      state.forgotten.add(hash)
      return { status: 204 }
    }
    return problem(405, 'Method Not Allowed', 'The requested method and resource are not compatible.')
  },
})

// https://mailchimp.com/developer/marketing/api/list-members/add-or-update-list-member/
function upsert(
  request: SandboxRequest,
  state: MailchimpState,
  hash: string,
  member: Member | undefined,
): SandboxAnswer {
  const { email_address: address, status, status_if_new: begins, merge_fields: fields } = record(request.body)
  if (typeof address !== 'string' || !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(address))
    return invalid('email_address', 'Please provide a valid email address.')
  if (createHash('md5').update(address.toLowerCase()).digest('hex') !== hash)
    return invalid('email_address', 'The address does not match the subscriber hash.')
  if (state.forgotten.has(hash))
    return problem(
      400,
      'Forgotten Email Not Subscribed',
      `${address} was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on the list.`,
    )
  if (!member && typeof begins !== 'string' && typeof status !== 'string')
    return invalid('status_if_new', 'This value should not be blank.')
  const kept: Member = member ?? {
    id: hash,
    email_address: address,
    status: String(begins ?? status),
    merge_fields: {},
    tags: [],
    events: [],
  }
  if (member && typeof status === 'string') {
    // https://mailchimp.com/help/about-compliance-state/: an opt-out can't be undone through the API.
    if (status === 'subscribed' && ['unsubscribed', 'cleaned'].includes(member.status))
      return problem(
        400,
        'Member In Compliance State',
        `${address} is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed.`,
      )
    member.status = status
  }
  // Fields the audience does not have are ignored.
  for (const [tag, value] of Object.entries(record(fields)))
    if (state.mergeFields.includes(tag)) kept.merge_fields[tag] = value
  state.members.set(hash, kept)
  return { status: 200, body: shown(kept) }
}

// https://mailchimp.com/developer/marketing/api/list-members/update-list-member/
function update(request: SandboxRequest, member: Member): SandboxAnswer {
  const { status } = record(request.body)
  if (!['subscribed', 'unsubscribed', 'cleaned', 'pending'].includes(String(status)))
    return invalid('status', 'The value you selected is not a valid choice.')
  if (status === 'subscribed' && member.status === 'unsubscribed')
    return problem(400, 'Member In Compliance State', 'The member cannot be subscribed.')
  member.status = String(status)
  return { status: 200, body: shown(member) }
}

// https://mailchimp.com/developer/marketing/api/list-member-tags/add-or-remove-member-tags/
function addTags(request: SandboxRequest, member: Member): SandboxAnswer {
  const { tags } = record(request.body)
  if (!Array.isArray(tags)) return invalid('tags', 'Schema describes array, NULL found instead')
  for (const { name, status } of tags as { name: string; status: string }[]) {
    member.tags = member.tags.filter((tag) => tag !== name)
    if (status === 'active') member.tags.push(name)
  }
  return { status: 204 }
}

// https://mailchimp.com/developer/marketing/api/list-member-events/add-event/
function addEvent(request: SandboxRequest, member: Member): SandboxAnswer {
  const { name, properties, occurred_at: at } = record(request.body)
  if (typeof name !== 'string' || name.length < 2 || name.length > 30)
    return invalid('name', 'The name must be 2-30 characters.')
  const values = record(properties)
  if (Object.values(values).some((value) => typeof value !== 'string'))
    return invalid('properties', 'Schema describes string')
  member.events.push({
    name,
    properties: values as Record<string, string>,
    ...(typeof at === 'string' && { occurred_at: at }),
  })
  return { status: 204 }
}

const shown = ({ tags, events, ...member }: Member) => ({
  ...member,
  tags: tags.map((name) => ({ name })),
  stats: { events: events.length },
})

// https://mailchimp.com/developer/marketing/docs/errors/: RFC 7807 bodies.
const problem = (status: number, title: string, detail: string): SandboxAnswer => ({
  status,
  headers: { 'content-type': 'application/problem+json; charset=utf-8' },
  body: {
    type: 'https://mailchimp.com/developer/marketing/docs/errors/',
    title,
    status,
    detail,
    instance: '4e7c3c0e-5d1d-4a37-8f4d-000000000000',
  },
})

const invalid = (field: string, message: string): SandboxAnswer => {
  const answer = problem(
    400,
    'Invalid Resource',
    "The resource submitted could not be validated. For field-specific details, see the 'errors' array.",
  )
  return { ...answer, body: { ...(answer.body as object), errors: [{ field, message }] } }
}

const record = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
