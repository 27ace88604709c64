/**
 * The contract every destination keeps, run by vitest. A connector's test file is data: settings,
 * example events with the request each must cause, and a sandbox that answers like the vendor.
 *
 * It runs twice. Exact requests and failure classes go through nock with axios' http adapter,
 * because nock cannot see undici. The production transport then meets the sandbox over sockets.
 *
 * After adding a required payload field on purpose: ANUENTE_UPDATE_CONTRACTS=1 npx vitest run connectors/<id>
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import axios from 'axios'
import nock from 'nock'
import type { TSchema } from 'typebox'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type CanonicalEvent, IDENTIFIER_TYPES } from '../../schemas/event.ts'
import type { Item } from '../delivery/perform.ts'
import { type AnyDestination, MAPPING_ROOTS, type SubjectIdentifiers } from '../kit/define.ts'
import { AuthenticationError } from '../kit/errors.ts'
import { axiosTransport, HandOverRefused, type Transport } from '../kit/http.ts'
import { MAIL_ADDRESS, mailOverHttp } from '../kit/mail-request.ts'
import type { ClosableTransport } from '../kit/transport.ts'
import {
  actionOf,
  type DestinationExample,
  GIVEN,
  itemsOf,
  plainHttp,
  type Recording,
  readBody,
  runAction,
  sandboxTransport,
  savedExamples,
  settingsOf,
  type VendorAnswer,
} from './example-run.ts'
import { markedTexts, texts, unmarkedSecrets } from './marks.ts'
import { type RunningSandboxes, type Sandbox, type SandboxServing, serveSandboxes } from './sandbox.ts'

export interface DestinationContract {
  readonly settings: Readonly<Record<string, unknown>>
  /** At least one per action. */
  readonly examples: readonly DestinationExample[]
  // biome-ignore lint/suspicious/noExplicitAny: each sandbox has a state of its own.
  readonly sandbox: Sandbox<any>
  /** Payload fields that never leave as they are: hashed, or only read where a better one is missing. */
  readonly hashed?: Readonly<Record<string, readonly string[]>>
  /** Why this vendor must be told personal data in the URL path. Never in a query. */
  readonly personalDataInPath?: string
  /** Why this vendor's only search must be told personal data in the query of a look-up. */
  readonly personalDataInLookup?: string
  /** Why this vendor takes its credential nowhere but in the query. */
  readonly secretInQuery?: string
  /** Why this vendor answers the same to wrong credentials: what it then says is `delivered`, and `check` has to warn. */
  readonly blindToCredentials?: string
  /** Actions that take a 404 for something that is not there yet, and why. */
  readonly waitsFor404?: Readonly<Record<string, string>>
  /** Fields of the body a vendor's SDK makes anew for each attempt. */
  readonly volatile?: readonly string[]
  /** Where the committed required fields are, for connectors outside connectors/. */
  readonly contractFile?: string
}

export function destinationContract(definition: AnyDestination, given: DestinationContract): void {
  const contractFile =
    given.contractFile ?? fileURLToPath(new URL(`../../connectors/${definition.id}/contract.json`, import.meta.url))
  const saved = savedExamples(join(dirname(contractFile), 'examples.json'))
  const contract = { ...given, examples: [...given.examples, ...saved] }
  const actions = Object.keys(definition.actions)
  const examplesOf = (action: string) => contract.examples.filter((example) => example.action === action)
  const settingsFor = (example: DestinationExample) => ({ ...contract.settings, ...example.settings })

  describe(`${definition.id}: definition`, () => {
    it.each(actions)('%s has an example', (action) => {
      expect(examplesOf(action).length).toBeGreaterThan(0)
    })

    it('has settings that compile and that the contract fits', () => {
      expect(() => settingsOf(definition, contract.settings)).not.toThrow()
    })

    it('marks as secret every setting named like one', () => {
      expect(unmarkedSecrets(definition.settings)).toEqual([])
    })

    it.each(actions)('%s is filled only from paths that exist', (action) => {
      expect(unknownPaths(actionOf(definition, action).payload)).toEqual([])
    })

    it.each(actions)('%s marks as personal every field filled from contact data', (action) => {
      expect(unmarkedPersonal(actionOf(definition, action).payload)).toEqual([])
    })

    it.each(actions)('%s says what it is in both languages, under one of the starter purposes', (action) => {
      const { title, description, purpose, identifier } = definition.actions[action]!
      for (const text of [title.pt, title.en, description.pt, description.en]) expect(text).toMatch(/\S/)
      expect(STARTER_PURPOSES).toContain(purpose)
      expect(identifier.length).toBeGreaterThan(0)
    })

    it.each(actions)('%s carries both signed links when it is a message', (action) => {
      const { kind, payload } = definition.actions[action]!
      if (kind === 'message') expect(fromPaths(payload)).toEqual(expect.arrayContaining(['links.stop', 'links.why']))
      else expect(['state', 'event']).toContain(kind)
    })

    it.each(['deleteSubject', 'exportSubject', 'correctSubject'] as const)('declares %s', (right) => {
      const declared = definition[right]
      if ('implemented' in declared) expect(declared.implemented).toBeTypeOf('function')
      else {
        const text = 'manual' in declared ? declared.manual : declared.impossible
        expect(text.pt.length).toBeGreaterThan(20)
        expect(text.en.length).toBeGreaterThan(20)
      }
    })

    it('requires no payload field that the committed contract does not', () => {
      const file = contractFile
      const required = Object.fromEntries(
        actions.map((action) => [action, requiredFields(actionOf(definition, action).payload)]),
      )
      if (process.env['ANUENTE_UPDATE_CONTRACTS'] === '1') writeFileSync(file, contractText(required))
      expect(existsSync(file), `${file} is committed`).toBe(true)
      const committed = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string[]>
      expect(Object.keys(committed).sort()).toEqual([...actions].sort())
      for (const action of actions) expect(committed[action]).toEqual(expect.arrayContaining(required[action]!))
    })
  })

  describe(`${definition.id}: exact requests`, () => {
    intercepted()

    it.each(contract.examples.map((example) => [`${example.action}: ${example.title}`, example] as const))(
      '%s',
      async (_, example) => {
        const settings = settingsFor(example)
        const seen = answerWith([...(example.lookups ?? []).map((lookup) => lookup.answers), example.answers ?? OK])
        const items = itemsOf(definition, example)
        const { results, requests, steps } = await runAction(definition, example.action, items, {
          settings,
          transport: nocked(),
        })

        const checked = settingsOf(definition, settings)
        const base = (
          typeof definition.baseUrl === 'string' ? definition.baseUrl : definition.baseUrl(checked)
        ).replace(/\/$/, '')
        const absolute = (path: string) => new URL(/^https?:/.test(path) ? path : base + path).href
        const lookedUp = (example.lookups ?? []).map(({ method = 'GET', path }) => ({ method, path }))
        const expected = [...lookedUp, example.sends]
        expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual(
          expected.map(({ method, path }) => `${method} ${absolute(path)}`),
        )
        expect(seen).toHaveLength(expected.length)
        const write = seen.at(-1)!
        const target = new URL(absolute(example.sends.path))
        if (!MAIL_ADDRESS.test(target.href)) expect(write.path).toBe(target.pathname + target.search)
        expect(readBody(write.body, write.headers['content-type'])).toEqual(example.sends.body)
        if (example.sends.headers) expect(write.headers).toMatchObject(example.sends.headers)
        expect(results).toEqual(example.outcomes ?? items.map(() => expect.objectContaining({ status: 'delivered' })))
        expect(steps).toEqual(
          expected.flatMap((_, index) => (index < lookedUp.length ? ['slot', 'bytes'] : ['slot', 'look', 'bytes'])),
        )
      },
    )

    it.each(contract.examples.map((example) => [`${example.action}: ${example.title}`, example] as const))(
      'no secret and no personal value in the URL: %s',
      async (_, example) => {
        answerWith([...(example.lookups ?? []).map((lookup) => lookup.answers), example.answers ?? OK])
        const settings = settingsFor(example)
        const items = itemsOf(definition, example)
        const { requests } = await runAction(definition, example.action, items, { settings, transport: nocked() })
        const personal = personalOf(definition, example.action, items)
        for (const [index, { url }] of requests.entries()) {
          const { search, pathname } = new URL(url)
          const secrets = contract.secretInQuery === undefined ? secretsOf(definition, settings) : []
          const looksUp = index < requests.length - 1 && contract.personalDataInLookup !== undefined
          expect(mentioned(decodeURIComponent(search), [...(looksUp ? [] : personal), ...secrets])).toEqual([])
          if (contract.personalDataInPath === undefined)
            expect(mentioned(decodeURIComponent(pathname), personal)).toEqual([])
        }
      },
    )
  })

  describe.each(actions)(`${definition.id}: %s when the vendor fails`, (action) => {
    intercepted()
    const example = examplesOf(action)[0]
    if (!example) return
    const settings = settingsFor(example)
    const batches = actionOf(definition, action).batch !== undefined
    const items = batches ? several(itemsOf(definition, example), 3) : itemsOf(definition, example)
    const lookups = (example.lookups ?? []).map((lookup) => lookup.answers)
    const run = (transport: Transport = nocked(), more: { now?: string; lastLook?: () => Promise<void> } = {}) =>
      runAction(definition, action, items, { settings, transport, ...more })

    const failures =
      contract.waitsFor404?.[action] === undefined
        ? STATUS_FAILURES
        : STATUS_FAILURES.map((failure) =>
            failure.answer.status === 404
              ? { ...failure, title: '404 is waited out', outcome: { status: 'retry' } }
              : failure,
          )
    it.each(failures)('$title', async ({ answer, outcome }) => {
      answerWith([...lookups, answer])
      const { results } = await run()
      expect(results).toEqual(items.map(() => expect.objectContaining(outcome)))
    })

    it.each(CUT_FAILURES)('$title', async ({ error, outcome }) => {
      answerWith([...lookups, error])
      const { results } = await run()
      expect(results).toEqual(items.map(() => expect.objectContaining(outcome)))
    })

    it('a refused connection is retried and certainly left nothing', async () => {
      answerWith([...lookups, Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })])
      const { results } = await run()
      for (const result of results) {
        expect(result.status).toBe('retry')
        expect(result).not.toHaveProperty('uncertain')
      }
    })

    it('silence is retried, not knowing whether the vendor read it', async () => {
      answerWith([...lookups, 'silence'])
      const { results } = await run(nocked(60))
      expect(results).toEqual(items.map(() => expect.objectContaining({ status: 'retry', uncertain: true })))
    })

    it('Retry-After is obeyed', async () => {
      answerWith([...lookups, { status: 429, body: {}, headers: { 'retry-after': '17' } }])
      const { results } = await run()
      expect(results).toEqual(items.map(() => expect.objectContaining({ status: 'retry', retryAfterMs: 17_000 })))
    })

    it('a retry resends the same bytes, even an hour later', async () => {
      answerWith([...lookups, { status: 503, body: {} }, ...lookups, example.answers ?? OK])
      const first = await run()
      const second = await run(nocked(), { now: '2026-11-24T13:00:00.000Z' })
      const bytes = ({ requests }: Recording) =>
        requests.map(({ method, url, body, headers }) => [
          method,
          url,
          without(readBody(body ?? '', headers['content-type']), contract.volatile ?? []),
          contract.volatile ? '' : (body ?? ''),
          headers['idempotency-key'],
        ])
      expect(bytes(second)).toEqual(bytes(first))
    })

    it('nothing is sent when the last look says no', async () => {
      const seen = answerWith([...lookups, OK])
      const { results, requests } = await run(nocked(), {
        lastLook: async () => {
          throw new HandOverRefused('withdrawn')
        },
      })
      expect(results).toEqual(items.map(() => ({ status: 'refused' })))
      expect(requests).toHaveLength(lookups.length)
      expect(seen).toHaveLength(lookups.length)
    })

    it.each([400, 401, 403, 404, 409, 422, 429, 500])(
      'no secret and no personal value in what is said about a %s that quotes everything',
      async (status) => {
        const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((level) => vi.spyOn(console, level))
        const personal = personalOf(definition, action, items)
        const all = [...personal, ...secretsOf(definition, settings)].join(' ')
        const echo = {
          title: all,
          detail: all,
          message: all,
          error: { message: all, type: all, code: all, error_user_msg: all },
          errors: [{ error_type: all, error_message: all, field: all, message: all }],
          [all || 'empty']: all,
        }
        answerWith([...lookups, { status, body: echo }])
        const { results } = await run()
        answerWith([...lookups, { status, body: all || 'empty' }])
        const { results: plain } = await run()
        const said = JSON.stringify([results, plain, spies.map((spy) => spy.mock.calls)])
        expect(mentioned(said, [...personal, ...secretsOf(definition, settings)])).toEqual([])
        expect([...results, ...plain].every((result) => result.status !== 'delivered')).toBe(true)
        for (const spy of spies) spy.mockRestore()
      },
    )

    it('Brazilian names and phones leave as they are', async () => {
      answerWith([...lookups, example.answers ?? OK])
      const events = ('id' in example.given ? [example.given] : example.given).map(brazilian)
      const changed = itemsOf(definition, { ...example, given: events })
      const { requests, results } = await runAction(definition, action, changed, { settings, transport: nocked() })
      expect(results.map((result) => result.status)).toEqual(changed.map(() => 'delivered'))
      const write = requests.at(-1)!
      const body = write.body ?? ''
      expect(Buffer.from(body, 'utf8').toString('utf8')).toBe(body)
      const out = texts(readBody(body, write.headers['content-type']))
      const hashed = contract.hashed?.[action] ?? []
      for (const { payload } of changed)
        for (const [field, value] of Object.entries(payload)) {
          if (hashed.includes(field)) expect(out.filter((text) => text === value)).toEqual([])
          else if (typeof value === 'string' && Object.values(BRAZILIAN).includes(value))
            expect(
              out.some((text) => text.includes(value)),
              field,
            ).toBe(true)
        }
    })

    it(
      batches ? 'a batch answers one outcome per item, of one, two or many' : 'one delivery makes one write',
      async () => {
        const template = itemsOf(definition, example)
        for (const count of batches ? [1, 2, 7] : [1]) {
          answerWith([...lookups, ...Array.from({ length: 20 }, () => ({ status: 500, body: {} }))])
          const some = batches ? several(template, count) : template
          const { results, steps } = await runAction(definition, action, some, { settings, transport: nocked() })
          expect(results).toHaveLength(some.length)
          expect(steps.filter((step) => step === 'look')).toHaveLength(1)
        }
      },
    )
  })

  describe(`${definition.id}: production transport against the sandbox`, () => {
    let running: RunningSandboxes
    let fault: 'cut' | 'silence' | undefined
    const serving: SandboxServing = { intercept: () => fault, now: () => new Date(GIVEN.now) }
    let transport: ClosableTransport
    beforeAll(() => nock.restore())
    beforeEach(async () => {
      fault = undefined
      running = await serveSandboxes([contract.sandbox], serving)
      transport = sandboxTransport(running, definition.id)
    })
    afterEach(async () => {
      await transport.close()
      await running.close()
    })
    const base = () => running.baseUrl(definition.id)
    const right = () => contract.sandbox.settings(base())
    const wrong = () => contract.sandbox.refused(base())

    it('check accepts the right credentials', async () => {
      const settings = settingsOf(definition, right())
      const context = { http: plainHttp(definition, settings, transport), settings, now: new Date(GIVEN.now) }
      expect(await definition.check(context)).toMatchObject({ ok: true, detail: expect.stringMatching(/\S/) })
    })

    it('check refuses wrong credentials, or says that it cannot prove them', async () => {
      const settings = settingsOf(definition, wrong())
      const context = { http: plainHttp(definition, settings, transport), settings, now: new Date(GIVEN.now) }
      const answer = await definition.check(context).catch((error: unknown) => {
        expect(error).toBeInstanceOf(AuthenticationError)
        return { ok: false, warnings: [] }
      })
      expect(answer.ok === false || (answer.warnings?.length ?? 0) > 0).toBe(true)
    })

    it.each(actions)('%s is taken by the sandbox', async (action) => {
      for (const example of upTo(contract.examples, action)) {
        const items = itemsOf(definition, example)
        const { results } = await runAction(definition, example.action, items, {
          settings: { ...right(), ...example.settings },
          transport,
        })
        const expected = example.outcomes ?? items.map(() => expect.objectContaining({ status: 'delivered' }))
        if (example.action === action) expect(results).toEqual(expected)
      }
    })

    it.each(actions)('%s with wrong credentials is not delivered and not retried', async (action) => {
      const example = examplesOf(action)[0]!
      const { results } = await runAction(definition, action, itemsOf(definition, example), {
        settings: wrong(),
        transport,
      })
      expect(results.map((result) => result.status)).toEqual(
        results.map(() =>
          contract.blindToCredentials === undefined
            ? expect.stringMatching(/^(authentication|rejected)$/)
            : 'delivered',
        ),
      )
    })

    it.each(actions)('%s is retried when the connection is cut or nobody answers', async (action) => {
      const items = itemsOf(definition, examplesOf(action)[0]!)
      const hasty = sandboxTransport(running, definition.id, 250)
      for (const kind of ['cut', 'silence'] as const) {
        fault = kind
        const { results } = await runAction(definition, action, items, { settings: right(), transport: hasty })
        expect(results).toEqual(items.map(() => expect.objectContaining({ status: 'retry', uncertain: true })))
      }
      await hasty.close()
    })

    it('a person can be deleted twice', async () => {
      if (!('implemented' in definition.deleteSubject)) {
        const told =
          'manual' in definition.deleteSubject ? definition.deleteSubject.manual : definition.deleteSubject.impossible
        expect(told.pt).not.toBe(told.en)
        return
      }
      const example = contract.examples[0]!
      const items = itemsOf(definition, example)
      await runAction(definition, example.action, items, { settings: right(), transport })
      const settings = settingsOf(definition, right())
      const subject = subjectOf(example)
      for (const _ of ['once', 'again']) {
        const http = plainHttp(definition, settings, transport)
        const answer = await definition.deleteSubject.implemented({ http, settings, now: new Date(GIVEN.now), subject })
        expect(typeof answer.status === 'number' ? answer.status < 300 : answer.status === 'delivered').toBe(true)
      }
    })

    it('what the hub knows of a person can be asked for', async () => {
      if (!('implemented' in definition.exportSubject)) {
        const told =
          'manual' in definition.exportSubject ? definition.exportSubject.manual : definition.exportSubject.impossible
        expect(told.pt).not.toBe(told.en)
        return
      }
      const example = contract.examples[0]!
      const subject = subjectOf(example)
      const settings = settingsOf(definition, right())
      await runAction(definition, example.action, itemsOf(definition, example), {
        settings: right(),
        transport,
      })
      const http = plainHttp(definition, settings, transport)
      const answer = await definition.exportSubject.implemented({ http, settings, now: new Date(GIVEN.now), subject })
      expect(
        'text' in answer && texts(answer.json).some((text) => Object.values(subject.identifiers).includes(text)),
      ).toBe(true)
    })
  })
}

// ---------------------------------------------------------------- nock

const OK: VendorAnswer = { status: 200, body: {} }
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

interface Seen {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** No request leaves but to nock, within the enclosing describe. */
function intercepted(): void {
  beforeAll(() => {
    if (!nock.isActive()) nock.activate()
    nock.disableNetConnect()
  })
  beforeEach(() => nock.cleanAll())
  afterEach(() => {
    nock.abortPendingRequests()
    nock.cleanAll()
  })
  afterAll(() => {
    nock.enableNetConnect()
    nock.restore()
  })
}

/** Answers requests to any host in this order, the last answer for ever. Replaces earlier answers. */
function answerWith(answers: readonly (VendorAnswer | Error | 'silence')[]): Seen[] {
  nock.cleanAll()
  const seen: Seen[] = []
  let turn = 0
  for (const method of METHODS)
    nock(/./)
      .persist()
      .intercept(/./, method)
      .reply(function (path, _body, answerNow) {
        const answer = answers[Math.min(turn++, answers.length - 1)]
        const { requestBodyBuffers, headers } = this.req as typeof this.req & { requestBodyBuffers?: Buffer[] }
        seen.push({
          path,
          headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
          body: unpacked(Buffer.concat(requestBodyBuffers ?? []), String(headers['content-encoding'])).toString('utf8'),
        })
        if (answer === 'silence' || answer === undefined) return
        if (answer instanceof Error) answerNow(answer, [500])
        else answerNow(null, [answer.status, answer.body ?? '', { ...answer.headers }])
      })
  return seen
}

const unpacked = (bytes: Buffer, encoding: string): Buffer => (encoding === 'gzip' ? gunzipSync(bytes) : bytes)

/** Axios' own http adapter, the one nock sees. Mail travels as it does to a sandbox. */
const nocked = (timeoutMs?: number): Transport => {
  const carry = axiosTransport(axios.create({ adapter: 'http', proxy: false }), timeoutMs)
  return (request) => carry(MAIL_ADDRESS.test(request.url) ? mailOverHttp(request, 'http://mail.example') : request)
}

// ---------------------------------------------------------------- failures

const HTML = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>'

const STATUS_FAILURES = [
  { title: '401 is for the operator', answer: { status: 401, body: {} }, outcome: { status: 'authentication' } },
  { title: '403 is for the operator', answer: { status: 403, body: {} }, outcome: { status: 'authentication' } },
  { title: '404 is final', answer: { status: 404, body: {} }, outcome: { status: 'rejected' } },
  { title: '409 is final', answer: { status: 409, body: {} }, outcome: { status: 'rejected' } },
  { title: '422 is final', answer: { status: 422, body: {} }, outcome: { status: 'rejected' } },
  { title: '429 without Retry-After is retried', answer: { status: 429, body: {} }, outcome: { status: 'retry' } },
  { title: '500 is retried', answer: { status: 500, body: {} }, outcome: { status: 'retry' } },
  {
    title: '502 with an HTML page is retried',
    answer: { status: 502, body: HTML, headers: { 'content-type': 'text/html' } },
    outcome: { status: 'retry' },
  },
  { title: '503 is retried', answer: { status: 503, body: {} }, outcome: { status: 'retry' } },
]

const CUT_FAILURES = [
  {
    title: 'a connection cut midway is retried, not knowing whether the vendor read it',
    error: Object.assign(new Error('cut'), { code: 'ECONNRESET' }),
    outcome: { status: 'retry', uncertain: true },
  },
]

// ---------------------------------------------------------------- schemas

/** What `init` writes for the encarregado to confirm; configurations map from these. */
const STARTER_PURPOSES = [
  'orders',
  'analytics',
  'onsite_personalization',
  'email_marketing',
  'sms_marketing',
  'whatsapp_marketing',
  'push_marketing',
  'ads_measurement',
  'ads_personalization',
  'customer_care',
]

interface Shape {
  readonly from?: string | readonly string[]
  readonly pii?: boolean
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly required?: readonly string[]
  readonly items?: TSchema
}

function fields(schema: TSchema, path = ''): { path: string; shape: Shape }[] {
  const shape = schema as Shape
  return [
    { path, shape },
    ...Object.entries(shape.properties ?? {}).flatMap(([name, inner]) =>
      fields(inner, path ? `${path}.${name}` : name),
    ),
    ...(shape.items ? fields(shape.items, `${path}[]`) : []),
  ]
}

const fromOf = ({ from }: Shape): readonly string[] =>
  from === undefined ? [] : typeof from === 'string' ? [from] : from

const fromPaths = (schema: TSchema): string[] => fields(schema).flatMap(({ shape }) => fromOf(shape))

/** What may stand below each root; `true`: anything, `[]`: nothing. */
const BELOW: Readonly<Record<(typeof MAPPING_ROOTS)[number], true | readonly string[]>> = {
  type: [],
  name: [],
  messageId: [],
  occurredAt: [],
  properties: true,
  context: true,
  traits: true,
  event: ['traits', 'identifiers', 'previousId'],
  identifiers: IDENTIFIER_TYPES,
  cart: ['id', 'lines', 'total', 'currency', 'url', 'updatedAt'],
  computed: true,
  scores: true,
  audiences: [],
  offer: ['id', 'title', 'value', 'code', 'to'],
  person: ['id'],
  delivery: ['id'],
  links: ['stop', 'why'],
  rule: ['id', 'version'],
}

function unknownPaths(schema: TSchema): string[] {
  return fromPaths(schema).filter((path) => {
    const [root = '', below] = path.split('.')
    if (!(MAPPING_ROOTS as readonly string[]).includes(root)) return true
    const known = BELOW[root as (typeof MAPPING_ROOTS)[number]]
    return known !== true && below !== undefined && !known.includes(below)
  })
}

const CONTACT =
  /^(identifiers(\.|$)|traits$|traits\.(e-?mail|phone|name|first_?name|last_?name|cpf|address|street|birthday))/i

const unmarkedPersonal = (schema: TSchema): string[] =>
  fields(schema)
    .filter(({ shape }) => shape.pii !== true && fromOf(shape).some((path) => CONTACT.test(path)))
    .map(({ path }) => path)

/**
 * Dotted names of what must be there. A field below an optional object is required only when the
 * object comes; one with a default is never missing.
 */
const requiredFields = (schema: TSchema): string[] =>
  fields(schema)
    .flatMap(({ path, shape }) =>
      (shape.required ?? [])
        .filter((name) => (shape.properties?.[name] as { default?: unknown } | undefined)?.default === undefined)
        .map((name) => (path ? `${path}.${name}` : name)),
    )
    .sort()

/** As the formatter would write it: a list on one line where it fits. */
function contractText(required: Readonly<Record<string, readonly string[]>>): string {
  const lines = Object.entries(required).map(([action, names]) => {
    const line = `  ${JSON.stringify(action)}: [${names.map((name) => JSON.stringify(name)).join(', ')}]`
    return line.length < 120
      ? line
      : `  ${JSON.stringify(action)}: ${JSON.stringify(names, null, 2).replaceAll('\n', '\n  ')}`
  })
  return `{\n${lines.join(',\n')}\n}\n`
}

// ---------------------------------------------------------------- values

const BRAZILIAN: Readonly<Record<string, string>> = {
  name: "João D'Ávila Conceição Ñandú 🛒",
  firstName: 'João Ângelo',
  lastName: "D'Ávila Conceição",
  city: 'São João del-Rei',
  phone: '+5511987654321',
}

const brazilian = (event: CanonicalEvent): CanonicalEvent => ({
  ...event,
  traits: { ...event.traits, ...BRAZILIAN },
  subject: {
    ...event.subject,
    identifiers: [
      ...event.subject.identifiers.filter(({ type }) => type !== 'phone'),
      { type: 'phone', value: BRAZILIAN['phone']! },
    ],
  },
})

const personalOf = (definition: AnyDestination, action: string, items: readonly Item[]): string[] =>
  items.flatMap(({ payload }) => markedTexts(actionOf(definition, action).payload, payload, 'pii'))

const secretsOf = (definition: AnyDestination, settings: Readonly<Record<string, unknown>>): string[] =>
  markedTexts(definition.settings, settings, 'secret')

const mentioned = (text: string, values: readonly string[]): string[] => values.filter((value) => text.includes(value))

/** The items again and again up to `count`, each a delivery of its own. */
const several = (items: readonly Item[], count: number): Item[] =>
  Array.from({ length: count }, (_, index) => ({
    ...items[index % items.length]!,
    delivery: GIVEN.delivery(index + 1),
  }))

function subjectOf(example: DestinationExample): SubjectIdentifiers {
  const event = 'id' in example.given ? example.given : example.given[0]!
  return {
    identifiers: {
      ...example.profile?.identifiers,
      ...Object.fromEntries(event.subject.identifiers.map(({ type, value }) => [type, value])),
    },
  }
}

/** Everything up to the last example of this action, so that what it builds on is there. */
const upTo = (examples: readonly DestinationExample[], action: string): readonly DestinationExample[] =>
  examples.slice(0, examples.findLastIndex((example) => example.action === action) + 1)

/** The value without these keys, at any depth. */
function without(value: unknown, keys: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => without(item, keys))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !keys.includes(key))
      .map(([key, inner]) => [key, without(inner, keys)]),
  )
}
