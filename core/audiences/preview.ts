/**
 * How large an audience would be, before anybody is in it: the definition held against people drawn evenly, from what
 * the hub kept of them. Reads; nobody enters, and no destination is told.
 */
import type { AudiencePreview } from '../../schemas/audience.ts'
import type { Keys } from '../keys.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { measureWhole } from '../stages/measure.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { type StateStore, sql } from '../stores/open.ts'
import { remember } from './passes.ts'
import { standings } from './standing.ts'

/** Our choice: a look takes about a second, and a share is known within 7 points of a hundred. */
export const LOOKED_AT_MOST = 200

/** @param settings with the definitions that are looked at. */
export async function previewAudience(
  id: string,
  {
    state,
    keys,
    settings,
    now,
  }: {
    readonly state: StateStore
    readonly keys: Keys
    readonly settings: ProcessPorts['settings']
    readonly now: number
  },
  most = LOOKED_AT_MOST,
): Promise<AudiencePreview> {
  const audience = settings.measures!.audience(id)!
  const { n } = await state.db
    .selectFrom('persons')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('merged_into', 'is', null)
    .executeTakeFirstOrThrow()
  const people = Number(n)
  const step = Math.max(1, Math.ceil(people / most))
  const { rows } = await sql<{ id: string }>`
    select id from (
      select id, row_number() over (order by id) as n from persons where merged_into is null
    ) as numbered where n % ${sql.lit(step)} = 0 order by id`.execute(state.db)
  const ids = rows.map((row) => row.id)
  const batch = new Batch(now, keys)
  await loadPeople(batch, state, [], ids)
  const drawn = ids.flatMap((one) => batch.persons.get(one) ?? [])
  await remember(drawn, { state, keys, settings, clock: () => now })
  const members: string[] = []
  for (const person of drawn) {
    // As if it had never been: stays and lists of a definition of the same name are not looked at.
    for (const part of ['audiences', 'pushed'] as const)
      if (person.profile[part]) {
        const { [id]: _, ...others } = person.profile[part] as Record<string, never>
        person.profile[part] = others
      }
    measureWhole(person, batch, settings)
    if (Object.hasOwn(person.profile.audiences ?? {}, id)) members.push(person.id)
  }
  const stands = await standings(audience, members, { state, keys, settings: () => settings, now })
  const [low, high] = wilson(members.length, drawn.length)
  return {
    audience: id,
    people,
    looked: drawn.length,
    members: members.length,
    size: {
      about: drawn.length === 0 ? 0 : Math.round((members.length / drawn.length) * people),
      // Of everybody there is, when everybody was looked at.
      low: drawn.length === people ? members.length : Math.floor(low * people),
      high: drawn.length === people ? members.length : Math.ceil(high * people),
    },
    destinations: audience.pushes.map((push) => {
      const counts = { told: 0, noConsent: 0, notReachable: 0, heldOut: 0 }
      const names = {
        waiting: 'told',
        no_consent: 'noConsent',
        not_reachable: 'notReachable',
        held_out: 'heldOut',
      } as const
      for (const member of members) counts[names[stands(member, push)]] += 1
      return { destination: push.destination, ...counts }
    }),
  }
}

/** Wilson's interval of a share at 95 %. */
function wilson(hits: number, of: number): [number, number] {
  if (of === 0) return [0, 1]
  const z = 1.959964
  const share = hits / of
  const middle = share + (z * z) / (2 * of)
  const spread = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of))
  const whole = 1 + (z * z) / of
  return [Math.max(0, (middle - spread) / whole), Math.min(1, (middle + spread) / whole)]
}
