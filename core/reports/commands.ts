/** Everything the officer does that is not about consent itself: retention, records, incidents, looks, keys. */
import type { Config } from '../../schemas/config.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { retentionCommands } from '../retention/commands.ts'
import type { CommandHandlers } from '../server/context.ts'
import { incidentCommands } from './incidents.ts'
import { personCommands } from './person.ts'
import { readCommands } from './reads.ts'
import { revealCommands } from './reveal.ts'
import { ropaCommands } from './ropa.ts'
import { shredCommands } from './shred-command.ts'

/** @param vendor name of a vendor by destination id. */
export function recordsCommands(config: Config, keys: Keys, vendor: (destination: string) => string): CommandHandlers {
  return {
    ...retentionCommands(config, keys),
    ...incidentCommands(config),
    ...revealCommands(keys),
    ...personCommands(keys),
    ...shredCommands(keys),
    ...readCommands(config),
    /** {from, to, subjects, payloads, reason}: a pack for an inquiry is being written. */
    async noteAuditPack(args, { state, now, actor }) {
      const subjects = Array.isArray(args['subjects']) ? (args['subjects'] as string[]) : null
      await state.db
        .insertInto('access_log')
        .values({
          id: newId(now),
          at: now,
          actor,
          act: args['payloads'] === true ? 'audit.pack.payloads' : 'audit.pack',
          target: subjects ? subjects.join(' ').slice(0, 1000) : '*',
          reason: typeof args['reason'] === 'string' ? args['reason'] : null,
        })
        .execute()
      return null
    },
    ...ropaCommands({ config, keys, vendor }),
  }
}
