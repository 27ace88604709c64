/** The decisions behind an event, a delivery or an explanation, each with what would have turned it. */
import type { Counterfactual } from '../../schemas/records.ts'
import type { Rule } from '../../schemas/rule.ts'
import type { Explanation } from '../decision/index.ts'
import { decidedOn, decisionById, unmatchedOf } from '../explain/stored.ts'
import type { Db } from '../stores/open.ts'
import { type CounterfactualOptions, counterfactual } from './counterfactual.ts'

/** @param id an event, a delivery, or an explanation. @returns undefined when nothing that was kept has this id. */
export async function counterfactualsOf(
  id: string,
  db: Db,
  options: CounterfactualOptions = {},
): Promise<Counterfactual[] | undefined> {
  const found = await explanationsOf(id, db)
  if (!found) return undefined
  const answers: Counterfactual[] = []
  for (const explanation of found) {
    const row = await db
      .selectFrom('rule_versions')
      .select('body')
      .where('rule', '=', explanation.rule)
      .where('version', '=', explanation.version)
      .executeTakeFirst()
    if (!row) continue
    const { before: _, after: __, ...answer } = counterfactual(explanation, JSON.parse(row.body) as Rule, options)
    answers.push(answer)
  }
  return answers
}

async function explanationsOf(id: string, db: Db): Promise<Explanation[] | undefined> {
  const delivery = await db
    .selectFrom('deliveries')
    .select(['event_id', 'rule'])
    .where('id', '=', id)
    .executeTakeFirst()
  const event = delivery?.event_id ?? id
  const onEvent = await decidedOn(event, db)
  const named = onEvent.length === 0 ? await decisionById(id, db) : undefined
  const stored: Explanation[] = named ? [named] : onEvent
  if (delivery) return stored.filter(({ deliveryIds }) => deliveryIds.includes(id))
  // Of a trigger that did not match only the newest per person and rule is kept, and by person.
  const kept = await db
    .selectFrom('history')
    .innerJoin('nodes', 'nodes.id', 'history.node_id')
    .select('nodes.person_id')
    .where('history.id', '=', id)
    .executeTakeFirst()
  const latest = kept ? await unmatchedOf([kept.person_id], db) : []
  const unmatched = latest.filter(({ eventId }) => eventId === id)
  return kept || stored.length > 0 ? [...stored, ...unmatched] : undefined
}
