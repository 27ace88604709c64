import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { afterEach, expect, test } from 'vitest'
import { ConfigError } from './errors.ts'
import { createMailer, type Mailer } from './smtp.ts'

let server: SMTPServer | undefined
let mailer: Mailer | undefined
afterEach(async () => {
  mailer?.close()
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
  server = undefined
})

async function listen(
  options: SMTPServerOptions = {},
  credentials = 'hub:right-password@',
): Promise<{ mailer: Mailer; texts: string[]; recipients: string[] }> {
  const texts: string[] = []
  const recipients: string[] = []
  server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: (auth, _, callback) =>
      auth.password === 'right-password'
        ? callback(null, { user: auth.username ?? '' })
        : callback(new Error('no such user')),
    onData(stream, session, callback) {
      let text = ''
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      stream.on('end', () => {
        texts.push(text)
        recipients.push(...session.envelope.rcptTo.map(({ address }) => address))
        callback()
      })
    },
    ...options,
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  mailer = createMailer(
    { smtp: `smtp://${credentials}127.0.0.1:${port}`, from: 'Loja Exemplo <privacidade@loja.example>' },
    2000,
  )
  return { mailer, texts, recipients }
}
const mail = {
  to: 'ana@example.com',
  subject: 'Olá, Ana',
  text: 'Seu carrinho está esperando.',
  html: '<p>Seu carrinho está esperando.</p>',
  headers: { 'List-Unsubscribe': '<https://hub.example/p>' },
  messageId: '<d1@hub.example>',
}
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('the server took it'),
    (error: unknown) => error as Error,
  )

test('verifies and sends what it is given', async () => {
  const { mailer, texts, recipients } = await listen()
  await mailer.verify()
  expect(await mailer.send(mail)).toEqual({ answer: '250', messageId: '<d1@hub.example>' })
  expect(recipients).toEqual(['ana@example.com'])
  expect(texts[0]).toContain('List-Unsubscribe: <https://hub.example/p>')
  expect(texts[0]).toContain('Message-ID: <d1@hub.example>')
  expect(texts[0]).toContain('From: Loja Exemplo <privacidade@loja.example>')
})

test('wrong credentials are an authentication error without the password', async () => {
  const { mailer } = await listen({}, 'hub:wrong-password@')
  for (const error of [await failure(mailer.verify()), await failure(mailer.send(mail))]) {
    expect(error.name).toBe('AuthenticationError')
    expect(error.message).toBe('the SMTP server refuses the credentials (535)')
  }
})

test.each([
  [550, 'RejectedError'],
  [451, 'RetryableError'],
])('a recipient refused with %i is a %s, and the address stays out of it', async (responseCode, name) => {
  const { mailer } = await listen({
    onRcptTo: (address, _, callback) =>
      callback(Object.assign(new Error(`${address.address} unknown`), { responseCode })),
  })
  const error = await failure(mailer.send(mail))
  expect(error).toMatchObject({ name })
  expect(error.message).toContain(String(responseCode))
  expect(error.message).not.toContain('ana@')
})

test('nobody listens: retryable, certain that nothing was sent', async () => {
  const { mailer } = await listen()
  await new Promise<void>((resolve) => server?.close(() => resolve()))
  server = undefined
  expect(await failure(mailer.verify())).toMatchObject({ name: 'RetryableError', uncertain: false })
})

test('an address that is no SMTP server is a configuration error without the address', () => {
  for (const smtp of ['mx.example.com:hunter22', 'https://u:hunter22@mx.example.com']) {
    expect(() => createMailer({ smtp, from: 'a@b.example' })).toThrow(ConfigError)
    expect(() => createMailer({ smtp, from: 'a@b.example' })).not.toThrow(/hunter22/)
  }
})
