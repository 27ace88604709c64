/** The live view as server-sent events. Nobody's identifiers and no content: see LiveEvent. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { LiveEvent, ServerContext } from '../context.ts'
import { demand, identify } from './identity.ts'
import { Refusal } from './route.ts'

const HEARTBEAT_MS = 15_000
/** Each open view holds a socket. */
const MAX_STREAMS = 200
/** A reader slower than this many bytes loses lines, and is told how many. */
const MAX_BEHIND_BYTES = 1_000_000

export function registerLive(
  app: FastifyInstance,
  context: ServerContext,
  options: { readonly secureCookies: boolean },
): void {
  const open = new Set<() => void>()
  app.addHook('preClose', async () => {
    for (const end of [...open]) end()
  })

  const stream = async (request: FastifyRequest, reply: FastifyReply) => {
    demand(await identify(context, request, reply, options, Date.now()), 'events.read')
    if (open.size >= MAX_STREAMS)
      throw new Refusal(429, 'TOO_MANY_STREAMS', 'Too many live views are open. Close one and try again.', {
        headers: { 'retry-after': '30' },
      })

    reply.hijack()
    const out = reply.raw
    out.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // nginx would otherwise hold the lines back until its buffer is full.
      'x-accel-buffering': 'no',
    })
    let missed = 0
    const send = (name: string, data: unknown) => out.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    const events = (lines: readonly LiveEvent[]) => {
      if (out.writableLength > MAX_BEHIND_BYTES) {
        missed += lines.length
        return
      }
      if (missed > 0) {
        send('missed', { count: missed })
        missed = 0
      }
      send('events', lines)
    }
    out.write('retry: 2000\n\n')
    send('recent', context.live.recent())
    const unsubscribe = context.live.subscribe(events)
    const heartbeat = setInterval(() => {
      send('time', { now: Date.now() })
      // A session that was ended elsewhere must not go on watching.
      identify(context, request, reply, options, Date.now()).then(
        (identity) => identity ?? end(),
        () => end(),
      )
    }, HEARTBEAT_MS)
    const end = () => {
      if (!open.delete(end)) return
      clearInterval(heartbeat)
      unsubscribe()
      out.end()
    }
    open.add(end)
    out.on('close', end)
    out.on('error', end)
  }
  app.get('/live', stream)
  app.get('/api/live', stream)
}

/** The stream in the words of OpenAPI. */
export const LIVE_PATH = {
  '/api/live': {
    get: {
      operationId: 'watchLive',
      tags: ['Overview'],
      summary:
        'Server-sent events, also at /live: `recent` with up to 500 lines, then `events` with new ones, `missed` {count}, and `time` {now} every 15 s.',
      'x-permission': 'events.read',
      responses: {
        '200': { description: 'An endless stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
        '401': {
          description: 'LOGIN_REQUIRED: No valid session or token.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
        '403': {
          description: 'FORBIDDEN: The role lacks the permission.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
        '429': {
          description: 'TOO_MANY_STREAMS: Too many live views.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
    },
  },
} as const
