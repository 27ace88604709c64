/** What keeps a rule from writing to somebody at all: complaints, messages that came back, open tickets, audiences. Pure. */
import type { OpenProfile } from '../../schemas/profile.ts'
import type { Rule } from '../../schemas/rule.ts'
import { clause } from './clauses.ts'
import type { Clause } from './compile.ts'

/** Our choices: how long each of them is believed when nothing ends it. */
const COMPLAINT_MS = 365 * 86_400_000
const BOUNCE_MS = 90 * 86_400_000
const TICKET_MS = 60 * 86_400_000

const since = (at: string | undefined, now: number, ms: number): at is string =>
  at !== undefined && Date.parse(at) > now - ms

type Suppress = NonNullable<Rule['unless']['suppress']>[number]

/** Of one action: a message that came back says something about its own channel alone. */
export function suppressedBy(
  suppress: readonly Suppress[] | undefined,
  profile: Pick<OpenProfile, 'suppressed' | 'audiences'>,
  channel: string | undefined,
  now: number,
): Clause | undefined {
  const { complained, bounced = {}, tickets = {} } = profile.suppressed ?? {}
  for (const [index, what] of (suppress ?? []).entries()) {
    const id = `unless.suppress.${index}`
    if (what === 'complained' && since(complained, now, COMPLAINT_MS))
      return clause(id, 'never marked a message as spam', 'nunca marcou uma mensagem como spam', false, complained)
    if (what === 'bounced' && channel !== undefined && Object.hasOwn(bounced, channel)) {
      const at = bounced[channel]
      if (since(at, now, BOUNCE_MS))
        return clause(
          id,
          `the last message by ${channel} did not come back`,
          `a última mensagem por ${channel} não voltou`,
          false,
          at,
        )
    }
    if (what === 'open_ticket') {
      const open = Object.values(tickets).filter((at) => since(at, now, TICKET_MS)).length
      if (open > 0) return clause(id, 'has no open ticket', 'não tem atendimento em aberto', false, open)
    }
    if (typeof what === 'object' && profile.audiences && Object.hasOwn(profile.audiences, what.audience))
      return clause(
        id,
        `is not in the audience "${what.audience}"`,
        `não está no público "${what.audience}"`,
        false,
        profile.audiences[what.audience]!.since,
      )
  }
  return undefined
}
