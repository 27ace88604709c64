/**
 * Whom an event joins. Pure: from what is known of its identifiers to who becomes one and what stays out, with the
 * reason. Deterministic identifiers only; nothing is guessed.
 */
import type { IdentifierType } from '../../schemas/event.ts'
import { type Counted, type IdentityLimits, overLimit } from './limits.ts'

export interface KnownNode extends Counted {
  readonly id: string
  /** Nodes it is never again one person with. */
  readonly apart?: readonly string[] | undefined
}

export interface KnownPerson {
  readonly nodes: readonly KnownNode[]
}

/** One identifier of the event. */
export interface Candidate<P extends KnownPerson = KnownPerson> {
  readonly type: IdentifierType
  /** Who has it; absent for one that was never seen. */
  readonly person?: P | undefined
  /** It joins nobody, whatever it stands beside. */
  readonly blocked?: boolean
}

export type RefusalReason = `limit:${IdentifierType}` | 'limit:size' | 'blocked' | 'apart'

export interface Resolution<P extends KnownPerson = KnownPerson> {
  /** In the order of the candidates, each once. */
  readonly people: readonly P[]
  /** By place among the candidates. The first candidate is never among them. */
  readonly refused: ReadonlyMap<number, RefusalReason>
}

const NOTHING_REFUSED: ReadonlyMap<number, RefusalReason> = new Map()

/**
 * While a limit is passed, the lowest identifier of the event is left out and the rest tried again (the rule of Segment
 * Unify). What already belongs to somebody who stays is not left out.
 * @param candidates highest priority first, not empty; blocked ones last.
 * @param now epoch milliseconds: when an identifier that was never seen would be founded.
 * @param visited told how many nodes were looked at, for tests that hold cost to be near linear.
 */
export function resolve<P extends KnownPerson>(
  candidates: readonly Candidate<P>[],
  limits: IdentityLimits,
  now: number,
  visited?: (nodes: number) => void,
): Resolution<P> {
  const first = candidates[0]!.person
  // Nearly every event names one person that is known already.
  if (first && candidates.every(({ person }) => person === first)) return { people: [first], refused: NOTHING_REFUSED }
  if (candidates.length === 1) return { people: first ? [first] : [], refused: NOTHING_REFUSED }

  const refused = new Map<number, RefusalReason>()
  for (let place = 1; place < candidates.length; place++)
    if (candidates[place]!.blocked || candidates[0]!.blocked) refused.set(place, 'blocked')
  for (let last = candidates.length - 1; last > 0; last--) {
    const reason = problemOf(joined(candidates, refused), limits, now, visited)
    if (!reason) break
    while (last > 0 && refused.has(last)) last--
    if (last > 0) refused.set(last, reason)
  }
  const people = joined(candidates, refused).people
  for (const place of refused.keys()) {
    const { person } = candidates[place]!
    if (person && people.has(person)) refused.delete(place)
  }
  return { people: [...people], refused }
}

interface Union<P> {
  readonly people: ReadonlySet<P>
  readonly fresh: readonly Candidate[]
}

function joined<P extends KnownPerson>(
  candidates: readonly Candidate<P>[],
  refused: ReadonlyMap<number, RefusalReason>,
): Union<P> {
  const people = new Set<P>()
  const fresh: Candidate[] = []
  candidates.forEach((candidate, place) => {
    if (refused.has(place)) return
    if (candidate.person) people.add(candidate.person)
    else fresh.push(candidate)
  })
  return { people, fresh }
}

function problemOf(
  { people, fresh }: Union<KnownPerson>,
  limits: IdentityLimits,
  now: number,
  visited: (nodes: number) => void = () => {},
): RefusalReason | undefined {
  // A person that stays as it is passes no limit now, whatever the limits have become since.
  if (people.size + fresh.length < 2) return undefined
  const nodes = [...people].flatMap((person) => person.nodes)
  visited(nodes.length + fresh.length)
  if (people.size > 1 && setApart(nodes)) return 'apart'
  const over = overLimit([...nodes, ...fresh.map(({ type }) => ({ type, foundedAt: now }))], limits, now)
  return over && `limit:${over}`
}

function setApart(nodes: readonly KnownNode[]): boolean {
  let ids: Set<string> | undefined
  for (const { apart } of nodes) {
    if (!apart) continue
    ids ??= new Set(nodes.map(({ id }) => id))
    if (apart.some((other) => ids!.has(other))) return true
  }
  return false
}
