/**
 * One person and one rule, whole: each decision with its cause, clauses, caps, group and consent, and what became of its
 * deliveries. `whyPerson` finds the decisions, stored or recomputed; here the rest is put to them.
 */
import type { DeliveryStatus } from '../../schemas/delivery.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import type { Rule } from '../../schemas/rule.ts'
import { WHY_CAUSES, type WhyAnswer, type WhyDecision } from '../../schemas/why.ts'
import type { LoadedConfig } from '../config.ts'
import { CAP_WORDS, capKey, capWindowWords, usedAt } from '../decision/caps.ts'
import { type CompiledRule, compileRule, type Explanation, whySentence } from '../decision/index.ts'
import { zoneFor } from '../decision/zone.ts'
import type { Keys } from '../keys.ts'
import { ConfigError } from '../kit/errors.ts'
import { type Prepared, prepareRule } from '../replay/prepare.ts'
import { whyPerson } from '../replay/why.ts'
import type { StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { type ConsentTold, consentOf } from './consent.ts'
import { evidenceOf, identityThen } from './identity-then.ts'
import { recordsOf } from './sentence-records.ts'
import { neverAskedSentence, standingNow } from './standing-now.ts'

export interface WhyPorts {
  readonly state: StateStore
  readonly keys: Keys
  /** Epoch milliseconds. */
  readonly now: number
  readonly timezone: string
}

/** For a published rule, by `id` or `id@version`. */
export async function whyFor(
  person: string,
  rule: string,
  { config, state, keys, now }: { readonly config: LoadedConfig } & Omit<WhyPorts, 'timezone'>,
): Promise<WhyAnswer | 'NOBODY' | 'NO_RULE'> {
  let prepared: Prepared
  try {
    prepared = await prepareRule({ id: rule }, config, state, now)
  } catch (error) {
    if (error instanceof ConfigError) return 'NO_RULE'
    throw error
  }
  return (await explainPersonRule(person, prepared, { state, keys, now, timezone: config.timezone })) ?? 'NOBODY'
}

/** @returns undefined when nobody has this id. */
export async function explainPersonRule(
  personId: string,
  prepared: Prepared,
  ports: WhyPorts,
): Promise<WhyAnswer | undefined> {
  const found = await whyPerson(personId, prepared, ports)
  if (!found) return undefined
  const { rule, published, settings } = prepared
  const { db } = ports.state
  const ids = [found.person, ...found.former]
  const profile = await profileOf(found.person, ports)
  const explanations = found.decisions.map(({ explanation }) => explanation)
  const versions = await versionsOf(explanations, rule, ports)
  const events = await eventsOf(explanations, ports)
  const deliveries = await deliveriesOf(explanations, ids, ports)
  const evidence = await evidenceOf(found.person, db)
  const now = await standingNow(found.person, rule.rule, { ...ports, purposes: settings.purposes })
  const entryIds = [...explanations.map(({ entryId }) => entryId), ...deliveries.map(({ entry_id }) => entry_id)]
  const consent = await consentOf([...new Set(entryIds.flatMap((id) => id ?? []))], ports)
  const title = settings.purposes.get(rule.rule.unless.purpose)?.title
  const caps = await db
    .selectFrom('caps')
    .select(['key', 'at', 'delivery_id'])
    .where('person_id', 'in', ids)
    .orderBy('at')
    .execute()
  const decisions = found.decisions.map(({ explanation, source }) => {
    const compiled = versions.get(explanation.hash)
    const sent = deliveries.filter(({ id }) => explanation.deliveryIds.includes(id))
    const event = events.get(explanation.eventId)
    return decisionOf(explanation, {
      source,
      sent,
      event,
      identity: identityThen(evidence, Date.parse(explanation.at), event?.node_id),
      consent,
      caps: compiled ? capsOf(explanation, compiled, sent, { caps, profile, timezone: ports.timezone }) : [],
      sentence: sentenceOf(explanation, compiled?.rule, sent, source),
    })
  })
  return {
    person: found.person,
    rule: {
      id: rule.rule.id,
      version: rule.rule.version,
      title: rule.rule.title ?? null,
      purpose: rule.rule.unless.purpose,
      published,
    },
    source: found.decisions.some(({ source }) => source === 'stored') ? 'stored' : 'recomputed',
    now,
    identity: await identityOf(found.person, found.former.length, profile, ports),
    decisions,
    waiting: found.waiting.map(({ startedAt, dueAt }) => ({ startedAt, dueAt })),
    sentence: decisions.at(-1)?.sentence ?? {
      pt: neverAskedSentence(rule.rule, now, { title, zone: ports.timezone }, 'pt'),
      en: neverAskedSentence(rule.rule, now, { title, zone: ports.timezone }, 'en'),
    },
  }

  function sentenceOf(
    explanation: Explanation,
    written: Rule | undefined,
    sent: readonly Delivered[],
    source: WhyDecision['source'],
  ): WhyDecision['sentence'] {
    const facts = {
      explanation,
      zone: ports.timezone,
      // What was given again, and nothing came of, did not happen.
      supposed: sent.length === 0 && (!published || source === 'recomputed'),
      recomputed: source === 'recomputed',
      ...(written && { rule: written }),
      ...(title && { purposeTitle: title }),
      ...recordsOf(explanation, sent, consent),
    }
    return { pt: whySentence(facts, 'pt'), en: whySentence(facts, 'en') }
  }
}

const iso = (at: number) => new Date(at).toISOString()

type Delivered = Tables['deliveries'] & { readonly attempts: readonly Tables['attempts'][] }
type Happened = Pick<
  Tables['history'],
  'id' | 'node_id' | 'name' | 'type' | 'source_id' | 'occurred_at' | 'received_at'
>

async function profileOf(person: string, { state }: WhyPorts): Promise<OpenProfile | undefined> {
  const row = await state.db.selectFrom('persons').select('profile').where('id', '=', person).executeTakeFirst()
  return row && (JSON.parse(row.profile) as OpenProfile)
}

/** By hash, so that a decision is read with the very text that made it. */
async function versionsOf(
  decisions: readonly Explanation[],
  rule: CompiledRule,
  { state }: WhyPorts,
): Promise<Map<string, CompiledRule>> {
  const known = new Map([[rule.hash, rule]])
  const wanted = [...new Set(decisions.map(({ hash }) => hash))].filter((hash) => !known.has(hash))
  if (wanted.length === 0) return known
  const rows = await state.db
    .selectFrom('rule_versions')
    .select(['hash', 'body'])
    .where('rule', '=', rule.rule.id)
    .where('hash', 'in', wanted)
    .execute()
  for (const { hash, body } of rows) known.set(hash, compileRule(JSON.parse(body) as Rule))
  return known
}

async function eventsOf(decisions: readonly Explanation[], { state }: WhyPorts): Promise<Map<string, Happened>> {
  const ids = [...new Set(decisions.map(({ eventId }) => eventId))]
  if (ids.length === 0) return new Map()
  const rows = await state.db
    .selectFrom('history')
    .select(['id', 'node_id', 'name', 'type', 'source_id', 'occurred_at', 'received_at'])
    .where('id', 'in', ids)
    .execute()
  return new Map(rows.map((row) => [row.id, row]))
}

async function deliveriesOf(
  decisions: readonly Explanation[],
  people: readonly string[],
  { state: { db } }: WhyPorts,
): Promise<Delivered[]> {
  const ids = [...new Set(decisions.flatMap(({ deliveryIds }) => deliveryIds))]
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('deliveries')
    .selectAll()
    .where('id', 'in', ids)
    .where('person_id', 'in', people)
    .orderBy('ord')
    .execute()
  const attempts = await db.selectFrom('attempts').selectAll().where('delivery_id', 'in', ids).orderBy('n').execute()
  return rows.map((row) => ({ ...row, attempts: attempts.filter(({ delivery_id }) => delivery_id === row.id) }))
}

async function identityOf(
  person: string,
  mergedFrom: number,
  profile: OpenProfile | undefined,
  { state }: WhyPorts,
): Promise<WhyAnswer['identity']> {
  const rows = await state.db
    .selectFrom('nodes')
    .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
    .select(['identifiers.type', (eb) => eb.fn.countAll().as('n')])
    .where('nodes.person_id', '=', person)
    .groupBy('identifiers.type')
    .orderBy('identifiers.type')
    .execute()
  return {
    identifiers: rows.map(({ type, n }) => ({ type, count: Number(n) })),
    mergedFrom,
    firstSeenAt: profile?.firstSeenAt ?? null,
  }
}

/** How full each cap was before a decision; where one stopped it, what was found then. */
function capsOf(
  explanation: Explanation,
  compiled: CompiledRule,
  sent: readonly Delivered[],
  known: {
    readonly caps: readonly Pick<Tables['caps'], 'key' | 'at' | 'delivery_id'>[]
    readonly profile: OpenProfile | undefined
    readonly timezone: string
  },
): WhyDecision['caps'] {
  const { purpose } = compiled.rule.unless
  const at = Date.parse(explanation.at)
  const asked = explanation.result === 'ENQUEUED' ? sent[0] : undefined
  return compiled.caps.map((cap, index) => {
    const stopped = explanation.clauses.find(({ id }) => id === `unless.caps.${index}`)
    const key = asked && capKey(cap.per, compiled, asked.channel === null ? {} : { channel: asked.channel })
    const uses = known.caps
      .filter((use) => use.key === key && use.at <= at && !explanation.deliveryIds.includes(use.delivery_id))
      .map((use) => Number(use.at))
    const zone = zoneFor(cap.zone, known.profile?.zone, purpose, known.timezone)
    return {
      clause: `fewer than ${cap.max} ${capWindowWords(cap, 'en')} ${CAP_WORDS[cap.per].en}`,
      pt: `menos de ${cap.max} ${capWindowWords(cap, 'pt')} ${CAP_WORDS[cap.per].pt}`,
      max: cap.max,
      used: typeof stopped?.value === 'number' ? stopped.value : key === undefined ? null : usedAt(cap, uses, at, zone),
    }
  })
}

function decisionOf(
  explanation: Explanation,
  more: {
    readonly source: WhyDecision['source']
    readonly identity: WhyDecision['identity']
    readonly sent: readonly Delivered[]
    readonly event: Happened | undefined
    readonly consent: readonly ConsentTold[]
    readonly caps: WhyDecision['caps']
    readonly sentence: WhyDecision['sentence']
  },
): WhyDecision {
  const { event } = more
  const told = (id: string | null | undefined) => more.consent.find(({ entryId }) => entryId === id) ?? null
  return {
    rule: explanation.rule,
    version: explanation.version,
    at: explanation.at,
    source: more.source,
    identity: more.identity,
    result: explanation.result,
    would: explanation.would ?? null,
    cause: WHY_CAUSES.find((cause) => explanation.eventId.startsWith(`${cause}:`)) ?? 'event',
    event: event
      ? {
          id: event.id,
          name: event.name,
          type: event.type,
          source: event.source_id,
          occurredAt: iso(event.occurred_at),
          receivedAt: iso(event.received_at),
        }
      : null,
    startedAt: explanation.startedAt ?? null,
    clauses: [...explanation.clauses],
    arm: explanation.arm ?? null,
    variant: explanation.variant ?? null,
    offer: explanation.offer ?? null,
    heldUntil: explanation.heldUntil ?? null,
    caps: more.caps,
    skipped: explanation.skipped.map(({ destination, action, code }) => ({ destination, action, code })),
    consent: told(explanation.entryId),
    entryId: explanation.entryId ?? null,
    deliveries: more.sent.map((row) => ({
      id: row.id,
      destination: row.destination,
      action: row.action,
      channel: row.channel,
      status: row.status as DeliveryStatus,
      code: row.reason,
      reason: row.answer,
      entryId: row.entry_id,
      consent: told(row.entry_id),
      dueAt: iso(row.due_at),
      settledAt: row.settled_at === null ? null : iso(row.settled_at),
      attempts: row.attempts.map(({ n, at, outcome, reason }) => ({ n, at: iso(at), outcome, reason })),
    })),
    sentence: more.sentence,
  }
}
