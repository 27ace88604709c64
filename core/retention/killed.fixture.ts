/** A process that carries retention out until it is killed: `node killed.fixture.ts <state file> <master key, hex>`. */
import type { Config } from '../../schemas/config.ts'
import { createKeys } from '../keys.ts'
import { openState } from '../stores/open.ts'
import { retentionCommands } from './commands.ts'
import { createRetentionKeeper } from './keeper.ts'

const [file, master, now] = process.argv.slice(2) as [string, string, string]
const config: Config = { organization: { name: 'Loja Exemplo' }, sources: {}, purposes: {} }
const state = await openState({ file })
const keeper = createRetentionKeeper(state, retentionCommands(config, createKeys(Buffer.from(master, 'hex')), 5))
process.stdout.write('working\n')
while (await keeper.round(Number(now), true));
await state.close()
process.stdout.write('done\n')
