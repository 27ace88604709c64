import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Pipeline } from '../../../schemas/admin.ts'
import { linkTo } from '../address.ts'
import { compact, number, share } from '../format.ts'
import { useMay } from '../session.ts'
import { useExits } from './exit-badge.tsx'

type Step = Pipeline['steps'][number]
/** Each group has its own unit and its own scale: one event may make many deliveries. */
const GROUPS = [
  { unit: 'events', steps: ['received', 'quarantined', 'consent'] },
  { unit: 'deliveries', steps: ['created', 'blocked', 'held_out', 'delivered', 'failed'] },
] as const
const ALSO = ['refused', 'duplicate', 'no_purpose', 'waiting', 'rule', 'retried'] as const

/** Labelled bars from zero, in the order an event and then its deliveries meet them. */
export function PipelineStrip({
  pipeline,
  chosen,
  onChoose,
}: {
  pipeline: Pipeline
  chosen: string
  onChoose: (step: string) => void
}) {
  const { t } = useTranslation()
  const steps = new Map(pipeline.steps.map((step) => [step.step, step]))
  const open = steps.get(chosen as Step['step']) ?? steps.get('consent')!
  return (
    <section className="card" aria-labelledby="strip-title">
      <div className="card-head">
        <h2 id="strip-title">{t('now.strip.title')}</h2>
      </div>
      <p className="quiet" style={{ margin: '-0.5rem 0 0.75rem', fontSize: '0.875rem' }}>
        {t('now.strip.about')} {pipeline.steps.every(({ previous }) => previous === null) && t('now.strip.newData')}
      </p>
      <div className="grid-2">
        <div>
          {GROUPS.map(({ unit, steps: names }) => {
            const most = Math.max(1, ...names.map((name) => steps.get(name)?.count ?? 0))
            return (
              <div className="strip-group" key={unit}>
                <h3>
                  {t(`now.strip.group.${unit}`)}{' '}
                  <small className="strip-unit">{t(`now.strip.groupHint.${unit}`)}</small>
                </h3>
                <ol className="strip">
                  {names.map((name) => (
                    <li key={name} data-tone={name}>
                      <StripStep
                        step={steps.get(name)!}
                        most={most}
                        pressed={open.step === name}
                        onChoose={() => onChoose(name)}
                      />
                    </li>
                  ))}
                </ol>
              </div>
            )
          })}
          <div className="also">
            <span className="quiet">{t('now.strip.also')}</span>
            {ALSO.map((name) => (
              <button
                type="button"
                key={name}
                className="also-step"
                aria-pressed={open.step === name}
                onClick={() => onChoose(name)}
              >
                {t(`now.strip.${name}`)} <strong>{compact(steps.get(name)?.count ?? 0)}</strong>
              </button>
            ))}
          </div>
        </div>
        <Parts step={open} />
      </div>
    </section>
  )
}

function StripStep({
  step,
  most,
  pressed,
  onChoose,
}: {
  step: Step
  most: number
  pressed: boolean
  onChoose: () => void
}) {
  const { t } = useTranslation()
  return (
    <button type="button" className="strip-step" aria-pressed={pressed} onClick={onChoose}>
      <span className="strip-name">{t(`now.strip.${step.step}`)}</span>
      <span className="strip-track" aria-hidden>
        <span
          className="strip-bar"
          style={{ display: 'block', width: `${(step.count / most) * 100}%`, minWidth: step.count > 0 ? 3 : 0 }}
        />
      </span>
      <span className="strip-count">
        <strong>{compact(step.count)}</strong>
        {step.previous !== null && (
          <small>
            <Change step={step} previous={step.previous} />
          </small>
        )}
      </span>
    </button>
  )
}

function Change({ step, previous }: { step: Step; previous: number }) {
  const { t } = useTranslation()
  if (previous === step.count) return t('now.strip.same')
  if (previous === 0) return t('now.strip.previous', { value: number(0) })
  const change = (step.count - previous) / previous
  return t(change > 0 ? 'now.strip.up' : 'now.strip.down', { share: share(Math.abs(change)) })
}

function Parts({ step }: { step: Step }) {
  const { t } = useTranslation()
  const { text } = useExits()
  const may = useMay()
  const name = t(`now.strip.${step.step}`)
  const reasons = step.byCode.filter(({ code }) => code !== 'RECEIVED')
  return (
    <div style={{ minWidth: 0 }} aria-live="polite">
      <h3 style={{ margin: '0 0 0.25rem', fontSize: '0.9375rem' }}>{t('now.strip.breakdown', { step: name })}</h3>
      <p className="quiet" style={{ margin: '0 0 0.5rem', fontSize: '0.875rem' }}>
        {t(`now.strip.hint.${step.step}`)}
        {step.events > 0 &&
          step.deliveries > 0 &&
          ` ${t('now.strip.split', { events: number(step.events), deliveries: number(step.deliveries) })}.`}
      </p>
      {step.count === 0 ? (
        <p>{t('now.strip.nothing')}</p>
      ) : (
        <>
          <table className="rows">
            <thead>
              <tr>
                <th scope="col">{t('now.strip.origin')}</th>
                <th scope="col" className="right">
                  {t('now.strip.count')}
                </th>
              </tr>
            </thead>
            <tbody>
              {step.byOrigin.slice(0, 6).map(({ origin, count }) => (
                <tr key={origin}>
                  <td>{origin.replace(/^(source|destination):/, '')}</td>
                  <td className="right">
                    {number(count)} <span className="quiet">{share(count / step.count)}</span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {reasons.length > 0 && (
            <table className="rows" style={{ marginTop: '0.5rem' }}>
              <thead>
                <tr>
                  <th scope="col">{t('now.strip.reason')}</th>
                  <th scope="col" className="right">
                    {t('now.strip.count')}
                  </th>
                </tr>
              </thead>
              <tbody>
                {reasons.slice(0, 6).map(({ code, count }) => (
                  <tr key={code}>
                    <td>
                      {text(code)} <span className="mono quiet">{code}</span>
                    </td>
                    <td className="right">{number(count)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
          {step.deliveries > 0 && may('deliveries.read') && step.step !== 'retried' && step.step !== 'created' && (
            <Button
              component={Link}
              {...linkTo(
                '/deliveries',
                step.step === 'delivered'
                  ? { inRange: true, status: 'delivered' }
                  : { inRange: true, code: step.byCode[0]?.code },
              )}
              size="xs"
              variant="default"
              mt="sm"
            >
              {t('now.strip.seeDeliveries')}
            </Button>
          )}
          {step.step === 'quarantined' && may('quarantine.read') && (
            <Button component={Link} {...linkTo('/quarantine')} size="xs" variant="default" mt="sm">
              {t('now.strip.seeQuarantine')}
            </Button>
          )}
        </>
      )}
    </div>
  )
}
