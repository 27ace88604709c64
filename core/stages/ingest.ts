/** The three stages of `ingest`: verify, normalize, record. */
import { fenceOf } from '../../consent/fence.ts'
import type { Purposes } from '../../consent/purposes.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { SourceSettings } from '../config.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import type { AnySource, HttpAnswer, RawRequest } from '../kit/define.ts'
import { InputError } from '../kit/errors.ts'
import type { Fence, LogRecord, LogWriter } from '../log/event-log.ts'
import { canonicalize, type SourceContext, type Stated } from './normalize.ts'

/** Which sources a path may mean: one by its id, or whichever has the credentials on the request. */
export type SourcePath = { readonly sourceId: string } | { readonly connectors: readonly string[] }

export interface IngestPorts {
  readonly sources: ReadonlyMap<string, SourceSettings>
  /** `connector\0credential` -> source id. */
  readonly byCredential: ReadonlyMap<string, string>
  readonly purposes: Purposes
  readonly keys: Keys
  readonly log: LogWriter
  /** Bytes of unprocessed log above which the hub asks senders to wait. */
  readonly maxLogBytes: number
}

export interface Refusal {
  readonly refused: ExitCode
  readonly message: string
  readonly path?: string
  readonly source?: SourceSettings
}

export function isRefusal(value: object): value is Refusal {
  return 'refused' in value
}

/** Statuses that make the five SDK versions keep or drop data correctly: only 429 is kept by all of them. */
const STATUS: Partial<Record<ExitCode, number>> = {
  UNKNOWN_KEY: 401,
  BAD_SIGNATURE: 401,
  NOT_FOUND: 404,
  MALFORMED_JSON: 400,
  INVALID: 400,
  BODY_TOO_LARGE: 413,
  OVERLOADED: 429,
}

/** Seconds. Short: RudderStack's node SDK gives up after about a second and a half without it, and obeys it. */
const RETRY_AFTER = '2'

export function refuse({ refused, message, path }: Refusal): HttpAnswer {
  const status = STATUS[refused] ?? 400
  return {
    status,
    ...(status === 429 && { headers: { 'retry-after': RETRY_AFTER } }),
    body: { error: { code: refused, message, ...(path && { path }) } },
  }
}

export async function verify(
  request: RawRequest,
  path: SourcePath,
  ports: IngestPorts,
): Promise<SourceSettings | Refusal> {
  const source = findSource(request, path, ports)
  if (!source)
    return 'sourceId' in path
      ? { refused: 'NOT_FOUND', message: 'no source has this name' }
      : { refused: 'UNKNOWN_KEY', message: 'no source has this write key' }
  const verdict = await source.definition.verify(request, source.settings)
  if (verdict !== true)
    return { refused: verdict, message: 'the credentials on this request are not those of the source', source }
  const { definition } = source
  const maxBytes = definition.routes.find(({ path }) => path === request.path)?.maxBytes ?? definition.maxBytes
  // Paths are shared between connectors; only now it is known whose limit counts.
  if (request.body.length > maxBytes)
    return {
      refused: 'BODY_TOO_LARGE',
      message: `the body is larger than ${maxBytes} bytes; send smaller batches`,
      source,
    }
  // After the credentials, so that a stranger cannot tell how busy the hub is.
  if (ports.log.size() > ports.maxLogBytes)
    return { refused: 'OVERLOADED', message: 'the hub is behind; send again after Retry-After', source }
  return source
}

export function findSource(
  request: RawRequest,
  path: SourcePath,
  ports: Pick<IngestPorts, 'sources' | 'byCredential'>,
): SourceSettings | undefined {
  if ('sourceId' in path) return ports.sources.get(path.sourceId)
  for (const connector of path.connectors) {
    const definition = [...ports.sources.values()].find((source) => source.connector === connector)?.definition
    if (!definition) continue
    let credentials: string[]
    try {
      credentials = definition.credentials(request)
    } catch {
      continue // A body this connector cannot read carries no credential of its own.
    }
    for (const credential of credentials) {
      const id = ports.byCredential.get(`${connector}\0${credential}`)
      if (id !== undefined) return ports.sources.get(id)
    }
  }
  return undefined
}

export interface Normalized {
  readonly records: LogRecord[]
  readonly fences: Fence[]
}

export function normalize(request: RawRequest, source: SourceSettings, ports: IngestPorts): Normalized | Refusal {
  const context: SourceContext = {
    id: source.id,
    connector: source.connector,
    definition: source.definition as AnySource,
    notice: source.config.notice,
    purposes: ports.purposes,
  }
  const records: LogRecord[] = []
  const fences: Fence[] = []
  try {
    for (const item of source.definition.normalize(request, source.settings)) {
      const result = canonicalize(item, context, request.receivedAt, newId)
      if ('event' in result) {
        const fence = fenceFor(result.event, ports.keys)
        if (fence) fences.push(fence)
        const plan = source.plan?.check(result.event)
        records.push({
          kind: 'event',
          event: plan?.effect === 'block' ? onlyConsent(result.event) : result.event,
          fences: fence ? [fence.id] : [],
          ...(plan && { plan }),
          ...(result.skewMs !== undefined && { skewMs: result.skewMs }),
          ...(result.echo !== undefined && { echo: result.echo }),
          ...(result.unanswered && { unanswered: true as const }),
        })
      } else {
        const fence = result.stated && fenceOfStated(result.stated, ports.keys)
        if (fence) fences.push(fence)
        records.push({
          kind: 'quarantine',
          id: newId(),
          sourceId: source.id,
          connector: source.connector,
          ...result.quarantine,
          receivedAt: request.receivedAt,
          raw: result.raw,
          fences: fence ? [fence.id] : [],
        })
      }
    }
  } catch (error) {
    if (error instanceof InputError) return { refused: error.code, message: error.message, path: error.path, source }
    throw error
  }
  return { records, fences }
}

/** Of a blocked event nothing but whom it names and what they answer goes any further. */
function onlyConsent(event: CanonicalEvent): CanonicalEvent {
  return { ...event, traits: {}, properties: {}, context: {} }
}

/** A withdrawal is effective from its 200: one fence per request that carries one, none skipped because another stands. */
export function fenceFor(event: Extract<LogRecord, { kind: 'event' }>['event'], keys: Keys): Fence | undefined {
  const { subject, consent, receivedAt } = event
  const before = subject.previousId === undefined ? [] : [{ type: 'anonymousId' as const, value: subject.previousId }]
  return fenceOfStated({ consent, identifiers: [...subject.identifiers, ...before], receivedAt }, keys)
}

function fenceOfStated({ consent, identifiers, receivedAt }: Stated, keys: Keys): Fence | undefined {
  const withdrawn = fenceOf(consent)
  if (!withdrawn || identifiers.length === 0) return undefined
  return {
    id: newId(),
    purposes: withdrawn === '*' ? ['*'] : withdrawn,
    identifiers: identifiers.map(({ type, value }) => keys.identifier(type, value)),
    at: Date.parse(receivedAt),
  }
}

/** Waits for a person to correct it: what could not be read, and what its tracking plan sets aside. */
export const isSetAside = (record: LogRecord): boolean =>
  record.kind === 'quarantine' || record.plan?.effect === 'quarantine'

export async function record(
  { records, fences }: Normalized,
  ports: IngestPorts,
): Promise<{ recorded: number; quarantined: number }> {
  if (records.length > 0) await ports.log.append(records, fences)
  const quarantined = records.filter(isSetAside).length
  return { recorded: records.length - quarantined, quarantined }
}
