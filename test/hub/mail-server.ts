/** A real mail server that keeps what it is given. */
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'

export interface MailServer {
  readonly url: string
  readonly received: { readonly to: string; readonly text: string }[]
  /** The newest code sent to somebody. */
  code(to: string): Promise<string>
  close(): Promise<void>
}

export async function startMail(): Promise<MailServer> {
  const received: { to: string; text: string }[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, callback) {
      let text = ''
      stream.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      stream.on('end', () => {
        // Quoted-printable, as far as these texts need it.
        const plain = text
          .replace(/=\r?\n/g, '')
          .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
        for (const { address } of session.envelope.rcptTo) received.push({ to: address, text: plain })
        callback()
      })
    },
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const until = async <T>(find: () => T | undefined): Promise<T> => {
    for (let tries = 0; tries < 400; tries++) {
      const found = find()
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error('the mail did not come')
  }
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    received,
    code: (to) =>
      until(() => {
        const text = received.findLast((one) => one.to === to && /portal-|c=C3=B3digo|digo|code/.test(one.text))?.text
        return text && /^(\d{6})\r?$/m.exec(text)?.[1]
      }),
    close: () => new Promise((done) => server.close(() => done())),
  }
}
