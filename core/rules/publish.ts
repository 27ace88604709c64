/** Changes of what is published. Each is written down with who, when and why, in the transaction that makes it. */
import type { Transaction } from 'kysely'
import type { Rule } from '../../schemas/rule.ts'
import type { CompiledRule } from '../decision/index.ts'
import { ALL_RULES, type Stage } from '../decision/rollout.ts'
import { versionText } from '../decision/ruleset.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { ConfigError } from '../kit/errors.ts'
import { type Db, type StateStore, sql } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { passRevision, readStages, type StageRow } from './book.ts'
import { recipientHmacs } from './recipients.ts'

export interface Who {
  readonly actor: string
  readonly reason: string
  readonly now: number
}

export interface StageChange {
  readonly rule: string
  readonly version: number
  readonly stage: Stage
  /** 0 to 1; 1 when absent. */
  readonly share?: number
  /** HMACs; those it has stay when absent. */
  readonly recipients?: readonly string[]
  /** The word in the log; publish when absent. */
  readonly act?: string
}

/** Puts a version where it shall be, and others of its rule out of its way. */
export async function setStage(db: Db, change: StageChange, who: Who): Promise<void> {
  const { rule, version, stage, share = 1, act = 'publish' } = change
  const stages = (await readStages(db)).filter((row) => row.rule === rule)
  for (const other of stages) {
    const next = other.version === version ? undefined : standAside(other, stage, share)
    if (next)
      await write(
        db,
        { ...other, stage: next, shadowed: other.shadowed || other.stage === 'shadow' },
        {
          ...who,
          act: 'retire',
          reason: `version ${version}: ${who.reason}`,
        },
      )
  }
  const before = stages.find((row) => row.version === version)
  await write(
    db,
    {
      rule,
      version,
      stage,
      share,
      recipients: change.recipients ?? [...(before?.recipients ?? [])],
      shadowed: stage === 'shadow' || before?.shadowed === true,
    },
    { ...who, act },
  )
  await passRevision(db, who.now)
}

/** What becomes of another version: one is live for everybody, one is tried, one is a shadow. */
function standAside(other: StageRow, stage: Stage, share: number): Stage | undefined {
  if (stage === 'shadow') return other.stage === 'shadow' ? 'draft' : undefined
  if (stage !== 'live' && stage !== 'test') return undefined
  const everybody = stage === 'live' && share >= 1
  if (other.stage === 'live' && (everybody || other.share < 1)) return 'retired'
  if (other.stage === 'test') return 'draft'
  return undefined
}

async function write(
  db: Db,
  row: Pick<StageRow, 'rule' | 'version' | 'stage' | 'share' | 'shadowed'> & { readonly recipients: Iterable<string> },
  { actor, reason, now, act }: Who & { readonly act: string },
): Promise<void> {
  const values = {
    stage: row.stage,
    share: Math.round(row.share * 10_000),
    recipients: JSON.stringify([...row.recipients]),
    shadowed: row.shadowed ? 1 : 0,
    since: now,
    actor,
    reason,
  }
  await db
    .insertInto('rule_rollouts')
    .values({ rule: row.rule, version: row.version, ...values })
    .onConflict((conflict) => conflict.columns(['rule', 'version']).doUpdateSet(values))
    .execute()
  await note(
    db,
    { rule: row.rule, version: row.version, act, stage: row.stage, share: values.share },
    { actor, reason, now },
  )
}

export async function note(
  db: Db,
  what: { rule: string; version?: number; act: string; stage?: string; share?: number },
  { actor, reason, now }: Who,
): Promise<void> {
  await db
    .insertInto('rule_rollout_log')
    .values({
      id: newId(now),
      rule: what.rule,
      version: what.version ?? null,
      at: now,
      actor,
      act: what.act,
      stage: what.stage ?? null,
      share: what.share ?? null,
      reason,
    })
    .execute()
}

/**
 * Remembers a version. @returns whether it is new.
 * @throws ConfigError when a version of this number reads differently: running instances must keep theirs.
 */
export async function addVersion(
  db: Db,
  { rule, hash }: Pick<CompiledRule, 'rule' | 'hash'>,
  origin: 'file' | 'api',
  { actor, now }: Pick<Who, 'actor' | 'now'>,
  dryRun = false,
): Promise<boolean> {
  const known = await db
    .selectFrom('rule_versions')
    .select('hash')
    .where('rule', '=', rule.id)
    .where('version', '=', rule.version)
    .executeTakeFirst()
  if (known && known.hash !== hash)
    throw new ConfigError(
      `rule ${rule.id} version ${rule.version} was changed without a new version: raise "version", so that running instances keep theirs`,
      `rules/${rule.id}`,
    )
  if (known || dryRun) return !known
  await db
    .insertInto('rule_versions')
    .values({
      rule: rule.id,
      version: rule.version,
      hash,
      body: JSON.stringify(versionText(rule)),
      loaded_at: now,
      origin,
      added_by: actor,
    })
    .onConflict((conflict) => conflict.columns(['rule', 'version']).doNothing())
    .execute()
  return true
}

/** What a document says about how far its version is published; live for everybody when it says nothing. */
export function stageWritten({ rollout }: Rule): { readonly stage: Stage; readonly share: number } {
  return { stage: rollout?.stage ?? 'live', share: rollout?.share ?? 1 }
}

export interface FileChange {
  readonly rule: string
  readonly version: number
  readonly change: 'added' | 'published' | 'retired'
  readonly stage: Stage
  readonly share: number
}

/**
 * The configuration's rules, at a start and by `anuente apply`. Only what the files say anew is acted on: what was
 * paused or published otherwise since stays so until a file changes. A rule that left the files is retired.
 * @throws ConfigError when a version was changed without a new number.
 */
export async function applyFiles(
  rules: readonly CompiledRule[],
  db: Db,
  who: Who,
  keys: Pick<Keys, 'identifier'> | undefined,
  dryRun = false,
): Promise<FileChange[]> {
  const changes: FileChange[] = []
  const before = new Map((await db.selectFrom('rule_files').selectAll().execute()).map((row) => [row.rule, row]))
  for (const compiled of rules) {
    const { rule } = compiled
    const isNew = await addVersion(db, compiled, 'file', who, dryRun)
    const written = stageWritten(rule)
    const recipients = keys ? recipientHmacs(rule.rollout?.recipients, keys, `rules/${rule.id}`) : []
    const rollout = JSON.stringify({ ...written, recipients })
    const known = before.get(rule.id)
    before.delete(rule.id)
    if (known?.version === rule.version && known.rollout === rollout) continue
    changes.push({ rule: rule.id, version: rule.version, change: isNew ? 'added' : 'published', ...written })
    if (dryRun) continue
    await setStage(db, { rule: rule.id, version: rule.version, ...written, recipients }, who)
    await db
      .insertInto('rule_files')
      .values({ rule: rule.id, version: rule.version, rollout })
      .onConflict((conflict) => conflict.column('rule').doUpdateSet({ version: rule.version, rollout }))
      .execute()
  }
  for (const { rule } of before.values()) {
    for (const row of await readStages(db)) {
      if (row.rule !== rule || row.stage === 'draft' || row.stage === 'retired') continue
      changes.push({ rule, version: row.version, change: 'retired', stage: 'retired', share: row.share })
      if (dryRun) continue
      await setStage(
        db,
        { rule, version: row.version, stage: 'retired', share: row.share, act: 'retire' },
        { ...who, reason: 'no file names this rule any more' },
      )
    }
    if (!dryRun) await db.deleteFrom('rule_files').where('rule', '=', rule).execute()
  }
  return changes
}

/** At a start: several processes with one configuration do it one after the other. */
export async function publishFiles(
  rules: readonly CompiledRule[],
  state: StateStore,
  now: number,
  keys?: Pick<Keys, 'identifier'>,
): Promise<void> {
  await state.transaction(async (trx) => {
    await oneAtATime(trx, state.dialect)
    await applyFiles(rules, trx, { actor: 'configuration', reason: 'start with this configuration', now }, keys)
  })
}

export async function oneAtATime(trx: Transaction<Tables> | Db, dialect: StateStore['dialect']): Promise<void> {
  if (dialect === 'postgres') await sql`select pg_advisory_xact_lock(7300412)`.execute(trx)
}

/** Stops a rule or, with `*`, all of them; `running` takes the switch back. */
export async function setSwitch(db: Db, rule: string, state: 'paused' | 'killed' | 'running', who: Who): Promise<void> {
  if (state === 'running') await db.deleteFrom('rule_switches').where('rule', '=', rule).execute()
  else {
    const values = { state, at: who.now, actor: who.actor, reason: who.reason }
    await db
      .insertInto('rule_switches')
      .values({ rule, ...values })
      .onConflict((conflict) => conflict.column('rule').doUpdateSet(values))
      .execute()
  }
  const act = state === 'paused' ? 'pause' : state === 'killed' ? 'kill' : 'resume'
  await note(db, { rule, act }, who)
  await passRevision(db, who.now)
}

export const isAll = (rule: string): boolean => rule === ALL_RULES
