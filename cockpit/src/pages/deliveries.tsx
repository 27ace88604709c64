import { Alert, Button, Modal, NativeSelect, Switch, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { CommandAnswer, DeliveryPage, DeliveryRow, Destinations, Rules } from '../../../schemas/admin.ts'
import { linkChanging, useAddress, useChangeAddress } from '../address.ts'
import { get, post, withQuery } from '../api.ts'
import { dateTime } from '../format.ts'
import { StatusBadge, useExits } from '../parts/exit-badge.tsx'
import { DataAge, Empty, Failure, Loading } from '../parts/states.tsx'
import { rangeQuery } from '../range.ts'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'

const STATUSES = [
  'queued',
  'leased',
  'attempted',
  'retry',
  'delivered',
  'blocked',
  'held_out',
  'suppressed',
  'cancelled',
  'superseded',
  'uncertain',
  'dead',
] as const

export function DeliveriesPage() {
  return (
    <Guard permission="deliveries.read">
      <List />
    </Guard>
  )
}

function List() {
  const { t } = useTranslation()
  const may = useMay()
  const { range = '1h', destination, status, code, rule, inRange } = useAddress()
  const set = useChangeAddress()
  const filter = { destination, status, code, rule }
  const page = useInfiniteQuery({
    queryKey: ['deliveries', filter, inRange ? range : 'all'],
    queryFn: ({ pageParam }) =>
      get<DeliveryPage>(
        withQuery('/api/deliveries', {
          ...filter,
          ...(inRange ? rangeQuery(range) : {}),
          after: pageParam,
          limit: '50',
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
    // Only the first page is read again by itself: rows must not move while somebody reads further down.
    refetchInterval: ({ state }) => (state.data && state.data.pages.length > 1 ? false : 10_000),
  })
  const destinations = useQuery({
    queryKey: ['destinations'],
    queryFn: () => get<Destinations>('/api/destinations'),
    enabled: may('connectors.read'),
  })
  const rules = useQuery({
    queryKey: ['rules'],
    queryFn: () => get<Rules>('/api/rules'),
    enabled: may('connectors.read'),
  })
  const [redrive, redriveModal] = useDisclosure()
  const [codeText, setCodeText] = useState(code ?? '')
  const rows = page.data?.pages.flatMap(({ items }) => items) ?? []
  const filtered = Object.values(filter).some((value) => value !== undefined)
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t('deliveries.title')}</h1>
        <span className="quiet">{t('deliveries.about')}</span>
        <DataAge at={page.dataUpdatedAt || undefined} />
      </div>
      <div className="card" style={{ display: 'flex', flexWrap: 'wrap', gap: '0.75rem', alignItems: 'end' }}>
        <NativeSelect
          size="xs"
          label={t('deliveries.destination')}
          value={destination ?? ''}
          data={[
            { value: '', label: t('deliveries.all') },
            ...(destinations.data?.items.map(({ id }) => id) ?? (destination ? [destination] : [])),
          ]}
          onChange={(event) => set({ destination: event.currentTarget.value || undefined })}
        />
        <NativeSelect
          size="xs"
          label={t('deliveries.status')}
          value={status ?? ''}
          data={[
            { value: '', label: t('deliveries.allStatuses') },
            ...STATUSES.map((value) => ({ value, label: t(`status.${value}`) })),
          ]}
          onChange={(event) => set({ status: event.currentTarget.value || undefined })}
        />
        <NativeSelect
          size="xs"
          label={t('deliveries.rule')}
          value={rule ?? ''}
          data={[
            { value: '', label: t('deliveries.allStatuses') },
            ...(rules.data?.items.map(({ id }) => id) ?? (rule ? [rule] : [])),
          ]}
          onChange={(event) => set({ rule: event.currentTarget.value || undefined })}
        />
        <form
          onSubmit={(event) => {
            event.preventDefault()
            set({ code: codeText.trim().toUpperCase() || undefined })
          }}
        >
          <TextInput
            size="xs"
            label={t('deliveries.code')}
            placeholder={t('deliveries.codeHint')}
            value={codeText}
            onChange={(event) => setCodeText(event.currentTarget.value)}
            onBlur={() => set({ code: codeText.trim().toUpperCase() || undefined })}
          />
        </form>
        <Switch
          label={t('deliveries.inRange')}
          checked={inRange === true}
          onChange={(event) => set({ inRange: event.currentTarget.checked || undefined })}
        />
        <div style={{ marginLeft: 'auto', display: 'flex', gap: '0.5rem' }}>
          {filtered && (
            <Button
              size="xs"
              variant="default"
              onClick={() => {
                setCodeText('')
                set({ destination: undefined, status: undefined, code: undefined, rule: undefined })
              }}
            >
              {t('deliveries.clear')}
            </Button>
          )}
          {may('deliveries.redrive') && (
            <Button size="xs" variant="default" onClick={redriveModal.open}>
              {t('deliveries.redrive')}
            </Button>
          )}
        </div>
      </div>
      {page.error ? (
        <Failure error={page.error} retry={() => void page.refetch()} />
      ) : (
        <div className="card flush">
          {page.isPending ? (
            <Loading lines={8} />
          ) : rows.length === 0 ? (
            <Empty title={t('deliveries.empty')} text={t('deliveries.emptyText')} />
          ) : (
            <div className="scroll">
              <table className="rows stacks">
                <thead>
                  <tr>
                    <th scope="col" aria-sort="descending">
                      {t('deliveries.created')}
                    </th>
                    <th scope="col">{t('deliveries.destination')}</th>
                    <th scope="col">{t('deliveries.status')}</th>
                    <th scope="col">{t('deliveries.reason')}</th>
                    <th scope="col">{t('deliveries.rule')}</th>
                    <th scope="col">
                      <span className="visually-hidden">{t('deliveries.why')}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map((row) => (
                    <Row key={row.id} row={row} />
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
      <Redrive
        opened={redrive}
        onClose={redriveModal.close}
        filter={{ ...filter, status: status ?? 'dead', ...(inRange ? rangeQuery(range) : {}) }}
      />
    </div>
  )
}

function Row({ row }: { row: DeliveryRow }) {
  const { t } = useTranslation()
  const { text } = useExits()
  return (
    <tr>
      <td data-label={t('deliveries.created')} style={{ whiteSpace: 'nowrap' }}>
        {dateTime(row.createdAt)}
      </td>
      <td data-label={t('deliveries.destination')}>
        <span>
          {row.destination} <span className="quiet">{row.action}</span>
        </span>
      </td>
      <td data-label={t('deliveries.status')}>
        <StatusBadge status={row.status} />
      </td>
      <td data-label={t('deliveries.reason')} title={row.reason ?? undefined}>
        {row.reason === null ? <span className="quiet">{t('app.none')}</span> : text(row.reason)}
      </td>
      <td data-label={t('deliveries.rule')}>
        {row.rule ?? <span className="quiet">{t('deliveries.followsEvent')}</span>}
      </td>
      <td data-label="" className="right">
        <Button
          component={Link}
          {...linkChanging({ delivery: row.id })}
          size="compact-sm"
          variant="default"
          aria-label={t('deliveries.whyOf', { id: row.id })}
        >
          {t('deliveries.why')}
        </Button>
      </td>
    </tr>
  )
}

/** First a count, then the act: nobody re-sends by one wrong click. */
function Redrive({
  opened,
  onClose,
  filter,
}: {
  opened: boolean
  onClose: () => void
  filter: Readonly<Record<string, string | undefined>>
}) {
  const { t } = useTranslation()
  const body = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
  const count = useMutation({
    mutationFn: () => post<CommandAnswer>('/api/deliveries/redrive', { filter: body, dryRun: true }),
  })
  const go = useMutation({
    mutationFn: () => post<CommandAnswer>('/api/deliveries/redrive', { filter: body, dryRun: false }),
  })
  const close = () => {
    count.reset()
    go.reset()
    onClose()
  }
  const result = go.data ?? count.data
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={<strong>{t('deliveries.redriveTitle')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <p style={{ marginTop: 0 }}>{t('deliveries.redriveText')}</p>
      <dl className="facts">
        {Object.entries(body).map(([name, value]) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>{name}</dt>
            <dd className="mono">{value}</dd>
          </div>
        ))}
      </dl>
      {result && (
        <Alert
          mt="md"
          variant="outline"
          title={t(go.data ? 'deliveries.redriveDone' : 'deliveries.redriveDry')}
          role="status"
        >
          <Outcome value={result.result} />
        </Alert>
      )}
      {(count.error ?? go.error) && (
        <div style={{ marginTop: '1rem' }}>
          <Failure error={count.error ?? go.error} />
        </div>
      )}
      <div style={{ display: 'flex', gap: '0.5rem', justifyContent: 'end', marginTop: '1rem' }}>
        <Button variant="default" onClick={close}>
          {t(go.data ? 'app.close' : 'app.cancel')}
        </Button>
        {!go.data &&
          (count.data ? (
            <Button onClick={() => go.mutate()} loading={go.isPending}>
              {t('deliveries.redriveGo')}
            </Button>
          ) : (
            <Button onClick={() => count.mutate()} loading={count.isPending}>
              {t('deliveries.redriveCount')}
            </Button>
          ))}
      </div>
    </Modal>
  )
}

/** What the command answered: counts by name. */
function Outcome({ value }: { value: unknown }) {
  if (typeof value !== 'object' || value === null) return <span>{String(value)}</span>
  return (
    <dl className="facts">
      {Object.entries(value).map(([name, inner]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt>{name}</dt>
          <dd>{typeof inner === 'object' ? JSON.stringify(inner) : String(inner)}</dd>
        </div>
      ))}
    </dl>
  )
}
