/** A backtest on a state that is open: in the hub's own thread with pauses, or in one of its own (thread.ts). */
import type { BacktestReport } from '../../schemas/backtest.ts'
import type { LoadedConfig } from '../config.ts'
import type { Keys } from '../keys.ts'
import { backtest } from '../replay/backtest.ts'
import { countPeople } from '../replay/history.ts'
import { prepareRule, type WantedRule } from '../replay/prepare.ts'
import type { StateStore } from '../stores/open.ts'
import type { Range, Running } from './jobs.ts'

export interface RunPorts {
  readonly config: LoadedConfig
  readonly state: StateStore
  readonly keys: Keys
}

/** @throws ConfigError when there is no such rule, or it has mistakes; when `stop` is aborted. */
export async function runBacktest(
  wanted: WantedRule,
  range: Range,
  { stop, onTotal, onPeople }: Running,
  { config, state, keys }: RunPorts,
): Promise<BacktestReport> {
  const { live, ...prepared } = await prepareRule(wanted, config, state, range.now)
  onTotal(await countPeople(state))
  return backtest({
    ...prepared,
    // Younger than the range: replayed as if it had always been there.
    ...(live && live.at <= range.from && { live }),
    ...range,
    state,
    keys,
    timezone: config.timezone,
    onPeople,
    stop,
  })
}
