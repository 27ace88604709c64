/** The only way mail leaves. Errors carry the SMTP reply code, never an address or the server's words. */
import { createTransport as createSmtp } from 'nodemailer'
import { AuthenticationError, ConfigError, RejectedError, RetryableError } from './errors.ts'
import { type HttpRequest, type HttpResponse, readResponse } from './http.ts'

export interface MailSettings {
  /** smtp://user:password@host:587 or smtps://user:password@host:465 */
  readonly smtp: string
  readonly from: string
  /** Refuse a connection that cannot be encrypted. */
  readonly requireTls?: boolean
  /** Connect to this IP address; the host's name is still what its certificate must say. */
  readonly address?: string
}

export interface Mail {
  readonly to: string
  /** Instead of the mailer's own. */
  readonly from?: string
  readonly replyTo?: string
  readonly subject: string
  readonly text: string
  readonly html?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Stable over every attempt, so that a mail system can recognise a copy. */
  readonly messageId?: string
}

export interface Mailer {
  /** Connects and logs in, sends nothing. @throws AuthenticationError, RetryableError */
  verify(): Promise<void>
  /** @returns the server's reply code. @throws AuthenticationError, RejectedError, RetryableError */
  send(mail: Mail): Promise<{ readonly answer: string; readonly messageId: string }>
  close(): void
}

/** @throws ConfigError when the address is not that of an SMTP server. */
export function createMailer({ smtp, from, requireTls, address }: MailSettings, timeoutMs = 15_000): Mailer {
  if (!URL.canParse(smtp) || !/^smtps?:$/.test(new URL(smtp).protocol))
    throw new ConfigError(
      'mail.smtp must look like smtp://user:password@host:587 or smtps://user:password@host:465',
      '/mail/smtp',
    )
  const timeouts = { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs }
  // Attachments and remote content are never used: file and URL access stay off.
  const carrier = createSmtp({
    ...(address === undefined ? { url: smtp } : addressed(new URL(smtp), address)),
    ...(requireTls && { requireTLS: true }),
    pool: true,
    maxConnections: 2,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...timeouts,
  })
  return {
    async verify() {
      try {
        await carrier.verify()
      } catch (error) {
        throw translate(error)
      }
    },
    async send({ to, from: own, replyTo, subject, text, html, headers, messageId }) {
      try {
        const sent = await carrier.sendMail({
          from: own ?? from,
          to,
          ...(replyTo !== undefined && { replyTo }),
          subject,
          text,
          ...(html !== undefined && { html }),
          ...(headers && { headers: { ...headers } }),
          ...(messageId !== undefined && { messageId }),
        })
        return { answer: String(sent.response).slice(0, 3), messageId: sent.messageId }
      } catch (error) {
        throw translate(error)
      }
    },
    close: () => carrier.close(),
  }
}

const addressed = (url: URL, address: string) => ({
  host: address,
  port: Number(url.port) || (url.protocol === 'smtps:' ? 465 : 587),
  secure: url.protocol === 'smtps:',
  tls: { servername: url.hostname },
  ...(url.username !== '' && {
    auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
  }),
})

/** Carries requests made by mailRequest. GET logs in and sends nothing. */
export function createMailCarrier(timeoutMs: number): {
  carry(request: HttpRequest, address: string | undefined): Promise<HttpResponse>
  close(): void
} {
  const mailers = new Map<string, Mailer>()
  const mailerOf = ({ url, headers }: HttpRequest, address: string | undefined): Mailer => {
    const server = new URL(url)
    server.username = encodeURIComponent(headers['smtp-user'] ?? '')
    server.password = encodeURIComponent(headers['smtp-password'] ?? '')
    const requireTls = headers['smtp-tls'] === 'required'
    const key = `${server.href} ${address ?? ''} ${requireTls}`
    let mailer = mailers.get(key)
    if (!mailer) {
      mailer = createMailer({ smtp: server.href, from: '', requireTls, ...(address && { address }) }, timeoutMs)
      mailers.set(key, mailer)
    }
    return mailer
  }
  return {
    async carry(request, address) {
      const mailer = mailerOf(request, address)
      if (request.method === 'GET') {
        await mailer.verify()
        return readResponse(200, {}, '')
      }
      const { answer } = await mailer.send(JSON.parse(request.body ?? '{}') as Mail)
      return readResponse(Number(answer), {}, '')
    },
    close: () => {
      for (const mailer of mailers.values()) mailer.close()
    },
  }
}

/** RFC 5321 §4.2.1: 4yz may work later, 5yz will not. */
function translate(error: unknown): Error {
  const {
    code = 'ERR_SMTP',
    responseCode,
    command = '',
  } = error as { code?: string; responseCode?: number; command?: string }
  if (code === 'EAUTH' || responseCode === 530 || responseCode === 535)
    return new AuthenticationError(`the SMTP server refuses the credentials (${responseCode ?? code})`)
  if (responseCode !== undefined && responseCode >= 500)
    return new RejectedError(`the SMTP server refuses this message (${responseCode})`)
  if (code === 'EENVELOPE' && responseCode === undefined)
    return new RejectedError('the message has no usable address (EENVELOPE)')
  // Only while the body is on its way may the server have taken it without our hearing so.
  return new RetryableError(`the SMTP server did not take it (${responseCode ?? code})`, {
    uncertain: responseCode === undefined && command === 'DATA',
  })
}
