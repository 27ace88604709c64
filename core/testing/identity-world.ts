/** People in memory: what `resolve` says is carried out at once, without a store. For properties over many histories. */
import { mergeStatuses, type PurposeStatus } from '../../consent/status.ts'
import { IDENTIFIER_TYPES, type IdentifierType } from '../../schemas/event.ts'
import { components } from '../identity/components.ts'
import { DEFAULT_LIMITS, type IdentityLimits } from '../identity/limits.ts'
import { type KnownNode, type RefusalReason, resolve } from '../identity/resolve.ts'

export interface Person {
  id: string
  nodes: Node[]
  status: PurposeStatus | undefined
}

export interface Node extends KnownNode {
  readonly name: string
  person: Person
  apart?: string[]
}

export interface Edge {
  readonly a: string
  readonly b: string
  readonly event: number
}

export interface Seen {
  readonly identifiers: readonly (readonly [type: IdentifierType, value: string])[]
  /** Epoch milliseconds. */
  readonly at: number
}

export const UNLIMITED: IdentityLimits = {
  perType: Object.fromEntries(IDENTIFIER_TYPES.map((type) => [type, {}])) as IdentityLimits['perType'],
  maxIdentifiers: Number.POSITIVE_INFINITY,
}
export const DEFAULTS: IdentityLimits = { perType: DEFAULT_LIMITS, maxIdentifiers: 100 }

export class World {
  readonly nodes = new Map<string, Node>()
  readonly people = new Set<Person>()
  edges: Edge[] = []
  readonly refusals: { readonly event: number; readonly name: string; readonly reason: RefusalReason }[] = []
  /** Statuses of both sides and of who remained, of each merge. */
  readonly merges: {
    readonly sides: readonly (PurposeStatus | undefined)[]
    readonly merged: PurposeStatus | undefined
  }[] = []
  /** Nodes that resolving and joining looked at. */
  visited = 0
  #events = 0
  readonly #pairs = new Set<string>()
  readonly #limits: IdentityLimits
  readonly #blocked: ReadonlySet<string>

  constructor(limits: IdentityLimits, blocked: readonly string[] = []) {
    this.#limits = limits
    this.#blocked = new Set(blocked)
  }

  take({ identifiers, at }: Seen): Node {
    const event = this.#events++
    const order = [...new Map(identifiers.map((one) => [one.join(':'), one])).values()].sort(
      ([a], [b]) => IDENTIFIER_TYPES.indexOf(a) - IDENTIFIER_TYPES.indexOf(b),
    )
    const isBlocked = ([, value]: readonly [IdentifierType, string]) => this.#blocked.has(value)
    const named = [...order.filter((one) => !isBlocked(one)), ...order.filter(isBlocked)]
    const { refused } = resolve(
      named.map((one) => ({
        type: one[0],
        person: this.nodes.get(one.join(':'))?.person,
        blocked: isBlocked(one),
      })),
      this.#limits,
      at,
      (nodes) => {
        this.visited += nodes
      },
    )
    const first = this.#node(named[0]!, at)
    named.forEach((one, place) => {
      if (place === 0) return
      const reason = refused.get(place)
      if (reason) {
        this.refusals.push({ event, name: one.join(':'), reason })
        return
      }
      const node = this.#node(one, at)
      const pair = `${first.id} ${node.id}`
      if (!this.#pairs.has(pair)) this.edges.push({ a: first.id, b: node.id, event })
      this.#pairs.add(pair)
      this.#merge(first.person, node.person)
    })
    return first
  }

  #node([type, value]: readonly [IdentifierType, string], at: number): Node {
    const name = `${type}:${value}`
    let node = this.nodes.get(name)
    if (!node) {
      const id = `n${String(this.nodes.size).padStart(6, '0')}`
      const person: Person = { id, nodes: [], status: undefined }
      node = { id, name, type, foundedAt: at, person }
      person.nodes.push(node)
      this.nodes.set(name, node)
      this.people.add(person)
    }
    return node
  }

  #merge(a: Person, b: Person): void {
    if (a === b) return
    const [into, from] = a.id < b.id ? [a, b] : [b, a]
    const merged = mergeStatuses(into.status, from.status)
    this.merges.push({ sides: [into.status, from.status], merged })
    into.status = merged
    this.visited += from.nodes.length
    for (const node of from.nodes) node.person = into
    into.nodes.push(...from.nodes)
    this.people.delete(from)
  }

  /** Evidence is taken back, and who is who recomputed. @returns who they are then. */
  unmerge(person: Person, gone: readonly Edge[]): Person[] {
    this.edges = this.edges.filter((edge) => !gone.includes(edge))
    const byId = new Map(person.nodes.map((node) => [node.id, node]))
    for (const { a, b } of gone) {
      byId.get(a)!.apart = [...(byId.get(a)!.apart ?? []), b]
      byId.get(b)!.apart = [...(byId.get(b)!.apart ?? []), a]
    }
    this.people.delete(person)
    return components([...byId.keys()], this.edges).map((ids) => {
      const side: Person = { id: ids[0]!, nodes: ids.map((id) => byId.get(id)!), status: undefined }
      for (const node of side.nodes) node.person = side
      this.people.add(side)
      return side
    })
  }

  /** Who is who, by the names of identifiers: the same text for the same partition. */
  partition(): string {
    return [...this.people]
      .map(({ nodes }) =>
        nodes
          .map(({ name }) => name)
          .sort()
          .join(' '),
      )
      .sort()
      .join(' | ')
  }
}
