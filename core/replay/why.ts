/**
 * Why one person did, or did not, get something of one rule: the decisions that were stored, and where there are none
 * those that history gives again. For a rule that is not published: what it would have done, and what it waits for.
 */
import type { OpenTimer } from '../../schemas/profile.ts'
import { type Explanation, whySentence } from '../decision/index.ts'
import { askingAll } from '../decision/ruleset.ts'
import type { Keys } from '../keys.ts'
import type { StateStore } from '../stores/open.ts'
import { histories, peopleToday } from './history.ts'
import { replayPerson } from './person.ts'
import type { Prepared } from './prepare.ts'

export interface WhyPerson {
  readonly person: string
  readonly rule: { readonly id: string; readonly version: number; readonly published: boolean }
  /** stored: as it was decided; recomputed: given again from history, because it was not stored. */
  readonly source: 'stored' | 'recomputed'
  /** Oldest first. */
  readonly decisions: readonly (Explanation & { readonly sentence: { readonly pt: string; readonly en: string } })[]
  /** Clocks of the rule that run for this person. */
  readonly waiting: readonly Pick<OpenTimer, 'startedAt' | 'dueAt' | 'correlation'>[]
  readonly sentence: { readonly pt: string; readonly en: string }
}

const MOST = 20

/** @returns undefined when nobody has this id. @param now epoch milliseconds. */
export async function whyPerson(
  personId: string,
  { rule, published, settings }: Prepared,
  {
    state,
    keys,
    now,
    timezone,
  }: { readonly state: StateStore; readonly keys: Keys; readonly now: number; readonly timezone: string },
): Promise<WhyPerson | undefined> {
  const [person] = await peopleToday([personId], state)
  if (person === undefined) return undefined
  const { id, version } = rule.rule
  const former = await state.db.selectFrom('persons').select('id').where('merged_into', '=', person).execute()
  const ids = [person, ...former.map((row) => row.id)]
  const rows = !published
    ? []
    : [
        ...(await state.db
          .selectFrom('explanations')
          .select(['at', 'body'])
          .where('person_id', 'in', ids)
          .where('rule', '=', id)
          .execute()),
        ...(await state.db
          .selectFrom('explanations_latest')
          .select(['at', 'body'])
          .where('person_id', 'in', ids)
          .where('rule', '=', id)
          .execute()),
      ]
  let found = rows.sort((a, b) => a.at - b.at).map(({ body }) => JSON.parse(body) as Explanation)
  const stored = found.length > 0
  let waiting: OpenTimer[] = []
  for await (const history of histories(now, { state, keys, now }, [person])) {
    const again: Explanation[] = []
    const { people } = replayPerson(history, {
      settings: { ...settings, rules: askingAll(settings.rules) },
      keys,
      clock: 'ideal',
      until: now,
      watch: ({ batch }) => {
        for (const row of batch.rows.explanations)
          if (row[2] === id) again.push(JSON.parse(row[7] as string) as Explanation)
        for (const row of batch.rows.latest.values())
          if (row[1] === id) again.push(JSON.parse(row[4] as string) as Explanation)
      },
    })
    if (!stored) found = again
    waiting = (published ? history.person : people[0])?.profile.timers.filter((timer) => timer.rule === id) ?? []
  }
  const title = settings.purposes.get(rule.rule.unless.purpose)?.title
  const decisions = found.slice(-MOST).map((explanation) => {
    const facts = {
      explanation,
      zone: timezone,
      ...(explanation.hash === rule.hash && { rule: rule.rule }),
      ...(title && { purposeTitle: title }),
    }
    return { ...explanation, sentence: { pt: whySentence(facts, 'pt'), en: whySentence(facts, 'en') } }
  })
  const name = { pt: rule.rule.title?.pt ?? id, en: rule.rule.title?.en ?? id }
  return {
    person,
    rule: { id, version, published },
    source: stored ? 'stored' : 'recomputed',
    decisions,
    waiting: waiting.map(({ startedAt, dueAt, correlation }) => ({ startedAt, dueAt, correlation })),
    sentence: decisions.at(-1)?.sentence ?? {
      pt: `A regra “${name.pt}” nunca foi consultada para esta pessoa: nada do que foi guardado para a finalidade dela a dispara.`,
      en: `The rule “${name.en}” was never asked about this person: nothing that was kept for its purpose sets it off.`,
    },
  }
}
