import type { MailServer } from './mail-server.ts'

/** A browser without script: keeps cookies, follows redirects, fills in forms. */
export function portalBrowser(url: string, mail: MailServer) {
  const cookies = new Map<string, string>()
  const remember = (response: Response) => {
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';')
      const [name = '', ...rest] = pair.split('=')
      cookies.set(name, rest.join('='))
    }
  }
  const headers = () => ({ cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') })
  const go = async (
    method: 'GET' | 'POST',
    path: string,
    body?: URLSearchParams,
  ): Promise<{ status: number; path: string; text: string }> => {
    const response = await fetch(new URL(path, url), {
      method,
      redirect: 'manual',
      headers: { ...headers(), ...(body && { 'content-type': 'application/x-www-form-urlencoded' }) },
      ...(body && { body: body.toString() }),
    })
    remember(response)
    const next = response.headers.get('location')
    if (next) {
      await response.arrayBuffer()
      return go('GET', next)
    }
    return { status: response.status, path, text: await response.text() }
  }
  /** Sends the form whose address begins so, with its hidden fields. */
  const submit = (
    page: string,
    action: string,
    fields: Record<string, string>,
    pick: (form: string) => boolean = () => true,
  ) => {
    const form = [...page.matchAll(/<form method="post" action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/g)].find(
      (match) => match[1]!.startsWith(action) && pick(match[2]!),
    )
    if (!form) throw new Error(`no form for ${action}`)
    const body = new URLSearchParams()
    for (const [, name, value] of form[2]!.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g))
      body.set(name!, value!)
    for (const [name, value] of Object.entries(fields)) body.set(name, value)
    return go('POST', form[1]!.replaceAll('&amp;', '&'), body)
  }
  const enter = async (email: string, lang = 'pt') => {
    const home = await go('GET', `/privacidade?lang=${lang}`)
    const asked = await submit(home.text, '/privacidade/codigo', { contact: email })
    return submit(asked.text, '/privacidade/entrar', { code: await mail.code(email) })
  }
  return { go, submit, enter, cookies }
}
