/**
 * A first plan from what was seen: types, what is always there, few-valued words, formats. It accepts everything it was
 * made from. Values of people stay out of it: a word is listed only when it is plainly no personal datum (our choice:
 * at most 12 words, each sent by at least 5 people, nowhere below traits but in open ones).
 */
import { fullFormats } from 'ajv-formats/dist/formats.js'
import { Document, isMap, isScalar } from 'yaml'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { PlannedEvent, TrackingPlan } from '../../schemas/plan.ts'
import { PLANNED_PARTS, plannedName } from './plan.ts'
import { safeName, typeName } from './shape.ts'

const MOST_WORDS = 12
const FEWEST_PEOPLE = 5
const MOST_WORD_LENGTH = 40
/** More keys than these are data, not names. */
const MOST_KEYS = 60
const MOST_DEPTH = 8
/** A source that makes up names describes nothing: the rest stays unplanned. */
const MOST_EVENTS = 500
/** An event may be called like a person: such a name is in no plan. */
const PERSONAL_NAME = /@|\d{5}/

const FORMATS = ['date-time', 'date', 'email', 'uri', 'uuid'] as const
type Format = (typeof FORMATS)[number]
const PERSONAL =
  /mail|phone|fone|celular|whats|cpf|cnpj|rg$|name|nome|address|endere|street|rua|cep|zip|birth|nasc|ip$|password|senha|token|document|user|anonymous|device|(^|_)ids?$|Id$/i

export interface Observation {
  /** @param who somebody else for each person; not kept. */
  add(event: CanonicalEvent, who: string): void
  readonly events: number
  plan(version: number): TrackingPlan
  /** The same as YAML, with how often what is not always there was there. */
  yaml(version: number, head: string): string
}

/** @param openTraits text traits that are not personal on their own. */
export function observe(openTraits: ReadonlySet<string>): Observation {
  const named = new Map<string, Seen>()
  let events = 0
  const planned = (seen: Seen): PlannedEvent =>
    Object.fromEntries(
      PLANNED_PARTS.filter((part) => part !== 'context').flatMap((part) => {
        const value = seen.keys.get(part)
        if (!value || value.keys.size === 0) return []
        // The part itself is always an object; the plan says so by itself.
        const { type: _, ...schema } = schemaOf(value, { path: [part], openTraits })
        return [[part, schema] as const]
      }),
    )
  const plan = (version: number): TrackingPlan => ({
    version,
    mode: 'pass',
    unplanned: 'pass',
    events: Object.fromEntries(
      [...named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, seen]) => [name, planned(seen)]),
    ),
  })
  return {
    add(event, who) {
      events += 1
      const name = plannedName(event)
      if (PERSONAL_NAME.test(name)) return
      let seen = named.get(name)
      if (!seen) {
        if (named.size >= MOST_EVENTS) return
        seen = nothingSeen()
        named.set(name, seen)
      }
      see(seen, { properties: event.properties, traits: event.traits }, who, 0)
    },
    get events() {
      return events
    },
    plan,
    yaml(version, head) {
      const document = new Document(plan(version))
      document.commentBefore = head
        .split('\n')
        .map((line) => ` ${line}`)
        .join('\n')
      for (const [name, seen] of named) {
        comment(document, ['events', name], `${seen.objects}×`)
        for (const part of ['properties', 'traits'])
          if (seen.keys.has(part)) shares(document, ['events', name, part, 'properties'], seen.keys.get(part)!)
      }
      return document.toString({ lineWidth: 120 })
    },
  }
}

interface Seen {
  /** How often it was there. */
  count: number
  /** How often it was an object: what its keys are counted against. */
  objects: number
  readonly types: Set<string>
  readonly keys: Map<string, Seen>
  items: Seen | undefined
  /** Word -> up to 5 people who sent it; undefined once there are too many words. */
  words: Map<string, Set<string>> | undefined
  formats: Set<Format>
}

const nothingSeen = (): Seen => ({
  count: 0,
  objects: 0,
  types: new Set(),
  keys: new Map(),
  items: undefined,
  words: new Map(),
  formats: new Set(FORMATS),
})

function see(seen: Seen, value: unknown, who: string, depth: number): void {
  seen.count += 1
  seen.types.add(typeName(value))
  if (typeof value === 'string') {
    for (const format of seen.formats) if (!matches(format, value)) seen.formats.delete(format)
    if (!seen.words) return
    if (!isWord(value)) {
      seen.words = undefined
      return
    }
    const people = seen.words.get(value) ?? new Set()
    if (people.size < FEWEST_PEOPLE) people.add(who)
    seen.words.set(value, people)
    if (seen.words.size > MOST_WORDS) seen.words = undefined
    return
  }
  if (value === null || typeof value !== 'object' || depth > MOST_DEPTH) return
  if (Array.isArray(value)) {
    seen.items ??= nothingSeen()
    for (const item of value) see(seen.items, item, who, depth + 1)
    return
  }
  seen.objects += 1
  for (const [key, part] of Object.entries(value)) {
    let inner = seen.keys.get(key)
    if (!inner) {
      // One more than is used, so that it shows that there are too many.
      if (seen.keys.size > MOST_KEYS) continue
      inner = nothingSeen()
      seen.keys.set(key, inner)
    }
    see(inner, part, who, depth + 1)
  }
}

/** Letters and few digits: an address, a number or a sentence is none. */
const isWord = (text: string) =>
  text.length <= MOST_WORD_LENGTH && text !== '' && !/[@/\\]|\d{5}|https?:/.test(text) && text.split(/\s+/).length <= 4

function matches(format: Format, text: string): boolean {
  const check = fullFormats[format] as unknown as RegExp | ((text: string) => boolean) | { validate: unknown }
  const test = typeof check === 'object' && 'validate' in check ? check.validate : check
  return test instanceof RegExp ? test.test(text) : (test as (text: string) => boolean)(text)
}

interface Place {
  readonly path: readonly string[]
  readonly openTraits: ReadonlySet<string>
}

const isName = (key: string) => safeName(key) === key
const namedKeys = (seen: Seen) => (seen.keys.size > MOST_KEYS ? [] : [...seen.keys].filter(([key]) => isName(key)))

/** Amounts of Segment's e-commerce events. That all prices of some days were whole says nothing of the next one. */
const AMOUNTS = new Set(['price', 'total', 'subtotal', 'revenue', 'value', 'shipping', 'tax', 'discount', 'amount'])

function typesOf({ types }: Seen, { path }: Place): string[] {
  const found = new Set(types)
  if (found.has('integer') && AMOUNTS.has(path.at(-1) ?? '')) found.add('number')
  if (found.has('number')) found.delete('integer')
  return [...found].sort()
}

function schemaOf(seen: Seen, place: Place): Record<string, unknown> {
  const types = typesOf(seen, place)
  const schema: Record<string, unknown> = { type: types.length === 1 ? types[0] : types }
  const format = seen.types.has('string') ? FORMATS.find((one) => seen.formats.has(one)) : undefined
  if (format) schema['format'] = format
  const words = listable(seen, place)
  if (words && types.length === 1) {
    delete schema['type']
    schema['enum'] = words
  }
  if (seen.items && seen.items.count > 0)
    schema['items'] = schemaOf(seen.items, { ...place, path: [...place.path, '*'] })
  const keys = namedKeys(seen).sort(([a], [b]) => (a < b ? -1 : 1))
  if (keys.length > 0) {
    const required = keys.filter(([, inner]) => inner.count === seen.objects).map(([key]) => key)
    if (required.length > 0) schema['required'] = required
    schema['properties'] = Object.fromEntries(
      keys.map(([key, inner]) => [key, schemaOf(inner, { ...place, path: [...place.path, key] })]),
    )
  }
  return schema
}

/** The words of a field that may be written down. One word alone is no choice yet. */
function listable({ words, formats }: Seen, { path, openTraits }: Place): string[] | undefined {
  if (!words || words.size < 2) return undefined
  if (formats.size > 0 || path.some((step) => PERSONAL.test(step))) return undefined
  if (path[0] === 'traits' && !(path.length === 2 && openTraits.has(path[1]!))) return undefined
  return [...words.values()].every((people) => people.size >= FEWEST_PEOPLE) ? [...words.keys()].sort() : undefined
}

function comment(document: Document, path: readonly string[], text: string): void {
  const parent = document.getIn(path.slice(0, -1), true)
  if (!isMap(parent)) return
  const pair = parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1))
  if (isScalar(pair?.key)) pair.key.commentBefore = ` ${text}`
}

function shares(document: Document, path: readonly string[], seen: Seen): void {
  for (const [key, inner] of namedKeys(seen)) {
    if (inner.count < seen.objects)
      comment(document, [...path, key], `${Math.max(1, Math.floor((inner.count / seen.objects) * 100))}%`)
    shares(document, [...path, key, 'properties'], inner)
  }
}
