/** Start-up: run the command that was typed and leave with its exit code. */
import { run } from './program.ts'

process.exitCode = await run(process.argv)
