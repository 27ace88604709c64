/**
 * Why something happened, or did not: the way of one event or delivery with the exit taken, each
 * clause with the value found, the consent it rests on, the vendor's answer. From what was stored.
 */
import type { Purposes } from '../consent/purposes.ts'
import type { Arm, DeliveryStatus } from '../schemas/delivery.ts'
import { EXITS, type ExitCode, type StageName } from '../schemas/exits.ts'
import type { Rule } from '../schemas/rule.ts'
import { type Clause, type Explanation, whySentence } from './decision/index.ts'
import type { Keys } from './keys.ts'
import { consentFacts } from './ledger/prove.ts'
import { findEntries } from './ledger/rows.ts'
import { unsealJson } from './seal.ts'
import type { SealedEvent } from './stages/apply.ts'
import { dedupeTable, dedupeTables } from './stages/deduplicate.ts'
import { type StateStore, sql } from './stores/open.ts'
import type { Tables } from './stores/tables.ts'

/** Times are ISO 8601, UTC. No contact data in it. */
export interface ExplainedJourney {
  readonly id: string
  readonly found: 'event' | 'delivery' | 'quarantine'
  readonly event?: {
    readonly id: string
    readonly messageId: string
    readonly name: string
    readonly type: string
    readonly source: string
    readonly occurredAt: string
    readonly receivedAt: string
  }
  /** In the order of the stages; the last one of a branch names the exit taken. */
  readonly journey: readonly {
    readonly stage: StageName
    readonly at?: string
    readonly exit?: ExitCode
    readonly detail?: string
  }[]
  readonly decisions: readonly {
    readonly rule: string
    readonly version: number
    readonly result: string
    readonly at: string
    readonly arm?: Arm
    readonly clauses: readonly Clause[]
    readonly skipped: readonly { readonly destination: string; readonly action: string; readonly code: ExitCode }[]
    readonly sentence: { readonly pt: string; readonly en: string }
  }[]
  readonly consent: readonly {
    readonly entryId: string
    readonly purpose: string
    readonly status: string
    readonly basis: string
    readonly at: string
    readonly origin: string
    readonly notice?: { readonly id: string; readonly version: number }
  }[]
  readonly deliveries: readonly {
    readonly id: string
    readonly destination: string
    readonly action: string
    readonly status: DeliveryStatus
    readonly code?: ExitCode
    readonly reason?: string
    readonly entryId?: string
    readonly attempts: readonly {
      readonly n: number
      readonly at: string
      readonly outcome: string
      readonly reason: string
    }[]
  }[]
  readonly sentence: { readonly pt: string; readonly en: string }
}

export interface ExplainPorts {
  readonly state: StateStore
  readonly keys: Keys
  readonly purposes: Purposes
  /** Source ids: a message id is looked for under each. */
  readonly sources: Iterable<string>
  readonly timezone: string
}

type Journey = ExplainedJourney['journey'][number]

/** @param id a message id, an event id or a delivery id. @returns undefined when nothing kept knows it. */
export async function explain(id: string, ports: ExplainPorts): Promise<ExplainedJourney | undefined> {
  const delivery = await ports.state.db.selectFrom('deliveries').selectAll().where('id', '=', id).executeTakeFirst()
  if (delivery) return explainEvent(id, delivery.event_id, 'delivery', undefined, ports, delivery)
  const history = await ports.state.db.selectFrom('history').select('id').where('id', '=', id).executeTakeFirst()
  if (history) return explainEvent(id, id, 'event', undefined, ports)
  const seen = await findMessage(id, ports)
  if (seen) return explainEvent(id, seen.eventId, 'event', seen, ports)
  const quarantined = await ports.state.db.selectFrom('quarantine').selectAll().where('id', '=', id).executeTakeFirst()
  return quarantined && explainQuarantined(quarantined)
}

interface Seen {
  readonly eventId: string
  readonly source: string
  readonly code: ExitCode
}

/** Within the deduplication window every message is known, kept or not. */
async function findMessage(messageId: string, { state, keys, sources }: ExplainPorts): Promise<Seen | undefined> {
  const hashes = new Map([...sources].map((source) => [keys.message(source, messageId).toString('hex'), source]))
  const wanted = [...hashes.keys()].map((hash) => Buffer.from(hash, 'hex'))
  if (wanted.length === 0) return undefined
  for (const day of await dedupeTables(state)) {
    const found = await sql<{
      hash: Uint8Array
      event_id: string
      code: string
    }>`select hash, event_id, code from ${sql.table(dedupeTable(day))} where hash in (${sql.join(wanted)})`.execute(
      state.db,
    )
    const row = found.rows[0]
    if (row)
      return {
        eventId: row.event_id,
        source: hashes.get(Buffer.from(row.hash).toString('hex'))!,
        code: row.code as ExitCode,
      }
  }
  return undefined
}

async function explainEvent(
  id: string,
  eventId: string,
  found: 'event' | 'delivery',
  seen: Seen | undefined,
  ports: ExplainPorts,
  only?: Tables['deliveries'],
): Promise<ExplainedJourney> {
  const { db } = ports.state
  const history = await db
    .selectFrom('history')
    .innerJoin('nodes', 'nodes.id', 'history.node_id')
    .selectAll('history')
    .select('nodes.data_key')
    .where('history.id', '=', eventId)
    .executeTakeFirst()
  const deliveries = only
    ? [only]
    : await db.selectFrom('deliveries').selectAll().where('event_id', '=', eventId).orderBy('ord').execute()
  const all = await db.selectFrom('explanations').selectAll().where('event_id', '=', eventId).orderBy('at').execute()
  const explanations = only ? all.filter(({ body }) => body.includes(only.id)) : all
  const attempts =
    deliveries.length === 0
      ? []
      : await db
          .selectFrom('attempts')
          .selectAll()
          .where(
            'delivery_id',
            'in',
            deliveries.map((row) => row.id),
          )
          .orderBy('n')
          .execute()
  const rules = await rulesOf(explanations, ports)
  const decisions = explanations.map((row) => decisionOf(row, rules, deliveries, ports))
  const event = history && eventOf(history, ports)
  const journey = journeyOf(event, seen, decisions, deliveries)
  const entryIds = [
    ...new Set(
      [
        ...deliveries.map((row) => row.entry_id),
        ...explanations.map((row) => (JSON.parse(row.body) as Explanation).entryId),
      ].filter((entry) => entry != null),
    ),
  ]
  const last = journey.at(-1)
  return {
    id,
    found,
    ...(event && { event }),
    journey,
    decisions,
    consent: await consentOf(entryIds, ports),
    deliveries: deliveries.map((row) => ({
      id: row.id,
      destination: row.destination,
      action: row.action,
      status: row.status as DeliveryStatus,
      ...(row.reason !== null && { code: row.reason as ExitCode }),
      ...(row.answer !== null && { reason: row.answer }),
      ...(row.entry_id !== null && { entryId: row.entry_id }),
      attempts: attempts
        .filter(({ delivery_id }) => delivery_id === row.id)
        .map(({ n, at, outcome, reason }) => ({ n, at: iso(at), outcome, reason })),
    })),
    sentence:
      decisions.at(-1)?.sentence ??
      (last?.exit
        ? { pt: EXITS[last.exit].pt, en: EXITS[last.exit].en }
        : { pt: 'O evento está em processamento.', en: 'The event is being processed.' }),
  }
}

const iso = (at: number) => new Date(at).toISOString()

function eventOf(
  row: Tables['history'] & { data_key: Uint8Array },
  { keys }: ExplainPorts,
): NonNullable<ExplainedJourney['event']> {
  const { messageId } = unsealJson<SealedEvent>(keys.unwrap(row.data_key), row.sealed)
  return {
    id: row.id,
    messageId,
    name: row.name,
    type: row.type,
    source: row.source_id,
    occurredAt: iso(row.occurred_at),
    receivedAt: iso(row.received_at),
  }
}

/** Stages in order; an event that was not kept ends where its exit says. */
function journeyOf(
  event: ExplainedJourney['event'],
  seen: Seen | undefined,
  decisions: ExplainedJourney['decisions'],
  deliveries: readonly Tables['deliveries'][],
): Journey[] {
  const steps: Journey[] = [
    { stage: 'verify' },
    { stage: 'normalize' },
    { stage: 'record', ...(event && { at: event.receivedAt }) },
  ]
  const code = event ? 'KEPT' : seen?.code
  if (code === undefined) return steps
  const passed: StageName[] = ['deduplicate', 'identify', 'consent', 'collect', 'apply']
  for (const stage of passed) {
    if (EXITS[code].stage === stage) {
      steps.push({ stage, exit: code })
      break
    }
    steps.push({ stage })
  }
  if (!event) return steps
  for (const decision of decisions)
    steps.push({
      stage: 'decide',
      at: decision.at,
      detail: `${decision.rule} v${decision.version}: ${decision.result}`,
      ...(decision.result in EXITS && { exit: decision.result as ExitCode }),
    })
  for (const row of deliveries) {
    const detail = `${row.destination}.${row.action}`
    steps.push({ stage: 'enqueue', at: iso(row.created_at), detail })
    if (row.reason !== null)
      steps.push({
        stage: EXITS[row.reason as ExitCode].stage,
        ...(row.settled_at !== null && { at: iso(row.settled_at) }),
        exit: row.reason as ExitCode,
        detail,
      })
  }
  return steps
}

async function rulesOf(rows: readonly Tables['explanations'][], { state }: ExplainPorts): Promise<Map<string, Rule>> {
  const rules = new Map<string, Rule>()
  for (const { rule, version } of rows) {
    const key = `${rule}@${version}`
    if (rules.has(key)) continue
    const row = await state.db
      .selectFrom('rule_versions')
      .select('body')
      .where('rule', '=', rule)
      .where('version', '=', version)
      .executeTakeFirst()
    if (row) rules.set(key, JSON.parse(row.body) as Rule)
  }
  return rules
}

function decisionOf(
  row: Tables['explanations'],
  rules: ReadonlyMap<string, Rule>,
  deliveries: readonly Tables['deliveries'][],
  ports: ExplainPorts,
): ExplainedJourney['decisions'][number] {
  const explanation = JSON.parse(row.body) as Explanation
  const rule = rules.get(`${row.rule}@${row.version}`)
  const delivery = deliveries.find(({ id }) => explanation.deliveryIds.includes(id))
  const facts = {
    explanation,
    ...(rule && { rule, ...titleOf(rule, ports) }),
    ...(delivery && {
      delivery: {
        status: delivery.status as DeliveryStatus,
        ...(delivery.reason !== null && { code: delivery.reason as ExitCode }),
        ...(delivery.channel !== null && { channel: delivery.channel }),
      },
    }),
    zone: ports.timezone,
  }
  return {
    rule: row.rule,
    version: row.version,
    result: row.result,
    at: explanation.at,
    ...(explanation.arm && { arm: explanation.arm }),
    clauses: explanation.clauses,
    skipped: explanation.skipped,
    sentence: { pt: whySentence(facts, 'pt'), en: whySentence(facts, 'en') },
  }
}

function titleOf(rule: Rule, { purposes }: ExplainPorts): { purposeTitle?: { pt: string; en: string } } {
  const title = purposes.get(rule.unless.purpose)?.title
  return title ? { purposeTitle: { pt: title.pt, en: title.en } } : {}
}

async function consentOf(
  entryIds: readonly string[],
  { state, keys }: ExplainPorts,
): Promise<ExplainedJourney['consent']> {
  const found = await findEntries(state.db, entryIds)
  return Promise.all(
    found.map(async (entry) => {
      const { ts, source, ...facts } = await consentFacts(state.db, entry, keys)
      return {
        entryId: entry.id,
        purpose: entry.purpose,
        status: facts.status ?? 'unknown',
        basis: facts.basis ?? 'unknown',
        at: ts,
        origin: source,
        ...(facts.notice && { notice: facts.notice }),
      }
    }),
  )
}

function explainQuarantined(row: Tables['quarantine']): ExplainedJourney {
  const code = row.code as ExitCode
  return {
    id: row.id,
    found: 'quarantine',
    journey: [
      { stage: 'verify', at: iso(row.received_at) },
      { stage: EXITS[code].stage, exit: code, detail: [row.path, row.message].filter(Boolean).join(': ') },
    ],
    decisions: [],
    consent: [],
    deliveries: [],
    sentence: { pt: EXITS[code].pt, en: EXITS[code].en },
  }
}
