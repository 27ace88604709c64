/** Words and times of what `explain` tells. */
import { moneyWords } from '../core/decision/money-words.ts'
import type { Arm } from '../schemas/delivery.ts'

export interface ExplainLook {
  readonly language: 'pt' | 'en'
  /** IANA. */
  readonly timezone: string
}

export function armWords(arm: Arm, language: 'pt' | 'en'): string {
  const words: Record<Arm, { pt: string; en: string }> = {
    treated: { pt: 'grupo tratado', en: 'treated' },
    control: { pt: 'grupo de controle (teria recebido)', en: 'control group (would have been sent)' },
    holdout: { pt: 'grupo de reserva geral (teria recebido)', en: 'global holdout (would have been sent)' },
  }
  return words[arm][language]
}

export function formatTime(at: string, { language, timezone }: ExplainLook): string {
  return new Intl.DateTimeFormat(language === 'pt' ? 'pt-BR' : 'en-GB', {
    dateStyle: 'short',
    timeStyle: 'medium',
    timeZone: timezone,
  }).format(new Date(at))
}

/** Money as the clause writes it, with its cents; everything else as it is stored. */
export function foundWords(value: unknown, unit: 'cents' | undefined, language: 'pt' | 'en'): string {
  return unit === 'cents' && typeof value === 'number' ? moneyWords(value, language) : JSON.stringify(value)
}
