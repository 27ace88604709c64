import { Button, Modal } from '@mantine/core'
import type { FormEvent, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Failure } from './states.tsx'

/** A form in a dialog: what it is about, its fields, what went wrong, give up or go. */
export function FormDialog({
  opened = true,
  onClose,
  title,
  text,
  act,
  pending,
  error,
  go,
  children,
}: {
  opened?: boolean
  onClose: () => void
  title: string
  text: ReactNode
  act: string
  pending: boolean
  error?: unknown
  go: () => void
  children: ReactNode
}) {
  const { t } = useTranslation()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    go()
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
        {children}
        {error ? <Failure error={error} /> : null}
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
