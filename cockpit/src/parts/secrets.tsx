import { Alert, Button, PasswordInput, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Secrets } from '../../../schemas/connections.ts'
import { get, post, remove } from '../api.ts'
import { useFields } from '../fields.ts'
import { ago } from '../format.ts'
import { listingOf } from '../listing.ts'
import { Confirm } from './confirm.tsx'
import { type Column, DataTable } from './data-table.tsx'
import { FormDialog } from './form-dialog.tsx'
import { useNow } from './states.tsx'

type Secret = Secrets['items'][number]

/** As it is written in anuente.yaml, the same in every language. */
const REFERENCE = `\${secret:NOME}`

/** Secrets by name. A value is typed in and never comes back. */
export function SecretList() {
  const { t } = useTranslation()
  const now = useNow(10_000)
  const queries = useQueryClient()
  const secrets = useQuery({ queryKey: ['secrets'], queryFn: () => get<Secrets>('/api/secrets') })
  const [setting, setSetting] = useState(false)
  const [deleting, setDeleting] = useState<string | undefined>()
  const { form, set, field } = useFields({ name: '', value: '' }, { required: true, withAsterisk: false, mb: 'sm' })
  const refresh = () => queries.invalidateQueries({ queryKey: ['secrets'] })
  const store = useMutation({
    mutationFn: () => post<{ name: string }>('/api/secrets', form),
    onSuccess: async () => {
      set('value', '')
      setSetting(false)
      await refresh()
    },
  })
  const drop = useMutation({
    mutationFn: (name: string) => remove(`/api/secrets/${encodeURIComponent(name)}`),
    onSuccess: refresh,
  })
  const columns: readonly Column<Secret>[] = [
    {
      id: 'name',
      title: t('connections.secrets.name'),
      place: 'main',
      cell: ({ name }) => <span className="mono">{name}</span>,
      csv: ({ name }) => name,
    },
    {
      id: 'hint',
      title: t('connections.secrets.hint'),
      cell: ({ hint }) => <span className="mono">••••{hint ?? ''}</span>,
      csv: ({ hint }) => hint,
    },
    {
      id: 'when',
      title: t('connections.secrets.when'),
      nowrap: true,
      cell: ({ setAt }) => ago(setAt, now),
      csv: ({ setAt }) => new Date(setAt).toISOString(),
    },
    { id: 'who', title: t('connections.secrets.who'), cell: ({ setBy }) => setBy, csv: ({ setBy }) => setBy },
    {
      id: 'acts',
      title: '',
      cell: ({ name }) => (
        <span style={{ display: 'inline-flex', gap: '0.5rem' }}>
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              set('name', name)
              setSetting(true)
            }}
          >
            {t('connections.secrets.replace')}
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => setDeleting(name)}>
            {t('connections.secrets.delete')}
          </Button>
        </span>
      ),
      csv: () => null,
    },
  ]
  return (
    <section aria-labelledby="secrets-head">
      <h2 id="secrets-head" className="section-title">
        {t('connections.secrets.title')}
      </h2>
      <p className="quiet">{t('connections.secrets.about', { reference: REFERENCE })}</p>
      {store.data && (
        <Alert color="green" variant="outline" role="status" mb="md">
          {t('connections.secrets.done', { name: store.data.name })}
        </Alert>
      )}
      <DataTable
        listing={listingOf(secrets)}
        columns={columns}
        rowKey={({ name }) => name}
        label={t('connections.secrets.title')}
        file={t('connections.secrets.file')}
        empty={{
          title: t('connections.secrets.none'),
          text: t('connections.secrets.noneText', { reference: REFERENCE }),
        }}
      />
      <Button
        mt="sm"
        variant="default"
        onClick={() => {
          set('name', '')
          setSetting(true)
        }}
      >
        {t('connections.secrets.set')}
      </Button>
      <FormDialog
        opened={setting}
        onClose={() => setSetting(false)}
        title={t('connections.secrets.set')}
        text={t('connections.secrets.setText')}
        act={t('connections.secrets.set')}
        pending={store.isPending}
        error={store.error}
        go={() => store.mutate()}
      >
        <TextInput label={t('connections.secrets.name')} autoComplete="off" {...field('name')} />
        <PasswordInput label={t('connections.secrets.value')} autoComplete="new-password" {...field('value')} />
      </FormDialog>
      <Confirm
        opened={deleting !== undefined}
        onClose={() => setDeleting(undefined)}
        title={t('connections.secrets.delete')}
        text={t('connections.secrets.deleteText', { name: deleting ?? '' })}
        act={t('connections.secrets.delete')}
        go={() => deleting !== undefined && drop.mutate(deleting)}
      />
    </section>
  )
}
