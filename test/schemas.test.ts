/** The JSON Schemas people's editors read, and every example in the documentation against them. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { registry } from '../connectors/index.ts'
import { checkSettings } from '../core/config.ts'
import { actionsOf } from '../core/decision/compile-gates.ts'
import { BacktestReport } from '../schemas/backtest.ts'
import { Config } from '../schemas/config.ts'
import { CanonicalEvent } from '../schemas/event.ts'
import { TrackingPlan } from '../schemas/plan.ts'
import { Rule } from '../schemas/rule.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(root + path, 'utf8')
const SCHEMAS = { event: CanonicalEvent, rule: Rule, config: Config, plan: TrackingPlan, backtest: BacktestReport }

const ajv = new Ajv2020.default({ strict: true, allErrors: true, allowUnionTypes: true })
addFormats.default(ajv)
ajv.addVocabulary(['from', 'secret', 'pii'])
const validators = {
  event: ajv.compile(CanonicalEvent),
  rule: ajv.compile(Rule),
  config: ajv.compile(Config),
  plan: ajv.compile(TrackingPlan),
}

describe.each(Object.entries(SCHEMAS))('schemas/json/%s.json', (name, schema) => {
  test('is what schemas/emit.ts writes today', () => {
    const emitted = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }
    expect(read(`schemas/json/${name}.json`)).toBe(`${JSON.stringify(emitted, null, 2)}\n`)
  })
})

/** Examples say what they are on their first line: `# anuente.yaml`, `# rules/<name>.yaml`, `# plans/<name>.yaml`. */
const pages = [
  'README.md',
  'README.pt-BR.md',
  ...readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path.replaceAll('\\', '/')}`),
]
const examples = pages.flatMap((page) =>
  [...read(page).matchAll(/```yaml\n([\s\S]*?)```/g)].map((match, index) => ({ page, index, text: match[1]! })),
)

describe('examples in the documentation', () => {
  test('there are examples of the configuration and of rules', () => {
    expect(examples.filter(({ text }) => text.startsWith('# anuente.yaml')).length).toBeGreaterThan(3)
    expect(examples.filter(({ text }) => text.startsWith('# rules/')).length).toBeGreaterThan(1)
  })

  test.each(examples)('$page, YAML example $index, is valid', ({ text }) => {
    const kind = text.startsWith('# anuente.yaml')
      ? 'config'
      : text.startsWith('# rules/')
        ? 'rule'
        : text.startsWith('# plans/')
          ? 'plan'
          : undefined
    expect(kind, 'the first line says which file it belongs to').toBeDefined()
    for (const document of parseAllDocuments(text)) {
      expect(document.errors).toEqual([])
      const value: unknown = document.toJS()
      // An excerpt shows one section; what it leaves out is filled in here so that the rest is judged in full.
      const whole =
        kind === 'config' ? { organization: { name: 'Loja' }, sources: {}, purposes: {}, ...(value as object) } : value
      const valid = validators[kind!](whole)
      expect(validators[kind!].errors ?? [], text).toEqual([])
      expect(valid).toBe(true)
    }
  })
})

describe('examples and the connectors there are', () => {
  type Instances = Record<string, { connector: string; settings?: Record<string, unknown>; actions?: string[] }>
  interface Example {
    sources?: Instances
    destinations?: Instances
    then?: Rule['then']
  }
  const documents = examples.flatMap(({ page, text }) =>
    parseAllDocuments(text).map((document) => ({ page, value: document.toJS() as Example })),
  )

  test('settings shown are settings of the connector', () => {
    for (const { page, value } of documents) {
      for (const [kind, instances] of [
        ['sources', value.sources],
        ['destinations', value.destinations],
      ] as const) {
        for (const [id, { connector, settings }] of Object.entries(instances ?? {})) {
          const definition = registry[kind].get(connector)
          expect(definition, `${page}: ${kind}.${id} names a connector`).toBeDefined()
          checkSettings(definition!.settings, settings ?? {}, `${page}: ${kind}.${id}`)
        }
      }
    }
  })

  test('actions of rules exist', () => {
    const known = [...registry.destinations.values()].flatMap((definition) => Object.keys(definition.actions))
    const used = documents.flatMap(({ value: { then } }) =>
      then ? actionsOf({ then }).map(({ action }) => action.action) : [],
    )
    expect(used.length).toBeGreaterThan(2)
    expect(used.filter((action) => !known.includes(action))).toEqual([])
  })
})

describe('what the schemas refuse', () => {
  test.each([
    ['a misspelt key', { organization: { name: 'Loja' }, sources: {}, purposes: {}, destinatons: {} }],
    ['a source without a connector', { organization: { name: 'Loja' }, sources: { site: {} }, purposes: {} }],
    [
      'a country that is no ISO code',
      {
        organization: { name: 'Loja' },
        sources: {},
        purposes: {},
        destinations: { rd: { connector: 'rdstation', country: 'Brasil', purposes: [] } },
      },
    ],
    [
      'an unknown legal basis',
      {
        organization: { name: 'Loja' },
        sources: {},
        purposes: { x: { basis: 'vibes', scope: 'person', title: { pt: 'x', en: 'x' }, collects: [], stages: [] } },
      },
    ],
  ])('configuration with %s', (_, value) => {
    expect(validators.config(value)).toBe(false)
  })

  test.each([
    [
      'no purpose',
      { id: 'a', version: 1, when: { event: 'X' }, unless: {}, then: { all: [{ destination: 'd', action: 'a' }] } },
    ],
    ['no action', { id: 'a', version: 1, when: { event: 'X' }, unless: { purpose: 'p' }, then: { all: [] } }],
    [
      'a control group of everybody',
      {
        id: 'a',
        version: 1,
        when: { event: 'X' },
        unless: { purpose: 'p' },
        then: { all: [{ destination: 'd', action: 'a' }] },
        experiment: { control: 1 },
      },
    ],
    [
      'a duration in words',
      {
        id: 'a',
        version: 1,
        when: { absence: { start: { event: 'X' }, unless: { any: [{ event: 'Y' }] }, within: '30 minutes' } },
        unless: { purpose: 'p' },
        then: { all: [{ destination: 'd', action: 'a' }] },
      },
    ],
  ])('a rule with %s', (_, value) => {
    expect(validators.rule(value)).toBe(false)
  })
})
