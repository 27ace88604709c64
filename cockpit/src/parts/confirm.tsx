import { Button, Modal } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

/** Asked before what cannot be taken back. */
export function Confirm({
  opened,
  onClose,
  title,
  text,
  act,
  go,
}: {
  opened: boolean
  onClose: () => void
  title: string
  text: ReactNode
  act: string
  go: () => void
}) {
  const { t } = useTranslation()
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={<strong>{title}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <p style={{ marginTop: 0 }}>{text}</p>
      <div className="dialog-acts">
        <Button variant="default" onClick={onClose}>
          {t('app.cancel')}
        </Button>
        <Button
          color="red.9"
          onClick={() => {
            go()
            onClose()
          }}
        >
          {act}
        </Button>
      </div>
    </Modal>
  )
}
