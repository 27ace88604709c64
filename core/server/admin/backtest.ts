/** Backtests of a running hub: started, followed, cancelled and read. People appear as pseudonyms only. */
import { IdParams } from '../../../schemas/admin.ts'
import { BacktestDetail, BacktestJob, BacktestJobs, BacktestRequest } from '../../../schemas/backtest.ts'
import type { WantedRule } from '../../replay/prepare.ts'
import { type AnyRoute, defineRoute, Refusal } from './route.ts'

const TAG = 'Rules'
const DAY_MS = 86_400_000
const NOT_FOUND = { status: 404, code: 'NOT_FOUND', when: 'The hub keeps no backtest of this id.' }

function wantedOf({ rule, text }: BacktestRequest): WantedRule {
  if (rule !== undefined && text === undefined) return { id: rule }
  if (text !== undefined && rule === undefined) return { file: 'rule.yaml', text }
  throw new Refusal(400, 'INVALID', 'Send either `rule`, the id of a published one, or `text`, one as YAML.')
}

function rangeOf({ from, to, share }: BacktestRequest, now: number) {
  const end = to === undefined ? now : Math.min(now, Date.parse(to))
  const begin = from === undefined ? end - 30 * DAY_MS : Date.parse(from)
  if (begin >= end) throw new Refusal(400, 'INVALID', '`from` must be before `to`, and in the past.', { path: '/from' })
  return { from: begin, to: end, now, ...(share && { share }) }
}

const found = <T>(value: T | undefined): T => {
  if (value !== undefined) return value
  throw new Refusal(404, 'NOT_FOUND', 'The hub keeps no backtest of this id; start it again.')
}

export const backtestRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'POST',
    path: '/api/backtests',
    operationId: 'startBacktest',
    tag: TAG,
    summary:
      'What a rule would have done on the history that was kept. One runs at a time; it changes and sends nothing.',
    permission: 'rules.write',
    bodyLimit: 128 * 1024,
    body: BacktestRequest,
    answer: BacktestJob,
    status: 202,
    errors: [{ status: 409, code: 'BUSY', when: 'Another backtest is running: wait for it, or cancel it.' }],
    handle: async ({ context, identity, body, now }) => {
      const job = context.backtests.start(wantedOf(body), rangeOf(body, now), identity.id)
      if (job) return job
      throw new Refusal(409, 'BUSY', 'Another backtest is running: wait for it, or cancel it.')
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/backtests',
    operationId: 'listBacktests',
    tag: TAG,
    summary: 'Backtests since the hub started, with how far they are.',
    permission: 'rules.read',
    answer: BacktestJobs,
    handle: async ({ context }) => ({ items: context.backtests.list() }),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/backtests/{id}',
    operationId: 'getBacktest',
    tag: TAG,
    summary: 'One backtest: how far it is and, once done, its report. Who a sample is takes a reveal with a reason.',
    permission: 'rules.read',
    params: IdParams,
    answer: BacktestDetail,
    errors: [NOT_FOUND],
    handle: async ({ context, params }) => found(context.backtests.get(params.id)),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/backtests/{id}/cancel',
    operationId: 'cancelBacktest',
    tag: TAG,
    summary: 'End a backtest. One that has ended already stays as it is.',
    permission: 'rules.write',
    params: IdParams,
    answer: BacktestJob,
    errors: [NOT_FOUND],
    handle: async ({ context, params }) => found(context.backtests.cancel(params.id)),
  }),
]
