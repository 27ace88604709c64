/**
 * What a purpose may have of an event. `collects` lists names, globs and call types, or
 * `{name: [paths]}`; everything no allowing purpose asked for is left behind (LGPD art. 6 III).
 */
import { CALL_TYPES, type CallType, type CanonicalEvent, type IdentifierType } from '../schemas/event.ts'
import type { Purpose } from './purposes.ts'
import {
  CALL_PROPERTIES,
  CONTEXT_FIELDS,
  holdsEmail,
  isContactKey,
  PRODUCT_LINE,
  TRACK_PROPERTIES,
} from './spec-properties.ts'

type Loose = Record<string, unknown>
type EventName = Pick<CanonicalEvent, 'type' | 'name'>

/** One item of `collects`, compiled. */
export interface CollectRule {
  /** Absent: any call. */
  readonly call?: CallType
  readonly matches: (name: string) => boolean
  /** Brings the event's spec properties. */
  readonly bare: boolean
  /** Each split at the dots, without its root; a last `*` takes all below. */
  readonly traits: readonly (readonly string[])[]
  readonly properties: readonly (readonly string[])[]
  readonly context: readonly (readonly string[])[]
}

/** `*` stands for any text; everything else is literal and case counts. */
export function compileGlob(pattern: string): (name: string) => boolean {
  if (!pattern.includes('*')) return (name) => name === pattern
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  const expression = new RegExp(`^${parts.join('.*')}$`, 's')
  return (name) => expression.test(name)
}

const always = () => true

/** @param item a name, glob or call type, or `{name: [paths]}` (several names are allowed). */
export function compileCollect(item: string | Readonly<Record<string, readonly string[]>>): CollectRule[] {
  if (typeof item === 'string') return [{ ...compileName(item), bare: true, traits: [], properties: [], context: [] }]
  return Object.entries(item).map(([name, paths]) => {
    const target = compileName(name)
    const roots = { traits: [] as string[][], properties: [] as string[][], context: [] as string[][] }
    // A bare path means traits on identify and properties on all other calls.
    const home = target.call === 'identify' ? 'traits' : 'properties'
    for (const path of paths) {
      const steps = path.split('.')
      const root = steps[0]
      if (steps.length > 1 && (root === 'traits' || root === 'properties' || root === 'context'))
        roots[root].push(steps.slice(1))
      else roots[home].push(steps)
    }
    return { ...target, bare: false, ...roots }
  })
}

function compileName(name: string): Pick<CollectRule, 'call' | 'matches'> {
  if (name === '*') return { matches: always }
  const call = CALL_TYPES.find((type) => type === name && type !== 'track')
  return call ? { call, matches: always } : { call: 'track', matches: compileGlob(name) }
}

function ruleMatches(rule: CollectRule, event: EventName): boolean {
  return (rule.call === undefined || rule.call === event.type) && (event.type !== 'track' || rule.matches(event.name))
}

export function wants(purpose: Purpose, event: EventName): boolean {
  for (const rule of purpose.collects) if (ruleMatches(rule, event)) return true
  return false
}

/** Whether a purpose may take traits of such an event. */
export function collectsTraits(purpose: Purpose, event: EventName): boolean {
  return purpose.collects.some((rule) => rule.traits.length > 0 && ruleMatches(rule, event))
}

/**
 * Whether a purpose declares a trait anywhere in its `collects`: an action may read only those.
 * @param traitPath `email`, `traits.email` or deeper; a declared path covers what lies below it.
 */
export function declares(purpose: Purpose, traitPath: string): boolean {
  const known = purpose.declaredTraits.get(traitPath)
  if (known !== undefined) return known
  const steps = traitPath.startsWith('traits.') ? traitPath.slice(7).split('.') : traitPath.split('.')
  const declared = purpose.collects.some((rule) => rule.traits.some((path) => covers(path, steps)))
  if (purpose.declaredTraits.size >= 1000) purpose.declaredTraits.clear()
  purpose.declaredTraits.set(traitPath, declared)
  return declared
}

function covers(declared: readonly string[], steps: readonly string[]): boolean {
  return declared.every((step, index) => (step === '*' && index === declared.length - 1) || step === steps[index])
}

// ---------------------------------------------------------------- one event

interface TraitSpec {
  readonly path: readonly string[]
  readonly purposes: readonly string[]
}

/** What a set of allowing purposes takes of one kind of event. */
interface FieldPlan {
  readonly bare: boolean
  readonly spec: ReadonlySet<string> | undefined
  readonly traits: readonly TraitSpec[]
  readonly properties: readonly (readonly string[])[]
  readonly context: readonly (readonly string[])[]
  /** Contact identifiers whose value one of the purposes declares on this event. */
  readonly contacts: ReadonlySet<IdentifierType>
  /** Sensitive paths (LGPD art. 5 II) that no allowing purpose has a ground of art. 11 for. */
  readonly strip: Readonly<Record<Root, readonly (readonly string[])[]>>
}

type Root = 'traits' | 'properties' | 'context'

/** Traits that hold the value of a contact identifier. */
const CONTACT_TRAITS: Readonly<Partial<Record<IdentifierType, readonly string[]>>> = {
  email: ['email'],
  phone: ['phone', 'mobile_phone', 'personal_phone', 'mobilePhone', 'whatsapp'],
  cpf: ['cpf'],
}

// Event names come from outside: both levels are bounded. The arrays are those the gate interns.
const plans = new WeakMap<readonly Purpose[], Map<string, FieldPlan>>()
const MAX_PLANS = 2000

function planFor(event: EventName, allowed: readonly Purpose[]): FieldPlan {
  let byKind = plans.get(allowed)
  if (!byKind) {
    byKind = new Map()
    plans.set(allowed, byKind)
  }
  const kind = event.type === 'track' ? event.name : `\0${event.type}`
  let plan = byKind.get(kind)
  if (!plan) {
    if (byKind.size >= MAX_PLANS) byKind.clear()
    plan = makePlan(event, allowed)
    byKind.set(kind, plan)
  }
  return plan
}

function makePlan(event: EventName, allowed: readonly Purpose[]): FieldPlan {
  let bare = false
  const traits = new Map<string, { path: readonly string[]; purposes: string[] }>()
  const properties = new Map<string, readonly string[]>()
  const context = new Map<string, readonly string[]>()
  const contacts = new Set<IdentifierType>()
  for (const purpose of allowed) {
    for (const rule of purpose.collects) {
      if (!ruleMatches(rule, event)) continue
      bare ||= rule.bare
      for (const path of rule.properties) properties.set(path.join('.'), path)
      for (const path of rule.context) context.set(path.join('.'), path)
      for (const path of rule.traits) {
        const entry = traits.get(path.join('.')) ?? { path, purposes: [] }
        if (!entry.purposes.includes(purpose.id)) entry.purposes.push(purpose.id)
        traits.set(path.join('.'), entry)
        for (const [type, names] of Object.entries(CONTACT_TRAITS)) {
          if (names.some((name) => covers(path, [name]))) contacts.add(type as IdentifierType)
        }
      }
    }
  }
  const spec = event.type === 'track' ? TRACK_PROPERTIES.get(event.name) : CALL_PROPERTIES[event.type]
  return {
    bare,
    spec,
    traits: [...traits.values()],
    properties: [...properties.values()],
    context: [...context.values()],
    contacts,
    strip: stripOf(event, allowed),
  }
}

/**
 * A sensitive path stays where a purpose with a ground brings it. Traits are stored per purpose, so there every
 * purpose that brings it must have one: otherwise a purpose without a ground would read it in the profile.
 */
function stripOf(event: EventName, allowed: readonly Purpose[]): FieldPlan['strip'] {
  const strip: Record<Root, (readonly string[])[]> = { traits: [], properties: [], context: [] }
  for (const [root, ...path] of allowed[0]?.sensitiveFields ?? []) {
    if (root !== 'traits' && root !== 'properties' && root !== 'context') continue
    const bringing = allowed.filter((purpose) =>
      purpose.collects.some(
        (rule) =>
          ruleMatches(rule, event) &&
          ((root !== 'traits' && rule.bare) || rule[root].some((given) => covers(given, path) || covers(path, given))),
      ),
    )
    const grounded = ({ sensitiveGround }: Purpose) => sensitiveGround !== undefined
    if (bringing.length > 0 && (root === 'traits' ? bringing.every(grounded) : bringing.some(grounded))) continue
    strip[root].push(path)
  }
  return strip
}

/** The same value without what lies at the path; `*` is any key, and a list means each of its items. */
function without(value: unknown, path: readonly string[]): unknown {
  const [step, ...rest] = path
  if (step === undefined) return undefined
  if (Array.isArray(value)) return value.map((item) => without(item, path))
  if (!isObject(value)) return value
  const keys = step === '*' ? Object.keys(value) : Object.hasOwn(value, step) ? [step] : []
  if (keys.length === 0) return value
  const kept: Loose = { ...value }
  for (const key of keys) {
    if (rest.length === 0) delete kept[key]
    else kept[key] = without(value[key], rest)
  }
  return kept
}

function stripped(root: Loose, paths: readonly (readonly string[])[]): Loose {
  let left = root
  for (const path of paths) left = without(left, path) as Loose
  return left
}

export interface KeptEvent {
  /** The event with only what the allowing purposes need. Identifiers always stay. */
  readonly event: CanonicalEvent
  /** Kept trait path -> the purposes that asked for it. */
  readonly traitPurposes: Readonly<Record<string, readonly string[]>>
  /** Types on this event whose value may be stored sealed; all others are stored as HMAC only. */
  readonly sealedIdentifiers: readonly IdentifierType[]
}

/**
 * @param allowed the purposes that allow this event, as `collect` answers them: a purpose that does
 * not want the event brings nothing.
 */
export function keepFields(event: CanonicalEvent, allowed: readonly Purpose[]): KeptEvent {
  const plan = planFor(event, allowed)

  const properties: Loose = plan.bare ? bareProperties(event, plan.spec) : {}
  for (const path of plan.properties) copyPath(event.properties, properties, path)
  const context: Loose = plan.bare ? bareContext(event.context) : {}
  for (const path of plan.context) copyPath(event.context, context, path)

  const source = stripped(event.traits, plan.strip.traits)
  const traits: Loose = {}
  const traitPurposes: Record<string, readonly string[]> = {}
  for (const { path, purposes } of plan.traits) {
    if (path[path.length - 1] !== '*') {
      if (copyPath(source, traits, path)) addPurposes(traitPurposes, path.join('.'), purposes)
      continue
    }
    const parents = path.slice(0, -1)
    const parent = read(source, parents)
    if (!isObject(parent)) continue
    for (const key of Object.keys(parent)) {
      const full = [...parents, key]
      if (copyPath(source, traits, full)) addPurposes(traitPurposes, full.join('.'), purposes)
    }
  }

  const sealedIdentifiers: IdentifierType[] = []
  for (const { type, value } of event.subject.identifiers) {
    const contact = type === 'email' || type === 'phone' || type === 'cpf'
    // Shops that use the e-mail as user id: it is contact data whatever the field is called.
    const needs = contact ? type : holdsEmail(value) ? 'email' : undefined
    if ((needs === undefined || plan.contacts.has(needs)) && !sealedIdentifiers.includes(type))
      sealedIdentifiers.push(type)
  }
  return {
    event: {
      ...event,
      traits,
      properties: stripped(properties, plan.strip.properties),
      context: stripped(context, plan.strip.context),
    },
    traitPurposes,
    sealedIdentifiers,
  }
}

function addPurposes(target: Record<string, readonly string[]>, path: string, purposes: readonly string[]): void {
  const known = target[path]
  target[path] = known ? [...new Set([...known, ...purposes])] : purposes
}

function bareProperties(event: CanonicalEvent, spec: ReadonlySet<string> | undefined): Loose {
  const kept: Loose = {}
  const source = event.properties
  for (const key of Object.keys(source)) {
    if (spec) {
      if (!spec.has(key)) continue
      if (key === 'products') kept[key] = productLines(source[key])
      else if (event.type === 'page' && (key === 'url' || key === 'referrer')) kept[key] = withoutQuery(source[key])
      else kept[key] = source[key]
    } else if (!contactKey(key)) {
      const value = withoutContacts(source[key])
      if (value !== undefined) kept[key] = value
    }
  }
  return kept
}

function productLines(products: unknown): unknown {
  if (!Array.isArray(products)) return undefined
  return products.filter(isObject).map((line) => {
    const kept: Loose = {}
    for (const key of Object.keys(line)) if (PRODUCT_LINE.has(key)) kept[key] = line[key]
    return kept
  })
}

// The same few keys come again and again; splitting them into words each time would cost more than the rest.
const contactKeys = new Map<string, boolean>()
function contactKey(key: string): boolean {
  let known = contactKeys.get(key)
  if (known === undefined) {
    if (contactKeys.size >= MAX_PLANS) contactKeys.clear()
    known = isContactKey(key)
    contactKeys.set(key, known)
  }
  return known
}

function withoutContacts(value: unknown): unknown {
  if (typeof value === 'string') return holdsEmail(value) ? undefined : value
  if (Array.isArray(value)) return value.map(withoutContacts).filter((item) => item !== undefined)
  if (!isObject(value)) return value
  const kept: Loose = {}
  for (const key of Object.keys(value)) {
    if (contactKey(key)) continue
    const inner = withoutContacts(value[key])
    if (inner !== undefined) kept[key] = inner
  }
  return kept
}

function bareContext(context: Loose): Loose {
  const kept: Loose = {}
  const page = context['page']
  if (isObject(page)) {
    const keptPage: Loose = {}
    for (const key of ['path', 'title']) if (page[key] !== undefined) keptPage[key] = page[key]
    for (const key of ['url', 'referrer']) if (page[key] !== undefined) keptPage[key] = withoutQuery(page[key])
    kept['page'] = keptPage
  }
  for (const key of CONTEXT_FIELDS) if (context[key] !== undefined) kept[key] = context[key]
  return kept
}

/** Query strings and fragments carry search words, e-mails and tokens; campaigns have their own field. */
function withoutQuery(url: unknown): unknown {
  if (typeof url !== 'string') return url
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}

function isObject(value: unknown): value is Loose {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function read(root: unknown, path: readonly string[]): unknown {
  let value = root
  for (const step of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined
    value = (value as Loose)[step]
  }
  return value
}

/** @returns whether there was something to copy. Never writes into the original. */
function copyPath(from: Loose, to: Loose, path: readonly string[]): boolean {
  const last = path[path.length - 1]
  if (last === undefined) return false
  if (last === '*') {
    const parents = path.slice(0, -1)
    const parent = read(from, parents)
    if (!isObject(parent)) return false
    let copied = false
    for (const key of Object.keys(parent)) copied = copyPath(from, to, [...parents, key]) || copied
    return copied
  }
  const value = read(from, path)
  if (value === undefined || path.includes('__proto__')) return false
  let source: unknown = from
  let target = to
  for (const step of path.slice(0, -1)) {
    source = (source as Loose)[step]
    // A path into a list names no single field; the list is brought whole or not at all.
    if (!isObject(source)) return false
    const existing = Object.hasOwn(target, step) ? target[step] : undefined
    // A whole parent that another path already brought is the original: it holds the value already.
    if (existing === source) return true
    if (!isObject(existing)) target[step] = {}
    target = target[step] as Loose
  }
  target[last] = value
  return true
}
