// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how anuente.yaml writes references.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Type } from 'typebox'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from './config.ts'
import { defineDestination, defineSource, type Registry } from './kit/define.ts'
import { ConfigError } from './kit/errors.ts'
import { cases } from './testing/effort.ts'

const source = defineSource({
  id: 'shopfront',
  name: 'Shopfront',
  docs: 'https://example.com',
  support: 'community',
  settings: Type.Object({
    writeKey: Type.String({ minLength: 4 }),
    secret: Type.Optional(Type.String({ secret: true, minLength: 8 })),
    limit: Type.Integer({ default: 10, maximum: 100 }),
    strict: Type.Boolean({ default: false }),
  }),
  routes: [{ method: 'POST', path: '/v1/batch' }],
  maxBytes: 1000,
  volatileFields: [],
  credentials: () => [],
  keys: (settings) => [settings.writeKey],
  verify: () => true,
  normalize: () => [],
  accept: () => ({ status: 200 }),
})
const none = { manual: { pt: 'à mão', en: 'by hand' } }
const destination = defineDestination({
  id: 'mailer',
  name: 'Mailer',
  docs: 'https://example.com',
  support: 'community',
  baseUrl: 'https://api.example.com',
  settings: Type.Object({
    token: Type.String({ secret: true }),
    list: Type.Object({ id: Type.String({ default: 'main' }) }, { default: {} }),
  }),
  limits: { perSecond: 1, concurrency: 1 },
  actions: {
    upsert: {
      title: { pt: 'a', en: 'a' },
      description: { pt: 'a', en: 'a' },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({}),
      perform: async () => ({ status: 'delivered' }),
    },
    message: {
      title: { pt: 'a', en: 'a' },
      description: { pt: 'a', en: 'a' },
      purpose: 'email_marketing',
      kind: 'message',
      identifier: ['email'],
      idempotency: 'none',
      payload: Type.Object({}),
      perform: async () => ({ status: 'delivered' }),
    },
  },
  check: async () => ({ ok: true, detail: '' }),
  deleteSubject: none,
  exportSubject: none,
  correctSubject: none,
  feedback: { none: { pt: 'x', en: 'x' } },
})
const registry: Registry = {
  sources: new Map([['shopfront', source]]),
  destinations: new Map([['mailer', destination]]),
}

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-config-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const good = `organization: {name: Loja Exemplo}
sources:
  site: {connector: shopfront, settings: {writeKey: wk_site}}
purposes:
  orders:
    basis: contract
    scope: person
    title: {pt: Pedidos, en: Orders}
    collects: ["Order *"]
    stages: [collect]
  news:
    basis: consent
    scope: person
    title: {pt: Novidades, en: News}
    collects: [identify: [email]]
    stages: [collect, activate]
destinations:
  mail: {connector: mailer, purposes: {email_marketing: news}, settings: {token: \${MAIL_TOKEN}}}
`
const load = (text: string, env: Record<string, string> = { MAIL_TOKEN: 'tok-1234' }) => {
  const file = join(dir, 'anuente.yaml')
  writeFileSync(file, text)
  return loadConfig(file, { registry, env })
}
const failure = (text: string, env?: Record<string, string>): ConfigError => {
  try {
    load(text, env)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return error as ConfigError
  }
  throw new Error('the configuration was accepted')
}

describe('a good file', () => {
  test('gets its defaults', () => {
    const loaded = load(good)
    expect(loaded).toMatchObject({
      dir,
      dataDir: join(dir, 'data'),
      port: 8787,
      host: '127.0.0.1',
      publicUrl: 'http://localhost:8787',
      timezone: 'America/Sao_Paulo',
      currency: 'BRL',
      ruleDocuments: [],
      warnings: [],
    })
    expect(loaded.sourceSettings.get('site')?.settings).toEqual({ writeKey: 'wk_site', limit: 10, strict: false })
    const mail = loaded.destinationSettings.get('mail')
    expect(mail).toMatchObject({
      role: 'operator',
      actions: ['upsert'],
      settings: { token: 'tok-1234', list: { id: 'main' } },
    })
    // Where a vendor is nobody can guess: the gate of transfers reads what is written, or nothing.
    expect(mail?.config.country).toBeUndefined()
    expect(mail?.purposeOf('email_marketing')).toBe('news')
    expect(mail?.purposeOf('orders')).toBeUndefined()
    expect(mail?.purposeOf('toString')).toBeUndefined()
  })

  test('reads references from the environment and from files, also inside flow mappings and text', () => {
    writeFileSync(join(dir, 'token.txt'), 'from-a-file\n')
    const text = good
      .replace('${MAIL_TOKEN}', '${file:token.txt}')
      .replace(
        'writeKey: wk_site',
        () => 'writeKey: wk_${SITE}_$${SITE}, limit: ${LIMIT}, strict: ${STRICT}, secret: "file:./token.txt"',
      )
    const loaded = load(text, { SITE: 'loja', LIMIT: '42', STRICT: 'true' })
    expect(loaded.destinationSettings.get('mail')?.settings['token']).toBe('from-a-file')
    expect(loaded.sourceSettings.get('site')?.settings).toEqual({
      writeKey: 'wk_loja_${SITE}',
      limit: 42,
      strict: true,
      secret: 'from-a-file',
    })
    expect(loaded.warnings).toEqual([])
  })

  test('a number in the environment becomes a port', () => {
    expect(load(`${good}server: {port: \${PORT}}\n`, { MAIL_TOKEN: 'x', PORT: '9000' }).port).toBe(9000)
  })

  test('the purpose of sharing with any destination can be written out, whatever the destination is called', () => {
    const share = (id: string) =>
      good.replace(
        'purposes:\n',
        `purposes:\n  share.${id}: {basis: consent, scope: device, title: {pt: x, en: x}, collects: [], stages: [share]}\n`,
      )
    for (const id of ['meta-ads', 'meta_br-2', 'a'.repeat(63)])
      expect(Object.keys(load(share(id)).config.purposes)).toContain(`share.${id}`)
    expect(() => load(share('-x'))).toThrow(/is not a valid name/)
    expect(() => load(good.replace('  news:', '  news-letter:'))).toThrow(/is not a valid name/)
  })

  test('purposes may be a list, actions may be named', () => {
    const text = good.replace('purposes: {email_marketing: news}', 'purposes: [news], actions: [message]')
    const mail = load(text).destinationSettings.get('mail')
    expect(mail?.actions).toEqual(['message'])
    expect(mail?.purposeOf('news')).toBe('news')
    expect(mail?.purposeOf('email_marketing')).toBeUndefined()
  })

  test('finds rule documents by glob, sorted, each once', () => {
    mkdirSync(join(dir, 'rules/more'), { recursive: true })
    for (const name of ['b.yaml', 'a.yaml', 'note.txt', 'more/c.yaml']) writeFileSync(join(dir, 'rules', name), name)
    const names = (rules: string) =>
      load(`${good}rules: ${rules}\n`).ruleDocuments.map(({ file }) => file.slice(dir.length + 7))
    expect(names('[./rules/*.yaml, rules/a.yaml]')).toEqual(['a.yaml', 'b.yaml'])
    expect(names('["rules/**/*.yaml"]')).toEqual(['a.yaml', 'b.yaml', 'more/c.yaml'])
    expect(names('["elsewhere/*.yaml"]')).toEqual([])
    expect(load(`${good}rules: [rules/a.yaml]\n`).ruleDocuments[0]?.text).toBe('a.yaml')
  })
})

describe('secrets written into the file', () => {
  const text = good.replace('${MAIL_TOKEN}', 'very-secret-token')
  test('are warned about, with their place and without their value', () => {
    const { warnings } = load(`${text}mail: {smtp: "smtps://ana:hunter22@mx.example.com", from: a@b.example}\n`)
    expect(warnings.map(({ path }) => path)).toEqual(['/destinations/mail/settings/token', '/mail/smtp'])
    expect(warnings[0]?.message).toContain('anuente.yaml:18:75 destinations.mail.settings.token')
    expect(JSON.stringify(warnings)).not.toMatch(/very-secret|hunter22/)
  })
  test('are fine in a simulation', () => expect(load(`${text}simulated: true\n`).warnings).toEqual([]))
})

describe('a mistake names its place and what to do', () => {
  test.each([
    [
      'an unknown key',
      good.replace('organization: {name', 'organization: {naem: x, name'),
      'anuente.yaml:1:16 organization.naem: unknown key "naem". Did you mean name?',
    ],
    ['a missing key', good.replace('    basis: consent\n', ''), 'anuente.yaml:11:3 purposes.news.basis: is missing'],
    [
      'a wrong choice',
      good.replace('basis: consent', 'basis: permission'),
      'anuente.yaml:12:5 purposes.news.basis: must be one of: consent, legal_obligation',
    ],
    ['a wrong type', `${good}server: {port: many}\n`, 'server.port: must be an integer'],
    [
      'an unknown connector',
      good.replace('connector: shopfront', 'connector: shopfrnt'),
      'anuente.yaml:3:10 sources.site.connector: unknown source connector "shopfrnt". Did you mean shopfront?',
    ],
    [
      'an unknown setting',
      good.replace('{writeKey: wk_site', '{writekey: wk, writeKey: wk_site'),
      'sources.site.settings.writekey: unknown key "writekey". Did you mean writeKey?',
    ],
    [
      'a missing setting',
      good.replace('{writeKey: wk_site}', '{}'),
      'anuente.yaml:3:32 sources.site.settings.writeKey: is missing',
    ],
    [
      'an unknown purpose',
      good.replace('email_marketing: news', 'email_marketing: newz'),
      'destinations.mail.purposes.email_marketing: unknown purpose "newz". Did you mean news?',
    ],
    [
      'an unknown action',
      good.replace('purposes: {', 'actions: [upsret], purposes: {'),
      'unknown action of mailer "upsret". Did you mean upsert?',
    ],
    ['a bad instance name', good.replace('  site:', '  Site!:'), 'sources.Site!: is not a valid name'],
    [
      'a missing variable',
      good.replace('MAIL_TOKEN', 'MAIL_TOKN'),
      'anuente.yaml:18:75 destinations.mail.settings.token: the environment variable MAIL_TOKN is not set',
    ],
    ['a missing secret file', good.replace('MAIL_TOKEN', 'file:absent.txt'), 'absent.txt cannot be read (ENOENT)'],
    ['a missing rule file', `${good}rules: [rules/none.yaml]\n`, 'rules.0: this file does not exist'],
    ['broken YAML', good.replace('[collect]', '[collect'), 'is not valid YAML'],
    [
      'a key twice',
      `${good}organization: {name: again}\n`,
      'anuente.yaml:19:1 is not valid YAML: the same key stands twice',
    ],
    [
      'an unknown time zone',
      good.replace('Exemplo}', 'Exemplo, timezone: Sao_Paulo}'),
      'organization.timezone: is not an IANA time zone',
    ],
    [
      'a CNPJ whose check digits do not fit',
      good.replace('Exemplo}', 'Exemplo, cnpj: 12.345.678/0001-00}'),
      'organization.cnpj: is no CNPJ',
    ],
    [
      'one key for two sources',
      good.replace('purposes:\n', '  other: {connector: shopfront, settings: {writeKey: wk_site}}\npurposes:\n'),
      'has the same key as source site',
    ],
    ['a source and a destination of one name', good.replace('  mail:', '  site:'), 'is also the name of a source'],
  ])('%s', (_, text, message) => expect(failure(text).message).toContain(message))

  test('an empty variable counts as missing', () => {
    expect(failure(good, { MAIL_TOKEN: '' }).message).toContain('the environment variable MAIL_TOKEN is empty')
  })
  test('a file that is not there', () => {
    expect(() => loadConfig(join(dir, 'none.yaml'), { registry })).toThrow(/none.yaml does not exist.*anuente init/)
  })
  test('all mistakes are told at once, the first as path', () => {
    const error = failure(good.replace('basis: contract', 'basis: x').replace('scope: person', 'scope: y'))
    expect(error.message.split('\n')).toHaveLength(2)
    expect(error.path).toBe('/purposes/orders/basis')
  })
})

test('no error carries the value of a setting', () => {
  const value = fc.stringMatching(/^[a-z]{3}[A-Z0-9]{9,20}$/)
  fc.assert(
    fc.property(
      value,
      fc.constantFrom(
        'secret: V',
        'limit: V',
        'strict: V',
        'writeKey: [V]',
        'secret: "V',
        'secret: {V: V}',
        'secret: *V',
      ),
      (secret, setting) => {
        const text = good
          .replace('writeKey: wk_site', setting.replaceAll('V', secret))
          .replace('basis: consent', 'basis: nothing')
        expect(failure(text).message).not.toContain(secret)
      },
    ),
    { numRuns: cases(60) },
  )
})
