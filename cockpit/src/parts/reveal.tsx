/** Contact data only when somebody says why; it is gone when the page is. */
import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Revealed } from '../../../schemas/records.ts'
import { post } from '../api.ts'
import { useMay } from '../session.ts'
import { ReasonDialog } from './reason-dialog.tsx'

export function Reveal({
  personId,
  shown,
  onShown,
}: {
  personId: string
  shown: Revealed | undefined
  onShown: (seen: Revealed) => void
}) {
  const { t } = useTranslation()
  const may = useMay()
  const [asking, setAsking] = useState(false)
  const reveal = useMutation({
    mutationFn: (reason: string) => post<Revealed>('/api/reveal', { what: 'person', id: personId, reason }),
    onSuccess: (seen) => {
      setAsking(false)
      onShown(seen)
    },
  })
  if (!may('people.reveal')) return null
  return (
    <>
      {shown ? (
        <dl className="facts" style={{ marginTop: '0.75rem' }}>
          {shown.identifiers.map(({ type, value }) => (
            <div key={`${type} ${value}`} style={{ display: 'contents' }}>
              <dt>{t(`identity.types.${type as 'email'}`)}</dt>
              <dd>{value ?? t('person.destroyed')}</dd>
            </div>
          ))}
        </dl>
      ) : (
        <Button size="xs" variant="default" mt="sm" onClick={() => setAsking(true)}>
          {t('person.reveal')}
        </Button>
      )}
      {asking && (
        <ReasonDialog
          opened
          onClose={() => setAsking(false)}
          title={t('person.reveal')}
          text={t('person.revealText')}
          label={t('person.reason')}
          act={t('person.reveal')}
          pending={reveal.isPending}
          error={reveal.error}
          go={(reason) => reveal.mutate(reason)}
        />
      )}
    </>
  )
}
