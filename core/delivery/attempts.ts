/**
 * The attempt is on disk before its bytes leave: payload frozen, status `attempted`. Requests that
 * wait at the same moment share one commit.
 */
import { insertMany, type StateStore, withRows } from '../stores/open.ts'
import { giveBack, type QuotaWindow, takeAll } from './quotas.ts'

export interface Attempt {
  readonly deliveryId: string
  readonly lease: string
  /** Sealed payload, on the first attempt; undefined when already frozen. */
  readonly payload?: Uint8Array | undefined
  readonly echo?: Uint8Array | undefined
  /** Windows of its contact that this write counts in. */
  readonly windows?: readonly QuotaWindow[]
}

export interface Begun {
  /** The ids whose lease still stood. */
  readonly held: ReadonlySet<string>
  /** Those whose contact has no room: when its window ends. */
  readonly full: ReadonlyMap<string, number>
}

export interface AttemptWriter {
  /** @returns which may be sent; the others must not. */
  begin(attempts: readonly Attempt[], now: number): Promise<Begun>
}

/** Seven days: how long the hub recognises what it caused. */
const ECHO_MS = 7 * 86_400_000

interface Waiting {
  readonly attempts: readonly Attempt[]
  readonly now: number
  readonly resolve: (begun: Begun) => void
  readonly reject: (error: unknown) => void
}

export function createAttemptWriter(state: StateStore): AttemptWriter {
  let waiting: Waiting[] = []
  let writing = false

  const flush = async () => {
    while (waiting.length > 0) {
      const round = waiting
      waiting = []
      try {
        const begun = await write(state, round)
        for (const { resolve } of round) resolve(begun)
      } catch (error) {
        for (const { reject } of round) reject(error)
      }
    }
    writing = false
  }

  return {
    begin: (attempts, now) =>
      new Promise((resolve, reject) => {
        waiting.push({ attempts, now, resolve, reject })
        if (writing) return
        writing = true
        setImmediate(() => void flush())
      }),
  }
}

function write(state: StateStore, round: readonly Waiting[]): Promise<Begun> {
  return state.transaction(async (trx) => {
    const full = new Map<string, number>()
    const rows: unknown[][] = []
    const attempts = new Map<string, Attempt & { readonly now: number }>()
    for (const { attempts: asked, now } of round)
      for (const attempt of asked) {
        const until = attempt.windows?.length ? await takeAll(trx, attempt.windows) : undefined
        if (until !== undefined) {
          full.set(attempt.deliveryId, until)
          continue
        }
        attempts.set(attempt.deliveryId, { ...attempt, now })
        rows.push([attempt.deliveryId, attempt.lease, attempt.payload ?? null])
      }
    const begun = await withRows<{ id: string }>(trx, state.dialect, ['text', 'text', 'bytes'], rows, UPDATE)
    const held = new Set(begun.map(({ id }) => id))
    // Two writes of one round may look the same; no statement touches a row twice.
    const echoes = new Map<string, unknown[]>()
    for (const [id, { windows, echo, now }] of attempts)
      if (!held.has(id)) await giveBack(trx, windows ?? [])
      else if (echo) echoes.set(Buffer.from(echo).toString('hex'), [echo, id, now + ECHO_MS])
    await insertMany(
      trx,
      state.dialect,
      'echoes',
      ['hash', 'delivery_id', 'expires_at'],
      [...echoes.values()],
      'on conflict (hash) do update set expires_at = excluded.expires_at',
    )
    return { held, full }
  })
}

const UPDATE = (rows: string) =>
  `update deliveries set status = 'attempted', attempt = attempt + 1, payload = coalesce(asked.column3, payload)
  from ${rows} as asked
  where deliveries.id = asked.column1 and deliveries.lease = asked.column2 and deliveries.settled_at is null
  returning deliveries.id`
