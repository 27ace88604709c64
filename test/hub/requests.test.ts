/** Requests of data subjects, as a person, an officer and an auditor meet them: over HTTP, with a real mail server. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { openNote, parseVerifierKey } from '../../consent/ledger/note.ts'
import type { Hub } from '../../core/hub.ts'
import { sha256 } from '../../core/requests/package.ts'
import type { RequestContent, RequestDetail, RequestPlan } from '../../schemas/requests.ts'
import { type MailServer, startMail } from './mail-server.ts'
import { portalBrowser } from './portal-browser.ts'
import {
  basic,
  historyOf,
  makePlace,
  type Place,
  post,
  startInProcess,
  startVendor,
  type Vendor,
  WRITE_KEYS,
} from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub
let mail: MailServer | undefined

afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  await mail?.close()
  mail = undefined
  place?.remove()
})

const NOTICE_TEXT =
  'A Loja Exemplo usa seu e-mail para enviar ofertas enquanto você quiser. Controlador: Loja Exemplo. Contato: privacidade@loja.example. Compartilhamos com a RD Station, que envia. Respondemos pela segurança. Você pode revogar, acessar e eliminar (art. 18).'

async function start(change: (config: Record<string, unknown>) => void = () => {}): Promise<void> {
  vendor = await startVendor()
  mail = await startMail()
  const { url } = mail
  place = await makePlace(vendor, {
    change(config) {
      config['mail'] = { smtp: url, from: 'privacidade@loja.example' }
      config['systems'] = [{ name: 'ERP', contact: 'ti@loja.example' }]
      config['notices'] = {
        cookies: [
          {
            version: 3,
            since: '2020-01-01',
            text: NOTICE_TEXT,
            covers: {
              purpose: 'enviar ofertas',
              duration: 'enquanto você quiser',
              controller: 'Controlador: Loja Exemplo',
              contact: 'privacidade@loja.example',
              sharing: 'Compartilhamos com a RD Station',
              duties: 'Respondemos pela segurança',
              rights: 'Você pode revogar, acessar e eliminar (art. 18)',
            },
          },
        ],
      }
      change(config)
    },
  })
  hub = await startInProcess(place)
}

const site = basic(WRITE_KEYS.site)
const consent = (answer: boolean) => ({
  context: { consent: { categoryPreferences: { Marketing: answer, Analytics: answer } } },
})

/** Ana agrees, gives her name, looks at something and gets a message. */
async function knowAna(): Promise<void> {
  await post(
    `${hub.url}/v1/identify`,
    {
      userId: 'ana-7',
      messageId: 'a1',
      traits: { email: 'ana@example.com', name: 'Ana Segredíssima' },
      ...consent(true),
    },
    site,
  )
  await post(
    `${hub.url}/v1/track`,
    {
      userId: 'ana-7',
      event: 'Product Added',
      messageId: 'a2',
      properties: { product_id: 'produto-secreto-9', price: 1 },
    },
    site,
  )
  await hub.drained()
}

const browser = () => portalBrowser(hub.url, mail!)

async function run<T>(name: string, args: Record<string, unknown>): Promise<T> {
  const result = await hub.run({ name, args, actor: 'officer' })
  if (!result.ok) throw new Error(`${name}: ${result.code} ${result.message}`)
  return result.value as T
}

function filesWith(dir: string, needle: string): string[] {
  const found: string[] = []
  for (const name of readdirSync(dir, { recursive: true }) as string[]) {
    const path = join(dir, name)
    if (statSync(path).isFile() && readFileSync(path).includes(needle)) found.push(name)
  }
  return found
}

describe('portal', () => {
  test('a person comes in by a code, turns a purpose off and on, and reads the text it rests on', async () => {
    await start()
    await knowAna()
    const ana = browser()
    const panel = await ana.enter('ana@example.com')
    expect(panel.status).toBe(200)
    expect(panel.text).toContain('Suas escolhas')
    expect(panel.text).toContain('ana@example.com')
    expect(panel.text).toContain(NOTICE_TEXT.slice(0, 40))

    const off = await ana.submit(
      panel.text,
      '/privacidade/preferencias',
      {},
      (form) => form.includes('value="email_marketing"') && form.includes('name="on" value="0"'),
    )
    expect(off.text).toContain('A sua decisão já vale')
    expect(off.text).toContain('Desligado, ')
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana-7', event: 'Product Added', messageId: 'a3', properties: { product_id: 'p', price: 1 } },
      site,
    )
    await hub.drained()
    const messages = vendor.requests.length
    expect((await statuses()).get('email_marketing')).toBe('revoked')

    const again = await ana.go('GET', '/privacidade/painel')
    // Which tool had something of hers for this purpose, and what became of the news.
    expect(again.text).toMatch(/Quem já foi avisado<\/h2><ul><li>Webhook: /)
    const on = await ana.submit(
      again.text,
      '/privacidade/preferencias',
      {},
      (form) => form.includes('value="email_marketing"') && form.includes('name="on" value="1"'),
    )
    expect(on.status).toBe(200)
    await hub.drained()
    expect((await statuses()).get('email_marketing')).toBe('granted')
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana-7', event: 'Product Added', messageId: 'a4', properties: { product_id: 'p', price: 1 } },
      site,
    )
    await hub.drained()
    expect(vendor.requests.length).toBe(messages + 1)
  }, 60_000)

  test('it tells nobody who is known: the same pages, a code for everybody, the same refusal for every wrong code', async () => {
    await start()
    await knowAna()
    const known = browser()
    const unknown = browser()
    const clean = (text: string) => text.replace(/value="[\w-]+"/g, '')
    const homes = await Promise.all([known, unknown].map((one) => one.go('GET', '/privacidade')))
    const asked = [
      await known.submit(homes[0]!.text, '/privacidade/codigo', { contact: 'ana@example.com' }),
      await unknown.submit(homes[1]!.text, '/privacidade/codigo', { contact: 'ninguem@example.com' }),
    ]
    expect(asked[0]!.status).toBe(200)
    expect(clean(asked[1]!.text)).toBe(clean(asked[0]!.text))
    const code = await mail!.code('ana@example.com')
    await mail!.code('ninguem@example.com')
    const wrong = code === '000000' ? '111111' : '000000'
    const refused = [
      await known.submit(asked[0]!.text, '/privacidade/entrar', { code: wrong }),
      await unknown.submit(asked[1]!.text, '/privacidade/entrar', { code: wrong }),
      await unknown.submit(asked[1]!.text, '/privacidade/entrar', { code: wrong, ref: '01K00000000000000000000000' }),
    ]
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403])
    expect(new Set(refused.map(({ text }) => clean(text))).size).toBe(1)
    // Five wrong ones, and the right one no longer opens.
    for (let tries = 0; tries < 4; tries++) await known.submit(asked[0]!.text, '/privacidade/entrar', { code: wrong })
    expect((await known.submit(asked[0]!.text, '/privacidade/entrar', { code })).status).toBe(403)
    // A fourth code within a quarter of an hour is not sent, and the page is the same.
    for (let tries = 0; tries < 4; tries++) {
      const home = await known.go('GET', '/privacidade')
      const more = await known.submit(home.text, '/privacidade/codigo', { contact: 'ana@example.com' })
      expect(clean(more.text)).toBe(clean(asked[0]!.text))
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(mail!.received.filter(({ to }) => to === 'ana@example.com').length).toBe(3)
  }, 60_000)

  test('a form of another site does nothing; a session belongs to one contact only', async () => {
    await start()
    await knowAna()
    const foreign = await fetch(`${hub.url}/privacidade/codigo`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'contact=ana%40example.com&csrf=x',
    })
    expect(foreign.status).toBe(403)
    const ana = browser()
    await ana.enter('ana@example.com')
    const ask = await ana.go('GET', '/privacidade/pedir?direito=access')
    const opened = await ana.submit(ask.text, '/privacidade/pedidos', {})
    expect(opened.text).toContain('Acessar meus dados')
    const bia = browser()
    await bia.enter('bia@example.com')
    expect((await bia.go('GET', opened.path)).status).toBe(404)
    const crossed = await fetch(new URL('/privacidade/preferencias', hub.url), {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        cookie: [...ana.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      },
      body: 'purpose=email_marketing&on=0&csrf=guess',
    })
    expect(crossed.status).toBe(403)
    expect((await statuses()).get('email_marketing')).toBe('granted')
  }, 60_000)

  test('each answer of the portal comes in English too, and no page needs a script', async () => {
    await start()
    const ana = browser()
    const home = await ana.go('GET', '/privacidade?lang=en')
    expect(home.text).toContain('<html lang="en">')
    expect(home.text).toContain('Send the code')
    expect(home.text).toContain('SMS or WhatsApp is not available here')
    const panel = await ana.enter('ana@example.com', 'en')
    expect(panel.text).toContain('Your choices')
    for (const text of [home.text, panel.text]) {
      expect(text).not.toMatch(/<script|onclick|javascript:/i)
      expect(text).toContain('width=device-width')
      for (const [, id] of text.matchAll(/<(?:input|textarea|select) id="([^"]+)"/g))
        expect(text).toContain(`<label for="${id}">`)
    }
  }, 60_000)

  test('confirmation is answered at once; "we hold nothing" is an answer', async () => {
    await start()
    await knowAna()
    for (const [email, words] of [
      ['ana@example.com', 'Feito.'],
      ['ninguem@example.com', 'Não temos dados pessoais seus.'],
    ] as const) {
      const person = browser()
      await person.enter(email)
      const ask = await person.go('GET', '/privacidade/pedir?direito=confirmation')
      const shown = await person.submit(ask.text, '/privacidade/pedidos', {})
      expect(shown.text).toContain('respondido')
      expect(shown.text).toContain(words)
    }
    expect(filesWith(join(place.dir, 'data'), 'ninguem@example.com')).toEqual([])
  }, 60_000)
})

async function statuses(): Promise<Map<string, string>> {
  const rows = await hub.state.db
    .selectFrom('consent_status')
    .select(['purpose', 'status', 'updated_at'])
    .orderBy('updated_at')
    .execute()
  return new Map(rows.map(({ purpose, status }) => [purpose, status]))
}

describe('access', () => {
  test('the simplified form at once, the complete one after approval: origin, recipients, texts; signed by the ledger key', async () => {
    await start((config) => {
      config['systems'] = []
    })
    await knowAna()
    const { id } = await run<{ id: string }>('openRequest', {
      right: 'access',
      channel: 'letter',
      receivedAt: new Date(Date.now() - 86_400_000).toISOString(),
      identifiers: [{ type: 'email', value: 'ANA@example.com' }],
      contact: 'ana@example.com',
      assurance: 'document',
      identityCheck: 'RG conferido no balcão',
      representative: { name: 'João Procurador', kind: 'proxy', proof: 'procuração nº 7' },
    })
    const before = await run<RequestDetail>('readRequest', { id, reveal: true })
    expect(before.request.state).toBe('acknowledged')
    expect(before.files.map(({ name }) => name)).toEqual(['simplificada.html'])
    expect(before.person).toMatchObject({ contact: 'ana@example.com', representative: { name: 'João Procurador' } })
    const clocks = Object.fromEntries(before.request.clocks.map((clock) => [clock.id, clock]))
    expect(clocks['immediate']!.doneAt).not.toBe(null)
    expect(clocks['complete']!.doneAt).toBe(null)

    const plan = await run<RequestPlan>('planRequest', { id })
    expect(plan.nothingHeld).toBe(false)
    expect(plan.recipients.map(({ recipient, how }) => [recipient, how])).toEqual([['hook', 'manual']])
    await expect(run('executeRequest', { id })).rejects.toThrow('NOT_APPROVED')
    await expect(run('executeRequest', { id, planHash: 'x' })).rejects.toThrow('PLAN_CHANGED')
    await run('executeRequest', { id, planHash: plan.hash })
    expect((await run<RequestDetail>('readRequest', { id })).request.state).toBe('partially_done')
    await run('settleRequestRecipient', {
      id,
      recipient: 'hook',
      operation: 'export',
      status: 'done',
      answer: 'exportado à mão',
      file: { name: 'hook.pdf', mediaType: 'application/pdf', base64: Buffer.from('%PDF').toString('base64') },
    })
    const after = await run<RequestDetail>('readRequest', { id, reveal: true })
    expect(after.request).toMatchObject({ state: 'answered', outcome: 'done', overdue: false })
    const content = new Map<string, string>()
    for (const file of after.files) {
      const { base64 } = await run<RequestContent>('readRequestFile', { id, file: file.id })
      content.set(file.name, Buffer.from(base64, 'base64').toString('utf8'))
    }
    const html = content.get('resposta.html')!
    for (const words of [
      'Ana Segredíssima',
      'ana@example.com',
      'produto-secreto-9',
      'site (segment)',
      'hook',
      'Aviso cookies v3',
      'RD Station',
    ])
      expect(html).toContain(words)
    const lines = content
      .get('dados.jsonl')!
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.find(({ kind, path }) => kind === 'field' && path === 'name')).toMatchObject({
      value: 'Ana Segredíssima',
      origin: 'site (segment)',
      purposes: expect.arrayContaining(['email_marketing']) as string[],
    })
    expect(new Set(lines.map(({ kind }) => kind))).toEqual(
      new Set(['field', 'event', 'purpose', 'category', 'recipient', 'decision', 'consent', 'notice', 'receipt']),
    )
    const signed = openNote(content.get('assinatura.txt')!, [parseVerifierKey(content.get('chave.txt')!)])
    expect(signed.text).toContain(`${sha256(Buffer.from(content.get('dados.jsonl')!))} dados.jsonl`)
    expect(() =>
      openNote(content.get('assinatura.txt')!.replace('dados', 'nados'), [parseVerifierKey(content.get('chave.txt')!)]),
    ).toThrow()
    await hub.drained()
    expect(mail!.received.some(({ to, text }) => to === 'ana@example.com' && text.includes(id))).toBe(true)
    const looks = await hub.state.db.selectFrom('access_log').selectAll().where('request', '=', id).execute()
    expect(looks.length).toBeGreaterThan(2)
  }, 60_000)
})

describe('erasure', () => {
  async function eraseAna(): Promise<{ id: string; plan: RequestPlan }> {
    const { id } = await run<{ id: string }>('openRequest', {
      right: 'erasure',
      channel: 'email',
      receivedAt: new Date().toISOString(),
      identifiers: [{ type: 'email', value: 'ana@example.com' }],
      assurance: 'document',
      reference: 'C-1',
    })
    const plan = await run<RequestPlan>('planRequest', { id })
    await run('executeRequest', { id, planHash: plan.hash })
    await hub.drained()
    return { id, plan }
  }

  test('a dry run says what would go and stay and changes nothing; carried out, nothing of the person is left on disk', async () => {
    await start()
    await knowAna()
    // One message waits, one input lies in quarantine, one event is held.
    vendor.answer = (_request, response) => response.writeHead(503).end()
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana-7', event: 'Product Added', messageId: 'a5', properties: { product_id: 'p', price: 1 } },
      site,
    )
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana-7', messageId: 'a6', event: 7, properties: { note: 'ana@example.com' } },
      site,
    )
    await hub.drained()
    const data = join(place.dir, 'data')
    const { id } = await run<{ id: string }>('openRequest', {
      right: 'erasure',
      channel: 'email',
      receivedAt: new Date().toISOString(),
      identifiers: [{ type: 'email', value: 'ana@example.com' }],
      assurance: 'document',
    })
    const plan = await run<RequestPlan>('planRequest', { id })
    expect(plan.summary.pt).toMatch(/^Eliminaria \d+ eventos? e \d+ outros registros; /)
    expect(plan.erase.map(({ what }) => what.en)).toEqual(
      expect.arrayContaining([
        'events of the history',
        'contacts and identifiers',
        'deliveries waiting',
        'quarantined inputs',
      ]),
    )
    expect(plan.keep.map(({ what }) => what.en)).toContain('proofs of consent, blocked')
    expect(plan.keep.every(({ ground }) => ground.includes('art.'))).toBe(true)
    expect((await historyOf(place)).length).toBeGreaterThan(0)

    await run('executeRequest', { id, planHash: plan.hash })
    await hub.drained()
    const { db } = hub.state
    for (const table of [
      'history',
      'identifiers',
      'node_traits',
      'facts',
      'persons',
      'explanations',
      'held',
      'edges',
      'consent_status',
      'wakeups',
    ] as const)
      expect([table, await db.selectFrom(table).selectAll().execute()]).toEqual([table, []])
    expect(
      (await db.selectFrom('nodes').select('data_key').execute()).every(({ data_key }) => data_key.length === 0),
    ).toBe(true)
    expect(
      (await db.selectFrom('nodes').select('proof_key').execute()).every(({ proof_key }) => proof_key.length > 0),
    ).toBe(true)
    const deliveries = await db.selectFrom('deliveries').selectAll().execute()
    expect(deliveries.every(({ payload, input }) => payload === null && input === null)).toBe(true)
    expect(deliveries.map(({ status }) => status)).toContain('suppressed')
    expect(
      (await db.selectFrom('quarantine').select(['status', 'sealed']).execute()).every(
        ({ status, sealed }) => status === 'dismissed' && sealed.length === 0,
      ),
    ).toBe(true)
    expect((await db.selectFrom('ledger_shredded').select('key_id').execute()).length).toBeGreaterThan(0)

    // The destination without a call and the ERP are tasks, each with its receipt; the last one ends the request.
    const open = await run<RequestDetail>('readRequest', { id })
    expect(open.request.state).toBe('partially_done')
    expect(open.recipients.map(({ recipient, status }) => [recipient, status])).toEqual([
      ['ERP', 'manual'],
      ['hook', 'manual'],
    ])
    await expect(run('answerRequest', { id, text: 'pronto' })).rejects.toThrow('RECIPIENTS_OPEN')
    for (const { recipient, operation } of open.recipients)
      await run('settleRequestRecipient', { id, recipient, operation, status: 'done', answer: 'apagado' })
    const done = await run<RequestDetail>('readRequest', { id, reveal: true })
    expect(done.request).toMatchObject({ state: 'answered', outcome: 'partly_kept' })
    const html = done.files.find(({ name }) => name === 'resposta.html')!
    const answer = Buffer.from(
      (await run<RequestContent>('readRequestFile', { id, file: html.id })).base64,
      'base64',
    ).toString('utf8')
    expect(answer).toContain('O que ficou guardado, e por quê')
    expect(answer).toContain('ERP')

    await hub.close()
    for (const needle of ['ana@example.com', 'ana-7', 'Segred', 'produto-secreto-9'])
      expect([needle, filesWith(data, needle)]).toEqual([needle, []])
    hub = await startInProcess(place)
  }, 60_000)

  test('whoever was erased stays erased when a source is replayed, and comes back only by an own verified yes', async () => {
    await start((config) => {
      config['systems'] = []
    })
    await knowAna()
    const { id } = await eraseAna()
    await run('settleRequestRecipient', {
      id,
      recipient: 'hook',
      operation: 'delete',
      status: 'done',
      answer: 'apagado',
    })
    const nodes = (await hub.state.db.selectFrom('nodes').select('id').execute()).length
    const messages = vendor.requests.length
    // The whole story again with new message ids, and a yes that the source makes up, dated now.
    await post(
      `${hub.url}/v1/identify`,
      {
        userId: 'ana-7',
        messageId: 'r1',
        traits: { email: 'ana@example.com', name: 'Ana Segredíssima' },
        ...consent(true),
      },
      site,
    )
    await post(
      `${hub.url}/v1/identify`,
      { anonymousId: 'novo', messageId: 'r2', traits: { email: 'ana@example.com' }, ...consent(true) },
      site,
    )
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana-7', event: 'Product Added', messageId: 'r3', properties: { product_id: 'p', price: 1 } },
      site,
    )
    await hub.drained()
    expect(await hub.state.db.selectFrom('history').selectAll().execute()).toEqual([])
    expect(await hub.state.db.selectFrom('held').selectAll().execute()).toEqual([])
    expect(await hub.state.db.selectFrom('identifiers').selectAll().execute()).toEqual([])
    expect((await hub.state.db.selectFrom('nodes').select('id').execute()).length).toBe(nodes)
    expect(vendor.requests.length).toBe(messages)
    const dropped = await hub.state.db
      .selectFrom('rollups')
      .select('count')
      .where('code', '=', 'SUBJECT_SUPPRESSED')
      .where('origin', '=', 'source:site')
      .execute()
    expect(dropped.reduce((sum, { count }) => sum + Number(count), 0)).toBe(3)

    const ana = browser()
    const panel = await ana.enter('ana@example.com')
    await ana.submit(
      panel.text,
      '/privacidade/preferencias',
      {},
      (form) => form.includes('value="email_marketing"') && form.includes('name="on" value="1"'),
    )
    await hub.drained()
    expect((await statuses()).get('email_marketing')).toBe('granted')
    const left = await hub.state.db.selectFrom('suppressions').selectAll().where('lifted_at', 'is not', null).execute()
    expect(left.length).toBe(1)
  }, 60_000)

  test('a destination with a call is asked by the hub: tried again after a failure, with a receipt of its own', async () => {
    await start((config) => {
      config['systems'] = []
      const destinations = config['destinations'] as Record<string, Record<string, unknown>>
      destinations['rdstation']!['actions'] = ['upsertContact']
      delete destinations['hook']
      config['rules'] = []
    })
    await knowAna()
    expect(vendor.requests.some(({ path }) => path.includes('/platform/contacts'))).toBe(true)
    vendor.answer = (_request, response) => response.writeHead(500).end()
    const { id } = await eraseAna()
    const failed = await run<RequestDetail>('readRequest', { id })
    expect(failed.request.state).toBe('partially_done')
    expect(failed.recipients[0]).toMatchObject({ recipient: 'rdstation', status: 'retry', attempts: 1 })
    vendor.answer = (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    await hub.state.db.updateTable('request_recipients').set({ next_at: 0 }).execute()
    await hub.drained()
    const done = await run<RequestDetail>('readRequest', { id })
    expect(done.recipients[0]).toMatchObject({ status: 'done', attempts: 2, doneBy: 'hub' })
    expect(done.request.state).toBe('answered')
    const calls = vendor.requests.length
    // Once more changes nothing and asks nobody.
    await run('executeRequest', { id, planHash: 'whatever' })
    await hub.drained()
    expect(vendor.requests.length).toBe(calls)
    // The address was needed for the vendor only: it is not kept beside the answer.
    expect(done.request.outcome).toBe('partly_kept')
  }, 60_000)

  test('a legal hold keeps everything, and the officer is told so', async () => {
    await start()
    await knowAna()
    const [person] = await hub.state.db.selectFrom('persons').select('id').where('merged_into', 'is', null).execute()
    await hub.state.db
      .insertInto('legal_holds')
      .values({
        id: 'h1',
        kind: 'person',
        person_id: person!.id,
        class: null,
        from_at: null,
        to_at: null,
        ref: 'processo 1',
        reason: 'ação em curso',
        set_by: 'x',
        set_at: 1,
        released_by: null,
        released_at: null,
        release_reason: null,
      })
      .execute()
    await expect(eraseAna()).rejects.toThrow('LEGAL_HOLD')
    expect((await historyOf(place)).length).toBeGreaterThan(0)
    const [row] = await hub.state.db.selectFrom('requests').select('id').execute()
    await run('refuseRequest', { id: row!.id, ground: 'legal_claims', text: 'Guardados por ordem no processo 1.' })
    expect((await run<RequestDetail>('readRequest', { id: row!.id })).request).toMatchObject({
      state: 'refused',
      ground: 'legal_claims',
    })
  }, 60_000)
})

describe('other ways in', () => {
  test('by CSV with a dry run, twice without doubling; duplicates are seen and keep their own clock', async () => {
    await start()
    const csv = `direito;canal;chegada;email;referencia;identidade
acesso;carta;01/10/2026;ana@example.com;L-1;document
acesso;telefone;02/10/2026;ana@example.com;L-2;claimed
eliminação;carta;ontem;ana@example.com;L-3;`
    const dry = await run<{ opened: number; errors: object[] }>('importRequests', { csv, dryRun: true })
    expect(dry).toMatchObject({ opened: 2, errors: [{ row: 4, column: 'receivedAt' }] })
    expect(await hub.state.db.selectFrom('requests').selectAll().execute()).toEqual([])
    expect(await run('importRequests', { csv })).toMatchObject({ opened: 2, duplicates: 1, repeated: 0 })
    expect(await run('importRequests', { csv })).toMatchObject({ opened: 0, repeated: 2 })
    const rows = await hub.state.db.selectFrom('requests').selectAll().orderBy('received_at').execute()
    expect(rows.length).toBe(2)
    expect(rows[1]!.duplicate_of).toBe(rows[0]!.id)
    const late = await run<RequestDetail>('readRequest', { id: rows[1]!.id })
    expect(late.request).toMatchObject({ state: 'received', overdue: true, needs: { en: 'Prove the identity' } })
    await expect(run('acknowledgeRequest', { id: rows[1]!.id })).rejects.toThrow('IDENTITY_NEEDED')
  }, 60_000)

  test('a revocation that came by telephone is in force when it is answered', async () => {
    await start()
    await knowAna()
    const messages = vendor.requests.length
    const { id } = await run<{ id: string }>('openRequest', {
      right: 'revocation',
      channel: 'phone',
      receivedAt: new Date().toISOString(),
      identifiers: [{ type: 'email', value: 'ana@example.com' }],
      assurance: 'document',
    })
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana-7', event: 'Product Added', messageId: 'a9', properties: { product_id: 'p', price: 1 } },
      site,
    )
    await hub.drained()
    expect(vendor.requests.length).toBe(messages)
    expect((await run<RequestDetail>('readRequest', { id })).request.state).toBe('answered')
    expect((await statuses()).get('email_marketing')).toBe('revoked')
    // Somebody the hub has never heard of may say no beforehand.
    const stranger = await run<{ id: string }>('openRequest', {
      right: 'revocation',
      channel: 'phone',
      receivedAt: new Date().toISOString(),
      identifiers: [{ type: 'email', value: 'bia@example.com' }],
      assurance: 'document',
    })
    expect((await run<RequestDetail>('readRequest', { id: stranger.id })).request).toMatchObject({
      state: 'answered',
      outcome: 'done',
    })
  }, 60_000)

  test('a correction reaches the profile, what waits, and whoever received the old value', async () => {
    await start((config) => {
      config['systems'] = []
    })
    await knowAna()
    const { id } = await run<{ id: string }>('openRequest', {
      right: 'correction',
      channel: 'email',
      receivedAt: new Date().toISOString(),
      identifiers: [{ type: 'email', value: 'ana@example.com' }],
      assurance: 'document',
      scope: { corrections: { name: 'Ana Certa', email: 'ana.certa@example.com' } },
    })
    const plan = await run<RequestPlan>('planRequest', { id })
    await run('executeRequest', { id, planHash: plan.hash })
    expect((await run<RequestDetail>('readRequest', { id })).recipients).toMatchObject([
      { recipient: 'hook', operation: 'correct', status: 'manual' },
    ])
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana-7', event: 'Product Added', messageId: 'c1', properties: { product_id: 'p', price: 1 } },
      site,
    )
    await hub.drained()
    const last = vendor.requests.at(-1)!.body
    expect(last).toContain('ana.certa@example.com')
    expect(last).not.toContain('ana@example.com')
  }, 60_000)

  test('an inquiry of the authority has the day it set', async () => {
    await start()
    const dueAt = new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10)
    const { id } = await run<{ id: string }>('openRequest', {
      kind: 'authority',
      channel: 'authority',
      receivedAt: new Date().toISOString(),
      dueAt,
      text: 'Processo 00261.000123/2026',
      reference: 'ANPD-1',
      scope: { from: '2026-01-01', to: '2026-07-01' },
    })
    const shown = await run<RequestDetail>('readRequest', { id, reveal: true })
    expect(shown.request.clocks).toMatchObject([{ id: 'authority', overdue: false }])
    expect(shown.scope).toEqual({ from: '2026-01-01', to: '2026-07-01' })
    await run('answerRequest', { id, text: 'Pacote de auditoria entregue.' })
    expect((await run<RequestDetail>('readRequest', { id })).request.state).toBe('answered')
  }, 60_000)
})
