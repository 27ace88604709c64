/**
 * `npm run bench -- engines [--rules 100] [--events 400] [--rounds 3] [--json]`: the conditions of the same rules over the
 * same events, in this hub's closures, in CEL and in json-rules-engine. Every rule has four conditions: the name of the
 * event, a property of it and two traits of the person. Which rules match each event must be the same on every side, or the
 * run ends. The sides take rounds in turn, of each the best counts; figures are CPU of the whole process per event.
 *
 * Our side three times: with the index and the clauses of the explanation, as the reducer asks; with the index, tested alone;
 * and without the index, every rule asked. The others ask every rule, are parsed once, and get what they are fastest with:
 * plain facts for json-rules-engine (a `path` costs it more), variables of one level for CEL. Nothing is missing from events and people, so
 * that nobody pays for the absent.
 */
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { Environment } from '@marcbachmann/cel-js'
import { Engine } from 'json-rules-engine'
import type { RuleView } from '../core/decision/compile.ts'
import { emptyProfile } from '../core/decision/empty-profile.ts'
import { buildRuleSet, type CompiledRule, loadRules } from '../core/decision/index.ts'

const { values: options } = parseArgs({
  args: process.argv.slice(process.argv[2] === 'engines' ? 3 : 2),
  options: {
    rules: { type: 'string', default: '100' },
    events: { type: 'string', default: '400' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})
const RULES = Number(options.rules)
const EVENTS = Number(options.events)
const ROUNDS = Number(options.rounds)
/** A side that is done sooner goes through the events again. */
const LEAST_MS = 400
const PURPOSE = 'p'

interface Wanted {
  readonly id: string
  readonly name: string
  readonly value: number
  readonly points: number
  readonly plans: readonly string[]
}

interface Happened {
  readonly name: string
  readonly value: number
  readonly points: number
  readonly plan: string
}

const NAMES = ['Product Viewed', 'Product Added', 'Cart Viewed', 'Order Completed']
const PLANS = ['free', 'basic', 'pro', 'team']
const wanted: Wanted[] = Array.from({ length: RULES }, (_, index) => ({
  id: `r${String(index).padStart(4, '0')}`,
  name: NAMES[index % NAMES.length]!,
  value: (index * 7) % 40,
  points: (index * 11) % 30,
  plans: index % 3 === 0 ? PLANS : PLANS.filter((_, at) => at !== index % PLANS.length),
}))
const happened: Happened[] = Array.from({ length: EVENTS }, (_, index) => ({
  name: NAMES[(index * 3) % NAMES.length]!,
  value: (index * 13) % 120,
  points: (index * 17) % 100,
  plan: PLANS[(index * 5 + (index >> 2)) % PLANS.length]!,
}))

/** Ids of the rules that match, in order. */
type Ask = (index: number) => readonly string[] | Promise<readonly string[]>

function ours(): Record<'explained' | 'tested' | 'unindexed', Ask> {
  const texts = wanted.map(
    ({ id, name, value, points, plans }) =>
      `{id: ${id}, version: 1, when: {event: ${name}, where: {all: [{field: event.value, op: gte, value: ${value}}]}}, who: {all: [{field: traits.points, op: gte, value: ${points}}, {field: traits.plan, op: in, value: [${plans.join(', ')}]}]}, unless: {purpose: ${PURPOSE}}, then: {all: [{destination: d, action: send}]}}`,
  )
  const { rules } = loadRules(texts.map((text, index) => ({ file: `${wanted[index]!.id}.yaml`, text })))
  const set = buildRuleSet(rules)
  const at = new Date(0).toISOString()
  const views = happened.map(({ value, points, plan }): RuleView & { event: NonNullable<RuleView['event']> } => ({
    now: 0,
    profile: {
      ...emptyProfile(at),
      traits: { points: { value: points, at, purposes: [PURPOSE] }, plan: { value: plan, at, purposes: [PURPOSE] } },
    },
    purpose: PURPOSE,
    counted: {},
    known: true,
    event: { properties: { value } },
  }))
  const tests = ({ where, who }: CompiledRule, view: RuleView) => where.test(view) && who.test(view)
  const explains = ({ where, who }: CompiledRule, view: RuleView) => {
    const first = where.explain(view)
    if (!where.holds(first)) return false
    return who.holds(who.explain(view))
  }
  const indexed = (holds: typeof tests): Ask => {
    return (index) => {
      const view = views[index]!
      const found: string[] = []
      for (const compiled of set.triggeredBy(happened[index]!.name, view.event.properties))
        if (holds(compiled, view)) found.push(compiled.rule.id)
      return found
    }
  }
  return {
    explained: indexed(explains),
    tested: indexed(tests),
    unindexed(index) {
      const view = views[index]!
      const { name } = happened[index]!
      const found: string[] = []
      for (const compiled of set.current)
        if ('event' in compiled.rule.when && compiled.rule.when.event === name && tests(compiled, view))
          found.push(compiled.rule.id)
      return found
    },
  }
}

function cel(): Ask {
  const environment = new Environment()
    .registerVariable('name', 'string')
    .registerVariable('value', 'double')
    .registerVariable('points', 'double')
    .registerVariable('plan', 'string')
  const parsed = wanted.map(({ id, name, value, points, plans }) => ({
    id,
    holds: environment.parse(
      `name == "${name}" && value >= ${value}.0 && points >= ${points}.0 && plan in [${plans.map((plan) => `"${plan}"`).join(', ')}]`,
    ),
  }))
  return (index) => {
    const found: string[] = []
    for (const { id, holds } of parsed) if (holds({ ...happened[index]! }) === true) found.push(id)
    return found
  }
}

function jsonRules(): Ask {
  const engine = new Engine(
    wanted.map(({ id, name, value, points, plans }) => ({
      name: id,
      conditions: {
        all: [
          { fact: 'name', operator: 'equal', value: name },
          { fact: 'value', operator: 'greaterThanInclusive', value },
          { fact: 'points', operator: 'greaterThanInclusive', value: points },
          { fact: 'plan', operator: 'in', value: [...plans] },
        ],
      },
      event: { type: id },
    })),
  )
  return async (index) => {
    const { events } = await engine.run({ ...happened[index]! })
    return events.map(({ type }) => type).sort()
  }
}

const sides: Readonly<Record<string, Ask>> = { ...ours(), cel: cel(), 'json-rules-engine': jsonRules() }
const WORDS: Readonly<Record<string, string>> = {
  explained: 'ours, index, clauses',
  tested: 'ours, index, tested alone',
  unindexed: 'ours, no index',
  cel: '@marcbachmann/cel-js',
  'json-rules-engine': 'json-rules-engine',
}

const expected = await Promise.all(happened.map((_, index) => sides['unindexed']!(index)))
const matches = expected.reduce((sum, { length }) => sum + length, 0) / EVENTS
for (const [name, ask] of Object.entries(sides))
  for (const [index, ids] of expected.entries()) {
    const found = await ask(index)
    if (found.join() !== ids.join())
      throw new Error(`event ${index} matches ${found.join()} by ${name}, and ${ids.join()} by the closures`)
  }

/** Microseconds of CPU per event. */
async function measure(ask: Ask): Promise<number> {
  let events = 0
  let matched = 0
  const cpu = process.cpuUsage()
  const before = performance.now()
  do {
    for (let index = 0; index < EVENTS; index++) {
      const found = ask(index)
      matched += (found instanceof Promise ? await found : (found as readonly string[])).length
    }
    events += EVENTS
  } while (performance.now() - before < LEAST_MS)
  const { user, system } = process.cpuUsage(cpu)
  if (Math.round(matched / (events / EVENTS)) !== Math.round(matches * EVENTS))
    throw new Error('a round matched others')
  return (user + system) / events
}

const best: Record<string, number> = {}
// The first round compiles.
for (let round = -1; round < ROUNDS; round++)
  for (const [name, ask] of Object.entries(sides)) {
    const us = await measure(ask)
    if (round >= 0) best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, us)
  }

const own = best['explained']!
const ratios = Object.fromEntries(Object.entries(best).map(([name, us]) => [name, us / own]))
const load = loadavg()[0]!
if (options.json) console.log(JSON.stringify({ load, rules: RULES, events: EVENTS, matches, us: best, ratios }))
else {
  console.log(
    `${RULES} rules of four conditions, ${EVENTS} events, ${matches.toFixed(1)} matches per event on every side, best of ${ROUNDS}; load ${load.toFixed(1)}`,
  )
  for (const [name, us] of Object.entries(best))
    console.log(
      `${WORDS[name]!.padEnd(28)} ${us.toFixed(2).padStart(9)} µs of CPU per event ${(1e6 / us).toFixed(0).padStart(9)} events/CPU-s   × ${ratios[name]!.toFixed(2)} of ours`,
    )
}
