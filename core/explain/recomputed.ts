/**
 * What rules said to one event where it was not stored: a trigger that fired and did not match, of which only the newest per
 * person and rule is kept. History is given again, with the rules as they are published now.
 */
import type { LoadedConfig } from '../config.ts'
import { type CompiledRule, type Explanation, type RuleSet, triggerName } from '../decision/index.ts'
import { askingAll } from '../decision/ruleset.ts'
import type { Keys } from '../keys.ts'
import { histories } from '../replay/history.ts'
import { replayPerson } from '../replay/person.ts'
import { processSettings, readSurroundings } from '../roles/surroundings.ts'
import type { StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { KeptFacts } from './withheld.ts'

export interface RecomputePorts {
  readonly state: StateStore
  readonly keys: Keys
  readonly config: LoadedConfig
  readonly rules: RuleSet
}

/** @param told rules of which something is stored about the event. */
export async function recomputedFor(
  { row, purposes, copy }: KeptFacts,
  told: ReadonlySet<string>,
  { state, keys, config, rules }: RecomputePorts,
): Promise<Explanation[]> {
  if (copy) return []
  const asked = rules
    .triggeredBy(triggerName({ type: row.type as 'track', name: row.name }))
    .filter((one) => rules.isCurrent(one) && purposes.includes(one.rule.unless.purpose) && !told.has(one.rule.id))
  const waiting = await liveThen(asked, row, state)
  if (waiting.size === 0) return []
  const node = await state.db.selectFrom('nodes').select('person_id').where('id', '=', row.node_id).executeTakeFirst()
  if (!node) return []
  const surroundings = readSurroundings(config)
  // Rollouts refuse people, and a refusal is stored: what is missing is what the conditions said.
  const { rollouts: _, shadows: __, ...all } = askingAll(rules)
  const settings = processSettings(config, surroundings, all, [...all.current])
  const until = row.taken_at ?? row.received_at
  const found: Explanation[] = []
  for await (const history of histories(until, { state, keys, now: until }, [node.person_id]))
    replayPerson(history, {
      settings,
      keys,
      clock: 'noted',
      until,
      watch: ({ batch }) => {
        for (const { explanation } of batch.rows.latest.values()) {
          if (!waiting.has(explanation.rule)) continue
          if (explanation.eventId === row.id && explanation.result === 'NOT_MATCHED') found.push(explanation)
        }
      },
    })
  return found
}

/** Of these rules those that were loaded when the event came, in the version of today. */
async function liveThen(
  asked: readonly CompiledRule[],
  { received_at }: Tables['history'],
  { db }: StateStore,
): Promise<ReadonlySet<string>> {
  if (asked.length === 0) return new Set()
  const rows = await db
    .selectFrom('rule_versions')
    .select('rule')
    .where(
      'hash',
      'in',
      asked.map(({ hash }) => hash),
    )
    .where('loaded_at', '<=', received_at)
    .execute()
  return new Set(rows.map(({ rule }) => rule))
}
