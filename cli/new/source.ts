/** The files of a new source: the webhook of a made-up shop, complete, to be changed part by part into the real one. */
import { type Auth, type Credentials, credentialsOf, titleOf, variableOf, yamlSettings } from './credentials.ts'

type SourceAuth = Exclude<Auth, 'none'>

export function sourceFiles(id: string, auth: SourceAuth): Record<string, string> {
  const credentials = credentialsOf(auth, id)
  return {
    'source.ts': definition(id, auth),
    'examples.ts': examples(id, auth, credentials),
    'source.test.ts': contract(id, credentials),
    'README.md': readme(id, auth, credentials),
  }
}

const SETTINGS: Readonly<Record<SourceAuth, readonly string[]>> = {
  bearer: ["token: Type.String({ secret: true, minLength: 8, description: 'What the sender puts after Bearer.' }),"],
  basic: [
    "user: Type.String({ minLength: 1, description: 'User the sender names.' }),",
    "password: Type.String({ secret: true, minLength: 8, description: 'Password of that user.' }),",
  ],
  header: ["apiKey: Type.String({ secret: true, minLength: 8, description: 'What the sender puts into X-Api-Key.' }),"],
  query: ["apiKey: Type.String({ secret: true, minLength: 8, description: 'What the address ends with: ?token=…' }),"],
}

const VERIFY: Readonly<Record<SourceAuth, string>> = {
  bearer: `({ headers }, { token }) =>
    sameSecret(\`Bearer \${token}\`, headers['authorization']) ? true : 'BAD_SIGNATURE',`,
  basic: `({ headers }, { user, password }) =>
    sameSecret(\`Basic \${Buffer.from(\`\${user}:\${password}\`).toString('base64')}\`, headers['authorization'])
      ? true
      : 'BAD_SIGNATURE',`,
  header: "({ headers }, { apiKey }) => (sameSecret(apiKey, headers['x-api-key']) ? true : 'BAD_SIGNATURE'),",
  query: "({ query }, { apiKey }) => (sameSecret(apiKey, query['token']) ? true : 'BAD_SIGNATURE'),",
}

function definition(id: string, auth: SourceAuth): string {
  const title = titleOf(id)
  return `/** Webhooks of ${title}: customers and paid orders. */
import { defineSource, isLoose, type Loose, readJson, type SourceItem, sameSecret, Type } from 'anuente/kit'

export default defineSource({
  id: '${id}',
  name: '${title}',
  docs: 'https://${id}.example/docs/webhooks',
  support: 'community',
  settings: Type.Object(
    {
${SETTINGS[auth].map((line) => `      ${line}`).join('\n')}
    },
    { additionalProperties: false },
  ),
  // Nothing besides /in/<source id>, which every source has.
  routes: [],
  maxBytes: 500_000,
  // What the vendor changes when it sends the same event again.
  volatileFields: ['attempt'],
  credentials: () => [],
  keys: () => [],
  verify: ${VERIFY[auth]}
  normalize: (request) => {
    const body = readJson(request)
    return (Array.isArray(body) ? body : [body]).map(toItem)
  },
  accept: (_, { recorded, quarantined }) => ({ status: 200, body: { ok: true, recorded, quarantined } }),
})

/** {id, event, at, customer: {id, email, name, phone}, order: {id, total, currency}} */
function toItem(raw: unknown): SourceItem {
  if (!isLoose(raw)) return { rejected: { code: 'INVALID', path: '', message: 'the event is not an object' }, raw }
  const customer = part(raw, 'customer')
  const order = part(raw, 'order')
  const messageId = text(raw['id'])
  const timestamp = text(raw['at'])
  const common = {
    // An id only because the vendor has one: an invented one makes two events one.
    ...(messageId !== undefined && { messageId: \`${id}-\${messageId}\` }),
    ...(timestamp !== undefined && { timestamp }),
    identifiers: [
      { type: 'userId' as const, value: customer['id'] },
      { type: 'email' as const, value: customer['email'] },
      { type: 'phone' as const, value: customer['phone'] },
    ].filter(({ value }) => text(value) !== undefined),
    traits: picked(customer, ['email', 'name', 'phone']),
  }
  switch (raw['event']) {
    case 'customer.updated':
      return { event: { ...common, type: 'identify', originalName: 'customer.updated' }, raw }
    case 'order.paid': {
      const { id: order_id, ...rest } = picked(order, ['id', 'total', 'currency'])
      const properties = { ...(order_id !== undefined && { order_id }), ...rest }
      return {
        event: { ...common, type: 'track', name: 'Order Completed', originalName: 'order.paid', properties },
        raw,
      }
    }
    default:
      return { rejected: { code: 'UNKNOWN_CALL', path: '/event', message: 'this kind of event is not read' }, raw }
  }
}

const part = (raw: Loose, name: string): Loose => {
  const value = raw[name]
  return isLoose(value) ? value : {}
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** The named fields that are there. */
const picked = (from: Loose, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = Object.hasOwn(from, name) ? from[name] : undefined
      return typeof value === 'string' || typeof value === 'number' ? [[name, value]] : []
    }),
  )
`
}

function sentBy(auth: SourceAuth, credentials: Credentials, right: boolean): string {
  const values = [...(right ? credentials.right : credentials.wrong).matchAll(/'([^']*)'/g)].map(([, value]) => value!)
  const secret = values.at(-1)!
  switch (auth) {
    case 'bearer':
      return `headers: { authorization: 'Bearer ${secret}' }`
    case 'basic':
      return `headers: { authorization: 'Basic ${Buffer.from(values.join(':')).toString('base64')}' }`
    case 'header':
      return `headers: { 'x-api-key': '${secret}' }`
    case 'query':
      return `query: { token: '${secret}' }`
  }
}

function examples(id: string, auth: SourceAuth, credentials: Credentials): string {
  return `/** Requests of the vendor, and the events they become. */
import type { ExampleRequest, SourceExample } from 'anuente/testing'

const hook = (body: object): ExampleRequest => ({
  method: 'POST',
  path: '/in/${id}',
  ${sentBy(auth, credentials, true)},
  body,
})

const customer = { id: 'c1', email: 'ana@example.com', name: 'Ana Souza', phone: '11 98765-4321' }
const who = [
  { type: 'userId' as const, value: 'c1' },
  { type: 'email' as const, value: 'ana@example.com' },
  { type: 'phone' as const, value: '11 98765-4321' },
]
const traits = { email: 'ana@example.com', name: 'Ana Souza', phone: '11 98765-4321' }

const paid = {
  id: 'evt-1',
  event: 'order.paid',
  at: '2026-11-24T11:58:00.000Z',
  attempt: 1,
  customer,
  order: { id: '1001', total: 129.9, currency: 'BRL' },
}

export const examples: readonly SourceExample[] = [
  {
    title: 'a paid order',
    request: hook(paid),
    events: [
      {
        type: 'track',
        name: 'Order Completed',
        originalName: 'order.paid',
        messageId: '${id}-evt-1',
        timestamp: '2026-11-24T11:58:00.000Z',
        identifiers: who,
        traits,
        properties: { order_id: '1001', total: 129.9, currency: 'BRL' },
      },
    ],
    retry: { body: { ...paid, attempt: 2 } },
  },
  {
    title: 'a changed customer, and a kind of event that is not read',
    request: hook([
      { id: 'evt-2', event: 'customer.updated', at: '2026-11-24T11:59:00.000Z', customer },
      { id: 'evt-3', event: 'stock.changed' },
    ]),
    events: [
      {
        type: 'identify',
        originalName: 'customer.updated',
        messageId: '${id}-evt-2',
        timestamp: '2026-11-24T11:59:00.000Z',
        identifiers: who,
        traits,
      },
    ],
    rejected: [{ code: 'UNKNOWN_CALL', path: '/event' }],
  },
]

export const stranger: ExampleRequest = {
  ...hook(paid),
  ${sentBy(auth, credentials, false)},
}
export const nobody: ExampleRequest = { method: 'POST', path: '/in/${id}', body: paid }
`
}

function contract(id: string, { right }: Credentials): string {
  const name = variableOf(id)
  return `/** The contract that every source keeps. */
import { sourceContract } from 'anuente/testing'
import { examples, nobody, stranger } from './examples.ts'
import ${name} from './source.ts'

sourceContract(${name}, {
  settings: ${right},
  examples,
  refused: [
    { title: 'wrong credentials', request: stranger, exit: 'BAD_SIGNATURE' },
    { title: 'no credentials', request: nobody, exit: 'BAD_SIGNATURE' },
  ],
  unreadable: [{ title: 'half of a JSON', request: { ...nobody, body: '{"id":' }, code: 'MALFORMED_JSON' }],
})
`
}

function readme(id: string, auth: SourceAuth, credentials: Credentials): string {
  return `# ${titleOf(id)}

A source of Anuente: webhooks of customers and paid orders (${auth}).

| file | holds |
| --- | --- |
| \`source.ts\` | who may send, and how a body becomes events |
| \`examples.ts\` | requests and exactly the events they become |
| \`source.test.ts\` | the contract suite |

It is green as it was made, for the bodies in \`examples.ts\`. Put the vendor's own bodies there, run \`npx vitest run\`, and
change \`source.ts\` until they become the events you mean. Names of events are those of the Segment spec (\`Order Completed\`).

In \`anuente.yaml\`; the vendor then calls \`https://<your hub>/in/${id}${auth === 'query' ? '?token=…' : ''}\`:

\`\`\`yaml
connectors: [./connectors]
sources:
  ${id}:
    connector: ${id}
    notice: {id: cookies, version: 1, since: 2026-01-01}
    settings: ${yamlSettings(credentials)}
\`\`\`
`
}
