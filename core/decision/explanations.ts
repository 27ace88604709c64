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
  more?: Partial<
    Pick<Explanation, 'arm' | 'variant' | 'offer' | 'heldUntil' | 'entryId' | 'deliveryIds' | 'skipped' | 'latestOnly'>
  >,
): void {
  const { compiled, correlation, eventId, startedAt } = instance
  const { seq, context, explanations } = deciding
  const { id, version } = compiled.rule
  const failed: string[] = []
  for (const { ok, id } of clauses) if (!ok) failed.push(id)
  // Field by field: a rule that tells something at every event does so thousands of times a second.
  const told: { -readonly [K in keyof Explanation]: Explanation[K] } = {
    rule: id,
    version,
    hash: compiled.hash,
    eventId,
    correlation,
    at: context.now,
    result,
    clauses,
    deliveryIds: more?.deliveryIds ?? NONE,
    skipped: more?.skipped ?? NONE,
    latestOnly: more?.latestOnly ?? false,
    failed,
  }
  if (seq !== undefined) told.seq = seq
  if (startedAt !== undefined) told.startedAt = startedAt
  if (more) {
    const { arm, variant, offer, heldUntil, entryId } = more
    if (arm !== undefined) told.arm = arm
    if (variant !== undefined) told.variant = variant
    if (offer !== undefined) told.offer = offer
    if (heldUntil !== undefined) told.heldUntil = heldUntil
    if (entryId !== undefined) told.entryId = entryId
  }
  explanations.push(told)
}

const NONE: readonly never[] = []

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
