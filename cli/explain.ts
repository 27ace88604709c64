/** `anuente explain <id>`: the way of one event or delivery, with the exit taken at each turn and why. */
import type { Arm, DeliveryStatus } from '../schemas/delivery.ts'
import { EXITS, type ExitCode, type StageName } from '../schemas/exits.ts'
import { colors, type Terminal, table } from './output.ts'

/** What explaining one id finds. Times are ISO 8601, UTC. No contact data in it. */
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
    /** Absent: it passed. */
    readonly exit?: ExitCode
    readonly detail?: string
  }[]
  readonly decisions: readonly {
    readonly rule: string
    readonly version: number
    readonly result: string
    readonly at: string
    readonly arm?: Arm
    readonly clauses: readonly {
      readonly id: string
      readonly clause: string
      readonly pt: string
      readonly ok: boolean
      readonly value: unknown
    }[]
    readonly skipped: readonly { readonly destination: string; readonly action: string; readonly code: ExitCode }[]
    readonly sentence: { readonly pt: string; readonly en: string }
    /** Not stored at the time but computed now from the history. */
    readonly recomputed?: boolean
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

export interface ExplainLook {
  readonly language: 'pt' | 'en'
  /** IANA. */
  readonly timezone: string
}

/** The journey as a person reads it. */
export function renderJourney(journey: ExplainedJourney, look: ExplainLook, terminal: Terminal): string {
  const c = colors(terminal)
  const say = (pt: string, en: string) => (look.language === 'pt' ? pt : en)
  const time = (at: string | undefined) => (at === undefined ? '' : formatTime(at, look))
  const heading = (text: string) => `\n${c.bold(text)}`
  const lines: string[] = []

  if (journey.event) {
    const { name, type, source, messageId, occurredAt } = journey.event
    lines.push(
      c.bold(`${name}  ${c.dim(`${type} · ${source} · ${messageId}`)}`),
      c.dim(say(`aconteceu em ${time(occurredAt)}`, `happened ${time(occurredAt)}`)),
    )
  }
  lines.push(journey.sentence[look.language])

  lines.push(heading(say('Caminho', 'Way')))
  lines.push(
    table(
      journey.journey.map(({ stage, at, exit, detail }) => {
        const done = exit !== undefined && EXITS[exit].group === 'done'
        const mark = exit === undefined || done ? c.green('✓') : c.red('■')
        const text = exit === undefined ? say('passou', 'passed') : `${exit}  ${EXITS[exit][look.language]}`
        return [`  ${mark} ${stage}`, c.dim(time(at)), detail ? `${text} ${c.dim(`(${detail})`)}` : text]
      }),
    ),
  )

  for (const decision of journey.decisions) {
    lines.push(
      heading(
        `${say('Regra', 'Rule')} ${decision.rule} v${decision.version}: ${decision.result}${decision.arm ? ` · ${armWords(decision.arm, look.language)}` : ''}`,
      ),
    )
    lines.push(`  ${decision.sentence[look.language]}`)
    if (decision.recomputed)
      lines.push(
        c.dim(
          say(
            '  (não foi guardada na hora; recalculada agora a partir do histórico)',
            '  (not stored at the time; computed now from the history)',
          ),
        ),
      )
    if (decision.clauses.length > 0)
      lines.push(
        table(
          decision.clauses.map(({ clause, pt, ok, value }) => [
            `  ${ok ? c.green('✓') : c.red('✗')} ${say(pt, clause)}`,
            c.dim(
              value === null || value === undefined
                ? say('ausente', 'missing')
                : `${say('encontrado', 'found')} ${JSON.stringify(value)}`,
            ),
          ]),
        ),
      )
    for (const { destination, action, code } of decision.skipped)
      lines.push(`  ${c.yellow('–')} ${destination}.${action}: ${code}  ${EXITS[code][look.language]}`)
  }

  if (journey.consent.length > 0) {
    lines.push(heading(say('Consentimento', 'Consent')))
    lines.push(
      table(
        journey.consent.map(({ purpose, status, basis, at, origin, notice, entryId }) => [
          `  ${status === 'granted' ? c.green('✓') : c.red('✗')} ${purpose}`,
          `${status} (${basis})`,
          time(at),
          `${origin}${notice ? `, ${say('aviso', 'notice')} ${notice.id} v${notice.version}` : ''}`,
          c.dim(entryId),
        ]),
      ),
    )
  }

  for (const delivery of journey.deliveries) {
    const good = delivery.status === 'delivered'
    lines.push(
      heading(
        `${say('Entrega', 'Delivery')} ${delivery.destination}.${delivery.action}: ${good ? c.green(delivery.status) : delivery.status}`,
      ),
    )
    if (delivery.code) lines.push(`  ${delivery.code}  ${EXITS[delivery.code][look.language]}`)
    if (delivery.reason) lines.push(`  ${delivery.reason}`)
    lines.push(
      c.dim(`  ${delivery.id}${delivery.entryId ? ` · ${say('apoiada em', 'rests on')} ${delivery.entryId}` : ''}`),
    )
    if (delivery.attempts.length > 0)
      lines.push(table(delivery.attempts.map(({ n, at, outcome, reason }) => [`  ${n}.`, time(at), outcome, reason])))
  }
  return lines.join('\n')
}

function armWords(arm: Arm, language: 'pt' | 'en'): string {
  const words: Record<Arm, { pt: string; en: string }> = {
    treated: { pt: 'grupo tratado', en: 'treated' },
    control: { pt: 'grupo de controle (teria recebido)', en: 'control group (would have been sent)' },
    holdout: { pt: 'grupo de reserva geral (teria recebido)', en: 'global holdout (would have been sent)' },
  }
  return words[arm][language]
}

function formatTime(at: string, { language, timezone }: ExplainLook): string {
  return new Intl.DateTimeFormat(language === 'pt' ? 'pt-BR' : 'en-GB', {
    dateStyle: 'short',
    timeStyle: 'medium',
    timeZone: timezone,
  }).format(new Date(at))
}
