/** What the ledger says, in words; the same ones wherever an entry is shown. */
import { useTranslation } from 'react-i18next'
import { date } from '../format.ts'
import { Badge, type Tone } from './exit-badge.tsx'

export function useConsentWords() {
  const { t, i18n } = useTranslation()
  return {
    /** A status, basis, actor or class of evidence; the word itself when nobody knows it. */
    value: (word: string): string => {
      const key = `why.value.${word}`
      return i18n.exists(key) ? t(key as 'why.value.granted') : word
    },
    act: (type: string): string => {
      const key = `ledger.act.${type.replace('.', '_')}`
      return i18n.exists(key) ? t(key as 'ledger.act.consent') : type
    },
  }
}

const TONE: Readonly<Record<string, Tone>> = {
  granted: 'delivered',
  denied: 'consent',
  revoked: 'consent',
  objected: 'consent',
  expired: 'rule',
  stale: 'quarantined',
  conflict: 'quarantined',
  invalid: 'duplicate',
  unknown: 'duplicate',
}

export function ConsentStatus({ status, title }: { status: string; title?: string }) {
  const { value } = useConsentWords()
  return (
    <Badge tone={TONE[status] ?? 'unknown'} {...(title === undefined ? {} : { title })}>
      {value(status)}
    </Badge>
  )
}

const SHOWN = ['status', 'basis', 'notice', 'actor_kind', 'source', 'evidence_class', 'expires_at'] as const

/** What a person wants to know of the open part of an entry; nothing in it names anybody. */
export function ConsentFacts({ entry }: { entry: unknown }) {
  const { t } = useTranslation()
  const { value } = useConsentWords()
  if (typeof entry !== 'object' || entry === null) return null
  const facts = entry as Readonly<Record<string, unknown>>
  const shown = (inner: unknown): string => {
    if (typeof inner !== 'object' || inner === null) return value(String(inner))
    const { id, version } = inner as { id?: unknown; version?: unknown }
    return `${String(id)} v${String(version)}`
  }
  return (
    <dl className="facts">
      {SHOWN.filter((name) => facts[name] !== undefined && facts[name] !== null).map((name) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt>{t(`why.field.${name}`)}</dt>
          <dd>{name === 'expires_at' ? date(Date.parse(String(facts[name]))) : shown(facts[name])}</dd>
        </div>
      ))}
    </dl>
  )
}
