/** An HTTP API that is asked: page by page, from where the last run ended. */
import {
  InputError,
  isLoose,
  type PollContext,
  type PollPage,
  RejectedError,
  readPath,
  type Static,
  Type,
} from '../../core/kit/index.ts'

export const PollSettings = Type.Object(
  {
    url: Type.String({ pattern: '^https?://', description: 'Asked with GET.' }),
    everySeconds: Type.Integer({ minimum: 10, maximum: 604_800, default: 300, description: 'Between two runs.' }),
    headers: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), Type.String(), {
        secret: true,
        description: 'Such as authorization; write the token as a reference.',
      }),
    ),
    since: Type.Optional(
      Type.Object(
        {
          query: Type.String({ minLength: 1, description: 'Query parameter that asks for what is newer.' }),
          path: Type.String({
            minLength: 1,
            description: 'Where an item carries it: a number, or text that sorts as time.',
          }),
          initial: Type.Optional(Type.Union([Type.String(), Type.Number()], { description: 'The first time.' })),
        },
        {
          additionalProperties: false,
          description: 'The largest value seen is kept and sent the next time. Items that come twice count once.',
        },
      ),
    ),
    next: Type.Optional(
      Type.Object(
        {
          path: Type.String({
            minLength: 1,
            description: 'Where the answer names its next page: an address or a token.',
          }),
          query: Type.Optional(Type.String({ minLength: 1, description: 'Query parameter a token goes into.' })),
        },
        { additionalProperties: false },
      ),
    ),
    maxPages: Type.Integer({ minimum: 1, maximum: 10_000, default: 100, description: 'In one run.' }),
  },
  { additionalProperties: false, description: 'Ask this address instead of waiting to be told.' },
)
export type PollSettings = Static<typeof PollSettings>

/** The largest `since` seen; texts are compared as texts. */
interface Cursor {
  readonly since?: string | number
}

/** One run: pages until the answer names no next one. */
export async function* askedPages(
  poll: PollSettings | undefined,
  items: string | undefined,
  { cursor, get }: Pick<PollContext, 'cursor' | 'get'>,
): AsyncGenerator<PollPage> {
  if (!poll) return
  const { since, next, headers, maxPages = 100 } = poll
  let newest = (cursor as Cursor | undefined)?.since ?? since?.initial
  const first = new URL(poll.url)
  if (since && newest !== undefined) first.searchParams.set(since.query, String(newest))
  let url: URL | undefined = first
  for (let page = 1; url && page <= maxPages; page++) {
    const answer = await get(url.href, headers && { headers })
    if (answer.status === 404) throw new RejectedError('the address to ask answered 404: correct poll.url.')
    const found = listOf(answer.json, items)
    for (const item of found) {
      const value: unknown = since && isLoose(item) ? readPath(item, since.path) : undefined
      if ((typeof value === 'string' || typeof value === 'number') && isNewer(value, newest)) newest = value
    }
    const body = found.length > 0 ? { body: Buffer.from(JSON.stringify(wrap(found, items))) } : {}
    yield { ...body, cursor: newest === undefined ? {} : { since: newest } }
    url = next && following(readPath(answer.json, next.path), next.query, first)
  }
}

function listOf(json: unknown, items: string | undefined): unknown[] {
  const list = items === undefined ? json : readPath(json, items)
  if (Array.isArray(list)) return list
  if (items === undefined && isLoose(json)) return [json]
  throw new InputError('INVALID', 'the answer has no list where `items` says: correct it.')
}

/** `normalize` looks for the list where the settings say. */
function wrap(found: readonly unknown[], items: string | undefined): unknown {
  if (items === undefined) return found
  return items.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), found)
}

function isNewer(value: string | number, newest: string | number | undefined): boolean {
  if (newest === undefined) return true
  return typeof value === typeof newest ? value > newest : String(value) > String(newest)
}

/** An address of the same host, or a token for the query. */
function following(value: unknown, query: string | undefined, first: URL): URL | undefined {
  if ((typeof value !== 'string' && typeof value !== 'number') || value === '') return undefined
  const url = new URL(first)
  if (query !== undefined) {
    url.searchParams.set(query, String(value))
    return url
  }
  const named = new URL(String(value), first)
  if (named.host !== first.host)
    throw new RejectedError('the next page is on another host, which is not asked: set poll.next.query.')
  return named
}
