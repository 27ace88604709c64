import { Button, TextInput } from '@mantine/core'
import { IconBolt, IconPlayerPause, IconPlayerPlay, IconSearch, IconSend } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { EventJourney, LiveLine } from '../../../schemas/admin.ts'
import { linkChanging, linkTo, useAddress, useChangeAddress } from '../address.ts'
import { ApiFailure, get } from '../api.ts'
import { clock, dateTime, money, number } from '../format.ts'
import { useLive } from '../live.ts'
import { useMay } from '../session.ts'
import { useShortcuts } from '../shortcuts.ts'
import { DeliveryWhy, ExplanationView } from './delivery-drawer.tsx'
import { ExitBadge, StatusBadge, useExits } from './exit-badge.tsx'
import { DataAge, Empty, Failure, Loading } from './states.tsx'

/** More rows than a person reads; the rest is a search away. */
const SHOWN = 120

export function LivePanel() {
  const { t } = useTranslation()
  const may = useMay()
  const allowed = may('events.read')
  const live = useLive(allowed)
  const [filter, setFilter] = useState('')
  const [chosen, setChosen] = useState<LiveLine>()
  const { line } = useAddress()
  const change = useChangeAddress()
  useShortcuts({ ' ': () => live.setPaused(!live.paused) })

  const wanted = filter.trim().toLowerCase()
  const found =
    wanted === ''
      ? live.lines
      : live.lines.filter((one) =>
          `${one.name} ${one.origin} ${one.code} ${one.type} ${one.id}`.toLowerCase().includes(wanted),
        )
  const selected = chosen && chosen.id === line ? chosen : live.lines.find(({ id }) => id === line)
  const state = live.paused ? 'paused' : live.state === 'open' ? 'live' : live.state
  const choose = (one: LiveLine) => {
    setChosen(one)
    change({ line: one.id }, { replace: true })
  }
  return (
    <section className="card" aria-labelledby="live-title">
      <div className="card-head">
        <h2 id="live-title">{t('now.live.title')}</h2>
        {allowed && (
          <>
            <span style={{ display: 'inline-flex', gap: '0.375rem', alignItems: 'center', fontSize: '0.8125rem' }}>
              <span className="live-dot" data-state={state} aria-hidden />
              {t(
                state === 'live'
                  ? 'now.live.live'
                  : state === 'paused'
                    ? 'now.live.paused'
                    : state === 'lost'
                      ? 'now.live.lost'
                      : 'now.live.connecting',
              )}
            </span>
            <DataAge at={live.at} />
            <div className="end">
              <Button
                size="xs"
                variant="default"
                leftSection={
                  live.paused ? <IconPlayerPlay size={14} aria-hidden /> : <IconPlayerPause size={14} aria-hidden />
                }
                onClick={() => live.setPaused(!live.paused)}
                aria-pressed={live.paused}
              >
                {t(live.paused ? 'now.live.resume' : 'now.live.pause')}
              </Button>
            </div>
          </>
        )}
      </div>
      {!allowed ? (
        <Empty title={t('app.forbidden')} text={t('now.live.forbidden')} />
      ) : live.lines.length === 0 && live.pending === 0 ? (
        <Empty
          title={t('now.live.empty')}
          text={t('now.live.emptyText')}
          next={
            may('connectors.read') && (
              <Button component={Link} {...linkTo('/connectors')} variant="default">
                {t('now.live.toConnectors')}
              </Button>
            )
          }
        />
      ) : (
        <>
          <div
            style={{
              display: 'flex',
              flexWrap: 'wrap',
              gap: '0.5rem 1rem',
              alignItems: 'center',
              marginBottom: '0.75rem',
            }}
          >
            <TextInput
              size="xs"
              style={{ flex: '0 1 20rem' }}
              aria-label={t('now.live.filter')}
              placeholder={t('now.live.filter')}
              leftSection={<IconSearch size={14} aria-hidden />}
              value={filter}
              onChange={(event) => setFilter(event.currentTarget.value)}
            />
            <span role="status" style={{ minHeight: '1.875rem', display: 'inline-flex', alignItems: 'center' }}>
              {live.pending > 0 && (
                <Button size="xs" onClick={live.showPending}>
                  {t('now.live.pending', { count: live.pending })}
                </Button>
              )}
            </span>
            <span className="quiet" style={{ fontSize: '0.8125rem', marginLeft: 'auto' }}>
              {t('now.live.limit', { count: Math.min(SHOWN, found.length) })}
              {live.missed > 0 && ` · ${t('now.live.missed', { count: live.missed })}`}
            </span>
          </div>
          <div className="live">
            <ol
              className="live-list"
              aria-label={t('now.live.title')}
              onPointerEnter={() => live.setReading(true)}
              onPointerLeave={() => live.setReading(false)}
              onFocus={() => live.setReading(true)}
              onBlur={() => live.setReading(false)}
            >
              {found.length === 0 && <li style={{ padding: '1rem' }}>{t('now.live.noMatch')}</li>}
              {found.slice(0, SHOWN).map((one) => (
                <li key={`${one.kind} ${one.id} ${one.at} ${one.code}`}>
                  <button
                    type="button"
                    className="live-line"
                    aria-current={one.id === line}
                    onClick={() => choose(one)}
                  >
                    <time className="quiet mono" dateTime={new Date(one.at).toISOString()}>
                      {clock(one.at)}
                    </time>
                    {one.kind === 'event' ? (
                      <IconBolt className="live-icon" size={16} aria-hidden />
                    ) : (
                      <IconSend className="live-icon" size={16} aria-hidden />
                    )}
                    <span className="live-what">
                      <span className="visually-hidden">{t(`now.live.${one.kind}`)} </span>
                      {one.name || one.type} <small>{one.origin}</small>
                    </span>
                    <ExitBadge code={one.code} />
                  </button>
                </li>
              ))}
            </ol>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard. */}
            <section className="live-detail" aria-label={t('now.detail.title')} tabIndex={0}>
              {selected ? (
                <Detail key={selected.id} line={selected} />
              ) : (
                <Empty title={t('now.live.choose')} text={t('now.live.chooseText')} />
              )}
            </section>
          </div>
        </>
      )}
    </section>
  )
}

function Detail({ line }: { line: LiveLine }) {
  const { text } = useExits()
  return (
    <>
      <h3 style={{ margin: '0 0 0.5rem', fontSize: '1.0625rem', overflowWrap: 'anywhere' }}>
        {line.name || line.type} <span className="quiet">{line.origin}</span>
      </h3>
      <p style={{ margin: '0 0 0.75rem' }}>
        <ExitBadge code={line.code} /> {text(line.code)} <span className="mono quiet">{line.code}</span>
      </p>
      {line.kind === 'delivery' ? <DeliveryPart line={line} /> : <EventPart line={line} />}
    </>
  )
}

function DeliveryPart({ line }: { line: LiveLine }) {
  const may = useMay()
  return may('deliveries.read') ? <DeliveryWhy id={line.id} /> : <LineFacts line={line} />
}

function LineFacts({ line }: { line: LiveLine }) {
  const { t } = useTranslation()
  return (
    <dl className="facts">
      <dt>{t('now.detail.id')}</dt>
      <dd className="mono">{line.id}</dd>
      <dt>{t('now.detail.when')}</dt>
      <dd>{dateTime(line.at)}</dd>
      <dt>{t('now.detail.type')}</dt>
      <dd>{line.type}</dd>
      <dt>{t('now.detail.stage')}</dt>
      <dd>{t(`stage.${line.stage}`)}</dd>
      {line.personId !== undefined && (
        <>
          <dt>{t('now.detail.person')}</dt>
          <dd className="mono">{line.personId}</dd>
        </>
      )}
      {line.detail !== undefined && (
        <>
          <dt>{t('now.detail.exit')}</dt>
          <dd>{line.detail}</dd>
        </>
      )}
    </dl>
  )
}

function EventPart({ line }: { line: LiveLine }) {
  const { t, i18n } = useTranslation()
  const { text, tone } = useExits()
  const journey = useQuery({
    queryKey: ['event', line.id],
    queryFn: () => get<EventJourney>(`/api/events/${encodeURIComponent(line.id)}`),
    refetchInterval: 5000,
  })
  const nothing = journey.error instanceof ApiFailure && journey.error.status === 404
  if (journey.error && !nothing) return <Failure error={journey.error} retry={() => void journey.refetch()} />
  if (!journey.data && !nothing) return <Loading />
  const data = journey.data
  const amounts = data?.history?.amounts as { value?: unknown; currency?: unknown } | null | undefined
  const onlyCounted = !data || (!data.history && !data.quarantine && data.deliveries.length === 0)
  return (
    <>
      <LineFacts line={line} />
      {data?.history && (
        <dl className="facts" style={{ marginTop: '0.25rem' }}>
          <dt>{t('now.detail.purposes')}</dt>
          <dd>{data.history.purposes.join(', ') || t('app.none')}</dd>
          {typeof amounts?.value === 'number' && (
            <>
              <dt>{t('now.detail.value')}</dt>
              <dd>
                {typeof amounts.currency === 'string' ? money(amounts.value, amounts.currency) : number(amounts.value)}
              </dd>
            </>
          )}
        </dl>
      )}
      {data?.quarantine && (
        <p className="mono" style={{ margin: '0.5rem 0 0' }}>
          {data.quarantine.path} {data.quarantine.message}
        </p>
      )}
      {onlyCounted && (
        <div className="section">
          <h3>{t('now.detail.onlyCount')}</h3>
          <p className="quiet" style={{ margin: 0 }}>
            {t('now.detail.onlyCountText', { reason: text(line.code).replace(/\.$/, '') })}
          </p>
        </div>
      )}
      {data && data.exits.length > 0 && (
        <div className="section">
          <h3>{t('now.detail.journey')}</h3>
          <ol className="journey">
            {data.exits.map((exit) => {
              const stage = `stage.${exit.stage}`
              return (
                <li key={`${exit.at} ${exit.code} ${exit.origin}`} data-tone={tone(exit.code)}>
                  <div>
                    <strong>{i18n.exists(stage) ? t(stage as 'stage.verify') : exit.stage}</strong> · {exit.origin}{' '}
                    <ExitBadge code={exit.code} />
                  </div>
                  <div className="quiet">
                    {clock(exit.at)} · {text(exit.code)}
                  </div>
                </li>
              )
            })}
          </ol>
        </div>
      )}
      {data?.explanations.map((explanation) => (
        <div className="section" key={explanation.id}>
          <h3>{t('why.decision')}</h3>
          <ExplanationView explanation={explanation} arm={explanation.arm} />
        </div>
      ))}
      {data?.history && (
        <div className="section">
          <h3>{t('now.detail.deliveries')}</h3>
          {data.deliveries.length === 0 ? (
            <p className="quiet" style={{ margin: 0 }}>
              {t('now.detail.noDeliveries')}
            </p>
          ) : (
            <ul className="clauses">
              {data.deliveries.map((delivery) => (
                <li key={delivery.id} style={{ gridTemplateColumns: 'minmax(0, 1fr) auto' }}>
                  <span>
                    {delivery.destination} · {delivery.action} <StatusBadge status={delivery.status} />
                  </span>
                  <Button
                    component={Link}
                    {...linkChanging({ delivery: delivery.id })}
                    size="compact-xs"
                    variant="default"
                    aria-label={t('deliveries.whyOf', { id: delivery.id })}
                  >
                    {t('now.detail.why')}
                  </Button>
                </li>
              ))}
            </ul>
          )}
        </div>
      )}
    </>
  )
}
