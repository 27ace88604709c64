/**
 * The contract every source keeps, run by vitest. A connector's test file is data: settings, example
 * requests with the events they become, and requests that must be refused.
 */
import fc from 'fast-check'
import type { Static, TObject, TSchema } from 'typebox'
import { describe, expect, it } from 'vitest'
import type { ExitCode } from '../../schemas/exits.ts'
import { EXITS } from '../../schemas/exits.ts'
import type { HttpAnswer, RawRequest, SourceDefinition, SourceEvent, SourceItem } from '../kit/define.ts'
import { InputError } from '../kit/errors.ts'
import { cases } from './effort.ts'

/** A request as people write it in a test: an object body stands for its JSON. */
export interface ExampleRequest {
  readonly method: string
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Names in any case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer | object
  /** ISO 8601; EXAMPLE_TIME when absent. */
  readonly receivedAt?: string
  readonly ip?: string
}

export interface SourceExample {
  readonly title: string
  readonly request: ExampleRequest
  /** Exactly the events that come out, in order. */
  readonly events: readonly SourceEvent[]
  /** Exactly the items that do not become events, in order; `message` is not compared. */
  readonly rejected?: readonly { readonly code: ExitCode; readonly path: string }[]
  /** The request is signed over its bytes: any flipped byte of the body must be refused. */
  readonly signed?: boolean
  /** What the sender's own retry changes. The retried request must give the same message ids and, without `volatileFields`, the same raw. */
  readonly retry?: Partial<ExampleRequest>
  /** Exactly the answer to the sender. */
  readonly answer?: HttpAnswer
}

export interface SourceContract<S extends TObject> {
  readonly settings: Static<S>
  /** Instance name in anuente.yaml, used for reply routes. */
  readonly sourceId?: string
  /** Settings named like a secret that are public by nature, such as a browser's write key. */
  readonly publicSettings?: readonly string[]
  /** Every route and /in/<id>, if the source takes webhooks, should be in one of them. */
  readonly examples: readonly SourceExample[]
  /** Requests whose key, secret or signature is wrong or missing. */
  readonly refused: readonly {
    readonly title: string
    readonly request: ExampleRequest
    readonly exit: ExitCode
    /** When other settings than the contract's are needed. */
    readonly settings?: Static<S>
  }[]
  /** Requests of which nothing can be read: `normalize` throws InputError with this code. */
  readonly unreadable?: readonly { readonly title: string; readonly request: ExampleRequest; readonly code: ExitCode }[]
  /** Answers of `reply` routes; matchers such as expect.any(String) are allowed in `answer`. */
  readonly replies?: readonly {
    readonly title: string
    readonly request: ExampleRequest
    readonly settings?: Static<S>
    readonly answer: HttpAnswer
  }[]
}

export const EXAMPLE_TIME = '2026-11-24T12:00:00.000Z'

/** The example as the server hands it to a source. */
export function rawRequest(example: ExampleRequest): RawRequest {
  const { body } = example
  return {
    method: example.method,
    path: example.path,
    query: example.query ?? {},
    headers: Object.fromEntries(
      Object.entries(example.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    body: Buffer.isBuffer(body)
      ? body
      : Buffer.from(typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body)),
    receivedAt: example.receivedAt ?? EXAMPLE_TIME,
    ...(example.ip !== undefined && { ip: example.ip }),
  }
}

export const eventsOf = (items: readonly SourceItem[]): SourceEvent[] =>
  items.flatMap((item) => ('event' in item ? [item.event] : []))

export const rejectedOf = (items: readonly SourceItem[]): { code: ExitCode; path: string }[] =>
  items.flatMap((item) => ('rejected' in item ? [{ code: item.rejected.code, path: item.rejected.path }] : []))

export function sourceContract<S extends TObject>(source: SourceDefinition<S>, contract: SourceContract<S>): void {
  const { settings, examples } = contract
  const sourceId = contract.sourceId ?? source.id
  const secrets = secretValues(source.settings, settings)
  const read = (request: RawRequest) => source.normalize(request, settings)

  describe(`source ${source.id}: definition`, () => {
    it('has a link to the documentation of the vendor', () => {
      expect(source.docs).toMatch(/^https:\/\/[^\s/]+\.[^\s/]+/)
    })

    it('names its settings as secret when they look like one', () => {
      const unmarked = Object.entries(source.settings.properties)
        .flatMap(([name, schema]) => secretLooking(name, schema))
        .filter((name) => !contract.publicSettings?.includes(name))
      expect(unmarked).toEqual([])
    })

    it('gives limits in bytes and fields by name', () => {
      expect(source.maxBytes).toBeGreaterThan(0)
      for (const route of source.routes) expect(route.maxBytes ?? 1).toBeGreaterThan(0)
      for (const field of source.volatileFields) expect(field).toMatch(/^\S+$/)
    })

    it('answers reply routes when it has any', () => {
      expect(source.reply !== undefined).toBe(source.routes.some((route) => route.reply === true))
    })

    it('has an example for every route', () => {
      const shown = [...examples, ...(contract.replies ?? [])].map(({ request }) => request)
      const unseen = source.routes.filter(
        (route) =>
          !shown.some((request) => request.method === route.method && pathPattern(route.path).test(request.path)),
      )
      expect(unseen.map((route) => `${route.method} ${route.path}`)).toEqual([])
    })

    it('has examples and refusals', () => {
      expect(examples.length).toBeGreaterThan(0)
      expect(contract.refused.length).toBeGreaterThan(0)
    })
  })

  describe.each(examples)(`source ${source.id}: $title`, (example) => {
    const request = rawRequest(example.request)

    it('is let in', async () => {
      expect(await source.verify(request, settings)).toBe(true)
      if (request.path.startsWith('/in/')) return
      expect(source.credentials(request).some((credential) => source.keys(settings).includes(credential))).toBe(true)
    })

    it('gives exactly these events', () => {
      const items = read(request)
      expect(eventsOf(items)).toEqual(example.events)
      expect(rejectedOf(items)).toEqual(example.rejected ?? [])
      for (const item of items) expect(item.raw).toBeDefined()
    })

    it('says when the client sent it only by a date that can be read', () => {
      for (const event of eventsOf(read(request)))
        if (event.sentAt !== undefined) expect(Number.isNaN(Date.parse(event.sentAt))).toBe(false)
    })

    it('gives the same message ids on redelivery', () => {
      const again = rawRequest({ ...example.request, ...example.retry, receivedAt: '2026-11-24T12:05:00.000Z' })
      const first = read(request)
      const second = read(again)
      expect(eventsOf(second).map((event) => event.messageId)).toEqual(eventsOf(first).map((event) => event.messageId))
      expect(second.map((item) => withoutFields(item.raw, source.volatileFields))).toEqual(
        first.map((item) => withoutFields(item.raw, source.volatileFields)),
      )
    })

    it('leaves the request and the settings as they were', () => {
      const before = request.body.toString('latin1') + JSON.stringify(settings)
      read(request)
      expect(request.body.toString('latin1') + JSON.stringify(settings)).toBe(before)
    })

    it('puts no secret in an event', () => {
      const out = JSON.stringify(eventsOf(read(request)))
      for (const secret of secrets) expect(out).not.toContain(secret)
    })

    it('answers the sender', () => {
      const answer = source.accept(request, {
        recorded: example.events.length,
        quarantined: example.rejected?.length ?? 0,
      })
      // A 3xx is followed as a GET without body by SDKs, and the data is lost.
      expect(answer.status).toBeGreaterThanOrEqual(200)
      expect(answer.status).toBeLessThan(300)
      if (example.answer) expect(answer).toEqual(example.answer)
    })

    if (example.signed)
      it('is refused with any flipped byte', async () => {
        for (const index of new Set([0, request.body.length >> 1, request.body.length - 1])) {
          const body = Buffer.from(request.body)
          body[index] = body[index]! ^ 1
          expect(await source.verify({ ...request, body }, settings)).toBe('BAD_SIGNATURE')
        }
      })
  })

  describe(`source ${source.id}: refusals`, () => {
    it.each(contract.refused)('$title', async ({ request, exit, settings: own }) => {
      const verdict = await source.verify(rawRequest(request), own ?? settings)
      expect(verdict).toBe(exit)
      expect(EXITS[exit].group).toBe('refused')
    })

    for (const { title, request, code } of contract.unreadable ?? [])
      it(title, () => {
        const error = thrownBy(() => read(rawRequest(request)))
        expect(error).toBeInstanceOf(InputError)
        expect((error as InputError).code).toBe(code)
      })
  })

  for (const { title, request, settings: own, answer } of contract.replies ?? [])
    describe(`source ${source.id}: reply, ${title}`, () => {
      it('is found by its credentials and answered', async () => {
        const raw = rawRequest(request)
        expect(source.credentials(raw).some((credential) => source.keys(own ?? settings).includes(credential))).toBe(
          true,
        )
        const given = await source.reply?.(raw, own ?? settings, sourceId)
        expect(given).toEqual(answer)
        for (const secret of secrets) expect(JSON.stringify(given)).not.toContain(secret)
      })
    })

  describe(`source ${source.id}: hostile input`, () => {
    const places = distinctPlaces(examples.map(({ request }) => request))

    /** Runs everything that sees the request; whatever is thrown must be an InputError without a secret in it. */
    const survive = async (place: ExampleRequest, body: Buffer | string) => {
      const request = rawRequest({ ...place, body })
      const errors: unknown[] = []
      for (const step of [
        () => source.credentials(request),
        () => source.verify(request, settings),
        () => checkItems(read(request), secrets),
      ]) {
        try {
          await step()
        } catch (error) {
          errors.push(error)
        }
      }
      for (const error of errors) {
        if (!(error instanceof InputError)) throw error
        expect(Object.keys(EXITS)).toContain(error.code)
        for (const secret of secrets) expect(`${error.message} ${error.path} ${error.stack}`).not.toContain(secret)
      }
      expect(Object.prototype).not.toHaveProperty('polluted')
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    }

    it.each(HOSTILE_BODIES)('survives $title', async ({ body }) => {
      for (const place of places) await survive(place, body())
    })

    it('survives the secrets themselves in places where they do not belong', async () => {
      for (const secret of secrets)
        for (const place of places) {
          await survive(place, secret)
          await survive(
            place,
            JSON.stringify({
              type: secret,
              event: { [secret]: secret },
              writeKey: secret,
              batch: [secret, { type: secret }],
            }),
          )
        }
    })

    it('survives any JSON', async () => {
      await fc.assert(fc.asyncProperty(fc.constantFrom(...places), fc.json({ maxDepth: 5 }), survive), {
        numRuns: cases(150),
      })
    })

    it('survives any bytes', async () => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...places), fc.uint8Array({ maxLength: 400 }), (place, bytes) =>
          survive(place, Buffer.from(bytes)),
        ),
        { numRuns: cases(150) },
      )
    })

    const bodies = examples.flatMap(({ request }) => {
      const parsed = parsedBody(request)
      return parsed === undefined ? [] : [{ place: request, parsed }]
    })
    if (bodies.length > 0)
      it('survives wrong types everywhere in its JSON', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.constantFrom(...bodies),
            fc.infiniteStream(fc.nat()),
            WRONG_VALUE,
            async ({ place, parsed }, picks, wrong) => {
              await survive(place, JSON.stringify(replaceSomewhere(parsed, picks, wrong)))
            },
          ),
          { numRuns: cases(400) },
        )
      })

    it('survives any query and headers', async () => {
      const text = fc.string({ unit: 'binary', maxLength: 40 })
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...places),
          fc.dictionary(text, text, { maxKeys: 4 }),
          fc.nat(),
          text,
          async (place, query, pick, value) => {
            const headers = { ...place.headers }
            const names = [...Object.keys(headers), 'authorization', 'content-type', 'sentat', 'anonymousid']
            headers[names[pick % names.length]!] = pick % 2 ? value : `Basic ${Buffer.from(value).toString('base64')}`
            const changed = { ...place, query: pick % 3 ? { ...place.query, ...query } : query, headers }
            await survive(changed, rawRequest(place).body)
          },
        ),
        { numRuns: cases(150) },
      )
    })
  })
}

/** Bodies no honest client sends. Functions, because the big ones should not live longer than their test. */
const HOSTILE_BODIES: readonly { readonly title: string; readonly body: () => string | Buffer }[] = [
  { title: 'an empty body', body: () => '' },
  { title: 'NaN as text', body: () => '{"type":"track","properties":{"price":NaN}}' },
  {
    title: 'a number beyond doubles',
    body: () => '{"type":"track","event":"X","userId":1e999,"timestamp":1e999,"properties":{"price":-1e999}}',
  },
  { title: 'half of a JSON', body: () => '{"batch":[{"type":"track","event":"X"' },
  { title: 'a byte order mark', body: () => '\uFEFF{"type":"track","event":"X","userId":"u"}' },
  {
    title: 'broken UTF-8',
    body: () =>
      Buffer.concat([
        Buffer.from('{"type":"track","event":"'),
        Buffer.from([0xc3, 0x28, 0xff, 0xed, 0xa0, 0x80]),
        Buffer.from('"}'),
      ]),
  },
  { title: 'lone surrogates', body: () => '{"type":"track","event":"\\ud800","userId":"\\udfff"}' },
  { title: 'NUL characters', body: () => '{"type":"track\\u0000","event":"\\u0000","userId":"\\u0000"}' },
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'].map((key) => ({
    title: `the key ${key} at every level`,
    body: () => {
      const poison = `"${key}":{"polluted":true,"prototype":{"polluted":true},"type":"track"}`
      const event = `{${poison},"type":"track","event":"X","userId":"u","traits":{${poison}},"properties":{${poison},"products":[{${poison}}]},"context":{${poison},"traits":{${poison}},"consent":{${poison},"categoryPreferences":{${poison}}}}}`
      return `{${poison},"context":{${poison}},"integrations":{${poison}},"batch":[${event}],"events":[{${poison}}],"leads":[{${poison}}],"contact":{${poison}},${event.slice(1)}`
    },
  })),
  {
    title: 'an event named after a member of Object',
    body: () =>
      '{"type":"constructor","event":"__proto__","batch":[{"type":"toString","event":"valueOf","userId":"u"},{"type":"track","event":"__proto__","userId":"u"}]}',
  },
  { title: '100,000 nested arrays', body: () => '['.repeat(100_000) + ']'.repeat(100_000) },
  {
    title: '20,000 nested objects in an event',
    body: () =>
      `{"type":"track","event":"X","userId":"u","properties":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
  },
  {
    title: '20,000 nested objects in what a batch shares',
    body: () =>
      `{"batch":[{"type":"track","event":"X","userId":"u"}],"context":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
  },
  { title: 'a string of 10 MB', body: () => `{"type":"track","event":"${'x'.repeat(10_000_000)}","userId":"u"}` },
  { title: '10 MB that are no JSON', body: () => 'x'.repeat(10_000_000) },
  { title: 'a batch of 10,000 scalars', body: () => `{"batch":[${'1,'.repeat(9_999)}null]}` },
]

const WRONG_VALUE = fc.oneof(
  fc.constantFrom<unknown[]>(
    null,
    true,
    false,
    0,
    -1,
    1e308,
    '',
    ' ',
    'NaN',
    '2026-13-45T99:99:99Z',
    [],
    [[]],
    [null],
    {},
    { a: { b: [] } },
  ),
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.jsonValue({ maxDepth: 2 }),
)

function checkItems(items: readonly SourceItem[], secrets: readonly string[]): void {
  for (const item of items) {
    // The hub looks for hostile keys in `raw`: they must still be keys there, not have become a prototype.
    if (item.raw !== null && typeof item.raw === 'object' && !Array.isArray(item.raw))
      expect(isPlain(item.raw)).toBe(true)
    if ('rejected' in item) {
      expect(EXITS[item.rejected.code]?.stage).toBe('normalize')
      expect(item.rejected.path).toMatch(/^(\/.*)?$/s)
      for (const secret of secrets) expect(item.rejected.message).not.toContain(secret)
      continue
    }
    const { event } = item
    if (event.name !== undefined) expect(typeof event.name).toBe('string')
    if (event.messageId !== undefined) expect(typeof event.messageId).toBe('string')
    if (event.timestamp !== undefined) expect(typeof event.timestamp).toBe('string')
    expect(Array.isArray(event.identifiers)).toBe(true)
    for (const part of [event.traits, event.properties, event.context])
      if (part !== undefined) expect(isPlain(part)).toBe(true)
    for (const evidence of event.consent ?? [])
      for (const { answer } of Object.values(evidence.answers)) expect(['granted', 'denied']).toContain(answer)
  }
}

/** A plain object whose prototype nobody replaced. */
const isPlain = (value: object): boolean => !Array.isArray(value) && Object.getPrototypeOf(value) === Object.prototype

/** A copy with the value at one randomly picked place replaced. */
function replaceSomewhere(value: unknown, picks: Iterator<number>, wrong: unknown): unknown {
  const pick = (max: number) => (picks.next().value as number) % max
  if (Array.isArray(value) && value.length > 0 && pick(6) !== 0) {
    const at = pick(value.length)
    return value.map((item, index) => (index === at ? replaceSomewhere(item, picks, wrong) : item))
  }
  if (
    value !== null &&
    typeof value === 'object' &&
    !Array.isArray(value) &&
    Object.keys(value).length > 0 &&
    pick(6) !== 0
  ) {
    const entries = Object.entries(value)
    const at = pick(entries.length)
    return Object.fromEntries(
      entries.map(([key, item], index) => [key, index === at ? replaceSomewhere(item, picks, wrong) : item]),
    )
  }
  return wrong
}

function parsedBody(request: ExampleRequest): unknown {
  try {
    return JSON.parse(rawRequest(request).body.toString('utf8'))
  } catch {
    return undefined // Not JSON.
  }
}

function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  return undefined
}

function distinctPlaces(requests: readonly ExampleRequest[]): ExampleRequest[] {
  return [...new Map(requests.map((request) => [`${request.method} ${request.path}`, request])).values()]
}

function pathPattern(path: string): RegExp {
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(
    `^${path
      .split(/:[^/]+/)
      .map(literal)
      .join('[^/]+')}$`,
  )
}

function withoutFields(raw: unknown, fields: readonly string[]): unknown {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) return raw
  return Object.fromEntries(Object.entries(raw).filter(([name]) => !fields.includes(name)))
}

/** Settings, also nested ones, whose name says credential and whose schema does not. */
function secretLooking(name: string, schema: TSchema): string[] {
  const properties = (schema as { properties?: Record<string, TSchema> }).properties
  if (properties)
    return Object.entries(properties).flatMap(([inner, value]) => secretLooking(`${name}.${inner}`, value))
  if ((schema as { secret?: boolean }).secret === true) return []
  const last = name.split('.').at(-1)!
  // The name of a header and a public key say where or with what to check; they open nothing.
  if (/header(name)?$/i.test(last) || /public_?key$/i.test(last)) return []
  return /(key|secret|token|password|senha)$/i.test(last) ? [name] : []
}

/** Values of the settings marked secret, long enough to be recognised in a text. */
function secretValues(schema: TSchema, value: unknown): string[] {
  if (typeof value === 'string')
    return (schema as { secret?: boolean }).secret === true && value.length >= 4 ? [value] : []
  if (value === null || typeof value !== 'object') return []
  const properties = (schema as { properties?: Record<string, TSchema> }).properties ?? {}
  return Object.entries(value).flatMap(([name, item]) => (properties[name] ? secretValues(properties[name], item) : []))
}
