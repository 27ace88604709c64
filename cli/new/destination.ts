/** The files of a new destination: a made-up contact API, complete, to be changed part by part into the real one. */
import { type Auth, type Credentials, credentialsOf, titleOf, variableOf, yamlSettings } from './credentials.ts'

export function destinationFiles(id: string, auth: Auth): Record<string, string> {
  const credentials = credentialsOf(auth, id)
  return {
    'destination.ts': definition(id, auth, credentials),
    'examples.ts': examples(auth, credentials),
    'sandbox.ts': sandbox(id, auth, credentials),
    'destination.test.ts': contract(id, auth, credentials),
    'contract.json': `{
  "upsertContact": ["email"],
  "sendEvent": ["email", "event"],
  "unsubscribe": ["email"]
}
`,
    'README.md': readme(id, auth, credentials),
  }
}

const AUTHENTICATE: Readonly<Record<Auth, string>> = {
  bearer: `  authenticate: ({ token }) => ({ authorization: \`Bearer \${token}\` }),
`,
  basic: `  authenticate: ({ user, password }) => ({
    authorization: \`Basic \${Buffer.from(\`\${user}:\${password}\`).toString('base64')}\`,
  }),
`,
  header: "  authenticate: ({ apiKey }) => ({ 'x-api-key': apiKey }),\n",
  query: '',
  none: '',
}

function definition(id: string, auth: Auth, { settings }: Credentials): string {
  const title = titleOf(id)
  const given = auth === 'query' ? ', settings' : ''
  const query = auth === 'query' ? 'query: { api_key: settings.apiKey }, ' : ''
  const erased =
    query === ''
      ? '{ json: { email: subject.identifiers.email } }'
      : `{
        ${query.trim()}
        json: { email: subject.identifiers.email },
      }`
  const arrow = query === '' ? '=> ' : '=>\n        '
  const schema =
    settings.length === 0
      ? 'Type.Object({}, { additionalProperties: false })'
      : `Type.Object(
    {
${settings.map((line) => `      ${line}`).join('\n')}
    },
    { additionalProperties: false },
  )`
  const check =
    auth === 'none'
      ? `  check: async ({ http }) => {
    await http.lookup('/status')
    const warnings = ['It asks for no credentials: nothing proves that it is the right one.']
    return { ok: true, detail: 'The API answers.', warnings }
  },`
      : `  check: async ({ http${given} }) => {
    await http.lookup('/status'${auth === 'query' ? ', { query: { api_key: settings.apiKey } }' : ''})
    return { ok: true, detail: '${title} knows the credentials.' }
  },`
  return `/** ${title}: contacts, events, opt-outs. */
import { defineDestination, emailField, known, personal, propertiesField, Type } from 'anuente/kit'

export default defineDestination({
  id: '${id}',
  name: '${title}',
  docs: 'https://${id}.example/docs',
  support: 'community',
  // The version of the API belongs in here. Requests to any other host are refused.
  baseUrl: 'https://api.${id}.example/v1',
  settings: ${schema},
${AUTHENTICATE[auth]}  limits: { perSecond: 10, concurrency: 4 },

  actions: {
    upsertContact: {
      title: { pt: 'Criar ou atualizar contato', en: 'Create or update contact' },
      description: { pt: 'Mantém o contato em dia com o perfil.', en: 'Keeps the contact in step with the profile.' },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      // Writing the same contact twice equals once.
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({
        email: emailField,
        name: personal('traits.name', 'traits.firstName'),
        phone: personal('identifiers.phone', 'traits.phone'),
      }),
      perform: ({ http, payload${given} }) ${arrow}http.request('PUT', '/contacts', { ${query}json: payload }),
    },

    sendEvent: {
      title: { pt: 'Enviar evento', en: 'Send event' },
      description: { pt: 'Registra o evento no contato.', en: 'Notes the event on the contact.' },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      // Hours for which the API recognises a repeated Idempotency-Key. An API that has no such key: 'none'.
      idempotency: { key: 24 },
      trigger: { type: 'track' },
      payload: Type.Object({
        email: emailField,
        event: Type.String({ minLength: 1, from: 'name' }),
        properties: propertiesField,
      }),
      perform: ({ http, payload, delivery, occurredAt${given} }) =>
        http.request('POST', '/events', {
          ${query === '' ? '' : `${query.trim()}\n          `}headers: { 'idempotency-key': delivery.key },
          json: known({ ...payload, occurred_at: occurredAt }),
        }),
    },

    unsubscribe: {
      title: { pt: 'Descadastrar', en: 'Unsubscribe' },
      description: {
        pt: 'Leva uma revogação: o contato não recebe mais e-mails.',
        en: 'Takes a withdrawal along: the contact gets no more e-mail.',
      },
      withdraws: ['email_marketing'],
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField }),
      perform: ({ http, payload${given} }) ${arrow}http.request('POST', '/contacts/unsubscribe', { ${query}json: payload }),
    },
  },

${check}

  deleteSubject: {
    implemented: ({ http, subject${given} }) =>
      http.request('POST', '/contacts/delete', ${erased}),
  },
  exportSubject: {
    // A look-up by POST, so that the address does not stand in a URL.
    implemented: ({ http, subject${given} }) =>${query === '' ? ' ' : '\n      '}http.lookup('/contacts/search', ${erased}),
  },
  correctSubject: {
    manual: {
      pt: 'Corrija no sistema de origem: o próximo identify corrige o contato.',
      en: 'Correct it in the system of origin: the next identify corrects the contact.',
    },
  },
  feedback: {
    none: {
      pt: '${title} não informa o que houve com o contato.',
      en: '${title} does not tell what became of a contact.',
    },
  },
})
`
}

const SENT: Readonly<Record<Auth, (credentials: string) => string>> = {
  bearer: (token) => `{ authorization: 'Bearer ${token}' }`,
  basic: (password) => `{ authorization: 'Basic ${Buffer.from(`anuente:${password}`).toString('base64')}' }`,
  header: (key) => `{ 'x-api-key': '${key}' }`,
  query: () => '{}',
  none: () => '{}',
}

/** The credential among the sandbox's settings. */
const secretOf = ({ right }: Credentials): string => /'([^']*-sandbox-[^']*)'/.exec(right)?.[1] ?? ''

function examples(auth: Auth, credentials: Credentials): string {
  const secret = secretOf(credentials)
  const path = (text: string) => (auth === 'query' ? `${text}?api_key=${secret}` : text)
  const headers = SENT[auth](secret)
  const shown = headers === '{}' ? '' : `\n      headers: ${headers},`
  return `/** An event of each kind, and the request it becomes. The test and your colleagues read them. */
import { type DestinationExample, identify, track } from 'anuente/testing'

export const examples: readonly DestinationExample[] = [
  {
    title: 'an identify becomes a contact',
    action: 'upsertContact',
    given: identify({ userId: 'u1', traits: { email: 'Ana@Example.com', name: 'Ana Souza', phone: '11 98765-4321' } }),
    sends: {
      method: 'PUT',
      path: '${path('/contacts')}',${shown}
      body: { email: 'ana@example.com', name: 'Ana Souza', phone: '+5511987654321' },
    },
  },
  {
    title: 'an order is noted on the contact, once however often it is sent',
    action: 'sendEvent',
    given: track({
      name: 'Order Completed',
      traits: { email: 'ana@example.com' },
      properties: { order_id: '1001', total: 129.9 },
    }),
    sends: {
      method: 'POST',
      path: '${path('/events')}',
      headers: { 'idempotency-key': 'key-1' },
      body: {
        email: 'ana@example.com',
        event: 'Order Completed',
        properties: { order_id: '1001', total: 129.9 },
        occurred_at: '2026-11-24T11:59:30.000Z',
      },
    },
  },
  {
    title: 'a withdrawal takes the address off the list',
    action: 'unsubscribe',
    given: identify({ traits: { email: 'ana@example.com' } }),
    sends: {
      method: 'POST',
      path: '${path('/contacts/unsubscribe')}',
      body: { email: 'ana@example.com' },
    },
  },
]
`
}

const REFUSES: Readonly<Record<Auth, (secret: string) => string>> = {
  bearer: (secret) => `({ headers }) => (headers['authorization'] === 'Bearer ${secret}' ? undefined : DENIED)`,
  basic: (secret) =>
    `({ headers }) =>
      headers['authorization'] === \`Basic \${Buffer.from('anuente:${secret}').toString('base64')}\`
        ? undefined
        : DENIED`,
  header: (secret) => `({ headers }) => (headers['x-api-key'] === '${secret}' ? undefined : DENIED)`,
  query: (secret) => `({ query }) => (query['api_key'] === '${secret}' ? undefined : DENIED)`,
  none: () => '() => undefined',
}

function sandbox(id: string, auth: Auth, credentials: Credentials): string {
  const type = `${variableOf(id).charAt(0).toUpperCase()}${variableOf(id).slice(1)}State`
  const denied =
    auth === 'none'
      ? ''
      : `// https://${id}.example/docs/authentication
const DENIED: SandboxAnswer = { status: 401, body: { error: 'wrong credentials' } }
`
  return `/** ${titleOf(id)} in miniature. Each check cites the page of the vendor's documentation that it comes from. */
import { defineSandbox, fieldsOf, routed, type SandboxAnswer, type SandboxRequest } from 'anuente/sandbox'

export interface ${type} {
  /** By e-mail. */
  readonly contacts: Map<string, Record<string, unknown>>
  /** By Idempotency-Key: a repeat changes nothing. */
  readonly events: Map<string, unknown>
}

${denied}const NO_EMAIL: SandboxAnswer = { status: 422, body: { error: 'email is missing' } }
const OK: SandboxAnswer = { status: 200, body: { ok: true } }

const emailOf = ({ body }: SandboxRequest): string | undefined => {
  const { email } = fieldsOf(body)
  return typeof email === 'string' && email.includes('@') ? email : undefined
}

export default defineSandbox<${type}>({
  connector: '${id}',
  state: () => ({ contacts: new Map(), events: new Map() }),
  settings: () => (${credentials.right}),
  refused: () => (${credentials.wrong}),
  handle: routed({
    refuse: ${REFUSES[auth](secretOf(credentials))},
    routes: [
      { method: 'GET', path: /^\\/v1\\/status$/, answer: () => OK },
      {
        method: 'PUT',
        path: /^\\/v1\\/contacts$/,
        answer: (request, { contacts }) => {
          const email = emailOf(request)
          if (email === undefined) return NO_EMAIL
          contacts.set(email, { ...contacts.get(email), ...fieldsOf(request.body) })
          return OK
        },
      },
      {
        method: 'POST',
        path: /^\\/v1\\/events$/,
        answer: (request, { events }) => {
          const key = request.headers['idempotency-key']
          if (emailOf(request) === undefined) return NO_EMAIL
          if (key === undefined) return { status: 400, body: { error: 'Idempotency-Key is missing' } }
          if (!events.has(key)) events.set(key, request.body)
          return { status: 202, body: { accepted: true } }
        },
      },
      {
        method: 'POST',
        path: /^\\/v1\\/contacts\\/unsubscribe$/,
        answer: (request, { contacts }) => {
          const email = emailOf(request)
          if (email === undefined) return NO_EMAIL
          contacts.set(email, { ...contacts.get(email), email, subscribed: false })
          return OK
        },
      },
      {
        method: 'POST',
        path: /^\\/v1\\/contacts\\/delete$/,
        answer: (request, { contacts }) => {
          contacts.delete(emailOf(request) ?? '')
          return OK
        },
      },
      {
        method: 'POST',
        path: /^\\/v1\\/contacts\\/search$/,
        answer: (request, { contacts }) => {
          const contact = contacts.get(emailOf(request) ?? '')
          return contact ? { status: 200, body: contact } : { status: 404, body: { error: 'not found' } }
        },
      },
    ],
    missing: { status: 404, body: { error: 'no such path' } },
  }),
})
`
}

function contract(id: string, auth: Auth, { right }: Credentials): string {
  const name = variableOf(id)
  const note =
    auth === 'query'
      ? "\n  secretInQuery: 'The API reads its key from the query alone.',"
      : auth === 'none'
        ? "\n  blindToCredentials: 'The API asks for none.',"
        : ''
  return `/** The contract that every destination keeps: about thirty checks per action, over both transports. */
import { fileURLToPath } from 'node:url'
import { destinationContract } from 'anuente/testing'
import ${name} from './destination.ts'
import { examples } from './examples.ts'
import sandbox from './sandbox.ts'

destinationContract(${name}, {
  settings: ${right},
  examples,
  sandbox,${note}
  contractFile: fileURLToPath(new URL('./contract.json', import.meta.url)),
})
`
}

function readme(id: string, auth: Auth, credentials: Credentials): string {
  const exports = Object.values(credentials.variables).map((name) => `export ${name}=…`)
  const text = `# ${titleOf(id)}

A destination of Anuente: contacts, events and opt-outs by HTTP${auth === 'none' ? '' : ` (${auth})`}.

| file | holds |
| --- | --- |
| \`destination.ts\` | settings, actions and rights of the person, as one object |
| \`examples.ts\` | events and the exact request each becomes |
| \`sandbox.ts\` | a stand-in for the vendor, from its documentation |
| \`destination.test.ts\` | the contract suite |
| \`contract.json\` | required fields of each action: a new one fails the test until it is committed here |

It is green as it was made, against the API that the sandbox imitates. Make it the vendor's in this order, running
\`npx vitest run\` after each step:

1. \`docs\`, \`baseUrl\` and \`limits\` of \`destination.ts\`, from the vendor's documentation.
2. \`authenticate\` and \`settings\`; in \`sandbox.ts\` the credentials it takes.
3. One action after the other: path, body and \`idempotency\`, its example, and what the sandbox answers.
4. \`deleteSubject\`, \`exportSubject\`, \`correctSubject\`: by the API, by hand with instructions, or impossible with the reason.
5. \`feedback\`, when the vendor calls back.

In \`anuente.yaml\`:

\`\`\`yaml
connectors: [./connectors]
destinations:
  ${id}:
    connector: ${id}
    role: operator
    country: BR
    purposes: [email_marketing]
    settings: ${yamlSettings(credentials)}
\`\`\`
${exports.length === 0 ? '' : `\n\`\`\`sh\n${exports.join('\n')}\n\`\`\`\n`}
`
  return `${text.trimEnd()}\n`
}
