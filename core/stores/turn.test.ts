/** Threads that write the state take turns, in the order in which they asked. */
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { writeTurn } from './turn.ts'

test('one at a time, in the order of asking', async () => {
  const turn = writeTurn()
  const order: string[] = []
  const writes = ['a', 'b', 'c'].map(async (name) => {
    await turn.take()
    order.push(`${name} begins`)
    await new Promise((resolve) => setImmediate(resolve))
    order.push(`${name} ends`)
    turn.pass()
  })
  await Promise.all(writes)
  expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

test('a thread that only waits for its turn lives until it has had it', async () => {
  const turn = writeTurn()
  await turn.take()
  const waits = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads')
     import(workerData.module).then(async ({ writeTurn }) => {
       const turn = writeTurn(workerData.shared)
       parentPort.postMessage('asks')
       await turn.take()
       process.exitCode = 7
       turn.pass()
     })`,
    {
      eval: true,
      workerData: { module: new URL('./turn.ts', import.meta.url).href, shared: turn.shared },
    },
  )
  let ended: number | undefined
  const exit = new Promise<void>((resolve) =>
    waits.once('exit', (code) => {
      ended = code
      resolve()
    }),
  )
  await new Promise((resolve) => waits.once('message', resolve))
  // Long enough for a thread without anything to do to end.
  await new Promise((resolve) => setTimeout(resolve, 300))
  turn.pass()
  await exit
  expect(ended).toBe(7)
})

test('also between threads: whoever writes all the time lets the other one in', async () => {
  const turn = writeTurn()
  const inside = new SharedArrayBuffer(4)
  const busy = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
     import(workerData.module).then(async ({ writeTurn }) => {
       const turn = writeTurn(workerData.shared)
       let stopped = false
       parentPort.on('message', () => { stopped = true })
       for (let n = 0; !stopped; n++) {
         await turn.take()
         if (n === 0) parentPort.postMessage('busy')
         Atomics.add(new Int32Array(workerData.inside), 0, 1)
         for (let spin = 0; spin < 1e5; spin++) Math.sqrt(spin)
         Atomics.sub(new Int32Array(workerData.inside), 0, 1)
         turn.pass()
         await new Promise((resolve) => setImmediate(resolve))
       }
       parentPort.close()
     })`,
    {
      eval: true,
      workerData: {
        module: new URL('./turn.ts', import.meta.url).href,
        shared: turn.shared,
        inside,
      },
    },
  )
  await new Promise((resolve) => busy.once('message', resolve))
  const alone: boolean[] = []
  for (let n = 0; n < 20; n++) {
    await turn.take()
    alone.push(Atomics.load(new Int32Array(inside), 0) === 0)
    turn.pass()
  }
  busy.postMessage('stop')
  await new Promise((resolve) => busy.once('exit', resolve))
  expect(alone).toEqual(Array.from({ length: 20 }, () => true))
})
