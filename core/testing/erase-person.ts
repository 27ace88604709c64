/** The hub's own part of an erasure, as a request carries it out. */
import type { Config } from '../../schemas/config.ts'
import type { Identifier } from '../../schemas/event.ts'
import { eraseEverything, restrict } from '../requests/erase.ts'
import { readHoldings } from '../requests/holdings.ts'
import { findPeople } from '../requests/people.ts'
import type { Rig } from './pipeline-rig.ts'

/** @param purposes everything when absent. @returns what the identifiers said, as each tool is asked to delete it. */
export function erasePerson(
  { state, keys, now, purposes: declared }: Rig,
  identifiers: readonly Identifier[],
  { audiences = {} }: Pick<Config, 'audiences'>,
  purposes?: readonly string[],
): Promise<readonly string[]> {
  return state.transaction(async (trx) => {
    const people = await findPeople(trx, keys, identifiers)
    if (!people) return []
    const scope = purposes ? { purposes: [...purposes] } : {}
    const hmacs = people.nodes.map(({ hmac }) => hmac)
    const values = people.nodes.flatMap(({ value }) => value ?? [])
    const context = {
      audiences,
      db: trx,
      keys,
      purposes: declared,
      now,
      timezone: 'America/Sao_Paulo',
      requestId: 'r1',
    }
    const holdings = await readHoldings(people, hmacs, values, scope, context)
    if (purposes) await restrict(people, holdings, 'erase', scope, context)
    else await eraseEverything(people, hmacs, holdings, context)
    return values
  })
}
