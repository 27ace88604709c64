/** `npm start`: install, build, then the demo. Arguments go to `anuente demo`. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { environment, prepare, root } from './prepare.js'

const node = prepare()
const demo = spawn(node.path, [...node.flags, join(root, 'bin', 'anuente.js'), 'demo', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: environment(),
})

process.on('SIGINT', () => {
  // At a terminal Ctrl-C reaches the whole group by itself; a second one would read as "stop at once".
  if (!process.stdin.isTTY) demo.kill('SIGINT')
})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => demo.kill(signal))

demo.on('error', (error) => {
  console.error(`The demo could not be started: ${error.message}`)
  process.exit(1)
})
demo.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
