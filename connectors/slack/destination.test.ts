import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  itemsOf,
  plainHttp,
  type RunningSandboxes,
  runAction,
  sandboxTransport,
  serveSandboxes,
  settingsOf,
  track,
} from '../../core/testing/index.ts'
import slack from './destination.ts'
import sandbox from './sandbox.ts'

const url = 'https://hooks.slack.com/services/T00000000/B00000000/sandboxsandboxsandbox'
const bot = { url: undefined, token: 'xoxb-sandbox-token', channel: 'C0123456789' }
const event = track({
  name: 'Ticket Opened',
  userId: 'u-42',
  traits: { email: 'maria.souza@example.com', name: 'Maria' },
})

destinationContract(slack, {
  settings: { url },
  sandbox,
  examples: [
    {
      title: 'the webhook gets the text of the rule and nothing about the person',
      action: 'postMessage',
      given: event,
      with: { text: 'Cliente em risco: ligar hoje', link: 'https://hub.example/people/01J' },
      sends: {
        method: 'POST',
        path: url,
        body: { text: 'Cliente em risco: ligar hoje\n<https://hub.example/people/01J>' },
      },
      answers: { status: 200, body: 'ok' },
    },
    {
      title: 'without a text it is the name of the event, which cannot call the channel',
      action: 'postMessage',
      given: track({ name: '<!channel> R&D', userId: 'u-42' }),
      sends: { method: 'POST', path: url, body: { text: '&lt;!channel&gt; R&amp;D' } },
      answers: { status: 200, body: 'ok' },
    },
    {
      title: 'a bot names its channel',
      action: 'postMessage',
      given: event,
      settings: bot,
      sends: {
        method: 'POST',
        path: 'https://slack.com/api/chat.postMessage',
        headers: { authorization: 'Bearer xoxb-sandbox-token' },
        body: { channel: 'C0123456789', text: 'Ticket Opened' },
      },
      answers: { status: 200, body: { ok: true, ts: '1.2' } },
    },
  ],
})

describe('slack: what it answers', () => {
  const said = (status: number, text: string, headers: Record<string, string> = {}) =>
    slack.verdict!({ status, headers, text, json: text.startsWith('{') ? JSON.parse(text) : undefined })

  it.each([
    [200, 'ok', { status: 'delivered', answer: 'ok' }],
    [200, '{"ok":true}', { status: 'delivered', answer: 'ok' }],
    [200, '{"ok":false,"error":"channel_not_found"}', { status: 'rejected', reason: 'Slack channel_not_found' }],
    [200, '{"ok":false,"error":"token_revoked"}', { status: 'authentication', reason: 'Slack token_revoked' }],
    [200, '{"ok":false,"error":"internal_error"}', { status: 'retry', reason: 'Slack internal_error' }],
    [
      200,
      '{"ok":false,"error":"something about maria"}',
      { status: 'rejected', reason: 'Slack answered 200 without ok' },
    ],
    [200, '<html>login</html>', { status: 'rejected', reason: 'Slack answered 200 without ok' }],
    [404, 'no_service', { status: 'rejected', reason: 'Slack no_service' }],
    [403, 'action_prohibited', { status: 'rejected', reason: 'Slack action_prohibited' }],
  ])('%d %s', (status, text, outcome) => {
    expect(said(status, text)).toEqual(outcome)
  })

  it('waits as long as it says', () => {
    expect(said(200, '{"ok":false,"error":"ratelimited"}', { 'retry-after': '30' })).toEqual({
      status: 'retry',
      reason: 'Slack ratelimited',
      retryAfterMs: 30_000,
    })
  })
})

describe('slack: against the sandbox', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'slack')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const check = (settings: Record<string, unknown>) => {
    const checked = settingsOf(slack, settings)
    return slack.check({
      http: plainHttp(slack, checked, transport),
      settings: checked as never,
      now: new Date(GIVEN.now),
    })
  }

  it('check posts nothing', async () => {
    expect(await check({ url })).toEqual({ ok: true, detail: 'The webhook exists; nothing was posted.' })
    expect(await check(bot)).toEqual({ ok: true, detail: 'Slack knows the bot.' })
    expect(await check({ token: bot.token })).toMatchObject({ ok: false })
    expect(running.state(sandbox).messages).toEqual([])
  })

  it('needs a webhook or a bot', () => {
    expect(() => settingsOf(slack, { channel: 'C0123456789' })).toThrow()
  })

  it('the second message within a second waits', async () => {
    running.state(sandbox).paced = true
    const items = itemsOf(slack, { action: 'postMessage', given: [event, event] })
    const { results } = await runAction(slack, 'postMessage', items, { settings: { url }, transport })
    expect(results).toEqual([
      { status: 'delivered', answer: 'ok' },
      { status: 'retry', reason: 'Slack rate_limited', retryAfterMs: 1000 },
    ])
  })
})
