/** What doctor says of people on lists at vendors that the configuration no longer describes. Reads. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { leftInWords, listsLeft } from '../audiences/lists.ts'
import { compileMeasures } from '../audiences/set.ts'
import type { LoadedConfig } from '../config.ts'
import type { Finding } from '../doctor.ts'
import { openState } from '../stores/open.ts'

/** Of the configuration as it is written now, so that it can be asked before the hub is started with it. */
export async function* examineLists({ config, dataDir, destinationSettings }: LoadedConfig): AsyncGenerator<Finding> {
  const file = join(dataDir, 'state.db')
  const postgres = config.storage?.state
  if (!postgres && !existsSync(file)) return
  const state = await openState({ file, postgres }, { migrate: false })
  try {
    const left = await listsLeft(state.db, compileMeasures(config), destinationSettings)
    for (const one of left) {
      const { text, todo } = leftInWords(one)
      yield { check: 'lists', status: one.state === 'leaving' ? 'ok' : 'warn', text, ...(todo && { todo }) }
    }
  } catch {
    // A state from before lists were written down; the hub does it when it starts.
  } finally {
    await state.close()
  }
}
