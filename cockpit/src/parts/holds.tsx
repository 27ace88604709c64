import { Button, Textarea, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { LegalHold } from '../../../schemas/retention.ts'
import { post } from '../api.ts'
import { useFields } from '../fields.ts'
import { date, dayRange } from '../format.ts'
import { useMay } from '../session.ts'
import { type Column, DataTable } from './data-table.tsx'
import { FormDialog } from './form-dialog.tsx'
import { ReasonDialog } from './reason-dialog.tsx'

/** Legal holds: what stays although its time is over, on whose order. */
export function Holds({ holds }: { holds: readonly LegalHold[] }) {
  const { t } = useTranslation()
  const may = useMay()
  const queries = useQueryClient()
  const [setting, setModal] = useDisclosure()
  const [releasing, setReleasing] = useState<LegalHold>()
  const release = useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) =>
      post(`/api/retention/holds/${encodeURIComponent(id)}/release`, { reason }),
    onSuccess: () => setReleasing(undefined),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['retention'] }),
  })
  const columns: readonly Column<LegalHold>[] = [
    {
      id: 'ref',
      title: t('hold.ref'),
      place: 'main',
      cell: ({ ref, reason }) => (
        <span>
          <strong>{ref}</strong> <span className="quiet">{reason}</span>
        </span>
      ),
      csv: ({ ref }) => ref,
    },
    {
      id: 'what',
      title: t('hold.what'),
      cell: (hold) =>
        hold.kind === 'person' ? (
          <span className="mono">{hold.subject}</span>
        ) : (
          <span>
            {hold.class === null ? t('hold.everything') : t(`retention.classes.${hold.class}`)}{' '}
            {hold.from !== null && `${t('table.from')} ${date(hold.from)}`}{' '}
            {hold.to !== null && `${t('table.until')} ${date(hold.to)}`}
          </span>
        ),
      csv: ({ subject, class: kind }) => subject ?? kind,
    },
    {
      id: 'since',
      title: t('settings.since'),
      place: 'state',
      cell: ({ setAt }) => date(setAt),
      csv: ({ setAt }) => new Date(setAt).toISOString(),
    },
    {
      id: 'acts',
      title: t('quarantine.acts'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: (hold) =>
        may('retention.write') && (
          <Button
            size="compact-sm"
            variant="default"
            aria-label={t('hold.releaseOf', { ref: hold.ref })}
            onClick={() => setReleasing(hold)}
          >
            {t('hold.release')}
          </Button>
        ),
    },
  ]
  return (
    <section aria-labelledby="holds-title" className="stack">
      <div className="card-head" style={{ margin: 0 }}>
        <h2 id="holds-title">{t('hold.title')}</h2>
        {may('retention.write') && (
          <div className="end">
            <Button size="xs" variant="default" onClick={setModal.open}>
              {t('hold.set')}
            </Button>
          </div>
        )}
      </div>
      <DataTable
        listing={{ rows: holds, error: undefined, at: undefined, retry: () => undefined }}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('hold.title')}
        empty={{ title: t('hold.none'), text: t('hold.noneText') }}
      />
      {setting && <NewHold onClose={setModal.close} />}
      {releasing && (
        <ReasonDialog
          opened
          onClose={() => setReleasing(undefined)}
          title={t('hold.releaseTitle', { ref: releasing.ref })}
          text={t('hold.releaseText')}
          label={t('hold.reason')}
          act={t('hold.release')}
          pending={release.isPending}
          error={release.error}
          go={(reason) => release.mutate({ id: releasing.id, reason })}
        />
      )}
    </section>
  )
}

function NewHold({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const { form, field } = useFields({ subject: '', from: '', until: '', ref: '', reason: '' }, { mb: 'sm' })
  const set = useMutation({
    mutationFn: () =>
      post<LegalHold>('/api/retention/holds', {
        ref: form.ref.trim(),
        reason: form.reason.trim(),
        ...(form.subject.trim() && { subject: form.subject.trim() }),
        ...dayRange(form.from || undefined, form.until || undefined),
      }),
    onSuccess: onClose,
    onSettled: () => void queries.invalidateQueries({ queryKey: ['retention'] }),
  })
  return (
    <FormDialog
      onClose={onClose}
      title={t('hold.set')}
      text={t('hold.setText')}
      act={t('hold.set')}
      pending={set.isPending}
      error={set.error}
      go={() => set.mutate()}
    >
      <TextInput label={t('hold.ref')} required withAsterisk={false} maxLength={200} {...field('ref')} />
      <Textarea
        label={t('hold.reason')}
        required
        withAsterisk={false}
        minLength={10}
        maxLength={1000}
        autosize
        minRows={2}
        {...field('reason')}
      />
      <TextInput label={t('hold.subject')} description={t('hold.subjectHint')} {...field('subject')} />
      <div className="filters">
        <TextInput type="date" label={t('table.from')} {...field('from')} />
        <TextInput type="date" label={t('table.until')} {...field('until')} />
      </div>
    </FormDialog>
  )
}
