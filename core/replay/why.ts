/**
 * Why one person did, or did not, get something of one rule: the decisions that were stored, and where there are none
 * those that history gives again. For a rule that is not published: what it would have done, and what it waits for.
 */
import type { OpenTimer } from '../../schemas/profile.ts'
import type { Explanation } from '../decision/index.ts'
import { askingAll } from '../decision/ruleset.ts'
import { decidedOf, unmatchedOf } from '../explain/stored.ts'
import type { Keys } from '../keys.ts'
import type { StateStore } from '../stores/open.ts'
import { histories, peopleToday } from './history.ts'
import { replayPerson } from './person.ts'
import type { Prepared } from './prepare.ts'

export interface FoundDecision {
  readonly explanation: Explanation
  /** stored: as it was decided; recomputed: given again from history, because it was not stored. */
  readonly source: 'stored' | 'recomputed'
}

export interface WhyPerson {
  readonly person: string
  /** Ids it had before, of people that were merged into it. */
  readonly former: readonly string[]
  /** Oldest first. */
  readonly decisions: readonly FoundDecision[]
  /** Clocks of the rule that run for this person. */
  readonly waiting: readonly Pick<OpenTimer, 'startedAt' | 'dueAt' | 'correlation'>[]
}

const MOST = 20

/** @returns undefined when nobody has this id. @param now epoch milliseconds. */
export async function whyPerson(
  personId: string,
  { rule, published, live, settings }: Prepared,
  { state, keys, now }: { readonly state: StateStore; readonly keys: Keys; readonly now: number },
): Promise<WhyPerson | undefined> {
  const [person] = await peopleToday([personId], state)
  if (person === undefined) return undefined
  const { id } = rule.rule
  const rows = await state.db.selectFrom('persons').select('id').where('merged_into', '=', person).execute()
  const former = rows.map((row) => row.id)
  // A text that was never live has nothing stored under its hash, though its id may be that of a rule.
  const stored = (await storedOf(id, [person, ...former], state)).filter(({ hash }) => published || hash === rule.hash)
  const again: Explanation[] = []
  let waiting: OpenTimer[] = []
  for await (const history of histories(now, { state, keys, now }, [person])) {
    const { people } = replayPerson(history, {
      settings: tellingAll(settings),
      keys,
      clock: live ? 'noted' : 'ideal',
      ...(live && { before: { ...live, settings: tellingAll(live.settings) } }),
      until: now,
      watch: ({ batch }) => {
        for (const { explanation } of [...batch.rows.explanations, ...batch.rows.latest.values()])
          if (explanation.rule === id) again.push(explanation)
      },
    })
    waiting = (published ? history.person : people[0])?.profile.timers.filter((timer) => timer.rule === id) ?? []
  }
  const known = new Set(stored.map(keyOf))
  const decisions: FoundDecision[] = [
    ...stored.map((explanation) => ({ explanation, source: 'stored' as const })),
    // Beside what was stored only what is never stored: a trigger that fired and did not match, older than the newest.
    ...again
      .filter((one) => (stored.length === 0 || one.result === 'NOT_MATCHED') && !known.has(keyOf(one)))
      .map((explanation) => ({ explanation, source: 'recomputed' as const })),
  ]
  return {
    person,
    former,
    decisions: decisions.sort((a, b) => (a.explanation.at < b.explanation.at ? -1 : 1)).slice(-MOST),
    waiting: waiting.map(({ startedAt, dueAt, correlation }) => ({ startedAt, dueAt, correlation })),
  }
}

/** A rule that waits for another value of the event says so, too. */
const tellingAll = (settings: Prepared['settings']): Prepared['settings'] => ({
  ...settings,
  rules: askingAll(settings.rules),
})

const keyOf = ({ eventId, correlation, result }: Explanation) => `${eventId}\0${correlation}\0${result}`

const storedOf = async (rule: string, people: readonly string[], { db }: StateStore): Promise<Explanation[]> => [
  ...(await decidedOf(people, db, { rule, limit: MOST })),
  ...(await unmatchedOf(people, db, rule)),
]
