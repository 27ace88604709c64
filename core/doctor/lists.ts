/** What doctor says of people on lists at vendors that the configuration no longer describes. Reads. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { leftInWords, listsLeft } from '../audiences/lists.ts'
import { compileMeasures } from '../audiences/set.ts'
import type { LoadedConfig } from '../config.ts'
import type { Finding } from '../doctor.ts'
import { openState, type StateStore } from '../stores/open.ts'

/** Of the configuration as it is written now, so that it can be asked before the hub is started with it. */
export async function* examineLists({ config, dataDir, destinationSettings }: LoadedConfig): AsyncGenerator<Finding> {
  const file = join(dataDir, 'state.db')
  const postgres = config.storage?.state
  if (!postgres && !existsSync(file)) return
  let state: StateStore | undefined
  try {
    state = await openState({ file, postgres }, { migrate: false })
    const tables = await state.db.introspection.getTables()
    if (!tables.some(({ name }) => name === 'audience_lists')) {
      yield {
        check: 'lists',
        status: 'ok',
        text: 'Lists at vendors: an earlier version kept none; the next start does.',
      }
      return
    }
    const left = await listsLeft(state.db, compileMeasures(config), destinationSettings)
    for (const one of left) {
      const { text, todo } = leftInWords(one)
      yield { check: 'lists', status: one.state === 'leaving' ? 'ok' : 'warn', text, ...(todo && { todo }) }
    }
  } catch (error) {
    yield {
      check: 'lists',
      status: 'fail',
      text: `Who is on lists at vendors could not be read from the state (${codeOf(error)}).`,
      todo: 'Look at the file or the server it names; a damaged file is brought back from a backup: anuente restore.',
    }
  } finally {
    await state?.close()
  }
}

/** The word of the database for what is wrong; its message may name a server and its user. */
const codeOf = (error: unknown): string =>
  error instanceof Error ? String((error as { code?: unknown }).code ?? error.name) : 'unknown'
