/**
 * Secrets that a configuration refers to, read before it is loaded: where they lie stands in the same file, and so
 * `storage` cannot refer to one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { readDocument } from '../config/document.ts'
import { type LoadedConfig, loadConfig } from '../config.ts'
import type { Registry } from '../kit/define.ts'
import { ConfigError } from '../kit/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface StoreLocation {
  readonly dataDir: string
  readonly postgres: string | undefined
}

/** Where the state of this configuration lies, though the rest of it may be wrong. @throws ConfigError */
export function locate(file: string, env: Environment): StoreLocation {
  const path = resolve(file)
  const { value } = readDocument(path, dirname(path), env, () => undefined)
  const storage = (value as { storage?: { dir?: unknown; state?: unknown } } | null)?.storage
  const { dir, state } = storage ?? {}
  return {
    dataDir: resolve(dirname(path), typeof dir === 'string' && dir !== '' ? dir : 'data'),
    postgres: typeof state === 'string' && state !== '' ? state : undefined,
  }
}

/** @returns name -> value, of all that are set; empty when the file refers to none. */
export async function readSecrets(file: string, env: Environment): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  if (!existsSync(file) || !readFileSync(file, 'utf8').includes('${secret:')) return found
  const { dataDir, postgres } = locate(file, env)
  const state = join(dataDir, 'state.db')
  if (!postgres && !existsSync(state)) return found
  // Most commands need neither database nor keys: they are loaded where they are used.
  const [{ createKeys, loadMasterKey }, { openState }, { secretPlace, unbox }] = await Promise.all([
    import('../keys.ts'),
    import('../stores/open.ts'),
    import('./box.ts'),
  ])
  const keys = createKeys(loadMasterKey(join(dataDir, 'master.key'), env))
  // Beside a hub that may be running: nothing is changed.
  const store = await openState({ file: state, postgres }, { migrate: false })
  try {
    // A state from before there were secrets has no table for them.
    const rows = await store.db
      .selectFrom('secrets')
      .select(['name', 'key_id', 'sealed'])
      .execute()
      .catch(() => [])
    for (const { name, ...row } of rows) found.set(name, await unbox(store.db, keys, secretPlace(name), row))
  } catch {
    throw new ConfigError(
      'The secrets cannot be opened: the master key is not the one they were sealed with. Restore master.key, or ANUENTE_MASTER_KEY, from where you keep it.',
    )
  } finally {
    await store.close()
  }
  return found
}

/** `loadConfig` with the secrets of its own store. @throws ConfigError */
export async function loadWithSecrets(
  file: string,
  { registry, env = process.env }: { registry: Registry; env?: Environment },
): Promise<LoadedConfig> {
  const secrets = await readSecrets(resolve(file), env)
  return loadConfig(file, { registry, env, secret: (name) => secrets.get(name) })
}
