/** The deliver role: one line per destination, each on its own, so that a bad vendor stalls nobody else. */

import type { Purposes } from '../../consent/purposes.ts'
import type { LoadedConfig } from '../config.ts'
import { createKeepers } from '../connections/keepers.ts'
import { directWriter } from '../connections/writer.ts'
import { createAttemptWriter } from '../delivery/attempts.ts'
import { createBreaker } from '../delivery/breaker.ts'
import { createLimiter } from '../delivery/limiter.ts'
import { reachOf } from '../delivery/perform.ts'
import { forgetQuotas } from '../delivery/quotas.ts'
import type { Keys } from '../keys.ts'
import type { Transport } from '../kit/http.ts'
import { createTransport } from '../kit/transport.ts'
import type { LogReader } from '../log/event-log.ts'
import { deliver } from '../pipeline.ts'
import type { RuleBook } from '../rules/book.ts'
import type { LiveEvent } from '../server/context.ts'
import type { Action, DeliverPorts, Line } from '../stages/deliver-ports.ts'
import { faultOf } from '../stages/fault.ts'
import { recoverLeases, renewLeases, unparkHeads } from '../stages/lease.ts'
import { createLooks } from '../stages/permit.ts'
import { mayRepeat, type Settlement, writeSettlements } from '../stages/settle.ts'
import type { StateStore } from '../stores/open.ts'
import { type Alarm, createAlarm } from './alarm.ts'
import type { ProcessOptions } from './process.ts'
import { offersOf } from './surroundings.ts'

const IDLE_MS = 250
const SWEEP_MS = 5_000
/** Rounds of one destination at the same time: a slow answer holds up its own round only. */
const ROUNDS = 4

export interface DeliverOptions {
  readonly config: LoadedConfig
  readonly state: StateStore
  readonly keys: Keys
  readonly log: LogReader
  readonly purposes: Purposes
  readonly rules: RuleBook
  readonly clock: () => number
  readonly onLive: (events: readonly LiveEvent[]) => void
  readonly onCounts: ProcessOptions['onCounts']
  readonly onFault: ProcessOptions['onFault']
  /** For tests: another way to carry bytes. */
  readonly transportFor?: (destinationId: string) => Transport | undefined
}

export interface DeliverRole {
  wake(): void
  /** Resolves when no delivery is due and none is on its way. */
  drained(): Promise<void>
  stop(): Promise<void>
}

export async function startDeliver(options: DeliverOptions): Promise<DeliverRole> {
  const { config, state, clock } = options
  const lines = new Map<string, Line>()
  const stop = new AbortController()
  const keepers = createKeepers(config, {
    db: state.db,
    writer: directWriter(state, options.keys, clock),
    keys: options.keys,
    clock,
    transportFor: options.transportFor,
    onNeed: (id, problem) => options.onFault({ where: `connection ${id}`, name: 'NEEDS_CONNECTION', message: problem }),
  })
  for (const [id, destination] of config.destinationSettings) {
    const { definition, settings } = destination
    const { origin, hosts } = reachOf(definition, settings)
    lines.set(id, {
      destination,
      limiter: createLimiter(definition.limits),
      breaker: createBreaker(),
      transport:
        options.transportFor?.(id) ??
        createTransport({
          allowPrivate: config.config.network?.allow ?? [],
          hosts,
          ...(destination.config.sandbox !== undefined && {
            sandbox: { vendorOrigin: origin.origin, target: destination.config.sandbox },
          }),
          timeoutMs: 15_000,
        }),
      credentials: keepers.of(destination),
    })
  }
  const ports: DeliverPorts = {
    state,
    keys: options.keys,
    log: options.log,
    purposes: options.purposes,
    get rules() {
      return options.rules.now().rules
    },
    freshRules: () => options.rules.refresh(),
    timezone: config.timezone,
    offers: offersOf(config),
    lines,
    attempts: createAttemptWriter(state),
    looks: createLooks(),
    publicUrl: config.publicUrl,
    clock,
    tell: options.onLive,
    count: options.onCounts,
    fault: options.onFault,
    leases: new Set(),
    stop: stop.signal,
  }
  await recoverAttempts(ports)

  let stopped = false
  let asked = 0
  const loops = new Map<string, { readonly alarm: Alarm; emptySince: number }>()
  const drains: { readonly asked: number; readonly resolve: () => void }[] = []
  const wake = () => {
    for (const { alarm } of loops.values()) alarm.ring()
  }
  const answerDrains = () => {
    for (const drain of drains.splice(0))
      if ([...loops.values()].every(({ emptySince }) => emptySince >= drain.asked)) drain.resolve()
      else drains.push(drain)
  }

  /** One lease after the other, so that no two rounds want the same rows; the rounds themselves side by side. */
  const run = async (id: string, most: number) => {
    const loop = { alarm: createAlarm(), emptySince: -1 }
    loops.set(id, loop)
    const rounds = new Set<Promise<void>>()
    const begin = () =>
      new Promise<number>((resolve) => {
        const work = async () => {
          let leased = 0
          try {
            await deliver(id, ports, (count) => {
              leased = count
              if (count > 0) resolve(count)
            })
          } catch (error) {
            options.onFault(faultOf(`deliver ${id}`, error))
            await new Promise((after) => setTimeout(after, 500))
          }
          rounds.delete(round)
          // What it held up, or gave back, may go now.
          if (leased > 0) loop.alarm.ring()
          resolve(0)
        }
        const round = work()
        rounds.add(round)
      })
    while (!stopped) {
      const heard = asked
      const leased = await begin()
      if (leased > 0) {
        loop.emptySince = -1
        if (rounds.size >= most) await Promise.race(rounds)
        continue
      }
      if (rounds.size === 0) {
        loop.emptySince = heard
        answerDrains()
      }
      await loop.alarm.wait(IDLE_MS)
    }
    await Promise.all(rounds)
  }
  let sweeping = false
  const sweep = setInterval(async () => {
    if (sweeping) return
    sweeping = true
    try {
      await tidy(ports)
      wake()
    } catch (error) {
      options.onFault(faultOf('deliver', error))
    }
    sweeping = false
  }, SWEEP_MS)
  const running = [...lines].map(([id, { destination }]) =>
    run(id, Math.min(ROUNDS, destination.definition.limits.concurrency)),
  )

  return {
    wake,
    drained: () =>
      new Promise((resolve) => {
        if (loops.size === 0) return resolve()
        asked += 1
        drains.push({ asked, resolve })
        wake()
      }),
    async stop() {
      stopped = true
      stop.abort()
      clearInterval(sweep)
      wake()
      await Promise.all(running)
      for (const { limiter } of lines.values()) limiter.close()
      await keepers.close()
    },
  }
}

/** What rounds leave to be done from time to time: leases renewed and recovered, parked heads of lanes, old windows. */
export async function tidy(ports: DeliverPorts): Promise<void> {
  const now = ports.clock()
  await renewLeases(ports)
  await recoverAttempts(ports, now)
  await unparkHeads(ports.state, now)
  await forgetQuotas(
    [...ports.lines.values()].map(({ destination }) => destination),
    now,
    ports.state,
  )
}

/**
 * What was left `attempted` may have reached the vendor: its idempotency says whether it is sent again.
 * @param expired only leases that ran out by then; all of them, after a crash, when absent.
 */
export async function recoverAttempts(ports: DeliverPorts, expired?: number): Promise<void> {
  const now = ports.clock()
  const settlements: Settlement[] = []
  for (const row of await recoverLeases(ports.state, expired)) {
    const action = ports.lines.get(row.destination)?.destination.definition.actions[row.action] as Action | undefined
    const again = action !== undefined && mayRepeat(action, row, row.attempt, now)
    settlements.push({
      // Its attempt is already counted in the row; settling counts it as the one it was.
      row: { ...row, attempt: row.attempt - 1 },
      status: again ? 'retry' : 'uncertain',
      code: again ? 'RETRY' : 'UNCERTAIN',
      ...(again && { dueAt: now }),
      detail: expired === undefined ? 'the hub stopped before the answer came' : 'what the vendor answered was lost',
    })
  }
  if (settlements.length > 0)
    await writeSettlements(settlements, new Set(settlements.map(({ row }) => row.id)), now, ports)
}
