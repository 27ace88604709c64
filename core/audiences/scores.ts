/**
 * Scores from 0 to 1: points for conditions that hold, or a logistic model over fields. The model is data in the
 * configuration; nothing is trained or run from elsewhere.
 */
import type { ScoreConfig } from '../../schemas/audience.ts'
import { type Compiled, compileConditions, type RuleView } from '../decision/compile.ts'
import { emptyReads, type Reads, readConditions, readField } from './touch.ts'

export interface CompiledScore {
  readonly id: string
  readonly purpose: string
  readonly reads: Reads
  readonly conditions: readonly Compiled[]
  score(view: RuleView): number
}

export function compileScore(id: string, config: ScoreConfig): CompiledScore {
  const reads = emptyReads()
  const { scorecard, logistic, purpose } = config
  if (scorecard) {
    const lines = scorecard.points.map((line, index) => {
      readConditions(line.if, reads)
      return { points: line.points, when: compileConditions(line.if, `scores.${id}.points.${index}.if`) }
    })
    return {
      id,
      purpose,
      reads,
      conditions: lines.map(({ when }) => when),
      score: (view) => {
        const points = lines.reduce((sum, line) => sum + (line.when.test(view) ? line.points : 0), scorecard.base ?? 0)
        return rounded(points / scorecard.max)
      },
    }
  }
  const { intercept, features, platt } = logistic!
  const fields = features.map((feature) => {
    readField(feature.field, reads)
    return { ...feature, read: readerOf(feature.field) }
  })
  return {
    id,
    purpose,
    reads,
    conditions: [],
    score: (view) => {
      const logOdds = fields.reduce((sum, { read, weight, mean = 0, scale = 1, missing = 0 }) => {
        const value = read(view)
        return sum + weight * (value === undefined ? missing : (value - mean) / scale)
      }, intercept)
      return rounded(sigmoid(platt ? platt.slope * logOdds + platt.intercept : logOdds))
    },
  }
}

const sigmoid = (x: number) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)))

/** A thousandth of a percent is finer than any score is known. Always within [0, 1]. */
const rounded = (value: number) => Math.round(Math.min(1, Math.max(0, value)) * 1e5) / 1e5

/** The same reader as conditions have; true counts as 1. */
function readerOf(field: string): (view: RuleView) => number | undefined {
  const compiled = compileConditions({ all: [{ field, op: 'exists' }] }, 'feature')
  return (view) => {
    const value = compiled.explain(view)[0]?.value
    if (typeof value === 'boolean') return value ? 1 : 0
    if (typeof value === 'string') return /^-?\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : undefined
    return value ?? undefined
  }
}
