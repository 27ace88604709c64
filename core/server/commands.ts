/** Admin acts that the process role carries out between its batches, each in one transaction. */
import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import { audienceCommands } from '../audiences/commands.ts'
import type { LoadedConfig } from '../config.ts'
import { connectionCommands } from '../connections/flow.ts'
import { writerCommands } from '../connections/writer.ts'
import { identityCommands } from '../identity/commands.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { ledgerCommands } from '../ledger/commands.ts'
import { hubEntry } from '../ledger/hub-entry.ts'
import { ledgerSettings } from '../ledger/settings.ts'
import { pollCommands } from '../polling/commands.ts'
import { recordsCommands } from '../reports/commands.ts'
import { requestCommands } from '../requests/commands.ts'
import { ruleCommands } from '../rules/commands.ts'
import { offerCommands } from '../rules/offer-report.ts'
import { secretCommands } from '../secrets/commands.ts'
import { chunks } from '../stores/open.ts'
import { adminCommands } from './accounts/commands.ts'
import { CommandError, type CommandHandlers } from './context.ts'

type Args = Readonly<Record<string, unknown>>

export function processCommands(config: LoadedConfig, keys: Keys): CommandHandlers {
  return {
    ...adminCommands,
    ...ledgerCommands(ledgerSettings(config), keys),
    ...secretCommands(keys),
    ...connectionCommands(config, keys),
    ...writerCommands(keys),
    ...requestCommands(config, keys),
    ...identityCommands(config, keys),
    ...pollCommands,
    ...ruleCommands(config, keys),
    ...audienceCommands(config, keys),
    ...offerCommands(config),
    ...recordsCommands(config.config, keys, (id) => config.destinationSettings.get(id)?.definition.name ?? id),

    /** After a re-driven input is in the log again: the row is done, its fence travels with the new record. */
    async markRedriven(args, { state, actor, now }) {
      for (const part of chunks(stringList(args['ids'])))
        await state.db
          .updateTable('quarantine')
          .set({ status: 'redriven' })
          .where('id', 'in', part)
          .where('status', '=', 'open')
          .execute()
      const fixes = Number(args['fixes'] ?? 0)
      const count = `${stringList(args['ids']).length}${fixes > 0 ? `, ${fixes} fixes` : ''}`
      await noteAccess(state.db, now, actor, 'quarantine.redrive', count)
      return null
    },

    /** Gives an input up: its sealed body is deleted; code, path and time stay. */
    async dismissQuarantine(args, { state, actor, now }) {
      const id = String(args['id'] ?? '')
      const row = await state.db
        .selectFrom('quarantine')
        .select(['status', 'fences'])
        .where('id', '=', id)
        .executeTakeFirst()
      if (!row) throw new CommandError('NOT_FOUND', 'No quarantined input has this id.')
      if (row.status !== 'open' && row.status !== 'expired')
        throw new CommandError('CONFLICT', 'It was already re-driven or dismissed.')
      await state.db
        .updateTable('quarantine')
        .set({ status: 'dismissed', sealed: Buffer.alloc(0) })
        .where('id', '=', id)
        .execute()
      await noteAccess(state.db, now, actor, 'quarantine.dismiss', id)
      return { fences: JSON.parse(row.fences) as string[] }
    },

    /** What `redriveDeliveries` decided: these rows go again, mapped anew, each destination at its own slow pace. */
    async requeueDeliveries(args, { state, actor, now }) {
      const paces = (args['perSecond'] ?? {}) as Readonly<Record<string, number>>
      const rows: { id: string; destination: string }[] = []
      for (const part of chunks(stringList(args['ids'])))
        rows.push(
          ...(await state.db
            .selectFrom('deliveries')
            .select(['id', 'destination'])
            .where('id', 'in', part)
            .where('status', 'in', ['dead', 'uncertain'])
            .orderBy('ord')
            .execute()),
        )
      const nextAt = new Map<string, number>()
      for (const row of rows) {
        const perSecond = paces[row.destination] ?? 1
        const at = nextAt.get(row.destination) ?? now
        nextAt.set(row.destination, at + 1000 / perSecond)
        await state.db
          .updateTable('deliveries')
          .set({
            status: 'queued',
            reason: null,
            settled_at: null,
            payload: null,
            lease: null,
            attempt: 0,
            due_at: Math.round(at),
            created_at: now,
            expires_at: null,
            rooted: null,
          })
          .where('id', '=', row.id)
          .execute()
        await state.db.deleteFrom('attempts').where('delivery_id', '=', row.id).execute()
      }
      // What was recorded of them no longer describes their rows.
      if (rows.length > 0)
        await hubEntry(state.db, {
          type: 'deliveries.redriven',
          at: now,
          actor: 'agent',
          deliveries: rows.map(({ id }) => id),
        })
      await noteAccess(state.db, now, actor, 'deliveries.redrive', `${rows.length}`)
      return { deliveries: rows.length }
    },
  }
}

/** Filters of API and command line; unknown codes are told rather than matching nothing. */
export function readFilter(value: unknown): Args {
  if (value === undefined) return {}
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new CommandError('INVALID', 'The filter must be an object.')
  const filter = value as Args
  const code = filter['code']
  if (code !== undefined && !(String(code) in EXITS))
    throw new CommandError(
      'INVALID',
      `No exit is called ${String(code) as ExitCode}; docs/reference/exits.md lists them.`,
    )
  return filter
}

/** Epoch milliseconds from a number or an ISO date. */
export function readTime(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const time =
    typeof value === 'number' ? value : /^\d+$/.test(String(value)) ? Number(value) : Date.parse(String(value))
  if (Number.isNaN(time)) throw new CommandError('INVALID', 'A time must be a date such as 2026-11-24T10:00:00Z.')
  return time
}

function stringList(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}

async function noteAccess(
  db: Parameters<CommandHandlers[string]>[1]['state']['db'],
  now: number,
  actor: string,
  act: string,
  target: string,
): Promise<void> {
  await db
    .insertInto('access_log')
    .values({ id: newId(now), at: now, actor, act, target })
    .execute()
}
