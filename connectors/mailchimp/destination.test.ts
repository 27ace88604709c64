import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  identify,
  itemsOf,
  plainHttp,
  type RunningSandboxes,
  runAction,
  sandboxTransport,
  serveSandboxes,
  settingsOf,
  track,
} from '../../core/testing/index.ts'
import mailchimp from './destination.ts'
import sandbox from './sandbox.ts'

const email = 'maria.souza@example.com'
const hash = '7689bc8d956e736201cb75392f18beee'
const members = `/lists/a1b2c3d4e5/members/${hash}`

destinationContract(mailchimp, {
  waitsFor404: { sendEvent: 'the event may overtake the upsert that makes its member' },
  settings: { apiKey: 'mailchimpsandbox0123456789abcdef-us21', listId: 'a1b2c3d4e5' },
  sandbox,
  examples: [
    {
      title: 'an identify becomes a member with the merge fields that are known, and a status only if new',
      action: 'upsertMember',
      given: identify({
        traits: { email: 'Maria.Souza@Example.com', firstName: 'Maria', phone: '+5511987654321', lastName: '' },
      }),
      sends: {
        method: 'PUT',
        path: `${members}?skip_merge_validation=true`,
        headers: {
          authorization: `Basic ${Buffer.from('anuente:mailchimpsandbox0123456789abcdef-us21').toString('base64')}`,
        },
        body: {
          email_address: email,
          status_if_new: 'subscribed',
          merge_fields: { FNAME: 'Maria', PHONE: '+5511987654321' },
        },
      },
    },
    {
      title: 'with double opt-in a new member begins as pending',
      action: 'upsertMember',
      given: identify({ traits: { email } }),
      settings: { statusIfNew: 'pending', mergeFields: { PLANO: 'plan' } },
      sends: {
        method: 'PUT',
        path: `${members}?skip_merge_validation=true`,
        body: { email_address: email, status_if_new: 'pending' },
      },
    },
    {
      title: 'tags become active and no other is named',
      action: 'addTags',
      given: identify({ traits: { email, tags: ['carrinho', 'São João'] } }),
      sends: {
        method: 'POST',
        path: `${members}/tags`,
        body: {
          tags: [
            { name: 'carrinho', status: 'active' },
            { name: 'São João', status: 'active' },
          ],
        },
      },
      answers: { status: 204 },
    },
    {
      title: 'an event carries both signed links as properties, all of them text',
      action: 'sendEvent',
      given: track({ name: 'Carrinho abandonado às vésperas do Natal', traits: { email } }),
      with: { properties: { total: 149.9, product: 'Tênis' } },
      sends: {
        method: 'POST',
        path: `${members}/events`,
        body: {
          name: 'carrinho_abandonado_as_vespera',
          occurred_at: '2026-11-24T11:59:30Z',
          properties: {
            total: '149.9',
            product: 'Tênis',
            anuente_delivery_id: 'delivery-1',
            stop_url: GIVEN.links.stop,
            why_url: GIVEN.links.why,
          },
        },
      },
      answers: { status: 204 },
    },
    {
      title: 'a withdrawal unsubscribes a member who is there',
      action: 'unsubscribe',
      given: identify({ traits: { email } }),
      lookups: [{ path: `${members}?fields=status`, answers: { status: 200, body: { status: 'subscribed' } } }],
      sends: { method: 'PATCH', path: members, body: { status: 'unsubscribed' } },
    },
  ],
})

describe('mailchimp: what the vendor answers', () => {
  const said = (status: number, text: string) => {
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      json = undefined
    }
    return mailchimp.verdict!({ status, headers: {}, text, json })
  }

  it('takes a bare 403 for too high a pace and one with a reason for the key', () => {
    expect(said(403, '<html>Forbidden</html>')).toMatchObject({ status: 'retry' })
    expect(said(403, '')).toMatchObject({ status: 'retry' })
    expect(said(403, '{"title":"User Disabled"}')).toBeUndefined()
  })

  it.each(['Member Exists', 'Member In Compliance State', 'Forgotten Email Not Subscribed'])(
    'does not repeat "%s"',
    (title) => {
      expect(said(400, JSON.stringify({ title, detail: `${email} …` }))).toEqual({
        status: 'rejected',
        reason: `HTTP 400 ${title}`,
      })
    },
  )
})

describe('mailchimp: what the team and the person decided stays', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'mailchimp')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const settings = sandbox.settings('')
  const run = (action: string, given: ReturnType<typeof identify>, more: object = {}) =>
    runAction(mailchimp, action, itemsOf(mailchimp, { action, given, ...more }), { settings, transport })
  const member = (status: string) => ({
    id: hash,
    email_address: email,
    status,
    merge_fields: { PLANO: 'ouro' },
    tags: ['vip'],
    events: [],
  })

  it('an upsert leaves an opt-out, the tags and other merge fields as they are', async () => {
    running.state(sandbox).members.set(hash, member('unsubscribed'))
    const { results } = await run('upsertMember', identify({ traits: { email, firstName: 'Maria' } }))
    expect(results).toEqual([{ status: 'delivered', answer: '200' }])
    expect(running.state(sandbox).members.get(hash)).toMatchObject({
      status: 'unsubscribed',
      tags: ['vip'],
      merge_fields: { PLANO: 'ouro', FNAME: 'Maria' },
    })
  })

  it('tags are added to those the team wrote', async () => {
    running.state(sandbox).members.set(hash, member('subscribed'))
    await run('addTags', identify({ traits: { email } }), { with: { tags: ['carrinho'] } })
    expect(running.state(sandbox).members.get(hash)!.tags).toEqual(['vip', 'carrinho'])
  })

  it('a withdrawal of somebody who is not on the list is done, without a write', async () => {
    const { results, requests } = await run('unsubscribe', identify({ traits: { email } }))
    expect(results).toEqual([{ status: 'delivered', answer: 'not a member' }])
    expect(requests.map(({ method }) => method)).toEqual(['GET'])
  })

  it('a withdrawal ends with the member unsubscribed', async () => {
    running.state(sandbox).members.set(hash, member('subscribed'))
    await run('unsubscribe', identify({ traits: { email } }))
    expect(running.state(sandbox).members.get(hash)!.status).toBe('unsubscribed')
  })

  it('somebody erased for good is not written again', async () => {
    running.state(sandbox).forgotten.add(hash)
    const { results } = await run('upsertMember', identify({ traits: { email } }))
    expect(results).toEqual([{ status: 'rejected', reason: 'HTTP 400 Forgotten Email Not Subscribed' }])
  })

  it('check names the merge fields and the audience that do not exist', async () => {
    const check = async (more: object) => {
      const checked = settingsOf(mailchimp, { ...settings, ...more })
      return mailchimp.check({
        http: plainHttp(mailchimp, checked, transport),
        settings: checked as never,
        now: new Date(GIVEN.now),
      })
    }
    expect(await check({ mergeFields: { FNAME: 'firstName', BDAY: 'birthday' } })).toMatchObject({
      ok: true,
      warnings: ['Merge field BDAY does not exist in this audience; its values would be ignored.'],
    })
    expect(await check({ listId: 'ffffffffff' })).toMatchObject({ ok: false })
  })
})
