import { Alert } from '@mantine/core'
import { IconExternalLink } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Destinations, Sources } from '../../../schemas/admin.ts'
import { get } from '../api.ts'
import { ago, number } from '../format.ts'
import { currentLanguage } from '../i18n/index.ts'
import { Badge, ExitBadge, type Tone } from '../parts/exit-badge.tsx'
import { DataAge, Empty, Failure, Loading, useNow } from '../parts/states.tsx'
import { Guard } from '../shell.tsx'

type Source = Sources['items'][number]
type Destination = Destinations['items'][number]

export function ConnectorsPage() {
  return (
    <Guard permission="connectors.read">
      <Lists />
    </Guard>
  )
}

function Lists() {
  const { t } = useTranslation()
  const sources = useQuery({
    queryKey: ['sources'],
    queryFn: () => get<Sources>('/api/sources'),
    refetchInterval: 15_000,
  })
  const destinations = useQuery({
    queryKey: ['destinations'],
    queryFn: () => get<Destinations>('/api/destinations'),
    refetchInterval: 15_000,
  })
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t('connectors.title')}</h1>
        <span className="quiet">{t('connectors.about')}</span>
        <DataAge at={sources.dataUpdatedAt || undefined} />
      </div>
      <section aria-labelledby="sources-head">
        <h2 id="sources-head" style={{ fontSize: '1.125rem', margin: '0 0 0.5rem' }}>
          {t('connectors.sources')}
        </h2>
        {sources.error ? (
          <Failure error={sources.error} retry={() => void sources.refetch()} />
        ) : !sources.data ? (
          <Loading />
        ) : sources.data.items.length === 0 ? (
          <div className="card">
            <Empty title={t('connectors.noSources')} text={t('connectors.noSourcesText')} />
          </div>
        ) : (
          <div className="connectors">
            {sources.data.items.map((source) => (
              <SourceCard key={source.id} source={source} />
            ))}
          </div>
        )}
      </section>
      <section aria-labelledby="destinations-head">
        <h2 id="destinations-head" style={{ fontSize: '1.125rem', margin: '0.5rem 0' }}>
          {t('connectors.destinations')}
        </h2>
        {destinations.error ? (
          <Failure error={destinations.error} retry={() => void destinations.refetch()} />
        ) : !destinations.data ? (
          <Loading />
        ) : destinations.data.items.length === 0 ? (
          <div className="card">
            <Empty title={t('connectors.noDestinations')} text={t('connectors.noDestinationsText')} />
          </div>
        ) : (
          <div className="connectors">
            {destinations.data.items.map((destination) => (
              <DestinationCard key={destination.id} destination={destination} />
            ))}
          </div>
        )}
      </section>
    </div>
  )
}

type State = 'active' | 'quiet' | 'silent' | 'trouble' | 'missing'
const TONE: Record<State, Tone> = {
  active: 'delivered',
  quiet: 'rule',
  silent: 'duplicate',
  trouble: 'failed',
  missing: 'quarantined',
}

function stateOf(
  { installed, lastAt, dead }: { installed: boolean; lastAt: number | null; dead: number },
  now: number,
): State {
  if (!installed) return 'missing'
  if (dead > 0) return 'trouble'
  if (lastAt === null) return 'silent'
  return now - lastAt < 11 * 60_000 ? 'active' : 'quiet'
}

function Head({
  title,
  name,
  docs,
  support,
  state,
}: {
  title: string
  name: string
  docs: string | null
  support: string | null
  state: State
}) {
  const { t, i18n } = useTranslation()
  const supportKey = `connectors.support.${support}`
  return (
    <div style={{ display: 'flex', gap: '0.5rem', alignItems: 'start', justifyContent: 'space-between' }}>
      <div>
        <h3>{title}</h3>
        <div className="quiet" style={{ fontSize: '0.875rem' }}>
          {name}
          {support !== null &&
            ` · ${i18n.exists(supportKey) ? t(supportKey as 'connectors.support.certified') : support}`}
          {docs !== null && (
            <>
              {' · '}
              <a href={docs} target="_blank" rel="noreferrer" style={{ color: 'var(--mantine-color-anchor)' }}>
                {t('connectors.docs')} <IconExternalLink size={13} style={{ verticalAlign: '-1px' }} aria-hidden />
              </a>
            </>
          )}
        </div>
      </div>
      <Badge tone={TONE[state]} title={t(`connectors.stateHint.${state}`)}>
        {t(`connectors.state.${state}`)}
      </Badge>
    </div>
  )
}

function Missing({ connector }: { connector: string }) {
  const { t } = useTranslation()
  return (
    <Alert color="yellow" variant="outline" title={t('connectors.missing')}>
      {t('connectors.missingText', { connector })}
    </Alert>
  )
}

function Settings({ settings }: { settings: Source['settings'] }) {
  const { t } = useTranslation()
  if (settings.length === 0) return null
  return (
    <div>
      <div style={{ fontWeight: 550, fontSize: '0.875rem', marginBottom: '0.25rem' }}>{t('connectors.settings')}</div>
      <dl className="facts">
        {settings.map(({ name, value, secret }) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>{name}</dt>
            <dd className="mono">
              {typeof value === 'string' ? value : JSON.stringify(value)}{' '}
              {secret && <span className="quiet">({t('connectors.secret')})</span>}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

function Counts({ counts }: { counts: Source['counts24h'] }) {
  const { t } = useTranslation()
  return (
    <div>
      <div style={{ fontWeight: 550, fontSize: '0.875rem', marginBottom: '0.25rem' }}>{t('connectors.counts')}</div>
      {counts.length === 0 ? (
        <span className="quiet">{t('connectors.none')}</span>
      ) : (
        <ul
          style={{
            display: 'flex',
            flexWrap: 'wrap',
            gap: '0.375rem 0.75rem',
            listStyle: 'none',
            margin: 0,
            padding: 0,
            fontSize: '0.875rem',
          }}
        >
          {counts.map(({ code, count }) => (
            <li key={code}>
              <ExitBadge code={code} /> {number(count)}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

function SourceCard({ source }: { source: Source }) {
  const { t } = useTranslation()
  const now = useNow(10_000)
  return (
    <article className="card connector">
      <Head
        title={source.id}
        name={source.name}
        docs={source.docs}
        support={source.support}
        state={stateOf({ ...source, dead: 0 }, now)}
      />
      {!source.installed && <Missing connector={source.connector} />}
      <dl className="facts">
        <dt>{t('connectors.received')}</dt>
        <dd>{number(source.received24h)}</dd>
        <dt>{t('connectors.last')}</dt>
        <dd>{source.lastAt === null ? t('connectors.never') : ago(source.lastAt, now)}</dd>
        <dt>{t('connectors.webhook')}</dt>
        <dd className="mono">{source.webhookUrl}</dd>
        <dt>{t('connectors.notice')}</dt>
        <dd>{source.notice ? `${source.notice.id} v${source.notice.version}` : t('connectors.noNotice')}</dd>
      </dl>
      <Counts counts={source.counts24h} />
      <Settings settings={source.settings} />
    </article>
  )
}

function DestinationCard({ destination }: { destination: Destination }) {
  const { t } = useTranslation()
  const now = useNow(10_000)
  return (
    <article className="card connector">
      <Head
        title={destination.id}
        name={destination.name}
        docs={destination.docs}
        support={destination.support}
        state={stateOf(destination, now)}
      />
      {!destination.installed && <Missing connector={destination.connector} />}
      <dl className="facts">
        <dt>{t('connectors.created')}</dt>
        <dd>{number(destination.created24h)}</dd>
        <dt>{t('connectors.queue')}</dt>
        <dd>{number(destination.open)}</dd>
        <dt>{t('connectors.dead')}</dt>
        <dd>{number(destination.dead)}</dd>
        <dt>{t('connectors.last')}</dt>
        <dd>{destination.lastAt === null ? t('connectors.never') : ago(destination.lastAt, now)}</dd>
        <dt>{t('connectors.role')}</dt>
        <dd>
          {t(destination.role === 'controller' ? 'connectors.controller' : 'connectors.operator')}
          {destination.country !== null && ` · ${destination.country}`}
        </dd>
        <dt>{t('connectors.purposes')}</dt>
        <dd>{destination.purposes.join(', ')}</dd>
        <dt>{t('connectors.erase')}</dt>
        <dd>{t(`connectors.erasure.${destination.deletesSubject}`)}</dd>
      </dl>
      {destination.actions.length > 0 && (
        <div>
          <div style={{ fontWeight: 550, fontSize: '0.875rem', marginBottom: '0.25rem' }}>
            {t('connectors.actions')}
          </div>
          {destination.actions.map((action) => (
            <span className="tag" key={action.id} title={action.id}>
              {currentLanguage() === 'en' ? action.title.en : action.title.pt}
            </span>
          ))}
        </div>
      )}
      <Counts counts={destination.counts24h} />
      <Settings settings={destination.settings} />
    </article>
  )
}
