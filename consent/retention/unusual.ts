/**
 * When an approved policy stops and asks again. Our own rule: a mistake in a clock, an import or a
 * configuration shows as a count, before anything is erased.
 */
import type { Config } from '../../schemas/config.ts'

export interface UnusualSettings {
  readonly times: number
  readonly atLeast: number
}

export const unusualSettings = (config: Pick<Config, 'retention'>): UnusualSettings => ({
  times: config.retention?.unusual?.times ?? 3,
  atLeast: config.retention?.unusual?.atLeast ?? 1000,
})

/** Runs needed before their own counts say what is usual. */
const ENOUGH_RUNS = 7
/** Runs looked back on. */
export const RUNS_LOOKED_AT = 30

/**
 * @param approved the count the officer saw and approved.
 * @param runs counts of the runs since, newest first, without the first one: it had the backlog.
 */
export function isUnusual(due: number, approved: number, runs: readonly number[], settings: UnusualSettings): boolean {
  return due > Math.max(settings.atLeast, settings.times * usualCount(approved, runs))
}

/** The median of the last runs; until there are seven, what was approved. */
export function usualCount(approved: number, runs: readonly number[]): number {
  const seen = runs.slice(0, RUNS_LOOKED_AT)
  if (seen.length < ENOUGH_RUNS) return approved
  const sorted = [...seen].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

export function unusualWords({ times, atLeast }: UnusualSettings): { pt: string; en: string } {
  return {
    pt: `Uma política aprovada roda sozinha. Ela para e pergunta de novo quando muda, ou quando o que venceu passa de ${atLeast} linhas e de ${times} vezes o habitual. O habitual é a mediana das últimas ${RUNS_LOOKED_AT} execuções; até haver ${ENOUGH_RUNS}, é a contagem aprovada.`,
    en: `An approved policy runs by itself. It stops and asks again when it changes, or when what is due is more than ${atLeast} rows and more than ${times} times the usual. Usual is the median of the last ${RUNS_LOOKED_AT} runs; until there are ${ENOUGH_RUNS}, it is the count that was approved.`,
  }
}
