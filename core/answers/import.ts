/**
 * Answers out of a file: each row read as the consent API reads a request, with what it would change before
 * anything is changed. The row itself is kept as evidence, sealed, with the hash of the file it stood in.
 */
import type { Purposes } from '../../consent/purposes.ts'
import { applySignal, isRestrictive, type PurposeStatus } from '../../consent/status.ts'
import {
  EVIDENCE_FLAGS,
  EVIDENCE_METHODS,
  type EvidenceFlag,
  type EvidenceMethod,
  type Notice,
} from '../../schemas/consent.ts'
import type { CanonicalEvent, Identifier } from '../../schemas/event.ts'
import type { Keys } from '../keys.ts'
import type { LogWriter } from '../log/event-log.ts'
import { type Command, CommandError } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import { answerEvent, recordAnswers } from './record.ts'
import { AnswerRefused, identifiersIn, readAnswer, requestHash } from './request.ts'
import { findSubjects, statusOf } from './status.ts'

export type RowVerdict =
  /** The purpose is granted by it. */
  | 'grants'
  /** The purpose is taken back by it. */
  | 'withdraws'
  /** It says what is known already. */
  | 'no_change'
  /** Its evidence is worthless: it is recorded and never counts. */
  | 'recorded'
  /** What the person said since, or when known, is stronger: it changes nothing. */
  | 'outweighed'
  /** It cannot be read. */
  | 'error'

export interface RowAnswer {
  /** As counted in the file, the first row of data is 1. */
  readonly row: number
  readonly verdict: RowVerdict
  readonly purpose?: string
  readonly flags?: readonly string[]
  /** error: what is wrong, without values. */
  readonly message?: string
  readonly path?: string
}

export interface ImportPorts {
  readonly state: StateStore
  readonly keys: Keys
  readonly purposes: Purposes
  readonly log: Pick<LogWriter, 'append'>
}

type Row = Readonly<Record<string, unknown>>

/** Column or field -> what the consent API calls it. */
const SUBJECT: Readonly<Record<string, string>> = {
  user_id: 'userId',
  userid: 'userId',
  email: 'email',
  'e-mail': 'email',
  phone: 'phone',
  telefone: 'phone',
  celular: 'phone',
  cpf: 'cpf',
  anonymous_id: 'anonymousId',
  anonymousid: 'anonymousId',
}
const ACTIONS: Readonly<Record<string, 'grant' | 'deny' | 'revoke' | 'object'>> = {
  ...{
    grant: 'grant',
    granted: 'grant',
    yes: 'grant',
    true: 'grant',
    '1': 'grant',
    sim: 'grant',
    aceito: 'grant',
    s: 'grant',
  },
  ...{ deny: 'deny', denied: 'deny', no: 'deny', false: 'deny', '0': 'deny', não: 'deny', nao: 'deny', n: 'deny' },
  ...{ revoke: 'revoke', revoked: 'revoke', revogado: 'revoke', unsubscribed: 'revoke', descadastrado: 'revoke' },
  ...{ object: 'object', objected: 'object', oposição: 'object', oposicao: 'object' },
}

/** Carries out `importConsent`: `{file, sha256, rows, firstRow, notice?, purpose?, method?, dryRun}`. */
export async function importConsent(command: Command, ports: ImportPorts): Promise<{ rows: RowAnswer[] }> {
  const { args } = command
  const rows = args['rows']
  if (!Array.isArray(rows) || typeof args['sha256'] !== 'string')
    throw new CommandError('INVALID', 'importConsent wants rows and the hash of their file.')
  const now = Date.now()
  const given: Given = {
    file: String(args['file'] ?? ''),
    sha256: args['sha256'],
    receivedAt: new Date(now).toISOString(),
    ...(args['notice'] !== undefined && { notice: args['notice'] as Notice }),
    ...(typeof args['purpose'] === 'string' && { purpose: args['purpose'] }),
    ...(typeof args['method'] === 'string' && { method: args['method'] as EvidenceMethod }),
  }
  const first = Number(args['firstRow'] ?? 1)
  const read = (rows as Row[]).map((row, index) => readRow(row, first + index, given, ports.purposes))
  const subjects = await findSubjects(
    read.map((one) => ('identifiers' in one ? one.identifiers : [])),
    now,
    ports,
  )
  /** What earlier rows of this part already changed. */
  const changed = new Map<string, PurposeStatus>()
  const answers: RowAnswer[] = []
  const events: CanonicalEvent[] = []
  for (const [index, one] of read.entries()) {
    if (!('event' in one)) {
      answers.push(one)
      continue
    }
    const subject = subjects[index]!
    const [signal] = one.event.consent
    const purpose = ports.purposes.get(signal!.purpose)!
    const whose = `${subject.people[0]?.id ?? JSON.stringify(one.identifiers[0])}\0${purpose.id}`
    const before = changed.get(whose) ?? statusOf(subject, purpose)
    const { next, entry } = applySignal(before, signal!, {
      receivedAt: given.receivedAt,
      newId: () => one.event.id,
      ends: purpose.ends,
      verified: true,
    })
    changed.set(whose, next)
    answers.push({
      row: one.row,
      purpose: purpose.id,
      ...verdictOf(before, next, entry !== undefined, isRestrictive(signal!.action), one.flags),
    })
    events.push(one.event)
  }
  if (args['dryRun'] !== true && events.length > 0) await recordAnswers(events, ports)
  return { rows: answers }
}

interface Given {
  readonly file: string
  readonly sha256: string
  readonly receivedAt: string
  readonly notice?: Notice
  readonly purpose?: string
  readonly method?: EvidenceMethod
}

function readRow(
  row: Row,
  number: number,
  given: Given,
  purposes: Purposes,
): RowAnswer | { row: number; identifiers: Identifier[]; event: CanonicalEvent; flags: readonly EvidenceFlag[] } {
  try {
    const fields = Object.fromEntries(
      Object.entries(row)
        .map(([name, value]) => [name.trim().toLowerCase(), value] as const)
        .filter(([, value]) => value !== undefined && value !== null && String(value).trim() !== ''),
    )
    const text = (...names: string[]) => {
      const found = names.map((name) => fields[name]).find((value) => value !== undefined)
      return found === undefined ? undefined : String(found).trim()
    }
    const subject = Object.fromEntries(
      Object.entries(fields).flatMap(([name, value]) => (SUBJECT[name] ? [[SUBJECT[name], String(value).trim()]] : [])),
    )
    if (Object.keys(subject).length === 0)
      throw new AnswerRefused('The row names nobody: email, phone, user_id, cpf or anonymous_id.', '/subject')
    const action = ACTIONS[(text('action', 'status', 'consent', 'consentimento') ?? '').toLowerCase()]
    if (!action) throw new AnswerRefused('action must be grant, deny, revoke or object (sim, não also).', '/action')
    const purpose = text('purpose', 'finalidade') ?? given.purpose
    if (purpose === undefined || purpose === '*')
      throw new AnswerRefused('Each row names its purpose; --purpose sets it for all rows.', '/purpose')
    const occurred = text('occurred_at', 'occurredat', 'date', 'data')
    if (occurred === undefined || Number.isNaN(Date.parse(occurred)))
      throw new AnswerRefused('occurred_at must be a date such as 2026-11-24T10:00:00-03:00.', '/occurred_at')
    const method = (text('method', 'metodo') ?? given.method) as EvidenceMethod | undefined
    if (method !== undefined && !EVIDENCE_METHODS.includes(method))
      throw new AnswerRefused(`method must be one of ${EVIDENCE_METHODS.join(', ')}.`, '/method')
    const flags = (text('flags') ?? '').split(/[\s,;|]+/).filter((flag) => flag !== '') as EvidenceFlag[]
    if (flags.some((flag) => !EVIDENCE_FLAGS.includes(flag)))
      throw new AnswerRefused(`flags must be of ${EVIDENCE_FLAGS.join(', ')}.`, '/flags')
    const id = text('notice_id', 'noticeid', 'notice')
    const version = text('notice_version', 'noticeversion')
    if ((id === undefined) !== (version === undefined) || (version !== undefined && !/^\d+$/.test(version)))
      throw new AnswerRefused('notice_id and notice_version go together.', '/notice_id')
    const identifiers = identifiersIn(subject)
    const { signals, results } = readAnswer(
      {
        subject,
        consents: [{ purpose, action }],
        occurredAt: new Date(occurred).toISOString(),
        ...(id !== undefined && { notice: { id, version: Number(version) } }),
        ...(method !== undefined && { method }),
        ...(flags.length > 0 && { flags }),
        evidence: { file: given.file, file_sha256: given.sha256, row: number, values: { ...row } },
      },
      {
        purposes,
        origin: { kind: 'import', ref: `${given.sha256.slice(0, 16)}` },
        notice: given.notice,
        receivedAt: given.receivedAt,
      },
    )
    return {
      row: number,
      identifiers,
      flags: results[0]?.flags ?? [],
      event: answerEvent(
        {
          name: 'Consent Preference Updated',
          messageId: `import-${given.sha256.slice(0, 32)}-${number}`,
          source: { id: 'import', connector: 'import' },
          identifiers,
          consent: signals,
          occurredAt: signals[0]!.occurredAt,
          receivedAt: given.receivedAt,
        },
        requestHash(row),
      ),
    }
  } catch (error) {
    if (!(error instanceof AnswerRefused)) throw error
    return { row: number, verdict: 'error', message: error.message, path: error.path }
  }
}

function verdictOf(
  before: PurposeStatus | undefined,
  next: PurposeStatus,
  written: boolean,
  restricts: boolean,
  flags: readonly EvidenceFlag[],
): { verdict: RowVerdict; flags?: readonly EvidenceFlag[] } {
  if (flags.length > 0) return { verdict: 'recorded', flags }
  if (next.status === 'granted' && before?.status !== 'granted') return { verdict: 'grants' }
  if (restricts && written && next.status !== before?.status) return { verdict: 'withdraws' }
  if (written) return { verdict: restricts ? 'withdraws' : 'grants' }
  const agrees = restricts ? next.status === 'denied' || next.status === 'revoked' : next.status === 'granted'
  return { verdict: agrees ? 'no_change' : 'outweighed' }
}
