import { Alert, Button, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { HubStatus } from '../../../schemas/admin.ts'
import type { BeginAnswer, Connections } from '../../../schemas/connections.ts'
import { linkTo } from '../address.ts'
import { get, post, remove } from '../api.ts'
import { ago, date } from '../format.ts'
import { useMay } from '../session.ts'
import { Confirm } from './confirm.tsx'
import { Badge, type Tone } from './exit-badge.tsx'
import { FormDialog } from './form-dialog.tsx'
import { useNow } from './states.tsx'

type Connection = Connections['items'][number]

const TONES: Readonly<Record<Connection['state'], Tone>> = {
  connected: 'delivered',
  expiring: 'consent',
  needs_connection: 'failed',
  never: 'consent',
}

export const useConnections = () =>
  useQuery({
    queryKey: ['connections'],
    queryFn: () => get<Connections>('/api/connections'),
    refetchInterval: 15_000,
  })

/** The account a destination sends with; nothing where its settings hold a credential. */
export function Account({ destination }: { destination: string }) {
  const { data } = useConnections()
  const connection = data?.items.find((one) => one.destination === destination)
  return data && connection ? <Shown connection={connection} redirectUrl={data.redirectUrl} /> : null
}

function Shown({ connection, redirectUrl }: { connection: Connection; redirectUrl: string }) {
  const { t } = useTranslation()
  const may = useMay()
  const now = useNow(10_000)
  const queries = useQueryClient()
  const [open, setOpen] = useState<'connect' | 'disconnect' | undefined>()
  const { destination, name, state, problem, waiting } = connection
  const begin = useMutation({
    mutationFn: () => post<BeginAnswer>(`/api/connections/${destination}/begin`),
    onSuccess: ({ url }) => location.assign(url),
  })
  const forget = useMutation({
    mutationFn: () => remove(`/api/connections/${destination}`),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['connections'] }),
  })
  return (
    <div>
      <div className="connector-part">{t('connections.account')}</div>
      <div>
        <Badge tone={TONES[state]}>{t(`connections.state.${state}`)}</Badge>{' '}
        {connection.connectedAt !== null && (
          <span className="quiet">
            {t('connections.since', { at: ago(connection.connectedAt, now), who: connection.connectedBy ?? '' })}
            {connection.refreshedAt !== null &&
              ` · ${t('connections.renewed', { at: ago(connection.refreshedAt, now) })}`}
          </span>
        )}
      </div>
      {state === 'expiring' && connection.refreshExpiresAt !== null && (
        <p style={{ margin: '0.25rem 0' }}>{t('connections.ends', { name, day: date(connection.refreshExpiresAt) })}</p>
      )}
      {problem !== null && (
        <p className="quiet" style={{ margin: '0.25rem 0' }}>
          {t('connections.why', { problem })}
        </p>
      )}
      {waiting > 0 && <p style={{ margin: '0.25rem 0' }}>{t('connections.waiting', { count: waiting })}</p>}
      {may('connectors.write') && (
        <div style={{ display: 'flex', gap: '0.5rem', marginTop: '0.5rem', flexWrap: 'wrap' }}>
          <Button
            size="compact-sm"
            variant={state === 'connected' ? 'default' : 'filled'}
            onClick={() => setOpen('connect')}
          >
            {t(state === 'never' ? 'connections.connect' : 'connections.again')}
          </Button>
          {state !== 'never' && (
            <Button size="compact-sm" variant="default" onClick={() => setOpen('disconnect')}>
              {t('connections.disconnect')}
            </Button>
          )}
        </div>
      )}
      <FormDialog
        opened={open === 'connect'}
        onClose={() => setOpen(undefined)}
        title={t('connections.connectTitle', { name })}
        text={t('connections.connectText', { name })}
        act={t('connections.go', { name })}
        pending={begin.isPending || begin.isSuccess}
        error={begin.error}
        go={() => begin.mutate()}
      >
        <TextInput label={t('connections.redirect')} value={redirectUrl} readOnly mb="md" />
      </FormDialog>
      <Confirm
        opened={open === 'disconnect'}
        onClose={() => setOpen(undefined)}
        title={t('connections.disconnect')}
        text={t('connections.disconnectText', { name })}
        act={t('connections.disconnect')}
        go={() => forget.mutate()}
      />
    </div>
  )
}

/** On every page, while an account has to be connected or its grant ends soon. */
export function ConnectionBanner() {
  const { t } = useTranslation()
  const may = useMay()
  const { data } = useQuery({
    queryKey: ['status'],
    queryFn: () => get<HubStatus>('/api/status'),
    refetchInterval: 60_000,
    enabled: may('overview.read'),
  })
  if (!data) return null
  const { needed, expiring } = data.connections
  if (needed.length === 0 && expiring.length === 0) return null
  return (
    <Alert color={needed.length > 0 ? 'red' : 'yellow'} variant="outline" role="status" mb="md">
      {needed.length > 0 && t('connections.bannerNeeded', { list: needed.join(', ') })}{' '}
      {expiring.length > 0 && t('connections.bannerExpiring', { list: expiring.join(', ') })}{' '}
      {may('connectors.read') && (
        <Link className="link" {...linkTo('/connectors')}>
          {t('connections.bannerGo')}
        </Link>
      )}
    </Alert>
  )
}
