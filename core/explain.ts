/**
 * Why something happened, or did not: the way of one event or delivery with the exit taken, each
 * clause with the value found, the consent it rests on, the vendor's answer. From what was stored.
 */
import type { Purposes } from '../consent/purposes.ts'
import type { Arm, DeliveryStatus } from '../schemas/delivery.ts'
import { EXITS, type ExitCode, type StageName } from '../schemas/exits.ts'
import type { Rule } from '../schemas/rule.ts'
import { WHY_CAUSES } from '../schemas/why.ts'
import type { LoadedConfig } from './config.ts'
import { type Clause, type Explanation, type RuleSet, whySentence } from './decision/index.ts'
import { type ConsentTold, consentOf } from './explain/consent.ts'
import { type StillHeld, stillHeld } from './explain/held.ts'
import { otherValues } from './explain/other-value.ts'
import { recomputedFor } from './explain/recomputed.ts'
import { recordsOf } from './explain/sentence-records.ts'
import { decidedOn, unmatchedOf } from './explain/stored.ts'
import { type KeptFacts, type Withheld, type WithheldPorts, withheldOf, withheldSentence } from './explain/withheld.ts'
import type { Keys } from './keys.ts'
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
    /** Something newer of this person had been taken before it. */
    readonly late?: true
    /** When an answer released it from being held. */
    readonly releasedAt?: string
    /** Purposes it was kept for. */
    readonly purposes: readonly string[]
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
    /** Not stored when it happened, but told from the event or from history. */
    readonly recomputed?: true
    readonly clauses: readonly Clause[]
    readonly skipped: readonly { readonly destination: string; readonly action: string; readonly code: ExitCode }[]
    readonly sentence: { readonly pt: string; readonly en: string }
  }[]
  /** Rules and following actions that were not asked, because the event was not kept for their purpose. */
  readonly withheld: readonly Withheld[]
  readonly consent: readonly ConsentTold[]
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
  /** Without them what a kept event did not lead to stays untold. */
  readonly rules?: RuleSet
  readonly destinations?: WithheldPorts['destinations']
  /** Without it what history alone can tell stays untold. */
  readonly config?: LoadedConfig
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
  const kept = history && keptOf(history, ports)
  const noted = await explanationsOf(eventId, history?.node_id, ports)
  const all = kept && !only ? [...noted, ...(await untold(kept, noted, ports))] : noted
  const explanations = only ? all.filter(({ deliveryIds }) => deliveryIds.includes(only.id)) : all
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
  const entries = [...deliveries.map((row) => row.entry_id), ...explanations.map(({ entryId }) => entryId)]
  const resting = await consentOf([...new Set(entries.flatMap((entry) => entry ?? []))], ports)
  const decisions = explanations.map((one) => decisionOf(one, rules, deliveries, resting, ports))
  const held = !kept && seen?.code === 'HELD' ? await stillHeld(eventId, ports) : undefined
  const journey = CAUSED.test(eventId)
    ? decidedSteps(decisions, deliveries)
    : journeyOf(kept, seen, held, decisions, deliveries)
  const told = new Set(decisions.map(({ rule }) => rule))
  const withheld =
    kept && !only
      ? (await withheldOf(kept.facts, ports)).filter(({ kind, what }) => kind !== 'rule' || !told.has(what))
      : []
  const entryIds = [
    ...new Set([...entries, ...withheld.map(({ entryId }) => entryId)].filter((entry) => entry != null)),
  ]
  return {
    id,
    found,
    ...(kept && { event: kept.event }),
    journey,
    decisions,
    withheld,
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
    sentence: decisions.at(-1)?.sentence ?? endSentence(journey, kept, withheld),
  }
}

/** What set a decision off, where it was no event. */
const CAUSED = new RegExp(`^(?:${WHY_CAUSES.filter((cause) => cause !== 'event').join('|')}):`)

const iso = (at: number) => new Date(at).toISOString()

interface Kept {
  readonly event: NonNullable<ExplainedJourney['event']>
  readonly properties: Readonly<Record<string, unknown>>
  readonly facts: KeptFacts
}

function keptOf(row: Tables['history'] & { data_key: Uint8Array }, { keys }: ExplainPorts): Kept {
  const sealed = unsealJson<SealedEvent>(keys.unwrap(row.data_key), row.sealed)
  const purposes = JSON.parse(row.purposes) as string[]
  return {
    event: {
      id: row.id,
      messageId: sealed.messageId,
      name: row.name,
      type: row.type,
      source: row.source_id,
      occurredAt: iso(row.occurred_at),
      receivedAt: iso(row.received_at),
      ...(sealed.late && { late: true as const }),
      ...(sealed.releasedAt !== undefined && { releasedAt: iso(sealed.releasedAt) }),
      purposes,
    },
    properties: sealed.properties,
    facts: { row, purposes, device: sealed.device, copy: sealed.copy === true },
  }
}

/** What rules noted about an event; of triggers that did not match only the newest per person and rule stands. */
async function explanationsOf(
  eventId: string,
  nodeId: string | undefined,
  { state: { db } }: ExplainPorts,
): Promise<Noted[]> {
  const noted: Noted[] = await decidedOn(eventId, db)
  if (nodeId === undefined) return noted
  const people = await db
    .selectFrom('persons')
    .innerJoin('nodes', (join) =>
      join.on((on) =>
        on.or([
          on('persons.id', '=', on.ref('nodes.person_id')),
          on('persons.merged_into', '=', on.ref('nodes.person_id')),
        ]),
      ),
    )
    .select('persons.id')
    .where('nodes.id', '=', nodeId)
    .execute()
  const latest = await unmatchedOf(
    people.map(({ id }) => id),
    db,
  )
  return [...noted, ...latest.filter((one) => one.eventId === eventId)]
}

type Noted = Explanation & { readonly recomputed?: true }

async function untold(
  { facts, properties }: Kept,
  noted: readonly Noted[],
  { rules, state, keys, config }: ExplainPorts,
): Promise<Noted[]> {
  const told = new Set(noted.map(({ rule }) => rule))
  const found = rules ? await otherValues(facts, properties, rules, state) : []
  const seen = new Set([...told, ...found.map(({ rule }) => rule)])
  const again = rules && config ? await recomputedFor(facts, seen, { state, keys, config, rules }) : []
  return [...found, ...again].filter(({ rule }) => !told.has(rule)).map((one) => ({ ...one, recomputed: true }))
}

/** Stages in order; an event that was not kept ends where its exit says. */
function journeyOf(
  kept: Kept | undefined,
  seen: Seen | undefined,
  held: StillHeld | undefined,
  decisions: ExplainedJourney['decisions'],
  deliveries: readonly Tables['deliveries'][],
): Journey[] {
  const steps: Journey[] = [
    { stage: 'verify' },
    { stage: 'normalize' },
    { stage: 'record', ...(kept && { at: kept.event.receivedAt }) },
  ]
  const code = kept ? 'KEPT' : seen?.code
  // Of an event that is gone what it led to may still be there.
  if (code === undefined) return [...steps, ...decidedSteps(decisions, deliveries)]
  const passed: StageName[] = ['deduplicate', 'identify', 'consent', 'collect', 'apply']
  for (const stage of passed) {
    const released = kept?.event.releasedAt
    if (stage === 'collect' && released !== undefined)
      steps.push({ stage, at: released, detail: 'held until an answer released it' })
    else if (EXITS[code].stage === stage) {
      const detail = detailOf(kept, code, held)
      steps.push({ stage, exit: code, ...(detail && { detail }) })
      break
    } else steps.push({ stage })
  }
  return kept ? [...steps, ...decidedSteps(decisions, deliveries)] : steps
}

function decidedSteps(
  decisions: ExplainedJourney['decisions'],
  deliveries: readonly Tables['deliveries'][],
): Journey[] {
  const steps: Journey[] = []
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

function detailOf(kept: Kept | undefined, code: ExitCode, held: StillHeld | undefined): string | undefined {
  if (kept) {
    const { purposes, late } = kept.event
    return [
      `for ${purposes.join(', ')}`,
      ...(kept.facts.copy ? ['copy of a fact another source had reported'] : []),
      ...(late ? ['late: something newer of this person had been taken before'] : []),
    ].join('; ')
  }
  if (code !== 'HELD') return undefined
  return held
    ? `until ${held.until}, or an answer about ${held.purposes.join(', ')}`
    : 'nobody answered within 24 hours, so it was destroyed'
}

/** Where nothing was decided: what happened to the event, and what it did not lead to. */
function endSentence(
  journey: readonly Journey[],
  kept: Kept | undefined,
  withheld: readonly Withheld[],
): ExplainedJourney['sentence'] {
  const last = journey.at(-1)
  if (!last?.exit) return { pt: 'O evento está em processamento.', en: 'The event is being processed.' }
  const { pt, en } = EXITS[last.exit]
  if (kept) {
    const named = (kind: 'rule' | 'action') => withheld.filter((one) => one.kind === kind)
    const told = [...named('rule'), ...named('action')].map(withheldSentence)
    return { pt: [pt, ...told.map((one) => one.pt)].join(' '), en: [en, ...told.map((one) => one.en)].join(' ') }
  }
  if (last.exit === 'HELD' && last.detail?.startsWith('nobody'))
    return {
      pt: 'Ficou lacrado por 24 horas sem resposta de consentimento e foi destruído.',
      en: 'It was sealed for 24 hours without an answer about consent and was destroyed.',
    }
  if (last.exit === 'CONSENT_DENIED' || last.exit === 'NO_PURPOSE')
    return {
      pt: `${pt} Do evento nada mais foi guardado, nem o nome: por isso não se pode dizer quais finalidades o pediam.`,
      en: `${en} Nothing else of the event was kept, not even its name, so the purposes that wanted it cannot be named.`,
    }
  return { pt, en }
}

async function rulesOf(rows: readonly Noted[], { state }: ExplainPorts): Promise<Map<string, Rule>> {
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
  explanation: Noted,
  rules: ReadonlyMap<string, Rule>,
  deliveries: readonly Tables['deliveries'][],
  consent: readonly ConsentTold[],
  ports: ExplainPorts,
): ExplainedJourney['decisions'][number] {
  const rule = rules.get(`${explanation.rule}@${explanation.version}`)
  const sent = deliveries.filter(({ id }) => explanation.deliveryIds.includes(id))
  const facts = {
    explanation,
    recomputed: explanation.recomputed === true,
    ...(rule && { rule, ...titleOf(rule, ports) }),
    ...recordsOf(explanation, sent, consent),
    zone: ports.timezone,
  }
  return {
    rule: explanation.rule,
    version: explanation.version,
    result: explanation.result,
    at: explanation.at,
    ...(explanation.arm && { arm: explanation.arm }),
    ...(explanation.recomputed && { recomputed: true as const }),
    clauses: explanation.clauses,
    skipped: explanation.skipped,
    sentence: { pt: whySentence(facts, 'pt'), en: whySentence(facts, 'en') },
  }
}

function titleOf(rule: Rule, { purposes }: ExplainPorts): { purposeTitle?: { pt: string; en: string } } {
  const title = purposes.get(rule.unless.purpose)?.title
  return title ? { purposeTitle: { pt: title.pt, en: title.en } } : {}
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
    withheld: [],
    consent: [],
    deliveries: [],
    sentence: { pt: EXITS[code].pt, en: EXITS[code].en },
  }
}
