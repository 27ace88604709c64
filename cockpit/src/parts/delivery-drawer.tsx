import { Button, CopyButton, Drawer } from '@mantine/core'
import { IconCheck, IconCopy, IconX } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { DeliveryDetail, Explanation } from '../../../schemas/admin.ts'
import { linkChanging, useAddress, useChangeAddress } from '../address.ts'
import { get } from '../api.ts'
import { dateTime, hourMinute, number } from '../format.ts'
import { useMay } from '../session.ts'
import { Clauses } from './clauses.tsx'
import { ConsentFacts } from './consent-words.tsx'
import { ExitBadge, StatusBadge, useExits } from './exit-badge.tsx'
import { Failure, Loading } from './states.tsx'

const OPEN = ['queued', 'leased', 'attempted', 'retry']

/** "Por que?" opens from anywhere: the address carries the delivery. */
export function DeliveryDrawer() {
  const { t } = useTranslation()
  const { delivery } = useAddress()
  const change = useChangeAddress()
  return (
    <Drawer
      opened={delivery !== undefined}
      onClose={() => change({ delivery: undefined })}
      position="right"
      size="lg"
      title={<strong>{t('why.title')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      {delivery !== undefined && <DeliveryWhy id={delivery} />}
    </Drawer>
  )
}

export function DeliveryWhy({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['delivery', id],
    queryFn: () => get<DeliveryDetail>(`/api/deliveries/${encodeURIComponent(id)}`),
    refetchInterval: ({ state }) => (state.data && state.data.delivery.settledAt === null ? 5000 : false),
  })
  if (error) return <Failure error={error} retry={() => void refetch()} />
  if (!data) return <Loading lines={6} />
  return <Why detail={data} />
}

function Why({ detail }: { detail: DeliveryDetail }) {
  const { t } = useTranslation()
  const may = useMay()
  const { text, tone } = useExits()
  const { delivery, explanation, consent, attempts } = detail
  const lead = OPEN.includes(delivery.status)
    ? delivery.reason === 'HELD_UNTIL'
      ? t('why.lead.held', { time: waitTime(delivery.dueAt), why: t(waitsFor(explanation)) })
      : t('why.lead.open', { time: dateTime(delivery.dueAt) })
    : delivery.status === 'delivered' ||
        delivery.status === 'held_out' ||
        delivery.status === 'blocked' ||
        delivery.status === 'dead' ||
        delivery.status === 'uncertain'
      ? t(`why.lead.${delivery.status}`, {
          destination: delivery.destination,
          time: dateTime(delivery.settledAt ?? delivery.dueAt),
        })
      : t('why.lead.other')
  const link = `${location.origin}/deliveries?delivery=${encodeURIComponent(delivery.id)}`
  return (
    <div>
      <StatusBadge status={delivery.status} />
      <p style={{ fontSize: '1.0625rem', margin: '0.5rem 0' }}>{lead}</p>
      {delivery.reason !== null && (
        <p className="quiet" style={{ margin: 0 }}>
          {text(delivery.reason)}{' '}
          {text(delivery.reason) !== delivery.reason && <span className="mono">{delivery.reason}</span>}
        </p>
      )}
      <CopyButton value={link}>
        {({ copied, copy }) => (
          <Button
            mt="sm"
            size="xs"
            variant="default"
            leftSection={copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
            onClick={copy}
          >
            {t(copied ? 'app.copied' : 'why.copyLink')}
          </Button>
        )}
      </CopyButton>

      <section className="section">
        <h3>{t('why.decision')}</h3>
        {delivery.rule === null ? (
          <p style={{ margin: 0 }}>{t('why.noRule')}</p>
        ) : explanation ? (
          <ExplanationView explanation={explanation} arm={delivery.arm} />
        ) : (
          <p className="quiet" style={{ margin: 0 }}>
            {t('why.noExplanation', { id: delivery.id })}
          </p>
        )}
      </section>

      <section className="section">
        <h3>{t('why.consent')}</h3>
        {consent ? (
          <>
            <p style={{ margin: '0 0 0.5rem' }}>
              {delivery.purpose} · <span className="mono">{t('why.consentEntry', { id: consent.entryId })}</span> ·{' '}
              {t('why.consentAt', { time: dateTime(consent.at) })}
            </p>
            <ConsentFacts entry={consent.public} />
            {may('ledger.read') && (
              <Button
                component={Link}
                {...linkChanging({ delivery: undefined, entry: consent.entryId })}
                size="compact-sm"
                variant="default"
                mt="sm"
              >
                {t('why.seeProof')}
              </Button>
            )}
          </>
        ) : (
          <p className="quiet" style={{ margin: 0 }}>
            {detail.entryId === null ? t('why.noConsent') : t('why.entryElsewhere', { id: detail.entryId })}
          </p>
        )}
      </section>

      <section className="section">
        <h3>{t('why.attempts')}</h3>
        {attempts.length === 0 ? (
          <p className="quiet" style={{ margin: 0 }}>
            {t('why.noAttempts')}
          </p>
        ) : (
          <ol className="journey">
            {attempts.map((attempt) => (
              <li key={attempt.n} data-tone={tone(attempt.outcome)}>
                <div>
                  {t('why.attempt', { n: number(attempt.n) })} <ExitBadge code={attempt.outcome} />
                </div>
                <div className="quiet">
                  {dateTime(attempt.at)} · <span className="mono">{attempt.reason}</span>
                </div>
              </li>
            ))}
          </ol>
        )}
        {detail.answer !== null && (
          <p style={{ margin: '0.5rem 0 0' }}>
            <span className="quiet">{t('why.answer')}: </span>
            <span className="mono">{detail.answer}</span>
          </p>
        )}
      </section>

      <section className="section">
        <h3>{t('why.facts')}</h3>
        <dl className="facts">
          <dt>{t('now.detail.id')}</dt>
          <dd className="mono">{delivery.id}</dd>
          <dt>{t('deliveries.destination')}</dt>
          <dd>
            {delivery.destination} · {delivery.action}
          </dd>
          <dt>{t('deliveries.purpose')}</dt>
          <dd>{delivery.purpose}</dd>
          <dt>{t('deliveries.channel')}</dt>
          <dd>{delivery.channel ?? t('app.none')}</dd>
          {delivery.variant !== null && (
            <>
              <dt>{t('why.variant')}</dt>
              <dd>{delivery.variant}</dd>
            </>
          )}
          {delivery.offer !== null && (
            <>
              <dt>{t('why.offer')}</dt>
              <dd>{delivery.offer}</dd>
            </>
          )}
          <dt>{t('why.person')}</dt>
          <dd className="mono">{delivery.personId}</dd>
          <dt>{t('why.event')}</dt>
          <dd className="mono">{delivery.eventId}</dd>
          <dt>{t('deliveries.created')}</dt>
          <dd>{dateTime(delivery.createdAt)}</dd>
          <dt>{t('why.due')}</dt>
          <dd>{dateTime(delivery.dueAt)}</dd>
          {delivery.settledAt !== null && (
            <>
              <dt>{t('why.settled')}</dt>
              <dd>{dateTime(delivery.settledAt)}</dd>
            </>
          )}
          {detail.expiresAt !== null && (
            <>
              <dt>{t('why.expires')}</dt>
              <dd>{dateTime(detail.expiresAt)}</dd>
            </>
          )}
        </dl>
      </section>
    </div>
  )
}

/** The clause that says why it waits; a retry that fell into the silence waits for the same. */
function waitsFor(explanation: Explanation | null) {
  const ids = new Set(explanation?.clauses.map(({ id }) => id))
  if (ids.has('unless.quiet_hours.holidays')) return 'why.waits.holiday'
  if (ids.has('unless.send_windows')) return 'why.waits.window'
  return ids.has('then.send_at') ? 'why.waits.time' : 'why.waits.quiet'
}

/** The hour alone where it leaves within a day. */
const waitTime = (at: number) => (at - Date.now() < 86_400_000 ? hourMinute(at) : dateTime(at))

/** Clauses with a check or a cross, in words too, and the value that was found. */
export function ExplanationView({ explanation, arm }: { explanation: Explanation; arm: string | null }) {
  const { t, i18n } = useTranslation()
  const { text } = useExits()
  const armKey = `arm.${arm}`
  return (
    <>
      <p style={{ margin: '0 0 0.5rem' }}>
        {t('why.rule', { rule: explanation.rule, version: explanation.version ?? t('app.none') })}
        {arm !== null && (
          <>
            {' · '}
            {t('why.arm')}: <strong>{i18n.exists(armKey) ? t(armKey as 'arm.treated') : arm}</strong>
          </>
        )}
      </p>
      <Clauses clauses={explanation.clauses} />
      {explanation.skipped.length > 0 && (
        <>
          <p style={{ margin: '0.75rem 0 0.25rem' }}>{t('why.skipped')}</p>
          <ul className="clauses">
            {explanation.skipped.map((skipped) => (
              <li key={`${skipped.destination} ${skipped.action}`}>
                <IconX size={18} color="var(--tone-failed-ink)" aria-hidden />
                <span>
                  {skipped.destination} · {skipped.action} <ExitBadge code={skipped.code} />{' '}
                  <span className="quiet">{text(skipped.code)}</span>
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}
