import { FileInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

export interface Upload {
  readonly name: string
  readonly mediaType: string
  readonly base64: string
}

const MAX_BYTES = 4 * 1024 * 1024

/** A file to send with a form, read in the browser. Too large: it says so and holds nothing. */
export function UploadField({
  label,
  description,
  accept,
  required,
  onChange,
}: {
  label: string
  description?: string
  accept?: string
  required?: boolean
  onChange: (upload: Upload | undefined) => void
}) {
  const { t } = useTranslation()
  const [tooLarge, setTooLarge] = useState(false)
  const read = async (file: File | null): Promise<void> => {
    setTooLarge(file !== null && file.size > MAX_BYTES)
    onChange(
      file === null || file.size > MAX_BYTES
        ? undefined
        : { name: file.name, mediaType: file.type || 'application/octet-stream', base64: toBase64(await file.bytes()) },
    )
  }
  return (
    <FileInput
      label={label}
      description={description}
      accept={accept ?? ''}
      required={required ?? false}
      withAsterisk={false}
      clearable
      mt="sm"
      placeholder={t('upload.choose')}
      error={tooLarge ? t('upload.tooLarge') : null}
      onChange={(file) => void read(file)}
    />
  )
}

function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(text)
}
