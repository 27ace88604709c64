/**
 * Which identifiers were one person at a moment, and by which evidence. Edges are never forgotten, and what an officer took
 * back says when: so the person of then can be told today, also when it was taken apart since.
 */
import type { WhyDecision } from '../../schemas/why.ts'
import { TAKEN_BACK } from '../identity/unmerge.ts'
import type { Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'

type Edge = Pick<Tables['edges'], 'node_a' | 'node_b' | 'event_id' | 'source_id' | 'at' | 'refused'> & {
  readonly strength?: string | undefined
}
type Node = Pick<Tables['nodes'], 'id' | 'person_id' | 'founded_at'> & { readonly type: string }

export interface Evidence {
  /** Of the person of today, and of whoever was once one person with them. */
  readonly nodes: ReadonlyMap<string, Node>
  readonly edges: readonly Edge[]
  /** `pairOf` an edge -> when it was taken back, in epoch milliseconds. */
  readonly takenBack: ReadonlyMap<string, number>
  /** Nodes of the person of today. */
  readonly own: ReadonlySet<string>
}

/** Whoever was taken apart from someone who was taken apart, and so on: nobody reads further. */
const MOST_ROUNDS = 8

const pairOf = (a: string, b: string) => (a < b ? `${a}:${b}` : `${b}:${a}`)

export async function evidenceOf(person: string, db: Db): Promise<Evidence> {
  const nodes = new Map<string, Node>()
  const edges = new Map<string, Edge>()
  let wanted = (await nodesBy('person_id', [person], db)).map((node) => {
    nodes.set(node.id, node)
    return node.id
  })
  const own = new Set(wanted)
  for (let round = 0; wanted.length > 0 && round < MOST_ROUNDS; round++) {
    const found = await db
      .selectFrom('edges')
      .select(['node_a', 'node_b', 'event_id', 'source_id', 'at', 'refused', 'strength'])
      .where((eb) => eb.or([eb('node_a', 'in', wanted), eb('node_b', 'in', wanted)]))
      .execute()
    const beyond = new Set<string>()
    for (const edge of found) {
      if (edge.refused !== null && edge.refused !== TAKEN_BACK) continue
      edges.set(pairOf(edge.node_a, edge.node_b), edge)
      for (const id of [edge.node_a, edge.node_b]) if (!nodes.has(id)) beyond.add(id)
    }
    wanted = [...beyond]
    if (wanted.length > 0) for (const node of await nodesBy('id', wanted, db)) nodes.set(node.id, node)
  }
  const list = [...edges.values()].sort((a, b) => a.at - b.at || (a.node_a < b.node_a ? -1 : 1))
  const apart = list.some(({ refused }) => refused !== null)
  return { nodes, edges: list, own, takenBack: apart ? await takenBackOf(list, nodes, person, db) : new Map() }
}

async function nodesBy(column: 'person_id' | 'id', values: readonly string[], db: Db): Promise<Node[]> {
  return db
    .selectFrom('nodes')
    .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
    .select(['nodes.id', 'nodes.person_id', 'nodes.founded_at', 'identifiers.type'])
    .where(`nodes.${column}`, 'in', values)
    .orderBy('nodes.id')
    .execute()
}

async function takenBackOf(
  edges: readonly Edge[],
  nodes: ReadonlyMap<string, Node>,
  person: string,
  db: Db,
): Promise<Map<string, number>> {
  const people = [...new Set([person, ...[...nodes.values()].map(({ person_id }) => person_id)])]
  const former = await db.selectFrom('persons').select('id').where('merged_into', 'in', people).execute()
  const acts = await db
    .selectFrom('identity_acts')
    .select(['at', 'body'])
    .where('kind', '=', 'unmerge')
    .where('person_id', 'in', [...people, ...former.map(({ id }) => id)])
    .orderBy('at')
    .execute()
  const known = new Set(edges.map(({ node_a, node_b }) => pairOf(node_a, node_b)))
  const takenBack = new Map<string, number>()
  for (const { at, body } of acts)
    for (const { a, b } of (JSON.parse(body) as { readonly edges?: readonly { a: string; b: string }[] }).edges ?? [])
      if (known.has(pairOf(a, b))) takenBack.set(pairOf(a, b), at)
  return takenBack
}

/**
 * @param at epoch milliseconds.
 * @param from the node that the cause was about; without one all of the person of today.
 */
export function identityThen(
  { nodes, edges, takenBack, own }: Evidence,
  at: number,
  from: string | undefined,
): WhyDecision['identity'] {
  const endOf = ({ node_a, node_b }: Edge) => takenBack.get(pairOf(node_a, node_b))
  const held = edges.filter((edge) => edge.at <= at && (edge.refused === null || (endOf(edge) ?? 0) > at))
  const there = (id: string) => (nodes.get(id)?.founded_at ?? Number.POSITIVE_INFINITY) <= at
  const start = from !== undefined && nodes.has(from) ? [from] : [...own].filter(there)
  const inside = new Set(start)
  const queue = [...start]
  for (let id = queue.pop(); id !== undefined; id = queue.pop())
    for (const { node_a, node_b } of held) {
      const other = node_a === id ? node_b : node_b === id ? node_a : undefined
      if (other === undefined || inside.has(other)) continue
      inside.add(other)
      queue.push(other)
    }
  const counts = new Map<string, number>()
  for (const id of inside) {
    const type = nodes.get(id)?.type
    if (type !== undefined) counts.set(type, (counts.get(type) ?? 0) + 1)
  }
  const end = (id: string) => ({ node: id, type: nodes.get(id)?.type ?? 'unknown' })
  return {
    identifiers: [...counts].map(([type, count]) => ({ type, count })).sort((a, b) => (a.type < b.type ? -1 : 1)),
    edges: held
      .filter(({ node_a, node_b }) => inside.has(node_a) && inside.has(node_b))
      .map((edge) => {
        const ended = edge.refused === null ? undefined : endOf(edge)
        return {
          a: end(edge.node_a),
          b: end(edge.node_b),
          strength: edge.strength === 'stated' ? ('stated' as const) : ('together' as const),
          source: edge.source_id,
          event: edge.event_id,
          at: new Date(edge.at).toISOString(),
          takenBackAt: ended === undefined ? null : new Date(ended).toISOString(),
        }
      }),
  }
}
