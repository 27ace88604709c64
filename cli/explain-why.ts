/** Why one person did or did not get something of one rule, as a person reads it at a terminal. */
import { EXITS, type ExitCode } from '../schemas/exits.ts'
import type { WhyAnswer, WhyDecision } from '../schemas/why.ts'
import { armWords, type ExplainLook, formatTime, foundWords } from './explain-words.ts'

type Say = (pt: string, en: string) => string

export function renderWhyAnswer(why: WhyAnswer, look: ExplainLook): string {
  const say: Say = (pt, en) => (look.language === 'pt' ? pt : en)
  const time = (at: string) => formatTime(at, look)
  const { identifiers, mergedFrom } = why.identity
  const former =
    mergedFrom === 1
      ? say('; reúne uma pessoa de antes', '; one former person is in it')
      : say(`; reúne ${mergedFrom} pessoas de antes`, `; ${mergedFrom} former people are in it`)
  return [
    why.sentence[look.language],
    `${say('Identidade', 'Identity')}: ${identifiers.map(({ type, count }) => `${count} ${type}`).join(', ')}${mergedFrom > 0 ? former : ''}`,
    ...nowLines(why, look, say),
    ...why.decisions.flatMap((decision) => decisionLines(decision, look, say)),
    ...why.waiting.map(({ dueAt }) => say(`Espera até ${time(dueAt)}.`, `It waits until ${time(dueAt)}.`)),
  ].join('\n')
}

/** How the rule and the person stand to each other today. */
function nowLines({ now, rule }: WhyAnswer, look: ExplainLook, say: Say): string[] {
  const { consent, stage, share, stopped, events } = now
  const since = consent?.since ? `, ${formatTime(consent.since, look)}, ${consent.entryId}` : ''
  return [
    `${say('Hoje', 'Now')}: ${rule.id} v${rule.version} ${stopped ?? stage ?? say('não adicionada', 'not added')}${share === null ? '' : ` ${share * 100} %`}`,
    ...(consent
      ? [
          `  ${consent.refused === null ? '✓' : '✗'} ${say('finalidade', 'purpose')} ${rule.purpose}: ${consent.refused ?? consent.status}${since}`,
        ]
      : []),
    ...events.map(
      ({ name, kept, elsewhere }) =>
        `  ${name}: ${say(`${kept} guardados para ela, ${elsewhere} só para outras`, `${kept} kept for it, ${elsewhere} for others only`)}`,
    ),
  ]
}

/** One decision with all it rests on and led to, a line each. */
function decisionLines(decision: WhyDecision, look: ExplainLook, say: Say): string[] {
  const { event, consent, identity } = decision
  const { language } = look
  const time = (at: string) => formatTime(at, look)
  const code = (name: string) => (name in EXITS ? `${name}  ${EXITS[name as ExitCode][language]}` : name)
  const record = (entry: NonNullable<WhyDecision['consent']>) =>
    `${entry.purpose} ${entry.status} (${entry.basis}), ${time(entry.at)}, ${entry.origin}, ${entry.entryId}`
  const stored =
    decision.source === 'stored'
      ? say('como foi guardado', 'as it was stored')
      : say('recalculado a partir do histórico', 'recomputed from history')
  const lines = [
    '',
    `${time(decision.at)}  ${decision.rule} v${decision.version}  ${decision.result}  (${stored})`,
    `  ${decision.sentence[language]}`,
    `  ${say('causa', 'cause')}: ${event ? `${event.name} (${event.source}, ${time(event.occurredAt)}, ${event.id})` : decision.cause}`,
    `  ${say('pessoa de então', 'person of then')}: ${identity.identifiers.map(({ type, count }) => `${count} ${type}`).join(', ')}`,
    ...identity.edges.map(({ a, b, source, at, takenBackAt }) => {
      const undone =
        takenBackAt === null ? '' : say(`, desfeito em ${time(takenBackAt)}`, `, taken back ${time(takenBackAt)}`)
      return `    ${a.type} ↔ ${b.type}  ${source}, ${time(at)}${undone}`
    }),
    ...decision.clauses.map(
      ({ ok, pt, clause, value, unit }) =>
        `  ${ok ? '✓' : '✗'} ${say(pt, clause)}  ${value === null || value === undefined ? say('ausente', 'missing') : `${say('encontrado', 'found')} ${foundWords(value, unit, language)}`}`,
    ),
    ...decision.caps.flatMap(({ used, max, pt, clause }) =>
      used === null ? [] : [`  ${say('limite', 'cap')}: ${say(pt, clause)}  ${used}/${max}`],
    ),
    ...(
      [
        [say('grupo', 'arm'), decision.arm && armWords(decision.arm as Parameters<typeof armWords>[0], language)],
        [say('variante', 'variant'), decision.variant],
        [say('oferta', 'offer'), decision.offer],
        [say('espera até', 'held until'), decision.heldUntil && time(decision.heldUntil)],
      ] as const
    ).flatMap(([name, value]) => (value === null ? [] : [`  ${name}: ${value}`])),
    ...decision.skipped.map(({ destination, action, code: exit }) => `  – ${destination}.${action}: ${code(exit)}`),
  ]
  if (consent) lines.push(`  ${say('consentimento', 'consent')}: ${record(consent)}`)
  for (const sent of decision.deliveries) {
    lines.push(`  ${say('entrega', 'delivery')}: ${sent.destination}.${sent.action} ${sent.status}  ${sent.id}`)
    if (sent.code) lines.push(`    ${code(sent.code)}`)
    if (sent.consent && sent.entryId !== decision.entryId)
      lines.push(`    ${say('consentimento na entrega', 'consent at delivery')}: ${record(sent.consent)}`)
    if (sent.reason) lines.push(`    ${say('resposta do fornecedor', "vendor's answer")}: ${sent.reason}`)
    for (const { n, at, outcome, reason } of sent.attempts) lines.push(`    ${n}. ${time(at)} ${outcome} ${reason}`)
  }
  return lines
}
