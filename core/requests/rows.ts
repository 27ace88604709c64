/** Requests as they are shown: list, detail, counts. Reading only. */
import { clocksOf, nextDue } from '../../consent/requests/clock.ts'
import { isClosed, possibleActs, type RequestFacts } from '../../consent/requests/machine.ts'
import { AUTHORITY_ARTICLE, AUTHORITY_TITLE, isAssured, RIGHT_RULES } from '../../consent/requests/rights.ts'
import type {
  RequestDetail,
  RequestPage,
  RequestPause,
  RequestPlan,
  RequestQuery,
  RequestRecipient,
  RequestScope,
  RequestState,
  RequestSummary,
  Right,
} from '../../schemas/requests.ts'
import type { Keys } from '../keys.ts'
import { chunks, type Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { groupsAlike, groupsOfRequest } from './alike.ts'
import { openRequest } from './sealed.ts'
import type { RequestRules } from './settings.ts'

export type RequestRow = Tables['requests']

export const factsOf = (row: RequestRow): RequestFacts => ({
  kind: row.kind as RequestFacts['kind'],
  right: row.right_id as Right | null,
  state: row.state as RequestState,
  assurance: row.assurance as RequestFacts['assurance'],
  ground: row.ground as RequestFacts['ground'],
  outcome: row.outcome as RequestFacts['outcome'],
})

export const scopeOf = (row: Pick<RequestRow, 'scope'>): RequestScope => JSON.parse(row.scope) as RequestScope

export function clocksOfRow(row: RequestRow, settings: RequestRules, now: number) {
  return clocksOf(
    {
      kind: row.kind as 'subject' | 'authority',
      right: row.right_id as Right | null,
      receivedAt: row.received_at,
      authorityDueAt: row.kind === 'authority' ? row.due_at : null,
      pauses: JSON.parse(row.pauses) as RequestPause[],
      done: JSON.parse(row.done) as Record<string, number>,
      closedAt: row.closed_at,
      simplifiedOnly: scopeOf(row).simplified,
    },
    settings.clocks,
    now,
  )
}

const DONE: ReadonlySet<string> = new Set(['done', 'impossible'])
export const isRecipientOpen = ({ status }: Pick<Tables['request_recipients'], 'status'>): boolean => !DONE.has(status)

export function summaryOf(
  row: RequestRow,
  recipients: readonly Pick<Tables['request_recipients'], 'status'>[],
  settings: RequestRules,
  now: number,
  groups: readonly string[] = [],
): RequestSummary {
  const right = row.right_id as Right | null
  const clocks = clocksOfRow(row, settings, now)
  const facts = factsOf(row)
  const open = recipients.filter(isRecipientOpen).length
  return {
    id: row.id,
    kind: facts.kind,
    right,
    article: right ? RIGHT_RULES[right].article : AUTHORITY_ARTICLE,
    title: right ? RIGHT_RULES[right].title : AUTHORITY_TITLE,
    state: facts.state,
    channel: row.channel as RequestSummary['channel'],
    receivedAt: row.received_at,
    enteredAt: row.entered_at,
    clocks,
    overdue: !isClosed(facts.state) && clocks.some(({ overdue, doneAt }) => overdue && doneAt === null),
    dueAt: isClosed(facts.state) ? null : nextDue(clocks),
    closedAt: row.closed_at,
    ground: facts.ground,
    outcome: facts.outcome,
    assurance: facts.assurance,
    subject: row.subject,
    duplicateOf: row.duplicate_of,
    groups: [...groups],
    recipients: { done: recipients.length - open, open },
    needs: needsOf(facts, row, open, settings),
  }
}

/** What somebody has to do next, in words. */
function needsOf(facts: RequestFacts, row: RequestRow, open: number, settings: RequestRules): RequestSummary['needs'] {
  if (isClosed(facts.state)) return null
  if (facts.right !== null && facts.kind === 'subject' && !isAssured(facts.right, facts.assurance))
    return { pt: 'Comprovar a identidade', en: 'Prove the identity' }
  if (facts.state === 'received' || facts.state === 'identity')
    return { pt: 'Confirmar o recebimento', en: 'Acknowledge' }
  if (open > 0 && facts.state !== 'approval')
    return { pt: `Aguardar ou concluir ${open} destinatários`, en: `Wait for or finish ${open} recipients` }
  if (facts.state === 'approval')
    return settings.approves(facts.right)
      ? { pt: 'Aprovar o plano', en: 'Approve the plan' }
      : { pt: 'Executar', en: 'Carry out' }
  if (facts.kind === 'authority' || facts.right === 'review') return { pt: 'Responder', en: 'Answer' }
  return row.plan === null ? { pt: 'Planejar', en: 'Plan' } : { pt: 'Responder', en: 'Answer' }
}

const LATE_SOON_MS = 3 * 86_400_000

export async function listRequests(
  query: RequestQuery,
  settings: RequestRules,
  { db, now }: { readonly db: Db; readonly now: number },
): Promise<RequestPage> {
  const limit = Number(query.limit ?? 50)
  let rows = db.selectFrom('requests').selectAll().orderBy('received_at', 'desc').orderBy('id', 'desc')
  if (query.state === 'open') rows = rows.where('closed_at', 'is', null)
  else if (query.state === 'closed') rows = rows.where('closed_at', 'is not', null)
  else if (query.state !== undefined) rows = rows.where('state', '=', query.state)
  if (query.right !== undefined) rows = rows.where('right_id', '=', query.right)
  if (query.kind !== undefined) rows = rows.where('kind', '=', query.kind)
  if (query.overdue === 'true') rows = rows.where('closed_at', 'is', null)
  const { groups, members } = await groupsAlike(settings.mass, db)
  const groupsOf = (id: string) => groups.filter((group) => members.get(group.id)!.has(id)).map((group) => group.id)
  if (query.group !== undefined) rows = rows.where('id', 'in', ['', ...(members.get(query.group) ?? [])])
  const [at, id] = (query.after ?? '').split('.')
  if (at && id)
    rows = rows.where(({ eb, refTuple, tuple }) => eb(refTuple('received_at', 'id'), '<', tuple(Number(at), id)))
  // Which are overdue follows from their clocks, so all open ones are read then: they are few.
  const found = await (query.overdue === 'true' ? rows : rows.limit(limit + 1)).execute()
  const recipients = await recipientsOfAll(
    found.map((row) => row.id),
    db,
  )
  const items = found
    .map((row) => summaryOf(row, recipients.get(row.id) ?? [], settings, now, groupsOf(row.id)))
    .filter(({ overdue }) => query.overdue !== 'true' || overdue)
  const page = items.slice(0, limit)
  const last = page.at(-1)
  return {
    items: page,
    next: items.length > limit && last ? `${last.receivedAt}.${last.id}` : null,
    counts: await countRequests(settings, { db, now }),
    groups,
  }
}

export async function countRequests(
  settings: RequestRules,
  { db, now }: { readonly db: Db; readonly now: number },
): Promise<RequestPage['counts']> {
  const byState: Record<string, number> = {}
  for (const row of await db
    .selectFrom('requests')
    .select(['state'])
    .select((eb) => eb.fn.countAll().as('n'))
    .groupBy('state')
    .execute())
    byState[row.state] = Number(row.n)
  const open = (await db.selectFrom('requests').selectAll().where('closed_at', 'is', null).execute()).map((row) =>
    summaryOf(row, [], settings, now),
  )
  return {
    open: open.length,
    overdue: open.filter(({ overdue }) => overdue).length,
    dueIn3Days: open.filter(({ overdue, dueAt }) => !overdue && dueAt !== null && dueAt <= now + LATE_SOON_MS).length,
    byState,
  }
}

async function recipientsOfAll(ids: readonly string[], db: Db): Promise<Map<string, Tables['request_recipients'][]>> {
  const found = new Map<string, Tables['request_recipients'][]>()
  for (const part of chunks(ids))
    for (const row of await db.selectFrom('request_recipients').selectAll().where('request_id', 'in', part).execute()) {
      const list = found.get(row.request_id) ?? []
      list.push(row)
      found.set(row.request_id, list)
    }
  return found
}

export const asRecipient = (row: Tables['request_recipients']): RequestRecipient => ({
  recipient: row.recipient,
  kind: row.kind as RequestRecipient['kind'],
  operation: row.operation as RequestRecipient['operation'],
  status: row.status as RequestRecipient['status'],
  attempts: row.attempts,
  nextAt: row.next_at,
  answer: row.answer,
  instructions: row.instructions === null ? null : (JSON.parse(row.instructions) as { pt: string; en: string }),
  firstAt: row.first_at,
  lastAt: row.last_at,
  doneAt: row.done_at,
  doneBy: row.done_by,
  evidence: row.evidence,
})

/** @param reveal false: pseudonyms only. */
export async function readRequest(
  id: string,
  reveal: boolean,
  settings: RequestRules,
  { db, keys, now }: { readonly db: Db; readonly keys: Keys; readonly now: number },
): Promise<RequestDetail | undefined> {
  const row = await db.selectFrom('requests').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) return undefined
  const recipients = (await recipientsOfAll([id], db)).get(id) ?? []
  const files = await db
    .selectFrom('request_files')
    .select(['id', 'name', 'media_type', 'bytes', 'sha256', 'at'])
    .where('request_id', '=', id)
    .orderBy('at')
    .orderBy('id')
    .execute()
  const log = await db.selectFrom('request_log').selectAll().where('request_id', '=', id).orderBy('id').execute()
  const sealed = reveal && row.sealed.length > 0 ? openRequest(row, keys) : undefined
  return {
    request: summaryOf(row, recipients, settings, now, await groupsOfRequest(id, settings.mass, db)),
    person: sealed
      ? {
          name: sealed.name ?? null,
          contact: sealed.contact ?? null,
          text: sealed.text ?? null,
          identifiers: [...sealed.identifiers],
          representative: sealed.representative ?? null,
          identityCheck: sealed.identityCheck ?? null,
        }
      : null,
    scope: { ...scopeOf(row), ...(sealed?.corrections && { corrections: sealed.corrections }) },
    plan: row.plan === null ? null : (JSON.parse(row.plan) as RequestPlan),
    recipients: recipients.map(asRecipient),
    files: files.map((file) => ({
      id: file.id,
      name: file.name,
      mediaType: file.media_type,
      bytes: file.bytes,
      sha256: file.sha256,
      at: file.at,
    })),
    pauses: JSON.parse(row.pauses) as RequestPause[],
    log: log.map((line) => ({
      at: line.at,
      actor: line.actor,
      what: line.what,
      from: line.from_state as RequestState | null,
      to: line.to_state as RequestState | null,
      detail: line.detail,
    })),
    answer: sealed?.answer ?? null,
    may: possibleActs(factsOf(row)),
  }
}
