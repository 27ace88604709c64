/** Carrying a request out: the hub's own part in one transaction, then every recipient, then the answer. */
import { isAssured } from '../../consent/requests/rights.ts'
import type { RequestPlan, Right } from '../../schemas/requests.ts'
import { newId } from '../ids.ts'
import { hubEntry } from '../ledger/hub-entry.ts'
import { seal } from '../seal.ts'
import { CommandError } from '../server/context.ts'
import { type ActContext, change, demandRow, lineOf } from './acts.ts'
import { correct } from './correct.ts'
import { eraseEverything, restrict } from './erase.ts'
import { makePackage, type PackageFile, sha256 } from './package.ts'
import { findPeople, vendorIdentifiers } from './people.ts'
import { type Planned, planRequest } from './plan.ts'
import { asRecipient, isRecipientOpen, type RequestRow, scopeOf } from './rows.ts'
import { openRequest, sealRequest } from './sealed.ts'
import { readStatement } from './statement.ts'

/** As far as a request goes by itself: acknowledged once the identity is proven, answered where no officer has to look. */
export async function advance(row: RequestRow, context: ActContext): Promise<void> {
  const right = row.right_id as Right | null
  if (row.closed_at !== null || right === null || !isAssured(right, row.assurance as 'document')) return
  let now = row
  if (row.state === 'received' || row.state === 'identity') now = await change(row, { act: 'acknowledge' }, {}, context)
  if (now.state !== 'acknowledged') return
  // Art. 19 I: the simplified statement does not wait for the complete one.
  if (right === 'access' && !(JSON.parse(now.done) as Record<string, number>)['immediate']) {
    // Asked for in no other form: that is the whole answer, and nobody has to look at it first.
    if (scopeOf(now).simplified)
      return finish(await change(now, { act: 'execute', approved: true }, {}, context), undefined, context)
    now = await tellSimplified(now, context)
  }
  if (right === 'revocation' || right === 'opposition') return
  if (!context.settings.approves(right)) await execute(now, { also: [], withdrawn: false }, context)
}

async function tellSimplified(row: RequestRow, context: ActContext): Promise<RequestRow> {
  const { db, keys, settings, now } = context
  const people = await findPeople(db, keys, openRequest(row, keys).identifiers)
  const statement = await readStatement(
    {
      requestId: row.id,
      right: 'confirmation',
      simplified: true,
      language: row.language as 'pt' | 'en',
      people,
      nothingHeld: people === undefined,
    },
    settings,
    { db, keys, now },
  )
  const [html] = await makePackage(statement, db, keys)
  await storeFile(row, { ...html!, name: row.language === 'en' ? 'simplified.html' : 'simplificada.html' }, context)
  const done = { ...(JSON.parse(row.done) as Record<string, number>), immediate: now }
  await db
    .updateTable('requests')
    .set({ done: JSON.stringify(done) })
    .where('id', '=', row.id)
    .execute()
  await lineOf(row, 'simplified', row.state, null, context)
  return { ...row, done: JSON.stringify(done) }
}

export interface Execution {
  /** Of the plan the officer saw. */
  readonly planHash?: string | undefined
  readonly also: readonly string[]
  /** Revocation, opposition: it stands in the log already, and holds. */
  readonly withdrawn: boolean
}

export async function execute(
  row: RequestRow,
  { planHash, also, withdrawn }: Execution,
  context: ActContext,
): Promise<void> {
  const { db, keys, settings, now } = context
  if (row.right_id === null)
    throw new CommandError('INVALID', 'An inquiry of the authority is answered, not carried out.')
  const right = row.right_id as Right
  // Once begun it is not begun again: what is left are recipients.
  if (row.closed_at !== null || row.state === 'executing' || row.state === 'partially_done') return
  const content = openRequest(row, keys)
  const planned = await planRequest({ right, scope: scopeOf(row), identifiers: content.identifiers }, also, settings, {
    db,
    keys,
    now,
  })
  const { plan, holdings, people } = planned
  if (settings.approves(right) && planHash !== plan.hash)
    throw planHash === undefined
      ? new CommandError('NOT_APPROVED', 'An officer has to approve the plan first: name its hash.')
      : new CommandError('PLAN_CHANGED', 'What would be done is no longer what was approved. Look at the new plan.')
  const destroys = right === 'erasure' || right === 'restriction'
  if (destroys && holdings.personHeld)
    throw new CommandError(
      'LEGAL_HOLD',
      'A legal hold keeps the data of this person. Release it, or refuse with ground legal_claims.',
    )
  const running = await change(
    row,
    { act: 'execute', approved: planHash === plan.hash },
    {
      plan: JSON.stringify(plan),
      sealed: sealRequest(row, { ...content, vendor: vendorIdentifiers(people, content.identifiers) }, keys),
    },
    context,
    plan.hash.slice(0, 12),
  )
  await carryOut(running, planned, { withdrawn }, context)
  await addRecipients(running, plan, context)
  const open = plan.recipients.filter(({ how }) => how !== 'impossible').length
  if (open > 0) await change(running, { act: 'progress', open }, {}, context)
  else if (right !== 'review') await finish(running, undefined, context)
}

async function carryOut(
  row: RequestRow,
  { plan, people, holdings, hmacs, scoped }: Planned,
  { withdrawn }: { readonly withdrawn: boolean },
  context: ActContext,
): Promise<void> {
  const { db, keys, now } = context
  const work = {
    db,
    keys,
    now,
    requestId: row.id,
    purposes: context.settings.purposes,
    audiences: context.settings.audiences,
  }
  const scope = scopeOf(row)
  switch (row.right_id as Right) {
    case 'erasure':
      if (!scoped) await eraseEverything(people, hmacs, holdings, work)
      else if (people) await restrict(people, holdings, 'erase', scope, work)
      return
    case 'restriction':
      if (!scoped)
        throw new CommandError(
          'INVALID',
          'Say which data are unnecessary, excessive or unlawful: purposes, events or a time.',
        )
      if (people) await restrict(people, holdings, scope.restriction ?? 'erase', scope, work)
      return
    case 'correction':
      if (people && !plan.nothingHeld) await correct(people, openRequest(row, keys).corrections ?? {}, work)
      return
    case 'revocation':
    case 'opposition':
      if (!withdrawn)
        throw new CommandError(
          'HUB_NEEDED',
          'A withdrawal is written into the log of a running hub. Start it and repeat.',
        )
      return
    default:
      return
  }
}

async function addRecipients(row: RequestRow, plan: RequestPlan, { db, now }: ActContext): Promise<void> {
  for (const { recipient, operation, kind, how, instructions, firstAt, lastAt } of plan.recipients)
    await db
      .insertInto('request_recipients')
      .values({
        request_id: row.id,
        recipient,
        operation,
        kind,
        status: how === 'implemented' ? 'pending' : how,
        attempts: 0,
        next_at: how === 'implemented' ? now : null,
        answer: null,
        instructions: instructions && JSON.stringify(instructions),
        first_at: firstAt,
        last_at: lastAt,
        done_at: how === 'impossible' ? now : null,
        done_by: how === 'impossible' ? 'hub' : null,
        evidence: null,
      })
      .onConflict((conflict) => conflict.columns(['request_id', 'recipient', 'operation']).doNothing())
      .execute()
}

export interface RecipientResult {
  readonly id: string
  readonly recipient: string
  readonly operation: string
  readonly status: string
  readonly answer: string | null
  readonly nextAt: number | null
  readonly file: PackageFile | undefined
}

const RESULTS = new Set(['done', 'retry', 'failed', 'manual', 'impossible'])

/** What one recipient answered, or what somebody did there by hand. The last of them ends the request. */
export async function settleRecipient(result: RecipientResult, context: ActContext): Promise<void> {
  const { db, actor, now } = context
  if (!RESULTS.has(result.status))
    throw new CommandError('INVALID', 'A recipient is done, retry, failed, manual or impossible.')
  const row = await demandRow(result.id, context)
  const found = await db
    .selectFrom('request_recipients')
    .selectAll()
    .where('request_id', '=', row.id)
    .where('recipient', '=', result.recipient)
    .where('operation', '=', result.operation)
    .executeTakeFirst()
  if (!found) throw new CommandError('NOT_FOUND', 'This request has no such recipient.')
  // A receipt stands: nobody writes over it.
  if (!isRecipientOpen(found)) return
  if (row.closed_at !== null) throw new CommandError('CLOSED', 'The request is over.')
  const ended = result.status === 'done' || result.status === 'impossible'
  await db
    .updateTable('request_recipients')
    .set({
      status: result.status,
      attempts: actor === 'hub' ? found.attempts + 1 : found.attempts,
      next_at: result.status === 'retry' ? (result.nextAt ?? now) : null,
      answer: result.answer,
      ...(ended && { done_at: now, done_by: actor }),
      ...(result.file && { evidence: result.file.name }),
    })
    .where('request_id', '=', row.id)
    .where('recipient', '=', result.recipient)
    .where('operation', '=', result.operation)
    .execute()
  if (result.file) await storeFile(row, result.file, context)
  await lineOf(row, 'recipient', row.state, `${result.recipient} ${result.operation}: ${result.status}`, context)
  const all = await db.selectFrom('request_recipients').select('status').where('request_id', '=', row.id).execute()
  const open = all.filter(isRecipientOpen).length
  if (row.state === 'executing' || row.state === 'partially_done') {
    const next = await change(row, { act: 'progress', open }, {}, context)
    if (open === 0 && row.right_id !== 'review') await finish(next, undefined, context)
  }
}

/**
 * The answer: a package that a person can read and a program can, signed.
 * @param outcome undefined: as the plan says.
 */
export async function finish(
  row: RequestRow,
  outcome: 'done' | 'nothing_held' | undefined,
  context: ActContext,
  detail?: string,
  open = 0,
): Promise<void> {
  if (row.closed_at !== null) return
  const { db, keys, settings, now } = context
  const content = openRequest(row, keys)
  const plan = row.plan === null ? undefined : (JSON.parse(row.plan) as RequestPlan)
  const right = row.right_id as Right | null
  const people = right === null ? undefined : await findPeople(db, keys, content.identifiers)
  const recipients = (
    await db
      .selectFrom('request_recipients')
      .selectAll()
      .where('request_id', '=', row.id)
      .orderBy('recipient')
      .execute()
  ).map(asRecipient)
  // A withdrawal of somebody unknown is noted all the same, and that is more than nothing.
  const alwaysDone = right === 'consent_information' || right === 'revocation' || right === 'opposition'
  const nothing =
    outcome === 'nothing_held' ||
    (outcome === undefined &&
      !alwaysDone &&
      (plan ? plan.nothingHeld && recipients.length === 0 : people === undefined))
  const end = nothing ? 'nothing_held' : plan && plan.keep.length > 0 ? 'partly_kept' : 'done'
  const { vendor: _, ...kept } = content
  const closed = await change(
    row,
    { act: 'answer', outcome: end, open },
    { closed_at: now, sealed: sealRequest(row, kept, keys) },
    context,
    detail,
  )
  if (right !== null) {
    const statement = await readStatement(
      {
        requestId: row.id,
        right,
        simplified: scopeOf(row).simplified === true,
        language: row.language as 'pt' | 'en',
        people,
        nothingHeld: nothing,
        erased: plan?.erase ?? [],
        kept: plan?.keep ?? [],
        receipts: recipients,
      },
      settings,
      { db, keys, now },
    )
    for (const file of await makePackage(statement, db, keys)) await storeFile(closed, file, context)
  }
  await hubEntry(db, {
    type: 'request.closed',
    at: now,
    actor: 'agent',
    source: 'hub/requests',
    facts: { request: row.id, right: right ?? '', outcome: end, recipients: recipients.length },
  })
}

export async function storeFile(
  row: Pick<RequestRow, 'id' | 'data_key'>,
  file: PackageFile,
  { db, keys, now }: ActContext,
): Promise<void> {
  await db
    .insertInto('request_files')
    .values({
      id: newId(now),
      request_id: row.id,
      name: file.name,
      media_type: file.mediaType,
      bytes: file.content.length,
      sha256: sha256(file.content),
      sealed: seal(keys.unwrap(row.data_key), file.content),
      at: now,
    })
    .execute()
}
