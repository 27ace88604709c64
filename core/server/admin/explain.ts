/** What `anuente explain` tells, over HTTP: the whole way of one event or delivery, and why. */
import { ExplainAnswer, ExplainQuery } from '../../../schemas/explain.ts'
import { type AnyRoute, defineRoute, Refusal } from './route.ts'

export const explainRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/explain',
    operationId: 'explain',
    tag: 'Events',
    summary:
      'Why something happened, or did not: stages and exit, rule clauses with the values found, consent, attempts. No contact data.',
    permission: 'events.read',
    query: ExplainQuery,
    answer: ExplainAnswer,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'Nothing that was kept has this id.' }],
    handle: async ({ context, query }) => {
      const journey = await context.explain(query.id)
      if (journey) return journey
      throw new Refusal(
        404,
        'NOT_FOUND',
        'Nothing that was kept has this id. Message ids are known for 72 hours; an event that arrived a moment ago may still be on its way.',
      )
    },
  }),
]
