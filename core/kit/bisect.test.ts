import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bisect, inGroups } from './bisect.ts'
import type { Outcome } from './define.ts'
import { AuthenticationError, RejectedError, RetryableError } from './errors.ts'

const delivered: Outcome = { status: 'delivered' }

test('finds every wrong item, delivers the others, and repeats none that was taken', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), async (wrong) => {
      const taken: number[] = []
      const items = wrong.map((_, index) => index)
      const outcomes = await bisect(items, async (some) => {
        if (some.some((index) => wrong[index])) throw new RejectedError('HTTP 400')
        taken.push(...some)
        return some.map(() => delivered)
      })
      expect(outcomes.map(({ status }) => status)).toEqual(wrong.map((bad) => (bad ? 'rejected' : 'delivered')))
      expect(taken.sort((a, b) => a - b)).toEqual(items.filter((index) => !wrong[index]))
    }),
  )
})

test('a refusal that is of the whole request is not searched', async () => {
  let calls = 0
  const send = async () => {
    calls += 1
    throw new RejectedError('no such list')
  }
  await expect(bisect([1, 2, 3, 4], send, ({ message }) => message === 'HTTP 400')).rejects.toThrow('no such list')
  expect(calls).toBe(1)
})

test('trouble of a half is thrown where it may pass, and an outcome where it will not', async () => {
  const failing = (error: Error) => async (some: readonly number[]) => {
    if (some.length > 2) throw new RejectedError('HTTP 400')
    throw error
  }
  await expect(bisect([1, 2, 3, 4], failing(new RetryableError('HTTP 503')))).rejects.toThrow('HTTP 503')
  const outcomes = await bisect([1, 2, 3, 4], failing(new AuthenticationError('HTTP 401')))
  expect(outcomes).toEqual([1, 2, 3, 4].map(() => ({ status: 'authentication', reason: 'HTTP 401' })))
})

test('groups do not share their errors, and the outcomes stand in the order of the items', async () => {
  const fates: Readonly<Record<string, Error | undefined>> = {
    b: new RejectedError('no such list'),
    c: new RetryableError('HTTP 429', { retryAfterMs: 5000 }),
  }
  const outcomes = await inGroups(
    ['a1', 'b1', 'a2', 'c1'],
    ([list = '']) => list,
    async (group, list) => {
      const fate = fates[list]
      if (fate) throw fate
      return group.map((item) => ({ status: 'delivered', answer: item }))
    },
  )
  expect(outcomes).toEqual([
    { status: 'delivered', answer: 'a1' },
    { status: 'rejected', reason: 'no such list' },
    { status: 'delivered', answer: 'a2' },
    { status: 'retry', reason: 'HTTP 429', retryAfterMs: 5000 },
  ])
})

test('the error of the only group is thrown, so that its uncertainty is kept', async () => {
  const send = async () => {
    throw new RetryableError('no answer', { uncertain: true })
  }
  await expect(inGroups([1, 2], () => 'a', send)).rejects.toMatchObject({ uncertain: true })
})
