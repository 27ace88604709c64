/**
 * OpenDSR 2.0 (github.com/opengdpr/opengdpr, specification.md), in and out. Its `regulation` knows gdpr and ccpa
 * only: lgpd stands there as an extension, and the right itself under extensions.anuente.right.
 */
import type { IdentifierType } from '../../schemas/event.ts'
import { type NewRequest, type RequestIdentifier, RIGHTS, type Right } from '../../schemas/requests.ts'

export const OPENDSR_VERSION = '2.0'

const TYPES: Readonly<Record<string, IdentifierType>> = {
  email: 'email',
  phone_number: 'phone',
  controller_customer_id: 'userId',
  android_advertising_id: 'device_id',
  android_id: 'device_id',
  fire_advertising_id: 'device_id',
  ios_advertising_id: 'device_id',
  ios_vendor_id: 'device_id',
  microsoft_advertising_id: 'device_id',
  microsoft_publisher_id: 'device_id',
  roku_publisher_id: 'device_id',
  roku_advertising_id: 'device_id',
}

const RIGHT_OF: Readonly<Record<string, Right>> = { access: 'access', portability: 'portability', erasure: 'erasure' }
/** OpenDSR has three kinds: what it lacks travels as the nearest one and never loses its own name. */
const KIND_OF: Partial<Readonly<Record<Right, string>>> = {
  access: 'access',
  confirmation: 'access',
  sharing: 'access',
  portability: 'portability',
  erasure: 'erasure',
  restriction: 'erasure',
}

export type ReadOpenDsr =
  | { readonly ok: true; readonly request: NewRequest; readonly callbacks: readonly string[] }
  | { readonly ok: false; readonly path: string; readonly message: string }

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** Messages name the field and never its value. */
export function readOpenDsr(body: unknown): ReadOpenDsr {
  const no = (path: string, message: string): ReadOpenDsr => ({ ok: false, path, message })
  if (!isObject(body)) return no('', 'The body must be an object.')
  const id = body['subject_request_id']
  if (typeof id !== 'string' || id === '' || id.length > 200)
    return no('/subject_request_id', 'Send the id of the request as a text of at most 200 characters.')
  const version = body['api_version']
  if (version !== undefined && version !== OPENDSR_VERSION && version !== '1.0')
    return no('/api_version', 'This hub speaks OpenDSR 2.0.')
  const kind = String(body['subject_request_type'] ?? '')
  const extensions = isObject(body['extensions']) ? body['extensions'] : {}
  const own = isObject(extensions['anuente']) ? extensions['anuente'] : {}
  const named = own['right']
  const right =
    typeof named === 'string' && (RIGHTS as readonly string[]).includes(named) ? (named as Right) : RIGHT_OF[kind]
  if (!right) return no('/subject_request_type', 'Send access, portability or erasure.')
  const submitted = body['submitted_time']
  if (typeof submitted !== 'string' || Number.isNaN(Date.parse(submitted)))
    return no('/submitted_time', 'Send the time of the request in ISO 8601: its clock starts then.')
  const given = body['subject_identities']
  if (!Array.isArray(given) || given.length === 0 || given.length > 20)
    return no('/subject_identities', 'Send one to twenty identities.')
  const identifiers: RequestIdentifier[] = []
  for (const [index, identity] of given.entries()) {
    const at = `/subject_identities/${index}`
    if (!isObject(identity)) return no(at, 'An identity must be an object.')
    const type = TYPES[String(identity['identity_type'] ?? '')]
    if (!type) return no(`${at}/identity_type`, 'No identity of this type can be looked up here.')
    if (identity['identity_format'] !== undefined && identity['identity_format'] !== 'raw')
      return no(`${at}/identity_format`, 'People are found by the value itself here: send identity_format raw.')
    const value = identity['identity_value']
    if (typeof value !== 'string' || value === '' || value.length > 512)
      return no(`${at}/identity_value`, 'Send the value as a text.')
    identifiers.push({ type, value })
  }
  const callbacks = Array.isArray(body['status_callback_urls'])
    ? body['status_callback_urls'].filter((url): url is string => typeof url === 'string' && url.startsWith('https://'))
    : []
  return {
    ok: true,
    callbacks,
    request: {
      kind: 'subject',
      right,
      channel: 'opendsr',
      receivedAt: new Date(submitted).toISOString(),
      identifiers,
      reference: id,
      // Whoever holds a token of this hub vouches for the person.
      assurance: 'session',
      identityCheck: 'OpenDSR: checked by the controller that sent it',
    },
  }
}

export function openDsrDiscovery() {
  return {
    api_version: OPENDSR_VERSION,
    supported_identities: Object.keys(TYPES).map((identity_type) => ({ identity_type, identity_format: 'raw' })),
    supported_subject_request_types: Object.keys(RIGHT_OF),
    extensions: { anuente: { regulation: 'lgpd', rights: RIGHTS } },
  }
}

/** @param encoded the request as received, base64: what is signed for in the specification. */
export function openDsrReceipt(receipt: {
  readonly id: string
  readonly controllerId: string
  readonly receivedAt: number
  readonly dueAt: number | null
  readonly encoded: string
}) {
  return {
    controller_id: receipt.controllerId,
    expected_completion_time: new Date(receipt.dueAt ?? receipt.receivedAt).toISOString(),
    received_time: new Date(receipt.receivedAt).toISOString(),
    encoded_request: receipt.encoded,
    subject_request_id: receipt.id,
  }
}

const STATUS_OF: Readonly<Record<string, string>> = {
  answered: 'completed',
  refused: 'cancelled',
  withdrawn: 'cancelled',
}

/** Body of a status answer or callback. */
export function openDsrStatus(status: {
  readonly id: string
  readonly controllerId: string
  readonly state: string
  readonly dueAt: number | null
  readonly resultsUrl?: string
}) {
  return {
    controller_id: status.controllerId,
    expected_completion_time: status.dueAt === null ? null : new Date(status.dueAt).toISOString(),
    subject_request_id: status.id,
    request_status:
      STATUS_OF[status.state] ??
      (status.state === 'received' || status.state === 'identity' ? 'pending' : 'in_progress'),
    api_version: OPENDSR_VERSION,
    ...(status.resultsUrl !== undefined && { results_url: status.resultsUrl }),
  }
}

/** A request to a system that speaks OpenDSR. */
export function openDsrOut(request: {
  readonly id: string
  readonly right: Right
  readonly receivedAt: number
  readonly identifiers: Readonly<Partial<Record<IdentifierType, string>>>
}) {
  const identities = Object.entries(request.identifiers).flatMap(([type, identity_value]) => {
    const identity_type =
      type === 'email'
        ? 'email'
        : type === 'userId'
          ? 'controller_customer_id'
          : type === 'phone'
            ? 'phone_number'
            : undefined
    return identity_type ? [{ identity_type, identity_value, identity_format: 'raw' }] : []
  })
  return {
    // The specification's enum has no lgpd: the nearest word there, the true one beside it.
    regulation: 'gdpr',
    subject_request_id: request.id,
    subject_request_type: KIND_OF[request.right] ?? 'access',
    submitted_time: new Date(request.receivedAt).toISOString(),
    subject_identities: identities,
    api_version: OPENDSR_VERSION,
    extensions: { anuente: { regulation: 'lgpd', right: request.right } },
  }
}
