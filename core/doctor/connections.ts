/** What doctor says of connected accounts and of API versions that come to their end. Reads; renews nothing. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DestinationSettings, LoadedConfig } from '../config.ts'
import { openTokens, readConnection } from '../connections/rows.ts'
import { type ConnectionStatus, connectionStatuses } from '../connections/status.ts'
import { oauthOf } from '../connections/tokens.ts'
import type { Finding } from '../doctor.ts'
import { createKeys, loadMasterKey } from '../keys.ts'
import { openState } from '../stores/open.ts'

const DAY = 86_400_000
/** An operator needs time to change a version and to look at what it does. */
const VERSION_WARN_MS = 60 * DAY

const day = (at: number) => new Date(at).toISOString().slice(0, 10)

export interface AccountLook {
  readonly statuses: readonly ConnectionStatus[]
  /** Tokens that are good now, by destination. */
  readonly tokens: ReadonlyMap<string, string>
}

/** Beside a running hub: nothing is claimed, renewed or written. */
export async function lookAtAccounts(
  loaded: LoadedConfig,
  env: Readonly<Record<string, string | undefined>>,
  now: number,
): Promise<AccountLook> {
  const destinations = [...loaded.destinationSettings.values()]
  const nothing = { statuses: [], tokens: new Map<string, string>() }
  if (!destinations.some(oauthOf)) return nothing
  const file = join(loaded.dataDir, 'state.db')
  const postgres = loaded.config.storage?.state
  if (!postgres && !existsSync(file)) return { ...nothing, statuses: never(destinations) }
  const keys = createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), env))
  const state = await openState({ file, postgres }, { migrate: false })
  try {
    const statuses = await connectionStatuses(destinations, state.db, now)
    const tokens = new Map<string, string>()
    for (const { destination, expiresAt } of statuses) {
      const row = await readConnection(state.db, destination)
      if (row && expiresAt !== null && expiresAt > now)
        tokens.set(destination, (await openTokens(state.db, keys, row)).accessToken)
    }
    return { statuses, tokens }
  } catch {
    // A state from before there were connections, or sealed under another master key.
    return { ...nothing, statuses: never(destinations) }
  } finally {
    await state.close()
  }
}

const never = (destinations: readonly DestinationSettings[]): ConnectionStatus[] =>
  destinations.filter(oauthOf).map(({ id, connector, definition }) => ({
    destination: id,
    connector,
    name: definition.name,
    state: 'never',
    problem: null,
    connectedAt: null,
    connectedBy: null,
    refreshedAt: null,
    expiresAt: null,
    refreshExpiresAt: null,
  }))

export function* examineAccounts({ statuses }: AccountLook): Generator<Finding> {
  for (const { destination, name, state, problem, refreshExpiresAt } of statuses) {
    const todo = `Connect it: anuente connect ${destination}, or Connectors in the cockpit.`
    if (state === 'never')
      yield {
        check: 'connection',
        status: 'fail',
        text: `${destination}: no account of ${name} is connected; its deliveries wait.`,
        todo,
      }
    else if (state === 'needs_connection')
      yield {
        check: 'connection',
        status: 'fail',
        text: `${destination}: the account of ${name} has to be connected again (${problem ?? 'expired'}); its deliveries wait.`,
        todo,
      }
    else if (state === 'expiring')
      yield {
        check: 'connection',
        status: 'warn',
        text: `${destination}: what ${name} granted ends on ${day(refreshExpiresAt ?? 0)}.`,
        todo,
      }
    else
      yield problem === null
        ? { check: 'connection', status: 'ok', text: `${destination}: the account of ${name} is connected.` }
        : {
            check: 'connection',
            status: 'warn',
            text: `${destination}: ${name} gave no new token the last time (${problem}); the hub asks again.`,
            todo: 'Nothing, unless it lasts: then look at the status page of the vendor.',
          }
  }
}

/** The version that an instance uses: of its settings, or of the connector. */
function versionOf({ definition, settings }: Pick<DestinationSettings, 'definition' | 'settings'>): string | undefined {
  const { apiVersion } = definition
  const own = apiVersion?.setting === undefined ? undefined : settings[apiVersion.setting]
  return typeof own === 'string' ? own : apiVersion?.version
}

export function* examineVersions({ destinationSettings }: LoadedConfig, now: number): Generator<Finding> {
  for (const destination of destinationSettings.values()) {
    const { id, definition } = destination
    const { apiVersion } = definition
    const version = versionOf(destination)
    const ends = version === undefined ? undefined : apiVersion?.ends?.(version)
    if (apiVersion === undefined || ends === undefined) continue
    const left = Date.parse(ends) - now
    if (left > VERSION_WARN_MS) continue
    const todo =
      apiVersion.setting === undefined
        ? `Install a newer release of the hub. ${apiVersion.docs}`
        : `Write a newer one in destinations.${id}.settings.${apiVersion.setting}, after reading ${apiVersion.docs}`
    yield left <= 0
      ? {
          check: 'version',
          status: 'fail',
          text: `${id}: version ${version} of the API of ${definition.name} ended on ${ends}.`,
          todo,
        }
      : {
          check: 'version',
          status: 'warn',
          text: `${id}: version ${version} of the API of ${definition.name} ends on ${ends}.`,
          todo,
        }
  }
}
