/** What one version of a plan asks for and another does not, place by place. */
import type { TrackingPlan } from '../../schemas/plan.ts'

export interface PlanChange {
  readonly change: 'added' | 'removed' | 'changed'
  /** Event name, or empty for what holds for all. */
  readonly event: string
  /** Words of the plan, joined by /. */
  readonly path: string
  readonly from?: unknown
  readonly to?: unknown
}

/** Lists of which the order says nothing. */
const SETS = new Set(['required', 'enum', 'type'])

export function diffPlans(from: TrackingPlan, to: TrackingPlan): PlanChange[] {
  const changes: PlanChange[] = []
  for (const event of [...new Set(['', ...Object.keys(from.events), ...Object.keys(to.events)])].sort()) {
    const [before, after] = [partOf(from, event), partOf(to, event)]
    if (before === undefined || after === undefined) {
      changes.push({ change: before === undefined ? 'added' : 'removed', event, path: '' })
      continue
    }
    const [old, now] = [flat(before), flat(after)]
    for (const path of [...new Set([...old.keys(), ...now.keys()])].sort()) {
      const [was, is] = [old.get(path), now.get(path)]
      if (JSON.stringify(was) === JSON.stringify(is)) continue
      changes.push({
        change: was === undefined ? 'added' : is === undefined ? 'removed' : 'changed',
        event,
        path,
        ...(was !== undefined && { from: was }),
        ...(is !== undefined && { to: is }),
      })
    }
  }
  return changes
}

function partOf(plan: TrackingPlan, event: string): unknown {
  if (event !== '') return Object.hasOwn(plan.events, event) ? plan.events[event] : undefined
  const { events: _events, version: _version, ...rest } = plan
  return rest
}

function flat(value: unknown, path: readonly string[] = [], found = new Map<string, unknown>()): Map<string, unknown> {
  if (Array.isArray(value) && SETS.has(path.at(-1) ?? ''))
    for (const item of value)
      found.set([...path, typeof item === 'string' ? item : JSON.stringify(item)].join('/'), true)
  else if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    for (const [key, part] of Object.entries(value)) flat(part, [...path, key], found)
  } else found.set(path.join('/'), value)
  return found
}
