import { Alert, Button } from '@mantine/core'
import { IconExternalLink } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Destinations, Sources } from '../../../schemas/admin.ts'
import { linkTo } from '../address.ts'
import { get } from '../api.ts'
import { ago, number } from '../format.ts'
import { currentLanguage } from '../i18n/index.ts'
import { Account } from '../parts/account.tsx'
import { type ConnectorState, StateBadge, stateOf } from '../parts/connector-state.tsx'
import { Badge, type Tone, useExits } from '../parts/exit-badge.tsx'
import { Page } from '../parts/page.tsx'
import { SecretList } from '../parts/secrets.tsx'
import { Empty, Failure, Loading, useNow } from '../parts/states.tsx'
import { useMay } from '../session.ts'
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
  const may = useMay()
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
    <Page title={t('connectors.title')} about={t('connectors.about')} at={sources.dataUpdatedAt || undefined}>
      <div>
        <Button component={Link} variant="default" {...linkTo('/connectors/catalog')}>
          {t('catalog.open')}
        </Button>
      </div>
      <section aria-labelledby="sources-head">
        <h2 id="sources-head" className="section-title">
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
        <h2 id="destinations-head" className="section-title">
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
      {may('connectors.write') && <SecretList />}
    </Page>
  )
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
  state: ConnectorState
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
              <a className="link nowrap" href={docs} target="_blank" rel="noreferrer">
                {t('connectors.docs')} <IconExternalLink size={13} style={{ verticalAlign: '-1px' }} aria-hidden />
              </a>
            </>
          )}
        </div>
      </div>
      <StateBadge state={state} />
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
      <div className="connector-part">{t('connectors.settings')}</div>
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

/** One badge per kind of exit; which codes are in it stands in its title. */
function Counts({ counts }: { counts: Source['counts24h'] }) {
  const { t } = useTranslation()
  const { tone } = useExits()
  const kinds = new Map<Tone, { total: number; codes: string[] }>()
  for (const { code, count } of counts) {
    const kind = kinds.get(tone(code)) ?? { total: 0, codes: [] }
    kind.total += count
    kind.codes.push(`${code} ${number(count)}`)
    kinds.set(tone(code), kind)
  }
  return (
    <div>
      <div className="connector-part">{t('connectors.counts')}</div>
      {kinds.size === 0 ? (
        <span className="quiet">{t('connectors.none')}</span>
      ) : (
        <ul className="connector-counts">
          {[...kinds].map(([kind, { total, codes }]) => (
            <li key={kind}>
              <Badge tone={kind} title={codes.join(', ')}>
                {t(`exit.${kind}`)}
              </Badge>{' '}
              {number(total)}
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
      <Link className="link" {...linkTo('/connectors/source', { source: source.id, range: '24h' })}>
        {t('source.open', { id: source.id })}
      </Link>
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
          <div className="connector-part">{t('connectors.actions')}</div>
          {destination.actions.map((action) => (
            <span className="tag" key={action.id} title={action.id}>
              {currentLanguage() === 'en' ? action.title.en : action.title.pt}
            </span>
          ))}
        </div>
      )}
      <Account destination={destination.id} />
      <Counts counts={destination.counts24h} />
      <Settings settings={destination.settings} />
    </article>
  )
}
