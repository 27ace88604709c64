import { Alert, Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Exits, QuarantineItem, Sources } from '../../../schemas/admin.ts'
import { useAddress, useChangeAddress } from '../address.ts'
import { get, post } from '../api.ts'
import { date, dateTime } from '../format.ts'
import { usePages } from '../listing.ts'
import { Confirm } from '../parts/confirm.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { useExits } from '../parts/exit-badge.tsx'
import { FilterBar, FilterSelect } from '../parts/filters.tsx'
import { FixDialog } from '../parts/fix-dialog.tsx'
import { Page } from '../parts/page.tsx'
import { Failure } from '../parts/states.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'

export function QuarantinePage() {
  return (
    <Guard permission="quarantine.read">
      <List />
    </Guard>
  )
}

function List() {
  const { t } = useTranslation()
  const may = useMay()
  const { text } = useExits()
  const queries = useQueryClient()
  const { source, code, show } = useAddress()
  const set = useChangeAddress()
  const [dismissing, setDismissing] = useState<QuarantineItem>()
  const [fixing, setFixing] = useState(false)
  const listing = usePages<QuarantineItem>(
    '/api/quarantine',
    { source, code, status: show === 'all' ? undefined : 'open' },
    { key: ['quarantine'], everyMs: 15_000 },
  )
  const sources = useQuery({
    queryKey: ['sources'],
    queryFn: () => get<Sources>('/api/sources'),
    enabled: may('connectors.read'),
  })
  const exits = useQuery({
    queryKey: ['exits'],
    queryFn: () => get<Exits>('/api/exits'),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const act = useMutation({
    mutationFn: ({ id, what }: { id: string; what: 'redrive' | 'dismiss' }) =>
      post(`/api/quarantine/${encodeURIComponent(id)}/${what}`),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['quarantine'] }),
  })
  const filtered = source !== undefined || code !== undefined
  const columns: readonly Column<QuarantineItem>[] = [
    {
      id: 'received',
      title: t('quarantine.received'),
      sort: 'descending',
      nowrap: true,
      cell: ({ receivedAt }) => dateTime(receivedAt),
      csv: ({ receivedAt }) => new Date(receivedAt).toISOString(),
    },
    {
      id: 'source',
      title: t('quarantine.source'),
      place: 'state',
      cell: ({ source: id }) => <span className="quiet">{id}</span>,
      csv: ({ source: id }) => id,
    },
    {
      id: 'message',
      title: t('quarantine.message'),
      place: 'main',
      cell: (item) => (
        <span>
          {text(item.code)} <span className="mono quiet">{item.code}</span>
          <br />
          <span className="mono">{item.path}</span> <span className="quiet">{item.message}</span>
        </span>
      ),
      csv: (item) => `${item.code} ${item.path} ${item.message}`,
    },
    {
      id: 'expires',
      title: t('quarantine.expires'),
      nowrap: true,
      cell: ({ expiresAt }) => date(expiresAt),
      csv: ({ expiresAt }) => new Date(expiresAt).toISOString(),
    },
    {
      id: 'acts',
      title: t('quarantine.acts'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: (item) =>
        item.status !== 'open' && item.status !== 'expired' ? (
          <span className="quiet">
            {t(item.status === 'dismissed' ? 'quarantine.status.dismissed' : 'quarantine.status.redriven')}
          </span>
        ) : (
          may('quarantine.write') && (
            <span className="acts">
              {item.status === 'expired' ? (
                <span className="quiet">{t('quarantine.status.expired')}</span>
              ) : (
                <Button
                  size="compact-sm"
                  variant="default"
                  aria-label={t('quarantine.redriveOf', { id: item.id })}
                  loading={act.isPending && act.variables.id === item.id}
                  onClick={() => act.mutate({ id: item.id, what: 'redrive' })}
                >
                  {t('quarantine.redrive')}
                </Button>
              )}
              <Button
                size="compact-sm"
                variant="default"
                aria-label={t('quarantine.dismissOf', { id: item.id })}
                onClick={() => setDismissing(item)}
              >
                {t('quarantine.dismiss')}
              </Button>
            </span>
          )
        ),
    },
  ]
  return (
    <Page title={t('quarantine.title')} about={t('quarantine.about')} at={listing.at}>
      <FilterBar
        clear={filtered ? () => set({ source: undefined, code: undefined }) : undefined}
        end={
          may('quarantine.write') && (
            <Button size="xs" variant="default" onClick={() => setFixing(true)}>
              {t('fix.open')}
            </Button>
          )
        }
      >
        <FilterSelect
          label={t('quarantine.source')}
          all={t('quarantine.allSources')}
          value={source}
          options={sources.data?.items.map(({ id }) => id)}
          onChange={(value) => set({ source: value })}
        />
        <FilterSelect
          label={t('quarantine.code')}
          all={t('quarantine.allCodes')}
          value={code}
          options={exits.data?.items.filter(({ group }) => group === 'quarantined').map((exit) => exit.code)}
          onChange={(value) => set({ code: value })}
        />
        <FilterSelect
          label={t('quarantine.show')}
          all={t('quarantine.waiting')}
          value={show}
          options={[{ value: 'all', label: t('quarantine.all') }]}
          onChange={(value) => set({ show: value === 'all' ? 'all' : undefined })}
        />
      </FilterBar>
      <div role="status" className="collapses">
        {act.isSuccess && (
          <Alert variant="outline" withCloseButton closeButtonLabel={t('app.close')} onClose={act.reset}>
            {t(act.variables.what === 'redrive' ? 'quarantine.redriven' : 'quarantine.dismissed')}
          </Alert>
        )}
      </div>
      {act.error && <Failure error={act.error} />}
      <DataTable
        listing={listing}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('quarantine.title')}
        file={t('quarantine.file')}
        empty={{
          title: t(filtered ? 'quarantine.emptyFilter' : 'quarantine.empty'),
          text: t(filtered ? 'quarantine.emptyFilterText' : 'quarantine.emptyText'),
        }}
      />
      {fixing && <FixDialog onClose={() => setFixing(false)} filter={{ source, code }} />}
      <Confirm
        opened={dismissing !== undefined}
        onClose={() => setDismissing(undefined)}
        title={t('quarantine.dismissTitle')}
        text={t('quarantine.dismissText')}
        act={t('quarantine.dismiss')}
        go={() => dismissing && act.mutate({ id: dismissing.id, what: 'dismiss' })}
      />
    </Page>
  )
}
