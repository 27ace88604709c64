/**
 * The whole pipeline in one process under a clock of its own: a log on disk, a state on SQLite or
 * PostgreSQL, vendors that answer from memory. Nothing runs by itself; the test moves everything.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPurposes, type Purposes, type PurposesConfig } from '../../consent/purposes.ts'
import { STARTER_PURPOSES } from '../../consent/starter.ts'
import type { Config, DestinationConfig, PurposeConfig } from '../../schemas/config.ts'
import type { CanonicalEvent, IdentifierType } from '../../schemas/event.ts'
import type { IdentityConfig } from '../../schemas/identity.ts'
import type { OfferConfig } from '../../schemas/offers.ts'
import { createAudienceKeeper, noteDefinitions } from '../audiences/passes.ts'
import { compileMeasures } from '../audiences/set.ts'
import type { DestinationSettings } from '../config.ts'
import { keptFor, loadRules, type RuleSet } from '../decision/index.ts'
import { compileOffer } from '../decision/offers.ts'
import { createAttemptWriter } from '../delivery/attempts.ts'
import { createBreaker } from '../delivery/breaker.ts'
import { createLimiter } from '../delivery/limiter.ts'
import { identitySettings } from '../identity/limits.ts'
import { createKeys, type Keys } from '../keys.ts'
import type { AnyDestination } from '../kit/define.ts'
import { type HttpRequest, type HttpResponse, readResponse } from '../kit/http.ts'
import type { LogReader, LogRecord, LogWriter } from '../log/event-log.ts'
import { openLogReader, openLogWriter } from '../log/sqlite/log.ts'
import { deliver, fireTimers, process as processBatch } from '../pipeline.ts'
import { publishRules } from '../roles/surroundings.ts'
import { readPublished } from '../rules/book.ts'
import { recipientHmacs } from '../rules/recipients.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import type { DeliverPorts, Line } from '../stages/deliver-ports.ts'
import type { Fault } from '../stages/fault.ts'
import { createSealKeys } from '../stages/hold.ts'
import { fenceFor } from '../stages/ingest.ts'
import type { PersonState } from '../stages/people.ts'
import { createLooks } from '../stages/permit.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { propagate } from '../stages/propagate.ts'
import { openState, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { writeMigratedState } from './migrated-state.ts'
import { TEST_DESTINATIONS } from './pipeline-destinations.ts'

export const START = Date.parse('2026-03-10T12:00:00.000Z')
export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export interface RigOptions {
  /** State on this PostgreSQL database; on SQLite when absent. */
  readonly postgres?: string | undefined
  /** Rules as YAML. */
  readonly rules?: readonly string[]
  /** Over the starter purposes. */
  readonly purposes?: Readonly<Record<string, PurposeConfig>>
  /** Of the test destinations, by id; all of them, for all purposes, when absent. */
  readonly destinations?: Readonly<
    Record<string, Omit<Partial<DestinationConfig>, 'country'> & { readonly country?: string | undefined }>
  >
  readonly globalHoldout?: number
  readonly offers?: Readonly<Record<string, OfferConfig>>
  /** Audiences, computed traits and scores. */
  readonly measures?: Pick<Config, 'audiences' | 'computed' | 'scores'>
  readonly testRecipients?: Config['testRecipients']
  readonly policy?: Pick<PurposesConfig, 'notices' | 'sensitiveFields' | 'minors'>
  readonly identity?: IdentityConfig
}

/** A request as the vendor saw it. */
export interface SeenRequest {
  readonly at: number
  readonly destination: string
  readonly request: HttpRequest
  readonly json: unknown
}

export type Answer =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | Error

export class Rig {
  now = START
  /** Requests in the order in which their bytes left. */
  readonly seen: SeenRequest[] = []
  /** What the deliver role would log. */
  readonly faults: Fault[] = []
  /** What the vendor says; 200 unless the test sets another. */
  answer: (seen: SeenRequest) => Answer | Promise<Answer> = () => ({ status: 200 })
  state!: StateStore
  keys!: Keys
  writer!: LogWriter & { readonly logId: string }
  log!: LogReader
  purposes!: Purposes
  rules!: RuleSet
  processPorts!: ProcessPorts
  deliverPorts!: DeliverPorts
  position = 0
  readonly #options: RigOptions
  readonly #folder = mkdtempSync(join(tmpdir(), 'anuente-rig-'))
  readonly #master = randomBytes(32)
  #rules: readonly string[]
  #measures: NonNullable<RigOptions['measures']>
  #destinationsGiven: RigOptions['destinations']

  private constructor(options: RigOptions) {
    this.#options = options
    this.#rules = options.rules ?? []
    this.#measures = options.measures ?? {}
    this.#destinationsGiven = options.destinations
  }

  static async open(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options)
    if (!options.postgres) await writeMigratedState(rig.stateFile)
    await rig.#start()
    return rig
  }

  get stateFile(): string {
    return join(this.#folder, 'state.db')
  }

  get logFile(): string {
    return join(this.#folder, 'log.db')
  }

  async #start(): Promise<void> {
    const { postgres, purposes: given, globalHoldout = 0 } = this.#options
    this.keys = createKeys(this.#master)
    this.state = await openState({ file: this.stateFile, postgres })
    const row = await this.state.db.selectFrom('positions').selectAll().where('partition', '=', 0).executeTakeFirst()
    const kept = await this.state.db
      .selectFrom('quarantine')
      .select('fences')
      .where('status', 'in', ['open', 'expired'])
      .execute()
    const keptFences = new Set(kept.flatMap(({ fences }) => JSON.parse(fences) as string[]))
    this.writer = openLogWriter(
      this.logFile,
      this.keys,
      row && { logId: row.log_id, position: row.position, keptFences },
    )
    this.log = openLogReader(this.logFile, this.keys)
    this.position = row?.position ?? 0
    if (!row)
      await this.state.db
        .insertInto('positions')
        .values({ partition: 0, log_id: this.log.logId, position: 0 })
        .execute()

    const destinations = this.#destinations()
    this.purposes = loadPurposes({
      ...this.#options.policy,
      purposes: { ...STARTER_PURPOSES, ...given },
      destinations: Object.fromEntries([...destinations].map(([id, { config }]) => [id, config])),
    })
    const compiled = loadRules(this.#rules.map((text, index) => ({ file: `rule${index}.yaml`, text }))).rules
    await publishRules(compiled, this.state, this.now, this.keys)
    const published = await this.#published()
    this.rules = published.rules
    const offers = new Map(
      Object.entries(this.#options.offers ?? {}).map(([id, offer]) => [
        id,
        compileOffer(id, offer, 'America/Sao_Paulo'),
      ]),
    )
    const clock = () => this.now
    const measures = compileMeasures(this.#measures, (id) =>
      Object.keys(destinations.get(id)?.definition.actions ?? {}),
    )
    this.processPorts = {
      state: this.state,
      keys: this.keys,
      sealKeys: createSealKeys(this.state, this.keys),
      logId: this.log.logId,
      clock,
      settings: {
        purposes: this.purposes,
        rules: this.rules,
        destinations,
        openTraits: new Set(['plan']),
        currency: 'BRL',
        believed: ['segment', 'rudderstack', 'gtm', 'rdstation'],
        ...keptFor(compiled, measures.askers),
        measures,
        kept: compiled,
        holdout: { globalHoldout, globalSeed: 'seed' },
        offers,
        identity: identitySettings(this.#options.identity),
      },
    }
    await noteDefinitions(measures, this.state.db, this.now)
    const lines = new Map<string, Line>()
    for (const [id, destination] of destinations)
      lines.set(id, {
        destination,
        limiter: createLimiter(destination.definition.limits),
        breaker: createBreaker(() => 1),
        transport: (request) => this.#vendor(id, request),
      })
    this.deliverPorts = {
      state: this.state,
      keys: this.keys,
      log: this.log,
      purposes: this.purposes,
      rules: this.rules,
      freshRules: () => this.refreshRules(),
      offers,
      lines,
      attempts: createAttemptWriter(this.state),
      looks: createLooks(),
      publicUrl: 'https://hub.example',
      clock,
      count: () => {},
      tell: () => {},
      fault: (fault) => this.faults.push(fault),
      leases: new Set(),
      stop: new AbortController().signal,
    }
  }

  #published() {
    const recipients = new Set(recipientHmacs(this.#options.testRecipients, this.keys, 'testRecipients'))
    return readPublished(this.state, this.now, recipients)
  }

  /** What was published, paused or stopped since, as every role notices it between its batches. */
  async refreshRules(): Promise<void> {
    const { rules, kept } = await this.#published()
    this.rules = rules
    this.processPorts = {
      ...this.processPorts,
      settings: {
        ...this.processPorts.settings,
        rules,
        kept,
        ...keptFor(kept, this.processPorts.settings.measures!.askers),
      },
    }
    this.deliverPorts = { ...this.deliverPorts, rules }
  }

  #destinations(): ReadonlyMap<string, DestinationSettings> {
    const wanted = this.#destinationsGiven ?? Object.fromEntries([...TEST_DESTINATIONS.keys()].map((id) => [id, {}]))
    return new Map(
      Object.entries(wanted).map(([id, given]) => {
        const { country, ...rest } = { country: 'BR', ...given }
        const config: DestinationConfig = {
          connector: id,
          ...(country !== undefined && { country }),
          purposes: Object.keys(STARTER_PURPOSES),
          ...rest,
        }
        return [id, settingsOf(id, TEST_DESTINATIONS.get(config.connector)!, config)]
      }),
    )
  }

  async #vendor(destination: string, request: HttpRequest): Promise<HttpResponse> {
    const json = request.body === undefined ? undefined : (JSON.parse(request.body) as unknown)
    const seen = { at: this.now, destination, request, json }
    this.seen.push(seen)
    const answer = await this.answer(seen)
    if (answer instanceof Error) throw answer
    return readResponse(
      answer.status,
      { ...answer.headers },
      answer.body === undefined ? '' : JSON.stringify(answer.body),
    )
  }

  /** ISO time of the clock, or so many milliseconds from it. */
  at(offset = 0): string {
    return new Date(this.now + offset).toISOString()
  }

  advance(ms: number): void {
    this.now += ms
  }

  /** Records events as `ingest` does: with the fence of every withdrawal on them. */
  async record(...events: readonly (CanonicalEvent | LogRecord)[]): Promise<LogRecord[]> {
    const records: LogRecord[] = []
    const fences = []
    for (const given of events) {
      if ('kind' in given) {
        records.push(given)
        continue
      }
      const fence = fenceFor(given, this.keys)
      if (fence) fences.push(fence)
      records.push({ kind: 'event', event: given, fences: fence ? [fence.id] : [] })
    }
    await this.writer.append(records, fences)
    return records
  }

  /** Processes what the log holds, in batches of that many records. @returns the batches. */
  async process(size = 512): Promise<Batch[]> {
    const batches: Batch[] = []
    for (;;) {
      const inputs = this.log.read(this.position, size)
      if (inputs.length === 0) return batches
      const batch = await processBatch(inputs, this.position, this.processPorts)
      this.position = inputs.at(-1)!.position + 1
      this.writer.committed(this.position, batch.finishedFences)
      batches.push(batch)
    }
  }

  /** Records and processes: each event in a batch of its own when `size` is 1. */
  async take(...events: readonly (CanonicalEvent | LogRecord)[]): Promise<Batch[]> {
    await this.record(...events)
    return this.process()
  }

  /** Withdrawals go on to the tools that have the person. @returns how many. */
  passOn(): Promise<number> {
    return propagate(this.processPorts)
  }

  fire(watermark = this.now): Promise<Batch | undefined> {
    return fireTimers(watermark, this.processPorts)
  }

  /** Goes through everybody as the process role does, until nobody is left. @returns the pages. */
  async passOver(): Promise<Batch[]> {
    const keeper = createAudienceKeeper(() => this.processPorts)
    const batches: Batch[] = []
    for (let batch = await keeper.round(); batch; batch = await keeper.round()) batches.push(batch)
    return batches
  }

  /** Rounds of one destination until nothing of it is due. @returns deliveries that were leased. */
  async deliver(destination: string): Promise<number> {
    let total = 0
    for (;;) {
      const leased = await deliver(destination, this.deliverPorts)
      if (leased === 0) return total
      total += leased
    }
  }

  /** As after a stop or a crash: everything in memory is gone, the files are opened again. */
  async restart(change: Pick<RigOptions, 'rules' | 'measures' | 'destinations'> = {}): Promise<void> {
    await this.#shut()
    if (change.rules) this.#rules = change.rules
    if (change.measures) this.#measures = change.measures
    if (change.destinations) this.#destinationsGiven = change.destinations
    await this.#start()
  }

  async #shut(): Promise<void> {
    for (const { limiter } of this.deliverPorts.lines.values()) limiter.close()
    this.log.close()
    this.writer.close()
    await this.state.close()
  }

  async close(): Promise<void> {
    await this.#shut()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  // ---------------------------------------------------------------- what a user would see

  /** The person behind an identifier, as the state has it; undefined for nobody. */
  async person(type: IdentifierType, value: string): Promise<PersonState | undefined> {
    const hmac = this.keys.identifier(type, value)
    const batch = new Batch(this.now, this.keys)
    await loadPeople(batch, this.state, [hmac])
    const node = batch.nodes.get(hmac.toString('hex'))
    return node && batch.persons.get(node.personId)
  }

  /** Status of a purpose as stored for the node of one identifier. */
  async status(type: IdentifierType, value: string, purpose: string): Promise<string | undefined> {
    const row = await this.state.db
      .selectFrom('identifiers')
      .innerJoin('consent_status', 'consent_status.node_id', 'identifiers.node_id')
      .select('consent_status.status')
      .where('identifiers.hmac', '=', this.keys.identifier(type, value))
      .where('consent_status.purpose', '=', purpose)
      .executeTakeFirst()
    return row?.status
  }

  history(): Promise<Tables['history'][]> {
    return this.state.db.selectFrom('history').selectAll().orderBy('occurred_at').orderBy('person_seq').execute()
  }

  deliveries(destination?: string): Promise<Tables['deliveries'][]> {
    return this.state.db
      .selectFrom('deliveries')
      .selectAll()
      .$if(destination !== undefined, (query) => query.where('destination', '=', destination!))
      .orderBy('ord')
      .execute()
  }

  /** `code -> how many` of an origin, over all minutes. */
  async counts(origin: string): Promise<Record<string, number>> {
    const rows = await this.state.db
      .selectFrom('rollups')
      .select(['code', 'count'])
      .where('origin', '=', origin)
      .execute()
    const counts: Record<string, number> = {}
    for (const { code, count } of rows) counts[code] = (counts[code] ?? 0) + count
    return counts
  }

  /** How many rows a table has. */
  async rows(table: keyof Tables): Promise<number> {
    const { n } = await this.state.db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll().as('n'))
      .executeTakeFirstOrThrow()
    return Number(n)
  }

  /** Texts the vendor saw in that field of its requests. */
  sent(field: string): unknown[] {
    return this.seen
      .flatMap(({ json }) => (Array.isArray(json) ? json : [json]))
      .map((body) => (body as Record<string, unknown>)[field])
  }
}

function settingsOf(id: string, definition: AnyDestination, config: DestinationConfig): DestinationSettings {
  const purposes = config.purposes
  return {
    id,
    connector: config.connector,
    definition,
    config,
    settings: {},
    role: config.role ?? 'operator',
    actions:
      config.actions ??
      Object.keys(definition.actions).filter((name) => definition.actions[name]?.trigger !== undefined),
    purposeOf: (starter) =>
      Array.isArray(purposes)
        ? purposes.includes(starter)
          ? starter
          : undefined
        : (purposes as Record<string, string>)[starter],
  }
}
