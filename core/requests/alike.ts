/** Requests that look like one campaign: the marks they are stored with, and the groups that are told. */
import { createHash } from 'node:crypto'
import { type Arrival, crowd, type MassSettings, marksOf } from '../../consent/requests/alike.ts'
import type { NewRequest, RequestGroup, RequestGroupKind } from '../../schemas/requests.ts'
import type { Keys } from '../keys.ts'
import { chunks, type Db } from '../stores/open.ts'

/** @param person HMAC of the first identifier: whom the request is about. */
export async function writeMarks(
  id: string,
  request: NewRequest,
  person: Buffer | undefined,
  { db, keys }: { readonly db: Db; readonly keys: Keys },
): Promise<void> {
  for (const { kind, value } of marksOf(request))
    await db
      .insertInto('request_marks')
      .values({
        request_id: id,
        kind,
        hmac: keys.suppression(keys.identifier(`request ${kind}`, value)),
        person: person ?? keys.suppression(keys.identifier('request', id)),
      })
      .execute()
}

/** @returns ids of the groups one request belongs to. */
export async function groupsOfRequest(id: string, mass: MassSettings, db: Db): Promise<string[]> {
  const { groups, members } = await groupsAlike(mass, db)
  return groups.filter((group) => members.get(group.id)!.has(id)).map((group) => group.id)
}

interface MarkRow {
  readonly request_id: string
  readonly kind: string
  readonly hmac: Uint8Array
  readonly person: Uint8Array
  readonly received_at: number
  readonly closed_at: number | null
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** @returns groups with at least one open request, largest first; members by group id. */
export async function groupsAlike(
  mass: MassSettings,
  db: Db,
): Promise<{ readonly groups: RequestGroup[]; readonly members: ReadonlyMap<string, ReadonlySet<string>> }> {
  const crowded = await db
    .selectFrom('request_marks')
    .select(['kind', 'hmac'])
    .groupBy(['kind', 'hmac'])
    .having((eb) => eb.fn.count('person').distinct(), '>=', mass.count)
    .execute()
  const rows: MarkRow[] = []
  for (const part of chunks(crowded.map(({ hmac }) => hmac)))
    rows.push(
      ...(await db
        .selectFrom('request_marks')
        .innerJoin('requests', 'requests.id', 'request_marks.request_id')
        .select([
          'request_marks.request_id',
          'request_marks.kind',
          'request_marks.hmac',
          'request_marks.person',
          'requests.received_at',
          'requests.closed_at',
        ])
        .where('request_marks.hmac', 'in', part)
        .execute()),
    )
  const byMark = new Map<string, MarkRow[]>()
  for (const row of rows) {
    const key = `${row.kind} ${hex(row.hmac)}`
    byMark.set(key, [...(byMark.get(key) ?? []), row])
  }
  const groups: RequestGroup[] = []
  const members = new Map<string, ReadonlySet<string>>()
  for (const [key, marked] of byMark) {
    const byId = new Map(marked.map((row) => [row.request_id, row]))
    const arrivals: Arrival[] = marked.map((row) => ({
      id: row.request_id,
      person: hex(row.person),
      at: row.received_at,
    }))
    const crowdOf = crowd(arrivals, mass)
    const open = crowdOf.filter((one) => byId.get(one.id)!.closed_at === null)
    if (open.length === 0) continue
    // A name for the address bar that tells nothing of the mark, not even its HMAC.
    const id = createHash('sha256').update(key).digest('hex').slice(0, 16)
    members.set(id, new Set(crowdOf.map((one) => one.id)))
    groups.push({
      id,
      kind: marked[0]!.kind as RequestGroupKind,
      people: new Set(crowdOf.map(({ person }) => person)).size,
      requests: crowdOf.length,
      open: open.length,
      firstAt: Math.min(...crowdOf.map(({ at }) => at)),
      lastAt: Math.max(...crowdOf.map(({ at }) => at)),
    })
  }
  groups.sort((a, b) => b.open - a.open || (a.id < b.id ? -1 : 1))
  return { groups, members }
}
