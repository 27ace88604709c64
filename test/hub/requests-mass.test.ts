/** Many alike, and one whose identity is not proven yet: what the officer is told, and how the person proves it. */
import { PassThrough } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { run as cli } from '../../cli/program.ts'
import type { Hub } from '../../core/hub.ts'
import type { RequestDetail, RequestPage } from '../../schemas/requests.ts'
import { type MailServer, startMail } from './mail-server.ts'
import { portalBrowser } from './portal-browser.ts'
import { basic, makePlace, type Place, post, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

let vendor: Vendor
let mail: MailServer
let place: Place
let hub: Hub

afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  await mail?.close()
  place?.remove()
})

async function start(more: (config: Record<string, unknown>) => void = () => {}): Promise<void> {
  vendor = await startVendor()
  mail = await startMail()
  const { url } = mail
  place = await makePlace(vendor, {
    change(config) {
      config['mail'] = { smtp: url, from: 'privacidade@loja.example' }
      config['requests'] = { mass: { count: 3, days: 7 } }
      more(config)
    },
  })
  hub = await startInProcess(place)
}

async function run<T>(name: string, args: Record<string, unknown>): Promise<T> {
  const result = await hub.run({ name, args, actor: 'officer' })
  if (!result.ok) throw new Error(`${name}: ${result.code} ${result.message}`)
  return result.value as T
}

async function listed(...args: string[]): Promise<{ page: RequestPage; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end()
  let [out, err] = ['', '']
  stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  await cli(['node', 'anuente', 'requests', 'list', ...args, '--config', place.configFile], {
    stdin,
    stdout,
    stderr,
    env: {},
  })
  return { page: args.includes('--json') ? (JSON.parse(out) as RequestPage) : (undefined as never), err }
}

const COVERS = {
  purpose: 'ofertas',
  duration: 'ofertas',
  controller: 'ofertas',
  contact: 'ofertas',
  sharing: 'ofertas',
  duties: 'ofertas',
  rights: 'ofertas',
}

const PEOPLE = ['Ana Lima', 'Bruno Sá', 'Célia Reis', 'Davi Luz']
const claim = (index: number, more: object = {}) => ({
  right: 'erasure',
  channel: 'email',
  receivedAt: `2026-11-2${index}`,
  identifiers: [{ type: 'email', value: `pessoa${index}@example.com` }],
  name: PEOPLE[index],
  contact: `pessoa${index}@example.com`,
  text: `Eu, ${PEOPLE[index]}, e-mail pessoa${index}@example.com, requeiro a eliminação de todos os meus dados pessoais, nos termos da lei.`,
  assurance: 'claimed',
  ...more,
})

test('a form letter of several people is told as a group; each keeps its clock and its proof', async () => {
  await start()
  for (const index of [0, 1]) await run('openRequest', claim(index))
  // The same person again, and somebody with words of their own, make no crowd.
  await run('openRequest', claim(1, { right: 'access' }))
  await run('openRequest', claim(3, { text: 'Apaguem meus dados' }))
  expect((await listed('--json')).page.groups).toEqual([])

  await run('openRequest', claim(2))
  const { page } = await listed('--json')
  expect(page.groups).toMatchObject([{ kind: 'text', people: 3, requests: 4, open: 4 }])
  const [group] = page.groups
  const only = (await listed('--group', group!.id, '--json')).page
  expect(only.items).toHaveLength(4)
  expect(page.items).toHaveLength(5)
  for (const item of only.items) {
    expect(item.groups).toEqual([group!.id])
    // Nothing was shortened for being one of many.
    expect(item).toMatchObject({ state: 'received', assurance: 'claimed' })
    expect(item.clocks.length).toBeGreaterThan(0)
  }
  expect((await listed()).err).toContain('3 people with the same text')
  const { id } = only.items.find(({ right }) => right === 'erasure')!
  const { hash } = await run<{ hash: string }>('planRequest', { id })
  await expect(run('executeRequest', { id, planHash: hash })).rejects.toThrow(/OUT_OF_ORDER|IDENTITY_NEEDED/)
  const marks = await hub.state.db.selectFrom('request_marks').selectAll().execute()
  expect(JSON.stringify(marks)).not.toMatch(/elimina|pessoa\d@/)
}, 60_000)

test('asked for proof by mail, the person comes in by the code and confirms; only then it goes on', async () => {
  await start()
  const { id } = await run<{ id: string }>('openRequest', claim(0))
  const { id: other } = await run<{ id: string }>('openRequest', claim(1))
  await run('askRequestIdentity', { id, missing: 'confirme pelo portal' })
  await hub.drained()
  await expect
    .poll(() => mail.received.filter(({ to }) => to === 'pessoa0@example.com').map(({ text }) => text), {
      timeout: 5000,
    })
    .toContainEqual(expect.stringMatching(/Falta confirmar[\s\S]*confirme pelo portal[\s\S]*prazo da lei continua/))
  const read = (one: string) => run<RequestDetail>('readRequest', { id: one, reveal: false })
  expect((await read(id)).request.state).toBe('identity')
  expect(JSON.stringify((await read(id)).log)).not.toContain('confirme pelo portal')

  const ana = portalBrowser(hub.url, mail)
  await ana.enter('pessoa0@example.com')
  const page = await ana.go('GET', `/privacidade/pedidos/${id}?lang=pt`)
  expect(page.text).toContain('aguarda a comprovação da identidade')
  const confirmed = await ana.submit(page.text, `/privacidade/pedidos/${id}/confirmar`, {})
  expect(confirmed.text).not.toContain('Confirmar: o pedido é meu')
  expect((await read(id)).request).toMatchObject({ assurance: 'contact_code', state: 'acknowledged' })
  // Somebody else's is not there for her.
  expect((await ana.go('GET', `/privacidade/pedidos/${other}`)).status).toBe(404)
  expect((await read(other)).request.assurance).toBe('claimed')
}, 60_000)

test('who joined their own address to somebody can turn off for them, and turns nothing on that was refused', async () => {
  await start((config) => {
    config['notices'] = {
      cookies: [
        { version: 3, since: '2020-01-01', text: 'Usamos seu e-mail para ofertas. '.repeat(5), covers: COVERS },
      ],
    }
  })
  const site = basic(WRITE_KEYS.site)
  const says = (email: string, answer: boolean, messageId: string) =>
    post(
      `${hub.url}/v1/identify`,
      {
        userId: 'ana',
        messageId,
        traits: { email },
        context: { consent: { categoryPreferences: { Marketing: answer } } },
      },
      site,
    )
  await says('ana@example.com', true, 'm1')
  await hub.drained()
  // The key of the page is public: anybody can send this.
  await post(`${hub.url}/v1/identify`, { userId: 'ana', messageId: 'm2', traits: { email: 'eva@example.com' } }, site)
  await hub.drained()
  const eva = portalBrowser(hub.url, mail)
  const panel = await eva.enter('eva@example.com')
  const choose = (page: string, on: '0' | '1') =>
    eva.submit(
      page,
      '/privacidade/preferencias',
      {},
      (form) => form.includes('value="email_marketing"') && form.includes(`name="on" value="${on}"`),
    )
  const off = await choose(panel.text, '0')
  expect(off.text).toContain('A sua decisão já vale')
  const on = await choose(off.text, '1')
  expect([on.status, on.text.includes('Não dá para ligar por aqui')]).toEqual([409, true])
  await hub.drained()
  const statuses = await hub.state.db
    .selectFrom('consent_status')
    .select('status')
    .where('purpose', '=', 'email_marketing')
    .execute()
  expect(statuses.map(({ status }) => status)).toContain('revoked')
  expect((await eva.go('GET', '/privacidade/painel?lang=pt')).text).toContain('Desligado, ')
}, 60_000)
