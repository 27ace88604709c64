/** What the officer sees of consent: what unknown costs per source, and how withdrawals reach the tools. */
import { loadPurposes, type Purposes } from '../../../consent/purposes.ts'
import type { Config } from '../../../schemas/config.ts'
import {
  ImportAnswer,
  ImportRequest,
  Propagation,
  PropagationQuery,
  Unlock,
  UnlockQuery,
} from '../../../schemas/consent-reports.ts'
import { readGaps } from '../../answers/gaps.ts'
import { readPropagation } from '../../answers/propagation.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

const DAY_MS = 86_400_000
const daysBack = (days: string | undefined, now: number) => now - Number(days ?? 30) * DAY_MS

const compiled = new WeakMap<Config, Purposes>()
function purposesOf(config: Config): Purposes {
  let purposes = compiled.get(config)
  if (!purposes) {
    purposes = loadPurposes(config)
    compiled.set(config, purposes)
  }
  return purposes
}

export const consentRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/consent/unlock',
    operationId: 'getConsentUnlock',
    tag: 'Consent',
    summary:
      'What unknown consent costs: per source, reason and purpose the events and people, with the sentence that would unlock them.',
    permission: 'overview.read',
    query: UnlockQuery,
    answer: Unlock,
    handle: ({ context, query, now }) =>
      readGaps(context.state.db, {
        purposes: purposesOf(context.config),
        config: context.config,
        from: daysBack(query.days, now),
      }),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/consent/propagation',
    operationId: 'getConsentPropagation',
    tag: 'Consent',
    summary: 'Withdrawals on their way to the tools: asked, confirmed, given up, and the time it took per tool.',
    permission: 'consent.read',
    query: PropagationQuery,
    answer: Propagation,
    handle: ({ context, query, now }) =>
      readPropagation(context.state.db, query.withdrawal === undefined ? daysBack(query.days, now) : 0, {
        ...(query.withdrawal !== undefined && { withdrawal: query.withdrawal }),
      }),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/consent/import',
    operationId: 'importConsent',
    tag: 'Consent',
    summary:
      'Answers given elsewhere, row by row: what each would change, or, without dryRun, recorded with the row as evidence.',
    permission: 'consent.write',
    body: ImportRequest,
    answer: ImportAnswer,
    errors: [{ status: 400, code: 'INVALID', when: 'the request does not fit; mistakes of a row are in its verdict' }],
    handle: async ({ context, body, identity }) =>
      expectOk(await context.run({ name: 'importConsent', args: body, actor: identity.id })) as ImportAnswer,
  }),
]
