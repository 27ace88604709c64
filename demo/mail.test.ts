import { createTransport } from 'nodemailer'
import { afterEach, expect, it } from 'vitest'
import { type Mail, type MailServer, startMailServer } from './mail.ts'
import { startVendors, type Vendors } from './vendors.ts'

let server: MailServer | undefined
let vendors: Vendors | undefined
afterEach(async () => {
  await server?.close()
  await vendors?.close()
})

it('reads what the hub writes, and shows it in the inbox', async () => {
  const taken: Mail[] = []
  vendors = await startVendors()
  server = await startMailServer(0, (mail) => {
    taken.push(mail)
    vendors?.noteMail(mail)
  })
  const transport = createTransport({ host: '127.0.0.1', port: server.port, ignoreTLS: true })
  const text = 'Olá! Seu código é\n\n123456\n\nEle vale 10 minutos — não o conte a ninguém.'
  await transport.sendMail({
    from: 'hub@loja.example',
    to: 'ana@cliente.example',
    subject: 'Código de verificação',
    text,
  })
  expect(taken.map(({ to, subject }) => [to, subject])).toEqual([[['ana@cliente.example'], 'Código de verificação']])
  expect(taken[0]!.text.replaceAll('\r\n', '\n')).toBe(text)
  const page = await (await fetch(`${vendors.origin}/_inbox?formato=html`)).text()
  expect(page).toContain('123456')
  expect(page).toContain('mail (1)')
  expect(page).not.toContain('salesforce')
})
