/** One person, found by an exact identifier with the reason, and their timeline by pseudonym. */
import { IdParams } from '../../../schemas/admin.ts'
import { FindPerson, PersonFound, PersonTimeline, TimelineQuery } from '../../../schemas/people.ts'
import { personTimeline } from '../../reports/person.ts'
import { CommandError } from '../context.ts'
import { type AnyRoute, defineRoute, expectOk, Refusal } from './route.ts'

export const peopleRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'POST',
    path: '/api/people/find',
    operationId: 'findPerson',
    tag: 'Access',
    summary: 'Who has exactly this identifier, by pseudonym. Needs a reason, or the data-subject request; logged.',
    permission: 'people.reveal',
    body: FindPerson,
    answer: PersonFound,
    errors: [{ status: 409, code: 'REASON_REQUIRED', when: 'Neither a reason nor a request was given.' }],
    handle: async ({ context, identity, body }) =>
      expectOk(await context.run({ name: 'findPerson', args: { ...body }, actor: identity.id })) as PersonFound,
  }),
  defineRoute({
    method: 'GET',
    path: '/api/people/{id}/timeline',
    operationId: 'getPersonTimeline',
    tag: 'Access',
    summary: 'Consents, decisions and deliveries of one person, by person id or ledger subject, as of any time.',
    permission: 'ledger.read',
    params: IdParams,
    query: TimelineQuery,
    answer: PersonTimeline,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'Nobody has this id.' }],
    handle: async ({ context, params, query, now }) => {
      try {
        return await personTimeline(
          params.id,
          query.asOf === undefined ? now : Date.parse(query.asOf),
          context.state.db,
        )
      } catch (error) {
        if (error instanceof CommandError) throw new Refusal(404, error.code, error.message)
        throw error
      }
    },
  }),
]
