import { Alert, Button, Modal, Switch } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { CommandAnswer, DeliveryRow, Destinations } from '../../../schemas/admin.ts'
import type { RedrivePreview } from '../../../schemas/deliveries.ts'
import type { RuleList } from '../../../schemas/rules.ts'
import { linkChanging, useAddress, useChangeAddress } from '../address.ts'
import { get, post } from '../api.ts'
import { dateTime } from '../format.ts'
import { usePages } from '../listing.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { DeliveryConsole } from '../parts/delivery-stats.tsx'
import { StatusBadge, useExits } from '../parts/exit-badge.tsx'
import { FilterBar, FilterSelect, FilterText } from '../parts/filters.tsx'
import { Page } from '../parts/page.tsx'
import { RedriveOutcome } from '../parts/redrive-outcome.tsx'
import { Failure } from '../parts/states.tsx'
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
  const { range = '1h', destination, action, status, code, rule, http, inRange } = useAddress()
  const set = useChangeAddress()
  const filter = { destination, action, status, code, rule, http }
  const period = inRange ? rangeQuery(range) : {}
  const listing = usePages<DeliveryRow>('/api/deliveries', filter, {
    key: ['deliveries', inRange ? range : 'all'],
    everyMs: 10_000,
    query: () => ({ ...filter, ...(inRange ? rangeQuery(range) : {}) }),
  })
  const destinations = useQuery({
    queryKey: ['destinations'],
    queryFn: () => get<Destinations>('/api/destinations'),
    enabled: may('connectors.read'),
  })
  const rules = useQuery({
    queryKey: ['rules'],
    queryFn: () => get<RuleList>('/api/rules'),
    enabled: may('connectors.read'),
  })
  const [redrive, redriveModal] = useDisclosure()
  const columns = useColumns()
  const clear = Object.values(filter).some((value) => value !== undefined)
    ? () =>
        set({
          destination: undefined,
          action: undefined,
          status: undefined,
          code: undefined,
          rule: undefined,
          http: undefined,
        })
    : undefined
  return (
    <Page title={t('deliveries.title')} about={t('deliveries.about')} at={listing.at}>
      <DeliveryConsole />
      <FilterBar
        clear={clear}
        end={
          may('deliveries.redrive') && (
            <Button size="xs" variant="default" onClick={redriveModal.open}>
              {t('deliveries.redrive')}
            </Button>
          )
        }
      >
        <FilterSelect
          label={t('deliveries.destination')}
          all={t('deliveries.all')}
          value={destination}
          options={destinations.data?.items.map(({ id }) => id)}
          onChange={(value) => set({ destination: value })}
        />
        <FilterSelect
          label={t('deliveries.status')}
          all={t('deliveries.allStatuses')}
          value={status}
          options={STATUSES.map((value) => ({ value, label: t(`status.${value}`) }))}
          onChange={(value) => set({ status: value })}
        />
        <FilterSelect
          label={t('deliveries.rule')}
          all={t('deliveries.allStatuses')}
          value={rule}
          options={rules.data?.items.map(({ id }) => id)}
          onChange={(value) => set({ rule: value })}
        />
        <FilterText
          label={t('stats.http')}
          hint={t('stats.httpHint')}
          value={http}
          tidy={(text) => (/^[1-5]\d\d$/.test(text.trim()) ? text.trim() : '')}
          onChange={(value) => set({ http: value })}
        />
        <FilterText
          label={t('deliveries.code')}
          hint={t('deliveries.codeHint')}
          value={code}
          tidy={(text) => text.trim().toUpperCase()}
          onChange={(value) => set({ code: value })}
        />
        <Switch
          label={t('deliveries.inRange')}
          checked={inRange === true}
          onChange={(event) => set({ inRange: event.currentTarget.checked || undefined })}
        />
      </FilterBar>
      <DataTable
        listing={listing}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('deliveries.title')}
        file={t('deliveries.file')}
        empty={{ title: t('deliveries.empty'), text: t('deliveries.emptyText') }}
      />
      <Redrive
        opened={redrive}
        onClose={redriveModal.close}
        filter={{ ...filter, status: status ?? 'dead', ...period }}
      />
    </Page>
  )
}

function useColumns(): readonly Column<DeliveryRow>[] {
  const { t } = useTranslation()
  const { text } = useExits()
  return [
    {
      id: 'created',
      title: t('deliveries.created'),
      sort: 'descending',
      nowrap: true,
      cell: ({ createdAt }) => dateTime(createdAt),
      csv: ({ createdAt }) => new Date(createdAt).toISOString(),
    },
    {
      id: 'destination',
      title: t('deliveries.destination'),
      place: 'main',
      cell: ({ destination, action }) => (
        <span>
          <strong>{destination}</strong> <span className="quiet">{action}</span>
        </span>
      ),
      csv: ({ destination }) => destination,
    },
    {
      id: 'status',
      title: t('deliveries.status'),
      place: 'state',
      cell: ({ status }) => <StatusBadge status={status} />,
      csv: ({ status }) => status,
    },
    {
      id: 'reason',
      title: t('deliveries.reason'),
      // "The vendor took it" under a badge that says "delivered" is one word too many.
      cell: ({ reason }) =>
        reason === null || reason === 'DELIVERED' ? <span className="quiet">{t('app.none')}</span> : text(reason),
      csv: ({ reason }) => reason,
    },
    {
      id: 'rule',
      title: t('deliveries.rule'),
      cell: ({ rule, variant, offer }) =>
        rule === null ? (
          <span className="quiet" title={t('deliveries.followsEvent')}>
            {t('deliveries.noRule')}
          </span>
        ) : (
          <>
            {rule} <span className="quiet">{[variant, offer].filter((word) => word !== null).join(' · ')}</span>
          </>
        ),
      csv: ({ rule, ruleVersion, variant, offer }) =>
        rule === null ? null : [`${rule} v${ruleVersion}`, variant, offer].filter((word) => word !== null).join(' · '),
    },
    {
      id: 'purpose',
      title: t('deliveries.purpose'),
      cell: ({ purpose }) => <span className="quiet">{purpose}</span>,
      csv: ({ purpose }) => purpose,
    },
    {
      id: 'why',
      title: t('deliveries.why'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: ({ id }) => (
        <Button
          component={Link}
          {...linkChanging({ delivery: id })}
          size="compact-sm"
          variant="default"
          aria-label={t('deliveries.whyOf', { id })}
        >
          {t('deliveries.why')}
        </Button>
      ),
      csv: ({ id }) => id,
    },
  ]
}

/** A filter as its fields above name it. */
function useFilterWords() {
  const { t } = useTranslation()
  const names: Readonly<Record<string, string>> = {
    destination: t('deliveries.destination'),
    action: t('stats.action'),
    status: t('deliveries.status'),
    code: t('deliveries.code'),
    rule: t('deliveries.rule'),
    http: t('stats.http'),
    from: t('table.from'),
    to: t('table.until'),
  }
  return {
    name: (name: string) => names[name] ?? name,
    value: (name: string, value: string) => {
      if (name === 'status') return t(`status.${value}` as 'status.queued')
      return name === 'from' || name === 'to' ? dateTime(Date.parse(value)) : value
    },
  }
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
  const words = useFilterWords()
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
      size="lg"
      title={<strong>{t('deliveries.redriveTitle')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <p style={{ marginTop: 0 }}>{t('deliveries.redriveText')}</p>
      <dl className="facts">
        {Object.entries(body).map(([name, value]) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>{words.name(name)}</dt>
            <dd>{words.value(name, value!)}</dd>
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
          <RedriveOutcome outcome={result.result as RedrivePreview} />
        </Alert>
      )}
      {(count.error ?? go.error) && (
        <div style={{ marginTop: '1rem' }}>
          <Failure error={count.error ?? go.error} />
        </div>
      )}
      <div className="dialog-acts">
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
