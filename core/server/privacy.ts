/**
 * What a data subject reaches from a message, at /privacidade: *Parar* (GET shows, POST acts, RFC 8058)
 * and *Por que recebi isto?*. No login and no personal data in the link; the page names nobody. The portal is beside it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readLink } from '../../consent/links.ts'
import type { Purposes } from '../../consent/purposes.ts'
import { withdrawalSignals } from '../../consent/signals.ts'
import { answerEvent, identifiersOfPerson, recordAnswers } from '../answers/record.ts'
import type { LoadedConfig } from '../config.ts'
import { type ExplainedJourney, explain } from '../explain.ts'
import type { Keys } from '../keys.ts'
import type { LogReader, LogWriter } from '../log/event-log.ts'
import type { Desk } from '../requests/desk.ts'
import type { StateStore } from '../stores/open.ts'
import type { Command, CommandResult } from './context.ts'
import { type PageLanguage, page } from './privacy-page.ts'
import { registerPortal } from './privacy-portal.ts'

export interface PrivacyPorts {
  readonly config: LoadedConfig
  readonly keys: Keys
  readonly state: StateStore
  readonly purposes: Purposes
  readonly log: LogWriter
  readonly simulated: boolean
  readonly desk: Desk
  run(command: Command): Promise<CommandResult>
  /** Withdrawals that are in force and not processed yet. */
  readonly fencesFor: LogReader['fencesFor']
}

const MAX_FORM_BYTES = 32 * 1024

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

    registerPortal(scope, ports)

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
            notices: await noticesOf(journey, language(request), ports.state),
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

/** In the reader's language where it was published in it. */
async function noticesOf({ consent }: ExplainedJourney, lang: PageLanguage, { db }: StateStore) {
  const ids = [...new Set(consent.flatMap(({ notice }) => notice?.id ?? []))]
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('notices')
    .select(['id', 'version', 'language', 'text'])
    .where('id', 'in', ids)
    .execute()
  return rows.sort((a, b) => Number(b.language.startsWith(lang)) - Number(a.language.startsWith(lang)))
}

export function look({ config, simulated }: PrivacyPorts) {
  const { name, dpo } = config.config.organization
  return { organization: name, dpo, simulated, timezone: config.timezone }
}

/**
 * Withdraws through the log with a fence, like any other withdrawal: effective from this request's 200.
 * @returns false when the person is no longer known.
 */
async function withdraw(deliveryId: string, purpose: string, ports: PrivacyPorts): Promise<boolean> {
  const { state, keys, purposes, log } = ports
  const delivery = await state.db
    .selectFrom('deliveries')
    .select('person_id')
    .where('id', '=', deliveryId)
    .executeTakeFirst()
  if (!delivery) return false
  const identifiers = await identifiersOfPerson(delivery.person_id, state, keys)
  if (identifiers.length === 0) return false
  const now = new Date().toISOString()
  const event = answerEvent(
    {
      name: 'Consent Withdrawn',
      source: { id: 'anuente', connector: 'anuente' },
      identifiers,
      consent: withdrawalSignals({
        purposes,
        purpose,
        origin: { kind: 'link', ref: deliveryId },
        actor: 'subject',
        method: 'link',
        raw: { deliveryId, purpose },
        occurredAt: now,
      }),
      occurredAt: now,
      receivedAt: now,
    },
    '0'.repeat(64),
  )
  await recordAnswers([event], { keys, log })
  return true
}

export function language(request: FastifyRequest): PageLanguage {
  const asked = String((request.query as Record<string, unknown>)['lang'] ?? '')
  if (asked === 'en' || asked === 'pt') return asked
  return /^en\b/i.test(request.headers['accept-language'] ?? '') ? 'en' : 'pt'
}

export function html(reply: FastifyReply, status: number, body: string): FastifyReply {
  return reply.code(status).type('text/html; charset=utf-8').send(body)
}
