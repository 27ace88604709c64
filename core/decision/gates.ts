/** From a rule that matched to one that acts: the gates in their fixed order. What follows is in acting.ts. */
import type { Branch, RuleAction } from '../../schemas/rule-gates.ts'
import { act } from './acting.ts'
import { takenBranch } from './branches.ts'
import { channelOrder, type Preference, preferredChannel } from './channel.ts'
import {
  contactClause,
  entriesClause,
  intervalClause,
  publishedClause,
  purposeClause,
  tooLateClause,
  undeclaredClause,
} from './clauses.ts'
import type { Clause, RuleView } from './compile.ts'
import type { Deciding, Instance } from './deciding.ts'
import type { ActionFacts, SkippedAction } from './decision.ts'
import { explain } from './explanations.ts'
import type { CompiledRule } from './ruleset.ts'
import { entriesInSession } from './sessions.ts'
import { suppressedBy } from './suppression.ts'

/** An action that may and can be carried out. */
export interface Candidate {
  readonly action: RuleAction
  /** Names the action within the rule: its place in `then.all`; `send` for the one chosen by channel; after a branch's id. */
  readonly key: number | string
  /** It is the one of `send` that was chosen by its channel. */
  readonly chosen: boolean
  readonly facts: ActionFacts
  readonly purpose: string
  readonly entryId: string | undefined
  /** Where the rule names a `fallback`: what is tried, in this order, when a cap of this one is full. */
  readonly instead?: readonly Candidate[]
}

/** who → still worth it → consent and reachable channel → suppression → re-entry → offer → caps → assign → act */
export function judge(deciding: Deciding, instance: Instance, view: RuleView, triggered: readonly Clause[]): void {
  const { compiled } = instance
  const who = compiled.who.explain(view)
  const fits = compiled.who.holds(who)
  const taken = fits ? takenBranch(compiled, instance.endedBy, view) : undefined
  const clauses = [...triggered, ...who, ...(taken?.clauses ?? [])]
  const then = taken ? taken.branch : compiled.rule.then
  if (!fits || !then) {
    explain(deciding, instance, 'NOT_MATCHED', clauses, { latestOnly: instance.startedAt === undefined })
    return
  }
  const refusal = deciding.context.refusal?.(compiled.rule.id, compiled.rule.version, instance.startedAt !== undefined)
  if (refusal) {
    explain(deciding, instance, refusal, [...clauses, publishedClause(refusal)], {
      latestOnly: instance.startedAt === undefined,
    })
    return
  }
  const { expiresMs } = compiled
  if (expiresMs !== undefined && deciding.nowMs > instance.ripeMs + expiresMs) {
    explain(deciding, instance, 'EXPIRED', [...clauses, tooLateClause(deciding.nowMs - instance.ripeMs)])
    return
  }
  const consent = deciding.context.consent(compiled.rule.unless.purpose)
  const entry = consent.entryId === undefined ? {} : { entryId: consent.entryId }
  if (!consent.granted) {
    const denied = purposeClause(compiled.rule.unless.purpose, consent)
    explain(deciding, instance, consent.code ?? 'NO_CONSENT', [...clauses, denied], entry)
    return
  }
  const tried: Tried = { deciding, compiled, then, entryId: consent.entryId, skipped: [], stopped: [] }
  const candidates = [...listedCandidates(tried), ...chosenCandidate(tried)]
  const { skipped } = tried
  if (candidates.length === 0) {
    explain(deciding, instance, firstReason(skipped), [...clauses, ...tried.stopped], { ...entry, skipped })
    return
  }
  const reentry = reentryClause(deciding, instance, view)
  if (reentry) {
    explain(deciding, instance, 'REENTRY', [...clauses, reentry], { ...entry, skipped })
    return
  }
  act(deciding, instance, view, candidates, {
    clauses,
    offer: then.offer,
    preferred: tried.preferred,
    stopped: tried.stopped,
    entry,
    skipped,
  })
}

interface Tried {
  readonly deciding: Deciding
  readonly compiled: CompiledRule
  /** What it does: `then`, or the branch that is taken. */
  readonly then: Branch | CompiledRule['rule']['then']
  /** What consent for the rule's own purpose rests on. */
  readonly entryId: string | undefined
  readonly skipped: SkippedAction[]
  /** Why actions were left out, where their code does not say it all. */
  readonly stopped: Clause[]
  preferred?: Preference
}

const listedCandidates = (tried: Tried): Candidate[] =>
  (tried.then.all ?? []).flatMap((action, index) => tryAction(tried, action, index) ?? [])

/** Of the actions by channel the first that may and can be used. */
function chosenCandidate(tried: Tried): Candidate[] {
  const { deciding, compiled, then } = tried
  const { unless } = compiled.rule
  const { send } = then
  if (!send) return []
  const preferred =
    then.channel?.order === 'preferred'
      ? preferredChannel(deciding.state, unless.purpose, Object.keys(send), deciding.nowMs)
      : undefined
  if (preferred) tried.preferred = preferred
  const usable: Candidate[] = []
  for (const channel of channelOrder(then, preferred)) {
    const candidate = tryAction(tried, send[channel]!, 'send', channel)
    if (!candidate) continue
    if (!then.channel?.fallback) return [candidate]
    usable.push(candidate)
  }
  const [first, ...instead] = usable
  return first ? [{ ...first, instead }] : []
}

/** @param channel as the rule calls it, where the action itself names none. */
function tryAction(
  { deciding, compiled, then, entryId, skipped, stopped }: Tried,
  action: RuleAction,
  key: number | string,
  channel?: string,
): Candidate | undefined {
  const { context, state, nowMs } = deciding
  const { unless } = compiled.rule
  const skip = (code: SkippedAction['code']) => {
    skipped.push({ destination: action.destination, action: action.action, code })
    return undefined
  }
  const known = context.actionOf(action.destination, action.action)
  const stop = (why: Clause) => {
    if (!stopped.some(({ id }) => id === why.id)) stopped.push(why)
  }
  if (!known) {
    stop(undeclaredClause(action))
    return skip('UNDECLARED')
  }
  const facts = channel === undefined ? known : { ...known, channel }
  const own = action.purpose === undefined || action.purpose === unless.purpose ? undefined : action.purpose
  const consent = own === undefined ? undefined : context.consent(own)
  if (consent && !consent.granted) {
    stop(purposeClause(own!, consent, 'then.purpose'))
    return skip(consent.code ?? 'NO_CONSENT')
  }
  if (facts.identifier.length > 0 && !context.reachable(facts.identifier)) {
    stop(contactClause(facts.identifier))
    return skip('NOT_REACHABLE')
  }
  const suppressed = suppressedBy(unless.suppress, state, facts.channel, nowMs)
  if (suppressed) {
    stop(suppressed)
    return skip('SUPPRESSED')
  }
  return {
    action,
    key: 'id' in then ? `${then.id}.${key}` : key,
    chosen: key === 'send',
    facts,
    purpose: own ?? unless.purpose,
    entryId: consent ? consent.entryId : entryId,
  }
}

/** Of several reasons the one that somebody could do something about comes first. */
function firstReason(skipped: readonly SkippedAction[]): SkippedAction['code'] {
  const codes = skipped.map(({ code }) => code)
  return (
    (['SUPPRESSED', 'NOT_REACHABLE'] as const).find((code) => codes.includes(code)) ??
    codes.find((code) => code !== 'UNDECLARED') ??
    'UNDECLARED'
  )
}

function reentryClause(deciding: Deciding, { compiled, sinceMs }: Instance, { event }: RuleView): Clause | undefined {
  if (!compiled.reentry) return undefined
  const { max, perSession, minIntervalMs } = compiled.reentry
  const entries = deciding.entries[compiled.rule.id] ?? []
  const entered = perSession
    ? entriesInSession(deciding.sessions[compiled.rule.id], { event, sinceMs })
    : entries.length
  if (max !== undefined && entered >= max) return entriesClause(max, perSession, entered)
  const tooRecent = minIntervalMs !== undefined && entries.some((at) => Date.parse(at) > deciding.nowMs - minIntervalMs)
  return tooRecent ? intervalClause(entries.at(-1)!) : undefined
}
