import { Alert, Button } from '@mantine/core'
import { IconSignature } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Purposes } from '../../../schemas/admin.ts'
import type { CheckpointAnswer, LedgerEntry, LedgerStatus } from '../../../schemas/ledger.ts'
import { linkChanging, linkTo, useAddress, useChangeAddress } from '../address.ts'
import { get, post } from '../api.ts'
import { ago, dateTime, dayRange, number } from '../format.ts'
import { currentLanguage } from '../i18n/index.ts'
import { ledgerQuery } from '../ledger.ts'
import { usePages } from '../listing.ts'
import { ConsentStatus, useConsentWords } from '../parts/consent-words.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { FilterBar, FilterDay, FilterSelect, FilterText } from '../parts/filters.tsx'
import { Page } from '../parts/page.tsx'
import { Failure, Loading, useNow } from '../parts/states.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'

/** Types one looks for by themselves; each answer of a person is `consent.<action>`. */
const TYPES = [
  'consent.grant',
  'consent.deny',
  'consent.revoke',
  'consent.object',
  'consent.expire',
  'consent.import',
  'consent.record',
  'deliveries.root',
  'state.root',
  'key.destroyed',
  'key.rotated',
  'retention.run',
] as const

export function LedgerPage() {
  return (
    <Guard permission="ledger.read">
      <Ledger />
    </Guard>
  )
}

function Ledger() {
  const { t } = useTranslation()
  const may = useMay()
  const words = useConsentWords()
  const set = useChangeAddress()
  const { purpose, type, subject, from, until } = useAddress()
  const status = useQuery(ledgerQuery)
  const purposes = useQuery({
    queryKey: ['purposes'],
    queryFn: () => get<Purposes>('/api/purposes'),
    enabled: may('connectors.read'),
  })
  const filter = { purpose, type, subject, ...dayRange(from, until) }
  const listing = usePages<LedgerEntry>('/api/ledger/entries', filter, { key: ['ledger', 'entries'], everyMs: 15_000 })
  const filtered = Object.values(filter).some((value) => value !== undefined)
  const columns: readonly Column<LedgerEntry>[] = [
    {
      id: 'seq',
      title: t('ledger.column.seq'),
      sort: 'descending',
      right: true,
      cell: ({ seq }) => (seq === null ? t('app.none') : number(seq)),
      csv: ({ seq }) => seq,
    },
    {
      id: 'at',
      title: t('ledger.column.at'),
      nowrap: true,
      cell: ({ at }) => dateTime(at),
      csv: ({ at }) => new Date(at).toISOString(),
    },
    {
      id: 'type',
      title: t('ledger.column.type'),
      place: 'main',
      // An answer by what it made of the status; acts of the hub, which have none, by their name.
      cell: (entry) =>
        entry.status === null ? words.act(entry.type) : <ConsentStatus status={entry.status} title={entry.type} />,
      csv: (entry) => entry.type,
    },
    {
      id: 'purpose',
      title: t('deliveries.purpose'),
      cell: (entry) => entry.purpose ?? <span className="quiet">{t('app.none')}</span>,
      csv: (entry) => entry.purpose,
    },
    {
      id: 'subject',
      title: t('ledger.column.subject'),
      cell: (entry) =>
        entry.subject === 'hub' ? (
          <span className="quiet">{t('ledger.hub')}</span>
        ) : (
          <Link className="link mono" {...linkTo('/privacy/person', { subject: entry.subject })} title={entry.subject}>
            {entry.subject.slice(0, 10)}…
          </Link>
        ),
      csv: (entry) => entry.subject,
    },
    {
      id: 'source',
      title: t('ledger.column.source'),
      cell: (entry) => (
        <span className="quiet">
          {words.value(entry.actor)} · {entry.source}
        </span>
      ),
      csv: (entry) => `${entry.actor} ${entry.source}`,
    },
    {
      id: 'proof',
      title: t('ledger.column.proof'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: (entry) => (
        <Button
          component={Link}
          {...linkChanging({ entry: entry.id })}
          size="compact-sm"
          variant="default"
          aria-label={t('ledger.proofOf', { id: entry.id })}
        >
          {t('ledger.column.proof')}
        </Button>
      ),
      csv: (entry) => entry.id,
    },
  ]
  return (
    <Page title={t('ledger.title')} about={t('ledger.about')} at={listing.at}>
      {status.error ? (
        <Failure error={status.error} retry={() => void status.refetch()} />
      ) : status.data ? (
        <Standing status={status.data} />
      ) : (
        <div className="card">
          <Loading lines={3} />
        </div>
      )}
      <FilterBar
        clear={
          filtered
            ? () => set({ purpose: undefined, type: undefined, subject: undefined, from: undefined, until: undefined })
            : undefined
        }
      >
        <FilterSelect
          label={t('deliveries.purpose')}
          all={t('deliveries.allStatuses')}
          value={purpose}
          options={purposes.data?.items.map(({ id, title }) => ({
            value: id,
            label: currentLanguage() === 'en' ? title.en : title.pt,
          }))}
          onChange={(value) => set({ purpose: value })}
        />
        <FilterSelect
          label={t('ledger.column.type')}
          all={t('deliveries.all')}
          value={type}
          options={TYPES.map((value) => ({ value, label: words.act(value) }))}
          onChange={(value) => set({ type: value })}
        />
        <FilterText
          label={t('ledger.column.subject')}
          hint="s_…"
          value={subject}
          onChange={(value) => set({ subject: value })}
        />
        <FilterDay label={t('table.from')} value={from} onChange={(value) => set({ from: value })} />
        <FilterDay label={t('table.until')} value={until} onChange={(value) => set({ until: value })} />
      </FilterBar>
      <DataTable
        listing={listing}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('ledger.title')}
        file={t('ledger.file')}
        empty={{
          title: t(filtered ? 'ledger.emptyFilter' : 'ledger.empty'),
          text: t(filtered ? 'ledger.emptyFilterText' : 'ledger.emptyText'),
        }}
      />
    </Page>
  )
}

function Standing({ status }: { status: LedgerStatus }) {
  const { t } = useTranslation()
  const may = useMay()
  const now = useNow(10_000)
  const queries = useQueryClient()
  const sign = useMutation({
    mutationFn: () => post<CheckpointAnswer>('/api/ledger/checkpoint'),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['ledger'] }),
  })
  const { checkpoint, unanchoredSince, key } = status
  return (
    <>
      {status.problems.map((problem) => (
        <Alert
          key={`${problem.what} ${problem.code}`}
          color="red"
          variant="outline"
          role="alert"
          title={t(`ledger.problem.${problem.what}`)}
        >
          {problem.message} <span className="mono">{problem.code}</span> · {dateTime(problem.at)}
        </Alert>
      ))}
      <div className="tiles four">
        <Fact
          title={t('ledger.standing.size')}
          value={number(status.size)}
          note={
            status.pending === 0
              ? t('ledger.standing.nothingPending')
              : t('ledger.standing.pending', { count: status.pending })
          }
        />
        <Fact
          title={t('ledger.standing.signed')}
          value={checkpoint ? ago(checkpoint.at, now) : t('ledger.standing.never')}
          note={
            checkpoint ? t('ledger.standing.covers', { size: number(checkpoint.size) }) : t('ledger.standing.first')
          }
        />
        <Fact
          title={t('ledger.standing.unanchored')}
          value={unanchoredSince === null ? t('ledger.standing.allCovered') : dateTime(unanchoredSince)}
          note={
            status.anchorFolder === null
              ? t('ledger.standing.noFolder')
              : t(unanchoredSince === null ? 'ledger.standing.coveredText' : 'ledger.standing.unanchoredText')
          }
          warn={unanchoredSince !== null}
        />
        <Fact
          title={t('ledger.standing.key')}
          value={key.fingerprint.slice(0, 8)}
          note={t('ledger.standing.keySince', { time: dateTime(key.createdAt) })}
        />
      </div>
      {may('ledger.checkpoint') && (
        <div className="acts" style={{ justifyContent: 'start' }}>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconSignature size={15} aria-hidden />}
            loading={sign.isPending}
            onClick={() => sign.mutate()}
          >
            {t('ledger.sign')}
          </Button>
          <span role="status" className="quiet">
            {sign.data &&
              t(sign.data.anchored.length > 0 ? 'ledger.signedAndCopied' : 'ledger.signed', {
                size: number(sign.data.checkpoint.size),
              })}
          </span>
        </div>
      )}
      {sign.error && <Failure error={sign.error} title={t('ledger.notSigned')} />}
    </>
  )
}

function Fact({ title, value, note, warn }: { title: string; value: string; note: string; warn?: boolean }) {
  return (
    <div className="card tile" data-warn={warn || undefined}>
      <h2>{title}</h2>
      <div className="fact-value">{value}</div>
      <div className="tile-note">{note}</div>
    </div>
  )
}
