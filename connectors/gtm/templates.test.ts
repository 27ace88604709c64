import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { SourceEvent } from '../../core/kit/index.ts'
import { eventsOf, rawRequest } from '../../core/testing/source-contract.ts'
import gtm from './source.ts'
import {
  type Api,
  fire,
  PERMISSION_OF,
  pageOf,
  runScenario,
  type Scenario,
  sectionsOf,
} from './templates/emulation.fixture.ts'

interface Parameter {
  readonly type: string
  readonly name: string
  readonly subParams?: readonly Parameter[]
}
interface Value {
  readonly string?: string
  readonly listItem?: readonly Value[]
  readonly mapKey?: readonly Value[]
  readonly mapValue?: readonly Value[]
}
interface Permission {
  readonly instance: {
    readonly key: { readonly publicId: string }
    readonly param: readonly { readonly key: string; readonly value: Value }[]
  }
}

const load = (file: string) => readFileSync(new URL(`./templates/${file}`, import.meta.url), 'utf8')
const templates = [
  { file: 'web.tpl', context: 'WEB', code: 'SANDBOXED_JS_FOR_WEB_TEMPLATE', permissions: 'WEB_PERMISSIONS' },
  { file: 'server.tpl', context: 'SERVER', code: 'SANDBOXED_JS_FOR_SERVER', permissions: 'SERVER_PERMISSIONS' },
] as const
const codeOf = (file: 'web.tpl' | 'server.tpl') =>
  sectionsOf(load(file)).get(templates.find((template) => template.file === file)!.code)!

/** What the sandbox's language lacks. https://developers.google.com/tag-platform/tag-manager/templates/sandboxed-javascript */
const ABSENT = new Set([
  ts.SyntaxKind.ClassDeclaration,
  ts.SyntaxKind.ClassExpression,
  ts.SyntaxKind.NewExpression,
  ts.SyntaxKind.ThisKeyword,
  ts.SyntaxKind.RegularExpressionLiteral,
  ts.SyntaxKind.DeleteExpression,
  ts.SyntaxKind.AwaitExpression,
  ts.SyntaxKind.YieldExpression,
  ts.SyntaxKind.SpreadElement,
  ts.SyntaxKind.SpreadAssignment,
  ts.SyntaxKind.ShorthandPropertyAssignment,
  ts.SyntaxKind.ObjectBindingPattern,
  ts.SyntaxKind.ArrayBindingPattern,
  ts.SyntaxKind.TemplateExpression,
  ts.SyntaxKind.NoSubstitutionTemplateLiteral,
  ts.SyntaxKind.TaggedTemplateExpression,
  ts.SyntaxKind.ForOfStatement,
  ts.SyntaxKind.TryStatement,
  ts.SyntaxKind.ThrowStatement,
  ts.SyntaxKind.WithStatement,
  ts.SyntaxKind.DebuggerStatement,
  ts.SyntaxKind.ImportDeclaration,
  ts.SyntaxKind.ExportDeclaration,
  ts.SyntaxKind.QuestionDotToken,
  ts.SyntaxKind.QuestionQuestionToken,
  ts.SyntaxKind.AsteriskAsteriskToken,
  ts.SyntaxKind.AsyncKeyword,
])

function nodesOf(source: ts.SourceFile): ts.Node[] {
  const found: ts.Node[] = []
  const walk = (node: ts.Node) => {
    found.push(node)
    ts.forEachChild(node, walk)
  }
  walk(source)
  return found
}

/** What the code does that the sandbox would not take, in words; empty when it fits. */
function foreignTo(code: string, globals: readonly string[]): string[] {
  const { diagnostics } = ts.transpileModule(code, { reportDiagnostics: true, fileName: 'code.js' })
  const nodes = nodesOf(ts.createSourceFile('code.js', code, ts.ScriptTarget.ES2015, true, ts.ScriptKind.JS))
  const declared = new Set(globals)
  for (const node of nodes)
    if ((ts.isVariableDeclaration(node) || ts.isParameter(node)) && ts.isIdentifier(node.name))
      declared.add(node.name.text)
  const isName = (node: ts.Identifier) =>
    (ts.isPropertyAccessExpression(node.parent) && node.parent.name === node) ||
    (ts.isPropertyAssignment(node.parent) && node.parent.name === node)
  return [
    ...(diagnostics ?? []).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')),
    ...nodes.filter(({ kind }) => ABSENT.has(kind)).map(({ kind }) => ts.SyntaxKind[kind]),
    ...nodes
      .filter(
        (node) =>
          (ts.isParameter(node) && (node.initializer || node.dotDotDotToken)) || ts.isComputedPropertyName(node),
      )
      .map((node) => node.getText()),
    ...nodes
      .filter((node) => ts.isIdentifier(node) && !isName(node) && !declared.has(node.text))
      .map((node) => node.getText()),
  ]
}

const requiredBy = (code: string): string[] => [...code.matchAll(/require\('(\w+)'\)/g)].map(([, name]) => name!)

describe.each(templates)('$file', ({ file, context, code: codeName, permissions: permissionsName }) => {
  const sections = sectionsOf(load(file))
  const code = sections.get(codeName)!
  const parameters = JSON.parse(sections.get('TEMPLATE_PARAMETERS')!) as Parameter[]
  const permissions = JSON.parse(sections.get(permissionsName)!) as Permission[]
  const permission = (id: string) => permissions.find(({ instance }) => instance.key.publicId === id)!.instance.param
  const tests = parse(sections.get('TESTS')!) as { scenarios: Scenario[]; setup: string }

  it('has the sections of an export, in their order', () => {
    expect([...sections.keys()]).toEqual([
      'TERMS_OF_SERVICE',
      'INFO',
      'TEMPLATE_PARAMETERS',
      codeName,
      permissionsName,
      'TESTS',
      'NOTES',
    ])
    expect([...sections].filter(([, content]) => content === '')).toEqual([])
    expect(sections.get('TERMS_OF_SERVICE')).toMatch(
      /^By creating or modifying this file you agree to Google Tag Manager's/,
    )
    expect(JSON.parse(sections.get('INFO')!)).toMatchObject({
      type: 'TAG',
      id: 'cvt_temp_public_id',
      version: 1,
      securityGroups: [],
      containerContexts: [context],
    })
  })

  it("is written in the sandbox's language", () => {
    expect(foreignTo(code, ['require', 'data', 'undefined'])).toEqual([])
  })

  it('asks for the permission of every API it requires, and for no other', () => {
    const required = requiredBy(code)
    expect(required).toHaveLength(new Set(required).size)
    expect(required.filter((name) => !Object.hasOwn(PERMISSION_OF[context], name))).toEqual([])
    const needed = required.map((name) => PERMISSION_OF[context][name]).filter((id) => id !== undefined)
    expect(permissions.map(({ instance }) => instance.key.publicId).toSorted()).toEqual([...new Set(needed)].toSorted())
    // Each one is used, too.
    expect(required.filter((name) => code.split(new RegExp(`\\b${name}\\b`)).length < 4)).toEqual([])
  })

  it('reads every field it shows, and no other', () => {
    const flat = (list: readonly Parameter[]): string[] =>
      list.flatMap(({ type, name, subParams }) =>
        type === 'GROUP' ? flat(subParams!) : type === 'LABEL' ? [] : [name],
      )
    const read = [...code.matchAll(/\bdata\.(\w+)/g)]
      .map(([, name]) => name!)
      .filter((name) => !name.startsWith('gtmOn'))
    expect([...new Set(read)].toSorted()).toEqual(flat(parameters).toSorted())
  })

  it.each(tests.scenarios)('passes its own test: $name', (scenario) => {
    const page = pageOf({ url: 'https://loja.example/', dataLayer: {}, consent: new Map(), analytics: {} })
    runScenario(code, tests.setup, scenario, context === 'WEB' ? page.api : {})
  })

  if (context === 'WEB')
    it('may read the four signals and the two keys it reads, and write none', () => {
      const types = permission('access_consent')[0]!.value.listItem!.map(({ mapKey, mapValue }) =>
        Object.fromEntries(mapKey!.map(({ string }, index) => [string, mapValue![index]])),
      )
      const one = (name: string) => ({
        consentType: { type: 1, string: name },
        read: { type: 8, boolean: true },
        write: { type: 8, boolean: false },
      })
      expect(types).toEqual(['ad_storage', 'analytics_storage', 'ad_user_data', 'ad_personalization'].map(one))
      const keys = permission('read_data_layer').find(({ key }) => key === 'keyPatterns')!.value.listItem!
      const read = [...code.matchAll(/copyFromDataLayer\('(\w+)'/g)].map(([, name]) => name)
      expect(keys.map(({ string }) => string)).toEqual(['event', 'ecommerce'])
      expect(read.toSorted()).toEqual(['ecommerce', 'event'])
    })
})

it('recognises code the sandbox would not take', () => {
  for (const code of [
    'new Thing()',
    'const a = /x/',
    'this.a',
    'class A {}',
    'window.x = 1',
    'delete data.a',
    'const = 1',
  ])
    expect(foreignTo(code, ['data']), code).not.toEqual([])
})

it('the gallery metadata names addresses and a commit for each version', () => {
  const { homepage, documentation, versions } = parse(load('metadata.yaml')) as {
    homepage: string
    documentation: string
    versions: { sha: string; changeNotes: string }[]
  }
  expect([homepage, documentation].map((address) => new URL(address).protocol)).toEqual(['https:', 'https:'])
  expect(versions.length).toBeGreaterThan(0)
  for (const { sha, changeNotes } of versions) {
    expect(sha).toMatch(/^[0-9a-f]{40}$/)
    expect(changeNotes).not.toBe('')
  }
})

describe('the web tag against the source', () => {
  const code = codeOf('web.tpl')
  const settings = { measurementId: 'G-ABC123' }
  const fields = {
    hubUrl: 'https://hub.loja.example/',
    measurementId: 'G-ABC123',
    sendEcommerce: true,
    sendDenied: false,
    defaultAdStorage: 'unknown',
    defaultAnalyticsStorage: 'unknown',
    defaultAdUserData: 'unknown',
    defaultAdPersonalization: 'unknown',
  }
  const SIGNALS = ['ad_storage', 'analytics_storage', 'ad_user_data', 'ad_personalization']
  const all = (answer: 'granted' | 'denied') => Object.fromEntries(SIGNALS.map((name) => [name, answer]))
  const deniedFirst = {
    ...fields,
    defaultAdStorage: 'denied',
    defaultAnalyticsStorage: 'denied',
    defaultAdUserData: 'denied',
    defaultAdPersonalization: 'denied',
  }
  const layer = {
    event: 'purchase',
    ecommerce: {
      transaction_id: 'P-1',
      value: 21,
      currency: 'BRL',
      items: [{ item_id: 'SKU1', item_name: 'Camiseta ~ Ação', price: 10.5, quantity: 2, tamanho: 'M' }],
    },
  }
  const open = (consent: Readonly<Record<string, 'granted' | 'denied'>>, dataLayer: Api = layer) => {
    const ended: string[] = []
    const page = pageOf({
      url: 'https://loja.example/obrigado?utm_source=news',
      dataLayer,
      consent: new Map(Object.entries(consent)),
      analytics: { client_id: '11.22' },
    })
    const tag = (data: Api) =>
      fire(
        code,
        { ...data, gtmOnSuccess: () => ended.push('success'), gtmOnFailure: () => ended.push('failure') },
        page.api,
      )
    const events = (): SourceEvent[] =>
      page.sent.flatMap((text) => {
        const url = new URL(text)
        expect(url.origin).toBe('https://hub.loja.example')
        const request = rawRequest({ method: 'GET', path: url.pathname, query: Object.fromEntries(url.searchParams) })
        expect(gtm.verify(request, settings)).toBe(true)
        return eventsOf(gtm.normalize(request, settings))
      })
    return { ...page, tag, events, ended }
  }
  const consentIn = (events: readonly SourceEvent[]) =>
    events.map(({ consent }) => consent?.map(({ actor, answers }) => ({ actor, answers })))
  const answers = (answer: 'granted' | 'denied', flags?: 'preticked') =>
    Object.fromEntries(SIGNALS.map((name) => [name, { answer, ...(flags && { flags: [flags] }) }]))

  it('granted: the order with its items, and consent of the person where the site begins with no', () => {
    const page = open(all('granted'))
    page.tag({ ...deniedFirst, userId: 'u-1', parameters: [{ name: 'loja', value: 'Recife' }] })
    expect(page.ended).toEqual(['success'])
    const [order] = page.events()
    expect(order).toMatchObject({
      type: 'track',
      name: 'Order Completed',
      originalName: 'purchase',
      identifiers: [
        { type: 'userId', value: 'u-1' },
        { type: 'ga_client_id', value: '11.22' },
      ],
      properties: {
        order_id: 'P-1',
        value: 21,
        total: 21,
        revenue: 21,
        currency: 'BRL',
        loja: 'Recife',
        products: [{ product_id: 'SKU1', name: 'Camiseta ~ Ação', price: 10.5, quantity: 2, tamanho: 'M' }],
      },
      context: {
        page: { url: 'https://loja.example/obrigado?utm_source=news', title: 'Loja' },
        campaign: { source: 'news' },
      },
    })
    expect(consentIn(page.events())).toEqual([[{ actor: 'subject', answers: answers('granted') }]])
  })

  it('denied: nothing is sent unless asked, and then as the default it is', () => {
    const page = open(all('denied'))
    page.tag(deniedFirst)
    expect(page.sent).toEqual([])
    page.tag({ ...deniedFirst, sendDenied: true })
    expect(page.ended).toEqual(['success', 'success'])
    expect(consentIn(page.events())).toEqual([[{ actor: 'system', answers: answers('denied', 'preticked') }]])
  })

  it('denied where the site begins with yes is the answer of the person', () => {
    const page = open({ ...all('granted'), ad_storage: 'denied' })
    page.tag({ ...fields, defaultAdStorage: 'granted', defaultAdUserData: 'granted' })
    expect(consentIn(page.events())).toEqual([
      [
        {
          actor: 'subject',
          answers: { ad_storage: { answer: 'denied' }, ad_user_data: { answer: 'granted', flags: ['preticked'] } },
        },
      ],
    ])
  })

  it('unset: the sandbox says granted, the hub hears nothing', () => {
    const page = open({})
    page.tag(fields)
    expect(page.events()).toHaveLength(1)
    expect(consentIn(page.events())).toEqual([undefined])
  })

  it('a banner answered on the page is one statement, and what follows carries it', () => {
    const page = open(all('denied'), { event: 'gtm.js' })
    page.tag(fields)
    page.update(all('granted'))
    page.tag(fields)
    page.update(all('denied'))
    const events = page.events()
    expect(events.map(({ type, name }) => name ?? type)).toEqual(['Consent Updated', 'page', 'Consent Updated'])
    expect(consentIn(events)).toEqual([
      [{ actor: 'subject', answers: answers('granted') }],
      [{ actor: 'subject', answers: answers('granted') }],
      [{ actor: 'subject', answers: answers('denied') }],
    ])
    expect(events.map(({ identifiers }) => identifiers[0]?.value)).toEqual(['11.22', '11.22', '11.22'])
    expect(new Set(events.map(({ messageId }) => messageId)).size).toBe(3)
  })

  it('contact data goes hashed, and only where the person agreed to it', () => {
    const userData = { email_address: ' Ana@Loja.example ', phone_number: '+5581999990000' }
    const agreed = open(all('granted'))
    agreed.tag({ ...deniedFirst, userData })
    const unasked = open({})
    unasked.tag({ ...fields, userData })
    expect(agreed.sent.concat(unasked.sent).filter((url) => /loja\.example%20|ana%40|ana@|99999/i.test(url))).toEqual(
      [],
    )
    const hash = (text: string) => createHash('sha256').update(text).digest('hex')
    expect(agreed.events()[0]?.context).toMatchObject({
      userData: {
        sha256_email_address: hash('ana@loja.example'),
        sha256_phone_number: hash('+5581999990000'),
      },
    })
    expect(unasked.events()[0]?.context).not.toHaveProperty('userData')
  })

  it('items that do not fit are counted, and the order keeps its value', () => {
    const items = Array.from({ length: 300 }, (_, index) => ({
      item_id: `SKU${index}`,
      item_name: 'Camiseta',
      price: 1,
    }))
    const page = open({}, { event: 'purchase', ecommerce: { ...layer.ecommerce, value: 300, items } })
    page.tag(fields)
    expect(page.sent[0]!.length).toBeLessThan(8_100)
    const properties = page.events()[0]!.properties as { products: unknown[]; items_omitted: number; value: number }
    expect(properties.products.length).toBeGreaterThan(50)
    expect(properties.products.length + properties.items_omitted).toBe(300)
    expect(properties.value).toBe(300)
  })

  it('the order left in the data layer does not go along with what comes after it', () => {
    const page = open({}, { ...layer, event: 'newsletter_signup' })
    page.tag(fields)
    expect(page.events()[0]).toMatchObject({ name: 'newsletter_signup', properties: {} })
    expect(page.events()[0]!.properties).not.toHaveProperty('order_id')
  })
})

describe('the server tag against the source', () => {
  const code = codeOf('server.tpl')
  const settings = { measurementId: 'G-ABC123', token: 'token-da-camada' }
  const fields = { hubUrl: 'https://hub.loja.example', sourceId: 'tag', token: 'token-da-camada' }
  const received = {
    event_name: 'add_to_cart',
    client_id: '11.22',
    currency: 'BRL',
    value: 10.5,
    items: [{ item_id: 'SKU1', price: 10.5, quantity: 1 }],
    ip_override: '203.0.113.9',
    page_location: 'https://loja.example/p',
    user_data: { email_address: 'ana@loja.example' },
    'x-ga-page_id': 77,
    'x-ga-request_count': 3,
    'x-ga-measurement_id': 'G-XYZ',
    'x-sst-system_properties': { request_start_time_ms: 1 },
  }
  async function run(data: Api, event: Api) {
    const ended: string[] = []
    const items: SourceEvent[] = []
    const sendHttpRequest = (
      address: string,
      options: { readonly method: string; readonly headers: Readonly<Record<string, string>> },
      body: string,
    ) => {
      const url = new URL(address)
      const request = rawRequest({ method: options.method, path: url.pathname, headers: options.headers, body })
      const verdict = gtm.verify(request, settings)
      if (verdict === true) items.push(...eventsOf(gtm.normalize(request, settings)))
      return Promise.resolve({ statusCode: verdict === true ? 200 : 401 })
    }
    fire(
      code,
      { ...data, gtmOnSuccess: () => ended.push('success'), gtmOnFailure: () => ended.push('failure') },
      { getAllEventData: () => event, sendHttpRequest },
    )
    await setImmediate()
    return { ended, items }
  }

  it.each([
    ['granted', '13r3r3r3r5l1', { actor: 'subject', answer: { answer: 'granted' } }],
    ['denied', '13q3q3q3q5l1', { actor: 'subject', answer: { answer: 'denied' } }],
    ['unset', '13l3l3l3l1l1', undefined],
  ])('%s: the event with its consent, without what nobody asked for', async (_, gcd, expected) => {
    const { ended, items } = await run(fields, { ...received, 'x-ga-gcd': gcd })
    expect(ended).toEqual(['success'])
    expect(items).toHaveLength(1)
    expect(items[0]).toMatchObject({
      name: 'Product Added',
      identifiers: [{ type: 'ga_client_id', value: '11.22' }],
      properties: { product_id: 'SKU1', price: 10.5, quantity: 1, value: 10.5, currency: 'BRL' },
    })
    expect(items[0]?.messageId).toMatch(/^ga4-/)
    expect(JSON.stringify(items)).not.toMatch(/203\.0\.113\.9|ana@|x-sst/)
    expect(items[0]?.consent?.map(({ actor, answers }) => ({ actor, answer: answers['ad_user_data'] }))).toEqual(
      expected && [expected],
    )
  })

  it('contact data and address go where they were asked for', async () => {
    const { items } = await run({ ...fields, sendUserData: true, sendIp: true }, received)
    expect(items[0]).toMatchObject({
      identifiers: [{ type: 'ga_client_id' }, { type: 'email', value: 'ana@loja.example' }],
      context: { ip: '203.0.113.9' },
    })
  })

  it('name and parameters of the tag win over those received', async () => {
    const { items } = await run(
      { ...fields, eventName: 'view_item', parameters: [{ name: 'loja', value: 'Recife' }] },
      received,
    )
    expect(items[0]).toMatchObject({ name: 'Product Viewed', properties: { loja: 'Recife' } })
  })

  it('a wrong token is a failure of the tag', async () => {
    const { ended, items } = await run({ ...fields, token: 'outro-token' }, received)
    expect(ended).toEqual(['failure'])
    expect(items).toEqual([])
  })
})
