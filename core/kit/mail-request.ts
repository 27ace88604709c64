/**
 * A mail as a request, so that it takes the same slot, last look, attempt and preview as any other write. The
 * transport hands it to kit/smtp.ts by its address; in a sandbox it is posted there as it stands.
 */
import type { HttpRequest } from './http.ts'
import type { Mail } from './smtp.ts'

export interface MailServer {
  readonly host: string
  readonly port: number
  readonly user?: string
  readonly password?: string
  /** Whether a connection that cannot be encrypted is refused. Port 465 is always encrypted. */
  readonly tls: 'required' | 'optional'
}

export const MAIL_ADDRESS = /^smtps?:/

/** smtps:// on port 465 (RFC 8314 §3.3), smtp:// elsewhere. Never with credentials. */
export const mailServerUrl = ({ host, port }: MailServer): string =>
  `${port === 465 ? 'smtps' : 'smtp'}://${host}:${port}`

/** Credentials and transport security of every request to the server. */
export const mailServerHeaders = ({ user, password, tls }: MailServer): Record<string, string> => ({
  'smtp-tls': tls,
  ...(user !== undefined && { 'smtp-user': user }),
  ...(password !== undefined && { 'smtp-password': password }),
})

export const mailRequest = (server: MailServer, mail: Mail): HttpRequest => ({
  method: 'POST',
  url: `${mailServerUrl(server)}/`,
  headers: { 'content-type': 'application/json', ...mailServerHeaders(server) },
  body: JSON.stringify(mail),
})

/** The same request as it travels to a sandbox. */
export const mailOverHttp = (request: HttpRequest, target: string): HttpRequest => ({
  ...request,
  url: `${target.replace(/\/$/, '')}/mail`,
})
