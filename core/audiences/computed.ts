/**
 * Computed traits: sums, counts and the like over the events of a purpose, kept with every event and as windows run
 * out. With a window the values themselves are kept, at most 500 of them, the newest; without one only what the
 * function needs.
 */
import type { ComputedConfig, Measuring } from '../../schemas/audience.ts'
import { MEASURING } from '../../schemas/audience.ts'
import type { Conditions } from '../../schemas/conditions.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { ComputedState, OpenProfile } from '../../schemas/profile.ts'
import { type Compiled, compileConditions } from '../decision/compile.ts'
import { parseDuration } from '../decision/duration.ts'
import { readPath } from '../kit/read-path.ts'
import { meaningHash } from './meaning.ts'
import { emptyReads, type Reads } from './touch.ts'

/** Our choice: more than anybody does of one thing within a window, and a profile stays small. */
export const SAMPLES_KEPT = 500
const DAY_MS = 86_400_000

export type ComputedValue = string | number | boolean

/** From events, or from other computed traits. */
export interface CompiledComputed {
  readonly id: string
  readonly purpose: string
  /** Short hash of the definition: a state of another one is begun anew. */
  readonly hash: string
  readonly reads: Reads
  readonly measure:
    | {
        readonly fn: Measuring | 'days_since'
        readonly event: string
        readonly property: string | undefined
        readonly where: Compiled | undefined
        readonly windowMs: number | undefined
      }
    | undefined
  readonly derive: ((values: (id: string) => ComputedValue | undefined) => number | undefined) | undefined
}

/** @throws ConfigError for a window without a fixed length. */
export function compileComputed(id: string, config: ComputedConfig): CompiledComputed {
  const reads = emptyReads()
  // Who is told of it changes nothing of what it is.
  const { destinations: _, ...what } = config
  const hash = meaningHash([{ [id]: what }]).slice(0, 12)
  const base = { id, purpose: config.purpose, hash, reads }
  const { ratio, bucket, days_since: since } = config
  if (ratio) {
    reads.computed.add(ratio.of).add(ratio.to)
    return {
      ...base,
      measure: undefined,
      derive: (values) => {
        const [of, to] = [values(ratio.of), values(ratio.to)]
        return typeof of === 'number' && typeof to === 'number' && to !== 0 ? of / to : undefined
      },
    }
  }
  if (bucket) {
    reads.computed.add(bucket.of)
    return {
      ...base,
      measure: undefined,
      derive: (values) => {
        const value = values(bucket.of)
        if (typeof value !== 'number') return undefined
        const reached = bucket.limits.filter((limit) => value >= limit).length
        return bucket.descending ? bucket.limits.length + 1 - reached : reached + 1
      },
    }
  }
  const fn = since ? ('days_since' as const) : MEASURING.find((name) => config[name] !== undefined)!
  const measured: {
    readonly event: string
    readonly property?: string
    readonly window?: string
    readonly where?: Conditions
  } = (since ?? config[fn as Measuring])!
  reads.events.add(measured.event)
  return {
    ...base,
    measure: {
      fn,
      event: measured.event,
      property: measured.property,
      where: measured.where && compileConditions(measured.where, `computed.${id}.where`),
      windowMs: measured.window === undefined ? undefined : parseDuration(measured.window),
    },
    derive: undefined,
  }
}

const NUMERIC: ReadonlySet<string> = new Set(['sum', 'avg', 'min', 'max'])

/** What this event gives the measure; undefined when it gives nothing. */
export function sampleOf(
  { fn, property }: NonNullable<CompiledComputed['measure']>,
  event: Pick<CanonicalEvent, 'properties'>,
): ComputedValue | undefined {
  if (property === undefined) return 1
  const found = readPath(event.properties, property)
  if (NUMERIC.has(fn)) {
    const number = typeof found === 'string' && /^-?\d+(\.\d+)?$/.test(found.trim()) ? Number(found) : found
    return typeof number === 'number' && Number.isFinite(number) ? number : undefined
  }
  // Profiles are stored in the open: text long enough to say who somebody is stays out.
  if (typeof found === 'string')
    return found.length > 0 && found.length <= 64 && !/@|\d{8}/.test(found) ? found : undefined
  return typeof found === 'number' || typeof found === 'boolean' ? found : undefined
}

/** The state after one more sample. Pure. */
export function withSample(
  compiled: CompiledComputed,
  state: ComputedState | undefined,
  at: number,
  value: ComputedValue,
): ComputedState {
  const { fn, windowMs } = compiled.measure!
  const known = state?.hash === compiled.hash ? pickEdge(fn, state) : begin(compiled)
  const next: ComputedState = { ...known }
  if (windowMs !== undefined) {
    next.samples = [...(known.samples ?? []), [at, value] as [number, ComputedValue]]
      .sort(([a], [b]) => a - b)
      .slice(-SAMPLES_KEPT)
    return next
  }
  next.n = (known.n ?? 0) + 1
  if (fn === 'sum' || fn === 'avg') next.sum = (known.sum ?? 0) + Number(value)
  else if (fn === 'min') next.edge = [at, known.edge ? Math.min(Number(known.edge[1]), Number(value)) : value]
  else if (fn === 'max') next.edge = [at, known.edge ? Math.max(Number(known.edge[1]), Number(value)) : value]
  else if (fn === 'first') next.edge = known.edge && known.edge[0] <= at ? known.edge : [at, value]
  else if (fn === 'last' || fn === 'days_since') next.edge = known.edge && known.edge[0] > at ? known.edge : [at, value]
  else if (fn === 'distinct') next.values = [...new Set([...(known.values ?? []), value])].slice(-SAMPLES_KEPT)
  return next
}

const begin = ({ hash, purpose }: CompiledComputed): ComputedState => ({ hash, purpose })

/** The state as of `now`: value filled in, what has left the window dropped. Pure. */
export function settled(
  compiled: CompiledComputed,
  state: ComputedState | undefined,
  now: number,
  values: (id: string) => ComputedValue | undefined,
): ComputedState | undefined {
  const { measure, derive } = compiled
  const known = state?.hash === compiled.hash && measure ? pickEdge(measure.fn, state) : undefined
  if (derive) {
    const value = derive(values)
    return value === undefined ? undefined : { ...begin(compiled), value }
  }
  const { fn, windowMs } = measure!
  const { value: _, ...rest } = known ?? begin(compiled)
  if (windowMs !== undefined) {
    // Windows are (now - w, now], as those of conditions.
    const samples = (rest.samples ?? []).filter(([at]) => at > now - windowMs)
    const value = measuredOf(fn as Measuring, samples)
    if (samples.length === 0) return value === undefined ? undefined : { ...begin(compiled), value }
    return { ...rest, samples, ...(value !== undefined && { value }) }
  }
  if (!known) return fn === 'count' || fn === 'sum' || fn === 'distinct' ? { ...begin(compiled), value: 0 } : undefined
  const value =
    fn === 'count'
      ? (rest.n ?? 0)
      : fn === 'sum'
        ? (rest.sum ?? 0)
        : fn === 'avg'
          ? (rest.sum ?? 0) / (rest.n ?? 1)
          : fn === 'distinct'
            ? (rest.values ?? []).length
            : fn === 'days_since'
              ? rest.edge && Math.max(0, Math.floor((now - rest.edge[0]) / DAY_MS))
              : rest.edge?.[1]
  return { ...rest, ...(value !== undefined && { value }) }
}

function measuredOf(fn: Measuring, samples: readonly [number, ComputedValue][]): ComputedValue | undefined {
  const numbers = () => samples.map(([, value]) => Number(value))
  switch (fn) {
    case 'count':
      return samples.length
    case 'sum':
      return numbers().reduce((sum, value) => sum + value, 0)
    case 'distinct':
      return new Set(samples.map(([, value]) => value)).size
    case 'avg':
      return samples.length === 0 ? undefined : numbers().reduce((sum, value) => sum + value, 0) / samples.length
    case 'min':
      return samples.length === 0 ? undefined : Math.min(...numbers())
    case 'max':
      return samples.length === 0 ? undefined : Math.max(...numbers())
    case 'first':
      return samples[0]?.[1]
    case 'last':
      return samples.at(-1)?.[1]
  }
}

/** Epoch ms of the next moment at which time alone may change the value. */
export function computedChangesAt(
  { measure }: CompiledComputed,
  state: ComputedState | undefined,
  now: number,
): number | undefined {
  if (!measure || !state) return undefined
  if (measure.fn === 'days_since') {
    if (!state.edge) return undefined
    const days = Math.max(0, Math.floor((now - state.edge[0]) / DAY_MS))
    return state.edge[0] + (days + 1) * DAY_MS
  }
  const oldest = state.samples?.[0]
  return measure.windowMs === undefined || !oldest ? undefined : oldest[0] + measure.windowMs
}

/** Of two people who turn out to be one. The order of the two does not matter. */
export function mergeComputed(a: OpenProfile['computed'], b: OpenProfile['computed']): OpenProfile['computed'] {
  if (!a || !b) return a ?? b
  const merged: NonNullable<OpenProfile['computed']> = { ...a }
  for (const [id, theirs] of Object.entries(b)) {
    const mine = a[id]
    if (!mine) merged[id] = theirs
    else if (mine.hash !== theirs.hash) merged[id] = mine.hash > theirs.hash ? mine : theirs
    else merged[id] = mergeState(mine, theirs)
  }
  return merged
}

/** Its value is filled in when it is next looked at; which end `edge` is, `merge` does not know: both are kept apart. */
function mergeState(a: ComputedState, b: ComputedState): ComputedState {
  const edges = [...(a.edges ?? (a.edge ? [a.edge] : [])), ...(b.edges ?? (b.edge ? [b.edge] : []))]
  const order = ([at, value]: [number, ComputedValue], [other, second]: [number, ComputedValue]) =>
    at - other || (String(value) < String(second) ? -1 : 1)
  return {
    hash: a.hash,
    purpose: a.purpose,
    ...((a.samples || b.samples) && {
      samples: [...(a.samples ?? []), ...(b.samples ?? [])].sort(order).slice(-SAMPLES_KEPT),
    }),
    ...((a.n !== undefined || b.n !== undefined) && { n: (a.n ?? 0) + (b.n ?? 0) }),
    ...((a.sum !== undefined || b.sum !== undefined) && { sum: (a.sum ?? 0) + (b.sum ?? 0) }),
    ...((a.values || b.values) && { values: [...new Set([...(a.values ?? []), ...(b.values ?? [])])].sort() }),
    ...(edges.length > 0 && { edges: edges.sort(order) }),
  }
}

/** After a merge: one of the ends, as the function needs it. */
function pickEdge(fn: Measuring | 'days_since', state: ComputedState): ComputedState {
  if (!state.edges) return state
  const { edges, ...rest } = state
  const best = edges.reduce((one, other) => {
    if (fn === 'min') return Number(other[1]) < Number(one[1]) ? other : one
    if (fn === 'max') return Number(other[1]) > Number(one[1]) ? other : one
    if (fn === 'first') return other[0] < one[0] ? other : one
    return other[0] >= one[0] ? other : one
  })
  return { ...rest, edge: best }
}
