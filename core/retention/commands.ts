/** Acts of the officer on retention, run between batches by the process role, each in one transaction. */

import { loadPurposes } from '../../consent/purposes.ts'
import { lintRetention } from '../../consent/retention/lint.ts'
import { retentionPolicies } from '../../consent/retention/policies.ts'
import { unusualSettings } from '../../consent/retention/unusual.ts'
import type { Config } from '../../schemas/config.ts'
import { DATA_CLASSES, type DataClass, type PolicyState, type RetentionRun } from '../../schemas/retention.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { hubEntry } from '../ledger/hub-entry.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import type { RetentionContext } from './context.ts'
import { asHold, subjectsOf } from './holds.ts'
import { approvalOf, asPlan, countPolicy, makePlan, policyViews, storePlan, unusualNow } from './plan.ts'
import { abandonRun, asRun, openRun, startRun, stepRun } from './run.ts'

const BATCH_ROWS = 500

export function retentionCommands(config: Config, keys: Keys, batchRows = BATCH_ROWS): CommandHandlers {
  const policies = retentionPolicies(config)
  const purposes = loadPurposes(config)
  const contextOf = ({ db, dialect }: StateStore, asOf: number): RetentionContext => ({
    db,
    dialect,
    keys,
    purposes,
    policies,
    batchRows,
    asOf,
  })

  return {
    /** {} -> RetentionPlan. Changes nothing but the list of plans. */
    async retentionPlan(_args, { state, now, actor }) {
      const plan = await makePlan(config, contextOf(state, now), actor)
      await storePlan(plan, state.db)
      return plan
    },

    /** {hash, policies?} -> RetentionPolicyView[]. From then on these policies run by themselves. */
    async retentionApprove(args, { state, now, actor }) {
      const { db } = state
      const hash = text(args, 'hash')
      const row = await db.selectFrom('retention_plans').selectAll().where('hash', '=', hash).executeTakeFirst()
      if (!row) throw new CommandError('NOT_FOUND', 'No plan has this hash. Make one: anuente retention plan')
      const errors = lintRetention(config).filter(({ severity }) => severity === 'error')
      if (errors.length > 0)
        throw new CommandError('LINT', errors.map(({ path, message }) => `${path}: ${message.en}`).join('\n'))
      const plan = asPlan(row)
      const wanted = list(args['policies']) ?? plan.items.map(({ policyId }) => policyId)
      const approved: { id: string; hash: string; count: number }[] = []
      for (const id of wanted) {
        const item = plan.items.find(({ policyId }) => policyId === id)
        const now = policies.find((policy) => policy.id === id)
        if (!item || !now) throw new CommandError('NOT_FOUND', `The plan has no policy ${id}.`)
        if (item.policyHash !== now.hash)
          throw new CommandError(
            'CONFLICT',
            `${id} was changed after this plan was made. Make a new plan and look at it.`,
          )
        approved.push({ id, hash: item.policyHash, count: item.count })
      }
      for (const { id, hash: policyHash, count } of approved) {
        const values = {
          policy_hash: policyHash,
          plan_hash: hash,
          approved_by: actor,
          approved_at: now,
          count,
          unusual: 0,
        }
        await db
          .insertInto('retention_approvals')
          .values({ policy_id: id, ...values })
          .onConflict((conflict) => conflict.column('policy_id').doUpdateSet(values))
          .execute()
      }
      await db
        .updateTable('retention_plans')
        .set({ approved_by: actor, approved_at: now })
        .where('hash', '=', hash)
        .execute()
      await hubEntry(db, {
        type: 'retention.approved',
        at: now,
        actor: 'agent',
        source: 'hub/retention',
        facts: { plan: hash, policies: approved },
      })
      await note(state, now, actor, 'retention.approve', hash)
      return policyViews(config, db)
    },

    /** {policies?} -> RunAnswer. Only approved policies start; the others are named with the reason. */
    async retentionRun(args, { state, now, actor }) {
      const wanted = list(args['policies'])
      const unknown = wanted?.find((id) => !policies.some((policy) => policy.id === id))
      if (unknown !== undefined) throw new CommandError('NOT_FOUND', `There is no policy ${unknown}.`)
      const started: RetentionRun[] = []
      const waiting: { policyId: string; why: PolicyState }[] = []
      for (const resolved of policies) {
        if (wanted && !wanted.includes(resolved.id)) continue
        const context = contextOf(state, now)
        const approval = await approvalOf(state.db, resolved.id)
        if (approval?.policy_hash !== resolved.hash) {
          waiting.push({ policyId: resolved.id, why: approval ? 'changed' : 'new' })
          continue
        }
        const { count } = await countPolicy(resolved, context)
        if (await unusualNow(state.db, approval, resolved.id, count, unusualSettings(config))) {
          await state.db
            .updateTable('retention_approvals')
            .set({ unusual: 1 })
            .where('policy_id', '=', resolved.id)
            .execute()
          waiting.push({ policyId: resolved.id, why: 'unusual' })
          continue
        }
        const run = await startRun(resolved, context, now)
        if (run) started.push(asRun(run))
      }
      if (actor !== SYSTEM && started.length > 0)
        await note(state, now, actor, 'retention.run', started.map(({ id }) => id).join(' '))
      return { started, waiting }
    },

    /** {} -> the run that was taken one batch further, or null when none is open. */
    async retentionStep(_args, { state, now }) {
      const run = await openRun(state.db)
      if (!run) return null
      const resolved = policies.find(({ id }) => id === run.policy_id)
      if (!resolved || resolved.hash !== run.policy_hash) {
        await abandonRun(run, state.db, now)
        return { ...asRun(run), state: 'incomplete' }
      }
      return asRun(await stepRun(run, resolved, contextOf(state, run.as_of), now))
    },

    /** {subject?, class?, from?, to?, ref, reason} -> LegalHold */
    async setHold(args, { state, now, actor }) {
      const { db } = state
      const personId = args['subject'] === undefined ? null : await personOf(state, text(args, 'subject'))
      const kind = args['class'] === undefined ? null : dataClass(args['class'])
      const from = time(args, 'from')
      const to = time(args, 'to')
      if (personId === null && kind === null && from === null && to === null)
        throw new CommandError('INVALID', 'Say whom or what it is about: a subject, or a kind of data, from, to.')
      if (personId !== null && (kind !== null || from !== null || to !== null))
        throw new CommandError('INVALID', 'A hold is about a person or about a range, not both. Set two.')
      const row = {
        id: newId(now),
        kind: personId === null ? 'range' : 'person',
        person_id: personId,
        class: kind,
        from_at: from,
        to_at: to,
        ref: text(args, 'ref'),
        reason: text(args, 'reason'),
        set_by: actor,
        set_at: now,
        released_by: null,
        released_at: null,
        release_reason: null,
      }
      await db.insertInto('legal_holds').values(row).execute()
      // Neither the person nor the words of the proceeding: the entry stays for ever.
      await hubEntry(db, {
        type: 'hold.set',
        at: now,
        actor: 'agent',
        source: 'hub/retention',
        facts: { hold: row.id, kind: row.kind, ...(kind !== null && { class: kind }) },
      })
      await note(state, now, actor, 'hold.set', row.id)
      return asHold(row, personId === null ? new Map() : await subjectsOf(db, [personId]))
    },

    /** {id, reason} -> LegalHold */
    async releaseHold(args, { state, now, actor }) {
      const { db } = state
      const id = text(args, 'id')
      const row = await db.selectFrom('legal_holds').selectAll().where('id', '=', id).executeTakeFirst()
      if (!row) throw new CommandError('NOT_FOUND', 'No legal hold has this id.')
      if (row.released_at !== null) throw new CommandError('CONFLICT', 'This hold was released already.')
      const released = { released_by: actor, released_at: now, release_reason: text(args, 'reason') }
      await db.updateTable('legal_holds').set(released).where('id', '=', id).execute()
      await hubEntry(db, {
        type: 'hold.released',
        at: now,
        actor: 'agent',
        source: 'hub/retention',
        facts: { hold: id },
      })
      await note(state, now, actor, 'hold.release', id)
      return asHold({ ...row, ...released }, row.person_id === null ? new Map() : await subjectsOf(db, [row.person_id]))
    },
  }
}

/** The actor of runs that nobody asked for. */
export const SYSTEM = 'system'

/** @param subject a ledger subject or a person id, also one that was merged away. */
export async function personOf({ db }: Pick<StateStore, 'db'>, subject: string): Promise<string> {
  const node = await db.selectFrom('nodes').select('person_id').where('subject', '=', subject).executeTakeFirst()
  if (node) return node.person_id
  const person = await db
    .selectFrom('persons')
    .select(['id', 'merged_into'])
    .where('id', '=', subject)
    .executeTakeFirst()
  if (!person) throw new CommandError('NOT_FOUND', 'Nobody has this ledger subject or person id.')
  return person.merged_into ?? person.id
}

type Args = Readonly<Record<string, unknown>>

function text(args: Args, name: string): string {
  const value = args[name]
  if (typeof value !== 'string' || value.trim() === '') throw new CommandError('INVALID', `"${name}" must be a text.`)
  return value.trim()
}

function time(args: Args, name: string): number | null {
  if (args[name] === undefined || args[name] === null) return null
  const at = Date.parse(text(args, name))
  if (Number.isNaN(at)) throw new CommandError('INVALID', `"${name}" must be a time such as 2026-11-24T00:00:00-03:00.`)
  return at
}

function dataClass(value: unknown): DataClass {
  const found = DATA_CLASSES.find((name) => name === value)
  if (!found) throw new CommandError('INVALID', `"class" must be one of ${DATA_CLASSES.join(', ')}.`)
  return found
}

function list(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : undefined
}

async function note({ db }: StateStore, now: number, actor: string, act: string, target: string): Promise<void> {
  await db
    .insertInto('access_log')
    .values({ id: newId(now), at: now, actor, act, target })
    .execute()
}
