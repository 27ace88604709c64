/**
 * From any object to the hub's event, by dotted paths: what the settings of webhook and file sources say. Pure.
 * A mapped person and a mapped act become two events, an identify and a track, because purposes collect them apart.
 */
import { type Static, Type } from 'typebox'
import { EVIDENCE_METHODS } from '../../schemas/consent.ts'
import { CALL_TYPES, IDENTIFIER_TYPES, type IdentifierType } from '../../schemas/event.ts'
import { oneOf } from '../../schemas/one-of.ts'
import type { ConsentEvidence, SourceEvent, SourceItem } from './define.ts'
import { InputError } from './errors.ts'
import { isLoose, type Loose } from './json-body.ts'
import { type Notation, readBoolean, readDate, readNumber } from './local-values.ts'
import { readPath } from './read-path.ts'

const Path = Type.String({ minLength: 1, maxLength: 200 })
const Paths = Type.Union([Path, Type.Array(Path, { minItems: 1 })])
const KINDS = ['text', 'number', 'cents', 'date', 'boolean', 'orderId'] as const

const Reading = {
  from: Type.Optional(Paths),
  join: Type.Optional(Type.Array(Path, { minItems: 1, description: 'Paths whose texts are joined by a space.' })),
  const: Type.Optional(Type.Unknown({ description: 'The same value for every event.' })),
  as: Type.Optional(
    oneOf(KINDS, 'How it is read. cents: an integer of minor units. orderId: text without #, and without gid://…/.'),
  ),
  timezone: Type.Optional(Type.String({ description: 'Of dates without one, where it differs from the others.' })),
}
const Field = Type.Union([
  Path,
  Type.Array(Path, { minItems: 1 }),
  Type.Object(Reading, { additionalProperties: false }),
])
const Place = Type.Union([
  Path,
  Type.Array(Path, { minItems: 1 }),
  Type.Object(
    {
      ...Reading,
      each: Type.Optional(Type.Record(Type.String(), Field, { description: 'The fields of every item of a list.' })),
    },
    { additionalProperties: false },
  ),
])
export type Place = Static<typeof Place>

const fields = (description: string) => Type.Optional(Type.Record(Type.String(), Place, { description }))
const perIdentifier = Object.fromEntries(IDENTIFIER_TYPES.map((type) => [type, Type.Optional(Place)])) as Record<
  IdentifierType,
  ReturnType<typeof Type.Optional<typeof Place>>
>

/** A place is a path, several (the first that is filled counts), or an object that says more. */
export const EventMapping = Type.Object(
  {
    type: Type.Optional(
      oneOf(CALL_TYPES, 'The call every event is. Default: track where `event` is mapped, else identify.'),
    ),
    event: Type.Optional(Place),
    names: Type.Optional(
      Type.Record(Type.String(), Type.String({ minLength: 1 }), {
        description: "The sender's event name to the hub's, such as Order Completed. Others stay as they are.",
      }),
    ),
    id: Type.Optional(Place),
    timestamp: Type.Optional(Place),
    identifiers: Type.Object(perIdentifier, { additionalProperties: false }),
    previousId: Type.Optional(Place),
    traits: fields('What is known of the person.'),
    properties: fields('What is known of the act.'),
    context: fields('Circumstances, such as campaign.'),
    consent: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object(
          {
            from: Paths,
            granted: Type.Optional(Type.Array(Type.String(), { description: 'Values that mean yes.' })),
            denied: Type.Optional(Type.Array(Type.String(), { description: 'Values that mean no.' })),
            method: Type.Optional(oneOf(EVIDENCE_METHODS, 'By which act the person answered.')),
          },
          { additionalProperties: false },
        ),
        { description: 'Purpose to the field that answers for it. Values in neither list say nothing.' },
      ),
    ),
  },
  { additionalProperties: false },
)
export type EventMapping = Static<typeof EventMapping>

/** Which of the two events of an item: written beside what is kept, so that either can be read again alone. */
export type Part = 'person' | 'act'

export interface MappedEvent {
  readonly part: Part
  readonly event: SourceEvent
}

/** One value by its place; a path that is a key as it stands (`e.mail` of a column) is that key. */
export function readPlace(root: unknown, place: Place, notation: Notation = {}): unknown {
  if (typeof place === 'string' || Array.isArray(place)) return firstOf(root, place as string | string[])?.value
  const detail = place as Exclude<Place, string | string[]>
  if ('const' in detail) return detail.const
  if (detail.join) {
    const texts = detail.join.map((path) => textOf(at(root, path))).filter((text) => text !== undefined)
    return texts.length > 0 ? texts.join(' ') : undefined
  }
  const found = firstOf(root, (detail.from ?? []) as string | string[])
  if (!found) return undefined
  const own = detail.timezone === undefined ? notation : { ...notation, timezone: detail.timezone }
  if (detail.each !== undefined) {
    if (!Array.isArray(found.value)) throw fault(found.path, 'is not a list')
    const { each } = detail
    return found.value
      .map((item, index) =>
        within(`${pointer(found.path)}/${index}`, () => readAll(item, each as Readonly<Record<string, Place>>, own)),
      )
      .filter((item) => Object.keys(item).length > 0)
  }
  return detail.as === undefined ? found.value : converted(found, detail.as, own)
}

function readAll(root: unknown, places: Readonly<Record<string, Place>> | undefined, notation: Notation): Loose {
  return Object.fromEntries(
    Object.entries(places ?? {}).flatMap(([name, place]) => {
      const value = readPlace(root, place, notation)
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

interface Found {
  readonly path: string
  readonly value: unknown
}

function firstOf(root: unknown, paths: string | readonly string[]): Found | undefined {
  for (const path of typeof paths === 'string' ? [paths] : paths) {
    const value = at(root, path)
    // An empty text is how most systems say "not filled in".
    if (value !== undefined && value !== null && !(typeof value === 'string' && value.trim() === ''))
      return { path, value }
  }
  return undefined
}

const at = (root: unknown, path: string): unknown =>
  isLoose(root) && Object.hasOwn(root, path) ? root[path] : readPath(root, path)

function converted({ path, value }: Found, as: (typeof KINDS)[number], notation: Notation): unknown {
  switch (as) {
    case 'text':
      return textOf(value) ?? no(path, 'is not text')
    case 'number':
      return readNumber(value, notation) ?? no(path, 'is not a number')
    case 'cents': {
      const cents = readNumber(value, notation)
      return cents !== undefined && Number.isInteger(cents) ? cents / 100 : no(path, 'is not an integer of minor units')
    }
    case 'date':
      return readDate(value, notation) ?? no(path, 'is not a date', 'BAD_TIMESTAMP')
    case 'boolean':
      return readBoolean(value) ?? no(path, 'is neither yes nor no')
    case 'orderId':
      return orderId(value) ?? no(path, 'is not the id of an order')
  }
}

/**
 * The same order is `#1001`, `1001` and `gid://shopify/Order/1001`, depending on who tells; one fact must have one id.
 */
export function orderId(value: unknown): string | undefined {
  const text = textOf(value)
    ?.replace(/^gid:\/\/.*\//, '')
    .replace(/^#\s*/, '')
  return text === undefined || text === '' ? undefined : text
}

const textOf = (value: unknown): string | undefined => {
  const text =
    typeof value === 'string' ? value.trim() : typeof value === 'number' && Number.isFinite(value) ? String(value) : ''
  return text === '' ? undefined : text
}

const pointer = (path: string) => `/${path.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('.', '/')}`
const fault = (path: string, message: string, code: 'INVALID' | 'BAD_TIMESTAMP' = 'INVALID') =>
  new InputError(code, `${message}.`, pointer(path))
function no(path: string, message: string, code?: 'INVALID' | 'BAD_TIMESTAMP'): never {
  throw fault(path, message, code)
}

function within<T>(prefix: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof InputError) throw new InputError(error.code, error.message, `${prefix}${error.path}`)
    throw error
  }
}

/** @throws InputError naming the place in the item, never its value. */
export function mapEvent(item: unknown, mapping: EventMapping, notation: Notation = {}): MappedEvent[] {
  if (!isLoose(item)) throw new InputError('INVALID', 'an event must be an object.')
  const type = mapping.type ?? (mapping.event === undefined ? 'identify' : 'track')
  const stated = mapping.event === undefined ? undefined : textOf(readPlace(item, mapping.event, notation))
  if (type === 'track' && stated === undefined)
    throw new InputError(
      'INVALID',
      'the event has no name: correct `event` of the mapping.',
      firstPointer(mapping.event),
    )
  const table = mapping.names ?? {}
  const name = stated !== undefined && Object.hasOwn(table, stated) ? table[stated]! : stated
  const timestamp = timestampOf(item, mapping, notation)
  const id = mapping.id === undefined ? undefined : textOf(readPlace(item, mapping.id, notation))
  const traits = readAll(item, mapping.traits, notation)
  const properties = readAll(item, mapping.properties, notation)
  const context = readAll(item, mapping.context, notation)
  const consent = consentOf(item, mapping)
  const previousId = mapping.previousId && textOf(readPlace(item, mapping.previousId, notation))
  const common = {
    ...(timestamp !== undefined && { timestamp }),
    identifiers: identifiersOf(item, mapping, notation),
  }
  const person: SourceEvent = {
    type: 'identify',
    ...(id !== undefined && { messageId: type === 'identify' ? id : `${id}-person` }),
    ...common,
    ...(Object.keys(traits).length > 0 && { traits }),
    ...(type === 'identify' && Object.keys(context).length > 0 && { context }),
    ...(consent.length > 0 && { consent }),
  }
  if (type === 'identify') return [{ part: 'person', event: person }]
  const speaks = Object.keys(traits).length > 0 || consent.length > 0
  return [
    ...(speaks ? [{ part: 'person' as const, event: person }] : []),
    {
      part: 'act',
      event: {
        type,
        ...(name !== undefined && { name }),
        ...(stated !== undefined && stated !== name && { originalName: stated }),
        ...(id !== undefined && { messageId: id }),
        ...common,
        ...(previousId !== undefined && { previousId }),
        ...(Object.keys(properties).length > 0 && { properties }),
        ...(Object.keys(context).length > 0 && { context }),
      },
    },
  ]
}

/** What is kept of one item, in words no sender uses, so that a quarantined one is recognised and read again. */
export interface KeptItem {
  readonly item: unknown
  /** What a header said of the request. */
  readonly topic?: string | undefined
  readonly part?: Part | undefined
}

export const keepItem = ({ item, topic, part }: KeptItem): Loose => ({
  ...(topic !== undefined && { anuente_topic: topic }),
  ...(part !== undefined && { anuente_part: part }),
  anuente_item: item,
})

/** Undefined when the body is none that the hub itself kept. */
export function readKept(body: unknown): KeptItem | undefined {
  if (!isLoose(body) || !Object.hasOwn(body, 'anuente_item')) return undefined
  const { anuente_item: item, anuente_topic: topic, anuente_part: part } = body
  return {
    item,
    ...(typeof topic === 'string' && { topic }),
    ...((part === 'person' || part === 'act') && { part }),
  }
}

/** The events of one item, or why there are none. @param path JSON pointer of the item in the body. */
export function mapItem(kept: KeptItem, path: string, mapping: EventMapping, notation: Notation = {}): SourceItem[] {
  try {
    return mapEvent(kept.item, mapping, notation)
      .filter(({ part }) => kept.part === undefined || part === kept.part)
      .map(({ part, event }) => ({
        event,
        raw: keepItem({ ...kept, part }),
        ...(path !== '' && { path }),
        rawPath: '/anuente_item',
      }))
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const { code, message } = error
    return [{ rejected: { code, message, path: `${path}${error.path}` }, raw: keepItem(kept) }]
  }
}

function timestampOf(item: Loose, { timestamp }: EventMapping, notation: Notation): string | undefined {
  if (timestamp === undefined) return undefined
  const plain = typeof timestamp === 'string' || Array.isArray(timestamp)
  const value = readPlace(
    item,
    (plain ? { from: timestamp, as: 'date' } : { as: 'date', ...(timestamp as object) }) as Place,
    notation,
  )
  return typeof value === 'string' ? value : undefined
}

function identifiersOf(item: Loose, { identifiers }: EventMapping, notation: Notation): SourceEvent['identifiers'] {
  return IDENTIFIER_TYPES.flatMap((type) => {
    const place = identifiers[type]
    const value = place === undefined ? undefined : textOf(readPlace(item, place as Place, notation))
    return value === undefined ? [] : [{ type, value }]
  })
}

function consentOf(item: Loose, { consent }: EventMapping): ConsentEvidence[] {
  return Object.entries(consent ?? {}).flatMap(([purpose, { from, granted, denied, method = 'none' }]) => {
    const found = firstOf(item, from as string | string[])
    if (!found || (typeof found.value === 'object' && found.value !== null)) return []
    const said = String(found.value).trim().toLowerCase()
    const among = (values: readonly string[] | undefined) =>
      values?.some((value) => value.trim().toLowerCase() === said) === true
    // Of two lists that name one value the refusal counts.
    const answer = among(denied) ? 'denied' : among(granted) ? 'granted' : undefined
    if (answer === undefined) return []
    return [
      {
        vendor: 'mapped',
        answers: { [purpose]: { answer } },
        method,
        actor: 'subject',
        raw: { [found.path]: found.value },
      },
    ]
  })
}

function firstPointer(place: Place | undefined): string {
  if (typeof place === 'string') return pointer(place)
  const paths = Array.isArray(place)
    ? place
    : place === undefined
      ? []
      : ((place as { from?: string | string[] }).from ?? [])
  const first = typeof paths === 'string' ? paths : paths[0]
  return first === undefined ? '' : pointer(first)
}

/** What the mapping fills, and from which paths: `traits.name` from `cliente.nome`. */
export function readsOf(mapping: EventMapping): { readonly target: string; readonly paths: readonly string[] }[] {
  const one = (target: string, place: unknown) => ({ target, paths: pathsOf(place) })
  const many = (root: string, places: object | undefined) =>
    Object.entries(places ?? {}).map(([name, place]) => one(`${root}.${name}`, place))
  return [
    ...(['event', 'id', 'timestamp', 'previousId'] as const).flatMap((name) =>
      mapping[name] === undefined ? [] : [one(name, mapping[name])],
    ),
    ...many('identifiers', mapping.identifiers),
    ...many('traits', mapping.traits),
    ...many('properties', mapping.properties),
    ...many('context', mapping.context),
    ...many('consent', mapping.consent),
  ]
}

function pathsOf(place: unknown): string[] {
  if (typeof place === 'string') return [place]
  if (Array.isArray(place)) return place.map(String)
  if (!isLoose(place)) return []
  return [...pathsOf(place['from']), ...pathsOf(place['join'])]
}
