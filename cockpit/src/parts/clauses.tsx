/** Clauses with a check or a cross, in words too, and the value that was found. */
import { IconCheck, IconX } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { number } from '../format.ts'
import { currentLanguage } from '../i18n/index.ts'

export interface Clause {
  readonly id: string
  readonly clause: string
  readonly pt: string
  readonly ok: boolean
  readonly value?: unknown
  readonly unit?: 'cents' | undefined
}

export function Clauses({ clauses }: { clauses: readonly Clause[] }) {
  const { t } = useTranslation()
  return (
    <ul className="clauses" aria-label={t('why.clauses')}>
      {clauses.map((clause) => (
        <li key={clause.id}>
          {clause.ok ? (
            <IconCheck size={18} color="var(--tone-delivered-ink)" aria-hidden />
          ) : (
            <IconX size={18} color="var(--tone-failed-ink)" aria-hidden />
          )}
          <span>
            {currentLanguage() === 'en' ? clause.clause : clause.pt}{' '}
            <strong>{t(clause.ok ? 'why.holds' : 'why.fails')}</strong>
            <span className="quiet">
              {' '}
              · {t('why.actual', { value: actual(clause, t('why.missing'), t('app.yes'), t('app.no')) })}
            </span>
          </span>
        </li>
      ))}
    </ul>
  )
}

function actual({ value, unit }: Clause, missing: string, yes: string, no: string): string {
  if (value === null || value === undefined) return missing
  if (typeof value === 'number') return number(unit === 'cents' ? value / 100 : value)
  if (typeof value === 'boolean') return value ? yes : no
  return typeof value === 'string' ? value : JSON.stringify(value)
}
