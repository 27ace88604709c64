/**
 * `npm run bench -- rules [--profiles 10000,100000,1000000] [--rules 1,100,1000] [--matching 1] [--events 20000]
 * [--rounds 3] [--json]`: what rules cost per event, by the number of rules and of profiles. `matching` rules are set off
 * by every event; the others are of every kind, and most of them listen to the very event that is sent, but for another
 * value of it. The events are the same for every number of rules, and profiles are of one size for every number of them.
 *
 * Each cell is a process of its own; all of them take one round after the other, and of each the best round counts. Two
 * costs per event, by the clock and in CPU: the reducer alone (`decide`, and what is kept for measures), and with the
 * profile read from SQLite and written back durably. Identity, consent, sealing and history are not in it. Ratios are to
 * the fewest rules and the fewest profiles.
 *
 * `npm run bench -- rules pipeline` puts a thousand rules into the whole of `process` (rules-pipeline.ts).
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import type { CellFigures } from './rules-cell.ts'

const args = process.argv.slice(process.argv[2] === 'rules' ? 3 : 2)
if (args[0] === 'pipeline') {
  await import('./rules-pipeline.ts')
  process.exit()
}
const { values: options } = parseArgs({
  args,
  options: {
    profiles: { type: 'string', default: '10000' },
    rules: { type: 'string', default: '1,100,1000' },
    matching: { type: 'string', default: '1' },
    events: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})
const numbers = (text: string) => text.split(',').map(Number)
const ROUNDS = Number(options.rounds)
const MATCHING = Number(options.matching)

interface Cell {
  readonly rules: number
  readonly profiles: number
  readonly child: ChildProcess
  readonly rounds: CellFigures[]
}

const cells: Cell[] = []
try {
  for (const profiles of numbers(options.profiles))
    for (const rules of numbers(options.rules)) {
      const child = fork(new URL('./rules-cell.ts', import.meta.url), [
        String(rules),
        String(Math.min(rules, MATCHING)),
        String(profiles),
        options.events,
      ])
      await once(child, 'message')
      cells.push({ rules, profiles, child, rounds: [] })
    }
  // The first round compiles.
  for (let round = -1; round < ROUNDS; round++)
    for (const { child, rounds } of cells) {
      child.send('go')
      const [figures] = (await once(child, 'message')) as [CellFigures]
      if (round >= 0) rounds.push(figures)
    }
} finally {
  await Promise.all(
    cells.map(async ({ child }) => {
      child.send('end')
      await once(child, 'exit')
    }),
  )
}

const FIGURES = ['reducerCpu', 'reducer', 'wholeCpu', 'whole'] as const
type Figure = (typeof FIGURES)[number]
const best = ({ rounds }: Cell, figure: Figure) => Math.min(...rounds.map((round) => round[figure]))
const rows = cells.map((cell) => {
  const { rules, profiles } = cell
  const fewestRules = cells.find((other) => other.profiles === profiles)!
  const fewestProfiles = cells.find((other) => other.rules === rules)!
  return {
    rules,
    profiles,
    figures: FIGURES.map((figure) => ({
      figure,
      us: best(cell, figure),
      toFewestRules: best(cell, figure) / best(fewestRules, figure),
      toFewestProfiles: best(cell, figure) / best(fewestProfiles, figure),
    })),
    peakMb: Math.max(...cell.rounds.map(({ peakMb }) => peakMb)),
    profileBytes: Math.round(cell.rounds[0]!.profileBytes),
    sent: cell.rounds[0]!.sent,
    told: cell.rounds[0]!.told,
  }
})
const load = loadavg()[0]!
if (options.json) console.log(JSON.stringify({ load, events: Number(options.events), rows }))
else {
  console.log(
    `${options.events} events, ${MATCHING} rule(s) set off by each, best of ${ROUNDS}; load ${load.toFixed(1)}. µs per event, and × the fewest rules, × the fewest profiles`,
  )
  console.log('  rules profiles       reducer, CPU     reducer, clock    with store, CPU  with store, clock  peak MB')
  for (const { rules, profiles, figures, peakMb, profileBytes, sent, told } of rows) {
    const words = figures.map(({ us, toFewestRules, toFewestProfiles }) =>
      `${us.toFixed(1)} ×${toFewestRules.toFixed(2)} ×${toFewestProfiles.toFixed(2)}`.padStart(18),
    )
    console.log(
      `${String(rules).padStart(7)} ${String(profiles).padStart(8)} ${words.join(' ')} ${peakMb.toFixed(0).padStart(8)}   ${sent} sent, ${told} explained, profiles of ${profileBytes} B`,
    )
  }
}
