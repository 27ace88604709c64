import { Button, Modal, Textarea } from '@mantine/core'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Failure } from './states.tsx'

/** What is kept with who did it and why. */
export function ReasonDialog({
  opened,
  onClose,
  title,
  text,
  label,
  act,
  pending,
  error,
  go,
  least = 10,
}: {
  opened: boolean
  onClose: () => void
  title: string
  text: ReactNode
  label: string
  act: string
  pending: boolean
  error: unknown
  go: (reason: string) => void
  /** Shorter than this says nothing. */
  least?: number
}) {
  const { t } = useTranslation()
  const [reason, setReason] = useState('')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    go(reason.trim())
  }
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={<strong>{title}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <form onSubmit={submit}>
        <p style={{ marginTop: 0 }}>{text}</p>
        <Textarea
          label={label}
          required
          withAsterisk={false}
          minLength={least}
          maxLength={500}
          autosize
          minRows={2}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        {error ? (
          <div style={{ marginTop: '1rem' }}>
            <Failure error={error} />
          </div>
        ) : null}
        <div className="dialog-acts">
          <Button variant="default" onClick={onClose}>
            {t('app.cancel')}
          </Button>
          <Button type="submit" loading={pending}>
            {act}
          </Button>
        </div>
      </form>
    </Modal>
  )
}
