/** What only the published command in a process of its own shows: a reader that goes away. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const bin = fileURLToPath(new URL('../bin/anuente.js', import.meta.url))

test('a reader that has seen enough ends the command without an error', async () => {
  const child = spawn(process.execPath, [bin, 'normalize', 'segment'])
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  child.stdin.on('error', () => {})
  const line = JSON.stringify({
    path: '/v1/track',
    body: { userId: 'u', event: 'E', properties: { x: 'x'.repeat(500) } },
  })
  child.stdin.end(`${line}\n`.repeat(2000))
  child.stdout.once('data', () => child.stdout.destroy())
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect({ code, err }).toEqual({ code: 0, err: '' })
})
