/** What is told of a decision: what was decided on which rule, with every clause and what it found. */
import type { OpenTimer } from '../../schemas/profile.ts'
import { clause } from './clauses.ts'
import type { Clause } from './compile.ts'
import type { Deciding, Instance } from './deciding.ts'
import type { DecisionOutcome, Explanation } from './decision.ts'

export function explain(
  deciding: Deciding,
  instance: Instance,
  result: DecisionOutcome,
  clauses: readonly Clause[],
  more: Partial<
    Pick<Explanation, 'arm' | 'variant' | 'offer' | 'heldUntil' | 'entryId' | 'deliveryIds' | 'skipped' | 'latestOnly'>
  > = {},
): void {
  const { compiled, correlation, eventId, startedAt } = instance
  const { id, version } = compiled.rule
  const latestOnly = more.latestOnly ?? false
  deciding.explanations.push({
    rule: id,
    version,
    hash: compiled.hash,
    eventId,
    correlation,
    ...(deciding.seq !== undefined && { seq: deciding.seq }),
    at: deciding.context.now,
    ...(startedAt !== undefined && { startedAt }),
    result,
    clauses,
    ...(more.arm !== undefined && { arm: more.arm }),
    ...(more.variant !== undefined && { variant: more.variant }),
    ...(more.offer !== undefined && { offer: more.offer }),
    ...(more.heldUntil !== undefined && { heldUntil: more.heldUntil }),
    ...(more.entryId !== undefined && { entryId: more.entryId }),
    deliveryIds: more.deliveryIds ?? [],
    skipped: more.skipped ?? [],
    latestOnly,
    failed: clauses.filter((entry) => !entry.ok).map((entry) => entry.id),
  })
}

/** The instance of a version that is not loaded any more: nobody knows what it meant. */
export function explainUnknownVersion(deciding: Deciding, timer: OpenTimer): void {
  const { rule, version, correlation } = timer
  deciding.explanations.push({
    rule,
    version,
    hash: '',
    eventId: timer.startEventId,
    correlation,
    ...(deciding.seq !== undefined && { seq: deciding.seq }),
    at: deciding.context.now,
    startedAt: timer.startedAt,
    result: 'CANCELLED',
    clauses: [
      clause(
        'when.version',
        'this version of the rule is still loaded',
        'esta versão da regra ainda está carregada',
        false,
        version,
      ),
    ],
    deliveryIds: [],
    skipped: [],
    latestOnly: false,
    failed: ['when.version'],
  })
}
