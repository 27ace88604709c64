/**
 * RFC 8785 (JSON Canonicalization Scheme): one value, one sequence of bytes. Reading is as strict as
 * writing: what two readers could understand differently is refused (RFC 8785 §3.1, I-JSON of RFC 7493).
 */
import canonicalize from 'canonicalize'

/** @throws TypeError for what JSON cannot say: NaN, infinities, lone surrogates, undefined, cycles. */
export function canonicalText(value: unknown): string {
  let text: string | undefined
  try {
    text = canonicalize(value)
  } catch (error) {
    throw new TypeError(`no canonical JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (text === undefined) throw new TypeError('no canonical JSON: undefined')
  return text
}

/** @throws SyntaxError on anything but one JSON value without repeated names and without lone surrogates. */
export function parseStrict(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (!text.isWellFormed()) throw new SyntaxError('a string holds half a surrogate pair')
  demandDistinctNames(text)
  demandWellFormed(value)
  return value
}

/** `text` is valid JSON already: only names and nesting are followed. */
function demandDistinctNames(text: string): void {
  const open: (Set<string> | undefined)[] = []
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\]]/g)) {
    const first = token[0]
    if (first === '{') open.push(new Set())
    else if (first === '[') open.push(undefined)
    else if (first === '}' || first === ']') open.pop()
    else if (token.endsWith(':')) {
      const name = JSON.parse(token.slice(0, -1)) as string
      const names = open.at(-1)
      if (names?.has(name)) throw new SyntaxError(`the name ${JSON.stringify(name)} stands twice in one object`)
      names?.add(name)
    }
  }
}

function demandWellFormed(value: unknown): void {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new SyntaxError('a string holds half a surrogate pair')
  } else if (Array.isArray(value)) for (const inner of value) demandWellFormed(inner)
  else if (value !== null && typeof value === 'object')
    for (const [name, inner] of Object.entries(value)) {
      demandWellFormed(name)
      demandWellFormed(inner)
    }
}
