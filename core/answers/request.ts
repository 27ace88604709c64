/** A request about consent, from words to acts: what is refused, and what is recorded and never counts. */
import { createHash } from 'node:crypto'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { evidenceHash } from '../../consent/signals.ts'
import { evidenceClassOf, iso } from '../../consent/status.ts'
import { isGpp, readTcf } from '../../consent/tcf.ts'
import type { ConsentRequest, ConsentSignal, EvidenceFlag, Notice } from '../../schemas/consent.ts'
import type { Identifier, IdentifierType } from '../../schemas/event.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'

/** What is wrong, where, and what to do. No values. */
export class AnswerRefused extends Error {
  override readonly name = 'AnswerRefused'
  readonly path: string
  constructor(message: string, path: string) {
    super(message)
    this.path = path
  }
}

const SUBJECT: Readonly<Record<keyof ConsentRequest['subject'], IdentifierType>> = {
  userId: 'userId',
  email: 'email',
  phone: 'phone',
  cpf: 'cpf',
  anonymousId: 'anonymousId',
  gaClientId: 'ga_client_id',
  deviceId: 'device_id',
}

/** @throws AnswerRefused for an identifier that is none. */
export function identifiersIn(subject: ConsentRequest['subject']): Identifier[] {
  return Object.entries(subject).flatMap(([name, given]) => {
    if (given === undefined) return []
    const type = SUBJECT[name as keyof ConsentRequest['subject']]
    const value = normalizeIdentifier(type, given)
    if (value === undefined) throw new AnswerRefused(`This is no usable ${name}.`, `/subject/${name}`)
    return [{ type, value }]
  })
}

export interface AnswerContext {
  readonly purposes: Purposes
  /** api: a server with a token. browser: anybody who has the public write key. import: a file. */
  readonly origin: { readonly kind: 'api' | 'browser' | 'import'; readonly ref: string }
  /** What the source declares, for a request without its own. */
  readonly notice?: Notice | undefined
  /** ISO 8601. */
  readonly receivedAt: string
}

export interface ReadAnswer {
  readonly signals: ConsentSignal[]
  /** Per consent of the request: whether it counts, and why not. */
  readonly results: readonly {
    readonly purpose: string
    readonly action: string
    readonly counts: boolean
    readonly flags: readonly EvidenceFlag[]
  }[]
}

/** @throws AnswerRefused with the path of what cannot be. */
export function readAnswer(request: Omit<ConsentRequest, 'writeKey' | 'id'>, context: AnswerContext): ReadAnswer {
  const { purposes, origin, receivedAt } = context
  const at = iso(request.occurredAt ?? receivedAt)
  if (Date.parse(at) > Date.parse(receivedAt) + 86_400_000)
    throw new AnswerRefused('An answer cannot be more than a day in the future.', '/occurredAt')
  const occurredAt = new Date(Math.min(Date.parse(at), Date.parse(receivedAt))).toISOString()
  const notice = request.notice ?? context.notice
  const rests = notice !== undefined && (notice.since === undefined || notice.since <= at.slice(0, 10))
  const actor = request.actor ?? 'subject'
  if (origin.kind === 'browser' && actor !== 'subject')
    throw new AnswerRefused('Only a server may answer for somebody else.', '/actor')
  const raw = request.evidence ? withStringsRead(request.evidence) : { consents: request.consents }
  if (JSON.stringify(raw).length > 16_384) throw new AnswerRefused('The evidence is larger than 16 KB.', '/evidence')
  const sha256 = evidenceHash(raw)

  const signals: ConsentSignal[] = []
  const results: ReadAnswer['results'][number][] = []
  for (const [index, { purpose: id, action }] of request.consents.entries()) {
    const path = `/consents/${index}`
    const permits = action === 'grant'
    if (permits && (request.method === undefined || request.method === 'none'))
      throw new AnswerRefused(
        'A grant says how it was given: checkbox, button, double_opt_in, … (LGPD art. 8).',
        '/method',
      )
    const flags: EvidenceFlag[] = [...new Set([...(request.flags ?? []), ...(rests ? [] : (['no_notice'] as const))])]
    const reached = reachedBy(id, action, purposes, path)
    for (const purpose of reached) {
      const signal: ConsentSignal = {
        purpose: purpose.id,
        scope: purpose.scope,
        action: actionFor(purpose, action, path),
        basis: purpose.basis,
        origin,
        actor,
        evidence: { method: request.method ?? 'none', flags, sha256, raw },
        ...(rests && { notice }),
        occurredAt,
      }
      signals.push(signal)
      const counts = evidenceClassOf(signal) === 'valid'
      results.push({ purpose: purpose.id, action, counts, flags: counts ? [] : flags })
    }
  }
  return { signals, results }
}

/** A TCF string is kept with what it says; it decides nothing (consent/tcf.ts). */
function withStringsRead(evidence: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { tcf, gpp } = evidence
  const read = typeof tcf === 'string' ? readTcf(tcf) : undefined
  if (tcf !== undefined && !read) throw new AnswerRefused('This is no TCF string.', '/evidence/tcf')
  if (gpp !== undefined && !(typeof gpp === 'string' && isGpp(gpp)))
    throw new AnswerRefused('This is no GPP string.', '/evidence/gpp')
  return { ...evidence, ...(read && { tcf_read: read }) }
}

function reachedBy(
  id: string,
  action: ConsentRequest['consents'][number]['action'],
  purposes: Purposes,
  path: string,
): readonly Purpose[] {
  if (id === '*') {
    // Art. 8 §4: a generic authorisation is null. Taking everything back needs no list.
    if (action === 'grant')
      throw new AnswerRefused('Consent is for a determined purpose (LGPD art. 8 §4): name each one.', `${path}/purpose`)
    return purposes.all.filter(({ basis }) => basis === 'consent' || basis === 'legitimate_interest')
  }
  const purpose = purposes.get(id)
  if (!purpose)
    throw new AnswerRefused(
      `No purpose has this id. Configured: ${purposes.all.map((one) => one.id).join(', ')}.`,
      `${path}/purpose`,
    )
  return [purpose]
}

function actionFor(
  purpose: Purpose,
  action: ConsentRequest['consents'][number]['action'],
  path: string,
): ConsentSignal['action'] {
  if (purpose.basis === 'consent') return action === 'object' ? 'revoke' : action
  if (action === 'grant')
    throw new AnswerRefused(`${purpose.id} rests on ${purpose.basis}: there is no consent to give.`, `${path}/action`)
  if (purpose.basis !== 'legitimate_interest' && purpose.basis !== 'contract')
    throw new AnswerRefused(
      `${purpose.id} rests on ${purpose.basis}, which follows from the law and not from an answer.`,
      `${path}/action`,
    )
  return 'object'
}

/** SHA-256 (hex): the same id with another body is noticed by the deduplication. */
export const requestHash = (request: unknown): string =>
  createHash('sha256').update(JSON.stringify(request)).digest('hex')
