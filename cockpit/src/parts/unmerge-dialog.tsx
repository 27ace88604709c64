/** Taking evidence back: what would happen to each side is asked of the hub before anybody says yes. */
import { Alert, Button, Checkbox, Modal, Textarea } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { IdentityEdge, PersonIdentity, Unmerge, Unmerged } from '../../../schemas/identity.ts'
import { linkChanging } from '../address.ts'
import { ApiFailure, post } from '../api.ts'
import { number } from '../format.ts'
import { ConsentStatus } from './consent-words.tsx'
import { Loading, useFailureText } from './states.tsx'

const keyOf = ({ a, b }: IdentityEdge) => `${a}:${b}`

/** Those that the hub names where it says that others still hold. */
function named(error: unknown, edges: readonly IdentityEdge[]): readonly IdentityEdge[] {
  if (!(error instanceof ApiFailure) || error.code !== 'STILL_ONE') return []
  return edges.filter((edge) => error.message.includes(keyOf(edge)))
}

export function UnmergeDialog({
  identity,
  first,
  name,
  onClose,
}: {
  identity: PersonIdentity
  first: IdentityEdge
  /** How an identifier is called on the screen. */
  name: (node: string) => string
  onClose: () => void
}) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const [chosen, setChosen] = useState<readonly string[]>([keyOf(first)])
  const [reason, setReason] = useState('')
  const [edges] = useState(() => identity.edges.filter(({ refused }) => refused === null))
  const body = (): Pick<Unmerge, 'edges'> => ({
    edges: edges.filter((edge) => chosen.includes(keyOf(edge))).map(({ a, b }) => ({ a, b })),
  })
  const go = useMutation({
    mutationFn: () => post<Unmerged>('/api/identity/unmerge', { ...body(), reason: reason.trim() }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ['person'] }),
  })
  const would = useQuery({
    queryKey: ['unmerge', [...chosen].sort()],
    queryFn: () => post<Unmerged>('/api/identity/unmerge', { ...body(), dryRun: true }),
    enabled: chosen.length > 0 && !go.data,
    staleTime: 0,
    gcTime: 0,
  })
  const error = go.error ?? would.error
  const holding = named(error, edges)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    go.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={<strong>{t('identity.dialog.title')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      {go.data ? (
        <>
          <p role="status" style={{ marginTop: 0 }}>
            {t('identity.dialog.done')}
          </p>
          <Sides sides={go.data.sides} name={name} onSee={onClose} />
          <div className="dialog-acts">
            <Button onClick={onClose}>{t('app.close')}</Button>
          </div>
        </>
      ) : (
        <form onSubmit={submit}>
          <p style={{ marginTop: 0 }}>{t('identity.dialog.text')}</p>
          <fieldset className="fix">
            <legend>{t('identity.dialog.edges')}</legend>
            {edges.map((edge) => (
              <Checkbox
                key={keyOf(edge)}
                mb="xs"
                label={`${name(edge.a)} ↔ ${name(edge.b)}`}
                description={holding.includes(edge) ? <strong>{t('identity.stillHolds')}</strong> : edge.source}
                checked={chosen.includes(keyOf(edge))}
                onChange={({ currentTarget }) => {
                  go.reset()
                  setChosen(
                    currentTarget.checked ? [...chosen, keyOf(edge)] : chosen.filter((key) => key !== keyOf(edge)),
                  )
                }}
              />
            ))}
          </fieldset>
          {error ? (
            <Refused error={error} />
          ) : chosen.length === 0 ? null : would.data ? (
            <>
              <h3>{t('identity.dialog.outcome')}</h3>
              <Sides sides={would.data.sides} name={name} />
            </>
          ) : (
            <Loading lines={4} />
          )}
          <Textarea
            mt="md"
            label={t('identity.dialog.reason')}
            description={t('identity.dialog.reasonHint')}
            required
            withAsterisk={false}
            minLength={10}
            maxLength={500}
            autosize
            minRows={2}
            value={reason}
            onChange={({ currentTarget }) => setReason(currentTarget.value)}
          />
          <div className="dialog-acts">
            <Button variant="default" onClick={onClose}>
              {t('app.cancel')}
            </Button>
            <Button type="submit" color="red.9" loading={go.isPending} disabled={!would.data || would.isFetching}>
              {t('identity.dialog.go')}
            </Button>
          </div>
        </form>
      )}
    </Modal>
  )
}

function Refused({ error }: { error: unknown }) {
  const { t, i18n } = useTranslation()
  const text = useFailureText()
  const code = error instanceof ApiFailure ? error.code : 'INTERNAL'
  const key = `identity.refusal.${code}`
  return (
    <Alert mt="md" color="red" variant="outline" role="alert" title={t('identity.dialog.cannot')}>
      <p style={{ margin: 0 }}>{i18n.exists(key) ? t(key as 'identity.refusal.STILL_ONE') : text(error)}</p>
      <p className="mono" style={{ margin: '0.25rem 0 0' }}>
        {t('error.code', { code })}
      </p>
    </Alert>
  )
}

function Sides({
  sides,
  name,
  onSee,
}: {
  sides: Unmerged['sides']
  name: (node: string) => string
  /** They are people by now: each is a click away. */
  onSee?: () => void
}) {
  const { t } = useTranslation()
  return (
    <div className="stack">
      {sides.map(({ personId, nodes, events, orders, deliveries, restored, statuses }, place) => (
        <dl key={personId} className="facts card">
          <dt>{t(place === 0 ? 'identity.dialog.keeps' : 'identity.dialog.becomes')}</dt>
          <dd className="mono">{personId}</dd>
          <dt>{t('identity.dialog.identifiers')}</dt>
          <dd>
            {nodes.map((node) => (
              <div key={node}>{name(node)}</div>
            ))}
          </dd>
          <dt>{t('identity.dialog.events')}</dt>
          <dd>{number(events)}</dd>
          <dt>{t('identity.dialog.orders')}</dt>
          <dd>{number(orders)}</dd>
          <dt>{t('identity.dialog.deliveries')}</dt>
          <dd>{number(deliveries)}</dd>
          <dt>{t('identity.dialog.before')}</dt>
          <dd>{t(restored ? 'identity.dialog.restored' : 'identity.dialog.changed')}</dd>
          {statuses.length > 0 && (
            <>
              <dt>{t('identity.dialog.statuses')}</dt>
              <dd>
                {statuses.map(({ purpose, before, after }) => (
                  <div key={purpose}>
                    {t('identity.dialog.turns', { purpose })} <ConsentStatus status={before} />{' '}
                    {t('identity.dialog.into')} <ConsentStatus status={after} />
                  </div>
                ))}
              </dd>
            </>
          )}
          {onSee && (
            <>
              <dt />
              <dd>
                <Link className="link" onClick={onSee} {...linkChanging({ subject: personId })}>
                  {t('identity.dialog.see')}
                </Link>
              </dd>
            </>
          )}
        </dl>
      ))}
    </div>
  )
}
