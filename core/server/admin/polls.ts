/** Sources that the hub asks: where they stand, and one run now. */
import { IdParams } from '../../../schemas/admin.ts'
import { PollAnswer, PolledSources } from '../../../schemas/polls.ts'
import { checkSettings } from '../../config.ts'
import { listPolled } from '../../polling/list.ts'
import type { PollRun } from '../../polling/runner.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

const TAG = 'Connectors'

export const pollRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/polls',
    operationId: 'listPolls',
    tag: TAG,
    summary: 'Sources that are asked instead of telling (a folder, an HTTP API): newest run, next one, newest failure.',
    permission: 'connectors.read',
    answer: PolledSources,
    handle: async ({ context, now }) => {
      const sources = Object.entries(context.config.sources).flatMap(([id, { connector, settings }]) => {
        const definition = context.registry.sources.get(connector)
        return definition
          ? [{ id, definition, settings: checkSettings(definition.settings, settings ?? {}, `/sources/${id}`) }]
          : []
      })
      return { items: await listPolled(sources, { db: context.state.db, now }) }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/sources/{id}/poll',
    operationId: 'pollSource',
    tag: TAG,
    summary: 'Ask this source now, whether it is due or not; answered when the run is over.',
    permission: 'sources.write',
    params: IdParams,
    answer: PollAnswer,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No source has this id.' }],
    handle: async ({ context, params, identity }) => {
      const run = expectOk(
        await context.run({ name: 'pollSource', args: { source: params.id }, actor: identity.id }),
      ) as PollRun | null
      return run
        ? { ...run, error: run.error ?? null, busy: false }
        : { pages: 0, recorded: 0, quarantined: 0, error: null, busy: true }
    },
  }),
]
