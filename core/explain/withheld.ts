/**
 * What a kept event did not lead to: the rules and following actions that wait for an event of its name, and were
 * not asked because the event was not kept for their purpose. Worked out when somebody asks, from the configuration
 * and the answers as they stand now; it says so where an answer came only afterwards.
 */
import { wants } from '../../consent/collects.ts'
import type { Purpose, Purposes } from '../../consent/purposes.ts'
import { standingStatus } from '../../consent/signals.ts'
import type { PurposeStatus } from '../../consent/status.ts'
import type { Status } from '../../schemas/consent.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { DestinationSettings } from '../config.ts'
import { STATUS_WORDS } from '../decision/consent-words.ts'
import { nameMatches, type RuleSet, triggerName } from '../decision/index.ts'
import type { StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'

export interface Withheld {
  /** A rule's id, or `destination.action`. */
  readonly what: string
  readonly kind: 'rule' | 'action'
  /** Configured purpose, or the starter purpose nothing stands for. */
  readonly purpose: string
  readonly code: ExitCode
  /** The person's or device's answer as it stands now. */
  readonly status?: Status
  /** ISO 8601: when that answer came. */
  readonly since?: string
  readonly entryId?: string
  readonly reason: { readonly pt: string; readonly en: string }
}

export interface WithheldPorts {
  readonly state: StateStore
  readonly purposes: Purposes
  readonly rules?: RuleSet | undefined
  readonly destinations?:
    | ReadonlyMap<string, Pick<DestinationSettings, 'id' | 'actions' | 'definition' | 'purposeOf'>>
    | undefined
}

export interface KeptFacts {
  readonly row: Tables['history']
  /** Purposes it was kept for. */
  readonly purposes: readonly string[]
  /** Node that stands for its device. */
  readonly device: string
  /** Evidence of a fact another source had reported: it starts nothing. */
  readonly copy: boolean
}

export async function withheldOf(event: KeptFacts, ports: WithheldPorts): Promise<Withheld[]> {
  const { row, copy } = event
  const wanted: { what: string; kind: Withheld['kind']; purpose: string; configured: string | undefined }[] = []
  const name = triggerName({ type: row.type as 'track', name: row.name })
  const { rules, destinations = new Map() } = ports
  const starting = rules ? [...rules.triggeredBy(name), ...rules.startedBy(name)].filter(rules.isCurrent) : []
  const known = starting.length > 0 ? await rulesKnownAt(row.received_at, ports.state) : new Set()
  for (const { rule } of starting) {
    if (!known.has(rule.id)) continue
    const { purpose } = rule.unless
    wanted.push({ what: rule.id, kind: 'rule', purpose, configured: purpose })
  }
  for (const destination of destinations.values())
    for (const id of destination.actions) {
      const action = destination.definition.actions[id]
      if (!action?.trigger || !follows(action.trigger, row)) continue
      const configured = destination.purposeOf(action.purpose)
      wanted.push({
        what: `${destination.id}.${id}`,
        kind: 'action',
        purpose: configured ?? action.purpose,
        configured,
      })
    }
  const found: Withheld[] = []
  for (const { configured, ...one } of wanted) {
    const purpose = configured === undefined ? undefined : ports.purposes.get(configured)
    if (!purpose) found.push({ ...one, code: 'UNDECLARED', reason: UNDECLARED })
    else if (!event.purposes.includes(purpose.id)) found.push({ ...one, ...(await whyNot(event, purpose, ports)) })
    else if (copy) found.push({ ...one, code: 'DUPLICATE', reason: COPY })
  }
  return found
}

/** One of them as a sentence of its own. */
export function withheldSentence({ kind, what, reason }: Withheld): { readonly pt: string; readonly en: string } {
  return kind === 'rule'
    ? { pt: `A regra ${what} não foi avaliada: ${reason.pt}.`, en: `The rule ${what} was not asked: ${reason.en}.` }
    : { pt: `${what} não recebeu o evento: ${reason.pt}.`, en: `${what} was not given the event: ${reason.en}.` }
}

/** A rule that came later has nothing to do with it. */
async function rulesKnownAt(at: number, { db }: StateStore): Promise<Set<string>> {
  const rows = await db.selectFrom('rule_versions').select('rule').distinct().where('loaded_at', '<=', at).execute()
  return new Set(rows.map(({ rule }) => rule))
}

function follows(
  { type, name }: { readonly type: string | readonly string[]; readonly name?: string | readonly string[] },
  row: Tables['history'],
): boolean {
  if (![type].flat().includes(row.type)) return false
  return name === undefined || [name].flat().some((pattern) => nameMatches(pattern, row.name))
}

async function whyNot(
  { row, device }: KeptFacts,
  purpose: Purpose,
  { state }: WithheldPorts,
): Promise<Pick<Withheld, 'code' | 'status' | 'since' | 'entryId' | 'reason'>> {
  if (!purpose.stages.has('collect') || !wants(purpose, { type: row.type as 'track', name: row.name }))
    return { code: 'NO_PURPOSE', reason: notCollected(purpose) }
  const current = await statusNow(row.node_id, device, purpose, state)
  const status = standingStatus(purpose, current, new Date(row.received_at).toISOString())
  const since = current?.receivedAt
  return {
    code: 'NO_CONSENT',
    status,
    ...(since !== undefined && { since }),
    ...(current && { entryId: current.entryId }),
    reason: notAllowed(purpose, status, since !== undefined && Date.parse(since) > row.received_at),
  }
}

/** Of the device, or the newest among the person's nodes, as gates read it. */
async function statusNow(
  nodeId: string,
  device: string,
  purpose: Purpose,
  { db }: StateStore,
): Promise<PurposeStatus | undefined> {
  const rows = await db
    .selectFrom('consent_status')
    .select('body')
    .where('purpose', '=', purpose.id)
    .where('node_id', 'in', (eb) =>
      purpose.scope === 'device'
        ? eb.selectFrom('nodes').select('nodes.id').where('nodes.id', '=', device)
        : eb
            .selectFrom('nodes as own')
            .innerJoin('nodes', 'nodes.person_id', 'own.person_id')
            .select('nodes.id')
            .where('own.id', '=', nodeId),
    )
    .orderBy('updated_at', 'desc')
    .limit(1)
    .execute()
  return rows[0] && (JSON.parse(rows[0].body) as PurposeStatus)
}

const UNDECLARED = {
  pt: 'o destino não declara esta finalidade',
  en: 'the destination does not declare this purpose',
}
const COPY = {
  pt: 'outra fonte já havia informado este fato, e um fato conta uma vez só',
  en: 'another source had reported this fact already, and a fact counts once',
}

const notCollected = ({ id, title }: Purpose) => ({
  pt: `a finalidade “${title.pt}” (${id}) não coleta este evento (purposes.${id}.collects)`,
  en: `the purpose “${title.en}” (${id}) does not collect this event (purposes.${id}.collects)`,
})

function notAllowed({ id, title, basis }: Purpose, status: Status, later: boolean) {
  const words =
    basis === 'legitimate_interest' && status === 'unknown'
      ? { pt: 'falta o teste de balanceamento (art. 10)', en: 'its balancing test is missing (art. 10)' }
      : STATUS_WORDS[status]
  return later || status === 'granted'
    ? {
        pt: `a finalidade “${title.pt}” (${id}) não estava autorizada quando o evento chegou; hoje: ${words.pt}`,
        en: `the purpose “${title.en}” (${id}) was not permitted when the event came; now: ${words.en}`,
      }
    : {
        pt: `a finalidade “${title.pt}” (${id}) não está autorizada: ${words.pt}`,
        en: `the purpose “${title.en}” (${id}) is not permitted: ${words.en}`,
      }
}
