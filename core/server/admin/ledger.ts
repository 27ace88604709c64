/** The ledger as the cockpit sees it. Nothing here shows a payload: receipts hold the public entry alone. */
import { IdParams } from '../../../schemas/admin.ts'
import {
  CheckpointAnswer,
  LedgerEntryPage,
  LedgerEntryQuery,
  LedgerProof,
  LedgerStatus,
} from '../../../schemas/ledger.ts'
import { proveEntry } from '../../ledger/prove.ts'
import { asLedgerEntry } from '../../ledger/rows.ts'
import { ledgerStatus } from '../../ledger/status.ts'
import { decodeCursor, page, pageLimit } from './paging.ts'
import { type AnyRoute, defineRoute, expectOk, Refusal } from './route.ts'

const TAG = 'Ledger'

export const ledgerRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/ledger',
    operationId: 'getLedger',
    tag: TAG,
    summary: 'Where the ledger stands: size, last checkpoint, since when nothing outside covers it, key.',
    permission: 'ledger.read',
    answer: LedgerStatus,
    errors: [{ status: 503, code: 'UNAVAILABLE', when: 'The hub has not made its ledger yet.' }],
    handle: async ({ context }) => {
      const status = await ledgerStatus(context.state.db, context.ledger)
      if (!status) throw new Refusal(503, 'UNAVAILABLE', 'The hub has not made its ledger yet. Try again in a moment.')
      return status
    },
  }),

  defineRoute({
    method: 'GET',
    path: '/api/ledger/entries',
    operationId: 'listLedgerEntries',
    tag: TAG,
    summary: 'Numbered entries, newest first. Those that wait for their number are counted in /api/ledger.',
    permission: 'ledger.read',
    query: LedgerEntryQuery,
    answer: LedgerEntryPage,
    handle: async ({ context, query }) => {
      const limit = pageLimit(query.limit)
      const after = decodeCursor(query.after)
      let rows = context.state.db
        .selectFrom('ledger_entries')
        .select(['seq', 'id', 'node_id as nodeId', 'at', 'purpose', 'bytes'])
        .orderBy('seq', 'desc')
        .limit(limit + 1)
      if (query.subject !== undefined) rows = rows.where('subject', '=', query.subject)
      if (query.purpose !== undefined) rows = rows.where('purpose', '=', query.purpose)
      if (query.type !== undefined) rows = rows.where('type', '=', query.type)
      if (query.from !== undefined) rows = rows.where('at', '>=', Date.parse(query.from))
      if (query.to !== undefined) rows = rows.where('at', '<', Date.parse(query.to))
      if (after) rows = rows.where('seq', '<', after.at)
      const found = page(await rows.execute(), limit, ({ seq, id }) => ({ at: seq, id }))
      return { items: found.items.map(asLedgerEntry), next: found.next }
    },
  }),

  defineRoute({
    method: 'GET',
    path: '/api/ledger/entries/{id}/proof',
    operationId: 'proveLedgerEntry',
    tag: TAG,
    summary: 'One entry with its receipt, which anybody can check offline, and what became of its payload.',
    permission: 'ledger.read',
    params: IdParams,
    answer: LedgerProof,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No such entry.' }],
    handle: async ({ context, params }) => {
      const proof = await proveEntry(context.state.db, params.id)
      if (!proof) throw new Refusal(404, 'NOT_FOUND', 'The ledger has no entry with this id.')
      return proof
    },
  }),

  defineRoute({
    method: 'POST',
    path: '/api/ledger/checkpoint',
    operationId: 'signLedgerCheckpoint',
    tag: TAG,
    summary: 'Number what waits, sign the tree, copy the checkpoint out.',
    permission: 'ledger.checkpoint',
    answer: CheckpointAnswer,
    errors: [
      {
        status: 409,
        code: 'LEDGER_FORKED',
        when: 'The ledger does not continue what was signed; also LEDGER_SHORTENED, LEDGER_DAMAGED.',
      },
      { status: 409, code: 'EMPTY', when: 'There is no entry yet.' },
    ],
    handle: async ({ context, identity }) =>
      expectOk(await context.run({ name: 'ledgerCheckpoint', args: {}, actor: identity.id })) as CheckpointAnswer,
  }),
]
