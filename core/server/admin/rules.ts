/** Rules: what is published to whom, what each did lately, and the acts that change it. */
import { Done } from '../../../schemas/admin.ts'
import {
  Cancelled,
  Held,
  PublishRequest,
  Released,
  Reverted,
  RevertRequest,
  RuleDetail,
  RuleList,
  RuleParams,
  type RuleProblemView,
  RuleReason,
  RuleText,
  RuleValidation,
  RuleVersionsAdded,
} from '../../../schemas/rules.ts'
import { problemInPortuguese } from '../../decision/problems-pt.ts'
import { listRules, ruleDetail } from '../../rules/views.ts'
import type { ServerContext } from '../context.ts'
import { type AnyRoute, defineRoute, expectOk, Refusal } from './route.ts'

const TAG = 'Rules'
const NOT_FOUND = { status: 404, code: 'NOT_FOUND', when: 'No rule has this id, or it has no such version.' }

const viewOptions = ({ config }: ServerContext, now: number) => ({
  now,
  timezone: config.organization.timezone ?? 'America/Sao_Paulo',
})

/** `file:line:column: message`, line by line, as the loader tells mistakes. */
export function problemsIn(message: string): RuleProblemView[] {
  return message.split('\n').map((line) => {
    const parts = /^(.*?):(\d+):(\d+): (.*)$/.exec(line)
    const message = parts?.[4] ?? line
    return {
      file: parts?.[1] ?? '',
      line: Number(parts?.[2] ?? 0),
      column: Number(parts?.[3] ?? 0),
      message,
      pt: problemInPortuguese(message),
    }
  })
}

/** An act on one rule or, by the id `*`, on all of them. */
const act = <A>(context: ServerContext, name: string, args: Record<string, unknown>, actor: string): Promise<A> =>
  context.run({ name, args, actor }).then((result) => expectOk(result) as A)

export const ruleRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/rules',
    operationId: 'listRules',
    tag: TAG,
    summary: 'Every rule: where its versions stand, what stops it, what it did in the last seven days.',
    permission: 'rules.read',
    answer: RuleList,
    handle: ({ context, now }) => listRules(context.state.db, viewOptions(context, now)),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/rules/{id}',
    operationId: 'getRule',
    tag: TAG,
    summary: 'One rule with its versions, who changed what, its shadow beside the live version, its schedule.',
    permission: 'rules.read',
    params: RuleParams,
    answer: RuleDetail,
    errors: [NOT_FOUND],
    async handle({ context, params, now }) {
      const detail = await ruleDetail(params.id, context.state.db, viewOptions(context, now))
      if (!detail) throw new Refusal(404, 'NOT_FOUND', 'No rule has this id. GET /api/rules lists them.')
      return detail
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/rules/validate',
    operationId: 'validateRules',
    tag: TAG,
    summary: 'Check rules against the language and the configuration; mistakes come with line and column.',
    permission: 'rules.read',
    bodyLimit: 1024 * 1024,
    body: RuleText,
    answer: RuleValidation,
    async handle({ context, body, identity }) {
      const documents = [{ file: body.file ?? 'rule.yaml', text: body.text }]
      const result = await context.run({ name: 'addRules', args: { documents, dryRun: true }, actor: identity.id })
      if (result.ok) return { valid: true, problems: [], ...(result.value as RuleVersionsAdded) }
      return { valid: false, problems: problemsIn(result.message), versions: [] }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/rules',
    operationId: 'addRules',
    tag: TAG,
    summary: 'Add rules or new versions of them, as drafts unless their `rollout` says more.',
    permission: 'rules.write',
    bodyLimit: 1024 * 1024,
    body: RuleText,
    answer: RuleVersionsAdded,
    errors: [{ status: 409, code: 'CONFLICT', when: 'This version exists and reads differently.' }],
    handle: ({ context, body, identity }) =>
      act(
        context,
        'addRules',
        {
          documents: [{ file: body.file ?? 'rule.yaml', text: body.text }],
          ...(body.reason !== undefined && { reason: body.reason }),
          ...(body.dryRun !== undefined && { dryRun: body.dryRun }),
        },
        identity.id,
      ),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/rules/{id}/publish',
    operationId: 'publishRule',
    tag: TAG,
    summary: 'Put a version into test, into the shadow, or live for a share of people.',
    permission: 'rules.write',
    params: RuleParams,
    body: PublishRequest,
    answer: Done,
    errors: [NOT_FOUND],
    async handle({ context, params, body, identity }) {
      await act(context, 'publishRule', { rule: params.id, ...body }, identity.id)
      return { ok: true as const }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/rules/{id}/revert',
    operationId: 'revertRule',
    tag: TAG,
    summary: 'Back to an earlier version, for everybody at once.',
    permission: 'rules.write',
    params: RuleParams,
    body: RevertRequest,
    answer: Reverted,
    errors: [NOT_FOUND, { status: 409, code: 'CONFLICT', when: 'No earlier version was live.' }],
    handle: ({ context, params, body, identity }) =>
      act(context, 'revertRule', { rule: params.id, ...body }, identity.id),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/rules/{id}/pause',
    operationId: 'pauseRule',
    tag: TAG,
    summary: 'Start nothing and hold what waits; `*` for all rules.',
    permission: 'rules.write',
    params: RuleParams,
    body: RuleReason,
    answer: Held,
    errors: [NOT_FOUND],
    handle: ({ context, params, body, identity }) =>
      act(context, 'pauseRule', { rule: params.id, ...body }, identity.id),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/rules/{id}/resume',
    operationId: 'resumeRule',
    tag: TAG,
    summary: 'Take a pause or a stop back; `*` for the one on all rules.',
    permission: 'rules.write',
    params: RuleParams,
    body: RuleReason,
    answer: Released,
    errors: [NOT_FOUND, { status: 409, code: 'CONFLICT', when: 'It is neither paused nor stopped.' }],
    handle: ({ context, params, body, identity }) =>
      act(context, 'resumeRule', { rule: params.id, ...body }, identity.id),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/rules/{id}/kill',
    operationId: 'killRule',
    tag: TAG,
    summary: 'Start nothing and cancel what waits; `*` for all rules.',
    permission: 'rules.write',
    params: RuleParams,
    body: RuleReason,
    answer: Cancelled,
    errors: [NOT_FOUND],
    handle: ({ context, params, body, identity }) =>
      act(context, 'killRule', { rule: params.id, ...body }, identity.id),
  }),
]
