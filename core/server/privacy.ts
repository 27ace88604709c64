/**
 * What a data subject reaches from a message, at /privacidade: *Parar* (GET shows, POST acts, RFC 8058)
 * and *Por que recebi isto?*. No login and no personal data in the link; the page names nobody.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readLink } from '../../consent/links.ts'
import type { Purposes } from '../../consent/purposes.ts'
import { withdrawalSignals } from '../../consent/signals.ts'
import { type CanonicalEvent, EVENT_SCHEMA_VERSION, type IdentifierType } from '../../schemas/event.ts'
import type { LoadedConfig } from '../config.ts'
import { explain } from '../explain.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import type { LogWriter } from '../log/event-log.ts'
import { unseal } from '../seal.ts'
import { fenceFor } from '../stages/ingest.ts'
import type { StateStore } from '../stores/open.ts'
import { type PageLanguage, page } from './privacy-page.ts'

export interface PrivacyPorts {
  readonly config: LoadedConfig
  readonly keys: Keys
  readonly state: StateStore
  readonly purposes: Purposes
  readonly log: LogWriter
  readonly simulated: boolean
}

const MAX_FORM_BYTES = 4096

export async function registerPrivacy(app: FastifyInstance, ports: PrivacyPorts): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: MAX_FORM_BYTES }, (_request, body, done) =>
      done(null, body),
    )
    scope.addHook('onSend', async (_request, reply) => {
      reply
        .header(
          'content-security-policy',
          "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        .header('x-content-type-options', 'nosniff')
        .header('referrer-policy', 'no-referrer')
        .header('cache-control', 'no-store')
    })

    scope.get('/privacidade/parar', async (request, reply) => {
      const link = linkOf(request, ports)
      return html(
        reply,
        link ? 200 : 404,
        page(
          link ? { kind: 'stop', purpose: titleOf(link.purpose, ports), token: tokenOf(request) } : { kind: 'unknown' },
          language(request),
          look(ports),
        ),
      )
    })

    scope.post('/privacidade/parar', async (request, reply) => {
      const link = linkOf(request, ports)
      if (!link) return html(reply, 404, page({ kind: 'unknown' }, language(request), look(ports)))
      const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '')
      // A mail program's one-click POST carries only List-Unsubscribe=One-Click; the page may ask for all.
      const purpose = form.get('scope') === 'all' ? '*' : link.purpose
      const stopped = await withdraw(link.deliveryId, purpose, ports)
      return html(
        reply,
        stopped ? 200 : 410,
        page(
          stopped
            ? { kind: 'stopped', purpose: purpose === '*' ? undefined : titleOf(purpose, ports) }
            : { kind: 'gone' },
          language(request),
          look(ports),
        ),
      )
    })

    scope.get('/privacidade/por-que', async (request, reply) => {
      const link = linkOf(request, ports)
      const journey =
        link &&
        (await explain(link.deliveryId, {
          ...ports,
          sources: ports.config.sourceSettings.keys(),
          timezone: ports.config.timezone,
        }))
      if (!link || !journey)
        return html(reply, 404, page({ kind: link ? 'gone' : 'unknown' }, language(request), look(ports)))
      return html(
        reply,
        200,
        page(
          {
            kind: 'why',
            journey,
            purpose: titleOf(link.purpose, ports),
            categories: categoriesOf(link.purpose, ports),
            stopToken: tokenOf(request),
          },
          language(request),
          look(ports),
        ),
      )
    })
  })
}

const tokenOf = (request: FastifyRequest) => String((request.query as Record<string, unknown>)['t'] ?? '')

function linkOf(request: FastifyRequest, { keys }: PrivacyPorts) {
  return readLink(keys.link, tokenOf(request))
}

function titleOf(purpose: string, { purposes }: PrivacyPorts): { pt: string; en: string } {
  return purposes.get(purpose)?.title ?? { pt: purpose, en: purpose }
}

/** The kinds of data the purpose declares, as it declares them. */
function categoriesOf(purpose: string, { config }: PrivacyPorts): string[] {
  return (config.config.purposes[purpose]?.collects ?? []).flatMap((item) =>
    typeof item === 'string' ? [item] : Object.values(item).flat(),
  )
}

function look({ config, simulated }: PrivacyPorts) {
  const { name, dpo } = config.config.organization
  return { organization: name, dpo, simulated, timezone: config.timezone }
}

/**
 * Withdraws through the log with a fence, like any other withdrawal: effective from this request's 200.
 * @returns false when the person is no longer known.
 */
async function withdraw(
  deliveryId: string,
  purpose: string,
  { state, keys, purposes, log }: PrivacyPorts,
): Promise<boolean> {
  const delivery = await state.db
    .selectFrom('deliveries')
    .select(['person_id', 'channel'])
    .where('id', '=', deliveryId)
    .executeTakeFirst()
  if (!delivery) return false
  const person = await state.db
    .selectFrom('persons')
    .select(['id', 'merged_into'])
    .where('id', '=', delivery.person_id)
    .executeTakeFirst()
  const nodes = await state.db
    .selectFrom('nodes')
    .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
    .select(['identifiers.type', 'identifiers.sealed', 'nodes.data_key'])
    .where('nodes.person_id', '=', person?.merged_into ?? delivery.person_id)
    .execute()
  const identifiers = nodes.flatMap(({ type, sealed, data_key }) =>
    sealed ? [{ type: type as IdentifierType, value: unseal(keys.unwrap(data_key), sealed).toString('utf8') }] : [],
  )
  if (identifiers.length === 0) return false
  const now = new Date().toISOString()
  const id = newId()
  const event: CanonicalEvent = {
    schemaVersion: EVENT_SCHEMA_VERSION,
    id,
    messageId: `anuente-stop-${id}`,
    type: 'track',
    name: 'Consent Withdrawn',
    occurredAt: now,
    receivedAt: now,
    source: { id: 'anuente', connector: 'anuente', payloadHash: '0'.repeat(64) },
    subject: { identifiers },
    traits: {},
    properties: {},
    context: {},
    consent: withdrawalSignals({
      purposes,
      purpose,
      origin: { kind: 'link', ref: deliveryId },
      actor: 'subject',
      method: 'link',
      raw: { deliveryId, purpose },
      occurredAt: now,
    }),
  }
  const fence = fenceFor(event, keys)
  await log.append([{ kind: 'event', event, fences: fence ? [fence.id] : [] }], fence ? [fence] : [])
  return true
}

function language(request: FastifyRequest): PageLanguage {
  const asked = String((request.query as Record<string, unknown>)['lang'] ?? '')
  if (asked === 'en' || asked === 'pt') return asked
  return /^en\b/i.test(request.headers['accept-language'] ?? '') ? 'en' : 'pt'
}

function html(reply: FastifyReply, status: number, body: string): FastifyReply {
  return reply.code(status).type('text/html; charset=utf-8').send(body)
}
