/** Serves the built cockpit: hashed files for a year, the page itself never from a cache. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/** Replaced in index.html, once per answer, by the nonce of the Content-Security-Policy. */
const NONCE_MARK = '__CSP_NONCE__'

const NOT_BUILT = `<!doctype html><html lang="pt-BR"><meta charset="utf-8"><title>Anuente</title>
<h1>Cockpit ainda não construído</h1><p>Rode <code>npm run build:cockpit</code> e recarregue esta página.</p>
<p lang="en">The cockpit is not built yet. Run <code>npm run build:cockpit</code> and reload this page.</p></html>`

export async function registerCockpit(app: FastifyInstance, dir: string): Promise<void> {
  const index = join(dir, 'index.html')
  let cached: { at: number; text: string } | undefined
  const readIndex = (): string | undefined => {
    if (!existsSync(index)) return undefined
    const at = statSync(index).mtimeMs
    if (cached?.at !== at) cached = { at, text: readFileSync(index, 'utf8') }
    return cached.text
  }

  if (existsSync(join(dir, 'assets'))) {
    await app.register(fastifyStatic, {
      root: join(dir, 'assets'),
      prefix: '/assets/',
      decorateReply: false,
      index: false,
      maxAge: '365d',
      immutable: true,
    })
  }

  // Every address of the cockpit is this one page. Only for browsers asking for a page: an SDK with a wrong path still gets the JSON answer of the hub.
  app.get('/*', async (request, reply) => {
    if (!(request.headers.accept ?? '').includes('text/html')) return reply.callNotFound()
    const text = readIndex()
    reply.header('cache-control', 'no-store').type('text/html; charset=utf-8')
    if (text === undefined) return reply.code(503).send(NOT_BUILT)
    return reply.send(text.replaceAll(NONCE_MARK, reply.cspNonce.style))
  })
}
