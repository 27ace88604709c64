import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Purposes } from '../../../schemas/admin.ts'
import { linkTo } from '../address.ts'
import { get } from '../api.ts'
import { currentLanguage } from '../i18n/index.ts'
import { listingOf } from '../listing.ts'
import { useConsentWords } from '../parts/consent-words.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Page } from '../parts/page.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'

type Purpose = Purposes['items'][number]

export function PurposesPage() {
  return (
    <Guard permission="connectors.read">
      <List />
    </Guard>
  )
}

function List() {
  const { t, i18n } = useTranslation()
  const may = useMay()
  const words = useConsentWords()
  const purposes = useQuery({ queryKey: ['purposes'], queryFn: () => get<Purposes>('/api/purposes') })
  const stage = (name: string) =>
    i18n.exists(`purposes.stage.${name}`) ? t(`purposes.stage.${name}` as 'purposes.stage.collect') : name
  const columns: readonly Column<Purpose>[] = [
    {
      id: 'title',
      title: t('deliveries.purpose'),
      place: 'main',
      cell: ({ id, title }) => (
        <span>
          <strong>{currentLanguage() === 'en' ? title.en : title.pt}</strong> <span className="mono quiet">{id}</span>
        </span>
      ),
      csv: ({ id }) => id,
    },
    {
      id: 'basis',
      title: t('purposes.basis'),
      cell: ({ basis }) => words.value(basis),
      csv: ({ basis }) => basis,
    },
    {
      id: 'scope',
      title: t('purposes.scope'),
      cell: ({ scope }) => t(scope === 'device' ? 'purposes.device' : 'purposes.person'),
      csv: ({ scope }) => scope,
    },
    {
      id: 'stages',
      title: t('purposes.stages'),
      cell: ({ stages }) => stages.map(stage).join(', '),
      csv: ({ stages }) => stages.join(' '),
    },
    {
      id: 'destinations',
      title: t('connectors.destinations'),
      cell: ({ destinations }) =>
        destinations.length === 0 ? (
          <span className="quiet">{t('purposes.noDestination')}</span>
        ) : (
          destinations.join(', ')
        ),
      csv: ({ destinations }) => destinations.join(' '),
    },
    {
      id: 'entries',
      title: t('purposes.entries'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: ({ id }) =>
        may('ledger.read') && (
          <Link
            className="link nowrap"
            {...linkTo('/privacy/ledger', { purpose: id })}
            aria-label={t('purposes.entriesOf', { id })}
          >
            {t('purposes.entries')}
          </Link>
        ),
    },
  ]
  return (
    <Page title={t('purposes.title')} about={t('purposes.about')} at={purposes.dataUpdatedAt || undefined}>
      <DataTable
        listing={listingOf(purposes)}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('purposes.title')}
        file={t('purposes.file')}
        empty={{ title: t('purposes.empty'), text: t('purposes.emptyText') }}
      />
    </Page>
  )
}
