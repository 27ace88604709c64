/**
 * What destinations are told of memberships: the difference between whom they were asked to have and whom they should
 * have, which is members with consent, with an address, and not held out. A row of the outbox per difference; in the
 * lane of one member of one audience the newest replaces older ones.
 */
import type { IdentifierType } from '../../schemas/event.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { runIn, type StateStore } from '../stores/open.ts'
import { listBefore, listKey, wayOut } from './lists.ts'
import { isHeldOut, type MeasureContext } from './measure.ts'
import type { MeasureSet, Push } from './set.ts'

const MARK = 'membership:'

/** The `event_id` of a delivery that tells of a membership: which audience, and whether the person is in. */
export const pushMark = (audience: string, member: boolean): string => `${MARK}${audience}:${member ? 'in' : 'out'}`

/** Undefined for a delivery of another kind. */
export function pushOfDelivery({
  event_id,
}: {
  readonly event_id: string
}): { readonly audience: string; readonly member: boolean } | undefined {
  if (!event_id.startsWith(MARK)) return undefined
  const [audience, state] = event_id.slice(MARK.length).split(':')
  return { audience: audience!, member: state === 'in' }
}

/** One thing to tell one destination of one member. */
export interface PushChange {
  readonly audience: string
  /** The list of before: `listBefore`. The audience's own when absent. */
  readonly list?: string
  readonly purpose: string
  readonly push: Push
  readonly member: boolean
  /** The node by whose identifier the destination knows the member. */
  readonly node: string
}

export interface PushContext {
  readonly personKey: string
  readonly holdout: MeasureContext['holdout']
  consent(purpose: string): boolean
  /** Whether the configuration has this destination: whoever it was told of cannot be taken out there otherwise. */
  reaches(destination: string): boolean
  /** The node to name the person by for an action; undefined: no such address is known. */
  nodeFor(push: Push): string | undefined
}

/**
 * Changes `profile.pushed` to what is right now.
 * @param audiences to look at; all of the set and all that were pushed when absent.
 * @param again members that are told already are told once more.
 */
export function pushDifference(
  profile: OpenProfile,
  set: MeasureSet,
  context: PushContext,
  audiences?: Iterable<string>,
  again: (audience: string, destination: string) => boolean = () => false,
): PushChange[] {
  const changes: PushChange[] = []
  const ids = audiences ?? new Set([...set.audiences.map(({ id }) => id), ...Object.keys(profile.pushed ?? {})])
  for (const id of ids) {
    const audience = set.audience(id)
    const pushed = profile.pushed?.[id]
    if (!pushed && (!audience || audience.pushes.length === 0)) continue
    const member = audience !== undefined && Object.hasOwn(profile.audiences ?? {}, id)
    const wanted =
      member && !isHeldOut(audience, context.personKey, context.holdout) && context.consent(audience.purpose)
    const next: Record<string, string[]> = {}
    for (const push of audience?.pushes ?? []) {
      const told = pushed?.[push.destination]
      const node = wanted && !told ? context.nodeFor(push) : undefined
      if (wanted && (told || node !== undefined)) {
        next[push.destination] = told ?? [node!]
        if (!told || again(id, push.destination))
          for (const one of next[push.destination]!) {
            const former = told && set.former.get(listKey(id, push.destination))
            if (former?.changed)
              changes.push({
                audience: id,
                list: listBefore(id),
                purpose: former.purpose,
                push: former.push,
                member: false,
                node: one,
              })
            changes.push({ audience: id, purpose: audience!.purpose, push, member: true, node: one })
          }
      } else
        for (const one of told ?? [])
          changes.push({ audience: id, purpose: audience!.purpose, push, member: false, node: one })
    }
    // A destination that the definition no longer names keeps nobody either.
    for (const [destination, nodes] of Object.entries(pushed ?? {})) {
      if (audience?.pushes.some((push) => push.destination === destination)) continue
      if (!context.reaches(destination)) {
        // Nobody can be told there: they are on that list until somebody takes them out, and the hub goes on knowing it.
        next[destination] = nodes
        continue
      }
      const { push, purpose = audience?.purpose ?? '' } = wayOut(set.former, id, destination)
      for (const node of nodes) changes.push({ audience: id, purpose, push, member: false, node })
    }
    const { [id]: _, ...others } = profile.pushed ?? {}
    if (Object.keys(next).length > 0) profile.pushed = { ...others, [id]: next }
    else if (pushed) profile.pushed = others
    if (profile.pushed && Object.keys(profile.pushed).length === 0) delete profile.pushed
  }
  return changes
}

/** Whether anybody of these would have to be told: asked for every event, so it asks for nothing. */
export function mayDiffer(profile: OpenProfile, set: MeasureSet): boolean {
  for (const id of Object.keys(profile.audiences ?? {})) {
    const pushes = set.audience(id)?.pushes
    if (pushes?.some(({ destination }) => !profile.pushed?.[id]?.[destination])) return true
  }
  return false
}

/** The node of the newest address of the first type the action knows, as `map` picks it. */
export function nodeOf(
  nodes: readonly { readonly id: string; readonly type: IdentifierType; readonly hasValue: boolean }[],
  types: readonly IdentifierType[],
): string | undefined {
  if (types.length === 0) return nodes[0]?.id
  for (const type of types) {
    const found = nodes.findLast((node) => node.hasValue && node.type === type)
    if (found) return found.id
  }
  return undefined
}

/** Of two people who turn out to be one: each destination keeps knowing both addresses. */
export function mergePushed(a: OpenProfile['pushed'], b: OpenProfile['pushed']): OpenProfile['pushed'] {
  if (!a || !b) return a ?? b
  const merged: NonNullable<OpenProfile['pushed']> = {}
  for (const id of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
    const destinations: Record<string, string[]> = {}
    for (const name of [...new Set([...Object.keys(a[id] ?? {}), ...Object.keys(b[id] ?? {})])].sort())
      destinations[name] = [...new Set([...(a[id]?.[name] ?? []), ...(b[id]?.[name] ?? [])])].sort()
    merged[id] = destinations
  }
  return merged
}

/** A person's own fields of audiences, of two who become one; everything is looked at again at once. */
export function mergeMeasured(
  a: OpenProfile,
  b: OpenProfile,
): Pick<OpenProfile, 'audiences' | 'pushed' | 'scores' | 'measuresDueAt'> {
  const audiences = { ...b.audiences }
  for (const [id, mine] of Object.entries(a.audiences ?? {})) {
    const theirs = audiences[id]
    audiences[id] = theirs && theirs.since < mine.since ? theirs : mine
  }
  const scores = { ...b.scores }
  for (const [id, mine] of Object.entries(a.scores ?? {})) {
    const theirs = scores[id]
    if (!theirs) scores[id] = mine
    else {
      const newer = theirs.at > mine.at || (theirs.at === mine.at && theirs.value > mine.value) ? theirs : mine
      // Whoever may not fire again yet stays so: a merge is no reason to send twice.
      const disarmed = mine.armed === false || theirs.armed === false
      scores[id] = { ...newer, ...(disarmed && { armed: false }) }
    }
  }
  const pushed = mergePushed(a.pushed, b.pushed)
  const measured = [a, b].some(
    (one) => one.measuresDueAt !== undefined || one.audiences || one.computed || one.scores || one.pushed,
  )
  return {
    ...(Object.keys(audiences).length > 0 && { audiences }),
    ...(pushed && { pushed }),
    ...(Object.keys(scores).length > 0 && { scores }),
    ...(measured && { measuresDueAt: 0 }),
  }
}

/** Of these deliveries, those that say what their destination was last told of the member. */
export async function newestPushes(ids: readonly string[], { db, dialect }: StateStore): Promise<Set<string>> {
  const rows = await runIn<{ delivery_id: string }>(
    db,
    dialect,
    'select delivery_id from audience_pushes where delivery_id in ({list})',
    ids,
  )
  return new Set(rows.map(({ delivery_id }) => delivery_id))
}
