/** The process role: reads the log, runs the pipeline batch by batch, fires timers, carries out admin commands between batches. */

import { createAudienceKeeper } from '../audiences/passes.ts'
import { capMemoryMs } from '../decision/index.ts'
import { offerMemoryMs } from '../decision/offers.ts'
import type { Keys } from '../keys.ts'
import { ConfigError } from '../kit/errors.ts'
import { createKeeper } from '../ledger/keeper.ts'
import { ensureLedger } from '../ledger/keyring.ts'
import type { LedgerSettings } from '../ledger/settings.ts'
import type { LogReader, Positioned } from '../log/event-log.ts'
import { fireTimers, process } from '../pipeline.ts'
import { createRetentionKeeper } from '../retention/keeper.ts'
import type { PublishedRules, RuleBook } from '../rules/book.ts'
import { BudgetTaken, forgetBudgets } from '../rules/budgets.ts'
import { fireSchedules, forgetSlots, SlotTaken } from '../rules/slots.ts'
import {
  type Command,
  CommandError,
  type CommandHandlers,
  type CommandResult,
  type LiveEvent,
} from '../server/context.ts'
import { Batch } from '../stages/batch.ts'
import { commitBatch, PositionTaken } from '../stages/commit.ts'
import { dayOf, dropOldDedupeTables, ensureDedupeTable } from '../stages/deduplicate.ts'
import { type Fault, faultOf, isStorageFault } from '../stages/fault.ts'
import { createSealKeys, expireSealed } from '../stages/hold.ts'
import { PersonTaken } from '../stages/lock.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { propagate } from '../stages/propagate.ts'
import { moveQuarantined } from '../stages/quarantine.ts'
import type { StateStore } from '../stores/open.ts'
import { createAlarm } from './alarm.ts'

const BATCH = 512
const IDLE_MS = 250
const HOUSEKEEPING_MS = 60_000
const TRIES = 3
const ROLLUP_KEPT_MINUTES = 400 * 24 * 60

export interface ProcessOptions {
  readonly state: StateStore
  readonly keys: Keys
  readonly log: LogReader
  /** Rules as they are published, and what follows from them: asked again between batches. */
  readonly rules: RuleBook
  readonly settingsFor: (published: PublishedRules) => ProcessPorts['settings']
  readonly ledger: LedgerSettings
  /** Names the ledger, the first time. */
  readonly publicUrl: string
  readonly commands: CommandHandlers
  readonly clock: () => number
  /** The state committed everything below `position`; these fences have done their work. */
  readonly onCommitted: (position: number, fences: readonly string[]) => void
  readonly onLive: (events: readonly LiveEvent[]) => void
  /** `minute\0origin\0code` -> how many more. */
  readonly onCounts: (counts: ReadonlyMap<string, number>) => void
  /** There may be something to deliver. */
  readonly onDeliveries: () => void
  /** A fault that is nobody's input: class and code only. */
  readonly onFault: (fault: Fault) => void
}

export interface ProcessRole {
  wake(): void
  run(command: Command): Promise<CommandResult>
  /** Resolves when everything recorded so far is processed and due timers have fired. */
  drained(): Promise<void>
  stop(): Promise<void>
}

export async function startProcess(options: ProcessOptions): Promise<ProcessRole> {
  const { state, keys, log, clock } = options
  let ports: ProcessPorts = {
    state,
    keys,
    sealKeys: createSealKeys(state, keys),
    logId: log.logId,
    settings: options.settingsFor(options.rules.now()),
    clock,
  }
  /** A rule that was published, paused or stopped, here or in another process, is so from the next batch on. */
  const refresh = async () => {
    if (await options.rules.refresh()) ports = { ...ports, settings: options.settingsFor(options.rules.now()) }
  }
  await ensureLedger(state, keys, options.publicUrl, clock())
  const keeper = createKeeper({ state, keys, anchorFolder: options.ledger.anchorFolder }, (error) =>
    options.onFault(faultOf('ledger', error)),
  )
  const retention =
    'retentionStep' in options.commands
      ? createRetentionKeeper(state, options.commands, (fresh) => {
          // Names of fields and sources, never a value: somebody has to hear of it.
          for (const { kind, subject } of fresh) options.onFault({ where: 'drift', name: kind, message: subject })
        })
      : undefined
  let position = await startPosition(state, log.logId)
  const audiences = createAudienceKeeper(() => ports)
  await audiences.begin()
  let stopped = false
  const alarm = createAlarm()
  let housekeepingAt = 0
  const waiting: { command: Command; resolve: (result: CommandResult) => void }[] = []
  const drains: (() => void)[] = []
  await ensureDedupeTable(state.db, state.dialect, dayOf(clock()))

  const publish = (batch: Batch) => {
    options.onCounts(new Map(batch.counts))
    if (batch.live.length > 0) options.onLive(batch.live.slice(-500))
    if (batch.rows.deliveries.length > 0) options.onDeliveries()
  }

  const take = async (inputs: readonly Positioned[]): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        const batch = await process(inputs, position, ports)
        position = inputs.at(-1)!.position + 1
        options.onCommitted(position, batch.finishedFences)
        publish(batch)
        return
      } catch (error) {
        // Another process wrote these people in between: again, with what it wrote.
        if (error instanceof PersonTaken || error instanceof BudgetTaken) {
          tries = 0
          continue
        }
        if (error instanceof PositionTaken) {
          position = await startPosition(state, log.logId)
          return
        }
        options.onFault(faultOf('process', error))
        if (isStorageFault(error)) {
          // The database is the trouble, not an event: wait for it, for ever.
          await new Promise((resolve) => setTimeout(resolve, Math.min(5_000, 200 * tries)))
          if (stopped) return
          continue
        }
        if (inputs.length > 1) {
          // One of them is poison: halves find it, and its neighbours go on.
          const middle = Math.ceil(inputs.length / 2)
          await take(inputs.slice(0, middle))
          await take(inputs.slice(middle))
          return
        }
        if (tries >= TRIES) return setAside(inputs[0]!)
      }
    }
  }

  /** Who lost to another process looks again: what is still due then is due. */
  const fire = async (watermark: number): Promise<Batch | undefined> => {
    for (;;) {
      try {
        return await fireTimers(watermark, ports)
      } catch (error) {
        if (!(error instanceof PersonTaken || error instanceof BudgetTaken)) throw error
      }
    }
  }

  /** One page of a schedule at a time, so that events are never kept waiting by it. */
  const fireSlots = async (watermark: number): Promise<Batch | undefined> => {
    for (;;) {
      try {
        return await fireSchedules(watermark, ports)
      } catch (error) {
        if (!(error instanceof SlotTaken || error instanceof PersonTaken || error instanceof BudgetTaken)) throw error
      }
    }
  }

  /** A poison event goes to quarantine with its fences and does not stop its partition. */
  const setAside = async (input: Positioned): Promise<void> => {
    const batch = new Batch(clock(), keys)
    await moveQuarantined([input], batch, ports, input.record.kind === 'event' ? 'POISON' : input.record.code)
    if (input.record.kind === 'event') batch.count(`source:${input.record.event.source.id}`, 'POISON')
    await commitBatch(batch, state, { partition: 0, logId: log.logId, from: position, to: input.position + 1 })
    position = input.position + 1
    options.onCommitted(position, [])
    publish(batch)
  }

  const runCommand = async (command: Command): Promise<CommandResult> => {
    const handler = options.commands[command.name]
    if (!handler) return { ok: false, code: 'UNKNOWN_COMMAND', message: `there is no command ${command.name}` }
    try {
      const value = await state.transaction((trx) =>
        handler(command.args, {
          state: { ...state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
          actor: command.actor,
          now: clock(),
        }),
      )
      return { ok: true, value }
    } catch (error) {
      if (error instanceof CommandError) return { ok: false, code: error.code, message: error.message }
      options.onFault(faultOf(`command ${command.name}`, error))
      return { ok: false, code: 'INTERNAL', message: 'the hub could not do this; its log says why' }
    }
  }

  const housekeeping = async (now: number) => {
    housekeepingAt = now + HOUSEKEEPING_MS
    await expireSealed(state, now)
    await dropOldDedupeTables(state, now)
    await ensureDedupeTable(state.db, state.dialect, dayOf(now + 86_400_000))
    await state.db
      .deleteFrom('rollups')
      .where('minute', '<', Math.floor(now / 60_000) - ROLLUP_KEPT_MINUTES)
      .execute()
    await state.db
      .deleteFrom('plan_violations')
      .where('day', '<', Math.floor(now / 86_400_000) - ROLLUP_KEPT_MINUTES / (24 * 60))
      .execute()
    await state.db
      .deleteFrom('consent_gaps')
      .where('day', '<', Math.floor(now / 86_400_000) - ROLLUP_KEPT_MINUTES / (24 * 60))
      .execute()
    await state.db
      .deleteFrom('history_inputs')
      .where('at', '<', now - ROLLUP_KEPT_MINUTES * 60_000)
      .execute()
    await state.db
      .deleteFrom('caps')
      .where(
        'at',
        '<',
        now - Math.max(capMemoryMs(options.rules.now().kept), offerMemoryMs(ports.settings.offers?.values() ?? [])),
      )
      .execute()
    await forgetBudgets(state.db, now)
    await forgetSlots(state, now)
    await state.db.deleteFrom('echoes').where('expires_at', '<=', now).execute()
    await state.db.deleteFrom('sessions').where('expires_at', '<=', now).execute()
    // An idle hub closes its open segment too.
    options.onCommitted(position, [])
  }

  const loop = async () => {
    while (!stopped) {
      for (const { command, resolve } of waiting.splice(0)) {
        resolve(await runCommand(command))
        options.onDeliveries()
      }
      const before = clock()
      let worked = false
      // Whoever asks while this round runs is answered by the next one: it may not have seen their events.
      const asked = drains.splice(0)
      try {
        await refresh()
        const inputs = log.read(position, BATCH)
        if (inputs.length > 0) {
          worked = true
          await take(inputs)
        }
        // A timer fires only when everything received before it has been processed.
        const last = inputs.at(-1)
        const watermark = last ? Math.min(before, receivedAt(last)) : before
        const passedOn = await propagate(ports)
        if (passedOn > 0) {
          worked = true
          options.onDeliveries()
        }
        const fired = await fire(watermark)
        if (fired) {
          worked = true
          publish(fired)
        }
        const scheduled = await fireSlots(watermark)
        if (scheduled) {
          worked = true
          publish(scheduled)
        }
        if (await keeper.round(before, !worked)) worked = true
        if (await retention?.round(before, !worked)) worked = true
        const passed = worked ? undefined : await audiences.round()
        if (passed) {
          worked = true
          publish(passed)
        }
        if (!worked && before >= housekeepingAt) await housekeeping(before)
      } catch (error) {
        options.onFault(faultOf('process', error))
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
      if (worked || waiting.length > 0) {
        drains.push(...asked)
        continue
      }
      for (const resolve of asked) resolve()
      if (drains.length > 0) continue
      await alarm.wait(IDLE_MS)
    }
    for (const { resolve } of waiting.splice(0))
      resolve({ ok: false, code: 'STOPPING', message: 'the hub is stopping; try again' })
  }
  const running = loop()

  return {
    wake: () => alarm.ring(),
    run: (command) =>
      new Promise((resolve) => {
        waiting.push({ command, resolve })
        alarm.ring()
      }),
    drained: () =>
      new Promise((resolve) => {
        drains.push(resolve)
        alarm.ring()
      }),
    async stop() {
      stopped = true
      alarm.ring()
      await running
    },
  }
}

function receivedAt({ record }: Positioned): number {
  return Date.parse(record.kind === 'event' ? record.event.receivedAt : record.receivedAt)
}

async function startPosition(state: StateStore, logId: string): Promise<number> {
  const row = await state.db
    .selectFrom('positions')
    .select(['log_id', 'position'])
    .where('partition', '=', 0)
    .executeTakeFirst()
  if (!row) {
    await state.db.insertInto('positions').values({ partition: 0, log_id: logId, position: 0 }).execute()
    return 0
  }
  if (row.log_id !== logId)
    throw new ConfigError(
      'The state belongs to another log: state.db and log.db are not of one hub. Restore both from one backup.',
    )
  return row.position
}
