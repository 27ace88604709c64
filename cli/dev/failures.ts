/** Deliveries of a connector that did not arrive, read beside a running hub, as cases without anybody in them. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadedConfig } from '../../core/config.ts'
import { createKeys, loadMasterKey } from '../../core/keys.ts'
import { unsealJson } from '../../core/seal.ts'
import type { SealedEvent } from '../../core/stages/apply.ts'
import { eventOf } from '../../core/stages/load.ts'
import { openState } from '../../core/stores/open.ts'
import { redactEvent, redactFields } from './redact.ts'
import type { FailedDeliveries } from './server.ts'

const MOST = 50

export interface OpenFailures extends FailedDeliveries {
  close(): Promise<void>
}

/** @returns undefined when no hub has run on this configuration yet. */
export async function openFailures(
  loaded: LoadedConfig,
  connector: string,
  environment: NodeJS.ProcessEnv,
): Promise<OpenFailures | undefined> {
  const file = join(loaded.dataDir, 'state.db')
  const postgres = loaded.config.storage?.state
  const instances = [...loaded.destinationSettings.values()]
    .filter(({ definition }) => definition.id === connector)
    .map(({ id }) => id)
  if (instances.length === 0 || (!postgres && !existsSync(file))) return undefined
  const state = await openState({ file, postgres }, { migrate: false })
  const keys = createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), environment))
  return {
    close: () => state.close(),
    async list() {
      const rows = await state.db
        .selectFrom('deliveries')
        .select(['id', 'action', 'reason', 'created_at'])
        .where('destination', 'in', instances)
        .where('status', 'in', ['dead', 'uncertain'])
        .orderBy('created_at', 'desc')
        .limit(MOST)
        .execute()
      return rows.map(({ id, action, reason, created_at: at }) => ({ id, action, reason: reason ?? '', at }))
    },
    async asCase(id) {
      const row = await state.db
        .selectFrom('deliveries')
        .innerJoin('nodes', 'nodes.id', 'deliveries.node_id')
        .innerJoin('history', 'history.id', 'deliveries.event_id')
        .innerJoin('nodes as owners', 'owners.id', 'history.node_id')
        .select([
          'deliveries.action',
          'deliveries.input',
          'nodes.data_key as data_key',
          'owners.data_key as event_key',
          'history.id as event_id',
          'history.node_id',
          'history.type',
          'history.name',
          'history.occurred_at',
          'history.received_at',
          'history.source_id',
          'history.connector',
          'history.sealed',
        ])
        .where('deliveries.id', '=', id)
        .where('deliveries.destination', 'in', instances)
        .executeTakeFirst()
      if (!row) return undefined
      const event = eventOf(
        { ...row, id: row.event_id },
        unsealJson<SealedEvent>(keys.unwrap(row.event_key), row.sealed),
      )
      const input =
        row.input === null ? {} : unsealJson<{ with?: Record<string, unknown> }>(keys.unwrap(row.data_key), row.input)
      const redacted = redactEvent(event)
      return {
        action: row.action,
        event: redacted,
        profile: { traits: redacted.traits, identifiers: { email: 'ana@example.com', phone: '+5511987654321' } },
        ...(input.with && { with: redactFields(input.with, event) }),
      }
    },
  }
}
