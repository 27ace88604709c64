/** The only way mail leaves. Errors carry the SMTP reply code, never an address or the server's words. */
import { createTransport as createSmtp } from 'nodemailer'
import { AuthenticationError, ConfigError, RejectedError, RetryableError } from './errors.ts'

export interface MailSettings {
  /** smtp://user:password@host:587 or smtps://user:password@host:465 */
  readonly smtp: string
  readonly from: string
}

export interface Mail {
  readonly to: string
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
export function createMailer({ smtp, from }: MailSettings, timeoutMs = 15_000): Mailer {
  if (!URL.canParse(smtp) || !/^smtps?:$/.test(new URL(smtp).protocol))
    throw new ConfigError(
      'mail.smtp must look like smtp://user:password@host:587 or smtps://user:password@host:465',
      '/mail/smtp',
    )
  const timeouts = { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs }
  // Attachments and remote content are never used: file and URL access stay off.
  const carrier = createSmtp({
    url: smtp,
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
    async send({ to, subject, text, html, headers, messageId }) {
      try {
        const sent = await carrier.sendMail({
          from,
          to,
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
