/** The JSON of a request, whatever its content type says: SDKs send JSON as text/plain and as a form. */
import type { RawRequest } from './define.ts'
import { InputError } from './errors.ts'

/** An object as parsed. Copy it by spread or Object.fromEntries only: assigning to its keys could set a prototype. */
export type Loose = Readonly<Record<string, unknown>>

export const isLoose = (value: unknown): value is Loose =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** Credentials, verification and reading look at the same body; it is parsed once. */
const parsedBodies = new WeakMap<Buffer, { readonly value: unknown } | 'malformed'>()

/**
 * Broken UTF-8 reads as U+FFFD instead of losing the whole batch.
 * @throws InputError MALFORMED_JSON. The parser's own message quotes the body, so it stays here.
 */
export function readJson(request: RawRequest): unknown {
  const { body } = request
  let parsed = parsedBodies.get(body)
  if (!parsed) {
    try {
      parsed = { value: JSON.parse(body.toString('utf8').replace(/^\uFEFF/, '')) }
    } catch {
      parsed = 'malformed'
    }
    parsedBodies.set(body, parsed)
  }
  if (parsed === 'malformed') throw new InputError('MALFORMED_JSON', 'the body is not valid JSON')
  return parsed.value
}
