/** What cannot become an event names its place in what the sender sent, the index in a batch included. */
import { expect, test } from 'vitest'
import { loadPurposes } from '../../consent/purposes.ts'
import type { AnySource, SourceItem } from '../kit/define.ts'
import { canonicalize } from './normalize.ts'

const RECEIVED = '2026-11-24T12:00:00.000Z'
const source = {
  id: 'site',
  connector: 'segment',
  definition: { volatileFields: [] } as unknown as AnySource,
  purposes: loadPurposes({ purposes: {} }),
}
const event = { type: 'track' as const, name: 'X', identifiers: [{ type: 'userId' as const, value: 'u1' }] }
const refused = (item: SourceItem) => {
  const result = canonicalize(item, source, RECEIVED, () => 'id')
  return 'quarantine' in result ? `${result.quarantine.code} ${result.quarantine.path}` : 'taken'
}

test('the place in the batch stands before whatever is wrong', () => {
  const at = (over: Partial<Extract<SourceItem, { event: unknown }>>): SourceItem => ({
    event,
    raw: {},
    path: '/batch/3',
    ...over,
  })
  expect(refused(at({}))).toBe('taken')
  expect(refused(at({ event: { ...event, identifiers: [] } }))).toBe('NO_IDENTIFIER /batch/3')
  expect(refused(at({ raw: JSON.parse('{"traits":{"__proto__":{}}}') }))).toBe('HOSTILE_KEY /batch/3/traits/__proto__')
  expect(refused(at({ event: { ...event, timestamp: 'noon' } }))).toBe('BAD_TIMESTAMP /batch/3/timestamp')
  expect(refused(at({ event: { ...event, messageId: 'm'.repeat(300) } }))).toBe('INVALID /batch/3/messageId')
  expect(refused(at({ raw: { text: 'x'.repeat(40_000) } }))).toBe('EVENT_TOO_LARGE /batch/3')
})

test('also where the raw event repeats what its body shares', () => {
  const raw = JSON.parse('{"events":[{"params":{"__proto__":{}}}]}')
  expect(refused({ event, raw, path: '/events/7', rawPath: '/events/0' })).toBe(
    'HOSTILE_KEY /events/7/params/__proto__',
  )
})

test('a single body needs no prefix, and what a source refuses itself is passed on as it is', () => {
  expect(refused({ event: { ...event, identifiers: [] }, raw: {} })).toBe('NO_IDENTIFIER ')
  expect(refused({ rejected: { code: 'INVALID', path: '/batch/2/type', message: '' }, raw: {} })).toBe(
    'INVALID /batch/2/type',
  )
})
