/** Audiences: how large, who, why, and what destinations were told. Members are ids; nobody's contact is shown. */
import { Type } from 'typebox'
import { IdParams } from '../../../schemas/admin.ts'
import { AudienceMember, AudienceStay, AudienceSummary, AudienceSync } from '../../../schemas/audience.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

const TAG = 'Audiences'
const items = <T extends Parameters<typeof Type.Array>[0]>(of: T) =>
  Type.Object({ items: Type.Array(of) }, { additionalProperties: false })

export const audienceRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/audiences',
    operationId: 'listAudiences',
    tag: TAG,
    summary: 'Every audience with its size, who entered and left per day, and how each destination stands.',
    permission: 'rules.read',
    answer: items(AudienceSummary),
    handle: async ({ context, identity }) => ({
      items: expectOk(await context.run({ name: 'audiencesList', args: {}, actor: identity.id })) as AudienceSummary[],
    }),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/audiences/{id}/members',
    operationId: 'listAudienceMembers',
    tag: TAG,
    summary: 'The newest 100 members by person id: since when, why, and what each destination was told.',
    permission: 'rules.read',
    params: IdParams,
    answer: items(AudienceMember),
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'There is no such audience.' }],
    handle: async ({ context, identity, params }) => ({
      items: expectOk(
        await context.run({ name: 'audienceMembers', args: { audience: params.id }, actor: identity.id }),
      ) as AudienceMember[],
    }),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/people/{id}/audiences',
    operationId: 'listAudiencesOfPerson',
    tag: TAG,
    summary: "One person's stays in audiences, with the clauses and values of entering and leaving.",
    permission: 'rules.read',
    params: IdParams,
    answer: items(AudienceStay),
    handle: async ({ context, identity, params }) => ({
      items: expectOk(
        await context.run({ name: 'audiencesOfPerson', args: { person: params.id }, actor: identity.id }),
      ) as AudienceStay[],
    }),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/audiences/sync',
    operationId: 'syncAudiences',
    tag: TAG,
    summary: 'Tell destinations again what failed, or with `full` everything; the hub goes through people in pages.',
    permission: 'rules.write',
    body: Type.Object(
      { audience: Type.Optional(Type.String()), full: Type.Optional(Type.Boolean()) },
      { additionalProperties: false },
    ),
    answer: AudienceSync,
    errors: [
      { status: 404, code: 'NOT_FOUND', when: 'There is no such audience.' },
      { status: 409, code: 'CONFLICT', when: 'People are being gone through already.' },
    ],
    handle: async ({ context, identity, body }) =>
      expectOk(await context.run({ name: 'audiencesSync', args: { ...body }, actor: identity.id })) as AudienceSync,
  }),
]
