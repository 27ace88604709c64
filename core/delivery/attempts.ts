/**
 * The attempt is on disk before its bytes leave: payload frozen, status `attempted`. Requests that
 * wait at the same moment share one commit.
 */
import { insertMany, type StateStore } from '../stores/open.ts'

export interface Attempt {
  readonly deliveryId: string
  readonly lease: string
  /** Sealed payload, on the first attempt; undefined when already frozen. */
  readonly payload?: Uint8Array | undefined
  readonly echo?: Uint8Array | undefined
}

export interface AttemptWriter {
  /** @returns the ids whose lease still stood; the others must not be sent. */
  begin(attempts: readonly Attempt[], now: number): Promise<ReadonlySet<string>>
}

/** Seven days: how long the hub recognises what it caused. */
const ECHO_MS = 7 * 86_400_000

interface Waiting {
  readonly attempts: readonly Attempt[]
  readonly now: number
  readonly resolve: (held: ReadonlySet<string>) => void
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
        const held = await write(state, round)
        for (const { resolve } of round) resolve(held)
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

function write(state: StateStore, round: readonly Waiting[]): Promise<ReadonlySet<string>> {
  return state.transaction(async (trx) => {
    const held = new Set<string>()
    const echoes: unknown[][] = []
    for (const { attempts, now } of round)
      for (const { deliveryId, lease, payload, echo } of attempts) {
        const result = await trx
          .updateTable('deliveries')
          .set((eb) => ({ status: 'attempted', attempt: eb('attempt', '+', 1), ...(payload && { payload }) }))
          .where('id', '=', deliveryId)
          .where('lease', '=', lease)
          .executeTakeFirst()
        if (Number(result.numUpdatedRows) === 0) continue
        held.add(deliveryId)
        if (echo) echoes.push([echo, deliveryId, now + ECHO_MS])
      }
    await insertMany(
      trx,
      state.dialect,
      'echoes',
      ['hash', 'delivery_id', 'expires_at'],
      echoes,
      'on conflict (hash) do update set expires_at = excluded.expires_at',
    )
    return held
  })
}
