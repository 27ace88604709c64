/**
 * The token of each connected account, renewed before it ends, by this process or another one: whoever holds the claim
 * in the state asks the vendor, stores the answer in one statement, and the others wait and read.
 *
 * A crash between the vendor's answer and the commit loses a rotated refresh token. The claim runs out, the next
 * process asks with the old token, and a vendor that has ended it says `invalid_grant`: then the account must be
 * connected again. Renewing begins well before the access token ends, so until then deliveries go on with that one.
 */
import type { DestinationSettings } from '../config.ts'
import type { Credentials } from '../delivery/perform.ts'
import type { Keys } from '../keys.ts'
import { CredentialsMissing } from '../kit/errors.ts'
import type { Transport } from '../kit/http.ts'
import type { Db } from '../stores/open.ts'
import { type ConnectionRow, openTokens, readConnection, type Tokens } from './rows.ts'
import { oauthOf, requestTokens } from './tokens.ts'

/** How the keeper writes: its own transactions, or commands to the process role. */
export interface ConnectionWriter {
  claim(row: Version): Promise<string | undefined>
  store(row: Version, claim: string, tokens: Tokens): Promise<boolean>
  postpone(destination: string, claim: string, problem: string, retryAt: number): Promise<void>
  unconnect(row: Version, problem: string): Promise<void>
}
type Version = Pick<ConnectionRow, 'destination' | 'version'>

export interface KeeperPorts {
  /** Reads. */
  readonly db: Db
  readonly writer: ConnectionWriter
  readonly keys: Keys
  /** Epoch milliseconds. */
  readonly clock: () => number
  readonly transport: Transport
  /** Told once when the account needs somebody. */
  readonly onNeed?: (destination: string, problem: string) => void
}

export interface TokenKeeper extends Credentials {
  /** Whether a token can be had now; false while somebody has to connect the account, or the vendor asked to wait. */
  ready(): Promise<boolean>
}

const MINUTE = 60_000
/** How long this process trusts what it read: an account may be connected anew meanwhile. */
const TRUST_MS = 10_000
const POLL_MS = 40
const LATER_MS = 30_000
const UNCONNECTED_MS = MINUTE

/** A refresh that was refused says nothing against the access token that is still there. */
const usable = ({ state, problem, expires_at }: ConnectionRow, now: number): boolean =>
  state === 'connected' || (problem !== 'token_refused' && expires_at !== null && now < expires_at)

/** Renewal begins five minutes before the end, or at nine tenths of a short life. */
const early = (row: Pick<ConnectionRow, 'expires_at' | 'refreshed_at' | 'connected_at'>): number => {
  if (row.expires_at === null) return Number.POSITIVE_INFINITY
  const life = row.expires_at - (row.refreshed_at ?? row.connected_at)
  return row.expires_at - Math.min(5 * MINUTE, life / 10)
}

export function createTokenKeeper(destination: DestinationSettings, ports: KeeperPorts): TokenKeeper {
  const { id } = destination
  const { db, keys, writer, clock } = ports
  let known: { readonly row: ConnectionRow; readonly token: string; readonly readAt: number } | undefined
  let asking: Promise<void> | undefined
  let told = false

  const missing = (connect: boolean, retryAfterMs: number) =>
    new CredentialsMissing(
      connect ? `the account of ${id} has to be connected: anuente connect ${id}` : 'the vendor gives no token now',
      { connect, retryAfterMs },
    )
  const need = (problem: string): CredentialsMissing => {
    known = undefined
    if (!told) ports.onNeed?.(id, problem)
    told = true
    return missing(true, UNCONNECTED_MS)
  }

  const read = async (): Promise<{ row: ConnectionRow; token: string }> => {
    const now = clock()
    if (known && now - known.readAt < TRUST_MS && now >= known.readAt) return known
    const row = await readConnection(db, id)
    // Tokens of another app are no use to this one.
    if (!row || row.client !== oauthOf(destination)?.client.id || !usable(row, now)) throw need(row?.problem ?? 'never')
    if (row.state === 'connected') told = false
    const token = known?.row.version === row.version ? known.token : (await openTokens(db, keys, row)).accessToken
    known = { row, token, readAt: now }
    return known
  }

  /** One renewal at a time in this process. @param from the version that is no longer good. */
  const renew = (from: number): Promise<void> => {
    asking ??= renewOnce(from).finally(() => {
      asking = undefined
    })
    return asking
  }

  const renewOnce = async (from: number): Promise<void> => {
    for (;;) {
      const now = clock()
      const row = await readConnection(db, id)
      if (row?.state !== 'connected') throw need(row?.problem ?? 'never')
      if (row.version !== from) {
        known = undefined
        return
      }
      if (row.retry_at !== null && row.retry_at > now) throw missing(false, row.retry_at - now)
      // A claim that ran out belonged to a process that may have had an answer and did not live to store it.
      const abandoned = row.claim !== null && (row.claim_until ?? 0) < now
      const claim = await writer.claim(row)
      if (claim === undefined) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
        continue
      }
      const { refreshToken } = await openTokens(db, keys, row)
      if (refreshToken === undefined) {
        await writer.unconnect(row, 'no_refresh_token')
        throw need('no_refresh_token')
      }
      const answer = await requestTokens(destination, { kind: 'refresh', refreshToken }, ports.transport, now)
      if (answer.status === 'granted') {
        await writer.store(row, claim, {
          ...answer.tokens,
          // Of a token that does not rotate the end stays where it was, unless the vendor says otherwise.
          refreshExpiresAt: answer.tokens.refreshExpiresAt ?? row.refresh_expires_at,
        })
        known = undefined
        return
      }
      if (answer.status === 'refused') {
        const problem = abandoned ? 'answer_lost' : answer.problem
        await writer.unconnect(row, problem)
        throw need(problem)
      }
      const wait = answer.retryAfterMs ?? LATER_MS
      await writer.postpone(id, claim, answer.problem, clock() + wait)
      throw missing(false, wait)
    }
  }

  const token = async (): Promise<string> => {
    const now = clock()
    const { row, token } = await read()
    if (now < early(row) || row.state !== 'connected') return token
    try {
      await renew(row.version)
    } catch (error) {
      // Until it ends the old one is good, whatever keeps the vendor from giving another.
      if (error instanceof CredentialsMissing && row.expires_at !== null && now < row.expires_at) return token
      throw error
    }
    return (await read()).token
  }

  return {
    token,
    async renewed(refused) {
      known = undefined
      const { row, token } = await read()
      // Somebody was faster: this is another token than the refused one.
      if (token !== refused) return token
      await renew(row.version)
      return (await read()).token
    },
    async refused(token) {
      known = undefined
      const current = await read()
      if (current.token !== token) throw missing(false, 1000)
      await writer.unconnect(current.row, 'token_refused')
      throw need('token_refused')
    },
    async ready() {
      try {
        const { row } = await read()
        const now = clock()
        if (now < early(row) || (row.expires_at !== null && now < row.expires_at)) return true
        const fresh = await readConnection(db, id)
        return fresh?.state === 'connected' && (fresh.retry_at === null || fresh.retry_at <= now)
      } catch (error) {
        if (error instanceof CredentialsMissing) return false
        throw error
      }
    },
  }
}
