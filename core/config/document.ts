/** The file as text: YAML with places, and references to environment variables and files resolved. */
import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { ConfigError } from '../kit/errors.ts'
import { SECRET_NAME } from '../secrets/names.ts'
import { type Path, pointer } from './words.ts'

interface Read {
  readonly value: unknown
  /** JSON pointers of values that came, wholly or partly, from a reference. */
  readonly referenced: ReadonlySet<string>
  readonly problems: readonly { path: Path; message: string }[]
  place(path: Path): string
}

/** Hands out the secrets of the store. */
export type ReadSecret = (name: string) => string | undefined

/** ${NAME}, ${file:path}, ${secret:NAME} and, doubled, the literal $${NAME}. */
const REFERENCE = new RegExp(`(\\$?)\\$\\{([A-Za-z_][A-Za-z0-9_]*|file:[^{}\\n]+|secret:${SECRET_NAME})\\}`, 'g')
/**
 * In a flow mapping YAML reads `{` as syntax, so `{smtp: ${SMTP_URL}}` would not parse. References
 * are put into private-use characters of the same length, so that every column stays right.
 */
const MASKED = /(\uE001?)\uE000\uE002([^\uE003]+)\uE003/g

export function readDocument(
  path: string,
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
  secret: ReadSecret = () => undefined,
): Read {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    if (code === 'ENOENT') throw new ConfigError(`${path} does not exist. Make one with: anuente init --config ${path}`)
    throw new ConfigError(`${path} cannot be read (${code}). Check its owner and permissions.`)
  }
  const masked = text.replace(
    REFERENCE,
    (_, doubled: string, name: string) => `${doubled ? '\uE001' : ''}\uE000\uE002${name}\uE003`,
  )
  const lines = new LineCounter()
  const document = parseDocument(masked, { lineCounter: lines, prettyErrors: false })
  const name = basename(path)
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col}`
  }
  const broken = document.errors[0]
  if (broken) {
    // The parser quotes the source in some messages; its code says as much without a value.
    throw new ConfigError(`${at(broken.pos[0])} is not valid YAML: ${YAML_PROBLEMS[broken.code] ?? broken.code}`)
  }

  const referenced = new Set<string>()
  const problems: { path: Path; message: string }[] = []
  const resolveText = (value: string, here: Path): string => {
    const file = /^file:(?!\/\/)(.+)$/.exec(value)
    const reference = (source: string): string => {
      referenced.add(pointer(here))
      const found = source.startsWith('secret:')
        ? secretOf(source.slice(7), here, secret)
        : resolveReference(source, dir, env)
      if ('value' in found) return found.value
      problems.push({ path: here, message: found.problem })
      return ''
    }
    if (file) return reference(unmask(value))
    return value.replace(MASKED, (_, doubled: string, source: string) =>
      doubled ? `\${${source}}` : reference(source),
    )
  }
  const walk = (value: unknown, here: Path): unknown => {
    if (typeof value === 'string') return resolveText(value, here)
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...here, index]))
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [unmask(key), walk(item, [...here, unmask(key)])]),
    )
  }
  let plain: unknown
  try {
    plain = document.toJS()
  } catch {
    throw new ConfigError(`${name} uses aliases in a way that cannot be resolved. Write the repeated parts out.`)
  }
  return {
    value: walk(plain ?? {}, []),
    referenced,
    problems,
    place: (target) => at(offsetOf(document.contents, target)),
  }
}

const unmask = (text: string) =>
  text.replace(MASKED, (_, doubled: string, source: string) => `${doubled ? '$' : ''}\${${source}}`)

const YAML_PROBLEMS: Readonly<Record<string, string>> = {
  BAD_INDENT: 'the indentation does not fit the lines around it.',
  TAB_AS_INDENT: 'a tab is used for indentation. Use spaces.',
  DUPLICATE_KEY: 'the same key stands twice. Keep one of them.',
  MISSING_CHAR: 'a character is missing here, often a closing quote, bracket or brace, or a colon.',
  UNEXPECTED_TOKEN: 'unexpected text. Put values with special characters into quotes.',
  MULTILINE_IMPLICIT_KEY: 'a key runs over several lines. Check the quotes and the colon of this line.',
  BLOCK_AS_IMPLICIT_KEY: 'two colons in one line. Put the value into quotes.',
  BAD_ALIAS: 'an alias (*name) refers to nothing. Put values that begin with * into quotes.',
  MULTIPLE_DOCS: 'more than one document. Remove the line ---.',
}

function secretOf(name: string, here: Path, secret: ReadSecret): { value: string } | { problem: string } {
  if (here[0] === 'storage')
    return { problem: 'secrets lie in the storage itself: use an environment variable or a file here.' }
  const value = secret(name)
  return value === undefined
    ? { problem: `the secret ${name} is not set. Set it with: anuente secrets set ${name}` }
    : { value }
}

function resolveReference(
  source: string,
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
): { value: string } | { problem: string } {
  if (!source.startsWith('file:')) {
    const value = env[source]
    if (value) return { value }
    return {
      problem: `the environment variable ${source} is ${value === undefined ? 'not set' : 'empty'}. Set it before starting, or correct its name here.`,
    }
  }
  const path = resolve(dir, source.slice('file:'.length).trim())
  try {
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    return value === '' ? { problem: `the file ${path} is empty.` } : { value }
  } catch (error) {
    return {
      problem: `the file ${path} cannot be read (${(error as NodeJS.ErrnoException).code}). Create it or correct the path; it is relative to the configuration file.`,
    }
  }
}

/** Offset of the deepest node on the way to `path`: a missing key is shown where its parent begins. */
function offsetOf(root: unknown, path: Path): number {
  let node: unknown = root
  let offset = (root as Node | null)?.range?.[0] ?? 0
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && unmask(String(item.key.value)) === String(step))
      if (!pair) break
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      offset = (node as Node | undefined)?.range?.[0] ?? offset
    } else break
  }
  return offset
}
