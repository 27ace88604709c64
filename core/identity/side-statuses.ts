/** Answers about consent of one side of a person who was taken apart, with the ledger entries they need. */
import { afterSeparation, separationEntry } from '../../consent/separation.ts'
import type { PurposeStatus } from '../../consent/status.ts'
import type { Unmerged } from '../../schemas/identity.ts'
import { newId } from '../ids.ts'
import type { Step } from '../replay/history.ts'
import { Batch } from '../stages/batch.ts'
import { personStatus } from '../stages/identify.ts'
import { writeEntry } from '../stages/ledger-entry.ts'
import type { NodeState } from '../stages/people.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { insertMany, type StateStore } from '../stores/open.ts'
import type { Whole } from './rederive.ts'

type Side = Unmerged['sides'][number]

export async function settleStatuses(
  {
    own,
    said,
    entries,
    mine,
  }: {
    readonly own: readonly NodeState[]
    readonly said: Batch
    readonly entries: readonly Extract<Step, { kind: 'entry' }>[]
    readonly mine: ReadonlySet<string>
  },
  { asOneOf, batch, act, joinedAt }: Omit<Whole, 'merges' | 'one' | 'begunBy'>,
  {
    state,
    settings,
    at,
    now,
  }: {
    readonly state: StateStore
    readonly settings: ProcessPorts['settings']
    readonly at: string
    readonly now: number
  },
): Promise<Side['statuses']> {
  const { db, dialect } = state
  const told: Side['statuses'] = []
  const ledger = new Batch(now, batch.keys, batch.privacy)
  let tick = now * 1000
  for (const purpose of settings.purposes.all) {
    if (purpose.scope !== 'person') continue
    const asOne = asOneOf.get(purpose.id)
    if (!asOne) continue
    const derived = personStatus(own, purpose.id, said)?.row.status
    const ownEntries = new Set(entries.filter(({ entry }) => mine.has(entry.nodeId)).map(({ entry }) => entry.id))
    // A conflict of the merge rests on an entry of its own, and is gone with it; another refusal was somebody's word.
    const foreign =
      !ownEntries.has(asOne.entryId) && asOne.originRef !== 'merge' && Date.parse(asOne.receivedAt) > joinedAt
    const next = afterSeparation(derived, asOne, foreign)
    told.push({ purpose: purpose.id, before: asOne.status, after: next?.status ?? 'unknown' })
    const stored = personStatus(own, purpose.id, batch)?.row.status
    if (next?.status === stored?.status && next?.entryId === stored?.entryId) continue
    const node = own[0]!
    let status: PurposeStatus | undefined = next
    const folds = entries.some(({ entry }) => entry.purpose === purpose.id && entry.draft?.action === 'conflict')
    if (next && (folds || next.status !== derived?.status)) {
      const noted = separationEntry(next, {
        purpose: purpose.id,
        scope: purpose.scope,
        act,
        at,
        newId: () => newId(now),
      })
      writeEntry(noted.entry, node, [], ledger)
      status = noted.next
    }
    await db
      .deleteFrom('consent_status')
      .where('purpose', '=', purpose.id)
      .where('node_id', 'in', [...mine])
      .execute()
    batch.statuses.set(node.id, new Map(batch.statuses.get(node.id)))
    for (const id of mine) batch.statuses.get(id)?.delete(purpose.id)
    if (!status) continue
    tick += 1
    batch.statuses.get(node.id)!.set(purpose.id, { status, updatedAt: tick })
    await db
      .insertInto('consent_status')
      .values({
        node_id: node.id,
        purpose: purpose.id,
        status: status.status,
        body: JSON.stringify(status),
        updated_at: tick,
      })
      .execute()
  }
  await insertMany(
    db,
    dialect,
    'ledger_pending',
    ['id', 'node_id', 'subject', 'purpose', 'at', 'public', 'sealed'],
    ledger.rows.ledger,
  )
  return told
}
