/** The record of art. 37, now or as it was: built from configuration and traffic, kept whenever its declared part changes. */

import { loadPurposes } from '../../consent/purposes.ts'
import { buildRopa } from '../../consent/reports/ropa.ts'
import { retentionPolicies } from '../../consent/retention/policies.ts'
import type { Config } from '../../schemas/config.ts'
import type { Ropa } from '../../schemas/records.ts'
import type { Rule } from '../../schemas/rule.ts'
import type { Keys } from '../keys.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { Db } from '../stores/open.ts'
import { findDrift, listDrift, rememberDrift } from './drift.ts'
import { observe, sampleFields } from './observed.ts'

export interface RopaPorts {
  readonly config: Config
  readonly keys: Keys
  /** Name of a vendor by destination id. */
  readonly vendor: (destination: string) => string
}

export function ropaCommands(ports: RopaPorts): CommandHandlers {
  return {
    /** {} -> Ropa, as of now. */
    ropa: (_args, { state, now }) => currentRopa(ports, state.db, now),

    /** {} -> {changed, fresh}. Looks for drift and keeps the record if it changed; the hub runs it once a day. */
    async recordRopa(_args, { state, now }) {
      const { db } = state
      const purposes = loadPurposes(ports.config)
      const sampled = await sampleFields(db, ports.keys, purposes)
      const observed = await observe(db, now, sampled.fields)
      const fresh = await rememberDrift(await findDrift(ports.config, observed, sampled, db, now), db, now)
      await db
        .insertInto('policy_versions')
        .values({ hash: purposes.policyHash, at: now, body: policyBody(ports.config) })
        .onConflict((conflict) => conflict.column('hash').doNothing())
        .execute()
      const ropa = await currentRopa(ports, db, now, sampled.fields)
      const newest = await db
        .selectFrom('ropa_snapshots')
        .select('hash')
        .orderBy('at', 'desc')
        .limit(1)
        .executeTakeFirst()
      const changed = newest?.hash !== ropa.hash
      if (changed)
        await db
          .insertInto('ropa_snapshots')
          .values({ at: now, hash: ropa.hash, body: JSON.stringify(ropa) })
          .onConflict((conflict) => conflict.column('at').doNothing())
          .execute()
      return { changed, fresh }
    },
  }
}

async function currentRopa(
  ports: RopaPorts,
  db: Db,
  now: number,
  fields?: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<Ropa> {
  const { config, keys, vendor } = ports
  const purposes = loadPurposes(config)
  const seen = fields ?? (await sampleFields(db, keys, purposes)).fields
  const rules = await db.selectFrom('rule_versions').select(['rule', 'version', 'body']).orderBy('version').execute()
  const newest = new Map(rules.map((row) => [row.rule, JSON.parse(row.body) as Rule]))
  const checkpoint = await db
    .selectFrom('ledger_checkpoints')
    .select(['size', 'root', 'note'])
    .orderBy('size', 'desc')
    .limit(1)
    .executeTakeFirst()
  return buildRopa({
    config,
    policies: retentionPolicies(config),
    policyHash: purposes.policyHash,
    vendor,
    rules: [...newest].map(([id, rule]) => ({ id, purpose: rule.unless?.purpose ?? '' })),
    observed: await observe(db, now, seen),
    drift: await listDrift(db),
    checkpoint: checkpoint
      ? { size: checkpoint.size, root: Buffer.from(checkpoint.root).toString('hex'), note: checkpoint.note }
      : null,
    at: now,
  })
}

/** Purposes, destinations without their settings, and notices: what the gates of that time read. */
function policyBody({ purposes, destinations, notices, sensitiveFields, minors, retention }: Config): string {
  return JSON.stringify({
    purposes,
    destinations: Object.fromEntries(
      Object.entries(destinations ?? {}).map(([id, { settings: _, ...rest }]) => [id, rest]),
    ),
    notices,
    sensitiveFields,
    minors,
    retention,
  })
}

/** The record as it was: the newest one kept at or before that moment. @throws CommandError when there is none. */
export async function ropaAt(at: number, db: Db): Promise<Ropa> {
  const row = await db
    .selectFrom('ropa_snapshots')
    .select('body')
    .where('at', '<=', at)
    .orderBy('at', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (!row)
    throw new CommandError('NOT_FOUND', 'No record was kept as early as that. The hub keeps one each time it changes.')
  return JSON.parse(row.body) as Ropa
}
