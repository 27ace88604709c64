/** Whose turn it is to ask a source, and how far it came. One asks at a time, however many processes there are. */
import { newId } from '../ids.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'

/** A run that says nothing for so long has died. Each page on disk is a sign of life. */
export const LEASE_MS = 5 * 60_000
const FIRST_RETRY_MS = 30_000
const LONGEST_RETRY_MS = 3600_000

export interface PollTurn {
  readonly token: string
  readonly cursor: unknown
}

const text = (value: unknown, name: string): string => {
  if (typeof value !== 'string' || value === '') throw new CommandError('INVALID', `"${name}" must be a text.`)
  return value
}

export const pollCommands: CommandHandlers = {
  /** `{source, force?}` → PollTurn, or null when it is not due or somebody else is at it. */
  async beginPoll(args, { state, now }): Promise<PollTurn | null> {
    const source = text(args['source'], 'source')
    await state.db
      .insertInto('polls')
      .values({
        source_id: source,
        cursor: null,
        token: null,
        leased_until: 0,
        next_at: 0,
        ran_at: null,
        recorded: 0,
        quarantined: 0,
        error: null,
        error_at: null,
        failures: 0,
      })
      .onConflict((conflict) => conflict.column('source_id').doNothing())
      .execute()
    const token = newId(now)
    const taken = await state.db
      .updateTable('polls')
      .set({ token, leased_until: now + LEASE_MS })
      .where('source_id', '=', source)
      .where('leased_until', '<=', now)
      .$if(args['force'] !== true, (query) => query.where('next_at', '<=', now))
      .returning('cursor')
      .executeTakeFirst()
    return taken ? { token, cursor: taken.cursor === null ? undefined : (JSON.parse(taken.cursor) as unknown) } : null
  },

  /** A page is on disk. `{source, token, cursor, recorded, quarantined}` */
  async keepPoll(args, { state, now }) {
    await own(args, state, (query) =>
      query.set((eb) => ({
        cursor: JSON.stringify(args['cursor'] ?? null),
        leased_until: now + LEASE_MS,
        recorded: eb('recorded', '+', Number(args['recorded'] ?? 0)),
        quarantined: eb('quarantined', '+', Number(args['quarantined'] ?? 0)),
      })),
    )
    return null
  },

  /** The run is over. `{source, token, everySeconds, error?}`: failures are tried again with growing pauses. */
  async endPoll(args, { state, now }) {
    const error = args['error'] === undefined ? null : text(args['error'], 'error')
    const every = Number(args['everySeconds']) * 1000
    const failures = error === null ? 0 : await failuresOf(text(args['source'], 'source'), state)
    const pause = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
    await own(args, state, (query) =>
      query.set({
        token: null,
        leased_until: 0,
        next_at: now + (error === null ? every : Math.min(Math.max(every, FIRST_RETRY_MS), pause)),
        failures: error === null ? 0 : failures + 1,
        error,
        ...(error === null ? { ran_at: now, error_at: null } : { error_at: now }),
      }),
    )
    return null
  },
}

async function failuresOf(source: string, { db }: StateStore): Promise<number> {
  const row = await db.selectFrom('polls').select('failures').where('source_id', '=', source).executeTakeFirst()
  return row?.failures ?? 0
}

async function own(
  args: Readonly<Record<string, unknown>>,
  { db }: StateStore,
  set: (query: ReturnType<typeof db.updateTable<'polls'>>) => ReturnType<typeof db.updateTable<'polls'>>,
): Promise<void> {
  const done = await set(db.updateTable('polls'))
    .where('source_id', '=', text(args['source'], 'source'))
    .where('token', '=', text(args['token'], 'token'))
    .executeTakeFirst()
  if (Number(done.numUpdatedRows) === 0)
    throw new CommandError('CONFLICT', 'somebody else asks this source now; this run stopped.')
}
