/** The demo's mail server, with what it was given, for looking. */
import { startMailServer } from '../../demo/mail.ts'

export interface MailServer {
  readonly url: string
  readonly received: { readonly to: string; readonly text: string }[]
  /** The newest code sent to somebody. */
  code(to: string): Promise<string>
  close(): Promise<void>
}

export async function startMail(): Promise<MailServer> {
  const received: { to: string; text: string }[] = []
  const server = await startMailServer(0, ({ to, subject, text }) => {
    for (const address of to) received.push({ to: address, text: `${subject}\n${text}` })
  })
  const until = async <T>(find: () => T | undefined): Promise<T> => {
    for (let tries = 0; tries < 400; tries++) {
      const found = find()
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error('the mail did not come')
  }
  return {
    url: `smtp://127.0.0.1:${server.port}`,
    received,
    code: (to) =>
      until(() => {
        const text = received.findLast((one) => one.to === to && /digo|code/.test(one.text))?.text
        return text && /^(\d{6})\r?$/m.exec(text)?.[1]
      }),
    close: server.close,
  }
}
