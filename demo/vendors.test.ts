import { afterEach, describe, expect, it } from 'vitest'
import { startVendors, type Vendors } from './vendors.ts'

let vendors: Vendors | undefined
afterEach(async () => {
  await vendors?.close()
  vendors = undefined
})

const start = async (random: () => number = () => 0) => {
  vendors = await startVendors({ random })
  return vendors
}

const slackMessage = async ({ url, settings }: Vendors, text = 'Pedido grande: R$ 1.250,00', signal?: AbortSignal) => {
  const path = new URL(String(settings('slack')['url'])).pathname
  const response = await fetch(`${url('slack')}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
    ...(signal && { signal }),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const order = ({ origin }: Vendors, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${origin}/_chaos`, { method: 'POST', headers, body: JSON.stringify(body) })

const inbox = async ({ origin }: Vendors, query = '') =>
  (await (await fetch(`${origin}/_inbox${query}`)).json()) as {
    simulated: boolean
    received: { connector: string; body: unknown; status?: number; chaos?: string | number }[]
  }

describe('vendors', () => {
  it('every sandbox answers at its own path, and what it received is in the inbox', async () => {
    const running = await start()
    expect(running.connectors).toEqual(expect.arrayContaining(['rdstation', 'mailchimp', 'meta', 'webhook', 'slack']))
    expect(await slackMessage(running)).toMatchObject({ status: 200, text: 'ok' })
    const rd = await fetch(`${running.url('rdstation')}/platform/contacts/fields`)
    expect(rd.status).toBe(401)
    expect(await inbox(running)).toMatchObject({
      simulated: true,
      received: expect.arrayContaining([
        expect.objectContaining({ connector: 'slack', status: 200, body: { text: 'Pedido grande: R$ 1.250,00' } }),
        expect.objectContaining({ connector: 'rdstation', status: 401 }),
      ]),
    })
    expect((await inbox(running, '?connector=slack')).received.map(({ connector }) => connector)).toEqual(['slack'])
  })

  it('credentials sent in a body or a URL are not kept', async () => {
    const running = await start()
    const { accessToken, datasetId } = running.settings('meta')
    await fetch(`${running.url('meta')}/v25.0/${datasetId}/events?access_token=${accessToken}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ access_token: accessToken, data: [] }),
    })
    expect(running.count('meta')).toBe(1)
    expect(JSON.stringify(await inbox(running))).not.toContain(String(accessToken))
  })

  it('keeps the last 200 of a vendor and counts all', async () => {
    const running = await start()
    for (let index = 0; index < 205; index++) await slackMessage(running, `aviso ${index}`)
    const { received } = await inbox(running, '?connector=slack')
    expect([received.length, running.count('slack')]).toEqual([200, 205])
    expect(received[0]!.body).toEqual({ text: 'aviso 204' })
  })

  it('the page says SIMULADO and shows what was received as text, whatever it is', async () => {
    const running = await start()
    await slackMessage(running, '<script>alert(1)</script>')
    const response = await fetch(`${running.origin}/_inbox?fornecedor=slack`, { headers: { accept: 'text/html' } })
    const page = await response.text()
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page).toContain('lang="pt-BR"')
    expect(page).toContain('SIMULADO')
    expect(page).toContain('&#60;script&#62;alert(1)')
    expect(page).not.toContain('<script')
    expect(page).toContain('http-equiv="refresh"')
    const paused = await (await fetch(`${running.origin}/_inbox?formato=html&pausar=1`)).text()
    expect(paused).not.toContain('http-equiv="refresh"')
  })
})

describe('chaos', () => {
  it.each([
    [429, { status: 429 }],
    [500, { status: 500 }],
    [401, { status: 401 }],
    ['lie', { status: 200 }],
  ] as const)('fail: %s', async (fail, expected) => {
    const running = await start()
    expect((await order(running, { connector: 'slack', fail })).status).toBe(200)
    const answer = await slackMessage(running)
    expect(answer).toMatchObject(expected)
    expect(answer.text).toContain('simulated')
    if (fail === 429) expect(answer.headers.get('retry-after')).toBe('2')
    expect((await inbox(running)).received[0]).toMatchObject({ connector: 'slack', chaos: fail })
    const other = await fetch(`${running.url('rdstation')}/platform/contacts/fields`)
    expect(other.status).toBe(401) // Its own word for a missing token: the other vendors are well.
    await order(running, { connector: 'slack', fail: null })
    expect(await slackMessage(running)).toMatchObject({ status: 200, text: 'ok' })
  })

  it('happens to a share of the requests', async () => {
    const draws = [0.1, 0.9, 0.3, 0.2]
    const running = await start(() => draws.shift()!)
    await order(running, { connector: 'slack', fail: 500, rate: 0.25 })
    const statuses = []
    for (let index = 0; index < 4; index++) statuses.push((await slackMessage(running)).status)
    expect(statuses).toEqual([500, 200, 200, 500])
  })

  it('timeout takes the request and hang does not; neither answers', async () => {
    const running = await start()
    const { settings, url } = running
    const member = async (name: string) => {
      const { apiKey, listId } = settings('mailchimp')
      const { createHash } = await import('node:crypto')
      const hash = createHash('md5').update(`${name}@correio.example`).digest('hex')
      const call = (method: string, body?: object) =>
        fetch(`${url('mailchimp')}/3.0/lists/${listId}/members/${hash}`, {
          method,
          headers: {
            authorization: `Basic ${Buffer.from(`x:${apiKey}`).toString('base64')}`,
            'content-type': 'application/json',
          },
          ...(body && { body: JSON.stringify(body), signal: AbortSignal.timeout(300) }),
        })
      return {
        put: () => call('PUT', { email_address: `${name}@correio.example`, status_if_new: 'subscribed' }),
        get: async () => (await call('GET')).status,
      }
    }
    for (const [fail, after] of [
      ['timeout', 200],
      ['hang', 404],
    ] as const) {
      const { put, get } = await member(fail)
      await order(running, { connector: 'mailchimp', fail })
      await expect(put()).rejects.toThrow()
      await order(running, { connector: 'mailchimp', fail: null })
      expect([fail, await get()]).toEqual([fail, after])
    }
    expect(running.receipts('mailchimp').filter(({ status }) => status === undefined)).toHaveLength(2)
  })

  it('refuses orders it does not understand, and those of other sites', async () => {
    const running = await start()
    for (const body of [
      [],
      { connector: 'nobody' },
      { connector: 'slack', fail: 418 },
      { connector: 'slack', rate: 2 },
      { connector: 'slack', latencyMs: -1 },
      { connector: 'slack', forMs: 1e9 },
      { connector: 'slack', fial: 500 },
    ])
      expect((await order(running, body)).status).toBe(400)
    const foreign = await order(running, { connector: 'slack', fail: 500 }, { origin: 'https://elsewhere.example' })
    expect(foreign.status).toBe(403)
    expect(await (await fetch(`${running.origin}/_chaos`)).json()).toEqual({ simulated: true, standing: [] })
  })
})
