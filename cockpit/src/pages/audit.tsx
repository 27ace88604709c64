import { useTranslation } from 'react-i18next'
import type { AccessLog } from '../../../schemas/records.ts'
import { useAddress, useChangeAddress } from '../address.ts'
import { dateTime, dayRange } from '../format.ts'
import { usePages } from '../listing.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { FilterBar, FilterDay, FilterSelect, FilterText } from '../parts/filters.tsx'
import { Page } from '../parts/page.tsx'
import { Guard } from '../shell.tsx'

type Line = AccessLog['items'][number]

/** Beginnings of acts, as the log asks for them. */
const ACTS = ['reveal', 'ledger', 'request', 'retention', 'hold', 'incident', 'keys', 'consent'] as const

export function AuditPage() {
  return (
    <Guard permission="access.read">
      <List />
    </Guard>
  )
}

function List() {
  const { t } = useTranslation()
  const set = useChangeAddress()
  const { act, actor, subject, from, until } = useAddress()
  const filter = { act, actor, target: subject, ...dayRange(from, until) }
  const listing = usePages<Line>('/api/access-log', filter, { key: ['access-log'], everyMs: 15_000 })
  const filtered = Object.values(filter).some((value) => value !== undefined)
  const columns: readonly Column<Line>[] = [
    {
      id: 'at',
      title: t('ledger.column.at'),
      sort: 'descending',
      nowrap: true,
      cell: ({ at }) => dateTime(at),
      csv: ({ at }) => new Date(at).toISOString(),
    },
    {
      id: 'actor',
      title: t('audit.actor'),
      place: 'main',
      cell: ({ actor: id, actorName }) => <strong title={id}>{actorName ?? id}</strong>,
      csv: ({ actor: id, actorName }) => actorName ?? id,
    },
    {
      id: 'act',
      title: t('audit.act'),
      place: 'state',
      cell: ({ act: what }) => <span className="mono">{what}</span>,
      csv: ({ act: what }) => what,
    },
    {
      id: 'target',
      title: t('audit.target'),
      cell: ({ target }) => <span className="mono">{target}</span>,
      csv: ({ target }) => target,
    },
    {
      id: 'reason',
      title: t('audit.reason'),
      cell: ({ reason, request }) =>
        reason ??
        (request === null ? (
          <span className="quiet">{t('app.none')}</span>
        ) : (
          <span>{t('audit.request', { id: request })}</span>
        )),
      csv: ({ reason, request }) => reason ?? request,
    },
  ]
  return (
    <Page title={t('audit.title')} about={t('audit.about')} at={listing.at}>
      <FilterBar
        clear={
          filtered
            ? () => set({ act: undefined, actor: undefined, subject: undefined, from: undefined, until: undefined })
            : undefined
        }
      >
        <FilterSelect
          label={t('audit.act')}
          all={t('deliveries.all')}
          value={act}
          options={ACTS.map((value) => ({ value, label: t(`audit.acts.${value}`) }))}
          onChange={(value) => set({ act: value })}
        />
        <FilterText label={t('audit.actorId')} value={actor} onChange={(value) => set({ actor: value })} />
        <FilterText label={t('audit.target')} value={subject} onChange={(value) => set({ subject: value })} />
        <FilterDay label={t('table.from')} value={from} onChange={(value) => set({ from: value })} />
        <FilterDay label={t('table.until')} value={until} onChange={(value) => set({ until: value })} />
      </FilterBar>
      <DataTable
        listing={listing}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('audit.title')}
        file={t('audit.file')}
        empty={{
          title: t(filtered ? 'ledger.emptyFilter' : 'audit.empty'),
          text: t(filtered ? 'ledger.emptyFilterText' : 'audit.emptyText'),
        }}
      />
    </Page>
  )
}
