/** A state on SQLite with all tables and nothing in them: made once per process and copied, as startPostgres does. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openState } from '../stores/open.ts'

let template: Promise<Buffer> | undefined

/** Writes the file; a few milliseconds instead of every migration. */
export async function writeMigratedState(file: string): Promise<void> {
  template ??= migrated()
  writeFileSync(file, await template)
}

async function migrated(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'anuente-tables-'))
  try {
    const file = join(folder, 'state.db')
    // The last connection to close writes everything back into the file.
    await (await openState({ file })).close()
    return readFileSync(file)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
