/** What people ask about audiences, from a state in which things happened. */
import { expect, test } from 'vitest'
import type { AudienceMembers, AudienceStay, AudienceSummary } from '../../schemas/audience.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { Rig } from '../testing/pipeline-rig.ts'
import { audienceCommands } from './commands.ts'

test('size, days, destinations, members and stays', async () => {
  const title = { pt: 'Quem viu', en: 'Viewers' }
  const measures = {
    audiences: {
      viewers: {
        title,
        purpose: 'email_marketing',
        who: { all: [{ count: { event: 'Product Viewed', window: 'P1D' }, op: 'gte' as const, value: 1 }] },
        destinations: [{ destination: 'lists', with: { audience: 'l1' } }],
      },
    },
  }
  const rig = await Rig.open({ measures })
  try {
    const at = { occurredAt: rig.at(), receivedAt: rig.at() }
    const consent = [signal('email_marketing', 'grant', rig.at())]
    await rig.take(
      identify({ userId: 'ana', traits: { email: 'ana@loja.example' }, ...at, messageId: '1', consent }),
      track({ name: 'Product Viewed', userId: 'ana', properties: { product_id: 'p' }, ...at, messageId: '2' }),
    )
    await rig.deliver('lists')
    const commands = audienceCommands(
      { config: measures, destinationSettings: rig.processPorts.settings.destinations } as never,
      rig.keys,
      () => rig.processPorts.settings,
    )
    const ask = async <T>(name: string, args: Record<string, unknown> = {}) =>
      (await commands[name]!(args, { state: rig.state, actor: 'x', now: rig.now })) as T
    expect(await ask<AudienceSummary[]>('audiencesList')).toMatchObject([
      {
        id: 'viewers',
        size: 1,
        days: [{ day: '2026-03-10', entered: 1, left: 0 }],
        destinations: [{ destination: 'lists', add: 'addToAudience', counts: { in: 1, pending: 0, notTold: 0 } }],
      },
    ])
    const [member] = (await ask<AudienceMembers>('audienceMembers', { audience: 'viewers' })).items
    expect(member).toMatchObject({ since: rig.at(), destinations: [{ destination: 'lists', state: 'in' }] })
    expect(await ask<AudienceStay[]>('audiencesOfPerson', { person: member!.personId })).toMatchObject([
      { audience: 'viewers', leftAt: null, whyEntered: [{ ok: true, value: 1 }] },
    ])
    await expect(ask('audienceMembers', { audience: 'x' })).rejects.toThrow('viewers')
  } finally {
    await rig.close()
  }
})

test('a member nobody is told of: held out, without consent and without an address are told apart', async () => {
  const who = { all: [{ count: { event: 'Product Viewed', window: 'P1D' }, op: 'eq' as const, value: 0 }] }
  const destinations = [{ destination: 'lists', with: { audience: 'l1' } }]
  const silent = { title: { pt: 'x', en: 'x' }, purpose: 'email_marketing', who, destinations }
  const measures = { audiences: { silent, held: { ...silent, experiment: { control: 0.9999 } } } }
  const rig = await Rig.open({ measures })
  try {
    const at = { occurredAt: rig.at(), receivedAt: rig.at() }
    const consent = [signal('email_marketing', 'grant', rig.at())]
    const bought = { order_id: 'o1', total: 10, currency: 'BRL' }
    await rig.take(
      track({ name: 'Order Completed', userId: 'ana', properties: bought, ...at, messageId: '1' }),
      identify({ userId: 'bia', ...at, messageId: '2', consent }),
      identify({ userId: 'cida', traits: { email: 'cida@loja.example' }, ...at, messageId: '3', consent }),
    )
    const commands = audienceCommands(
      { config: measures, destinationSettings: rig.processPorts.settings.destinations } as never,
      rig.keys,
      () => rig.processPorts.settings,
    )
    const ask = async <T>(name: string, args: Record<string, unknown> = {}) =>
      (await commands[name]!(args, { state: rig.state, actor: 'x', now: rig.now })) as T
    const states = async (audience: string) => {
      const found = (await ask<AudienceMembers>('audienceMembers', { audience })).items
      const of = new Map(found.map(({ personId, destinations: [to] }) => [personId, to!.state]))
      const ids = await Promise.all(['ana', 'bia', 'cida'].map((name) => rig.person('userId', name)))
      return ids.map((person) => of.get(person!.id))
    }
    expect(await states('silent')).toEqual(['no_consent', 'not_reachable', 'pending'])
    expect(await states('held')).toEqual(['held_out', 'held_out', 'held_out'])
    const list = await ask<AudienceSummary[]>('audiencesList')
    expect(list.map(({ destinations: [to] }) => [to!.counts.notTold, to!.counts.notToldWhy])).toEqual([
      [2, { noConsent: 1, notReachable: 1, heldOut: 0, waiting: 0 }],
      [3, { noConsent: 0, notReachable: 0, heldOut: 3, waiting: 0 }],
    ])
  } finally {
    await rig.close()
  }
})
