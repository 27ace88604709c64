import { Alert, Button, Skeleton } from '@mantine/core'
import { IconAlertTriangle, IconRefresh } from '@tabler/icons-react'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiFailure } from '../api.ts'
import { ago } from '../format.ts'

/** What, why, next. */
export function Empty({ title, text, next }: { title: string; text: string; next?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      <p className="quiet">{text}</p>
      {next}
    </div>
  )
}

export function useFailureText(): (error: unknown) => string {
  const { t, i18n } = useTranslation()
  return (error) => {
    if (!(error instanceof ApiFailure)) return t('error.INTERNAL')
    const key = `error.${error.code}`
    return i18n.exists(key) ? t(key as 'error.INTERNAL') : t('error.fromHub', { message: error.message })
  }
}

/** Code, cause in words, what to do. */
export function Failure({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  const { t } = useTranslation()
  const text = useFailureText()
  const code = error instanceof ApiFailure ? error.code : 'INTERNAL'
  return (
    <Alert
      color="red"
      variant="outline"
      icon={<IconAlertTriangle aria-hidden />}
      title={title ?? t('error.title')}
      role="alert"
    >
      <p style={{ margin: 0 }}>{text(error)}</p>
      <p className="mono" style={{ margin: '0.25rem 0 0' }}>
        {t('error.code', { code })}
      </p>
      {retry && (
        <Button mt="sm" size="xs" variant="default" leftSection={<IconRefresh size={14} aria-hidden />} onClick={retry}>
          {t('app.retry')}
        </Button>
      )}
    </Alert>
  )
}

export function Loading({ lines = 4 }: { lines?: number }) {
  const { t } = useTranslation()
  return (
    <div role="status" style={{ padding: '1rem' }}>
      <span className="visually-hidden">{t('app.loading')}</span>
      {Array.from({ length: lines }, (_, index) => 95 - index * 10).map((width) => (
        <Skeleton key={width} height={14} mb="sm" width={`${width}%`} />
      ))}
    </div>
  )
}

export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}

/** "atualizado há 3 segundos" */
export function DataAge({ at }: { at: number | undefined }) {
  const { t } = useTranslation()
  const now = useNow()
  if (!at) return null
  return (
    <span className="quiet" style={{ fontSize: '0.8125rem' }}>
      {t('app.updated', { age: ago(at, now) })}
    </span>
  )
}
