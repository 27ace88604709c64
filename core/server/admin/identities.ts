/** Who is who: identifiers, evidence and merges of one person, taking evidence back, values that join nobody. */
import { IdParams } from '../../../schemas/admin.ts'
import { BlockIdentifier, IdentifierBlocked, PersonIdentity, Unmerge, Unmerged } from '../../../schemas/identity.ts'
import { personIdentity } from '../../identity/commands.ts'
import { CommandError } from '../context.ts'
import { type AnyRoute, defineRoute, expectOk, Refusal } from './route.ts'

export const identityRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/people/{id}/identity',
    operationId: 'getPersonIdentity',
    tag: 'Identity',
    summary:
      'Nodes, evidence edges and merges of one person, by person id (old ones too) or ledger subject; no values.',
    permission: 'consent.read',
    params: IdParams,
    answer: PersonIdentity,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'Nobody has this id.' }],
    handle: async ({ context, params }) => {
      try {
        return await personIdentity(params.id, context.state.db)
      } catch (error) {
        if (error instanceof CommandError) throw new Refusal(404, error.code, error.message)
        throw error
      }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/identity/unmerge',
    operationId: 'unmerge',
    tag: 'Identity',
    summary:
      'Takes evidence back, and with it the person apart; `dryRun` says what would happen. Logged with the reason.',
    permission: 'consent.write',
    body: Unmerge,
    answer: Unmerged,
    errors: [
      { status: 409, code: 'REASON_REQUIRED', when: 'It is no dry run, and nobody said why.' },
      { status: 409, code: 'STILL_ONE', when: 'Other evidence holds them together; it is named.' },
      { status: 409, code: 'LEGAL_HOLD', when: 'The person is under a legal hold.' },
      { status: 409, code: 'OPEN_REQUEST', when: 'A data-subject request of this person is open.' },
      { status: 409, code: 'DELIVERING', when: 'A delivery of this person is on its way.' },
      { status: 404, code: 'NOT_FOUND', when: 'There is no such edge.' },
    ],
    handle: async ({ context, identity, body }) =>
      expectOk(await context.run({ name: 'unmergeIdentity', args: { ...body }, actor: identity.id })) as Unmerged,
  }),
  defineRoute({
    method: 'POST',
    path: '/api/identity/block',
    operationId: 'blockIdentifier',
    tag: 'Identity',
    summary: 'A value that joins nobody from now on, or `lift`: again may. Nobody is taken apart by it.',
    permission: 'consent.write',
    body: BlockIdentifier,
    answer: IdentifierBlocked,
    handle: async ({ context, identity, body }) =>
      expectOk(
        await context.run({ name: 'blockIdentifier', args: { ...body }, actor: identity.id }),
      ) as IdentifierBlocked,
  }),
]
