import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EMPTY_ROOT, sha256, textLeafHash } from './merkle.ts'
import {
  bucketOf,
  checkState,
  createStateFold,
  keyedBucket,
  keyedHead,
  nextHead,
  type StateStep,
  type SubjectHead,
  stateProof,
  stateRoot,
  subjectKey,
} from './state-tree.ts'

const head = (subject: string, last_seq = 1): SubjectHead => ({
  subject,
  subject_seq: 0,
  last_seq,
  last_leaf: sha256(Buffer.from(subject)).toString('hex'),
  state: { email_marketing: ['granted', last_seq] },
})
const people = (count: number) => Array.from({ length: count }, (_, n) => head(`s_${n}`))
const rootOf = (heads: readonly SubjectHead[]) => stateRoot(heads.map(keyedHead))
function prove(heads: readonly SubjectHead[], subject: string): { head: SubjectHead | null; steps: StateStep[] } {
  const proof = stateProof(heads.map(keyedHead), subjectKey(subject))
  const found = heads.find(({ subject: other }) => proof && subjectKey(other).equals(proof.found.key))
  return { head: found ?? null, steps: proof?.steps ?? [] }
}

test('these heads have this root', () => {
  expect(rootOf([]).equals(EMPTY_ROOT)).toBe(true)
  expect(rootOf(people(1)).toString('hex')).toMatchInlineSnapshot(
    `"f88d9ce8a189f98d7ee1b7e2aa32d249b7dfb5abaef08b3b661387b4e5cbf3bd"`,
  )
  expect(rootOf(people(5)).toString('hex')).toMatchInlineSnapshot(
    `"36ce86adb9a164354497d563ee6046dc5bf5057441232c236cff3a6ebb8a672f"`,
  )
})

test('everybody present is provably there with their last word, everybody else provably not', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 40 }),
      fc.integer({ min: 0, max: 60 }),
      (ids, who) => {
        const heads = ids.map((id) => head(`s_${id}`))
        const root = rootOf(heads)
        const subject = `s_${who}`
        const proof = prove(heads, subject)
        expect(checkState(subject, proof.head, proof.steps, root)).toBe(ids.includes(who) ? 'last' : 'absent')
      },
    ),
  )
})

test('the order in which people came does not matter, and hashing in parts gives the same', () => {
  const heads = people(300)
  const root = rootOf(heads)
  expect(rootOf([...heads].reverse())).toEqual(root)
  const buckets = Map.groupBy(heads, ({ subject }) => bucketOf(subjectKey(subject)))
  expect(stateRoot([...buckets].map(([bucket, members]) => keyedBucket(bucket, rootOf(members))))).toEqual(root)
})

test('no proof can be bent: another head, a left-out step, another subject, a swapped side', () => {
  const heads = people(40)
  const root = rootOf(heads)
  const { head: mine, steps } = prove(heads, 's_7')
  expect(checkState('s_7', mine, steps, root)).toBe('last')
  expect(checkState('s_7', { ...mine!, last_seq: 0 }, steps, root)).toBeUndefined()
  expect(checkState('s_7', { ...mine!, state: {} }, steps, root)).toBeUndefined()
  expect(checkState('s_7', mine, steps.slice(1), root)).toBeUndefined()
  expect(checkState('s_7', mine, steps.toReversed(), root)).toBeUndefined()
  expect(checkState('s_7', null, [], root)).toBeUndefined()
  expect(checkState('s_7', mine, steps, sha256(root))).toBeUndefined()
  // The way to s_7 does not show that others are absent, unless it is also their way.
  for (const { subject } of heads.filter(({ subject }) => subject !== 's_7'))
    expect(checkState(subject, mine, steps, root)).toBeUndefined()
  const absent = prove(heads, 's_999')
  expect(checkState('s_999', absent.head, absent.steps, root)).toBe('absent')
  expect(checkState('s_998', { ...absent.head!, subject: 's_998' }, absent.steps, root)).toBeUndefined()
})

test('following the entries one by one gives the root of the heads at each moment', () => {
  const fold = createStateFold('hub')
  const heads = new Map<string, SubjectHead>()
  for (let seq = 0; seq < 200; seq++) {
    const subject = seq % 10 === 0 ? 'hub' : `s_${(seq * 7) % 23}`
    const entry = {
      seq,
      subject,
      subject_seq: heads.has(subject) ? heads.get(subject)!.subject_seq + 1 : 0,
      purpose: seq % 3 === 0 ? 'ads' : 'email_marketing',
      status: seq % 2 === 0 ? 'granted' : 'revoked',
      type: 'consent.grant',
    }
    const leaf = textLeafHash(String(seq))
    expect(fold.add(entry, leaf)).toEqual(heads.get(subject))
    heads.set(subject, nextHead(heads.get(subject), entry, leaf))
    if (seq % 50 === 49)
      expect(fold.root()).toEqual(rootOf([...heads.values()].filter(({ subject: other }) => other !== 'hub')))
  }
})

test('evidence that changed nothing moves the chain and not the state', () => {
  const first = nextHead(
    undefined,
    { seq: 0, subject: 's', subject_seq: 0, purpose: 'ads', status: 'granted', type: 'consent.grant' },
    sha256(Buffer.from('a')),
  )
  const second = nextHead(
    first,
    { seq: 1, subject: 's', subject_seq: 1, purpose: 'ads', status: 'invalid', type: 'consent.record' },
    sha256(Buffer.from('b')),
  )
  expect(second).toMatchObject({ last_seq: 1, subject_seq: 1, state: { ads: ['granted', 0] } })
})
