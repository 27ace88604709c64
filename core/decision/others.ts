/** What is neither an event nor a timer: an audience entered or left, a score that changed, a schedule, a request. */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { Clause } from './compile.ts'
import { type Deciding, viewOf } from './deciding.ts'
import type { OtherInput } from './decision.ts'
import { explain } from './explanations.ts'
import { judge } from './gates.ts'
import type { CompiledRule } from './ruleset.ts'
import { armedClause, audienceClause, lineClause, requestClause, scheduleClause } from './trigger-clauses.ts'
import type { CompiledLine } from './triggers.ts'

export function answerOther(deciding: Deciding, input: OtherInput): void {
  for (const compiled of deciding.rules.answering(input)) {
    const event = 'event' in input ? input.event : undefined
    const at = input.kind === 'schedule' ? input.slot : input.at
    const atMs = Math.min(Date.parse(at), deciding.nowMs)
    const instance = {
      compiled,
      correlation: input.kind === 'schedule' ? input.slot : '',
      eventId: causeOf(input, event),
      sinceMs: atMs,
      ripeMs: atMs,
    }
    const clauses = clausesOf(deciding, compiled, input)
    if (!clauses) continue
    if (clauses.every(({ ok }) => ok)) judge(deciding, instance, viewOf(deciding, compiled, event), clauses)
    else explain(deciding, instance, 'NOT_MATCHED', clauses, { latestOnly: true })
  }
}

/** Stands for an event where there is none: the same cause gives the same decision again. */
function causeOf(input: OtherInput, event: CanonicalEvent | undefined): string {
  if (event) return event.id
  switch (input.kind) {
    case 'schedule':
      return `schedule:${input.slot}`
    case 'score':
      return `score:${input.score}:${input.at}`
    case 'audience':
      return `audience:${input.audience}:${input.change}:${input.at}`
    case 'request':
      return `request:${input.request}:${input.at}`
  }
}

/** Undefined: the rule has nothing to say to it. */
function clausesOf(deciding: Deciding, compiled: CompiledRule, input: OtherInput): Clause[] | undefined {
  const { line } = compiled
  switch (input.kind) {
    case 'audience':
      return [audienceClause(input.audience, input.change)]
    case 'request':
      return [requestClause(input.request)]
    case 'schedule': {
      if (!line) return [scheduleClause(input.slot)]
      const known = deciding.state.scores?.[line.score]
      const score = known?.purpose === compiled.rule.unless.purpose ? known.value : undefined
      if (score === undefined) return undefined
      const clauses = crossed(deciding, compiled, line, score)
      return clauses && [scheduleClause(input.slot), ...clauses]
    }
    case 'score': {
      if (!line) return undefined
      if (line.scheduled) {
        if (isBack(line, input.to)) delete deciding.crossed[compiled.rule.id]
        return undefined
      }
      // Above the line already before: the rule may be newer than the crossing.
      const before =
        input.from !== undefined && beyond(line, input.from) && deciding.crossed[compiled.rule.id] === undefined
      return before ? undefined : crossed(deciding, compiled, line, input.to)
    }
  }
}

const beyond = ({ line, direction }: CompiledLine, value: number) =>
  direction === 'above' ? value > line : value < line
const isBack = ({ rearm, direction }: CompiledLine, value: number) =>
  direction === 'above' ? value <= rearm : value >= rearm

/** Fires once per crossing: after it the score has to come back to `rearm` first. Writes down which of the two it is. */
function crossed(deciding: Deciding, compiled: CompiledRule, line: CompiledLine, value: number): Clause[] | undefined {
  const { id } = compiled.rule
  const firedAt = deciding.crossed[id]
  if (!beyond(line, value)) {
    if (firedAt !== undefined && isBack(line, value)) delete deciding.crossed[id]
    return undefined
  }
  if (firedAt !== undefined) return [lineClause(line, value, true), armedClause(line, firedAt)]
  deciding.crossed[id] = deciding.context.now
  return [lineClause(line, value, true)]
}
