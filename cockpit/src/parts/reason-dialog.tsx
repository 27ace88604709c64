import { Textarea } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { FormDialog } from './form-dialog.tsx'
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
  children,
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
  children?: ReactNode
}) {
  const [reason, setReason] = useState('')
  return (
    <FormDialog
      opened={opened}
      onClose={onClose}
      title={title}
      text={text}
      act={act}
      pending={pending}
      go={() => go(reason.trim())}
    >
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
      {children}
      {error ? (
        <div style={{ marginTop: '1rem' }}>
          <Failure error={error} />
        </div>
      ) : null}
    </FormDialog>
  )
}
