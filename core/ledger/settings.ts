/** What of the configuration is about the ledger. */
import { resolve } from 'node:path'
import type { LedgerPrivacy } from '../../schemas/ledger.ts'
import type { LoadedConfig } from '../config.ts'

export interface LedgerSettings {
  /** Absolute; undefined: checkpoints are copied nowhere. */
  readonly anchorFolder: string | undefined
  readonly privacy: LedgerPrivacy
}

export function ledgerSettings({ config, dir }: Pick<LoadedConfig, 'config' | 'dir'>): LedgerSettings {
  const folder = config.ledger?.anchors?.folder
  return {
    anchorFolder: folder === undefined ? undefined : resolve(dir, folder),
    privacy: config.ledger?.privacy ?? 'open',
  }
}
