/** The demo's mail server: takes the hub's own mails (codes, answers) and delivers them to nobody. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'

export interface Mail {
  readonly to: readonly string[]
  readonly subject: string
  readonly text: string
}

export interface MailServer {
  readonly port: number
  close(): Promise<void>
}

/** @param port 0: any free one. */
export async function startMailServer(port: number, take: (mail: Mail) => void): Promise<MailServer> {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, session, done) {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        take({
          to: session.envelope.rcptTo.map(({ address }) => address),
          ...readMail(Buffer.concat(parts).toString()),
        })
        done()
      })
    },
  })
  server.listen(port, '127.0.0.1')
  await once(server.server, 'listening')
  return {
    port: (server.server.address() as AddressInfo).port,
    close: () => new Promise((done) => server.close(() => done())),
  }
}

/** Subject and text as far as the hub's own mails need it: one plain part, quoted-printable or as it stands. */
export function readMail(source: string): { subject: string; text: string } {
  const end = source.search(/\r?\n\r?\n/)
  const head = source.slice(0, end).replace(/\r?\n[ \t]+/g, ' ')
  const body = source.slice(end).trim()
  const subject = /^Subject: (.*)$/im.exec(head)?.[1] ?? ''
  return {
    subject: subject.replace(/=\?utf-8\?(q|b)\?([^?]*)\?=\s*/gi, (_, kind: string, text: string) =>
      kind.toLowerCase() === 'b'
        ? Buffer.from(text, 'base64').toString('utf8')
        : quotedPrintable(text.replaceAll('_', ' ')),
    ),
    text: /^Content-Transfer-Encoding: quoted-printable/im.test(head) ? quotedPrintable(body) : body,
  }
}

function quotedPrintable(text: string): string {
  const bytes = text
    .replace(/=\r?\n/g, '')
    .replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
