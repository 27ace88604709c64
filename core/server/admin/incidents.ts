/** The incident register. */
import { IdParams } from '../../../schemas/admin.ts'
import {
  Affected,
  AffectedQuery,
  Incident,
  IncidentFacts,
  Incidents,
  IncidentUpdate,
  Letters,
} from '../../../schemas/records.ts'
import { affectedBy, lettersOf, listIncidents } from '../../reports/incidents.ts'
import { CommandError } from '../context.ts'
import { type AnyRoute, defineRoute, expectOk, Refusal } from './route.ts'

const TAG = 'Incidents'
const GONE = [{ status: 404, code: 'NOT_FOUND', when: 'No such incident.' }]

export const incidentRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/incidents',
    operationId: 'listIncidents',
    tag: TAG,
    summary: 'Every registered incident with its clocks, newest first.',
    permission: 'incidents.read',
    answer: Incidents,
    handle: async ({ context, now }) => ({ items: await listIncidents(context.config, context.state.db, now) }),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/incidents',
    operationId: 'openIncident',
    tag: TAG,
    summary:
      'Register an incident. The clocks run from the time at which it was known that personal data was affected.',
    permission: 'incidents.write',
    body: IncidentFacts,
    answer: Incident,
    handle: async ({ context, identity, body }) =>
      expectOk(await context.run({ name: 'openIncident', args: { ...body }, actor: identity.id })) as Incident,
  }),
  defineRoute({
    method: 'PATCH',
    path: '/api/incidents/{id}',
    operationId: 'updateIncident',
    tag: TAG,
    summary: 'Add facts, or say what was done: authority or subjects told, supplement sent, closed.',
    permission: 'incidents.write',
    params: IdParams,
    body: IncidentUpdate,
    answer: Incident,
    errors: [...GONE, { status: 409, code: 'CONFLICT', when: 'The incident is closed.' }],
    handle: async ({ context, identity, params, body }) =>
      expectOk(
        await context.run({ name: 'updateIncident', args: { id: params.id, ...body }, actor: identity.id }),
      ) as Incident,
  }),
  defineRoute({
    method: 'POST',
    path: '/api/incidents/affected',
    operationId: 'findAffected',
    tag: TAG,
    summary: 'Whom an incident may have touched: people with kept events or deliveries that fit, by pseudonym.',
    permission: 'incidents.read',
    body: AffectedQuery,
    answer: Affected,
    handle: ({ context, body }) => affectedBy(body, context.state.db),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/incidents/{id}/letters',
    operationId: 'draftLetters',
    tag: TAG,
    summary: 'Drafts of both letters in pt-BR, to the authority and to the people, and what they still need.',
    permission: 'incidents.read',
    params: IdParams,
    answer: Letters,
    errors: GONE,
    handle: async ({ context, params, now }) => {
      try {
        const { items, missing } = await lettersOf(params.id, context.config, context.state.db, now)
        return { items: [...items], missing: [...missing] }
      } catch (error) {
        if (error instanceof CommandError) throw new Refusal(404, error.code, error.message)
        throw error
      }
    },
  }),
]
