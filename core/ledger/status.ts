/** Where the ledger stands, for whoever looks at it. */

import { sha256 } from '../../consent/ledger/merkle.ts'
import type { LedgerPrivacy, LedgerStatus } from '../../schemas/ledger.ts'
import type { Db } from '../stores/open.ts'
import { asCheckpoint, newestCheckpoint } from './checkpoint.ts'
import { knownKeys } from './keyring.ts'
import { readProblems } from './problem.ts'
import { readHead } from './rows.ts'

/** @returns undefined before the first start. */
export async function ledgerStatus(
  db: Db,
  settings: { readonly anchorFolder: string | undefined; readonly privacy: LedgerPrivacy },
): Promise<LedgerStatus | undefined> {
  const head = await readHead(db)
  if (!head) return undefined
  const { pending } = await db
    .selectFrom('ledger_pending')
    .select(({ fn }) => fn.countAll<number>().as('pending'))
    .executeTakeFirstOrThrow()
  const newest = await db.selectFrom('ledger_entries').select('at').orderBy('seq', 'desc').limit(1).executeTakeFirst()
  const checkpoint = await newestCheckpoint(db)
  const anchors: LedgerStatus['anchors'] = []
  for (const kind of ['folder', 'minutes'] as const) {
    const row = await db
      .selectFrom('ledger_anchors')
      .selectAll()
      .where('kind', '=', kind)
      .orderBy('size', 'desc')
      .limit(1)
      .executeTakeFirst()
    if (row) anchors.push({ kind, size: row.size, at: row.at, ref: row.ref })
  }
  const state = await db
    .selectFrom('ledger_entries')
    .select(['at', 'bytes'])
    .where('type', '=', 'state.root')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  const key = (await knownKeys(db, head.origin)).filter(({ retiredAt }) => retiredAt === null).at(-1)!
  return {
    origin: head.origin,
    size: head.size,
    pending: Number(pending),
    newestAt: newest?.at ?? null,
    checkpoint: checkpoint ? asCheckpoint(checkpoint) : null,
    unanchoredSince: await unanchoredSince(db, Math.max(0, ...anchors.map(({ size }) => size))),
    anchors,
    anchorFolder: settings.anchorFolder ?? null,
    privacy: settings.privacy,
    key: {
      id: key.key.id,
      verifier: key.verifier,
      fingerprint: sha256(key.key.publicKey).toString('hex'),
      createdAt: key.createdAt,
    },
    stateRoot: state ? { at: state.at, size: (JSON.parse(state.bytes) as { size: number }).size } : null,
    problems: await readProblems(db),
  }
}

/** The oldest entry that no copy covers: numbered, else pending. */
async function unanchoredSince(db: Db, anchored: number): Promise<number | null> {
  const numbered = await db.selectFrom('ledger_entries').select('at').where('seq', '=', anchored).executeTakeFirst()
  if (numbered) return numbered.at
  const waiting = await db
    .selectFrom('ledger_pending')
    .select(({ fn }) => fn.min('at').as('at'))
    .executeTakeFirst()
  return waiting?.at === null || waiting?.at === undefined ? null : Number(waiting.at)
}
