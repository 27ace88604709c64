/** Mistakes in rules are told in Portuguese too: none of the sentences of the loader and the linters is missing. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { loadRules } from './index.ts'
import { ruleProblems } from './lint-when.fixture.ts'
import { problemInPortuguese } from './problems-pt.ts'

const FILES = ['lint.ts', 'lint-when.ts', 'lint-gates.ts', 'lint-branches.ts', 'duration.ts', 'schedule.ts', 'cron.ts']

/** Sentences as they stand in a file, what differs written as x; parts of sentences and choices inside them left out. */
function sentencesOf(file: string): string[] {
  const text = readFileSync(resolve(import.meta.dirname, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/^import[\s\S]*?from .*$/gm, '')
  const literals = [...text.matchAll(/`((?:[^`$\\]|\$\{[^{}`]*\}|\\.)*)`|'((?:[^'\\\n]|\\.)*)'/g)]
  return literals
    .map(([, template, quoted]) => (template ?? quoted ?? '').replaceAll("\\'", "'"))
    .filter((sentence) => !/\$\{[^}]*\?/.test(sentence))
    .map((sentence) => sentence.replace(/\$\{KINDS[^}]*\}/, 'audience'))
    .map((sentence) => sentence.replace(/\$\{[^}]*\}/g, 'x'))
    .filter((sentence) => /[a-z]+ [a-z]+ [a-z]+/.test(sentence) && !sentence.startsWith(' '))
}

test.each(FILES)('every sentence of %s', (file) => {
  const sentences = sentencesOf(file)
  expect(sentences.length).toBeGreaterThan(0)
  for (const sentence of sentences) expect(problemInPortuguese(sentence), sentence).not.toBe(sentence)
})

const WORDS = {
  when: '{event: A}',
  unless: '{purpose: email_marketing}',
  then: '{all: [{destination: d, action: a}]}',
}
/** A rule that is right but for these lines. */
const rule = (more: string) =>
  [
    'id: r',
    'version: 1',
    ...Object.entries(WORDS).flatMap(([word, value]) =>
      new RegExp(`^${word}:`, 'm').test(more) ? [] : [`${word}: ${value}`],
    ),
    more,
    '',
  ].join('\n')

test.each([
  [
    'unless: {purpose: nada}',
    'regra r: a finalidade "nada" não está na configuração: use email_marketing, orders, ou acrescente-a em purposes',
  ],
  ['whne: {event: A}', 'a palavra "whne" não existe na regra: seria when? Existem id, version,'],
  ['priority: alta', '"priority" deve ser um número inteiro'],
  ['priority: 5000', '"priority" deve ser no máximo 1000'],
  [
    'when: {absence: {start: {event: A}, unless: {any: []}, within: PT30M}}',
    '"when.absence.unless.any" está vazio: precisa de pelo menos um item',
  ],
  [
    'when: {absence: {start: {event: A}, unless: {any: [{event: B}]}, within: 30m}}',
    '"when.absence.within" não é um prazo: escreva por exemplo PT30M ou P1D',
  ],
  ['when: {absence: {start: {event: A}, unless: {any: [{event: B}]}}}', 'falta "within" em "when.absence": acrescente'],
  [
    'unless: {purpose: email_marketing, quiet_hours: {from: 9h, to: "08:00"}}',
    '"unless.quiet_hours.from" não é uma hora: escreva HH:MM, entre aspas',
  ],
  ['who: {all: [{field: cart.total, op: maior, value: 1}]}', '"who.all.0.op" deve ser um destes: eq, ne, gt'],
  [
    'who: {all: [{field: cart.totl, op: gte, value: 1}]}',
    'regra r: "cart.totl" não é um campo que uma regra possa ler: use',
  ],
  [
    'who: {all: [{field: cart.total, op: gte, value: "1"}]}',
    'regra r: cart.total gte: cart.total é um número em centavos (5000 são 50,00), escreva-o sem aspas',
  ],
  [
    'who: {all: [{count: {event: A}, op: gte, value: 1}]}',
    'regra r: count: precisa de "window: P30D" ou de "from: 2026-11-01", e não dos dois',
  ],
  [
    'when: {audience: {enters: a}}\nwho: {all: [{audience: a, in: false}]}',
    'regra r: quem entra em "a" está dentro, e a regra nunca dispara',
  ],
  [
    'then: {channel: {order: preferred, require: [consent]}, send: {email: {destination: d, action: a}}}',
    'regra r: quem não tem contato não recebe nada',
  ],
  ['then: {}', 'regra r: "then" não faz nada: acrescente "all" com ações'],
  ['id: r', 'YAML inválido: a mesma chave aparece duas vezes'],
  ['title: {pt: a', 'YAML inválido: '],
])('%s', (text, expected) => {
  const told = ruleProblems(rule(text)).split('\n')
  const sentences = told.map((line) => problemInPortuguese(line.replace(/^r\.yaml:\d+:\d+: /, '')))
  expect(sentences.join('\n')).toContain(expected)
  for (const sentence of sentences) expect(sentence).not.toMatch(/\b(must|needs|allowed|write|has the|did you)\b/)
})

test('two rules of one id, and what no sentence knows, which stays as it is', () => {
  const two = `${rule('')}---\n${rule('')}`
  expect(() => loadRules([{ file: 'r.yaml', text: two }])).toThrow('already written')
  expect(
    problemInPortuguese(
      'rule r is already written at r.yaml:1: give this one another id, or keep only the newest version',
    ),
  ).toBe('a regra r já está escrita em r.yaml:1: dê outro id a esta, ou deixe só a versão mais nova')
  expect(problemInPortuguese('Something else: entirely.')).toBe('Something else: entirely.')
})
