/** Branches of `then`: the first that fits is taken, top-down; a wait has one for what ended it and one for nothing. */
import { describe, expect, test } from 'vitest'
import { loadRules, whySentence } from './index.ts'
import { at, event, Person, rulesFrom } from './person.fixture.ts'

const send = (id: string, more = '') => `{id: ${id}, ${more}all: [{destination: email, action: ${id}}]}`
const rule = (when: string, branches: string[], more = '') => `id: r
version: 1
when: ${when}
unless: {purpose: email_marketing${more}}
then: {branches: [${branches.join(', ')}]}
`
const who = (op: string, value: number) => `who: {all: [{field: event.total, op: ${op}, value: ${value}}]}, `
const HOLD =
  '{absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}, {event: Ticket Opened}, {event: Product Removed}]}, within: PT30M}}'
const HOLD_BRANCHES = [
  send('vip', `on: Order Completed, ${who('gte', 1000)}`),
  send('thanks', 'on: Order Completed, '),
  send('care', 'on: Ticket Opened, '),
  send('remind'),
]
const told = (person: Person) => person.deliveries.map(({ action }) => action)

function problem(text: string): string {
  try {
    loadRules([{ file: 'r.yaml', text }])
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was refused'
}

describe('the first branch that fits, from the top', () => {
  const branches = [send('gold', who('gte', 1000)), send('silver', who('gte', 100)), send('rest')]

  test.each([
    [5000, 'gold'],
    [1000, 'gold'],
    [999, 'silver'],
    [5, 'rest'],
    [undefined, 'rest'],
  ])('an order of %s takes %s alone', (total, expected) => {
    const person = new Person(rulesFrom(rule('{event: Order Completed}', branches)))
    person.take(event('Order Completed', 0, { total }))
    expect(told(person)).toEqual([expected])
  })

  test('without an else whoever fits none gets nothing, and is told what each would have needed', () => {
    const person = new Person(rulesFrom(rule('{event: Order Completed}', branches.slice(0, 2))))
    person.take(event('Order Completed', 0, { total: 5 }))
    const [explanation] = person.explanations
    expect(explanation).toMatchObject({
      result: 'NOT_MATCHED',
      failed: ['then.branches', 'then.branches.0.who.all.0', 'then.branches.1.who.all.0'],
    })
    expect(whySentence({ explanation: explanation! }, 'pt')).toContain('Não valeu: algum dos ramos serve')
  })

  test('the explanation says which one, in sentences too', () => {
    const person = new Person(rulesFrom(rule('{event: Order Completed}', branches)))
    person.take(event('Order Completed', 0, { total: 150 }))
    const explanation = person.explanations[0]!
    expect(explanation.clauses).toContainEqual(
      expect.objectContaining({ id: 'then.branches.1', ok: true, value: 'silver' }),
    )
    expect(whySentence({ explanation }, 'pt')).toContain('foi seguido “silver”, o primeiro que servia')
    expect(whySentence({ explanation }, 'en')).toContain('“silver” was taken')
  })

  test('each has its own channels, and a message of one is not that of another', () => {
    const person = new Person(
      rulesFrom(
        rule('{event: Order Completed}', [
          `{id: gold, ${who('gte', 1000)}channel: {order: [whatsapp, email]}, send: {whatsapp: {destination: whatsapp, action: gold}, email: {destination: email, action: gold}}}`,
          send('rest'),
        ]),
      ),
    )
    person.take(event('Order Completed', 0, { total: 1000 }, 'e'))
    expect(person.deliveries[0]).toMatchObject({ channel: 'whatsapp', action: 'gold' })
    const other = new Person(person.rules)
    other.take(event('Order Completed', 0, { total: 1 }, 'e'))
    expect(other.deliveries[0]!.id).not.toBe(person.deliveries[0]!.id)
  })
})

describe('a wait that several events may end', () => {
  const wait = () => {
    const person = new Person(rulesFrom(rule(HOLD, HOLD_BRANCHES)))
    person.take(event('Product Added', 0))
    return person
  }

  test.each<[string, Record<string, unknown>, string[]]>([
    ['Order Completed', { total: 2000 }, ['vip']],
    ['Order Completed', { total: 20 }, ['thanks']],
    ['Ticket Opened', {}, ['care']],
    // Ends the wait, and has no branch: nothing is done.
    ['Product Removed', {}, []],
  ])('%s %o: %o, at once, once', (name, properties, expected) => {
    const person = wait()
    person.take(event(name, 5, properties, 'end'))
    expect(told(person)).toEqual(expected)
    expect(person.profile.timers).toEqual([])
    expect(person.wake(30)).toEqual([])
    person.take(event('Order Completed', 6, { total: 20 }))
    expect(told(person)).toEqual(expected)
    // The message is made of what ended the wait.
    for (const draft of person.deliveries) expect(draft).toMatchObject({ eventId: 'end', since: at(0) })
  })

  test('when nothing ends it the fallback acts, at the end of the wait and not before or twice', () => {
    const person = wait()
    expect(person.wake(29)).toEqual([])
    person.wake(30)
    person.take(event('Order Completed', 31, { total: 2000 }))
    expect(told(person)).toEqual(['remind'])
    expect(person.wake(60)).toEqual([])
  })

  test('the branch is that of the version that began the wait', () => {
    const person = wait()
    const next = rule(HOLD, [send('other', 'on: Order Completed, '), send('remind')]).replace(
      'version: 1',
      'version: 2',
    )
    const [one] = person.rules.current
    const both = rulesFrom(next)
    person.rules = { ...both, versionOf: (id, version) => (version === 1 ? one : both.versionOf(id, version)) }
    person.take(event('Order Completed', 5, { total: 20 }))
    expect(told(person)).toEqual(['thanks'])
  })

  test('an ending that was known before its start ends it without a branch', () => {
    const person = new Person(rulesFrom(rule(HOLD, HOLD_BRANCHES)))
    person.take(event('Order Completed', 5, { total: 20 }))
    person.take(event('Product Added', 0), 6)
    expect(person.results).toEqual(['CANCELLED'])
  })

  test('says what ended the wait, and does not say that nothing did', () => {
    const person = wait()
    person.take(event('Ticket Opened', 5))
    const text = whySentence({ explanation: person.explanations.at(-1)!, rule: person.rules.current[0]!.rule }, 'pt')
    expect(text).toContain('"Ticket Opened" encerrou a espera')
    expect(text).not.toContain('sem que algo encerre')
  })
})

test.each<[string, string, string]>([
  [
    'actions outside',
    rule('{event: A}', [send('a')]).replace('then: {', 'then: {all: [{destination: email, action: x}], '),
    'move "all" into a branch',
  ],
  [
    'one above fits everybody',
    rule('{event: A}', [send('a'), send('b')]),
    'branch "a" above fits everybody, so "b" is never taken',
  ],
  ['the same id', rule('{event: A}', [send('a', who('gt', 1)), send('a')]), 'branch "a" is there twice'],
  ['nothing to do', rule('{event: A}', ['{id: a}']), '"branches.0" does nothing'],
  ['an ending without a wait', rule('{event: A}', [send('a', 'on: B, ')]), 'this rule does not wait'],
  ['an ending that is none', rule(HOLD, [send('a', 'on: Other, '), send('b')]), '"Other" does not end the wait'],
  ['no fallback', rule(HOLD, [send('a', 'on: Ticket Opened, ')]), 'add one without "on"'],
  [
    'an ending that is a goal',
    `${rule(HOLD, [send('a', 'on: Order Completed, '), send('b')])}exit_on: [Order Completed]\n`,
    'is a goal (exit_on)',
  ],
  [
    'a field that is none',
    rule('{event: A}', [send('a', 'who: {all: [{field: basket, op: exists}]}, ')]),
    '"basket" is no field',
  ],
  [
    'a channel without its action',
    rule('{event: A}', ['{id: a, channel: {order: [sms]}, send: {email: {destination: email, action: x}}}']),
    'no action for the channel "sms"',
  ],
])('%s is refused with its place', (_, text, message) => {
  expect(problem(text)).toMatch(/^r\.yaml:\d+:\d+: rule r: /)
  expect(problem(text)).toContain(message)
})
