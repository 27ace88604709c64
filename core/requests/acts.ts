/** What every act on a request shares: its row, the step of the state machine, the line in its log. */
import { move, type RequestAct } from '../../consent/requests/machine.ts'
import { IDENTIFIER_TYPES, type Identifier } from '../../schemas/event.ts'
import type { LoadedConfig } from '../config.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'
import { CommandError } from '../server/context.ts'
import type { Db, StateStore } from '../stores/open.ts'
import { factsOf, type RequestRow } from './rows.ts'
import { type RequestSettings, requestSettings } from './settings.ts'

export interface ActContext {
  readonly state: StateStore
  readonly db: Db
  readonly keys: Keys
  readonly settings: RequestSettings
  readonly actor: string
  /** Epoch milliseconds. */
  readonly now: number
}

/** Purposes are compiled once, when the first request comes. */
export function settingsMemo(config: LoadedConfig): () => RequestSettings {
  let settings: RequestSettings | undefined
  return () => {
    settings ??= requestSettings(config)
    return settings
  }
}

export async function demandRow(id: string, { db }: Pick<ActContext, 'db'>): Promise<RequestRow> {
  const row = await db.selectFrom('requests').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new CommandError('NOT_FOUND', 'No request has this id.')
  return row
}

const WORDS: Readonly<Record<string, string>> = {
  CLOSED: 'The request is over.',
  IDENTITY_NEEDED: 'First the identity has to be proven: record how it was checked.',
  NOT_APPROVED: 'An officer has to approve the plan first: name its hash.',
  OUT_OF_ORDER: 'Not possible in the state the request is in.',
  RECIPIENTS_OPEN: 'Not everybody who received the data has answered yet: finish their tasks first.',
}

/** One step: the state machine's answer, further columns, one line in the log. Repeating it changes nothing. */
export async function change(
  row: RequestRow,
  act: RequestAct,
  more: Partial<RequestRow>,
  context: ActContext,
  detail?: string,
): Promise<RequestRow> {
  const moved = move(factsOf(row), act, context.settings.approves(factsOf(row).right))
  if (!moved.ok) throw new CommandError(moved.code, WORDS[moved.code] ?? moved.code)
  if (row.closed_at !== null) return row
  const next: RequestRow = {
    ...row,
    ...more,
    state: moved.facts.state,
    assurance: moved.facts.assurance,
    ground: moved.facts.ground,
    outcome: moved.facts.outcome,
  }
  const { id, ...columns } = next
  await context.db.updateTable('requests').set(columns).where('id', '=', id).execute()
  if (moved.changed || Object.keys(more).length > 0) await lineOf(row, act.act, next.state, detail ?? null, context)
  return next
}

export async function lineOf(
  row: Pick<RequestRow, 'id' | 'state'>,
  what: string,
  to: string,
  detail: string | null,
  { db, actor, now }: Pick<ActContext, 'db' | 'actor' | 'now'>,
): Promise<void> {
  await db
    .insertInto('request_log')
    .values({ id: newId(now), request_id: row.id, at: now, actor, what, from_state: row.state, to_state: to, detail })
    .execute()
}

/** Normal forms. @throws CommandError naming the place, never the value. */
export function identifiersOf(value: unknown): Identifier[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new CommandError('INVALID', '"identifiers" must be a list.')
  return value.map((item: unknown, index) => {
    const { type, value: given } = (item ?? {}) as Record<string, unknown>
    const known = IDENTIFIER_TYPES.find((one) => one === type)
    const normal = known && normalizeIdentifier(known, given)
    if (!known || normal === undefined)
      throw new CommandError(
        'INVALID',
        `identifiers[${index}] (${String(known ?? 'no type')}) cannot identify anybody.`,
      )
    return { type: known, value: normal }
  })
}
