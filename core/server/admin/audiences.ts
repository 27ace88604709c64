/** Audiences: how large, who, why, and what destinations were told. Members are ids; nobody's contact is shown. */
import { Type } from 'typebox'
import { IdParams } from '../../../schemas/admin.ts'
import {
  AudienceLeft,
  AudienceMembers,
  AudienceOverlap,
  AudiencePreview,
  AudienceStay,
  AudienceSummary,
  AudienceSync,
} from '../../../schemas/audience.ts'
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
    summary:
      'The newest 100 members by person id: since when, why, and what each destination was told; with `at`, who was in it then.',
    permission: 'rules.read',
    params: IdParams,
    query: Type.Object(
      { at: Type.Optional(Type.String({ description: 'A moment that has passed, ISO 8601.' })) },
      { additionalProperties: false },
    ),
    answer: AudienceMembers,
    errors: [
      { status: 404, code: 'NOT_FOUND', when: 'There is no such audience.' },
      { status: 400, code: 'INVALID', when: '`at` is no moment, or lies ahead.' },
    ],
    handle: async ({ context, identity, params, query }) =>
      expectOk(
        await context.run({ name: 'audienceMembers', args: { audience: params.id, ...query }, actor: identity.id }),
      ) as AudienceMembers,
  }),
  defineRoute({
    method: 'GET',
    path: '/api/audiences/{id}/overlap',
    operationId: 'getAudienceOverlap',
    tag: TAG,
    summary: 'How many members it shares with each other audience now.',
    permission: 'rules.read',
    params: IdParams,
    answer: items(AudienceOverlap),
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'There is no such audience.' }],
    handle: async ({ context, identity, params }) => ({
      items: expectOk(
        await context.run({ name: 'audienceOverlap', args: { audience: params.id }, actor: identity.id }),
      ) as AudienceOverlap[],
    }),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/audiences/{id}/preview',
    operationId: 'previewAudience',
    tag: TAG,
    summary: 'How large it would be, filled from nothing: at most 200 people drawn evenly are held against it.',
    permission: 'rules.read',
    params: IdParams,
    answer: AudiencePreview,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'There is no such audience.' }],
    handle: async ({ context, identity, params }) =>
      expectOk(
        await context.run({ name: 'audiencePreview', args: { audience: params.id }, actor: identity.id }),
      ) as AudiencePreview,
  }),
  defineRoute({
    method: 'GET',
    path: '/api/audience-lists/left',
    operationId: 'listAudiencesLeft',
    tag: TAG,
    summary: 'Lists at vendors with people on them that no audience of the configuration keeps any more.',
    permission: 'rules.read',
    answer: items(AudienceLeft),
    handle: async ({ context, identity }) => ({
      items: expectOk(await context.run({ name: 'audiencesLeft', args: {}, actor: identity.id })) as AudienceLeft[],
    }),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/audience-lists/close',
    operationId: 'closeAudienceList',
    tag: TAG,
    summary: 'A list the hub can no longer reach was emptied by hand at the vendor: written down with the reason.',
    permission: 'consent.write',
    body: Type.Object(
      { audience: Type.String(), destination: Type.String(), reason: Type.String() },
      { additionalProperties: false },
    ),
    answer: items(AudienceLeft),
    errors: [
      { status: 404, code: 'NOT_FOUND', when: 'The hub keeps no such list.' },
      {
        status: 409,
        code: 'CONFLICT',
        when: 'The destination is in the configuration: the hub takes people out itself.',
      },
      { status: 409, code: 'REASON_REQUIRED', when: 'Nobody said how.' },
    ],
    handle: async ({ context, identity, body }) => ({
      items: expectOk(
        await context.run({ name: 'audienceListClosed', args: { ...body }, actor: identity.id }),
      ) as AudienceLeft[],
    }),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/people/{id}/audiences',
    operationId: 'listAudiencesOfPerson',
    tag: TAG,
    summary:
      "One person's stays in audiences, with the clauses and values of entering and leaving; by person id (old ones too) or ledger subject.",
    permission: 'rules.read',
    params: IdParams,
    answer: items(AudienceStay),
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'Nobody has this id.' }],
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
