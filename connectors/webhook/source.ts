/** Any JSON or form that another system sends, mapped by paths; and the orders of four shop platforms. */
import { createHmac } from 'node:crypto'
import { type Static, Type } from 'typebox'
import {
  defineSource,
  EventMapping,
  InputError,
  isLoose,
  keepItem,
  mapItem,
  type RawRequest,
  readJson,
  readKept,
  readPath,
  type SourceItem,
  sameSecret,
} from '../../core/kit/index.ts'
import { oneOf } from '../../schemas/one-of.ts'
import { askedPages, PollSettings } from './poll.ts'
import { PRESET_NAMES, PRESETS, presetMapping } from './presets.ts'

const Signature = Type.Object(
  {
    header: Type.String({ pattern: '^[A-Za-z0-9-]+$', description: 'Header the signature comes in.' }),
    secret: Type.String({ minLength: 8, secret: true }),
    algorithm: Type.Optional(oneOf(['sha256', 'sha1', 'sha512'], 'Of the HMAC over the bytes of the body; sha256.')),
    encoding: Type.Optional(oneOf(['hex', 'base64'], 'hex when absent.')),
    prefix: Type.Optional(Type.String({ description: 'What stands before the signature, such as sha256=.' })),
  },
  { additionalProperties: false, description: 'How the sender signs, where it does.' },
)

/** One of the two says how a body is read. */
const oneOfBoth = ['mapping', 'preset'].map((name) => ({
  type: 'object',
  required: [name],
  properties: { [name]: {} },
}))

const Settings = Type.Object(
  {
    token: Type.Optional(
      Type.String({ minLength: 8, secret: true, description: 'Secret in `header`, or in the URL as ?token=.' }),
    ),
    header: Type.String({
      default: 'x-anuente-token',
      pattern: '^[A-Za-z0-9-]+$',
      description: 'Header the token comes in.',
    }),
    signature: Type.Optional(Signature),
    preset: Type.Optional(oneOf(PRESET_NAMES, 'Orders of a shop platform, read without a mapping.')),
    secret: Type.Optional(
      Type.String({ minLength: 8, secret: true, description: "The platform's signing secret, with `preset`." }),
    ),
    counts: Type.Optional(
      oneOf(
        ['created', 'paid'],
        'With `preset`: when an order is *Order Completed*. created (default), as tags count it; or paid.',
      ),
    ),
    orderId: Type.Optional(
      Type.String({
        minLength: 1,
        description: "With `preset`: path of the order's id, where the tag of the shop reports another one.",
      }),
    ),
    items: Type.Optional(
      Type.String({ minLength: 1, description: 'Path of the list of events. Absent: the body is one, or a list.' }),
    ),
    mapping: Type.Optional(EventMapping),
    poll: Type.Optional(PollSettings),
    consent: Type.Optional(EventMapping.properties.consent),
    decimal: Type.Optional(oneOf([',', '.'], 'Decimal sign of numbers written as text. Absent: both are read.')),
    dates: Type.Optional(oneOf(['DMY', 'MDY'], 'Order of day and month; DMY.')),
    timezone: Type.Optional(Type.String({ description: "Of times without one; the organisation's." })),
  },
  { additionalProperties: false, anyOf: oneOfBoth },
)
type Settings = Static<typeof Settings>

export default defineSource({
  id: 'webhook',
  name: 'Webhook',
  docs: 'https://anuente.dev/docs/sources/webhook',
  support: 'community',
  settings: Settings,
  routes: [],
  maxBytes: 4_000_000,
  volatileFields: [],
  credentials: () => [],
  keys: () => [],
  poll: {
    every: ({ poll }) => poll && (poll.everySeconds ?? 300),
    hosts: ({ poll }) => (poll ? [new URL(poll.url).hostname] : []),
    pages: ({ settings: { poll, items }, ...context }) => askedPages(poll, items, context),
  },

  /** One valid credential is enough. Without any in the settings nobody may speak. */
  verify(request, settings) {
    const { token, header = 'x-anuente-token', signature, preset, secret } = settings
    if (sameSecret(token, request.headers[header.toLowerCase()] ?? request.query['token'])) return true
    if (signature && signed(request, signature)) return true
    if (preset === undefined) return 'BAD_SIGNATURE'
    const own = PRESETS[preset]
    if (secret !== undefined && own.signature && signed(request, { ...own.signature, secret })) return true
    return own.unsigned?.(request) === true ? true : 'BAD_SIGNATURE'
  },

  normalize(request, settings): SourceItem[] {
    const { preset, mapping } = settings
    if (preset !== undefined && PRESETS[preset].unsigned?.(request)) return []
    const body = bodyOf(request)
    const kept = readKept(body)
    const topic = preset === undefined ? undefined : request.headers[PRESETS[preset].topicHeader ?? '']
    const found = kept
      ? [{ kept, path: '' }]
      : itemsOf(body, settings).map(({ item, path }) => ({ kept: { item, topic }, path }))
    const notation = {
      ...(settings.decimal && { decimal: settings.decimal }),
      ...(settings.dates && { dates: settings.dates }),
      ...(settings.timezone && { timezone: settings.timezone }),
    }
    return found.flatMap(({ kept: one, path }): SourceItem[] => {
      if (preset !== undefined) {
        const read = presetMapping(preset, one, settings)
        if (read === 'nothing') return []
        if ('refused' in read)
          return [{ rejected: { code: 'INVALID', path, message: read.refused }, raw: keepItem(one) }]
        return mapItem({ ...one, item: read.item }, path, read.mapping, notation).map((item) => {
          const part = 'event' in item && readKept(item.raw)?.part
          return { ...item, raw: keepItem({ ...one, ...(part && { part }) }) }
        })
      }
      if (mapping === undefined)
        throw new InputError('INVALID', 'this source has neither `mapping` nor `preset`: write one into its settings.')
      return mapItem(one, path, settings.consent ? { ...mapping, consent: settings.consent } : mapping, notation)
    })
  },

  accept: (_request, { recorded, quarantined }) => ({ status: 200, body: { ok: true, recorded, quarantined } }),
})

function signed(
  { headers, body }: RawRequest,
  { header, secret, algorithm = 'sha256', encoding = 'hex', prefix = '' }: Static<typeof Signature>,
): boolean {
  const given = headers[header.toLowerCase()]?.trim()
  if (!given?.startsWith(prefix)) return false
  const expected = createHmac(algorithm, secret).update(body).digest(encoding)
  const value = given.slice(prefix.length)
  return sameSecret(expected, encoding === 'hex' ? value.toLowerCase() : value)
}

/** A form becomes an object of its fields; `a[b]` stays the name it is. */
function bodyOf(request: RawRequest): unknown {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '')) return readJson(request)
  return Object.fromEntries(new URLSearchParams(request.body.toString('utf8')))
}

function itemsOf(body: unknown, { items }: Settings): { item: unknown; path: string }[] {
  const at = items === undefined ? '' : `/${items.replaceAll('.', '/')}`
  const list = items === undefined ? body : readPath(body, items)
  if (Array.isArray(list)) return list.map((item: unknown, index) => ({ item, path: `${at}/${index}` }))
  if (items !== undefined) throw new InputError('INVALID', 'there is no list here: correct `items`.', at)
  if (!isLoose(body)) throw new InputError('INVALID', 'the body is neither an object nor a list')
  return [{ item: body, path: '' }]
}
