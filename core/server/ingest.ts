/** HTTP in: the paths of every source, with the answers and headers that the SDKs understand. */
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AnySource, HttpAnswer, RawRequest } from '../kit/define.ts'
import { ingest } from '../pipeline.ts'
import { findSource, type IngestPorts, refuse, type SourcePath } from '../stages/ingest.ts'

/** Bytes of requests being taken at the same time; above it senders are asked to wait. */
const MOST_IN_FLIGHT = 256 * 1024 * 1024
const LARGEST_BODY = 8 * 1024 * 1024

interface MountedRoute {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly connectors: string[]
  maxBytes: number
  reply: boolean
}

/** @param feedback answers for /in/<destination id>; undefined when no destination of this name listens. */
export async function registerIngest(
  app: FastifyInstance,
  ports: IngestPorts,
  feedback: (destinationId: string, request: RawRequest) => Promise<HttpAnswer | undefined> = async () => undefined,
): Promise<void> {
  let inFlight = 0
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: LARGEST_BODY }, (_request, body, done) =>
      done(null, body),
    )
    scope.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
      allowOrigin(request, reply)
      const tooLarge = error.statusCode === 413
      if (!tooLarge) request.log.error({ where: 'ingest', name: error.name, code: (error as { code?: string }).code })
      // A fault of ours must not make the SDK drop what it holds: 429 is the answer all of them keep data on.
      return send(
        reply,
        tooLarge
          ? refuse({ refused: 'BODY_TOO_LARGE', message: 'the request is too large' })
          : refuse({ refused: 'OVERLOADED', message: 'the hub could not take this now; send again' }),
      )
    })

    const take = async (request: FastifyRequest, reply: FastifyReply, path: SourcePath, maxBytes: number) => {
      allowOrigin(request, reply)
      const size = Buffer.isBuffer(request.body) ? request.body.length : 0
      if (inFlight + size > MOST_IN_FLIGHT)
        return send(
          reply,
          refuse({ refused: 'OVERLOADED', message: 'the hub is behind; send again after Retry-After' }),
        )
      inFlight += size
      try {
        const raw = readRaw(request, maxBytes)
        if ('status' in raw) return send(reply, raw)
        const told = 'sourceId' in path && !ports.sources.has(path.sourceId) && (await feedback(path.sourceId, raw))
        return send(reply, told || (await ingest(raw, path, ports)))
      } finally {
        inFlight -= size
      }
    }

    for (const route of mountedRoutes(ports)) {
      const path: SourcePath = { connectors: route.connectors }
      scope.route({
        method: route.method,
        url: route.path,
        handler: route.reply
          ? async (request, reply) => {
              allowOrigin(request, reply)
              const raw = readRaw(request, route.maxBytes)
              return send(reply, 'status' in raw ? raw : await answer(raw, path, ports))
            }
          : (request, reply) => take(request, reply, path, route.maxBytes),
      })
    }
    for (const method of ['GET', 'POST', 'PUT', 'PATCH'] as const)
      scope.route<{ Params: { id: string } }>({
        method,
        url: '/in/:id',
        handler: (request, reply) =>
          take(
            request,
            reply,
            { sourceId: request.params.id },
            ports.sources.get(request.params.id)?.definition.maxBytes ?? LARGEST_BODY,
          ),
      })
    for (const url of [...new Set([...mountedRoutes(ports).map(({ path }) => path), '/in/:id'])])
      scope.options(url, (request, reply) => {
        allowOrigin(request, reply)
        return reply
          .header('access-control-allow-methods', 'GET, POST, OPTIONS')
          .header(
            'access-control-allow-headers',
            request.headers['access-control-request-headers'] ?? 'authorization, content-type, anonymousid, sentat',
          )
          .header('access-control-max-age', '600')
          .code(204)
          .send()
      })
  })
}

async function answer(request: RawRequest, path: SourcePath, ports: IngestPorts): Promise<HttpAnswer> {
  const source = findSource(request, path, ports)
  if (!source) return refuse({ refused: 'UNKNOWN_KEY', message: 'no source has this write key' })
  const verdict = await source.definition.verify(request, source.settings)
  if (verdict !== true)
    return refuse({ refused: verdict, message: 'the credentials on this request are not those of the source' })
  return source.definition.reply!(request, source.settings, source.id)
}

/** One mount per path: several connectors may share it, the credentials say which is meant. */
function mountedRoutes({ sources }: IngestPorts): MountedRoute[] {
  const routes = new Map<string, MountedRoute>()
  const definitions = new Map<string, AnySource>()
  for (const { connector, definition } of sources.values()) definitions.set(connector, definition)
  for (const [connector, definition] of definitions)
    for (const { method, path, maxBytes = definition.maxBytes, reply = false } of definition.routes) {
      const key = `${method} ${path}`
      const known = routes.get(key)
      if (known) {
        known.connectors.push(connector)
        known.maxBytes = Math.max(known.maxBytes, maxBytes)
      } else routes.set(key, { method, path, connectors: [connector], maxBytes, reply })
    }
  return [...routes.values()]
}

/** The request as sources see it: decompressed by its header whatever its content type, with a cap that a bomb cannot pass. */
function readRaw(request: FastifyRequest, maxBytes: number): RawRequest | HttpAnswer {
  let body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const encoding = String(request.headers['content-encoding'] ?? '')
    .trim()
    .toLowerCase()
  if (encoding !== '' && encoding !== 'identity' && body.length > 0) {
    const decompress =
      encoding === 'gzip' || encoding === 'x-gzip'
        ? gunzipSync
        : encoding === 'br'
          ? brotliDecompressSync
          : encoding === 'deflate'
            ? inflateSync
            : undefined
    if (!decompress) return refuse({ refused: 'INVALID', message: 'content-encoding must be gzip, br or deflate' })
    try {
      body = decompress(body, { maxOutputLength: maxBytes })
    } catch (error) {
      const bomb = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE'
      return bomb
        ? refuse({ refused: 'BODY_TOO_LARGE', message: `the decompressed body is larger than ${maxBytes} bytes` })
        : refuse({ refused: 'INVALID', message: `the body is not valid ${encoding}` })
    }
  }
  if (body.length > maxBytes)
    return refuse({ refused: 'BODY_TOO_LARGE', message: `the body is larger than ${maxBytes} bytes` })
  const mark = request.url.indexOf('?')
  return {
    method: request.method,
    path: mark < 0 ? request.url : request.url.slice(0, mark),
    query: mark < 0 ? {} : Object.fromEntries(new URLSearchParams(request.url.slice(mark + 1))),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(', ') : (value ?? ''),
      ]),
    ),
    body,
    receivedAt: new Date().toISOString(),
    ip: request.ip,
  }
}

/** Browsers send with credentials (beacons carry cookies), so the origin is echoed, never a star. */
function allowOrigin(request: FastifyRequest, reply: FastifyReply): void {
  const { origin } = request.headers
  if (!origin) return
  reply
    .header('access-control-allow-origin', origin)
    .header('access-control-allow-credentials', 'true')
    .header('vary', 'origin')
}

function send(reply: FastifyReply, { status, headers, body }: HttpAnswer): FastifyReply {
  if (headers) reply.headers(headers)
  reply.code(status)
  if (body === undefined) return reply.send()
  if (typeof body === 'string') {
    if (!headers?.['content-type']) reply.type('text/plain; charset=utf-8')
    return reply.send(body)
  }
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(body))
}
