import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { afterEach, describe, expect, it } from 'vitest'
import { createTransport } from '../../core/kit/transport.ts'
import {
  destinationContract,
  GIVEN,
  itemsOf,
  plainHttp,
  runAction,
  settingsOf,
  track,
} from '../../core/testing/index.ts'
import smtp from './destination.ts'
import sandbox from './sandbox.ts'
import { writeMail } from './templates.ts'

const settings = sandbox.settings('')
const cart = track({
  name: 'Cart Abandoned',
  traits: { email: 'maria.souza@example.com', firstName: 'Maria' },
  properties: { product: 'Tênis <42>' },
})
const headers = {
  'List-Unsubscribe': `<${GIVEN.links.stop}>`,
  'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
  'X-Anuente-Delivery': 'delivery-1',
}

destinationContract(smtp, {
  settings,
  sandbox,
  examples: [
    {
      title: 'a template becomes a mail with one-click unsubscribe',
      action: 'sendEmail',
      given: cart,
      with: { template: 'carrinho' },
      sends: {
        method: 'POST',
        path: '/',
        headers: { 'smtp-user': 'hub', 'smtp-tls': 'required' },
        body: {
          from: 'Loja Exemplo <ola@loja.example>',
          to: 'maria.souza@example.com',
          subject: 'Maria, seu carrinho espera',
          text: `Olá Maria, faltou Tênis <42>.\nParar: ${GIVEN.links.stop}\nPor quê: ${GIVEN.links.why}`,
          html: `<p>Olá Maria</p><a href="${GIVEN.links.stop}">Parar</a> <a href="${GIVEN.links.why}">Por quê?</a>`,
          headers,
          messageId: '<delivery-1@loja.example>',
        },
      },
    },
    {
      title: 'the rule may write the mail itself; the links are added below',
      action: 'sendServiceEmail',
      given: cart,
      with: { subject: 'Pedido {{ properties.product }}', text: 'Recebemos, {{ name }}.' },
      settings: { port: 465, replyTo: 'sac@loja.example' },
      sends: {
        method: 'POST',
        path: '/',
        body: {
          from: 'Loja Exemplo <ola@loja.example>',
          replyTo: 'sac@loja.example',
          to: 'maria.souza@example.com',
          subject: 'Pedido Tênis <42>',
          text: `Recebemos, Maria.\n\n--\nParar de receber: ${GIVEN.links.stop}\nPor que recebi isto? ${GIVEN.links.why}\n`,
          headers,
          messageId: '<delivery-1@loja.example>',
        },
      },
    },
  ],
})

describe('smtp: templates', () => {
  const values = (name: string) => ({ name, links: {} })

  it('no name brings HTML into a mail, nor a line break into a subject', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        const mail = writeMail({ subject: 'Olá {{ name }}', text: '{{ name }}', html: '{{ name }}' }, values(name))
        expect(mail.subject).not.toMatch(/[\r\n]/)
        expect(mail.html).not.toMatch(/[<>"]/)
        expect(mail.text).toBe(name)
      }),
    )
  })

  it.each([
    [{ template: 'nenhum' }, 'the settings have no template of this name'],
    [{ template: 'constructor' }, 'the settings have no template of this name'],
    [{}, 'the rule names no template and sets no subject and text'],
    [{ subject: 'x', text: '{% include "/etc/hostname" %}' }, 'the text template does not render'],
    [{ subject: '{{ missing }}', text: 'x' }, 'the subject is empty'],
  ])('%j is refused before anything is sent', async (given, reason) => {
    const items = itemsOf(smtp, { action: 'sendEmail', given: cart, with: given })
    const { results, requests } = await runAction(smtp, 'sendEmail', items, {
      settings,
      transport: () => expect.unreachable('nothing may leave'),
    })
    expect(results).toEqual([{ status: 'rejected', reason }])
    expect(requests).toEqual([])
  })

  it('check names templates that are no Liquid, and those without links', async () => {
    const check = async (text: string) => {
      const checked = settingsOf(smtp, { ...settings, templates: { a: { subject: 's', text } } })
      const http = plainHttp(smtp, checked, async () => ({ status: 200, headers: {}, text: '', json: undefined }))
      return smtp.check({ http, settings: checked as never, now: new Date(GIVEN.now) })
    }
    expect(await check('{% if %')).toMatchObject({ ok: false, detail: 'Not valid Liquid: a.text.' })
    expect(await check('Olá')).toMatchObject({ ok: true, warnings: [expect.stringContaining('Template a')] })
  })
})

describe('smtp: against a mail server', () => {
  let server: SMTPServer | undefined
  let transport: ReturnType<typeof createTransport> | undefined
  afterEach(async () => {
    await transport?.close()
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
    server = undefined
  })
  const texts: string[] = []
  async function listen(options: SMTPServerOptions = {}, allowPrivate = ['127.0.0.1']) {
    texts.length = 0
    server = new SMTPServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: (auth, _, callback) =>
        auth.password === settings['password']
          ? callback(null, { user: 'hub' })
          : callback(new Error('wrong password')),
      onData(stream, _, callback) {
        let text = ''
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        stream.on('end', () => {
          texts.push(text)
          callback()
        })
      },
      ...options,
    })
    server.on('error', () => {})
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
    const { port } = server.server.address() as AddressInfo
    transport = createTransport({ allowPrivate, timeoutMs: 2000, hosts: [`127.0.0.1:${port}`] })
    return { ...settings, host: '127.0.0.1', port, tls: 'optional' }
  }
  const send = async (own: Record<string, unknown>) => {
    const items = itemsOf(smtp, { action: 'sendEmail', given: cart, with: { template: 'carrinho' } })
    return (await runAction(smtp, 'sendEmail', items, { settings: own, transport: transport! })).results[0]
  }

  it('delivers a mail with both headers, and check logs in without sending', async () => {
    const own = await listen()
    const checked = settingsOf(smtp, own)
    const http = plainHttp(smtp, checked, transport!)
    expect(await smtp.check({ http, settings: checked as never, now: new Date(GIVEN.now) })).toMatchObject({ ok: true })
    expect(texts).toEqual([])
    expect(await send(own)).toEqual({ status: 'delivered', answer: '250' })
    const [text = ''] = texts
    expect(text).toContain(`List-Unsubscribe: <${GIVEN.links.stop}>`)
    expect(text).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click')
    expect(text).toContain('Message-ID: <delivery-1@loja.example>')
  })

  it('a wrong password is for the operator', async () => {
    const own = await listen()
    expect(await send({ ...own, password: 'wrong' })).toMatchObject({ status: 'authentication' })
  })

  it.each([
    [550, { status: 'rejected', reason: 'the SMTP server refuses this message (550)' }],
    [451, { status: 'retry', reason: 'the SMTP server did not take it (451)' }],
  ])('a recipient refused with %i', async (responseCode, outcome) => {
    const own = await listen({
      onRcptTo: (_, __, callback) => callback(Object.assign(new Error('no'), { responseCode })),
    })
    expect(await send(own)).toEqual(outcome)
  })

  it('an unencrypted connection is refused unless the settings say otherwise', async () => {
    const own = await listen()
    expect(await send({ ...own, tls: 'required' })).toMatchObject({ status: expect.stringMatching(/retry|rejected/) })
    expect(texts).toEqual([])
  })

  it('a server on a private network needs network.allow', async () => {
    const own = await listen({}, [])
    expect(await send(own)).toMatchObject({ status: 'rejected', reason: expect.stringContaining('network.allow') })
    expect(texts).toEqual([])
  })
})

describe('smtp: bounces and complaints', () => {
  const feedback = 'receive' in smtp.feedback ? smtp.feedback.receive! : expect.unreachable('it listens')
  const own = { ...settings, feedbackToken: 'bounce-token-0123456789' } as never
  const request = (mail: string, token = 'bounce-token-0123456789') => ({
    method: 'POST',
    path: '/in/correio',
    query: {},
    headers: { authorization: `Bearer ${token}` },
    body: Buffer.from(mail),
    receivedAt: GIVEN.now,
  })
  const report = (action: string, status: string, returned: string) =>
    [
      'From: MAILER-DAEMON@mx.example',
      'Message-ID: <report-1@mx.example>',
      'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
      '',
      '--b',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.example',
      '',
      'Final-Recipient: rfc822;',
      ' Maria.Souza@example.com',
      `Action: ${action}`,
      `Status: ${status}`,
      'Diagnostic-Code: smtp; 550 no such user',
      '',
      '--b',
      'Content-Type: text/rfc822-headers',
      '',
      returned,
      '--b--',
    ].join('\r\n')
  const identifiers = [{ type: 'email', value: 'maria.souza@example.com' }]

  it('is believed with the token alone', () => {
    expect(feedback.verify(request(''), own)).toBe(true)
    expect(feedback.verify(request('', 'bounce-token-0123456780'), own)).toBe('BAD_SIGNATURE')
    expect(feedback.verify(request('', ''), settings as never)).toBe('BAD_SIGNATURE')
  })

  it.each([
    ['by its header', 'X-Anuente-Delivery: delivery-1'],
    ['by its Message-ID', 'Message-ID: <delivery-1@loja.example>'],
  ])('a bounce names its delivery %s', (_, returned) => {
    expect(feedback.read(request(report('failed', '5.1.1', returned)), own)).toEqual([
      { kind: 'bounced', channel: 'email', deliveryId: 'delivery-1', identifiers },
    ])
  })

  it('a delay says nothing, nor does a holiday notice; a bounce without the mail names the person', () => {
    expect(feedback.read(request(report('delayed', '4.4.1', '')), own)).toEqual([])
    expect(feedback.read(request('From: ana@example.com\r\nSubject: Férias\r\n\r\nVolto em dezembro.'), own)).toEqual(
      [],
    )
    expect(feedback.read(request(report('failed', '5.2.2', '')), own)).toEqual([
      { kind: 'bounced', channel: 'email', identifiers },
    ])
  })

  it('a report of abuse is a complaint', () => {
    const arf = [
      'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
      '',
      '--b',
      'Content-Type: message/feedback-report',
      '',
      'Feedback-Type: abuse',
      'Original-Rcpt-To: <maria.souza@example.com>',
      '--b',
      'X-Anuente-Delivery: delivery-1',
    ].join('\n')
    expect(feedback.read(request(arf), own)).toEqual([
      { kind: 'complained', channel: 'email', deliveryId: 'delivery-1', identifiers },
    ])
  })

  it('what is no mail is refused, and no mail breaks the reader', () => {
    expect(() => feedback.read(request('ç'), own)).toThrow('as it came')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        for (const { kind } of feedback.read(request(`Subject: x\n${text}`), own))
          expect(['bounced', 'complained', 'delivered']).toContain(kind)
      }),
    )
  })
})
