/**
 * The portal of data subjects at /privacidade: no account, a code to a contact; each purpose on and off, requests
 * opened, followed and downloaded. Plain forms. Answers never tell strangers who is known here.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { isSwitchable, noticeFor, preferenceSignals } from '../../consent/requests/preference.ts'
import type { Identifier } from '../../schemas/event.ts'
import { RIGHTS, type Right } from '../../schemas/requests.ts'
import { statusNow } from '../answers/status.ts'
import { newId } from '../ids.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'
import { findPeople } from '../requests/people.ts'
import { PORTAL_SESSION_MS, type PortalSession, portalSession } from '../requests/portal-commands.ts'
import { readRequest } from '../requests/rows.ts'
import { unseal } from '../seal.ts'
import { html, language, look, type PrivacyPorts } from './privacy.ts'
import type { PageLanguage } from './privacy-page.ts'
import {
  askPage,
  codePage,
  homePage,
  messagePage,
  type PortalLook,
  panelPage,
  requestPage,
  type ShownPurpose,
} from './privacy-portal-pages.ts'

const SESSION_COOKIE = 'anuente_titular'
const FORM_COOKIE = 'anuente_form'
const WINDOW_MS = 15 * 60_000
/** Codes and tries from one address, and codes to one contact, in a window. */
const PER_ADDRESS = 30
const PER_CONTACT = 3

export function registerPortal(scope: FastifyInstance, ports: PrivacyPorts): void {
  const { desk, keys, state, config } = ports
  const secure = config.publicUrl.startsWith('https:')
  const used = new LRUCache<string, { count: number; until: number }>({ max: 50_000 })
  const over = (key: string, max: number): boolean => {
    const now = Date.now()
    const known = used.get(key)
    if (!known || known.until <= now) {
      used.set(key, { count: 1, until: now + WINDOW_MS })
      return false
    }
    known.count += 1
    return known.count > max
  }
  const lookOf = (request: FastifyRequest): PortalLook => ({
    language: language(request),
    look: look(ports),
    mails: desk.mails,
    ways: desk.codeWays.map(({ channel }) => channel),
    settings: desk.settings,
  })
  const cookie = (reply: FastifyReply, name: string, value: string, seconds: number) =>
    reply.header(
      'set-cookie',
      `${name}=${value}; Path=/privacidade; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure ? '; Secure' : ''}`,
    )
  const formToken = (value: string) =>
    createHmac('sha256', keys.link).update(`portal-form.${value}`).digest('base64url')
  /** Forms before there is a session: a value of this browser, and its HMAC inside the form. */
  const startForm = (request: FastifyRequest, reply: FastifyReply): string => {
    const known = cookiesOf(request)[FORM_COOKIE]
    const value = known && /^[\w-]{43}$/.test(known) ? known : randomBytes(32).toString('base64url')
    if (value !== known) cookie(reply, FORM_COOKIE, value, 3600)
    return formToken(value)
  }
  const isOwnForm = (request: FastifyRequest, form: URLSearchParams): boolean => {
    const value = cookiesOf(request)[FORM_COOKIE]
    return sameSite(request) && value !== undefined && equal(form.get('csrf') ?? '', formToken(value))
  }
  const sessionOf = (request: FastifyRequest): Promise<PortalSession | undefined> =>
    portalSession(cookiesOf(request)[SESSION_COOKIE], { db: state.db, keys, now: Date.now() })
  const withLanguage = (path: string, request: FastifyRequest) =>
    `${path}${path.includes('?') ? '&' : '?'}lang=${language(request)}`
  const home = (request: FastifyRequest, reply: FastifyReply) =>
    reply.redirect(withLanguage('/privacidade', request), 303)
  const refuseForm = (request: FastifyRequest, reply: FastifyReply) =>
    html(reply, 403, messagePage('form', lookOf(request)))

  scope.get('/privacidade', async (request, reply) => {
    if (await sessionOf(request)) return reply.redirect(withLanguage('/privacidade/painel', request), 303)
    return html(reply, 200, homePage({ csrf: startForm(request, reply) }, lookOf(request)))
  })

  scope.post('/privacidade/codigo', async (request, reply) => {
    const form = formOf(request)
    if (!isOwnForm(request, form)) return refuseForm(request, reply)
    if (over(`address ${request.ip}`, PER_ADDRESS)) return html(reply, 429, messagePage('wait', lookOf(request)))
    const channel = channelOf(form.get('channel'), ports)
    const contact = contactOf(form.get('contact') ?? '', channel)
    if (!contact)
      return html(
        reply,
        400,
        homePage({ csrf: startForm(request, reply), error: channel === 'email' ? 'email' : 'phone' }, lookOf(request)),
      )
    // Whoever it is: a code is made, and sent to the contact alone. Known or unknown here makes no difference.
    const made = await ports.run({ name: 'createPortalCode', args: { contact }, actor: 'portal' })
    if (!made.ok) return html(reply, 503, messagePage('later', lookOf(request)))
    const { ref, code } = made.value as { ref: string; code: string }
    if (!over(`contact ${keys.identifier(contact.type, contact.value).toString('hex')}`, PER_CONTACT))
      void desk.sendCode(contact, channel, code, ref, language(request))
    return html(reply, 200, codePage({ csrf: startForm(request, reply), ref, channel }, lookOf(request)))
  })

  scope.post('/privacidade/entrar', async (request, reply) => {
    const form = formOf(request)
    if (!isOwnForm(request, form)) return refuseForm(request, reply)
    if (over(`address ${request.ip}`, PER_ADDRESS)) return html(reply, 429, messagePage('wait', lookOf(request)))
    const ref = form.get('ref') ?? ''
    const result = await ports.run({
      name: 'enterPortal',
      args: { ref, code: (form.get('code') ?? '').replace(/\D/g, '') },
      actor: 'portal',
    })
    const entered = result.ok ? (result.value as { session: string } | null) : null
    if (!entered)
      return html(
        reply,
        403,
        codePage(
          { csrf: startForm(request, reply), ref, channel: channelOf(form.get('channel'), ports), wrong: true },
          lookOf(request),
        ),
      )
    cookie(reply, SESSION_COOKIE, entered.session, PORTAL_SESSION_MS / 1000)
    return reply.redirect(withLanguage('/privacidade/painel', request), 303)
  })

  scope.post('/privacidade/sair', async (request, reply) => {
    const session = await sessionOf(request)
    if (session && isSessionForm(request, formOf(request), session)) {
      await ports.run({ name: 'leavePortal', args: { session: cookiesOf(request)[SESSION_COOKIE] }, actor: 'portal' })
      cookie(reply, SESSION_COOKIE, '', 0)
    }
    return home(request, reply)
  })

  scope.get('/privacidade/painel', async (request, reply) => {
    const session = await sessionOf(request)
    if (!session) return home(request, reply)
    const done = String((request.query as Record<string, unknown>)['feito'] ?? '')
    return html(
      reply,
      200,
      panelPage(
        {
          csrf: session.csrf,
          contact: session.contact.value,
          purposes: await shownPurposes(session.contact, language(request), ports),
          requests: await requestsOf(session.contact, ports),
          ...(done && { done: desk.settings.purposes.has(done) ? done : '' }),
        },
        lookOf(request),
      ),
    )
  })

  scope.post('/privacidade/preferencias', async (request, reply) => {
    const session = await sessionOf(request)
    if (!session) return home(request, reply)
    const form = formOf(request)
    if (!isSessionForm(request, form, session)) return refuseForm(request, reply)
    const purpose = desk.settings.purposes.get(form.get('purpose') ?? '')
    if (!purpose || !isSwitchable(purpose)) return html(reply, 400, messagePage('form', lookOf(request)))
    const on = form.get('on') === '1'
    const at = new Date()
    const signals = preferenceSignals({
      purposes: desk.settings.purposes,
      purpose,
      on,
      notice: on
        ? noticeFor(purpose.id, desk.settings.notices, language(request), at.toISOString().slice(0, 10))
        : undefined,
      ref: newId(),
      at: at.toISOString(),
    })
    if (signals.length === 0) return html(reply, 400, messagePage('notice', lookOf(request)))
    const known = await identifiersKnown(session.contact, ports)
    if (on && purpose.scope === 'person' && (await refusedByAnother(session.contact, known, purpose.id, ports)))
      return html(reply, 409, messagePage('other', lookOf(request)))
    if (purpose.scope === 'device') {
      // Each browser has its own answer; what is taken back is taken back on all of them.
      const devices = known.filter(
        ({ type }) => type === 'anonymousId' || type === 'ga_client_id' || type === 'device_id',
      )
      if (!on) for (const device of devices) await desk.record([device], signals)
    } else await desk.record(known, signals)
    return reply.redirect(withLanguage(`/privacidade/painel?feito=${encodeURIComponent(purpose.id)}`, request), 303)
  })

  scope.get('/privacidade/pedir', async (request, reply) => {
    const session = await sessionOf(request)
    if (!session) return home(request, reply)
    const right = rightOf((request.query as Record<string, unknown>)['direito'])
    if (!right) return reply.redirect(withLanguage('/privacidade/painel', request), 303)
    return html(reply, 200, askPage({ csrf: session.csrf, right, reference: newId() }, lookOf(request)))
  })

  scope.post('/privacidade/pedidos', async (request, reply) => {
    const session = await sessionOf(request)
    if (!session) return home(request, reply)
    const form = formOf(request)
    if (!isSessionForm(request, form, session)) return refuseForm(request, reply)
    const right = rightOf(form.get('right'))
    if (!right) return html(reply, 400, messagePage('form', lookOf(request)))
    const purposes = form.getAll('purpose').filter((id) => desk.settings.purposes.has(id))
    const field = form.get('field')?.trim()
    const value = form.get('value')?.trim()
    const text = form.get('text')?.trim().slice(0, 4000)
    const reference = form.get('reference') ?? ''
    const result = await ports.run({
      name: 'openRequest',
      actor: 'portal',
      args: {
        kind: 'subject',
        right,
        channel: 'portal',
        receivedAt: new Date().toISOString(),
        identifiers: [session.contact],
        contact: session.contact.type === 'email' ? session.contact.value : undefined,
        ...(text && { text }),
        language: language(request),
        assurance: 'contact_code',
        identityCheck: `code to ${session.contact.type}`,
        scope: {
          ...(purposes.length > 0 && { purposes }),
          ...(right === 'correction' &&
            field &&
            value && { corrections: { [field.slice(0, 100)]: value.slice(0, 500) } }),
        },
        // A form sent twice is one request; somebody else's form cannot stand in its way.
        ...(/^[0-9A-Z]{26}$/.test(reference) && {
          reference: createHmac('sha256', keys.link).update(`${session.csrf}.${reference}`).digest('hex').slice(0, 32),
        }),
      },
    })
    if (!result.ok)
      return html(
        reply,
        result.code === 'INVALID' ? 400 : 503,
        result.code === 'INVALID'
          ? askPage({ csrf: session.csrf, right, reference: newId(), invalid: true }, lookOf(request))
          : messagePage('later', lookOf(request)),
      )
    return reply.redirect(withLanguage(`/privacidade/pedidos/${(result.value as { id: string }).id}`, request), 303)
  })

  scope.get<{ Params: { id: string } }>('/privacidade/pedidos/:id', async (request, reply) => {
    const session = await sessionOf(request)
    if (!session) return home(request, reply)
    if (!(await isTheirs(request.params.id, session, ports)))
      return html(reply, 404, messagePage('gone', lookOf(request)))
    const detail = await readRequest(request.params.id, true, desk.settings, { db: state.db, keys, now: Date.now() })
    if (!detail) return html(reply, 404, messagePage('gone', lookOf(request)))
    return html(reply, 200, requestPage({ csrf: session.csrf, detail }, lookOf(request)))
  })

  scope.post<{ Params: { id: string } }>('/privacidade/pedidos/:id/confirmar', async (request, reply) => {
    const session = await sessionOf(request)
    if (!session) return home(request, reply)
    if (!isSessionForm(request, formOf(request), session)) return refuseForm(request, reply)
    if (!(await isTheirs(request.params.id, session, ports)))
      return html(reply, 404, messagePage('gone', lookOf(request)))
    // The code came to a contact the request itself names: that is what was to be shown.
    await ports.run({
      name: 'identifyRequest',
      args: { id: request.params.id, assurance: 'contact_code', check: `code to ${session.contact.type}` },
      actor: 'portal',
    })
    return reply.redirect(withLanguage(`/privacidade/pedidos/${request.params.id}`, request), 303)
  })

  scope.post<{ Params: { id: string } }>('/privacidade/pedidos/:id/retirar', async (request, reply) => {
    const session = await sessionOf(request)
    if (!session) return home(request, reply)
    if (!isSessionForm(request, formOf(request), session)) return refuseForm(request, reply)
    if (!(await isTheirs(request.params.id, session, ports)))
      return html(reply, 404, messagePage('gone', lookOf(request)))
    await ports.run({ name: 'withdrawRequest', args: { id: request.params.id }, actor: 'portal' })
    return reply.redirect(withLanguage(`/privacidade/pedidos/${request.params.id}`, request), 303)
  })

  scope.get<{ Params: { id: string; file: string } }>('/privacidade/pedidos/:id/:file', async (request, reply) => {
    const session = await sessionOf(request)
    if (!session) return home(request, reply)
    const { id, file } = request.params
    const row = (await isTheirs(id, session, ports))
      ? await state.db
          .selectFrom('request_files')
          .innerJoin('requests', 'requests.id', 'request_files.request_id')
          .select(['request_files.name', 'request_files.media_type', 'request_files.sealed', 'requests.data_key'])
          .where('request_files.id', '=', file)
          .where('request_files.request_id', '=', id)
          .executeTakeFirst()
      : undefined
    if (!row) return html(reply, 404, messagePage('gone', lookOf(request)))
    return reply
      .header('content-disposition', `attachment; filename="${row.name.replace(/[^\w.-]/g, '_')}"`)
      .type(`${row.media_type}; charset=utf-8`)
      .send(unseal(keys.unwrap(row.data_key), row.sealed))
  })
}

// ---------------------------------------------------------------- what is read

async function identifiersKnown(contact: Identifier, { state, keys }: PrivacyPorts): Promise<Identifier[]> {
  const people = await findPeople(state.db, keys, [contact])
  const known = people?.nodes.flatMap(({ type, value }) => (value === undefined ? [] : [{ type, value }])) ?? []
  return known.some(({ type, value }) => type === contact.type && value === contact.value) ? known : [contact, ...known]
}

/**
 * Somebody may have joined their own address to this person by a browser's key, which everybody can read. Taking back
 * holds for all of them; what was refused is opened again only where no second address could be somebody else's.
 * Own choice: fail closed.
 */
async function refusedByAnother(
  contact: Identifier,
  known: readonly Identifier[],
  purpose: string,
  { state, keys, desk, fencesFor }: PrivacyPorts,
): Promise<boolean> {
  if (!known.some(({ type, value }) => type === contact.type && value !== contact.value)) return false
  const answers = await statusNow(known, Date.now(), { state, keys, purposes: desk.settings.purposes, fencesFor })
  const answer = answers.find((one) => one.purpose === purpose)
  return answer !== undefined && (answer.pending || ['denied', 'revoked', 'conflict'].includes(answer.status))
}

async function shownPurposes(contact: Identifier, lang: PageLanguage, ports: PrivacyPorts): Promise<ShownPurpose[]> {
  const { desk, state, keys } = ports
  const identifiers = await identifiersKnown(contact, ports)
  const now = Date.now()
  const answers = await statusNow(identifiers, now, {
    state,
    keys,
    purposes: desk.settings.purposes,
    fencesFor: ports.fencesFor,
  })
  const tools = await propagationsOf(contact, ports)
  const day = new Date(now).toISOString().slice(0, 10)
  return desk.settings.purposes.all.map((purpose) => {
    const answer = answers.find((one) => one.purpose === purpose.id)
    return {
      id: purpose.id,
      title: purpose.title,
      description: purpose.description ?? null,
      basis: purpose.basis,
      scope: purpose.scope,
      status: answer?.pending ? 'revoked' : (answer?.status ?? 'unknown'),
      since: answer?.since ?? null,
      switchable: isSwitchable(purpose),
      notice: noticeFor(purpose.id, desk.settings.notices, lang, day) ?? null,
      tools: tools.filter((tool) => tool.purpose === purpose.id),
    }
  })
}

/** Which tool was told of a withdrawal, and since when it knows. */
async function propagationsOf(contact: Identifier, { state, keys, desk }: PrivacyPorts) {
  const people = await findPeople(state.db, keys, [contact])
  const nodes = people?.nodes.map(({ id }) => id) ?? []
  if (nodes.length === 0) return []
  const rows = await state.db
    .selectFrom('propagations')
    .innerJoin('withdrawals', 'withdrawals.id', 'propagations.withdrawal_id')
    .select([
      'withdrawals.purpose',
      'propagations.destination',
      'propagations.how',
      'propagations.asked_at',
      'propagations.confirmed_at',
    ])
    .where('withdrawals.node_id', 'in', nodes)
    .orderBy('withdrawals.at', 'desc')
    .execute()
  const seen = new Set<string>()
  return rows.flatMap((row) => {
    const key = `${row.purpose} ${row.destination}`
    if (seen.has(key)) return []
    seen.add(key)
    return [
      {
        purpose: row.purpose,
        name: desk.settings.destinations.get(row.destination)?.name ?? row.destination,
        how: row.how,
        askedAt: row.asked_at,
        confirmedAt: row.confirmed_at,
      },
    ]
  })
}

async function requestsOf(contact: Identifier, { state, keys, desk }: PrivacyPorts) {
  const rows = await state.db
    .selectFrom('request_identifiers')
    .innerJoin('requests', 'requests.id', 'request_identifiers.request_id')
    .select(['requests.id', 'requests.right_id', 'requests.state', 'requests.received_at'])
    .where('request_identifiers.hmac', '=', keys.suppression(keys.identifier(contact.type, contact.value)))
    .orderBy('requests.received_at', 'desc')
    .limit(50)
    .execute()
  return rows.map((row) => ({
    id: row.id,
    right: row.right_id as Right | null,
    state: row.state,
    receivedAt: row.received_at,
    timezone: desk.settings.clocks.timezone,
  }))
}

async function isTheirs(id: string, { contact }: PortalSession, { state, keys }: PrivacyPorts): Promise<boolean> {
  const row = await state.db
    .selectFrom('request_identifiers')
    .select('request_id')
    .where('request_id', '=', id)
    .where('hmac', '=', keys.suppression(keys.identifier(contact.type, contact.value)))
    .executeTakeFirst()
  return row !== undefined
}

// ---------------------------------------------------------------- what is sent

const formOf = (request: FastifyRequest) => new URLSearchParams(typeof request.body === 'string' ? request.body : '')

const rightOf = (value: unknown): Right | undefined => RIGHTS.find((right) => right === value)

function channelOf(value: string | null, { desk }: PrivacyPorts): 'email' | 'sms' | 'whatsapp' {
  return desk.codeWays.find(({ channel }) => channel === value)?.channel ?? 'email'
}

function contactOf(value: string, channel: 'email' | 'sms' | 'whatsapp'): Identifier | undefined {
  const type = channel === 'email' ? 'email' : 'phone'
  const normal = normalizeIdentifier(type, value)
  return normal === undefined ? undefined : { type, value: normal }
}

function cookiesOf(request: FastifyRequest): Record<string, string> {
  const found: Record<string, string> = {}
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name = '', ...rest] = part.trim().split('=')
    if (name) found[name] = rest.join('=')
  }
  return found
}

/** Browsers say so themselves; those that do not send the header are held to the token alone. */
function sameSite(request: FastifyRequest): boolean {
  const site = request.headers['sec-fetch-site']
  return site === undefined || site === 'same-origin' || site === 'none'
}

function isSessionForm(request: FastifyRequest, form: URLSearchParams, session: PortalSession): boolean {
  return sameSite(request) && equal(form.get('csrf') ?? '', session.csrf)
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
