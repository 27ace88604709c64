/** How the connected accounts are, for doctor, API, metrics and cockpit. */
import type { DestinationSettings } from '../config.ts'
import type { Db } from '../stores/open.ts'
import { oauthOf } from './tokens.ts'

/** How long before its end a refresh token is told of. */
const WARN_MS = 14 * 86_400_000

export interface ConnectionStatus {
  readonly destination: string
  readonly connector: string
  readonly name: string
  /** expiring: the refresh token ends within two weeks. */
  readonly state: 'connected' | 'expiring' | 'needs_connection' | 'never'
  /** A code: why it needs to be connected again, or why the last refresh failed. */
  readonly problem: string | null
  readonly connectedAt: number | null
  readonly connectedBy: string | null
  readonly refreshedAt: number | null
  readonly expiresAt: number | null
  readonly refreshExpiresAt: number | null
}

/** One per destination whose settings name a client, in the order of the configuration. */
export async function connectionStatuses(
  destinations: Iterable<Pick<DestinationSettings, 'id' | 'connector' | 'definition' | 'settings'>>,
  db: Db,
  now: number,
): Promise<ConnectionStatus[]> {
  const mine = [...destinations].flatMap((destination) => {
    const way = oauthOf(destination)
    return way ? [{ destination, client: way.client.id }] : []
  })
  if (mine.length === 0) return []
  const rows = new Map(
    (await db.selectFrom('oauth_connections').selectAll().execute()).map((row) => [row.destination, row]),
  )
  return mine.map(({ destination: { id, connector, definition }, client }) => {
    const row = rows.get(id)
    const other = row !== undefined && row.client !== client
    const ends = row?.refresh_expires_at ?? null
    const state = !row
      ? 'never'
      : other || row.state !== 'connected' || (ends !== null && ends <= now)
        ? 'needs_connection'
        : ends !== null && ends - now <= WARN_MS
          ? 'expiring'
          : 'connected'
    return {
      destination: id,
      connector,
      name: definition.name,
      state,
      problem: other ? 'other_client' : (row?.problem ?? null),
      connectedAt: row?.connected_at ?? null,
      connectedBy: row?.connected_by ?? null,
      refreshedAt: row?.refreshed_at ?? null,
      expiresAt: row?.expires_at ?? null,
      refreshExpiresAt: ends,
    }
  })
}
