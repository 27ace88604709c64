/**
 * `npm run bench -- backtest [--people 4000] [--events 100000] [--rounds 3] [--only <rule>] [--json]`: how many events of history per
 * second a backtest of one rule takes, over open columns alone and with sealed ones, and what the same rows cost a bare
 * loop that only reads them (and opens them). Both sides run in turn in one process on one state; the best of the
 * rounds counts. The backtest reads people, answers, ledger and inputs besides, and decides.
 */
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { backtest } from '../core/replay/backtest.ts'
import { unsealJson } from '../core/seal.ts'
import { DAY, type Rig } from '../core/testing/pipeline-rig.ts'
import { withRules } from '../core/testing/with-rules.ts'
import { shopHistory } from './shop-history.ts'

const { values: options } = parseArgs({
  args: process.argv.slice(process.argv[2] === 'backtest' ? 3 : 2),
  options: {
    people: { type: 'string', default: '4000' },
    events: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
})

const SEND = 'then: {all: [{destination: mail, action: send}]}'
const CART = `
id: carrinho
version: 1
when:
  absence:
    start: {event: Product Added}
    unless: {any: [{event: Order Completed}, {cart: emptied}]}
    within: PT30M
    grace: PT5M
who: {all: [{field: cart.total, op: gte, value: 5000}]}
unless: {purpose: email_marketing, caps: [{per: person, max: 2, window: P7D}], quiet_hours: {from: "21:00", to: "08:00", zone: person}}
${SEND}
exit_on: [Order Completed]
`
/** Reads when things happened and what they were called, of every event of the shop's catalogue. */
const OPEN = `
id: interessados
version: 1
when: {event: Order Completed}
who: {all: [{count: {event: Product Viewed, window: P7D}, op: gte, value: 3}]}
unless: {purpose: email_marketing, caps: [{per: person+rule, max: 1, window: P30D}]}
${SEND}
`
/** Reads a property of the event it is about, which is most of them. */
const SEALED = `
id: viu-produto
version: 1
when: {event: Product Viewed, where: {all: [{field: event.price, op: gte, value: 100}]}}
unless: {purpose: email_marketing, caps: [{per: person+rule, max: 1, window: P1D}]}
${SEND}
`
/** Live beside it, for the overlap. */
const OTHERS = ['obrigado', 'pesquisa'].map(
  (id) => `
id: ${id}
version: 1
when: {event: Order Completed}
unless: {purpose: email_marketing, caps: [{per: person+rule, max: 1, window: P7D}]}
${SEND}
`,
)

const RULES = [
  { name: 'open columns', text: OPEN, sealed: false },
  { name: 'cart recovery', text: CART, sealed: true },
  { name: 'every view opened', text: SEALED, sealed: true },
]

/** @returns seconds by the clock and of CPU, collecting garbage included. */
function stopwatch(): () => { seconds: number; cpu: number } {
  const started = performance.now()
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return { seconds: (performance.now() - started) / 1000, cpu: (user + system) / 1e6 }
  }
}

async function backtested(rig: Rig, text: string) {
  const { rules, settings } = withRules(rig, text, ...OTHERS)
  const clock = stopwatch()
  const report = await backtest({
    state: rig.state,
    keys: rig.keys,
    settings,
    rule: rules[0]!,
    published: false,
    from: rig.now - 400 * DAY,
    to: rig.now,
    now: rig.now,
    timezone: 'America/Sao_Paulo',
  })
  return { report, ...clock() }
}

/** The same rows of the same people, read and counted by name; opened too when `sealed`. */
async function bare(rig: Rig, sealed: boolean) {
  const clock = stopwatch()
  const { db } = rig.state
  const keys = new Map((await db.selectFrom('nodes').select(['id', 'data_key']).execute()).map((row) => [row.id, row]))
  const names = new Map<string, number>()
  let events = 0
  let after = ''
  for (;;) {
    const nodes = await db.selectFrom('nodes').select('id').where('id', '>', after).orderBy('id').limit(400).execute()
    if (nodes.length === 0) break
    after = nodes.at(-1)!.id
    const ids = nodes.map(({ id }) => id)
    const query = db.selectFrom('history').where('node_id', 'in', ids)
    const rows = sealed
      ? await query.selectAll().execute()
      : await query.select(['id', 'node_id', 'name', 'occurred_at', 'purposes', 'amounts']).execute()
    for (const row of rows) {
      events += 1
      names.set(row.name, (names.get(row.name) ?? 0) + 1)
      if ('sealed' in row && sealed) {
        const { messageId } = unsealJson<{ messageId: string }>(
          rig.keys.unwrap(keys.get(row.node_id)!.data_key),
          row.sealed as Uint8Array,
        )
        if (!messageId) throw new Error('a row without its message id')
      }
    }
  }
  return { events, ...clock() }
}

const figure = (value: number) => value.toFixed(0).padStart(8)

const size = { people: Number(options.people), events: Number(options.events), days: 30 }
const started = performance.now()
const rig = await shopHistory(size, OTHERS)
try {
  const { n } = await rig.state.db
    .selectFrom('history')
    .select((eb) => eb.fn.countAll().as('n'))
    .executeTakeFirstOrThrow()
  if (!options.json)
    console.log(
      `${n} events of ${size.people} people (made in ${((performance.now() - started) / 1000).toFixed(0)} s); load ${loadavg()[0]!.toFixed(1)}`,
    )
  const rows = []
  for (const { name, text, sealed } of RULES) {
    if (!name.startsWith(options.only)) continue
    const best = { perSecond: 0, perCpuSecond: 0, bare: 0, bareCpu: 0 }
    let told = { events: 0, matches: 0, sends: 0 }
    for (let round = 0; round < Number(options.rounds); round++) {
      const rows = await bare(rig, sealed)
      best.bare = Math.max(best.bare, rows.events / rows.seconds)
      best.bareCpu = Math.max(best.bareCpu, rows.events / rows.cpu)
      const { report, seconds, cpu } = await backtested(rig, text)
      best.perSecond = Math.max(best.perSecond, report.events / seconds)
      best.perCpuSecond = Math.max(best.perCpuSecond, report.events / cpu)
      told = { events: report.events, matches: report.blocked.matches, sends: report.sends.total }
    }
    const row = { rule: name, sealed, ...best, ratio: best.perCpuSecond / best.bareCpu, ...told }
    rows.push(row)
    if (!options.json)
      console.log(
        `${name.padEnd(18)} ${figure(best.perSecond)} events/s ${figure(best.perCpuSecond)} per CPU-s; bare ${sealed ? 'reading and opening' : 'reading'} ${figure(best.bare)} and ${figure(best.bareCpu)}; ratio ${row.ratio.toFixed(2)} (${told.events} events, ${told.matches} matches, ${told.sends} sends)`,
      )
  }
  if (options.json)
    console.log(JSON.stringify({ load: loadavg()[0], peakMb: process.memoryUsage().rss / 2 ** 20, rows }))
} finally {
  await rig.close()
}
