/**
 * What a rule would have done: history through the functions that decide live, under a clock of its own. Consent as of
 * then decides; consent as of now says whether a person may be computed at all (DESIGN §7). Reads only.
 */
import { createHash } from 'node:crypto'
import { decide as askGate, isHalt } from '../../consent/gate.ts'
import type { Purpose } from '../../consent/purposes.ts'
import { standing } from '../../consent/signals.ts'
import type { BacktestReport, BacktestSample } from '../../schemas/backtest.ts'
import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import { type Clause, type CompiledRule, type Explanation, triggerName, whySentence } from '../decision/index.ts'
import type { Keys } from '../keys.ts'
import { isShredded } from '../ledger/shred.ts'
import type { Batch } from '../stages/batch.ts'
import { contextOf, statusOfTurn } from '../stages/decide.ts'
import { factsOf } from '../stages/facts-of-person.ts'
import { NEW_OFFERED_DELIVERY } from '../stages/new-delivery.ts'
import type { PersonState } from '../stages/people.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { StateStore } from '../stores/open.ts'
import { definitionsSoFar } from './definitions.ts'
import { histories, type PersonHistory } from './history.ts'
import { type Clock, type ReplayedTurn, type ReplayOptions, replayPerson } from './person.ts'
import { narrowed } from './related.ts'
import { relevanceOf } from './relevance.ts'
import { GivenTogether, loadOffersOf, replayTogether, SpentTogether, sharesLimits } from './together.ts'

export interface BacktestOptions {
  readonly state: StateStore
  readonly keys: Keys
  /** With the rule among the published ones of `settings.rules`, in the version to try. */
  readonly settings: ProcessPorts['settings']
  readonly rule: CompiledRule
  /** This very text is live. */
  readonly published: boolean
  /** Of how many people it is tried on, and of how many it is live; all of them and of none when absent. */
  readonly shares?: { readonly tried: number; readonly live: number | null }
  /** It was paused or stopped at some time of the range, of which a backtest knows nothing. */
  readonly stopped?: boolean
  /**
   * Where it has been live since before `from`: since when, and what held before. It is replayed under the clock of
   * then; otherwise as if it had always been there, under an ideal clock.
   */
  readonly live?: NonNullable<ReplayOptions['before']>
  /** Epoch milliseconds; decisions from `from` on are told, up to and with `to`. */
  readonly from: number
  readonly to: number
  readonly now: number
  readonly timezone: string
  /** Told of people as they are done. */
  readonly onPeople?: (count: number) => void
  /** Every decision of the rule in the range, as live processing would have stored it. */
  readonly onDecision?: (explanation: Explanation, person: string) => void
  readonly stop?: AbortSignal
}

const SAMPLES = 20
/** Not an end of anything: a wait began, or began again. */
const WAITS: ReadonlySet<string> = new Set(['ARMED', 'RESET'])
/** The person did not come as far as the gates. */
const BEFORE_GATES: ReadonlySet<string> = new Set(['NOT_MATCHED', 'CANCELLED', 'ARMED', 'RESET'])
const BY_CONSENT: ReadonlySet<string> = new Set(['NO_CONSENT', 'CONSENT_DENIED', 'BLOCKED_BY_CONSENT', 'NOT_COLLECTED'])

const column = (name: (typeof NEW_OFFERED_DELIVERY)[number]) => NEW_OFFERED_DELIVERY.indexOf(name)
const RULE = column('rule')
const ARM = column('arm')
const CHANNEL = column('channel')
const DESTINATION = column('destination')
const DUE = column('due_at')
const VARIANT = column('variant')

/** @throws when `stop` is aborted. */
export async function backtest(options: BacktestOptions): Promise<BacktestReport> {
  const { state, keys, settings, rule, from, to, now, onPeople, stop } = options
  const purpose = settings.purposes.get(rule.rule.unless.purpose)
  const clock: Clock = options.live ? 'noted' : 'ideal'
  const tally = new Tally(options, purpose)
  const { live } = options
  // The log also tells how many inputs of a person came before, those of other rules included.
  const few = options.onDecision
    ? { settings, ...(live && { before: live.settings }) }
    : narrowed(rule, settings, live?.settings)
  const replayed = { keys, clock, until: to, decided: (explanation: Explanation) => tally.hear(explanation) }
  const among = (one: typeof few) => ({
    settings: one.settings,
    ...(live && one.before && { before: { at: live.at, settings: one.before } }),
  })
  let done = 0
  const told = async () => {
    done += 1
    if (done % 50 !== 0) return
    onPeople?.(50)
    // Whoever shares the thread has a turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const reasons = new Map<string, string>()
  const leaveOut = (person: PersonState, today: Batch) => {
    const reason = purpose ? leftOut(person, today, purpose, options) : 'UNDECLARED'
    if (reason) reasons.set(person.id, reason)
    return reason !== undefined
  }
  // What audiences and scores of then read of events, those of today do not say.
  const otherwise = clock === 'noted' && (await definitionsSoFar(state.db)).length > 0
  const read = ({ settings: of }: typeof few) => ({
    state,
    keys,
    now,
    ...(!(otherwise && of.measures) && { relevance: relevanceOf(of) }),
  })
  const limited = few.settings.rules.current.some(sharesLimits(settings.offers))
  const together: PersonHistory[] = []
  let held = 0
  let apart = 0
  const alone = (history: PersonHistory) => {
    tally.begin(history.person.id)
    const limits = limited && { shared: unlimited() }
    const watch = (turn: ReplayedTurn) => tally.turn(turn)
    const { events } = replayPerson(history, { ...among(few), ...replayed, ...limits, watch })
    tally.end(events)
  }
  for await (const history of histories(to, { ...read(few), leaveOut })) {
    stop?.throwIfAborted()
    const out = reasons.get(history.person.id)
    if (out) tally.leave(out)
    else if (!limited || !takesOf(history)) alone(history)
    else if (held + history.steps.length <= MOST_TOGETHER) {
      held += history.steps.length
      together.push(history)
    } else {
      apart += 1
      alone(history)
    }
    await told()
  }
  onPeople?.(done % 50)
  if (together.length > 0) await inOrder(together)
  // What the other rules would have done is asked of those alone whom this one would have sent something.
  const { sentTo } = tally
  const all = { settings, ...(live && { before: live.settings }) }
  if (few.settings !== settings && sentTo.size > 0)
    for await (const history of histories(to, read(all), [...sentTo])) {
      stop?.throwIfAborted()
      tally.besides(history)
      replayPerson(history, { ...among(all), ...replayed, decided: () => {}, watch: (turn) => tally.others(turn) })
      await new Promise((resolve) => setImmediate(resolve))
    }
  tally.countOverlap()
  const gone = await destroyedPeople(state, to)
  if (gone > 0) tally.leave('ERASED', gone)
  const begins = await historyBegins(state)
  return tally.report({ from, to, now, clock, begins, limits: { together: together.length, apart } })

  /** Whether somebody would take anything that is there for all people together, if there were enough of it. */
  function takesOf(history: PersonHistory): boolean {
    const shared = unlimited()
    replayPerson(history, { ...among(few), ...replayed, decided: () => {}, shared })
    return shared.budgets.asked + shared.offers.asked > 0
  }

  /**
   * Those who would take of budgets and offers, one thing after the other. Where the rule was live everything counts
   * from the beginning, as it did then; else from the range on, as if it were published with it.
   */
  async function inOrder(people: readonly PersonHistory[]): Promise<void> {
    const since = clock === 'noted' ? 0 : from
    const shared = unlimited()
    await loadOffersOf(few.settings.rules, settings.offers ?? new Map(), since, shared, state.db)
    const given = people.map((history) => ({
      history,
      options: {
        ...among(few),
        ...replayed,
        shared,
        watch: (turn: ReplayedTurn) => {
          tally.goOnWith(history.person.id)
          tally.turn(turn)
        },
      },
    }))
    const done = replayTogether(given, (at) => {
      if (at >= since) shared.budgets.counting = shared.offers.counting = true
    })
    for (const [place, { events }] of done.entries()) {
      tally.goOnWith(people[place]!.person.id)
      tally.end(events)
    }
  }
}

const unlimited = () => ({ budgets: new SpentTogether(), offers: new GivenTogether() })

/** How many steps of people are held at a time who share a budget or an offer; our choice, some hundred megabytes. */
const MOST_TOGETHER = 400_000

/** Why a person may not be computed today; undefined: they may. */
function leftOut(person: PersonState, today: Batch, purpose: Purpose, { settings, now }: BacktestOptions) {
  if (person.legalHold) return 'LEGAL_HOLD'
  if (person.nodes.length > 0 && person.nodes.every(({ dataKey }) => isShredded(dataKey))) return 'ERASED'
  const at = new Date(now).toISOString()
  const devices = purpose.scope === 'device' ? person.nodes : [undefined]
  let status = 'UNKNOWN'
  for (const deviceNode of devices) {
    const turn = { person, deviceNode }
    const answer = askGate(
      purpose,
      ({ id, scope }) => statusOfTurn(turn, id, scope, today),
      settings.purposes,
      at,
      factsOf(person, settings.purposes, at),
    )
    if (!isHalt(answer)) return undefined
    const stands = standing(purpose, statusOfTurn(turn, purpose.id, purpose.scope, today), at).status
    if (stands !== 'unknown') status = stands.toUpperCase()
  }
  return status
}

/** When the oldest event came that is kept, in epoch milliseconds. */
async function historyBegins({ db }: StateStore): Promise<number | undefined> {
  const row = await db
    .selectFrom('history')
    .select(({ fn }) => fn.min('received_at').as('at'))
    .executeTakeFirst()
  return row?.at === null || row?.at === undefined ? undefined : Number(row.at)
}

/** People whose keys were destroyed: erased at their request, or when their time had run out. */
async function destroyedPeople({ db }: StateStore, until: number): Promise<number> {
  const rows = await db
    .selectFrom('nodes')
    .leftJoin('persons', 'persons.id', 'nodes.person_id')
    .select(['nodes.person_id', 'nodes.data_key'])
    .where('persons.id', 'is', null)
    .where('nodes.founded_at', '<=', until)
    .execute()
  return new Set(rows.filter(({ data_key }) => isShredded(data_key)).map(({ person_id }) => person_id)).size
}

interface Told {
  readonly from: number
  readonly to: number
  readonly now: number
  readonly clock: Clock
  readonly begins: number | undefined
  /** People who share budgets and offers in the order of time, and people for whom those were not applied. */
  readonly limits: { readonly together: number; readonly apart: number }
}

interface OfPerson {
  readonly person: string
  matched: boolean
  sent: boolean
  /** The newest decision that is the end of something. */
  last: Explanation | undefined
}
const NOBODY: OfPerson = { person: '', matched: false, sent: false, last: undefined }

class Tally {
  readonly #options: BacktestOptions
  readonly #purpose: Purpose | undefined
  readonly #dayOf: (at: number) => string
  readonly #leftOut: Record<string, number> = {}
  readonly #results: Record<string, number> = {}
  readonly #days = new Map<string, { matches: number; sends: number; heldOut: number; blocked: number }>()
  readonly #reasons: Record<string, number> = {}
  readonly #notAsked: Record<string, number> = {}
  readonly #byChannel: Record<string, number> = {}
  readonly #byDestination: Record<string, number> = {}
  readonly #byVariant: Record<string, number> = {}
  readonly #arms: Record<string, number> = {}
  readonly #stopped = new Map<string, { clause: Clause; count: number }>()
  readonly #overlap = new Map<string, { people: number; sends: number }>()
  /** The smallest hashes: a sample that does not depend on the order of people. */
  #samples: { readonly rank: string; readonly sample: BacktestSample }[] = []
  #computed = 0
  #matchedPeople = 0
  readonly #sentTo = new Set<string>()
  #events = 0
  #matches = 0
  #sends = 0
  #waited = 0
  /** Of the person at hand. */
  #of = NOBODY
  /** Those whose histories are told by turns. */
  readonly #byTurns = new Map<string, OfPerson>()
  #heard: Explanation[] = []

  /** Whom the rule would have sent something -> how often each other rule would have, too. */
  readonly #others = new Map<string, Map<string, number>>()

  constructor(options: BacktestOptions, purpose: Purpose | undefined) {
    this.#options = options
    this.#purpose = purpose
    const format = new Intl.DateTimeFormat('en-CA', { timeZone: options.timezone, dateStyle: 'short' })
    this.#dayOf = (at) => format.format(at)
  }

  leave(reason: string, count = 1): void {
    add(this.#leftOut, reason, count)
  }

  begin(person: string): void {
    this.#computed += 1
    this.#of = { person, matched: false, sent: false, last: undefined }
  }

  /** What follows is of this person, who began before or begins now. */
  goOnWith(person: string): void {
    if (this.#of.person === person) return
    const known = this.#byTurns.get(person)
    if (known) this.#of = known
    else {
      this.begin(person)
      this.#byTurns.set(person, this.#of)
    }
  }

  end(events: number): void {
    const { person, matched, sent, last } = this.#of
    this.#events += events
    if (matched) this.#matchedPeople += 1
    if (sent) this.#sentTo.add(person)
    else this.#others.delete(person)
    if (last) this.#consider(last)
    this.#byTurns.delete(person)
    this.#of = NOBODY
  }

  turn(turn: ReplayedTurn): void {
    const { at, batch } = turn
    const { from, rule } = this.#options
    const heard = this.#heard
    this.#heard = []
    if (at < from) return
    if (turn.event) this.#noteNotAsked(turn)
    for (const explanation of heard) if (!explanation.latestOnly) this.#decided(explanation)
    // Of those of whom only the newest is kept, the newest of the turn.
    const latest = heard.findLast(({ latestOnly }) => latestOnly)
    if (latest) this.#decided(latest)
    for (const row of batch.rows.deliveries)
      if (row[RULE] === rule.rule.id && row[ARM] === 'treated') this.#delivered(row, at)
    this.others(turn)
  }

  /** What the other rules would have sent. */
  others({ at, batch }: ReplayedTurn): void {
    const { from, rule } = this.#options
    if (at < from) return
    for (const row of batch.rows.deliveries) {
      const by = row[RULE] as string | null
      if (by === null || by === rule.rule.id || row[ARM] !== 'treated') continue
      const theirs = this.#others.get(this.#of.person) ?? new Map<string, number>()
      this.#others.set(this.#of.person, theirs.set(by, (theirs.get(by) ?? 0) + 1))
    }
  }

  get sentTo(): ReadonlySet<string> {
    return this.#sentTo
  }

  /** This person is replayed once more, beside all rules. */
  besides({ person }: PersonHistory): void {
    this.#of = { ...NOBODY, person: person.id }
    this.#others.delete(person.id)
  }

  countOverlap(): void {
    for (const theirs of this.#others.values())
      for (const [rule, sends] of theirs) {
        const known = this.#overlap.get(rule) ?? { people: 0, sends: 0 }
        this.#overlap.set(rule, { people: known.people + 1, sends: known.sends + sends })
      }
  }

  /** A trigger in an event that was not kept for the rule's purpose: the rule was never asked. */
  #noteNotAsked({ event, person, batch }: ReplayedTurn): void {
    if (!event || !this.#purpose || event.sealed.copy || event.sealed.past) return
    if (event.purposes.includes(this.#purpose.id)) return
    const { settings, rule } = this.#options
    const name = triggerName(event.row as Parameters<typeof triggerName>[0])
    const { rules } = settings
    if (![...rules.triggeredBy(name), ...rules.startedBy(name)].some((one) => one.rule.id === rule.rule.id)) return
    const deviceNode = batch.node(event.sealed.device)
    const turn = { person, deviceNode, purposes: event.purposes, copy: false }
    const { granted, code } = contextOf(turn, batch, settings).consent(this.#purpose.id)
    add(this.#notAsked, granted ? 'NOT_COLLECTED' : (code ?? 'NO_CONSENT'))
  }

  /** Of this rule, until the turn is over. */
  hear(explanation: Explanation): void {
    if (explanation.rule === this.#options.rule.rule.id) this.#heard.push(explanation)
  }

  #decided(explanation: Explanation): void {
    const { result, clauses, arm, at } = explanation
    this.#options.onDecision?.(explanation, this.#of.person)
    add(this.#results, result)
    if (WAITS.has(result)) return
    this.#of.last = explanation
    for (const clause of clauses) {
      if (clause.ok) continue
      const known = this.#stopped.get(clause.id)
      if (known) known.count += 1
      else this.#stopped.set(clause.id, { clause, count: 1 })
    }
    if (BEFORE_GATES.has(result) || result === 'GOAL_REACHED') return
    const day = this.#day(Date.parse(at))
    this.#of.matched = true
    this.#matches += 1
    day.matches += 1
    if (result !== 'ENQUEUED') {
      add(this.#reasons, result)
      day.blocked += 1
      return
    }
    add(this.#arms, arm ?? 'treated')
    if (arm !== undefined && arm !== 'treated') day.heldOut += 1
  }

  #delivered(row: readonly unknown[], at: number): void {
    this.#sends += 1
    this.#of.sent = true
    this.#day(at).sends += 1
    add(this.#byChannel, (row[CHANNEL] as string | null) ?? 'none')
    add(this.#byDestination, row[DESTINATION] as string)
    const variant = row[VARIANT] as string | null | undefined
    if (variant) add(this.#byVariant, variant)
    if ((row[DUE] as number) > at) this.#waited += 1
  }

  #day(at: number) {
    const name = this.#dayOf(at)
    let day = this.#days.get(name)
    if (!day) {
      day = { matches: 0, sends: 0, heldOut: 0, blocked: 0 }
      this.#days.set(name, day)
    }
    return day
  }

  /** Somebody sent to, somebody stopped and somebody who did not match all have a place, those who matched first. */
  #consider(explanation: Explanation): void {
    const early = explanation.result === 'ENQUEUED' ? '0' : this.#of.matched ? '1' : '2'
    const rank = `${early}${createHash('sha256').update(`${this.#options.rule.hash}|${this.#of.person}`).digest('hex')}`
    if (this.#samples.length >= SAMPLES && rank > this.#samples.at(-1)!.rank) return
    const { rule } = this.#options.rule
    const facts = {
      explanation,
      rule,
      zone: this.#options.timezone,
      ...(this.#purpose && { purposeTitle: this.#purpose.title }),
    }
    const sample = {
      person: this.#of.person,
      at: explanation.at,
      result: explanation.result,
      arm: explanation.arm ?? null,
      clauses: [...explanation.clauses],
      sentence: { pt: whySentence(facts, 'pt'), en: whySentence(facts, 'en') },
    }
    this.#samples = [...this.#samples, { rank, sample }].sort((a, b) => (a.rank < b.rank ? -1 : 1)).slice(0, SAMPLES)
  }

  report({ from, to, now, clock, begins, limits }: Told): BacktestReport {
    const { rule, published } = this.#options
    const asked = this.#matches
    const notAsked = Object.values(this.#notAsked).reduce((a, b) => a + b, 0)
    const byConsent = Object.entries({ ...this.#reasons }).reduce(
      (sum, [code, n]) => sum + (BY_CONSENT.has(code) ? n : 0),
      0,
    )
    return {
      rule: { id: rule.rule.id, version: rule.rule.version, hash: rule.hash, published },
      share: this.#options.shares ?? { tried: 1, live: published ? 1 : null },
      from: iso(from),
      to: iso(to),
      historyBegins: begins === undefined ? null : iso(begins),
      asOf: iso(now),
      clock,
      people: {
        computed: this.#computed,
        leftOut: sorted(this.#leftOut),
        matched: this.#matchedPeople,
        sent: this.#sentTo.size,
      },
      events: this.#events,
      results: sorted(this.#results),
      days: [...this.#days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, counts]) => ({ day, ...counts })),
      blocked: {
        matches: asked,
        reasons: Object.fromEntries(
          Object.entries(sorted(this.#reasons)).map(([code, count]) => [code, { count, share: share(count, asked) }]),
        ),
        consentShare: share(byConsent + notAsked, asked + notAsked),
      },
      notAsked: sorted(this.#notAsked),
      sends: {
        total: this.#sends,
        byChannel: sorted(this.#byChannel),
        byDestination: sorted(this.#byDestination),
        byVariant: sorted(this.#byVariant),
        arms: sorted(this.#arms),
        waited: this.#waited,
      },
      stopped: [...this.#stopped.values()]
        .sort((a, b) => b.count - a.count || (a.clause.id < b.clause.id ? -1 : 1))
        .slice(0, 20)
        .map(({ clause: { id, clause, pt }, count }) => ({ id, clause, pt, count })),
      overlap: [...this.#overlap]
        .sort(([x, a], [y, b]) => b.people - a.people || b.sends - a.sends || (x < y ? -1 : 1))
        .map(([other, counts]) => ({ rule: other, ...counts })),
      samples: this.#samples.map(({ sample }) => sample),
      notes: this.#notes(limits),
    }
  }

  #notes({ together, apart }: Told['limits']): BacktestReport['notes'] {
    const notes = [
      {
        pt: 'Quem foi eliminado, expirou ou retirou a autorização desde então ficou de fora; os números são de quem pode ser calculado hoje.',
        en: 'Whoever was erased, expired or withdrew since is left out; the figures are of those who may be computed today.',
      },
    ]
    const { shares, stopped } = this.#options
    if (shares && shares.tried < 1)
      notes.push({
        pt: 'Calculado como a regra está publicada: quem não faz parte da publicação aparece como "não publicada".',
        en: 'Computed as the rule is published: whoever is not part of that appears as "not published".',
      })
    else if (shares && shares.live !== null && shares.live < 1)
      notes.push({
        pt: 'A regra está publicada só para uma parte das pessoas; os números são de como seria para todas.',
        en: 'The rule is published for a part of people only; the figures are of what it would be for everybody.',
      })
    if (stopped)
      notes.push({
        pt: 'A regra esteve pausada ou desligada em algum momento destes dias; aqui ela agiria o tempo todo.',
        en: 'The rule was paused or stopped at some time of these days; here it would have acted all the time.',
      })
    if (together > 0)
      notes.push({
        pt: `Orçamentos e ofertas são de todas as pessoas juntas: o que ${together} pessoas teriam gasto foi posto na ordem do tempo. Quem ficou de fora não gastou nada aqui.`,
        en: `Budgets and offers are one for all people: what ${together} people would have spent was put in the order of time. Whoever is left out spent nothing here.`,
      })
    if (apart > 0)
      notes.push({
        pt: `Aproximado: os orçamentos e as ofertas não foram aplicados a mais ${apart} pessoas, que não caberiam na memória; os envios delas são um máximo. Experimente um período mais curto.`,
        en: `Approximate: budgets and offers were not applied to ${apart} more people, who would not fit into memory; their sends are an upper bound. Try fewer days.`,
      })
    return notes
  }
}

const iso = (at: number) => new Date(at).toISOString()
const share = (part: number, all: number) => (all === 0 ? 0 : Math.round((part / all) * 10_000) / 10_000)
const add = (counts: Record<string, number>, name: string, by = 1) => {
  counts[name] = (counts[name] ?? 0) + by
}
const sorted = (counts: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).sort(([, a], [, b]) => b - a))

/** What a result or reason is called. */
export function resultWords(code: string): { readonly pt: string; readonly en: string } {
  return code in EXITS ? EXITS[code as ExitCode] : (WORDS[code] ?? { pt: code, en: code })
}

const WORDS: Readonly<Record<string, { readonly pt: string; readonly en: string }>> = {
  ENQUEUED: { pt: 'teria agido', en: 'would have acted' },
  ARMED: { pt: 'começou a esperar', en: 'began to wait' },
  RESET: { pt: 'recomeçou a espera', en: 'began its wait again' },
  CANCELLED: { pt: 'a espera terminou por outro ato', en: 'the wait was ended by another act' },
  NOT_COLLECTED: {
    pt: 'a finalidade da regra não coleta este evento',
    en: "the rule's purpose does not collect this event",
  },
  ERASED: { pt: 'eliminada ou com o prazo vencido', en: 'erased, or their time had run out' },
  LEGAL_HOLD: { pt: 'bloqueada por ordem', en: 'blocked under a legal hold' },
  REVOKED: { pt: 'retirou a autorização', en: 'withdrew' },
  DENIED: { pt: 'recusou', en: 'refused' },
  UNKNOWN: { pt: 'nunca respondeu', en: 'never answered' },
  EXPIRED: { pt: 'a autorização expirou', en: 'the permission expired' },
  STALE: { pt: 'a autorização é de um texto antigo', en: 'the permission is for an older text' },
  CONFLICT: { pt: 'respostas que se contradizem', en: 'answers that contradict each other' },
  INVALID: { pt: 'a prova não vale', en: 'the evidence is worthless' },
  GRANTED: { pt: 'autorizada, mas outra razão impede', en: 'permitted, but something else prevents it' },
}
