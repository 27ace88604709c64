/** Whoever is on a list that the configuration no longer describes is taken out the way they were put in, or listed. */
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import type { AudienceLeft } from '../../schemas/audience.ts'
import { examineLists } from '../doctor/lists.ts'
import type { Finding } from '../doctor.ts'
import { CommandError } from '../server/context.ts'
import { measures, says, VIEWERS, views } from '../testing/audience-world.ts'
import type { Rig } from '../testing/pipeline-rig.ts'
import { type OpenRig, onSqlite } from '../testing/state-contract.ts'
import { audienceCommands } from './commands.ts'
import { startPass } from './passes.ts'

const at = (list: string) => ({
  audiences: { viewers: { ...VIEWERS, destinations: [{ destination: 'lists', with: { audience: list } }] } },
})
const told = (rig: Rig) => rig.seen.map(({ request, json }) => [request.method, json])
const member = (list: string) => ({ email: 'ana@loja.example', audience: list })

async function asks(rig: Rig, given: object, name: string, args: object = {}): Promise<AudienceLeft[]> {
  const { settings } = rig.processPorts
  const commands = audienceCommands(
    { config: given, destinationSettings: settings.destinations } as never,
    rig.keys,
    () => settings,
  )
  return (await commands[name]!({ ...args }, { state: rig.state, actor: 'rita', now: rig.now })) as AudienceLeft[]
}

/** Of the files as the hub leaves them, read beside it. */
async function doctor(rig: Rig, config: object = {}): Promise<Finding[]> {
  const { destinations: destinationSettings } = rig.processPorts.settings
  const found: Finding[] = []
  for await (const one of examineLists({ config, dataDir: dirname(rig.stateFile), destinationSettings } as never))
    found.push(one)
  return found
}

async function onTheList(open: OpenRig): Promise<Rig> {
  const rig = await open({ measures })
  await rig.passOver()
  await says(rig, 'ana')
  await views(rig, 'ana')
  await rig.deliver('lists')
  expect(told(rig)).toEqual([['PUT', member('l1')]])
  rig.seen.length = 0
  return rig
}

onSqlite('lists', (open) => {
  test('an audience that is gone: out of the list it was told of, with its fields', async () => {
    const rig = await onTheList(open)
    await rig.restart({ measures: {} })
    await rig.passOver()
    expect(await asks(rig, {}, 'audiencesLeft')).toMatchObject([
      { audience: 'viewers', destination: 'lists', state: 'leaving', people: 1 },
    ])
    await rig.deliver('lists')
    expect(told(rig)).toEqual([['DELETE', member('l1')]])
    expect(await asks(rig, {}, 'audiencesLeft')).toEqual([])
  })

  test('what the vendor refused is listed, and told again with the same fields when the officer asks', async () => {
    const rig = await onTheList(open)
    await rig.restart({ measures: {} })
    rig.answer = () => ({ status: 422 })
    await rig.passOver()
    await rig.deliver('lists')
    expect(await asks(rig, {}, 'audiencesLeft')).toMatchObject([{ state: 'failed', people: 1 }])
    rig.answer = () => ({ status: 200 })
    rig.seen.length = 0
    await startPass({ kind: 'sync', audience: null, hash: '' }, rig.state.db, rig.now)
    await rig.passOver()
    await rig.deliver('lists')
    expect(told(rig)).toEqual([['DELETE', member('l1')]])
    expect(await asks(rig, {}, 'audiencesLeft')).toEqual([])
  })

  test('another list: out of the one of before, into today’s, once; who comes later only into today’s', async () => {
    const rig = await onTheList(open)
    await rig.restart({ measures: at('l2') })
    await rig.passOver()
    await rig.deliver('lists')
    expect(told(rig).toSorted()).toEqual([
      ['DELETE', member('l1')],
      ['PUT', member('l2')],
    ])
    rig.seen.length = 0
    await rig.restart()
    await rig.passOver()
    await says(rig, 'bia')
    await views(rig, 'bia')
    await rig.deliver('lists')
    expect(told(rig)).toEqual([['PUT', { email: 'bia@loja.example', audience: 'l2' }]])
    // And out of today's by a withdrawal.
    rig.seen.length = 0
    await says(rig, 'ana', 'revoke')
    await rig.passOn()
    await rig.deliver('lists')
    expect(told(rig)).toEqual([['DELETE', member('l2')]])
  })

  test('a destination that is gone: nobody is forgotten, and a withdrawal reaches the list once it is back', async () => {
    const rig = await onTheList(open)
    await rig.restart({ measures: {}, destinations: { mail: {} } })
    await rig.passOver()
    await says(rig, 'ana', 'revoke')
    await rig.passOn()
    const left = { audience: 'viewers', destination: 'lists', state: 'no_destination', people: 1 }
    expect(await asks(rig, {}, 'audiencesLeft')).toMatchObject([left])
    expect(await doctor(rig)).toMatchObject([
      {
        check: 'lists',
        status: 'warn',
        text: '1 person is on the list of "viewers" at "lists", and the configuration no longer has that destination: nobody can be taken out, not even by a withdrawal.',
        todo: expect.stringContaining('anuente audiences close viewers lists'),
      },
    ])
    await rig.restart({ measures, destinations: { mail: {}, lists: {} } })
    await rig.passOver()
    await rig.deliver('lists')
    expect(told(rig)).toEqual([['DELETE', member('l1')]])
    expect(await doctor(rig, measures)).toEqual([])
    expect(await asks(rig, measures, 'audiencesLeft')).toEqual([])
  })

  test('emptied by hand: written down with who and why; whoever is a member is told anew when it is back', async () => {
    const rig = await onTheList(open)
    const close = (args: object) =>
      asks(rig, {}, 'audienceListClosed', { audience: 'viewers', destination: 'lists', ...args })
    const reason = 'list deleted in the ad account'
    await expect(close({ reason })).rejects.toMatchObject({ code: 'CONFLICT' })
    await rig.restart({ measures: {}, destinations: { mail: {} } })
    await rig.passOver()
    await expect(close({ reason: 'gone' })).rejects.toBeInstanceOf(CommandError)
    expect(await close({ reason })).toEqual([])
    await expect(close({ reason })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const log = await rig.state.db.selectFrom('access_log').selectAll().where('act', '=', 'audiences.close').execute()
    expect(log).toMatchObject([{ actor: 'rita', target: 'viewers lists', reason }])
    await rig.restart({ measures, destinations: { mail: {}, lists: {} } })
    await rig.passOver()
    await rig.deliver('lists')
    expect(told(rig).at(-1)).toEqual(['PUT', member('l1')])
  })

  test('a state that cannot be read is a failure doctor names; one of an earlier version is none', async () => {
    const rig = await onTheList(open)
    const { db } = rig.state
    await db.schema.alterTable('audience_pushes').renameTo('audience_pushes_away').execute()
    expect(await doctor(rig, measures)).toMatchObject([
      { check: 'lists', status: 'fail', text: expect.stringContaining('could not be read') },
    ])
    await db.schema.alterTable('audience_pushes_away').renameTo('audience_pushes').execute()
    await db.schema.dropTable('audience_lists').execute()
    expect(await doctor(rig, measures)).toMatchObject([{ check: 'lists', status: 'ok' }])
  })
})
