/**
 * The consent API. `POST /consent` takes answers from a server (API token) or a browser (write key of a
 * source); what they withdraw is effective from the 200. `GET /consent` tells the status.
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readSignals } from '../../consent/signals.ts'
import { isRestrictive } from '../../consent/status.ts'
import type { Permission } from '../../schemas/admin.ts'
import { ConsentRequest, type ConsentSignal } from '../../schemas/consent.ts'
import { answerEvent, recordAnswers } from '../answers/record.ts'
import { AnswerRefused, identifiersIn, readAnswer, requestHash } from '../answers/request.ts'
import { statusNow } from '../answers/status.ts'
import type { SourceSettings } from '../config.ts'
import { gpcEvidence } from '../kit/gpc.ts'
import type { LogReader } from '../log/event-log.ts'
import type { IngestPorts } from '../stages/ingest.ts'
import { demand, identify } from './admin/identity.ts'
import { Refusal } from './admin/route.ts'
import type { ServerContext } from './context.ts'

export interface ConsentPorts {
  readonly ingest: IngestPorts
  readonly context: ServerContext
  /** Withdrawals that are answered and not processed yet. */
  readonly fencesFor?: LogReader['fencesFor']
}

const MAX_BYTES = 64 * 1024
/** Identifiers that name nobody by themselves and may stand in a URL. */
const IN_URL = ['userId', 'anonymousId', 'gaClientId', 'deviceId'] as const
/** What a browser may ask about: a random id that only it has. */
const OF_BROWSER = ['anonymousId', 'gaClientId', 'deviceId'] as const

const ajv = new Ajv2020({ strict: false })
;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)
const isRequest = ajv.compile<ConsentRequest>(ConsentRequest)

type Caller = { readonly server: string } | { readonly browser: SourceSettings }

export async function registerConsent(app: FastifyInstance, ports: ConsentPorts): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    // Beacons say text/plain; the body is JSON whatever they say.
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: MAX_BYTES }, (_request, body, done) =>
      done(null, body),
    )
    scope.addHook('onRequest', async (request, reply) => {
      reply.header('cache-control', 'no-store')
      const { origin } = request.headers
      if (origin) reply.header('access-control-allow-origin', origin).header('vary', 'origin')
    })
    scope.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
      if (error instanceof Refusal) return refuse(reply, error.status, error.code, error.message, error.path)
      if (error instanceof AnswerRefused) return refuse(reply, 400, 'INVALID', error.message, error.path)
      if (error.statusCode === 413) return refuse(reply, 413, 'BODY_TOO_LARGE', 'The body is larger than 64 KB.')
      request.log.error({ where: 'consent', name: error.name })
      // Nothing was recorded: the sender must not believe that a withdrawal has arrived.
      return refuse(reply, 503, 'UNAVAILABLE', 'The hub could not take this now. Send it again.')
    })
    for (const url of ['/consent', '/consent/status'])
      scope.options(url, (request, reply) =>
        reply
          .header('access-control-allow-methods', 'GET, POST, OPTIONS')
          .header(
            'access-control-allow-headers',
            request.headers['access-control-request-headers'] ?? 'authorization, content-type',
          )
          .header('access-control-max-age', '600')
          .code(204)
          .send(),
      )

    scope.post('/consent', async (request, reply) => {
      const body = readBody(request)
      if (!isRequest(body)) throw invalid()
      const caller = await callerOf(request, reply, body.writeKey, 'consent.write', ports)
      const receivedAt = new Date().toISOString()
      const source =
        'browser' in caller
          ? { id: caller.browser.id, connector: caller.browser.connector }
          : { id: 'api', connector: 'api' }
      const { signals, results } = readAnswer(body, {
        purposes: ports.ingest.purposes,
        origin: 'browser' in caller ? { kind: 'browser', ref: caller.browser.id } : { kind: 'api', ref: caller.server },
        ...('browser' in caller && { notice: caller.browser.config.notice }),
        receivedAt,
      })
      const identifiers = identifiersIn(body.subject)
      if (ports.ingest.log.size() > ports.ingest.maxLogBytes)
        return refuse(reply.header('retry-after', '2'), 429, 'OVERLOADED', 'The hub is behind; send again.')
      const consent = 'browser' in caller ? withPrivacyControl(signals, request, caller.browser, ports) : signals
      const event = answerEvent(
        {
          name: 'Consent Preference Updated',
          ...(body.id !== undefined && { messageId: `consent-${body.id}` }),
          source,
          identifiers,
          consent,
          occurredAt: consent[0]?.occurredAt ?? receivedAt,
          receivedAt,
        },
        requestHash({ ...body, writeKey: undefined }),
      )
      await recordAnswers([event], ports.ingest)
      return reply.send({
        id: event.id,
        results,
        withdrawals: consent.some(({ action }) => isRestrictive(action)) ? 'effective' : 'none',
      })
    })

    scope.get('/consent', async (request, reply) => {
      const query = request.query as Record<string, unknown>
      const { writeKey, ...named } = query
      const caller = await callerOf(
        request,
        reply,
        typeof writeKey === 'string' ? writeKey : undefined,
        'consent.read',
        ports,
      )
      const allowed: readonly string[] = 'browser' in caller ? OF_BROWSER : IN_URL
      for (const name of Object.keys(named))
        if (!allowed.includes(name))
          throw new Refusal(
            400,
            'INVALID',
            'browser' in caller
              ? `A browser asks about ${OF_BROWSER.join(', ')} only.`
              : `Ask by ${IN_URL.join(', ')} here. E-mail, phone and CPF do not belong in an address: POST /consent/status.`,
            { path: `/${name}` },
          )
      const subject = Object.fromEntries(Object.entries(named).map(([name, value]) => [name, String(value)]))
      return reply.send(await tell(subject, 'browser' in caller, ports))
    })

    scope.post('/consent/status', async (request, reply) => {
      const body = readBody(request) as { subject?: unknown }
      await callerOf(request, reply, undefined, 'consent.read', ports)
      const probe = { subject: body?.subject, consents: [{ purpose: 'x', action: 'deny' }] }
      if (!isRequest(probe)) throw invalid()
      return reply.send(await tell(probe.subject, false, ports))
    })
  })
}

async function tell(
  subject: ConsentRequest['subject'],
  deviceOnly: boolean,
  { ingest, context, fencesFor }: ConsentPorts,
) {
  const identifiers = identifiersIn(subject)
  if (identifiers.length === 0) throw new Refusal(400, 'INVALID', 'Say whom you ask about.', { path: '/subject' })
  const answers = await statusNow(identifiers, Date.now(), {
    state: context.state,
    keys: ingest.keys,
    purposes: ingest.purposes,
    ...(fencesFor && { fencesFor }),
  })
  return { purposes: answers.filter(({ scope }) => !deviceOnly || scope === 'device') }
}

/** GPC on the request is an opposition to ads and sharing; of two statements on one request the stricter counts. */
function withPrivacyControl(
  signals: readonly ConsentSignal[],
  request: FastifyRequest,
  source: SourceSettings,
  { ingest }: ConsentPorts,
): ConsentSignal[] {
  const evidence = gpcEvidence({ 'sec-gpc': String(request.headers['sec-gpc'] ?? '') })
  if (!evidence) return [...signals]
  const objections = readSignals(evidence, {
    purposes: ingest.purposes,
    sourceId: source.id,
    notice: source.config.notice,
    occurredAt: new Date().toISOString(),
  }).signals
  const objected = new Set(objections.map(({ purpose }) => purpose))
  return [
    ...signals.filter(({ purpose, action }) => isRestrictive(action) || !objected.has(purpose)),
    ...objections.filter(({ purpose }) => !signals.some((one) => one.purpose === purpose && isRestrictive(one.action))),
  ]
}

async function callerOf(
  request: FastifyRequest,
  reply: FastifyReply,
  inBody: string | undefined,
  permission: Permission,
  { ingest, context }: ConsentPorts,
): Promise<Caller> {
  const { authorization } = request.headers
  if (authorization !== undefined && /^Bearer /i.test(authorization)) {
    const identity = demand(await identify(context, request, reply, { secureCookies: false }, Date.now()), permission)
    return { server: identity.id }
  }
  const basic = /^Basic (.+)$/i.exec(authorization ?? '')?.[1]
  const key =
    inBody ??
    (basic && Buffer.from(basic, 'base64').toString('utf8').split(':')[0]) ??
    (request.query as Record<string, unknown>)['writeKey']
  if (typeof key === 'string' && key !== '')
    for (const source of ingest.sources.values())
      if (ingest.byCredential.get(`${source.connector}\0${key}`) === source.id) return { browser: source }
  throw new Refusal(
    401,
    'UNKNOWN_KEY',
    'Send an API token as "Authorization: Bearer anu_…", or the write key of a source as writeKey.',
  )
}

function readBody(request: FastifyRequest): unknown {
  try {
    return JSON.parse(typeof request.body === 'string' ? request.body : '')
  } catch {
    throw new Refusal(400, 'MALFORMED_JSON', 'The body is not valid JSON.')
  }
}

function invalid(): Refusal {
  const [problem] = isRequest.errors ?? []
  const missing = problem?.params['missingProperty'] ?? problem?.params['additionalProperty']
  return new Refusal(400, 'INVALID', `The request ${problem?.message ?? 'does not fit the schema'}.`, {
    path: `${problem?.instancePath ?? ''}${missing === undefined ? '' : `/${String(missing)}`}`,
  })
}

function refuse(reply: FastifyReply, status: number, code: string, message: string, path?: string): FastifyReply {
  return reply.code(status).send({ error: { code, message, ...(path !== undefined && { path }) } })
}
