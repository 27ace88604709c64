/**
 * Of a person who is taken apart: each side keeps the memberships its own events began and the addresses of its own that
 * destinations were told, and everything measured is asked again at once, so that whoever is no member is taken out.
 */
import type { OpenProfile } from '../../schemas/profile.ts'
import type { Db } from '../stores/open.ts'

/** Audience -> node whose event began the stay that is open. Stays that time alone began are missing. */
export async function stayNodes(personId: string, db: Db): Promise<ReadonlyMap<string, string>> {
  const rows = await db
    .selectFrom('audience_stays')
    .innerJoin('history', 'history.id', 'audience_stays.event_id')
    .select(['audience_stays.audience', 'history.node_id'])
    .where('audience_stays.person_id', '=', personId)
    .where('audience_stays.left_at', 'is', null)
    .execute()
  return new Map(rows.map(({ audience, node_id }) => [audience, node_id]))
}

/** Stays that events of these nodes began, and what was told of their addresses, belong to the other id from now on. */
export async function moveAudiences(from: string, to: string, nodes: readonly string[], db: Db): Promise<void> {
  await db
    .updateTable('audience_pushes')
    .set({ person_id: to })
    .where('person_id', '=', from)
    .where('node_id', 'in', nodes)
    .execute()
  await db
    .updateTable('audience_stays')
    .set({ person_id: to })
    .where('person_id', '=', from)
    .where('event_id', 'in', (eb) => eb.selectFrom('history').select('id').where('node_id', 'in', nodes))
    .execute()
}

/** @param keeps the side that keeps the id: what no node claims stays with it. */
export function measuredOfSide(
  { audiences, computed, scores, pushed }: OpenProfile,
  begunBy: ReadonlyMap<string, string>,
  mine: ReadonlySet<string>,
  keeps: boolean,
): Pick<OpenProfile, 'audiences' | 'scores' | 'pushed' | 'measuresDueAt'> {
  const isMine = (node: string | undefined) => (node === undefined ? keeps : mine.has(node))
  const memberships = Object.fromEntries(Object.entries(audiences ?? {}).filter(([id]) => isMine(begunBy.get(id))))
  const told: NonNullable<OpenProfile['pushed']> = {}
  for (const [audience, destinations] of Object.entries(pushed ?? {}))
    for (const [destination, nodes] of Object.entries(destinations)) {
      const own = nodes.filter((node) => mine.has(node))
      if (own.length > 0) told[audience] = { ...told[audience], [destination]: own }
    }
  const some = (record: object | undefined) => record !== undefined && Object.keys(record).length > 0
  return {
    ...(some(memberships) && { audiences: memberships }),
    ...(keeps && scores && { scores }),
    ...(some(told) && { pushed: told }),
    ...([audiences, computed, scores, pushed].some(some) && { measuresDueAt: 0 }),
  }
}
