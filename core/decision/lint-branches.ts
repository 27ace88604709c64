/** Branches that could never be taken, or that would say twice what the rule does. */
import type { Rule } from '../../schemas/rule.ts'
import { nameMatches } from './names.ts'

interface Found {
  readonly path: readonly (string | number)[]
  readonly message: string
}

const written = ({ all, any, none }: NonNullable<Rule['who']>) => [...(all ?? []), ...(any ?? []), ...(none ?? [])]

export function branchProblems(rule: Rule): Found[] {
  const { then, when } = rule
  const { branches } = then
  if (!branches) return []
  const found: Found[] = []
  for (const key of ['all', 'send'] as const)
    if (then[key])
      found.push({
        path: ['then', key],
        message: `with "branches" the actions stand inside them: move "${key}" into a branch, the last one without "who" if it is for everybody`,
      })
  const ids = new Set<string>()
  const everybody = new Map<string | undefined, string>()
  for (const [index, { id, on, who }] of branches.entries()) {
    const path = ['then', 'branches', index]
    if (ids.has(id))
      found.push({ path: [...path, 'id'], message: `branch "${id}" is there twice: give this one another id` })
    ids.add(id)
    const before = everybody.get(on)
    if (before !== undefined)
      found.push({
        path: [...path, 'id'],
        message: `branch "${before}" above fits everybody, so "${id}" is never taken: put it above, or give "${before}" a "who"`,
      })
    else if (!who || written(who).length === 0) everybody.set(on, id)
    if (on !== undefined) found.push(...endingProblems(rule, on, [...path, 'on']))
  }
  if ('absence' in when && branches.every(({ on }) => on !== undefined))
    found.push({
      path: ['then', 'branches'],
      message: 'every branch is for what ended the wait and none for the wait that nothing ended: add one without "on"',
    })
  return found
}

function endingProblems({ when, exit_on: goals = [] }: Rule, on: string, path: Found['path']): Found[] {
  if (!('absence' in when))
    return [
      {
        path,
        message: '"on" is about what ended a wait, and this rule does not wait: use "who", or "when: {absence: …}"',
      },
    ]
  const endings = when.absence.unless.any.flatMap((entry) => ('event' in entry ? [entry.event] : []))
  if (!endings.includes(on))
    return [
      {
        path,
        message: `"${on}" does not end the wait: write it as under "unless": ${endings.join(', ') || '(no event)'}`,
      },
    ]
  const goal = goals.find((one) => one === on || nameMatches(one, on) || nameMatches(on, one))
  return goal === undefined
    ? []
    : [
        {
          path,
          message: `"${goal}" is a goal (exit_on), which cancels what this branch would send: take it out of one of the two`,
        },
      ]
}
