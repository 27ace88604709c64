import {
  IconAlertTriangle,
  IconArrowsExchange,
  IconBan,
  IconCheck,
  IconCopy,
  IconFlask2,
  IconHelp,
  IconHourglass,
  IconInbox,
  IconLock,
  IconRefresh,
  IconRuler2,
  IconShieldX,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Exits } from '../../../schemas/admin.ts'
import { get } from '../api.ts'
import { currentLanguage } from '../i18n/index.ts'

export const TONES = [
  'done',
  'delivered',
  'superseded',
  'refused',
  'quarantined',
  'duplicate',
  'consent',
  'waiting',
  'no_purpose',
  'experiment',
  'rule',
  'failed',
  'retried',
  'unknown',
] as const
export type Tone = (typeof TONES)[number]

const ICONS: Record<Tone, typeof IconCheck> = {
  done: IconInbox,
  delivered: IconCheck,
  superseded: IconArrowsExchange,
  refused: IconBan,
  quarantined: IconLock,
  duplicate: IconCopy,
  consent: IconShieldX,
  waiting: IconHourglass,
  no_purpose: IconBan,
  experiment: IconFlask2,
  rule: IconRuler2,
  failed: IconAlertTriangle,
  retried: IconRefresh,
  unknown: IconHelp,
}

const OWN: Readonly<Record<string, Tone>> = {
  DELIVERED: 'delivered',
  SUPERSEDED: 'superseded',
  HELD: 'waiting',
  NO_PURPOSE: 'no_purpose',
  RETRY: 'retried',
}

/** Every exit with its words, asked once. */
export function useExits() {
  const { data } = useQuery({
    queryKey: ['exits'],
    queryFn: () => get<Exits>('/api/exits'),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const byCode = new Map(data?.items.map((exit) => [exit.code, exit]))
  return {
    tone: (code: string): Tone => {
      const group = byCode.get(code)?.group
      return OWN[code] ?? TONES.find((tone) => tone === group) ?? 'unknown'
    },
    /** One sentence in the chosen language; the code itself when nobody knows it. */
    text: (code: string): string => {
      const exit = byCode.get(code)
      return exit ? (currentLanguage() === 'en' ? exit.en : exit.pt) : code
    },
  }
}

export function Badge({ tone, children, title }: { tone: Tone; children: string; title?: string }) {
  const Icon = ICONS[tone]
  return (
    <span className="exit" data-tone={tone} title={title}>
      <Icon size={13} stroke={2.2} aria-hidden />
      {children}
    </span>
  )
}

/** The exit in words, never by colour alone. */
export function ExitBadge({ code }: { code: string }) {
  const { t } = useTranslation()
  const { tone, text } = useExits()
  return (
    <Badge tone={tone(code)} title={`${code}: ${text(code)}`}>
      {t(`exit.${tone(code)}`)}
    </Badge>
  )
}

const STATUS_TONE: Readonly<Record<string, Tone>> = {
  queued: 'rule',
  leased: 'rule',
  attempted: 'rule',
  retry: 'retried',
  delivered: 'delivered',
  blocked: 'consent',
  held_out: 'experiment',
  suppressed: 'rule',
  cancelled: 'rule',
  superseded: 'superseded',
  uncertain: 'quarantined',
  dead: 'failed',
}

export function StatusBadge({ status }: { status: string }) {
  const { t } = useTranslation()
  return <Badge tone={STATUS_TONE[status] ?? 'unknown'}>{t(`status.${status}` as 'status.queued')}</Badge>
}
