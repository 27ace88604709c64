import { Alert, Button, Modal, NativeSelect } from '@mantine/core'
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Exits, QuarantinePage as Page, QuarantineItem } from '../../../schemas/admin.ts'
import { useAddress, useChangeAddress } from '../address.ts'
import { get, post, withQuery } from '../api.ts'
import { date, dateTime } from '../format.ts'
import { useExits } from '../parts/exit-badge.tsx'
import { DataAge, Empty, Failure, Loading } from '../parts/states.tsx'
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
  const page = useInfiniteQuery({
    queryKey: ['quarantine', { source, code, show }],
    queryFn: ({ pageParam }) =>
      get<Page>(
        withQuery('/api/quarantine', {
          source,
          code,
          status: show === 'all' ? undefined : 'open',
          after: pageParam,
          limit: '50',
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
  })
  const sources = useQuery({
    queryKey: ['sources'],
    queryFn: () => get<{ items: { id: string }[] }>('/api/sources'),
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
  const rows = page.data?.pages.flatMap(({ items }) => items) ?? []
  const filtered = source !== undefined || code !== undefined
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t('quarantine.title')}</h1>
        <span className="quiet">{t('quarantine.about')}</span>
        <DataAge at={page.dataUpdatedAt || undefined} />
      </div>
      <div className="card" style={{ display: 'flex', flexWrap: 'wrap', gap: '0.75rem' }}>
        <NativeSelect
          size="xs"
          label={t('quarantine.source')}
          value={source ?? ''}
          data={[
            { value: '', label: t('quarantine.allSources') },
            ...(sources.data?.items.map(({ id }) => id) ?? (source ? [source] : [])),
          ]}
          onChange={(event) => set({ source: event.currentTarget.value || undefined })}
        />
        <NativeSelect
          size="xs"
          label={t('quarantine.code')}
          value={code ?? ''}
          data={[
            { value: '', label: t('quarantine.allCodes') },
            ...(exits.data?.items.filter(({ group }) => group === 'quarantined').map((exit) => exit.code) ?? []),
          ]}
          onChange={(event) => set({ code: event.currentTarget.value || undefined })}
        />
        <NativeSelect
          size="xs"
          label={t('quarantine.show')}
          value={show ?? ''}
          data={[
            { value: '', label: t('quarantine.waiting') },
            { value: 'all', label: t('quarantine.all') },
          ]}
          onChange={(event) => set({ show: event.currentTarget.value === 'all' ? 'all' : undefined })}
        />
      </div>
      <div role="status">
        {act.isSuccess && (
          <Alert variant="outline" withCloseButton closeButtonLabel={t('app.close')} onClose={act.reset}>
            {t(act.variables.what === 'redrive' ? 'quarantine.redriven' : 'quarantine.dismissed')}
          </Alert>
        )}
      </div>
      {act.error && <Failure error={act.error} />}
      {page.error ? (
        <Failure error={page.error} retry={() => void page.refetch()} />
      ) : (
        <div className="card flush">
          {page.isPending ? (
            <Loading lines={6} />
          ) : rows.length === 0 ? (
            <Empty
              title={t(filtered ? 'quarantine.emptyFilter' : 'quarantine.empty')}
              text={t(filtered ? 'quarantine.emptyFilterText' : 'quarantine.emptyText')}
            />
          ) : (
            <div className="scroll">
              <table className="rows stacks">
                <thead>
                  <tr>
                    <th scope="col" aria-sort="descending">
                      {t('quarantine.received')}
                    </th>
                    <th scope="col">{t('quarantine.source')}</th>
                    <th scope="col">{t('quarantine.message')}</th>
                    <th scope="col">{t('quarantine.expires')}</th>
                    <th scope="col">
                      <span className="visually-hidden">{t('quarantine.acts')}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map((item) => (
                    <tr key={item.id}>
                      <td data-label={t('quarantine.received')} style={{ whiteSpace: 'nowrap' }}>
                        {dateTime(item.receivedAt)}
                      </td>
                      <td data-label={t('quarantine.source')}>{item.source}</td>
                      <td data-label={t('quarantine.message')}>
                        <span>
                          {text(item.code)} <span className="mono quiet">{item.code}</span>
                          <br />
                          <span className="mono">{item.path}</span> <span className="quiet">{item.message}</span>
                        </span>
                      </td>
                      <td data-label={t('quarantine.expires')} style={{ whiteSpace: 'nowrap' }}>
                        {date(item.expiresAt)}
                      </td>
                      <td data-label="" className="right">
                        {item.status !== 'open' ? (
                          <span className="quiet">
                            {t(
                              item.status === 'dismissed'
                                ? 'quarantine.status.dismissed'
                                : 'quarantine.status.redriven',
                            )}
                          </span>
                        ) : (
                          may('quarantine.write') && (
                            <span
                              style={{ display: 'inline-flex', gap: '0.5rem', flexWrap: 'wrap', justifyContent: 'end' }}
                            >
                              <Button
                                size="compact-sm"
                                variant="default"
                                aria-label={t('quarantine.redriveOf', { id: item.id })}
                                loading={act.isPending && act.variables.id === item.id}
                                onClick={() => act.mutate({ id: item.id, what: 'redrive' })}
                              >
                                {t('quarantine.redrive')}
                              </Button>
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
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {page.hasNextPage && (
            <div style={{ padding: '0.75rem', textAlign: 'center' }}>
              <Button
                variant="default"
                size="sm"
                loading={page.isFetchingNextPage}
                onClick={() => void page.fetchNextPage()}
              >
                {t('app.more')}
              </Button>
            </div>
          )}
        </div>
      )}
      <Modal
        opened={dismissing !== undefined}
        onClose={() => setDismissing(undefined)}
        title={<strong>{t('quarantine.dismissTitle')}</strong>}
        closeButtonProps={{ 'aria-label': t('app.close') }}
      >
        <p style={{ marginTop: 0 }}>{t('quarantine.dismissText')}</p>
        <div style={{ display: 'flex', gap: '0.5rem', justifyContent: 'end' }}>
          <Button variant="default" onClick={() => setDismissing(undefined)}>
            {t('app.cancel')}
          </Button>
          <Button
            color="red.9"
            onClick={() => {
              if (dismissing) act.mutate({ id: dismissing.id, what: 'dismiss' })
              setDismissing(undefined)
            }}
          >
            {t('quarantine.dismiss')}
          </Button>
        </div>
      </Modal>
    </div>
  )
}
