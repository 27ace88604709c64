import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { RequestImported } from '../../../schemas/requests.ts'
import { post } from '../api.ts'
import { number } from '../format.ts'
import { FormDialog } from './form-dialog.tsx'
import { UploadField } from './upload.tsx'

/** Many requests from a spreadsheet: first what it would do, then, asked again, done. */
export function ImportRequestsDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const [csv, setCsv] = useState<string>()
  const run = useMutation({
    mutationFn: (dryRun: boolean) => post<RequestImported>('/api/requests/import', { csv, dryRun }),
    onSuccess: ({ dryRun, errors }) => {
      if (dryRun) return
      void queries.invalidateQueries({ queryKey: ['requests'] })
      if (errors.length === 0) onClose()
    },
  })
  const tried = run.data?.dryRun === true
  return (
    <FormDialog
      onClose={onClose}
      title={t('requests.import.title')}
      text={t('requests.import.text')}
      act={tried ? t('requests.import.go', { count: run.data?.opened ?? 0 }) : t('requests.import.try')}
      pending={run.isPending}
      error={run.error}
      go={() => csv !== undefined && run.mutate(!tried)}
    >
      <UploadField
        label={t('requests.import.file')}
        description={t('requests.import.columns')}
        accept=".csv,text/csv"
        required
        onChange={(upload) => {
          run.reset()
          setCsv(upload && new TextDecoder().decode(Uint8Array.from(atob(upload.base64), (char) => char.charCodeAt(0))))
        }}
      />
      {run.data && (
        <div role="status">
          <p>
            {t('requests.import.would', {
              opened: number(run.data.opened),
              repeated: number(run.data.repeated),
              duplicates: number(run.data.duplicates),
            })}
          </p>
          {run.data.errors.length > 0 && (
            <ul className="plain">
              {run.data.errors.map(({ row, column, message }) => (
                <li key={`${row} ${column} ${message}`}>
                  {t('requests.import.row', { row })}
                  {column !== '' && ` · ${column}`}: {message}
                </li>
              ))}
            </ul>
          )}
        </div>
      )}
    </FormDialog>
  )
}
