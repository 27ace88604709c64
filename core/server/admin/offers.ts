/** Offers: how many codes are left, and which rules gave them. No code is shown. */
import { Type } from 'typebox'
import { OfferReport } from '../../../schemas/offers.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

export const offerRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/offers',
    operationId: 'listOffers',
    tag: 'Rules',
    summary: 'Every offer with what was given and what is left of its codes and its limit, by rule.',
    permission: 'rules.read',
    answer: Type.Object({ items: Type.Array(OfferReport) }, { additionalProperties: false }),
    handle: async ({ context, identity }) => ({
      items: expectOk(await context.run({ name: 'offersList', args: {}, actor: identity.id })) as OfferReport[],
    }),
  }),
]
