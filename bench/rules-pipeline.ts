/**
 * `npm run bench -- rules pipeline [--rules 1000] [--matching 20] [--people 2000] [--events 5000] [--rounds 3] [--json]`:
 * what a thousand rules take of the throughput of `process`, from the log to the committed state, embedded, without
 * HTTP and delivery. The same events go through a hub without rules and one with them, round by round in turn; of each
 * the best round counts. `matching` rules are set off by every event; the rest wait for something else.
 */
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { signal } from '../core/testing/consent-signals.ts'
import { identify } from '../core/testing/events.ts'
import { Rig, SECOND } from '../core/testing/pipeline-rig.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import { eventOf, ruleTexts } from './rules-set.ts'

const { values: options } = parseArgs({
  args: process.argv.slice(process.argv.indexOf('pipeline') + 1),
  options: {
    rules: { type: 'string', default: '1000' },
    matching: { type: 'string', default: '20' },
    people: { type: 'string', default: '2000' },
    events: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})
const EVENTS = Number(options.events)
const PEOPLE = Number(options.people)
const ROUNDS = Number(options.rounds)
const PURPOSE = 'email_marketing'

const sides = {
  none: await Rig.open({ destinations: { mail: {} } }),
  rules: await Rig.open({
    destinations: { mail: {} },
    rules: ruleTexts(Number(options.rules), Number(options.matching), PURPOSE, 'mail'),
  }),
}
type Side = keyof typeof sides
const SIDES = Object.keys(sides) as Side[]

interface Figures {
  /** Events per second. */
  readonly clock: number
  /** Events per CPU-second of the whole process. */
  readonly cpu: number
}

const userOf = (index: number) => `person-${index % PEOPLE}`
const subjectOf = (user: string): Pick<CanonicalEvent, 'subject'> => ({
  subject: { identifiers: [{ type: 'userId', value: user }] },
})

async function measure(rig: Rig, round: number): Promise<Figures> {
  const events = Array.from({ length: EVENTS }, (_, n) => {
    const index = round * EVENTS + n
    const id = `e-${index}`
    return { ...eventOf(index, rig.now), id, messageId: id, ...subjectOf(userOf(index)) }
  })
  await rig.record(...events)
  const cpu = process.cpuUsage()
  const before = performance.now()
  await rig.process()
  const seconds = (performance.now() - before) / 1000
  const { user, system } = process.cpuUsage(cpu)
  rig.advance(60 * SECOND)
  return { clock: EVENTS / seconds, cpu: EVENTS / ((user + system) / 1e6) }
}

const rounds: Record<Side, Figures[]> = { none: [], rules: [] }
for (const side of SIDES) {
  const rig = sides[side]
  const at = rig.at()
  await rig.record(
    ...Array.from({ length: PEOPLE }, (_, n) =>
      identify({
        userId: userOf(n),
        messageId: `c-${n}`,
        consent: [signal(PURPOSE, 'grant', at)],
        occurredAt: at,
        receivedAt: at,
      }),
    ),
  )
  await rig.process()
}
// The first round compiles.
for (let round = 0; round <= ROUNDS; round++)
  for (const side of SIDES) {
    const figures = await measure(sides[side], round)
    if (round > 0) rounds[side].push(figures)
  }
const told = await sides.rules.rows('explanations_latest')
for (const side of SIDES) await sides[side].close()

const best = (side: Side, figure: keyof Figures) => Math.max(...rounds[side].map((round) => round[figure]))
const share = (figure: keyof Figures) => 1 - best('rules', figure) / best('none', figure)
const load = loadavg()[0]!
if (options.json) console.log(JSON.stringify({ load, share: { cpu: share('cpu'), clock: share('clock') }, rounds }))
else {
  for (const side of SIDES)
    console.log(
      `${side === 'none' ? 'no rules' : `${options.rules} rules`} ${best(side, 'cpu').toFixed(0).padStart(8)} events/CPU-s ${best(side, 'clock').toFixed(0).padStart(8)} events/s`,
    )
  console.log(
    `${options.rules} rules, ${options.matching} of them set off by every event (${told} people and rules with a newest explanation), take ${(share('cpu') * 100).toFixed(0)} % of the throughput per CPU-second, ${(share('clock') * 100).toFixed(0)} % by the clock; load ${load.toFixed(1)}`,
  )
}
