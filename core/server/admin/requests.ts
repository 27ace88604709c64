/** Requests of data subjects and inquiries of the authority. Reading whom one is about is logged; the request is the reason. */

import { nextDue } from '../../../consent/requests/clock.ts'
import { openDsrDiscovery, openDsrReceipt, openDsrStatus, readOpenDsr } from '../../../consent/requests/opendsr.ts'
import { IdParams } from '../../../schemas/admin.ts'
import {
  NewRequest,
  OpenDsrAnswer,
  OpenDsrRequest,
  RequestAnswer,
  RequestAskIdentity,
  RequestContent,
  RequestDetail,
  RequestFileParams,
  RequestIdentity,
  RequestImport,
  RequestImported,
  RequestOpened,
  RequestPage,
  RequestPauseChange,
  RequestPlan,
  RequestQuery,
  RequestRefusal,
  RequestRun,
  RequestTask,
  RequestWithdrawal,
} from '../../../schemas/requests.ts'
import { clocksOfRow, listRequests } from '../../requests/rows.ts'
import { requestRules } from '../../requests/settings.ts'
import { may } from './identity.ts'
import { type AnyRoute, defineRoute, expectOk, Refusal, type RouteCall } from './route.ts'

const TAG = 'Requests'
/** Uploaded proofs travel in base64. */
const UPLOAD_BYTES = 6 * 1024 * 1024

type Call = Pick<RouteCall<unknown, unknown, unknown>, 'context' | 'identity'>

const command = async (name: string, args: Record<string, unknown>, { context, identity }: Call) =>
  expectOk(await context.run({ name, args, actor: identity.id }))

const detail = async (id: string, call: Call) =>
  (await command('readRequest', { id, reveal: may(call.identity, 'requests.write') }, call)) as RequestDetail

export const requestRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/requests',
    operationId: 'listRequests',
    tag: TAG,
    summary: 'Requests with their clocks, newest arrival first, by pseudonym. `counts` is over all of them.',
    permission: 'requests.read',
    query: RequestQuery,
    answer: RequestPage,
    handle: ({ context, query, now }) =>
      listRequests(query, requestRules(context.config), { db: context.state.db, now }),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests',
    operationId: 'openRequest',
    tag: TAG,
    summary:
      'Enter a request that came by letter, e-mail, telephone or from the authority. Its clock starts on the day it arrived.',
    permission: 'requests.write',
    body: NewRequest,
    answer: RequestOpened,
    handle: async (call) => {
      const { id, repeated, duplicateOf } = (await command('openRequest', { ...call.body }, call)) as RequestOpened
      return { id, repeated, duplicateOf }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/import',
    operationId: 'importRequests',
    tag: TAG,
    summary: 'Enter many requests from CSV, one per row. A dry run only tells what it would do.',
    permission: 'requests.write',
    bodyLimit: UPLOAD_BYTES,
    body: RequestImport,
    answer: RequestImported,
    handle: async (call) => {
      const { dryRun, opened, repeated, duplicates, errors } = (await command(
        'importRequests',
        { ...call.body },
        call,
      )) as RequestImported
      return { dryRun, opened, repeated, duplicates, errors }
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/requests/{id}',
    operationId: 'getRequest',
    tag: TAG,
    summary:
      'One request: who asked, plan, recipients with their receipts, files, every step. With the right to write, names are shown and the look is logged.',
    permission: 'requests.read',
    params: IdParams,
    answer: RequestDetail,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No such request.' }],
    handle: (call) => detail(call.params.id, call),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/{id}/identity',
    operationId: 'identifyRequest',
    tag: TAG,
    summary:
      'Record how the identity was checked. The request is acknowledged by itself once it suffices for its right.',
    permission: 'requests.write',
    params: IdParams,
    body: RequestIdentity,
    answer: RequestDetail,
    handle: async (call) => {
      await command('identifyRequest', { id: call.params.id, ...call.body }, call)
      return detail(call.params.id, call)
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/{id}/ask-identity',
    operationId: 'askRequestIdentity',
    tag: TAG,
    summary: 'Ask the person to prove who they are; mailed to the contact of the request. Its clock goes on.',
    permission: 'requests.write',
    params: IdParams,
    body: RequestAskIdentity,
    answer: RequestDetail,
    handle: async (call) => {
      await command('askRequestIdentity', { id: call.params.id, ...call.body }, call)
      return detail(call.params.id, call)
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/{id}/plan',
    operationId: 'planRequest',
    tag: TAG,
    summary: 'Dry run: what would be erased, what kept and why, who would be asked. Nothing else happens.',
    permission: 'requests.write',
    params: IdParams,
    body: RequestRun,
    answer: RequestPlan,
    handle: async (call) =>
      (await command('planRequest', { id: call.params.id, also: call.body.also }, call)) as RequestPlan,
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/{id}/run',
    operationId: 'runRequest',
    tag: TAG,
    summary:
      'Carry a request out. `planHash` approves the plan it names and no other. Repeating it does nothing twice.',
    permission: 'requests.write',
    params: IdParams,
    body: RequestRun,
    answer: RequestDetail,
    errors: [
      { status: 409, code: 'PLAN_CHANGED', when: 'What would be done is no longer what was approved.' },
      { status: 409, code: 'NOT_APPROVED', when: 'The right needs an approved plan.' },
      { status: 409, code: 'LEGAL_HOLD', when: 'A legal hold keeps the data.' },
    ],
    handle: async (call) => {
      const { dryRun, planHash, also } = call.body
      if (dryRun) await command('planRequest', { id: call.params.id, also }, call)
      else
        await command('executeRequest', { id: call.params.id, ...(planHash !== undefined && { planHash }), also }, call)
      return detail(call.params.id, call)
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/{id}/tasks',
    operationId: 'finishRequestTask',
    tag: TAG,
    summary: 'What was done by hand at a recipient, with its proof.',
    permission: 'requests.write',
    bodyLimit: UPLOAD_BYTES,
    params: IdParams,
    body: RequestTask,
    answer: RequestDetail,
    handle: async (call) => {
      const { note, evidence, ...task } = call.body
      await command(
        'settleRequestRecipient',
        { id: call.params.id, ...task, answer: note, ...(evidence && { file: evidence }) },
        call,
      )
      return detail(call.params.id, call)
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/{id}/answer',
    operationId: 'answerRequest',
    tag: TAG,
    summary: 'Answer in words: to the authority, a review, or that nothing is held (checked).',
    permission: 'requests.write',
    params: IdParams,
    body: RequestAnswer,
    answer: RequestDetail,
    errors: [{ status: 409, code: 'NOT_TRUE', when: 'The hub has data of this person.' }],
    handle: async (call) => {
      await command('answerRequest', { id: call.params.id, ...call.body }, call)
      return detail(call.params.id, call)
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/{id}/refuse',
    operationId: 'refuseRequest',
    tag: TAG,
    summary: 'Refuse with a ground of the statute and its reasons.',
    permission: 'requests.write',
    params: IdParams,
    body: RequestRefusal,
    answer: RequestDetail,
    handle: async (call) => {
      await command('refuseRequest', { id: call.params.id, ...call.body }, call)
      return detail(call.params.id, call)
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/{id}/withdraw',
    operationId: 'withdrawRequest',
    tag: TAG,
    summary: 'The person took the request back.',
    permission: 'requests.write',
    params: IdParams,
    body: RequestWithdrawal,
    answer: RequestDetail,
    handle: async (call) => {
      await command('withdrawRequest', { id: call.params.id }, call)
      return detail(call.params.id, call)
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/requests/{id}/pause',
    operationId: 'pauseRequest',
    tag: TAG,
    summary: 'Write a wait down, or end it (no reason). It moves own promises; deadlines of the statute go on.',
    permission: 'requests.write',
    params: IdParams,
    body: RequestPauseChange,
    answer: RequestDetail,
    handle: async (call) => {
      await command('pauseRequest', { id: call.params.id, ...call.body }, call)
      return detail(call.params.id, call)
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/requests/{id}/files/{file}',
    operationId: 'getRequestFile',
    tag: TAG,
    summary: 'A file of the answer or an uploaded proof, in base64. Logged.',
    permission: 'requests.write',
    params: RequestFileParams,
    answer: RequestContent,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No such file.' }],
    handle: async (call) => (await command('readRequestFile', call.params, call)) as RequestContent,
  }),

  defineRoute({
    method: 'GET',
    path: '/api/opendsr/discovery',
    operationId: 'openDsrDiscovery',
    tag: TAG,
    summary: 'OpenDSR 2.0: what this hub takes.',
    permission: 'requests.read',
    answer: OpenDsrAnswer,
    handle: async () => ({ ...openDsrDiscovery() }),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/opendsr/requests',
    operationId: 'openDsrRequest',
    tag: TAG,
    summary: 'OpenDSR 2.0: a request of another controller or processor. The same id twice is one request.',
    permission: 'requests.write',
    body: OpenDsrRequest,
    answer: OpenDsrAnswer,
    status: 201,
    handle: async (call) => {
      const read = readOpenDsr(call.body)
      if (!read.ok) throw new Refusal(400, 'INVALID', read.message, { path: read.path })
      const opened = (await command(
        'openRequest',
        { ...read.request, callbacks: read.callbacks },
        call,
      )) as RequestOpened
      const row = await call.context.state.db
        .selectFrom('requests')
        .selectAll()
        .where('id', '=', opened.id)
        .executeTakeFirstOrThrow()
      return {
        ...openDsrReceipt({
          id: row.reference ?? row.id,
          controllerId: call.context.config.organization.name,
          receivedAt: row.received_at,
          dueAt: nextDue(clocksOfRow(row, requestRules(call.context.config), call.now)),
          encoded: Buffer.from(JSON.stringify(call.body)).toString('base64'),
        }),
      }
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/opendsr/requests/{id}',
    operationId: 'openDsrStatus',
    tag: TAG,
    summary: 'OpenDSR 2.0: how far a request is, by the id of its sender.',
    permission: 'requests.read',
    params: IdParams,
    answer: OpenDsrAnswer,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No such request.' }],
    handle: async ({ context, params, now }) => {
      const row = await context.state.db
        .selectFrom('requests')
        .selectAll()
        .where('channel', '=', 'opendsr')
        .where('reference', '=', params.id)
        .executeTakeFirst()
      if (!row) throw new Refusal(404, 'NOT_FOUND', 'No request has this id.')
      return {
        ...openDsrStatus({
          id: params.id,
          controllerId: context.config.organization.name,
          state: row.state,
          dueAt: row.closed_at ?? nextDue(clocksOfRow(row, requestRules(context.config), now)),
        }),
      }
    },
  }),
]
