/**
 * permit: consent asked again at delivery. Fences first, status second, then goal and expiry; and the
 * same question once more as the last look, just before the bytes.
 */
import { type Halt, isHalt, type Permit, permit, permitRemoval, permitWithdrawal } from '../../consent/gate.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import { newestPushes, pushOfDelivery } from '../audiences/pushes.ts'
import { tellsTraits } from '../audiences/traits.ts'
import { goalReached } from '../decision/index.ts'
import type { Stopped } from '../decision/rollout.ts'
import { silentUntil } from '../decision/send-plan.ts'
import { zoneFor } from '../decision/zone.ts'
import type { Fence } from '../log/event-log.ts'
import { heldPersons } from '../retention/holds.ts'
import { readSwitches, stoppedBy } from '../rules/book.ts'
import { unsealJson } from '../seal.ts'
import { chunks } from '../stores/open.ts'
import { Batch, type LoadPeopleOptions, loadPeople, loadPeopleOfNodes } from './batch.ts'
import { statusOfTurn } from './decide.ts'
import type { DeliverPorts, DeliveryRow, Halted, Leased } from './deliver-ports.ts'
import { factsOf } from './facts-of-person.ts'
import { HELD } from './lease.ts'
import type { NodeState, PersonState } from './people.ts'
import { isWithdrawal } from './propagate.ts'

export interface Asked {
  readonly leased: Leased
  readonly permit: Permit
  readonly person: PersonState
  /** The node whose key seals this delivery and its event. */
  readonly node: NodeState
  readonly deviceNode: NodeState | undefined
}

export interface PermitAnswers {
  readonly permitted: Asked[]
  readonly halted: Halted[]
  /** What was loaded of the people, for mapping. */
  readonly batch: Batch
}

/** @param options.all also what only mapping reads; true when absent. */
export async function permitLeased(
  leased: readonly Leased[],
  ports: DeliverPorts,
  options: LoadPeopleOptions = {},
): Promise<PermitAnswers> {
  const batch = new Batch(ports.clock(), ports.keys)
  await loadPeople(batch, ports.state, [], [...new Set(leased.map(({ row }) => row.person_id))], options)
  await loadMerged(leased, batch, ports, options)
  const devices = devicesOf(leased, batch, ports)
  await loadPeopleOfNodes(batch, ports.state, devices.values(), options)
  const fences = fencesByNode(batch, ports)
  const ofRules = leased.flatMap(({ row }) => (row.rule === null ? [] : [{ ...row, rule: row.rule }]))
  if (ofRules.some((row) => !ports.rules.versionOf(row.rule, row.rule_version ?? 0))) await ports.freshRules?.()
  // Read each time: whoever pauses or stops a rule is answered once nothing more of it can leave.
  const switches = ofRules.length > 0 ? await readSwitches(ports.state.db) : undefined
  const onHold = await heldPersons(ports.state.db, [...batch.persons.keys()])
  const told = leased.filter(({ row }) => pushOfDelivery(row)).map(({ row }) => row.id)
  const newest = told.length > 0 ? await newestPushes(told, ports.state) : undefined
  const permitted: Asked[] = []
  const halted: Halted[] = []
  for (const item of leased) {
    const person: PersonState | undefined = batch.person(item.row.person_id)
    const node = person?.nodes.find(({ id }) => id === item.row.node_id)
    if (!person || !node) {
      halted.push({ leased: item, code: 'SUBJECT_SUPPRESSED' })
      continue
    }
    // A membership that was told otherwise since, while this row waited to be re-driven.
    if (newest && pushOfDelivery(item.row) && !newest.has(item.row.id)) {
      halted.push({ leased: item, code: 'SUPERSEDED' })
      continue
    }
    const device = devices.get(item.row.id)
    const deviceNode = device === undefined ? undefined : batch.node(device)
    const asked = askPermit(item, person, deviceNode, fences, onHold, batch, ports)
    const answer = switches ? unlessStopped(asked, item, switches) : asked
    if ('code' in answer) halted.push({ leased: item, ...answer })
    else permitted.push({ leased: item, permit: answer, person, node, deviceNode })
  }
  return { permitted, halted, batch }
}

/** A row leased before its person was merged away names an id that leads to the remaining one. */
async function loadMerged(
  leased: readonly Leased[],
  batch: Batch,
  ports: DeliverPorts,
  options: LoadPeopleOptions,
): Promise<void> {
  const gone = new Set(leased.map(({ row }) => row.person_id).filter((id) => !batch.persons.has(id)))
  for (const part of chunks([...gone])) {
    const rows = await ports.state.db
      .selectFrom('persons')
      .select(['id', 'merged_into'])
      .where('id', 'in', part)
      .where('merged_into', 'is not', null)
      .execute()
    for (const row of rows) batch.merged.set(row.id, row.merged_into!)
  }
  await loadPeople(batch, ports.state, [], [...new Set(batch.merged.values())], options)
}

function askPermit(
  { row, line, action }: Leased,
  person: PersonState,
  deviceNode: NodeState | undefined,
  fences: ReadonlyMap<string, readonly Pick<Fence, 'purposes'>[]>,
  onHold: ReadonlySet<string>,
  batch: Batch,
  ports: DeliverPorts,
): Permit | { code: ExitCode; entryId?: string | undefined; detail?: string; retryAt?: number } {
  const now = new Date(batch.now).toISOString()
  if (isWithdrawal(row)) {
    const answer = permitWithdrawal({
      purpose: ports.purposes.get(row.purpose),
      destinationId: line.destination.id,
      statusOf: ({ id, scope }) => statusOfTurn({ person, deviceNode }, id, scope, batch),
      purposes: ports.purposes,
      now,
    })
    return isHalt(answer) ? { code: answer.code, entryId: answer.entryId, detail: reasonsInWords(answer) } : answer
  }
  const member = pushOfDelivery(row)
  if (member && !member.member) {
    const answer = permitRemoval({
      purpose: ports.purposes.get(row.purpose) ?? ports.purposes.resolve(line.destination.id, action.purpose),
      destinationId: line.destination.id,
      statusOf: ({ id, scope }) => statusOfTurn({ person, deviceNode }, id, scope, batch),
      purposes: ports.purposes,
      now,
    })
    return isHalt(answer) ? { code: answer.code, detail: reasonsInWords(answer) } : answer
  }
  const answer = permit({
    purpose:
      row.rule === null && !member && !tellsTraits(row)
        ? ports.purposes.resolve(line.destination.id, action.purpose)
        : ports.purposes.get(row.purpose),
    destinationId: line.destination.id,
    statusOf: ({ id, scope }) => statusOfTurn({ person, deviceNode }, id, scope, batch),
    purposes: ports.purposes,
    fences: [...new Set(deviceNode ? [...person.nodes, deviceNode] : person.nodes)]
      .flatMap(({ hmac }) => fences.get(hmac) ?? [])
      .map(({ purposes }) => ({ purposes: purposes.includes('*') ? ('*' as const) : purposes })),
    now,
    // Kept for a proceeding, and not used meanwhile (LGPD art. 5 XIII).
    legalHold: onHold.has(person.id),
    ...factsOf(person, ports.purposes, now),
  })
  if (isHalt(answer)) return { code: answer.code, entryId: answer.entryId, detail: reasonsInWords(answer) }
  if (row.expires_at !== null && row.expires_at <= batch.now) return { code: 'EXPIRED', entryId: answer.entryId }
  if (reached(row, person, ports)) return { code: 'GOAL_REACHED', entryId: answer.entryId }
  // A retry or a backlog may have come into the quiet hours; controls wait like everybody.
  const silent = silence(row, person, ports, batch.now)
  if (silent) return { ...silent, entryId: answer.entryId }
  // Controls pass the same gates as everybody, and only then stay behind.
  if (row.arm !== 'treated') return { code: 'HELD_OUT', entryId: answer.entryId }
  return answer
}

/**
 * A rule that somebody stopped sends nothing more; one that is paused keeps what it has, which waits. Controls are held
 * like everybody: what is refused for another reason is over.
 */
function unlessStopped<A extends Permit | { readonly code: ExitCode }>(
  answer: A,
  { row }: Leased,
  switches: ReadonlyMap<string, Stopped>,
): A | { code: ExitCode; retryAt?: number } {
  if (row.rule === null || ('code' in answer && answer.code !== 'HELD_OUT')) return answer
  const stopped = stoppedBy(switches, row.rule)
  if (stopped === 'PAUSED') return { code: 'PAUSED', retryAt: HELD }
  return stopped ? { code: stopped } : answer
}

/** What of the policy table refused, with the article: `country_undeclared (LGPD art. 33)`. */
const reasonsInWords = ({ reasons }: Halt) =>
  reasons.map(({ code, art }) => (/^\d/.test(art) ? `${code} (LGPD art. ${art})` : `${code} (${art})`)).join(', ')

function silence(
  row: DeliveryRow,
  person: PersonState,
  ports: DeliverPorts,
  now: number,
): { code: ExitCode; retryAt?: number } | undefined {
  if (row.rule === null || row.rule_version === null) return undefined
  const rule = ports.rules.versionOf(row.rule, row.rule_version)
  if (!rule?.times) return undefined
  const { purpose } = rule.rule.unless
  const zone = zoneFor(rule.times.zone, person.profile.zone, purpose, ports.timezone ?? 'America/Sao_Paulo')
  const silent = silentUntil(rule, zone, row.channel ?? undefined, now)
  if (!silent) return undefined
  return silent.skip || silent.until === undefined
    ? { code: 'QUIET_HOURS' }
    : { code: 'HELD_UNTIL', retryAt: silent.until }
}

function reached(row: DeliveryRow, person: PersonState, ports: DeliverPorts): boolean {
  if (row.rule === null || row.rule_version === null || row.since === null) return false
  const rule = ports.rules.versionOf(row.rule, row.rule_version)
  return rule !== undefined && goalReached(rule, person.profile, new Date(row.since).toISOString())
}

/** Node that stands for the device of the event behind each delivery, as it was enqueued. */
function devicesOf(leased: readonly Leased[], batch: Batch, ports: DeliverPorts): Map<string, string> {
  const devices = new Map<string, string>()
  for (const { row } of leased) {
    const person: PersonState | undefined = batch.person(row.person_id)
    const node = person?.nodes.find(({ id }) => id === row.node_id)
    if (!node || row.input === null) continue
    const { device } = inputOf(row, node, ports)
    if (device !== undefined) devices.set(row.id, device)
  }
  return devices
}

/** What the decision left sealed in a row: fields of the rule, and the node of the device. */
export interface Input {
  readonly with?: Record<string, unknown>
  readonly device?: string
}

/** A row is asked about at least twice before it leaves; it is opened once. */
const inputs = new WeakMap<DeliveryRow, Input>()

export function inputOf(row: DeliveryRow, node: Pick<NodeState, 'dataKey'>, ports: Pick<DeliverPorts, 'keys'>): Input {
  let input = inputs.get(row)
  if (!input) {
    input = row.input === null ? {} : unsealJson<Input>(ports.keys.unwrap(node.dataKey), row.input)
    inputs.set(row, input)
  }
  return input
}

function fencesByNode(batch: Batch, ports: DeliverPorts): Map<string, Pick<Fence, 'purposes'>[]> {
  const nodes = [...batch.nodes.values()]
  const byNode = new Map<string, Pick<Fence, 'purposes'>[]>()
  // Almost always there is no fence at all: one question for everybody, then one each only if there is.
  const all = ports.log.fencesFor(nodes.map(({ hmac }) => Buffer.from(hmac, 'hex')))
  if (all.length === 0) return byNode
  for (const { hmac } of nodes) {
    const fences = ports.log.fencesFor([Buffer.from(hmac, 'hex')])
    if (fences.length > 0) byNode.set(hmac, fences)
  }
  return byNode
}

/**
 * The last look: asked inside the slot, after the attempt is on disk, for each item of the request.
 * @returns the items that may not leave, with the reason; everything else is handed over.
 */
async function lastLook(items: readonly Leased[], ports: DeliverPorts): Promise<Map<string, Halted>> {
  const refused = new Map<string, Halted>()
  for (const part of chunks(items)) {
    const { halted } = await permitLeased(part, ports, { all: false })
    for (const halt of halted) refused.set(halt.leased.row.id, halt)
  }
  return refused
}

/** Last looks of requests that wait at the same moment, as one question to the state. */
export interface Looks {
  /** @returns the items that may not leave, with the reason; everything else is handed over. */
  ask(items: readonly Leased[], ports: DeliverPorts): Promise<ReadonlyMap<string, Halted>>
}

interface WaitingLook {
  readonly items: readonly Leased[]
  readonly ports: DeliverPorts
  readonly resolve: (refused: ReadonlyMap<string, Halted>) => void
  readonly reject: (error: unknown) => void
}

export function createLooks(): Looks {
  let waiting: WaitingLook[] = []
  let looking = false
  const look = async (round: readonly WaitingLook[]): Promise<void> => {
    try {
      const refused = await lastLook(
        round.flatMap(({ items }) => items),
        round[0]!.ports,
      )
      for (const { resolve } of round) resolve(refused)
    } catch (error) {
      // A fault is about one of them: each asks for itself, and only that one hears of it.
      if (round.length === 1) round[0]!.reject(error)
      else for (const one of round) await look([one])
    }
  }
  const flush = async () => {
    while (waiting.length > 0) {
      const round = waiting
      waiting = []
      await look(round)
    }
    looking = false
  }
  return {
    ask: (items, ports) =>
      new Promise((resolve, reject) => {
        waiting.push({ items, ports, resolve, reject })
        if (looking) return
        looking = true
        setImmediate(() => void flush())
      }),
  }
}
