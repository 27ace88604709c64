/** A ledger with people in it, for tests: entries as note consent writes them, without the rest of the pipeline. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consentEntry } from '../../consent/ledger/entry.ts'
import type { LedgerEntryDraft } from '../../consent/status.ts'
import type { LedgerPrivacy } from '../../schemas/ledger.ts'
import { newId } from '../ids.ts'
import { createKeys, type Keys } from '../keys.ts'
import { seal } from '../seal.ts'
import { openState, type StateStore } from '../stores/open.ts'
import type { LedgerPorts } from './checkpoint.ts'
import { ensureLedger } from './keyring.ts'
import { sequence } from './sequence.ts'

export const START = Date.parse('2026-03-10T12:00:00.000Z')

export interface TestLedger {
  readonly state: StateStore
  readonly keys: Keys
  readonly ports: LedgerPorts
  readonly folder: string
  readonly anchors: string
  now: number
  /** One answer of one person; the node is made when it is new. @returns the entry's id. */
  answer(person: string, status: 'granted' | 'revoked', purpose?: string): Promise<string>
  /** Until nothing waits. */
  sequence(): Promise<void>
  close(): Promise<void>
}

export async function openTestLedger(
  options: {
    readonly postgres?: string
    readonly privacy?: LedgerPrivacy
    readonly file?: string
    readonly keys?: Keys
  } = {},
): Promise<TestLedger> {
  const folder = mkdtempSync(join(tmpdir(), 'anuente-ledger-'))
  const keys = options.keys ?? createKeys(randomBytes(32))
  const state = await openState({ file: options.file ?? join(folder, 'state.db'), postgres: options.postgres })
  await ensureLedger(state, keys, 'https://hub.loja.example/', START)
  const anchors = join(folder, 'anchors')
  const ledger: TestLedger = {
    state,
    keys,
    ports: { state, keys, anchorFolder: anchors },
    folder,
    anchors,
    now: START,
    async answer(person, status, purpose = 'email_marketing') {
      const subject = `s_${person}`
      await state.db
        .insertInto('nodes')
        .values({
          id: person,
          person_id: person,
          subject,
          device: 0,
          data_key: keys.create().wrapped,
          proof_key: keys.create().wrapped,
          founded_at: ledger.now,
        })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute()
      const { proof_key } = await state.db
        .selectFrom('nodes')
        .select('proof_key')
        .where('id', '=', person)
        .executeTakeFirstOrThrow()
      const id = newId(ledger.now)
      const entry = consentEntry(
        draftOf(id, status, purpose, ledger.now),
        subject,
        [{ type: 'email', value: `${person}@example.com` }],
        undefined,
        options.privacy,
      )
      await state.db
        .insertInto('ledger_pending')
        .values({
          id,
          node_id: person,
          subject,
          purpose,
          at: ledger.now,
          public: entry.publicBytes.toString('utf8'),
          sealed: seal(keys.unwrap(proof_key), Buffer.concat([entry.salt, entry.payload])),
        })
        .execute()
      ledger.now += 1000
      return id
    },
    async sequence() {
      while ((await sequence(state, { now: ledger.now })) > 0);
    },
    async close() {
      await state.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return ledger
}

function draftOf(id: string, status: 'granted' | 'revoked', purpose: string, now: number): LedgerEntryDraft {
  const at = new Date(now).toISOString()
  return {
    id,
    effect: 'status',
    purpose,
    scope: 'person',
    action: status === 'granted' ? 'grant' : 'revoke',
    status,
    basis: 'consent',
    actor: 'subject',
    evidenceClass: 'valid',
    evidence: { method: 'checkbox', flags: [], sha256: 'ab', raw: { form: 'Quero receber ofertas' } },
    notice: { id: 'cookies', version: 3 },
    origin: { kind: 'segment', ref: 'site' },
    occurredAt: at,
    receivedAt: at,
  }
}
