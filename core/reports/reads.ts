/** What the command line asks of the officer's side: the same answers as the admin API gives. */
import { diffRopa } from '../../consent/reports/ropa.ts'
import { lintRetention } from '../../consent/retention/lint.ts'
import { unusualSettings, unusualWords } from '../../consent/retention/unusual.ts'
import type { Config } from '../../schemas/config.ts'
import type { AffectedQuery } from '../../schemas/records.ts'
import { asHold, holdsInForce, subjectsOf } from '../retention/holds.ts'
import { PLACES } from '../retention/places.ts'
import { latestPlan, policyViews } from '../retention/plan.ts'
import { asRun } from '../retention/run.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import { counterfactualsOf } from './decisions.ts'
import { listDrift } from './drift.ts'
import { affectedBy, lettersOf, listIncidents } from './incidents.ts'
import { ropaAt } from './ropa.ts'

export function readCommands(config: Config): CommandHandlers {
  return {
    /** {} -> RetentionOverview */
    async retentionStatus(_args, { state: { db } }) {
      const holds = await holdsInForce(db)
      const subjects = await subjectsOf(
        db,
        holds.flatMap(({ person_id }) => person_id ?? []),
      )
      const runs = await db.selectFrom('retention_runs').selectAll().orderBy('started_at', 'desc').limit(50).execute()
      return {
        policies: await policyViews(config, db),
        findings: lintRetention(config),
        runs: runs.map(asRun),
        holds: holds.map((row) => asHold(row, subjects)),
        latestPlan: await latestPlan(db),
        unusualRule: unusualWords(unusualSettings(config)),
        places: PLACES.map(({ place, holds: what, key, clock }) => ({ place, holds: what, key, clock })),
      }
    },
    /** {at} -> Ropa as kept then. */
    ropaAt: (args, { state }) => ropaAt(timeOf(args['at']), state.db),
    /** {from, to} -> RopaDiff between two records that were kept. */
    async ropaDiff(args, { state: { db } }) {
      return diffRopa(await ropaAt(timeOf(args['from']), db), await ropaAt(timeOf(args['to']), db))
    },
    /** {} -> Drift[] */
    listDrift: (_args, { state }) => listDrift(state.db),
    /** {id} -> Counterfactual[] */
    async counterfactuals(args, { state }) {
      const found = await counterfactualsOf(String(args['id'] ?? ''), state.db, { secret: config.tradeSecrets ?? [] })
      if (!found) throw new CommandError('NOT_FOUND', 'Nothing that was kept has this id.')
      return found
    },
    /** {} -> Incident[] */
    listIncidents: (_args, { state, now }) => listIncidents(config, state.db, now),
    /** {id} -> Letters */
    incidentLetters: (args, { state, now }) => lettersOf(String(args['id'] ?? ''), config, state.db, now),
    /** AffectedQuery -> Affected */
    findAffected: (args, { state }) => affectedBy(args as AffectedQuery, state.db),
  }
}

function timeOf(value: unknown): number {
  const at = typeof value === 'number' ? value : Date.parse(String(value))
  if (Number.isNaN(at)) throw new CommandError('INVALID', 'A time must be a date such as 2026-11-24T10:00:00Z.')
  return at
}
