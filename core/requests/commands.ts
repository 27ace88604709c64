/** Acts on requests, run between batches by the process role, each in one transaction. */
import { readRequestRows } from '../../consent/requests/import.ts'
import type { RequestAct } from '../../consent/requests/machine.ts'
import { GROUND_RULES } from '../../consent/requests/rights.ts'
import {
  type NewRequest,
  REFUSAL_GROUNDS,
  type RefusalGround,
  type RequestContent,
  type RequestDetail,
  type RequestImported,
  type RequestOpened,
  type RequestPause,
  type RIGHTS,
} from '../../schemas/requests.ts'
import type { LoadedConfig } from '../config.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { unseal } from '../seal.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import { type ActContext, change, demandRow, identifiersOf, lineOf, settingsMemo } from './acts.ts'
import { advance, execute, finish, settleRecipient } from './execute.ts'
import { holdsNothing } from './holdings.ts'
import { open } from './open.ts'
import { planRequest } from './plan.ts'
import { portalCommands } from './portal-commands.ts'
import { isRecipientOpen, readRequest, scopeOf } from './rows.ts'
import { openRequest, sealRequest } from './sealed.ts'

type Args = Readonly<Record<string, unknown>>

const text = (args: Args, name: string): string => {
  const value = args[name]
  if (typeof value !== 'string' || value.trim() === '') throw new CommandError('INVALID', `"${name}" must be a text.`)
  return value.trim()
}

export function requestCommands(config: LoadedConfig, keys: Keys): CommandHandlers {
  const settings = settingsMemo(config)
  const within = (context: { state: ActContext['state']; actor: string; now: number }): ActContext => ({
    ...context,
    db: context.state.db,
    keys,
    settings: settings(),
  })

  return {
    ...portalCommands(keys),

    async openRequest(args, context): Promise<RequestOpened & { withdraws: boolean }> {
      const act = within(context)
      const opened = await open(args as unknown as NewRequest & { callbacks?: string[] }, act)
      if (!opened.repeated) await advance(await demandRow(opened.id, act), act)
      return { ...opened, withdraws: await waitsForWithdrawal(opened.id, act) }
    },

    /** Every good row is entered; a wrong one is told by row and column, and keeps none of its neighbours out. */
    async importRequests(args, context): Promise<RequestImported & { ids: string[] }> {
      const act = within(context)
      const { rows, errors } = readRequestRows(text(args, 'csv'))
      const found = [...errors]
      const dryRun = args['dryRun'] === true
      const counts = { opened: 0, repeated: 0, duplicates: 0 }
      const ids: string[] = []
      for (const { row, request } of rows) {
        try {
          const opened = await open(request, act, dryRun)
          if (opened.repeated) counts.repeated += 1
          else counts.opened += 1
          if (opened.duplicateOf !== null && !opened.repeated) counts.duplicates += 1
          if (!dryRun && !opened.repeated) {
            await advance(await demandRow(opened.id, act), act)
            ids.push(opened.id)
          }
        } catch (error) {
          if (!(error instanceof CommandError)) throw error
          found.push({ row, column: '', message: error.message })
        }
      }
      return { dryRun, ...counts, errors: found, ids }
    },

    async identifyRequest(args, context) {
      const act = within(context)
      const row = await demandRow(text(args, 'id'), act)
      const content = openRequest(row, keys)
      const added = identifiersOf(args['identifiers'])
      const identifiers = [...content.identifiers]
      for (const one of added)
        if (!identifiers.some(({ type, value }) => type === one.type && value === one.value)) identifiers.push(one)
      const next = await change(
        row,
        { act: 'identify', assurance: text(args, 'assurance') as 'document' },
        {
          sealed: sealRequest(row, { ...content, identifiers, identityCheck: text(args, 'check') }, keys),
        },
        act,
      )
      for (const { type, value } of added)
        await act.db
          .insertInto('request_identifiers')
          .values({ hmac: keys.suppression(keys.identifier(type, value)), request_id: row.id })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      await advance(next, act)
      return { id: row.id, withdraws: await waitsForWithdrawal(row.id, act) }
    },

    /** Told the person that it arrived. Happens by itself once the identity is proven. */
    async acknowledgeRequest(args, context) {
      const act = within(context)
      await change(await demandRow(text(args, 'id'), act), { act: 'acknowledge' }, {}, act)
      return { id: args['id'] }
    },

    /** `missing` goes to the person by mail and nowhere else: the log says that they were asked. */
    async askRequestIdentity(args, context) {
      const act = within(context)
      text(args, 'missing')
      const row = await demandRow(text(args, 'id'), act)
      if (row.right_id === null) throw new CommandError('INVALID', 'The authority need not prove who it is.')
      await change(row, { act: 'ask_identity' }, {}, act)
      return { id: args['id'] }
    },

    /** Dry run: the plan is written down and nothing else happens. */
    async planRequest(args, context) {
      const act = within(context)
      const row = await demandRow(text(args, 'id'), act)
      if (row.right_id === null)
        throw new CommandError('INVALID', 'An inquiry of the authority is answered, not carried out.')
      const { plan } = await planRequest(
        {
          right: row.right_id as (typeof RIGHTS)[number],
          scope: scopeOf(row),
          identifiers: openRequest(row, keys).identifiers,
        },
        stringList(args['also']),
        act.settings,
        act,
      )
      if (row.closed_at === null && ['acknowledged', 'collecting', 'approval'].includes(row.state))
        await change(row, { act: 'plan' }, { plan: JSON.stringify(plan) }, act, plan.hash.slice(0, 12))
      return plan
    },

    /** @returns what became of it; `withdraws`: the hub still has to write the withdrawal into its log. */
    async executeRequest(args, context) {
      const act = within(context)
      const row = await demandRow(text(args, 'id'), act)
      const planHash = args['planHash'] === undefined ? undefined : text(args, 'planHash')
      await execute(row, { planHash, also: stringList(args['also']), withdrawn: args['withdrawn'] === true }, act)
      const after = await demandRow(row.id, act)
      return { id: row.id, state: after.state, outcome: after.outcome }
    },

    async settleRequestRecipient(args, context) {
      const act = within(context)
      await settleRecipient(
        {
          id: text(args, 'id'),
          recipient: text(args, 'recipient'),
          operation: text(args, 'operation'),
          status: text(args, 'status'),
          answer: typeof args['answer'] === 'string' ? args['answer'].slice(0, 500) : null,
          nextAt: typeof args['nextAt'] === 'number' ? args['nextAt'] : null,
          file: fileOf(args['file']),
        },
        act,
      )
      return { id: args['id'] }
    },

    async answerRequest(args, context) {
      const act = within(context)
      const row = await demandRow(text(args, 'id'), act)
      const words = typeof args['text'] === 'string' && args['text'] !== '' ? args['text'].slice(0, 4000) : undefined
      const review = args['review'] as { outcome: string; reviewer: string; ruleAuthor: string } | undefined
      if (row.right_id === 'review') {
        if (!review || !words)
          throw new CommandError(
            'INVALID',
            'A review needs its outcome, who decided again, who wrote the rule, and the reasons.',
          )
        if (review.reviewer.trim().toLowerCase() === review.ruleAuthor.trim().toLowerCase())
          throw new CommandError(
            'INVALID',
            'Whoever wrote the rule may not review its decision (our own demand; art. 20 leaves it open).',
          )
      }
      if (row.kind === 'authority' && !words)
        throw new CommandError('INVALID', 'Write what was answered to the authority.')
      const recipients = await act.db
        .selectFrom('request_recipients')
        .selectAll()
        .where('request_id', '=', row.id)
        .execute()
      if (args['nothingHeld'] === true) await demandNothing(row, act)
      if (words !== undefined) {
        const sealed = sealRequest(row, { ...openRequest(row, keys), answer: words }, keys)
        await act.db.updateTable('requests').set({ sealed }).where('id', '=', row.id).execute()
      }
      await finish(
        await demandRow(row.id, act),
        args['nothingHeld'] === true ? 'nothing_held' : 'done',
        act,
        review ? `${review.outcome}: ${review.reviewer}` : undefined,
        recipients.filter(isRecipientOpen).length,
      )
      return { id: row.id }
    },

    async refuseRequest(args, context) {
      const act = within(context)
      const row = await demandRow(text(args, 'id'), act)
      const ground = text(args, 'ground')
      if (!(REFUSAL_GROUNDS as readonly string[]).includes(ground))
        throw new CommandError('INVALID', `A refusal needs one of these grounds: ${REFUSAL_GROUNDS.join(', ')}.`)
      const words = text(args, 'text')
      if (words.length < 10) throw new CommandError('INVALID', 'State the reasons of fact or of law (art. 18 §4 II).')
      const agent = typeof args['agent'] === 'string' ? args['agent'] : undefined
      const answer = agent ? `${words}\n\n${agent}` : words
      const { vendor: _, ...content } = openRequest(row, keys)
      await change(
        row,
        { act: 'refuse', ground: ground as RefusalGround },
        { sealed: sealRequest(row, { ...content, answer }, keys), closed_at: act.now },
        act,
        GROUND_RULES[ground as RefusalGround].article,
      )
      return { id: row.id }
    },

    async withdrawRequest(args, context) {
      const act = within(context)
      const row = await demandRow(text(args, 'id'), act)
      await change(row, { act: 'withdraw' } satisfies RequestAct, { closed_at: act.now }, act)
      return { id: row.id }
    },

    /** Written down and shown. Deadlines of the statute go on all the same. */
    async pauseRequest(args, context) {
      const act = within(context)
      const row = await demandRow(text(args, 'id'), act)
      if (row.closed_at !== null) throw new CommandError('CLOSED', 'The request is over.')
      const pauses = JSON.parse(row.pauses) as RequestPause[]
      const running = pauses.at(-1)?.to === null
      const reason = typeof args['reason'] === 'string' ? args['reason'].trim() : ''
      if (reason === '' && !running) throw new CommandError('CONFLICT', 'Nothing is paused.')
      if (reason !== '' && running) throw new CommandError('CONFLICT', 'It is paused already; end that wait first.')
      const next: RequestPause[] =
        reason === ''
          ? [...pauses.slice(0, -1), { ...pauses.at(-1)!, to: act.now }]
          : [...pauses, { from: act.now, to: null, reason: reason.slice(0, 500) }]
      await act.db
        .updateTable('requests')
        .set({ pauses: JSON.stringify(next) })
        .where('id', '=', row.id)
        .execute()
      await lineOf(row, reason === '' ? 'resumed' : 'paused', row.state, null, act)
      return { id: row.id }
    },

    /** With names only where the caller may see them; the look is written down, and the request is its reason. */
    async readRequest(args, context): Promise<RequestDetail> {
      const act = within(context)
      const id = text(args, 'id')
      const reveal = args['reveal'] === true
      const found = await readRequest(id, reveal, act.settings, act)
      if (!found) throw new CommandError('NOT_FOUND', 'No request has this id.')
      if (reveal) await noteLook(id, act)
      return found
    },

    async readRequestFile(args, context): Promise<RequestContent> {
      const act = within(context)
      const id = text(args, 'id')
      const row = await act.db
        .selectFrom('request_files')
        .innerJoin('requests', 'requests.id', 'request_files.request_id')
        .select([
          'request_files.name',
          'request_files.media_type',
          'request_files.sha256',
          'request_files.sealed',
          'requests.data_key',
        ])
        .where('request_files.request_id', '=', id)
        .where('request_files.id', '=', text(args, 'file'))
        .executeTakeFirst()
      if (!row) throw new CommandError('NOT_FOUND', 'The request has no such file.')
      await noteLook(id, act)
      return {
        name: row.name,
        mediaType: row.media_type,
        sha256: row.sha256,
        base64: unseal(keys.unwrap(row.data_key), row.sealed).toString('base64'),
      }
    },
  }
}

async function noteLook(id: string, { db, actor, now }: ActContext): Promise<void> {
  await db
    .insertInto('access_log')
    .values({ id: newId(now), at: now, actor, act: 'request.read', target: id, reason: null, request: id })
    .execute()
}

async function waitsForWithdrawal(id: string, act: ActContext): Promise<boolean> {
  const row = await demandRow(id, act)
  return (
    row.closed_at === null &&
    row.state === 'acknowledged' &&
    (row.right_id === 'revocation' || row.right_id === 'opposition')
  )
}

/** "We hold nothing" must be true when it is said. */
async function demandNothing(row: Awaited<ReturnType<typeof demandRow>>, act: ActContext): Promise<void> {
  const { identifiers } = openRequest(row, act.keys)
  const { holdings } = await planRequest({ right: 'access', scope: {}, identifiers }, [], act.settings, act)
  if (!holdsNothing(holdings))
    throw new CommandError(
      'NOT_TRUE',
      'The hub has data of this person. Carry the request out, or refuse it with its ground.',
    )
}

function fileOf(value: unknown): { name: string; mediaType: string; content: Buffer } | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const { name, mediaType, base64 } = value as Record<string, unknown>
  return typeof name === 'string' && typeof mediaType === 'string' && typeof base64 === 'string'
    ? { name, mediaType, content: Buffer.from(base64, 'base64') }
    : undefined
}

const stringList = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
