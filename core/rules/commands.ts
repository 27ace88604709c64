/** Acts on rules, run between batches by the process role, each in one transaction with its record of who and why. */

import type { Rule, TestRecipient } from '../../schemas/rule.ts'
import type { RuleAdded, RuleVersionsAdded } from '../../schemas/rules.ts'
import type { LoadedConfig } from '../config.ts'
import { windowsDiffer } from '../decision/exclusion.ts'
import type { CompiledRule } from '../decision/index.ts'
import type { RuleDocument } from '../decision/load.ts'
import { ALL_RULES, type Stage } from '../decision/rollout.ts'
import type { Keys } from '../keys.ts'
import { ConfigError } from '../kit/errors.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { Db } from '../stores/open.ts'
import { readStages, readSwitches } from './book.ts'
import { addVersion, applyFiles, oneAtATime, setStage, setSwitch, stageWritten } from './publish.ts'
import { readRules } from './read.ts'
import { recipientHmacs } from './recipients.ts'
import { listRules, ruleDetail } from './views.ts'
import { cancelWaiting, holdWaiting, releaseWaiting } from './waiting.ts'

type Args = Readonly<Record<string, unknown>>

/** Why must be a sentence somebody can read a year later. */
const REASON_CHARACTERS = 5

function reasonOf(args: Args): string {
  const reason = typeof args['reason'] === 'string' ? args['reason'].trim() : ''
  if (reason.length < REASON_CHARACTERS)
    throw new CommandError('INVALID', `"reason" must say why, in at least ${REASON_CHARACTERS} characters.`)
  return reason.slice(0, 500)
}

function documentsOf(args: Args): RuleDocument[] {
  const documents = args['documents']
  if (!Array.isArray(documents) || documents.length === 0)
    throw new CommandError('INVALID', '"documents" must be a list of {file, text}.')
  return documents.map((document: Partial<RuleDocument>) => ({
    file: typeof document.file === 'string' ? document.file : 'rule.yaml',
    text: typeof document.text === 'string' ? document.text : '',
  }))
}

export function ruleCommands(config: LoadedConfig, keys: Keys): CommandHandlers {
  /** @throws CommandError with every mistake, each with file, line and column. */
  const read = (documents: readonly RuleDocument[]): CompiledRule[] => {
    try {
      const rules = readRules(documents, config)
      for (const { rule } of rules) recipientHmacs(rule.rollout?.recipients, keys, `rules/${rule.id}`)
      return rules
    } catch (error) {
      if (error instanceof ConfigError) throw new CommandError('INVALID', error.message)
      throw error
    }
  }
  const told = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (error instanceof ConfigError) throw new CommandError('CONFLICT', error.message)
      throw error
    }
  }

  return {
    /** New versions, as drafts unless their document says more; a version that is known already changes nothing. */
    async addRules(args, { state, actor, now }): Promise<RuleVersionsAdded> {
      const rules = read(documentsOf(args))
      if (rules.length === 0) throw new CommandError('INVALID', 'The documents hold no rule.')
      await oneAtATime(state.db, state.dialect)
      await groupsFit(rules, state.db)
      const dryRun = args['dryRun'] === true
      const versions: RuleAdded[] = []
      for (const compiled of rules) {
        const { rule } = compiled
        const isNew = await told(() => addVersion(state.db, compiled, 'api', { actor, now }, dryRun))
        const standing = (await readStages(state.db)).find(
          (row) => row.rule === rule.id && row.version === rule.version,
        )
        const written = rule.rollout ? stageWritten(rule) : { stage: standing?.stage ?? ('draft' as const), share: 1 }
        versions.push({ rule: rule.id, version: rule.version, isNew, stage: written.stage })
        if (dryRun || (standing && !rule.rollout)) continue
        await setStage(
          state.db,
          {
            rule: rule.id,
            version: rule.version,
            ...written,
            recipients: recipientHmacs(rule.rollout?.recipients, keys, `rules/${rule.id}`),
            act: standing ? 'publish' : 'add',
          },
          { actor, reason: typeof args['reason'] === 'string' ? args['reason'] : 'added', now },
        )
      }
      return { versions }
    },

    /** The configuration's rule files as they are now, without a restart. */
    async applyRules(args, { state, actor, now }): Promise<{ changes: Awaited<ReturnType<typeof applyFiles>> }> {
      const rules = read(args['documents'] === undefined ? [] : (args['documents'] as readonly RuleDocument[]))
      await oneAtATime(state.db, state.dialect)
      const reason = typeof args['reason'] === 'string' ? args['reason'] : 'anuente apply'
      const dryRun = args['dryRun'] === true
      const changes = await told(() => applyFiles(rules, state.db, { actor, reason, now }, keys, dryRun))
      return { changes }
    },

    listRules: (_args, { state, now }) => listRules(state.db, { now, timezone: config.timezone }),

    async showRule(args, { state, now }) {
      const detail = await ruleDetail(ruleArg(args), state.db, { now, timezone: config.timezone })
      if (!detail) throw new CommandError('NOT_FOUND', 'No rule has this id. `anuente rules list` shows them.')
      return detail
    },

    async publishRule(args, { state, actor, now }) {
      const reason = reasonOf(args)
      const rule = ruleArg(args)
      await oneAtATime(state.db, state.dialect)
      const version = await versionArg(args, rule, state.db)
      const stage = stageArg(args['stage'])
      const share = stage === 'live' ? shareArg(args['share']) : 1
      await stillFits(rule, version, state.db, read)
      const recipients = args['recipients']
      await setStage(
        state.db,
        {
          rule,
          version,
          stage,
          share,
          ...(Array.isArray(recipients) && { recipients: hmacs(recipients as TestRecipient[], keys) }),
        },
        { actor, reason, now },
      )
      return null
    },

    /** Back to an earlier version, for everybody at once. */
    async revertRule(args, { state, actor, now }) {
      const reason = reasonOf(args)
      const rule = ruleArg(args)
      await oneAtATime(state.db, state.dialect)
      const version =
        args['version'] === undefined ? await previousVersion(rule, state.db) : await versionArg(args, rule, state.db)
      await stillFits(rule, version, state.db, read)
      await setStage(state.db, { rule, version, stage: 'live', share: 1, act: 'revert' }, { actor, reason, now })
      return { version }
    },

    /** Nothing starts; instances whose time comes meanwhile end; deliveries that wait are held. */
    async pauseRule(args, { state, actor, now }) {
      const who = { actor, reason: reasonOf(args), now }
      const rule = await switchArg(args, state.db)
      await setSwitch(state.db, rule, 'paused', who)
      return { held: await holdWaiting(rule, state, now) }
    },

    /** Pauses and stops are taken back; what was held goes on, if it is still worth it. */
    async resumeRule(args, { state, actor, now }) {
      const who = { actor, reason: reasonOf(args), now }
      const rule = await switchArg(args, state.db)
      const switches = await readSwitches(state.db)
      if (!switches.has(rule)) throw new CommandError('CONFLICT', 'It is neither paused nor stopped.')
      await setSwitch(state.db, rule, 'running', who)
      return { released: await releaseWaiting(rule, state, now) }
    },

    /** Nothing starts, and what waits is cancelled. */
    async killRule(args, { state, actor, now }) {
      const who = { actor, reason: reasonOf(args), now }
      const rule = await switchArg(args, state.db)
      await setSwitch(state.db, rule, 'killed', who)
      return { cancelled: await cancelWaiting(rule, state, now) }
    },
  }
}

function hmacs(recipients: readonly TestRecipient[], keys: Keys): string[] {
  try {
    return recipientHmacs(recipients, keys, 'recipients')
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError('INVALID', error.message)
    throw error
  }
}

function ruleArg(args: Args): string {
  const { rule } = args as { rule?: unknown }
  if (typeof rule !== 'string' || rule === '') throw new CommandError('INVALID', '"rule" must name a rule.')
  return rule
}

async function switchArg(args: Args, db: Db): Promise<string> {
  const rule = ruleArg(args)
  if (rule === ALL_RULES) return rule
  const known = await db.selectFrom('rule_versions').select('rule').where('rule', '=', rule).executeTakeFirst()
  if (!known) throw new CommandError('NOT_FOUND', 'No rule has this id. GET /api/rules lists them.')
  return rule
}

async function versionArg(args: Args, rule: string, db: Db): Promise<number> {
  const rows = await db
    .selectFrom('rule_versions')
    .select('version')
    .where('rule', '=', rule)
    .orderBy('version', 'desc')
    .execute()
  const wanted = args['version'] === undefined ? rows[0]?.version : Number(args['version'])
  const found = rows.find(({ version }) => version === wanted)
  if (!found)
    throw new CommandError(
      'NOT_FOUND',
      rows.length === 0
        ? 'No rule has this id. GET /api/rules lists them.'
        : `This rule has no such version; it has ${rows.map(({ version }) => version).join(', ')}.`,
    )
  return found.version
}

function stageArg(value: unknown): Stage {
  if (value === 'draft' || value === 'test' || value === 'shadow' || value === 'live') return value
  throw new CommandError('INVALID', '"stage" must be draft, test, shadow or live.')
}

function shareArg(value: unknown): number {
  const share = value === undefined ? 1 : Number(value)
  // Kept in hundredths of a per cent: less would be nobody, and look like somebody.
  if (share >= 0.0001 && share <= 1) return share
  throw new CommandError('INVALID', '"share" must be between 0.0001 and 1, such as 0.01, 0.1 or 1 (1 %, 10 %, 100 %).')
}

/** The configuration may have changed since the version was added: what no longer fits is not published. */
async function stillFits(
  rule: string,
  version: number,
  db: Db,
  read: (documents: readonly RuleDocument[]) => readonly CompiledRule[],
): Promise<void> {
  const { body } = await db
    .selectFrom('rule_versions')
    .select('body')
    .where('rule', '=', rule)
    .where('version', '=', version)
    .executeTakeFirstOrThrow()
  await groupsFit(read([{ file: `${rule}@${version}`, text: body }]), db)
}

/**
 * One window for a group, also with rules that were published before and are not among these documents.
 * @throws CommandError
 */
async function groupsFit(rules: readonly CompiledRule[], db: Db): Promise<void> {
  if (rules.every(({ rule }) => !rule.group)) return
  const standing = await db
    .selectFrom('rule_rollouts')
    .innerJoin('rule_versions', (join) =>
      join
        .onRef('rule_versions.rule', '=', 'rule_rollouts.rule')
        .onRef('rule_versions.version', '=', 'rule_rollouts.version'),
    )
    .select(['rule_versions.rule', 'rule_versions.body'])
    .where('rule_rollouts.stage', 'in', ['test', 'live'])
    .execute()
  for (const { rule: own, positionOf } of rules)
    for (const { rule: id, body } of standing) {
      const { group } = JSON.parse(body) as Pick<Rule, 'group'>
      if (!own.group || group?.id !== own.group.id || rules.some(({ rule }) => rule.id === id)) continue
      if (!windowsDiffer(own.group, group)) continue
      const { file, line, column } = positionOf(['group', 'window'])
      throw new CommandError(
        'INVALID',
        `${file}:${line}:${column}: rule ${own.id}: group "${group.id}" has the window ${group.window} in rule ${id}, which is published, and ${own.group.window} here: write the same; to change it, send all rules of the group together with their "rollout"`,
      )
    }
}

/** The one that was live for everybody before the newest that was. */
async function previousVersion(rule: string, db: Db): Promise<number> {
  const rows = await db
    .selectFrom('rule_rollout_log')
    .select('version')
    .where('rule', '=', rule)
    .where('stage', '=', 'live')
    .where('version', 'is not', null)
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .execute()
  const current = (await readStages(db)).filter((row) => row.rule === rule && row.stage === 'live')
  // While a trial runs, the one to go back to is the one most people have.
  const base = current.find(({ share }) => share >= 1)
  const newest = rows[0]?.version
  if (base && newest !== undefined && newest !== base.version) return base.version
  const earlier = rows.find(({ version }) => version !== newest)?.version
  if (earlier === undefined || earlier === null)
    throw new CommandError('CONFLICT', 'No earlier version of this rule was live. Pause it, or name a version.')
  return earlier
}
