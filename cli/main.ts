/** Start-up: run the command that was typed and leave with its exit code. */
import { run } from './program.ts'

// A reader such as head that has seen enough: the write that failed tells the command, which ends with 0.
process.stdout.on('error', () => {})

const status = await run(process.argv)
process.exitCode = status
// A hub that could not start has threads and files open already: they must not keep the process alive.
if (status !== 0) process.stdout.write('', () => process.stderr.write('', () => process.exit(status)))
