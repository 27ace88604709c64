/** Why one person did, or did not, get something of one rule. By pseudonym. */
import { WhyAnswer, WhyParams } from '../../../schemas/why.ts'
import { type AnyRoute, defineRoute, Refusal } from './route.ts'

export const whyRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/people/{id}/rules/{rule}/why',
    operationId: 'whyPersonRule',
    tag: 'Access',
    summary:
      'Why a person did or did not get something of a rule: cause, clauses with the values found, group, caps, consent, deliveries. Stored, or recomputed from history, and it says which.',
    permission: 'ledger.read',
    params: WhyParams,
    answer: WhyAnswer,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'Nobody has this id, or no rule is published under that one.' }],
    handle: async ({ context, params }) => {
      const answer = await context.why(params.id, params.rule)
      if (answer === 'NO_RULE')
        throw new Refusal(404, 'NOT_FOUND', 'No rule is published under this id; GET /api/rules lists them.')
      if (answer === 'NOBODY') throw new Refusal(404, 'NOT_FOUND', 'Nobody has this id.')
      return answer
    },
  }),
]
