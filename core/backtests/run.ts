/** A backtest on a state that is open: in the hub's own thread with pauses, or in one of its own (thread.ts). */
import type { BacktestReport } from '../../schemas/backtest.ts'
import type { LoadedConfig } from '../config.ts'
import { ALL_RULES, Rollouts, type VersionStage } from '../decision/rollout.ts'
import type { Keys } from '../keys.ts'
import { ConfigError } from '../kit/errors.ts'
import { backtest } from '../replay/backtest.ts'
import { countPeople } from '../replay/history.ts'
import { prepareRule, type WantedRule } from '../replay/prepare.ts'
import { readSwitches, stoppedBy } from '../rules/book.ts'
import { recipientHmacs } from '../rules/recipients.ts'
import type { StateStore } from '../stores/open.ts'
import type { Range, Running } from './jobs.ts'

const shareOf = ({ stage, share }: VersionStage): number => (stage === 'live' ? share : 0)

/** Somebody paused or stopped the rule, or all of them, in the range; or it is so now. */
async function wasStopped(rule: string, { from, to }: Range, { db }: StateStore): Promise<boolean> {
  const now = await readSwitches(db)
  if (stoppedBy(now, rule)) return true
  const acts = await db
    .selectFrom('rule_rollout_log')
    .select('id')
    .where('rule', 'in', [rule, ALL_RULES])
    .where('act', 'in', ['pause', 'kill'])
    .where('at', '>=', from)
    .where('at', '<=', to)
    .limit(1)
    .execute()
  return acts.length > 0
}

export interface RunPorts {
  readonly config: LoadedConfig
  readonly state: StateStore
  readonly keys: Keys
}

/** @throws ConfigError when there is no such rule, or it has mistakes; when `stop` is aborted. */
export async function runBacktest(
  wanted: WantedRule,
  range: Range,
  { stop, onRule, onTotal, onPeople }: Running,
  { config, state, keys }: RunPorts,
): Promise<BacktestReport> {
  const { live, stage, settings, ...prepared } = await prepareRule(wanted, config, state, range.now)
  onRule(`${prepared.rule.rule.id}@${prepared.rule.rule.version}`)
  const asLive = range.share === 'live'
  if (asLive && !stage)
    throw new ConfigError(
      'this text is not live, so there is no share it is published at; leave the share out to try it on everybody',
      'share',
    )
  const shares = { tried: asLive ? shareOf(stage!) : 1, live: stage ? shareOf(stage) : null }
  const recipients = new Set(recipientHmacs(config.config.testRecipients, keys, 'testRecipients'))
  // The hub woke those alone for whom it was live.
  const wasSo = live && Math.max(live.at, stage!.since) <= range.from && (shares.live === 1 || asLive)
  onTotal(await countPeople(state))
  return backtest({
    ...prepared,
    settings: asLive
      ? { ...settings, rules: { ...settings.rules, rollouts: new Rollouts([stage!], new Map(), recipients) } }
      : settings,
    shares,
    stopped: await wasStopped(prepared.rule.rule.id, range, state),
    // Younger than the range: replayed as if it had always been there.
    ...(wasSo && { live }),
    ...range,
    state,
    keys,
    timezone: config.timezone,
    onPeople,
    stop,
  })
}
