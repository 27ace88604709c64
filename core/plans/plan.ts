/**
 * A tracking plan from its text to a check that is asked of every event: one compiled JSON Schema per event name.
 * Nothing in an event is changed by being checked.
 */
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { CALL_TYPES, type CanonicalEvent } from '../../schemas/event.ts'
import { type PlanMode, type PlannedEvent, type SourcePlan, TrackingPlan, type Violation } from '../../schemas/plan.ts'
import { check } from '../config/check.ts'
import { dotted, type Path, pointer } from '../config/words.ts'
import { ConfigError } from '../kit/errors.ts'
import { shapeOf } from './shape.ts'
import { violationsOf } from './violations.ts'

export interface PlanFinding {
  readonly version: number
  readonly effect: PlanMode
  /** In the order of path and kind, whatever the order of the event's keys; at most 20. */
  readonly violations: readonly Violation[]
  /** The event's names and types, without a value. */
  readonly shape: unknown
}

export interface CompiledPlan {
  readonly plan: TrackingPlan
  /** As the source has it: the plan's own modes where the source says nothing. */
  readonly mode: PlanMode
  readonly unplanned: 'allow' | PlanMode
  /** SHA-256 of the plan, hex: the same for YAML and JSON that say the same. */
  readonly hash: string
  /** @returns undefined for an event that the plan accepts. */
  check(event: Checkable): PlanFinding | undefined
}

export type Checkable = Pick<CanonicalEvent, 'type' | 'name' | 'properties' | 'traits' | 'context'>

/** Parts of an event that a plan may describe. */
export const PLANNED_PARTS = ['properties', 'traits', 'context'] as const

// A plan is checked for words that JSON Schema does not have: a mistyped `requried` would let everything through.
const ajv = new Ajv2020({
  strict: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allErrors: true,
  allowUnionTypes: true,
  verbose: true,
  validateFormats: true,
  addUsedSchema: false,
})
;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)

export interface PlanText {
  /** For messages. */
  readonly file: string
  readonly text: string
}

/** @throws ConfigError naming every mistake with file, line and column. */
export function readPlan({ file, text }: PlanText): TrackingPlan {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const name = basename(file)
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${Math.max(line, 1)}:${Math.max(col, 1)}`
  }
  const broken = document.errors[0]
  if (broken)
    throw new ConfigError(`${at(broken.pos[0])} is not valid YAML (${broken.code}). Check indentation and quotes.`)
  const place = (path: Path) => {
    let node: unknown = document.contents
    let offset = 0
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
        if (!pair) break
        offset = (isScalar(pair.key) && pair.key.range?.[0]) || offset
        node = pair.value
      } else if (isSeq(node)) node = node.items[Number(step)]
      else break
    }
    return at(offset)
  }
  const problems: { path: Path; message: string }[] = []
  const value: unknown = document.toJS({ maxAliasCount: 20 })
  const plan = check<TrackingPlan>(TrackingPlan, value ?? {}, [], new Set(), (path, message) =>
    problems.push({ path, message }),
  )
  if (problems.length === 0)
    for (const [event, planned] of Object.entries(plan.events))
      try {
        compileEvent(planned, plan)
      } catch (error) {
        problems.push({
          path: ['events', event],
          message: `this is no JSON Schema the hub can check: ${error instanceof Error ? error.message : String(error)}. Correct it.`,
        })
      }
  if (problems.length > 0)
    throw new ConfigError(
      problems.map(({ path, message }) => `${place(path)} ${dotted(path)}${message}`).join('\n'),
      pointer(problems[0]!.path),
    )
  return plan
}

/** @param of what the source says of its own. */
export function compilePlan(plan: TrackingPlan, of: Exclude<SourcePlan, string> | undefined = undefined): CompiledPlan {
  const mode = of?.mode ?? plan.mode ?? 'pass'
  const unplanned = of?.unplanned ?? plan.unplanned ?? 'allow'
  const checks = new Map<string, { validate: ValidateFunction | undefined; mode: PlanMode }>()
  for (const [name, planned] of Object.entries(plan.events))
    checks.set(keyOfName(name), { validate: compileEvent(planned, plan), mode: planned.mode ?? mode })
  const { version } = plan
  return {
    plan,
    mode,
    unplanned,
    hash: planHash(plan),
    check(event) {
      const planned = checks.get(event.type === 'track' ? `track\0${event.name}` : event.type)
      if (!planned) {
        if (unplanned === 'allow') return undefined
        return {
          version,
          effect: unplanned,
          violations: [{ kind: 'unplanned', path: '', expected: '' }],
          shape: shapeOf(event),
        }
      }
      const { validate } = planned
      if (!validate || validate(event)) return undefined
      return { version, effect: planned.mode, violations: violationsOf(validate.errors ?? []), shape: shapeOf(event) }
    },
  }
}

/** The calls of the spec by their own name; every other name is a track event's. */
const CALLS: ReadonlySet<string> = new Set(CALL_TYPES.filter((type) => type !== 'track'))
const keyOfName = (name: string) => (CALLS.has(name) ? name : `track\0${name}`)

/** How an event is called in a plan. */
export const plannedName = ({ type, name }: Pick<CanonicalEvent, 'type' | 'name'>): string =>
  type === 'track' ? name : type

function compileEvent(planned: PlannedEvent, plan: TrackingPlan): ValidateFunction | undefined {
  const parts = PLANNED_PARTS.filter((part) => planned[part] !== undefined)
  if (parts.length === 0) return undefined
  return ajv.compile({
    ...(plan.$defs && { $defs: plan.$defs }),
    properties: Object.fromEntries(parts.map((part) => [part, { type: 'object', ...planned[part] }])),
  })
}

export function planHash(plan: TrackingPlan): string {
  return createHash('sha256').update(canonicalJson(plan)).digest('hex')
}

/** JSON with sorted keys: two files that say the same are the same. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${entries.map(([key, part]) => `${JSON.stringify(key)}:${canonicalJson(part)}`).join(',')}}`
}
