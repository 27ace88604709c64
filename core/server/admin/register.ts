/** Puts the admin API, the live stream and the cockpit onto the hub's HTTP server, in a scope of their own. */
import { readFileSync } from 'node:fs'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import type { ServerContext } from '../context.ts'
import { openApiDocument } from '../openapi.ts'
import { accountRoutes } from './accounts.ts'
import { audienceRoutes } from './audiences.ts'
import { backtestRoutes } from './backtest.ts'
import { catalogRoutes } from './catalog.ts'
import { registerCockpit } from './cockpit.ts'
import { connectorRoutes } from './connectors.ts'
import { consentRoutes } from './consent.ts'
import { deliveryRoutes } from './deliveries.ts'
import { eventRoutes } from './events.ts'
import { explainRoutes } from './explain.ts'
import { identityRoutes } from './identities.ts'
import { demand, demandCsrf, type Identity, identify } from './identity.ts'
import { incidentRoutes } from './incidents.ts'
import { ledgerRoutes } from './ledger.ts'
import { LIVE_PATH, registerLive } from './live.ts'
import { oauthRoutes } from './oauth.ts'
import { offerRoutes } from './offers.ts'
import { peopleRoutes } from './people.ts'
import { pipelineRoutes } from './pipeline.ts'
import { planRoutes } from './plans.ts'
import { pollRoutes } from './polls.ts'
import { quarantineRoutes } from './quarantine.ts'
import { recordRoutes } from './records.ts'
import { requestRoutes } from './requests.ts'
import { retentionRoutes } from './retention.ts'
import { revealRoutes } from './reveal.ts'
import { type AnyRoute, Refusal } from './route.ts'
import { ruleRoutes } from './rules.ts'
import { secretRoutes } from './secrets.ts'
import { sourceRoutes } from './sources.ts'
import { statusRoutes } from './status.ts'
import { webhookRoutes } from './webhooks.ts'
import { whyRoutes } from './why.ts'

export interface AdminOptions {
  /** True when people reach the hub over https. */
  readonly secureCookies: boolean
  /** Folder of the built cockpit. */
  readonly cockpitDir: string
  /** Where people reach the hub; from the configuration when absent. */
  readonly publicUrl?: string
  /** Events recorded and not yet processed, where this role can see the log. */
  readonly logBacklog?: () => number
}

const VERSION = (
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }
).version
const NOBODY: Identity = {
  kind: 'user',
  id: 'nobody',
  name: '',
  email: null,
  role: 'viewer',
  csrf: null,
  sessionHash: null,
}

export async function registerAdmin(
  app: FastifyInstance,
  context: ServerContext,
  options: AdminOptions,
): Promise<void> {
  const publicUrl = (
    options.publicUrl ??
    context.config.server?.publicUrl ??
    `http://localhost:${context.config.server?.port ?? 8377}`
  ).replace(/\/$/, '')
  const routes: readonly AnyRoute[] = [
    ...accountRoutes({ secureCookies: options.secureCookies, publicUrl }),
    ...statusRoutes({ version: VERSION, startedAt: Date.now(), logBacklog: options.logBacklog }),
    ...pipelineRoutes,
    ...consentRoutes,
    ...eventRoutes,
    ...explainRoutes,
    ...pollRoutes,
    ...quarantineRoutes,
    ...deliveryRoutes,
    ...catalogRoutes,
    ...connectorRoutes({ publicUrl }),
    ...secretRoutes,
    ...webhookRoutes,
    ...oauthRoutes({ publicUrl }),
    ...sourceRoutes,
    ...planRoutes,
    ...ledgerRoutes,
    ...requestRoutes,
    ...ruleRoutes,
    ...backtestRoutes,
    ...audienceRoutes,
    ...offerRoutes,
    ...retentionRoutes,
    ...incidentRoutes,
    ...recordRoutes,
    ...revealRoutes,
    ...peopleRoutes,
    ...whyRoutes,
    ...identityRoutes,
  ]
  const document = openApiDocument(routes, { version: VERSION, publicUrl }, LIVE_PATH)

  await app.register(async (scope) => {
    await scope.register(cookie)
    await scope.register(helmet, {
      enableCSPNonces: true,
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          // Mantine writes its tokens into <style> elements, which carry the nonce; no 'unsafe-inline'.
          styleSrc: ["'self'"],
          imgSrc: ["'self'", 'data:'],
          fontSrc: ["'self'"],
          connectSrc: ["'self'"],
          manifestSrc: ["'self'"],
          baseUri: ["'none'"],
          formAction: ["'self'"],
          frameAncestors: ["'none'"],
          ...(options.secureCookies ? { upgradeInsecureRequests: [] } : {}),
        },
      },
      hsts: options.secureCookies ? { maxAge: 31_536_000, includeSubDomains: false } : false,
      referrerPolicy: { policy: 'no-referrer' },
      xFrameOptions: { action: 'deny' },
    })

    const ajv = new Ajv2020({
      coerceTypes: false,
      removeAdditional: false,
      useDefaults: false,
      allErrors: false,
      strict: false,
    })
    ;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)
    scope.setValidatorCompiler(({ schema }) => ajv.compile(schema as object))
    scope.setErrorHandler((error: FastifyError | Refusal, request, reply) => {
      answerError(error, reply, (cause) =>
        request.log.error({ name: cause.name, route: request.routeOptions.url }, 'admin request failed'),
      )
    })
    // Answers are not run through a serializer that would quietly drop fields; tests hold them against their schemas.
    scope.setSerializerCompiler(() => JSON.stringify)

    for (const route of routes) register(scope, route, context, options)
    registerLive(scope, context, options)
    scope.get('/api/openapi.json', async (_request, reply) => reply.header('cache-control', 'no-cache').send(document))
    scope.all('/api/*', async () => {
      throw new Refusal(404, 'NOT_FOUND', 'The admin API has no such route. See /api/openapi.json.')
    })
    await registerCockpit(scope, options.cockpitDir)
  })
}

function register(scope: FastifyInstance, route: AnyRoute, context: ServerContext, options: AdminOptions): void {
  const guarded = new WeakMap<object, Identity>()
  scope.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    bodyLimit: route.bodyLimit ?? 64 * 1024,
    schema: {
      ...(route.query ? { querystring: route.query } : {}),
      ...(route.params ? { params: route.params } : {}),
      ...(route.body ? { body: route.body } : {}),
    },
    // Before the body is validated: a stranger learns nothing from error messages.
    onRequest: async (request, reply) => {
      reply.header('cache-control', 'no-store')
      if (route.permission === 'public') return
      const identity = demand(await identify(context, request, reply, options, Date.now()), route.permission)
      if (route.method !== 'GET') demandCsrf(identity, request)
      guarded.set(request, identity)
    },
    handler: async (request, reply) => {
      const answer = await route.handle({
        query: request.query,
        params: request.params,
        body: request.body,
        identity: guarded.get(request) ?? NOBODY,
        context,
        request,
        reply,
        now: Date.now(),
      })
      return reply.code(route.status ?? 200).send(answer)
    },
  })
}

function answerError(error: FastifyError | Refusal, reply: FastifyReply, log: (error: Error) => void): void {
  reply.header('cache-control', 'no-store')
  if (error instanceof Refusal) {
    void reply
      .code(error.status)
      .headers(error.headers)
      .send({
        error: { code: error.code, message: error.message, ...(error.path === undefined ? {} : { path: error.path }) },
      })
    return
  }
  const [problem] = error.validation ?? []
  if (problem) {
    const missing = problem.params['missingProperty'] ?? problem.params['additionalProperty']
    const path = `${problem.instancePath}${missing === undefined ? '' : `/${String(missing)}`}`
    // The message of the validator names fields and limits, never the value sent.
    void reply.code(400).send({
      error: {
        code: 'INVALID',
        message: `${error.validationContext ?? 'request'} ${problem.message ?? 'does not fit the schema'}.`,
        path,
      },
    })
    return
  }
  const status = error.statusCode ?? 500
  if (status >= 400 && status < 500) {
    const code = status === 413 ? 'BODY_TOO_LARGE' : status === 415 ? 'UNSUPPORTED_MEDIA_TYPE' : 'INVALID'
    const message =
      status === 413
        ? 'The body is larger than this route takes; 64 KB where nothing else is said.'
        : status === 415
          ? 'Send JSON with content-type application/json.'
          : 'The request could not be read. Send valid JSON.'
    void reply.code(status).send({ error: { code, message } })
    return
  }
  log(error)
  void reply.code(500).send({
    error: {
      code: 'INTERNAL',
      message: 'The hub failed on this request. Try again; if it stays, look at the log of the hub.',
    },
  })
}
