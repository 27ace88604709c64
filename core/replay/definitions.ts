/** What audiences, computed traits and scores were while history was made: a replay holds people against those of then. */
import { compileMeasures, type Definitions, NO_MEASURES } from '../audiences/set.ts'
import { keptFor } from '../decision/index.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { Db } from '../stores/open.ts'

type Settings = ProcessPorts['settings']

/** In force from the input with that key on. */
export interface DefinitionsOfThen {
  readonly key: string
  readonly hash: string
  readonly definitions: Definitions
}

/** Oldest first; none where nobody was ever held against any. */
export async function definitionsSoFar(db: Db): Promise<DefinitionsOfThen[]> {
  const rows = await db.selectFrom('measure_definitions').selectAll().orderBy('id').execute()
  return rows.map(({ id, hash, body }) => ({ key: id, hash, definitions: JSON.parse(body) as Definitions }))
}

const compiled = new WeakMap<Settings, Map<string, Settings>>()

/** The settings with other definitions, and with what those need kept of events. @param then undefined: none. */
export function withDefinitions(settings: Settings, then: DefinitionsOfThen | undefined): Settings {
  const hash = then?.hash ?? NO_MEASURES.hash
  if (settings.measures === undefined || settings.measures.hash === hash) return settings
  let known = compiled.get(settings)
  if (!known) {
    known = new Map()
    compiled.set(settings, known)
  }
  let found = known.get(hash)
  if (!found) {
    const { destinations, rules } = settings
    const measures = then
      ? compileMeasures(then.definitions, (id) => Object.keys(destinations.get(id)?.definition.actions ?? {}))
      : NO_MEASURES
    const kept = settings.kept ?? rules.current
    found = {
      ...settings,
      measures,
      ...keptFor(kept, measures.askers),
    }
    known.set(hash, found)
  }
  return found
}
