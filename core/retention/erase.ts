/** Erasing rows of each kind, and everything of a node or person. Each runs in the caller's transaction. */
import { randomBytes } from 'node:crypto'
import type { DataClass } from '../../schemas/retention.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { hubEntry } from '../ledger/hub-entry.ts'
import { shredNodes } from '../ledger/shred.ts'
import { chunks, type Db } from '../stores/open.ts'

/** @param ids as the due query names them. */
export async function eraseRows(
  kind: DataClass,
  ids: readonly string[],
  now: number,
  context: { readonly db: Db; readonly keys: Keys },
): Promise<void> {
  for (const part of chunks(ids)) await erasePart(kind, part, now, context)
}

async function erasePart(
  kind: DataClass,
  ids: string[],
  now: number,
  context: { readonly db: Db; readonly keys: Keys },
): Promise<void> {
  const { db } = context
  switch (kind) {
    case 'history':
      await db.deleteFrom('history').where('id', 'in', ids).execute()
      return
    case 'unidentified':
    case 'profile':
      for (const person of ids) await erasePerson(person, now, context)
      return
    case 'facts':
      await db
        .deleteFrom('facts')
        .where(
          'key',
          'in',
          ids.map((id) => Buffer.from(id, 'hex')),
        )
        .execute()
      return
    case 'deliveries':
      // The ledger holds a hash of each settled row: the entry says since when they are gone, and why.
      await hubEntry(db, { type: 'retention.batch', at: now, source: 'hub/retention', deliveries: ids })
      await db.deleteFrom('attempts').where('delivery_id', 'in', ids).execute()
      await db.deleteFrom('deliveries').where('id', 'in', ids).where('settled_at', 'is not', null).execute()
      return
    case 'decisions':
      await db.deleteFrom('explanations').where('id', 'in', ids).execute()
      for (const id of ids) {
        const space = id.indexOf(' ')
        if (space < 0) continue
        if (id.startsWith(WITHDRAWAL)) {
          await db.deleteFrom('propagations').where('withdrawal_id', '=', id.slice(WITHDRAWAL.length)).execute()
          await db.deleteFrom('withdrawals').where('id', '=', id.slice(WITHDRAWAL.length)).execute()
          continue
        }
        await db
          .deleteFrom('explanations_latest')
          .where('person_id', '=', id.slice(0, space))
          .where('rule', '=', id.slice(space + 1))
          .execute()
      }
      return
    case 'access_log':
      await db.deleteFrom('access_log').where('id', 'in', ids).execute()
      return
    case 'consent_proof':
      await shredNodes(db, ids, ['proof'], { at: now, reason: 'proof_expired' })
      return
    case 'blocked':
      await db.deleteFrom('blocked').where('id', 'in', ids).execute()
      return
    case 'incidents':
      await db.deleteFrom('incident_log').where('incident_id', 'in', ids).execute()
      await db.deleteFrom('incidents').where('id', 'in', ids).execute()
      return
    case 'requests':
      // Suppressions outlive the request: what was erased stays out.
      for (const table of [
        'request_identifiers',
        'request_marks',
        'request_log',
        'request_recipients',
        'request_files',
      ] as const)
        await db.deleteFrom(table).where('request_id', 'in', ids).execute()
      await db.deleteFrom('requests').where('id', 'in', ids).execute()
      return
    case 'audiences':
      await db.deleteFrom('audience_stays').where('id', 'in', ids).execute()
      for (const id of ids) {
        if (!id.startsWith(PUSH)) continue
        const [audience, destination, node] = id.slice(PUSH.length).split(' ')
        await db
          .deleteFrom('audience_pushes')
          .where('audience', '=', audience!)
          .where('destination', '=', destination!)
          .where('node_id', '=', node!)
          .where('member', '=', 0)
          .execute()
      }
      return
  }
}

/** How the due query names what a destination confirmed: that somebody left. */
const PUSH = 'push '

/** How the due query names a withdrawal that was passed on. */
const WITHDRAWAL = 'withdrawal '

/** Everything of a node but its place in the ledger. @returns rows by table. */
export async function eraseNodes(nodeIds: readonly string[], db: Db): Promise<Record<string, number>> {
  const gone: Record<string, number> = {}
  const add = (table: string, count: bigint) => {
    if (count > 0n) gone[table] = (gone[table] ?? 0) + Number(count)
  }
  for (const part of chunks(nodeIds)) {
    for (const table of ['history', 'history_inputs', 'node_traits', 'facts', 'blocked'] as const)
      add(table, (await db.deleteFrom(table).where('node_id', 'in', part).executeTakeFirst()).numDeletedRows)
    add(
      'audience_stays',
      (
        await db
          .deleteFrom('audience_stays')
          .where('person_id', 'in', (eb) => eb.selectFrom('nodes').select('person_id').where('id', 'in', part))
          .executeTakeFirst()
      ).numDeletedRows,
    )
    await db.deleteFrom('audience_pushes').where('node_id', 'in', part).execute()
    add(
      'identifiers',
      (
        await db
          .updateTable('identifiers')
          .set({ sealed: null })
          .where('node_id', 'in', part)
          .where('sealed', 'is not', null)
          .executeTakeFirst()
      ).numUpdatedRows,
    )
    add(
      'deliveries',
      (
        await db
          .updateTable('deliveries')
          .set({ input: null, payload: null })
          .where('node_id', 'in', part)
          .where((eb) => eb.or([eb('input', 'is not', null), eb('payload', 'is not', null)]))
          .executeTakeFirst()
      ).numUpdatedRows,
    )
  }
  return gone
}

/** What nobody may forget without risk: a status that says no. */
const OPPOSED = ['denied', 'revoked', 'conflict']

/**
 * Destroys the data keys of nodes and all that lay under them; the ledger stays provable until its own period ends.
 * Whoever comes back founds a new node. Who once said no stays known, by HMAC with that status and nothing else, under
 * a node that takes the old one's place: forgetting an opposition could allow something again.
 * @param reason a word for the ledger.
 */
export async function dissolveNodes(
  nodeIds: readonly string[],
  act: Parameters<typeof shredNodes>[3],
  { db, keys }: { readonly db: Db; readonly keys: Keys },
): Promise<{ readonly entryId: string | undefined; readonly erased: Record<string, number> }> {
  const erased = await eraseNodes(nodeIds, db)
  const entryId = await shredNodes(db, nodeIds, ['data'], act)
  for (const part of chunks(nodeIds)) {
    const opposed = await db
      .selectFrom('consent_status')
      .select('node_id')
      .distinct()
      .where('node_id', 'in', part)
      .where('status', 'in', OPPOSED)
      .execute()
    for (const { node_id } of opposed) await succeed(node_id, act.at, db, keys)
    await db.deleteFrom('identifiers').where('node_id', 'in', part).execute()
    await db.deleteFrom('consent_status').where('node_id', 'in', part).execute()
    await db
      .deleteFrom('edges')
      .where((eb) => eb.or([eb('node_a', 'in', part), eb('node_b', 'in', part)]))
      .execute()
  }
  return { entryId, erased }
}

async function succeed(nodeId: string, now: number, db: Db, keys: Keys): Promise<void> {
  const node = await db.selectFrom('nodes').selectAll().where('id', '=', nodeId).executeTakeFirstOrThrow()
  const id = newId(now)
  await db
    .insertInto('nodes')
    .values({
      id,
      person_id: node.person_id,
      subject: `s_${randomBytes(16).toString('hex')}`,
      device: node.device,
      data_key: keys.create().wrapped,
      proof_key: keys.create().wrapped,
      founded_at: now,
    })
    .execute()
  await db.updateTable('identifiers').set({ node_id: id }).where('node_id', '=', nodeId).execute()
  await db
    .updateTable('consent_status')
    .set({ node_id: id })
    .where('node_id', '=', nodeId)
    .where('status', 'in', OPPOSED)
    .execute()
}

/** A person nothing was heard of for so long that the policy ends them. */
async function erasePerson(
  personId: string,
  now: number,
  context: { readonly db: Db; readonly keys: Keys },
): Promise<void> {
  const { db } = context
  const nodes = await db.selectFrom('nodes').select('id').where('person_id', '=', personId).execute()
  await dissolveNodes(
    nodes.map(({ id }) => id),
    { at: now, reason: 'retention' },
    context,
  )
  await forgetPerson(personId, now, db)
}

/** What is kept by person and not by node. The row itself stays only while somebody's opposition hangs on it. */
export async function forgetPerson(personId: string, now: number, db: Db): Promise<void> {
  for (const table of [
    'explanations',
    'explanations_latest',
    'wakeups',
    'caps',
    'audience_stays',
    'audience_pushes',
  ] as const)
    await db.deleteFrom(table).where('person_id', '=', personId).execute()
  await db.deleteFrom('merge_log').where('into_person', '=', personId).execute()
  await db.deleteFrom('identity_acts').where('person_id', '=', personId).execute()
  await db.deleteFrom('persons').where('merged_into', '=', personId).execute()
  const named = await db
    .selectFrom('identifiers')
    .innerJoin('nodes', 'nodes.id', 'identifiers.node_id')
    .select('nodes.id')
    .where('nodes.person_id', '=', personId)
    .limit(1)
    .executeTakeFirst()
  if (!named) {
    await db.deleteFrom('persons').where('id', '=', personId).execute()
    return
  }
  await db
    .updateTable('persons')
    .set({ profile: JSON.stringify(emptyProfile(new Date(now).toISOString())), updated_at: now })
    .where('id', '=', personId)
    .execute()
}
