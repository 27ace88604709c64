import { Button } from '@mantine/core'
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { currentLanguage, setLanguage } from '../i18n/index.ts'
import markUrl from '../mark.svg'

/** The frame of pages that nobody needs to be logged in for. */
export function Gate({ title, intro, children }: { title: string; intro: string; children: ReactNode }) {
  const { t } = useTranslation()
  const other = currentLanguage() === 'en' ? 'pt-BR' : 'en'
  useEffect(() => {
    document.title = `${title} · Anuente`
  }, [title])
  return (
    <main className="gate">
      <div>
        <div style={{ display: 'flex', alignItems: 'center', gap: '0.75rem', marginBottom: '1rem' }}>
          <img src={markUrl} alt="" width={40} height={40} />
          <div>
            <div style={{ fontWeight: 650, fontSize: '1.25rem', lineHeight: 1.2 }}>{t('app.name')}</div>
            <div className="quiet" style={{ fontSize: '0.875rem' }}>
              {intro}
            </div>
          </div>
        </div>
        <div className="card" style={{ padding: '1.5rem' }}>
          <h1 style={{ fontSize: '1.375rem', margin: '0 0 1rem' }}>{title}</h1>
          {children}
        </div>
        <div style={{ textAlign: 'center', marginTop: '1rem' }}>
          <Button variant="subtle" size="compact-sm" lang={other} onClick={() => setLanguage(other)}>
            {t(`language.${other}`)}
          </Button>
        </div>
      </div>
    </main>
  )
}
