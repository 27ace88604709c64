/** Mistakes in `unless`, `then` and `experiment` are told with the line and the column they stand at. */
import { expect, test } from 'vitest'
import { loadRules } from './index.ts'

const SEND = '{destination: mail, action: send}'
const text = (unless: string, then = `all: [${SEND}]`, more = '') =>
  `id: r\nversion: 1\nwhen: {event: Viewed}\nunless:\n  purpose: email_marketing\n${unless}then:\n  ${then}\n${more}`

function problem(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was refused'
}
const load = (rule: string) => loadRules([{ file: 'r.yaml', text: rule }]).rules

test.each([
  [
    'a zone that is none',
    text('  quiet_hours: {from: "21:00", to: "08:00", default_zone: Sampa}\n'),
    'r.yaml:6:',
    'time zone',
  ],
  ['half a night', text('  quiet_hours: {from: "21:00"}\n'), 'r.yaml:6:', 'both "from" and "to"'],
  ['a night without an end', text('  quiet_hours: {from: "21:00", to: "21:00"}\n'), 'r.yaml:6:', 'same time'],
  ['a window over midnight', text('  send_windows:\n    - {from: "20:00", to: "02:00"}\n'), 'r.yaml:7:', 'not after'],
  [
    'windows inside the night',
    text('  quiet_hours: {from: "20:00", to: "10:00"}\n  send_windows: [{from: "08:00", to: "09:00"}]\n'),
    'r.yaml:6:',
    'no time at which anything may be sent',
  ],
  [
    'a calendar of ten days',
    text('  caps: [{per: person, max: 1, window: P10D, count: calendar}]\n'),
    'r.yaml:6:',
    'P1D, P7D or P1M',
  ],
  [
    'a zone of a rolling cap',
    text('  caps: [{per: person, max: 1, window: P1D, zone: person}]\n'),
    'r.yaml:6:',
    'same in every zone',
  ],
  [
    'a fallback without an action',
    text('', `channel: {order: preferred, fallback: [sms]}\n  send: {email: ${SEND}}`),
    'r.yaml:7:',
    'no action for the channel "sms"',
  ],
  [
    'a channel without `send`',
    text('', `channel: {order: preferred}\n  all: [${SEND}]`),
    'r.yaml:7:',
    'chooses among the actions',
  ],
  [
    'a chosen time that silence drops',
    text('  quiet_hours: {from: "21:00", to: "08:00", on_hit: skip}\n', `all: [${SEND}]\n  send_at: {time: "19:00"}`),
    'r.yaml:9:',
    'use "hold"',
  ],
  [
    'a variant twice',
    text('', `all: [${SEND}]`, 'experiment:\n  variants:\n    - {id: a, weight: 1}\n    - {id: a, weight: 1}\n'),
    'r.yaml:11:',
    'there twice',
  ],
])('%s', (_what, rule, place, words) => {
  const told = problem(() => load(rule))
  expect(told).toMatch(/^r\.yaml:\d+:\d+: /)
  expect(told).toContain(place)
  expect(told).toContain(words)
})
