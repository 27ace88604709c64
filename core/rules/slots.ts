/**
 * Schedules: a slot of a rule is one run over all people, in pages by id. Where it stands moves in the transaction that
 * writes a page, by compare-and-set: a run that was killed goes on after its last page, and of two workers one writes
 * each page. A slot that was missed is made up for when it is the newest and not too late; others are written down.
 */
import type { Transaction } from 'kysely'
import type { RuleSet } from '../decision/index.ts'
import { nextSlot, slotsBetween } from '../decision/schedule.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { commitBatch } from '../stages/commit.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { Db, StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { loadBudgets } from './budgets.ts'
import { decideSlot, type ScheduledRule, scheduledRules } from './slot-turn.ts'

/** How late a slot may still begin, for a rule without `expires`; with it, that long. */
export const SLOT_TOLERANCE_MS = 3_600_000
const PEOPLE_PER_PAGE = 500
/** Missed slots that are written down one by one. */
const MISSED_TOLD = 50

/** The page was written by another process. Nothing was written here: look again. */
export class SlotTaken extends Error {
  override readonly name = 'SlotTaken'
}

/** A page of a slot, as it is written with what was decided. */
interface SlotMove {
  readonly rule: string
  readonly version: number
  readonly slot: number
  readonly from: string
  readonly to: string
  readonly people: number
  decided: number
  readonly done: boolean
}

interface Scheduled extends ScheduledRule {
  readonly toleranceMs: number
  /** Nothing is due before this. */
  quietUntil: number
}

const known = new WeakMap<RuleSet, Scheduled[]>()

function scheduledIn(rules: RuleSet, zone: string): Scheduled[] {
  let found = known.get(rules)
  if (!found) {
    found = scheduledRules(rules, zone).map((one) => ({
      ...one,
      toleranceMs: one.compiled.expiresMs ?? SLOT_TOLERANCE_MS,
      quietUntil: Number.NEGATIVE_INFINITY,
    }))
    known.set(rules, found)
  }
  return found
}

/**
 * Begins what is due and carries one page of a run on.
 * @param watermark everything received before it is processed, epoch ms.
 * @returns undefined when nothing was due.
 * @throws SlotTaken, PersonTaken, BudgetTaken: nothing was written.
 */
export async function fireSchedules(
  watermark: number,
  ports: ProcessPorts,
  peoplePerPage = PEOPLE_PER_PAGE,
): Promise<Batch | undefined> {
  const scheduled = scheduledIn(ports.settings.rules, ports.settings.timezone ?? 'America/Sao_Paulo')
  if (scheduled.length === 0) return undefined
  for (const one of scheduled) if (watermark >= one.quietUntil) await begin(one, watermark, ports)
  return carryOn(scheduled, peoplePerPage, ports)
}

/** Slots that came since the newest one anybody handled: the newest is run if it is not too late, the others are told. */
async function begin(one: Scheduled, watermark: number, ports: ProcessPorts): Promise<void> {
  const { db } = ports.state
  const { id, version } = one.compiled.rule
  const since = ports.settings.rules.rollouts?.stageOf(one.rule, version)?.since ?? 0
  const last = await db
    .selectFrom('rule_slots')
    .select(({ fn }) => fn.max('slot').as('slot'))
    .where('rule', '=', id)
    .where('version', '=', version)
    .executeTakeFirst()
  const after = Math.max(since, Number(last?.slot ?? 0))
  const due = slotsBetween(one.schedule, after, watermark, MISSED_TOLD)
  const stopped = ports.settings.rules.rollouts?.stopped(one.rule)
  const now = ports.clock()
  for (const [index, slot] of due.entries()) {
    const reason = stopped ?? (index === due.length - 1 && now - slot <= one.toleranceMs ? null : 'LATE')
    await db
      .insertInto('rule_slots')
      .values({
        rule: id,
        version,
        slot,
        state: reason === null ? 'running' : 'skipped',
        place: '',
        started_at: now,
        moved_at: now,
        finished_at: reason === null ? null : now,
        people: 0,
        decided: 0,
        reason,
      })
      .onConflict((conflict) => conflict.columns(['rule', 'version', 'slot']).doNothing())
      .execute()
  }
  one.quietUntil = nextSlot(one.schedule, Math.max(after, watermark)) ?? Number.POSITIVE_INFINITY
}

/** The oldest slot first, and of one moment the rule with the highest priority. */
async function carryOn(
  scheduled: readonly Scheduled[],
  peoplePerPage: number,
  ports: ProcessPorts,
): Promise<Batch | undefined> {
  const running = await ports.state.db.selectFrom('rule_slots').selectAll().where('state', '=', 'running').execute()
  if (running.length === 0) return undefined
  const placeOf = ({ rule, version }: Tables['rule_slots']) =>
    scheduled.findIndex(({ compiled }) => compiled.rule.id === rule && compiled.rule.version === version)
  const now = ports.clock()
  for (const row of running.sort((a, b) => a.slot - b.slot || placeOf(a) - placeOf(b))) {
    const one = scheduled[placeOf(row)]
    const stopped = one && ports.settings.rules.rollouts?.stopped(one.rule)
    const late = now - row.moved_at > (one?.toleranceMs ?? 0)
    if (!one || stopped === 'KILLED' || late) {
      await cut(row, one ? (stopped ?? 'LATE') : 'NOT_PUBLISHED', now, ports.state.db)
      continue
    }
    if (!stopped) return page(row, one, peoplePerPage, now, ports)
  }
  return undefined
}

async function cut(row: Tables['rule_slots'], reason: string, now: number, db: Db): Promise<void> {
  await db
    .updateTable('rule_slots')
    .set({ state: 'cut', finished_at: now, reason })
    .where('rule', '=', row.rule)
    .where('version', '=', row.version)
    .where('slot', '=', row.slot)
    .where('state', '=', 'running')
    .execute()
}

async function page(
  row: Tables['rule_slots'],
  one: Scheduled,
  peoplePerPage: number,
  now: number,
  ports: ProcessPorts,
): Promise<Batch> {
  const { state, keys, settings } = ports
  const batch = new Batch(now, keys, settings.privacy)
  const ids = (
    await state.db
      .selectFrom('persons')
      .select('id')
      .where('id', '>', row.place)
      .where('merged_into', 'is', null)
      .orderBy('id')
      .limit(peoplePerPage)
      .execute()
  ).map(({ id }) => id)
  await loadPeople(batch, state, [], ids)
  await loadBudgets(settings.rules, batch.budgets, state.db)
  const move: SlotMove = {
    rule: row.rule,
    version: row.version,
    slot: row.slot,
    from: row.place,
    to: ids.at(-1) ?? row.place,
    people: ids.length,
    decided: 0,
    done: ids.length < peoplePerPage,
  }
  for (const id of ids) {
    const person = batch.persons.get(id)
    if (person && decideSlot(person, one, row.slot, batch, settings)) move.decided += 1
  }
  await commitBatch(batch, state, undefined, (trx) => moveSlot(move, now, trx))
  return batch
}

/** Called in the transaction of the page. @throws SlotTaken */
async function moveSlot(
  { rule, version, slot, from, to, people, decided, done }: SlotMove,
  now: number,
  trx: Transaction<Tables>,
): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('rule_slots')
    .set(({ eb }) => ({
      place: to,
      moved_at: now,
      people: eb('people', '+', people),
      decided: eb('decided', '+', decided),
      ...(done && { state: 'done', finished_at: now }),
    }))
    .where('rule', '=', rule)
    .where('version', '=', version)
    .where('slot', '=', slot)
    .where('place', '=', from)
    .where('state', '=', 'running')
    .executeTakeFirst()
  if (Number(numUpdatedRows) !== 1) throw new SlotTaken(`a page of rule ${rule} was written by another process`)
}

export async function forgetSlots({ db }: Pick<StateStore, 'db'>, now: number): Promise<void> {
  await db
    .deleteFrom('rule_slots')
    .where('state', '<>', 'running')
    .where('slot', '<', now - 400 * 86_400_000)
    .execute()
}
