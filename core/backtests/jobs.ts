/** Backtests that somebody asked a running hub for: one at a time, counted while it runs, cancelled at any moment. */
import type { BacktestJob, BacktestReport } from '../../schemas/backtest.ts'
import { newId } from '../ids.ts'
import type { WantedRule } from '../replay/prepare.ts'

/** Epoch milliseconds. */
export interface Range {
  readonly from: number
  readonly to: number
  readonly now: number
  /** all, the default: as if it were published for everybody; live: for those it is published for. */
  readonly share?: 'all' | 'live'
}

export interface Running {
  readonly stop: AbortSignal
  /** Told which version is tried, as id@version. */
  onRule(name: string): void
  onTotal(people: number): void
  onPeople(people: number): void
}

/** Rejects when `stop` is aborted. */
export type RunBacktest = (wanted: WantedRule, range: Range, running: Running) => Promise<BacktestReport>

export interface BacktestDesk {
  /** @returns undefined while another one runs. */
  start(wanted: WantedRule, range: Range, actor: string): BacktestJob | undefined
  /** Newest first, without their reports. */
  list(): BacktestJob[]
  get(id: string): { readonly job: BacktestJob; readonly report: BacktestReport | null } | undefined
  /** @returns undefined when there is none; the job as it stands when it had ended already. */
  cancel(id: string): BacktestJob | undefined
  /** Ends what runs. */
  close(): Promise<void>
}

/** Results are kept in memory: a report is made again from history at any time. */
const KEPT = 20

interface Held {
  job: BacktestJob
  report: BacktestReport | null
  readonly stop: AbortController
  readonly ended: Promise<void>
}

export function createBacktestDesk(run: RunBacktest, clock: () => number): BacktestDesk {
  const held = new Map<string, Held>()
  const iso = () => new Date(clock()).toISOString()
  const running = () => [...held.values()].find(({ job }) => job.status === 'running')

  return {
    start(wanted, range, actor) {
      if (running()) return undefined
      const stop = new AbortController()
      const id = newId(clock())
      const change = (more: Partial<BacktestJob>) => {
        entry.job = { ...entry.job, ...more }
      }
      const work = async (): Promise<void> => {
        // The caller has the job before anything of it happens.
        await Promise.resolve()
        try {
          const report = await run(wanted, range, {
            stop: stop.signal,
            onRule: (rule) => {
              if ('id' in wanted) change({ rule })
            },
            onTotal: (total) => change({ people: { ...entry.job.people, total } }),
            onPeople: (count) => {
              const { done, total } = entry.job.people
              change({ people: { done: done + count, total } })
            },
          })
          if (stop.signal.aborted) return
          entry.report = report
          change({ status: 'done', endedAt: iso() })
        } catch (error) {
          if (stop.signal.aborted) return
          const isClear = error instanceof Error && error.name === 'ConfigError'
          change({
            status: 'failed',
            endedAt: iso(),
            error: isClear
              ? error.message
              : `The backtest failed (${error instanceof Error ? error.name : 'unknown'}).`,
          })
        }
      }
      const entry: Held = {
        job: {
          id,
          rule: 'id' in wanted ? wanted.id : null,
          from: new Date(range.from).toISOString(),
          to: new Date(range.to).toISOString(),
          status: 'running',
          startedBy: actor,
          startedAt: iso(),
          endedAt: null,
          people: { done: 0, total: null },
          error: null,
        },
        report: null,
        stop,
        ended: Promise.resolve().then(work),
      }
      held.set(id, entry)
      for (const old of [...held.keys()].slice(0, -KEPT)) held.delete(old)
      return entry.job
    },
    list: () => [...held.values()].map(({ job }) => job).reverse(),
    get(id) {
      const found = held.get(id)
      return found && { job: found.job, report: found.report }
    },
    cancel(id) {
      const found = held.get(id)
      if (found?.job.status === 'running') {
        found.job = { ...found.job, status: 'cancelled', endedAt: iso() }
        found.stop.abort()
      }
      return found?.job
    },
    async close() {
      const last = running()
      if (!last) return
      last.job = { ...last.job, status: 'cancelled', endedAt: iso() }
      last.stop.abort()
      await last.ended
    },
  }
}
