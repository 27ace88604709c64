/** Start-up: run the command that was typed and leave with its exit code. */
import { run } from './program.ts'

const status = await run(process.argv)
process.exitCode = status
// A hub that could not start has threads and files open already: they must not keep the process alive.
if (status !== 0) process.stdout.write('', () => process.stderr.write('', () => process.exit(status)))
