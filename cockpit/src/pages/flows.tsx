import { IconCheck } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Destinations, Purposes } from '../../../schemas/admin.ts'
import { linkTo } from '../address.ts'
import { get } from '../api.ts'
import { number } from '../format.ts'
import { currentLanguage } from '../i18n/index.ts'
import { listingOf } from '../listing.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Badge, useExits } from '../parts/exit-badge.tsx'
import { Page } from '../parts/page.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'

type Destination = Destinations['items'][number]

export function FlowsPage() {
  return (
    <Guard permission="connectors.read">
      <Flows />
    </Guard>
  )
}

/** Who receives what, where they are, for what, and what was stopped on the way to them. */
function Flows() {
  const { t } = useTranslation()
  const may = useMay()
  const { tone, text } = useExits()
  const destinations = useQuery({
    queryKey: ['destinations'],
    queryFn: () => get<Destinations>('/api/destinations'),
    refetchInterval: 15_000,
  })
  const purposes = useQuery({ queryKey: ['purposes'], queryFn: () => get<Purposes>('/api/purposes') })
  const blocked = ({ counts24h }: Destination) => counts24h.filter(({ code }) => tone(code) === 'consent')
  const columns: readonly Column<Destination>[] = [
    {
      id: 'id',
      title: t('deliveries.destination'),
      place: 'main',
      cell: ({ id, name }) => (
        <span>
          <strong>{id}</strong> <span className="quiet">{name}</span>
        </span>
      ),
      csv: ({ id }) => id,
    },
    {
      id: 'role',
      title: t('connectors.role'),
      place: 'state',
      cell: ({ role }) => (
        <Badge tone={role === 'controller' ? 'quarantined' : 'rule'} title={t(`flows.roleHint.${role as 'operator'}`)}>
          {t(role === 'controller' ? 'connectors.controller' : 'connectors.operator')}
        </Badge>
      ),
      csv: ({ role }) => role,
    },
    {
      id: 'country',
      title: t('connectors.country'),
      cell: ({ country }) =>
        country === null ? (
          <span className="quiet">{t('flows.noCountry')}</span>
        ) : (
          <span>
            {country} {country !== 'BR' && <span className="quiet">{t('flows.abroad')}</span>}
          </span>
        ),
      csv: ({ country }) => country,
    },
    {
      id: 'erase',
      title: t('connectors.erase'),
      cell: ({ deletesSubject }) => t(`connectors.erasure.${deletesSubject}`),
      csv: ({ deletesSubject }) => deletesSubject,
    },
    {
      id: 'created',
      title: t('connectors.created'),
      right: true,
      cell: ({ created24h }) => number(created24h),
      csv: ({ created24h }) => created24h,
    },
    {
      id: 'blocked',
      title: t('flows.blocked'),
      cell: (row) => {
        const reasons = blocked(row)
        if (reasons.length === 0) return <span className="quiet">{number(0)}</span>
        return (
          <ul className="plain">
            {reasons.map(({ code, count }) => (
              <li key={code} title={text(code)}>
                {may('deliveries.read') ? (
                  <Link className="link mono" {...linkTo('/deliveries', { destination: row.id, code })}>
                    {code}
                  </Link>
                ) : (
                  <span className="mono">{code}</span>
                )}{' '}
                {number(count)}
              </li>
            ))}
          </ul>
        )
      },
      csv: (row) =>
        blocked(row)
          .map(({ code, count }) => `${code} ${count}`)
          .join(' '),
    },
  ]
  return (
    <Page title={t('flows.title')} about={t('flows.about')} at={destinations.dataUpdatedAt || undefined}>
      <DataTable
        listing={listingOf(destinations)}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('flows.title')}
        file={t('flows.file')}
        empty={{ title: t('connectors.noDestinations'), text: t('connectors.noDestinationsText') }}
      />
      {destinations.data && purposes.data && destinations.data.items.length > 0 && (
        <Matrix destinations={destinations.data.items} purposes={purposes.data.items} />
      )}
    </Page>
  )
}

function Matrix({
  destinations,
  purposes,
}: {
  destinations: readonly Destination[]
  purposes: readonly Purposes['items'][number][]
}) {
  const { t } = useTranslation()
  return (
    <section className="card flush" aria-labelledby="matrix-title">
      <div className="table-bar">
        <h2 id="matrix-title" className="section-title" style={{ margin: 0 }}>
          {t('flows.matrix')}
        </h2>
      </div>
      <section
        className="scroll"
        aria-label={t('flows.matrix')}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
        tabIndex={0}
      >
        <table className="rows matrix">
          <thead>
            <tr>
              <th scope="col">{t('deliveries.purpose')}</th>
              {destinations.map(({ id }) => (
                <th scope="col" className="centre" key={id}>
                  {id}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {purposes.map((purpose) => (
              <tr key={purpose.id}>
                <th scope="row">{currentLanguage() === 'en' ? purpose.title.en : purpose.title.pt}</th>
                {destinations.map(({ id }) => (
                  <td className="centre" key={id}>
                    {purpose.destinations.includes(id) ? (
                      <>
                        <IconCheck size={18} aria-hidden />
                        <span className="visually-hidden">{t('app.yes')}</span>
                      </>
                    ) : (
                      <span className="quiet">
                        <span aria-hidden>·</span>
                        <span className="visually-hidden">{t('app.no')}</span>
                      </span>
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </section>
  )
}
