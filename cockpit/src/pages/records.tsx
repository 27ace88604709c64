import { Alert, Button, Menu } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Document, Drift, Ropa, RopaActivity } from '../../../schemas/records.ts'
import { get, withQuery } from '../api.ts'
import { saveFile } from '../csv.ts'
import { date, dateTime, number } from '../format.ts'
import { currentLanguage } from '../i18n/index.ts'
import { useConsentWords } from '../parts/consent-words.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Badge } from '../parts/exit-badge.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'
import { Guard } from '../shell.tsx'
import { told } from '../words.ts'

export function RecordsPage() {
  return (
    <Guard permission="records.read">
      <Records />
    </Guard>
  )
}

function Records() {
  const { t } = useTranslation()
  const ropa = useQuery({ queryKey: ['ropa'], queryFn: () => get<Ropa>('/api/ropa'), staleTime: 60_000 })
  return (
    <Page title={t('records.title')} about={t('records.about')} at={ropa.dataUpdatedAt || undefined}>
      <Files />
      {ropa.error ? (
        <Failure error={ropa.error} retry={() => void ropa.refetch()} />
      ) : !ropa.data ? (
        <div className="card">
          <Loading lines={8} />
        </div>
      ) : (
        <>
          <DriftTable drift={ropa.data.drift} />
          <section aria-labelledby="activities-title" className="stack">
            <h2 id="activities-title" className="section-title" style={{ margin: 0 }}>
              {t('records.activities')}
            </h2>
            {ropa.data.activities.length === 0 ? (
              <div className="card">
                <Empty title={t('purposes.empty')} text={t('purposes.emptyText')} />
              </div>
            ) : (
              ropa.data.activities.map((activity) => <Activity key={activity.purpose} activity={activity} />)
            )}
          </section>
        </>
      )}
    </Page>
  )
}

/** The hub writes the files; they are saved as it sent them. */
function Files() {
  const { t } = useTranslation()
  const language = currentLanguage() === 'en' ? 'en' : 'pt'
  const save = useMutation({
    mutationFn: async (what: 'csv' | 'json' | 'html' | 'ripd') => {
      const made = await get<Document>(
        what === 'ripd'
          ? withQuery('/api/ripd', { language })
          : withQuery('/api/ropa/export', { format: what, language }),
      )
      saveFile(made.name, made.type, made.text)
      return made.name
    },
  })
  return (
    <div className="acts" style={{ justifyContent: 'start' }}>
      <Menu position="bottom-start">
        <Menu.Target>
          <Button size="xs" loading={save.isPending} leftSection={<IconDownload size={15} aria-hidden />}>
            {t('records.export')}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {(['html', 'csv', 'json'] as const).map((format) => (
            <Menu.Item key={format} onClick={() => save.mutate(format)}>
              {t(`records.format.${format}`)}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Button size="xs" variant="default" loading={save.isPending} onClick={() => save.mutate('ripd')}>
        {t('records.ripd')}
      </Button>
      <span role="status" className="quiet">
        {save.isSuccess && t('records.saved', { name: save.data })}
      </span>
      {save.error && <Failure error={save.error} />}
    </div>
  )
}

function DriftTable({ drift }: { drift: readonly Drift[] }) {
  const { t } = useTranslation()
  const differing = drift.filter(({ kind }) => kind !== 'declared_never_observed')
  const unseen = drift.filter(({ kind }) => kind === 'declared_never_observed')
  const columns: readonly Column<Drift>[] = [
    {
      id: 'kind',
      title: t('records.drift.kind'),
      place: 'main',
      cell: ({ kind }) => <strong>{t(`records.drift.kinds.${kind}`)}</strong>,
      csv: ({ kind }) => kind,
    },
    {
      id: 'subject',
      title: t('records.drift.subject'),
      cell: ({ subject, detail }) => (
        <span>
          <span className="mono">{subject}</span> <span className="quiet">{told(detail)}</span>
        </span>
      ),
      csv: ({ subject }) => subject,
    },
    {
      id: 'denied',
      title: t('records.drift.gate'),
      place: 'state',
      cell: ({ denied }) => (
        <Badge tone={denied ? 'consent' : 'quarantined'}>
          {t(denied ? 'records.drift.denied' : 'records.drift.noted')}
        </Badge>
      ),
      csv: ({ denied }) => (denied ? 1 : 0),
    },
    {
      id: 'count',
      title: t('now.strip.count'),
      right: true,
      cell: ({ count }) => number(count),
      csv: ({ count }) => count,
    },
    {
      id: 'last',
      title: t('records.drift.last'),
      nowrap: true,
      cell: ({ lastSeenAt }) => dateTime(lastSeenAt),
      csv: ({ lastSeenAt }) => new Date(lastSeenAt).toISOString(),
    },
  ]
  return (
    <section aria-labelledby="drift-title">
      <h2 id="drift-title" className="section-title">
        {t('records.drift.title')} <small className="quiet section-note">{t('records.drift.about')}</small>
      </h2>
      <DataTable
        listing={{ rows: differing, error: undefined, at: undefined, retry: () => undefined }}
        columns={columns}
        rowKey={({ kind, subject }) => `${kind} ${subject}`}
        label={t('records.drift.title')}
        file={t('records.drift.file')}
        empty={{ title: t('records.drift.none'), text: t('records.drift.noneText') }}
      />
      {/* What was declared and not seen harms nobody: one line for all of it. */}
      {unseen.length > 0 && (
        <details>
          <summary>{t('records.drift.unseen', { count: unseen.length })}</summary>
          <p className="mono">{unseen.map(({ subject }) => subject).join(', ')}</p>
        </details>
      )}
    </section>
  )
}

/** The eight blocks of the ANPD's model, in its order. */
function Activity({ activity }: { activity: RopaActivity }) {
  const { t } = useTranslation()
  const words = useConsentWords()
  const { contact, data, sharing, security, retention, process, remarks, subjects } = activity
  const list = (items: readonly { pt: string; en: string }[]) =>
    items.length === 0 ? (
      <span className="quiet">{t('app.none')}</span>
    ) : (
      <ul className="plain">
        {items.map((item) => (
          <li key={item.pt}>{told(item)}</li>
        ))}
      </ul>
    )
  return (
    <article className="card">
      <details>
        <summary style={{ margin: 0 }}>
          <h3 style={{ display: 'inline', fontSize: '1rem' }}>{told(process.title)}</h3>{' '}
          <span className="quiet">
            {words.value(process.basis)} ·{' '}
            {t('records.volume', { events: number(data.events), people: number(data.people) })}
          </span>
          {data.sensitive && (
            <>
              {' '}
              <Badge tone="failed">{t('records.sensitive')}</Badge>
            </>
          )}
        </summary>
        <dl className="facts wide" style={{ marginTop: '0.75rem' }}>
          <dt>{t('records.block.contact')}</dt>
          <dd>
            {contact.controller}
            {contact.cnpj !== null && ` · ${contact.cnpj}`}
            {contact.dpo !== null && ` · ${t('records.dpo', { name: contact.dpo })}`}
            {contact.dpoEmail !== null && ` · ${contact.dpoEmail}`}
          </dd>
          <dt>{t('records.block.subjects')}</dt>
          <dd>{list(subjects)}</dd>
          <dt>{t('records.block.data')}</dt>
          <dd>
            <div>
              <span className="quiet">{t('records.declared')}: </span>
              <span className="mono">{data.declared.join(', ')}</span>
            </div>
            <div>
              <span className="quiet">{t('records.seen')}: </span>
              {data.seen.length === 0 ? t('app.none') : <span className="mono">{data.seen.join(', ')}</span>}
            </div>
            {data.firstAt !== null && data.lastAt !== null && (
              <div className="quiet">
                {t('records.between', { from: date(data.firstAt), to: date(data.lastAt) })} · {data.sources.join(', ')}
              </div>
            )}
          </dd>
          <dt>{t('records.block.sharing')}</dt>
          <dd>
            {sharing.length === 0 ? (
              <span className="quiet">{t('purposes.noDestination')}</span>
            ) : (
              <ul className="plain">
                {sharing.map((one) => (
                  <li key={one.destination}>
                    <strong>{one.destination}</strong>{' '}
                    {t(one.role === 'controller' ? 'connectors.controller' : 'connectors.operator')}
                    {one.country !== null && ` · ${one.country}`}
                    {one.transfer !== null && ` · ${one.transfer}`}{' '}
                    <span className="quiet">
                      {t('records.recipient', { delivered: number(one.delivered), blocked: number(one.blocked) })}
                    </span>
                  </li>
                ))}
              </ul>
            )}
          </dd>
          <dt>{t('records.block.security')}</dt>
          <dd>{list(security)}</dd>
          <dt>{t('records.block.retention')}</dt>
          <dd>{list(retention)}</dd>
          <dt>{t('records.block.process')}</dt>
          <dd>
            {process.description !== null && <div>{told(process.description)}</div>}
            <div>
              {words.value(process.basis)} · {process.article}
              {process.rules.length > 0 && ` · ${t('records.rules', { rules: process.rules.join(', ') })}`}
            </div>
          </dd>
          <dt>{t('records.block.remarks')}</dt>
          <dd>{list(remarks)}</dd>
        </dl>
        {process.automated === 'harmful' && (
          <Alert variant="outline" color="yellow" mt="sm">
            {t('records.harmful')}
          </Alert>
        )}
      </details>
    </article>
  )
}
