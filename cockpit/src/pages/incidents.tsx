import { Alert, Button, Checkbox, Textarea, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Incident, Letters } from '../../../schemas/records.ts'
import { get, patch, post } from '../api.ts'
import { saveFile } from '../csv.ts'
import { useFields } from '../fields.ts'
import { date, dateTime, number } from '../format.ts'
import { ClockLine } from '../parts/clock-line.tsx'
import { Badge } from '../parts/exit-badge.tsx'
import { FormDialog } from '../parts/form-dialog.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'

export function IncidentsPage() {
  return (
    <Guard permission="incidents.read">
      <List />
    </Guard>
  )
}

function List() {
  const { t } = useTranslation()
  const may = useMay()
  const [opening, openModal] = useDisclosure()
  const incidents = useQuery({
    queryKey: ['incidents'],
    queryFn: () => get<{ items: Incident[] }>('/api/incidents'),
    refetchInterval: 60_000,
  })
  return (
    <Page title={t('incidents.title')} about={t('incidents.about')} at={incidents.dataUpdatedAt || undefined}>
      {may('incidents.write') && (
        <div>
          <Button onClick={openModal.open}>{t('incidents.open')}</Button>
        </div>
      )}
      {incidents.error ? (
        <Failure error={incidents.error} retry={() => void incidents.refetch()} />
      ) : !incidents.data ? (
        <div className="card">
          <Loading />
        </div>
      ) : incidents.data.items.length === 0 ? (
        <div className="card">
          <Empty title={t('incidents.none')} text={t('incidents.noneText')} />
        </div>
      ) : (
        incidents.data.items.map((incident) => <Card key={incident.id} incident={incident} />)
      )}
      {opening && <Open onClose={openModal.close} />}
    </Page>
  )
}

function Card({ incident }: { incident: Incident }) {
  const { t } = useTranslation()
  const may = useMay()
  const queries = useQueryClient()
  const { facts } = incident
  const update = useMutation({
    mutationFn: (what: 'authority' | 'subjects' | 'supplement' | 'closed') =>
      patch<Incident>(`/api/incidents/${encodeURIComponent(incident.id)}`, { done: { what } }),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['incidents'] }),
  })
  const letters = useMutation({
    mutationFn: async () => {
      const made = await get<Letters>(`/api/incidents/${encodeURIComponent(incident.id)}/letters`)
      for (const { name, type, text } of made.items) saveFile(name, type, text)
      return made
    },
  })
  return (
    <article className="card" aria-labelledby={`incident-${incident.id}`}>
      <div className="card-head">
        <h2 id={`incident-${incident.id}`}>{facts.title}</h2>
        <Badge
          tone={incident.state === 'closed' ? 'delivered' : incident.state === 'notified' ? 'rule' : 'quarantined'}
        >
          {t(`incidents.state.${incident.state}`)}
        </Badge>
        {facts.sensitive && <Badge tone="failed">{t('records.sensitive')}</Badge>}
        <span className="quiet end">{t('incidents.knownAt', { time: dateTime(Date.parse(facts.knownAt)) })}</span>
      </div>
      <p style={{ marginTop: 0 }}>{facts.description}</p>
      {incident.clocks.length > 0 && (
        <ul className="plain spaced">
          {incident.clocks.map((clock) => (
            <ClockLine key={clock.what} clock={clock} />
          ))}
        </ul>
      )}
      {facts.notifiable === false && (
        <Alert variant="outline" mt="sm" title={t('incidents.notNotifiable')}>
          {facts.whyNot}
        </Alert>
      )}
      <dl className="facts" style={{ marginTop: '0.75rem' }}>
        <dt>{t('incidents.affected')}</dt>
        <dd>{incident.affectedPeople === null ? t('incidents.notCounted') : number(incident.affectedPeople)}</dd>
        <dt>{t('incidents.registered')}</dt>
        <dd>{dateTime(incident.registeredAt)}</dd>
        <dt>{t('incidents.keptUntil')}</dt>
        <dd>{date(incident.keptUntil)}</dd>
      </dl>
      <details>
        <summary>{t('incidents.log', { count: incident.log.length })}</summary>
        <ol className="journey" style={{ marginTop: '0.5rem' }}>
          {incident.log.map((line) => (
            <li key={`${line.at} ${line.what}`}>
              {line.what} <span className="quiet">{dateTime(line.at)}</span>
            </li>
          ))}
        </ol>
      </details>
      {update.error && <Failure error={update.error} />}
      {letters.error && <Failure error={letters.error} />}
      <div role="status" className="collapses">
        {letters.data && (
          <Alert variant="outline" mt="sm" title={t('incidents.lettersSaved')}>
            {letters.data.missing.length > 0 && t('incidents.missing', { what: letters.data.missing.join(', ') })}
          </Alert>
        )}
      </div>
      <div className="acts" style={{ justifyContent: 'start', marginTop: '0.75rem' }}>
        <Button size="xs" variant="default" loading={letters.isPending} onClick={() => letters.mutate()}>
          {t('incidents.letters')}
        </Button>
        {may('incidents.write') &&
          incident.state !== 'closed' &&
          [...incident.clocks.filter(({ done }) => done === null).map(({ what }) => what), 'closed' as const].map(
            (what) => (
              <Button
                key={what}
                size="xs"
                variant="default"
                loading={update.isPending && update.variables === what}
                onClick={() => update.mutate(what)}
              >
                {t(`incidents.done.${what}`)}
              </Button>
            ),
          )}
      </div>
    </article>
  )
}

function Open({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const { form, field } = useFields(
    { title: '', description: '', knownAt: '', risks: '', measuresAfter: '' },
    {
      mb: 'sm',
    },
  )
  const [flags, setFlags] = useState({ sensitive: false, minors: false })
  const open = useMutation({
    mutationFn: () =>
      post<Incident>('/api/incidents', {
        title: form.title.trim(),
        description: form.description.trim(),
        knownAt: new Date(form.knownAt).toISOString(),
        ...(form.risks.trim() && { risks: form.risks.trim() }),
        ...(form.measuresAfter.trim() && { measuresAfter: form.measuresAfter.trim() }),
        ...flags,
      }),
    onSuccess: onClose,
    onSettled: () => void queries.invalidateQueries({ queryKey: ['incidents'] }),
  })
  return (
    <FormDialog
      onClose={onClose}
      title={t('incidents.open')}
      text={t('incidents.openText')}
      act={t('incidents.register')}
      pending={open.isPending}
      error={open.error}
      go={() => open.mutate()}
    >
      <TextInput label={t('incidents.what')} required withAsterisk={false} minLength={3} {...field('title')} />
      <Textarea
        label={t('incidents.description')}
        required
        withAsterisk={false}
        minLength={3}
        autosize
        minRows={3}
        {...field('description')}
      />
      <TextInput
        label={t('incidents.known')}
        description={t('incidents.knownHint')}
        type="datetime-local"
        required
        withAsterisk={false}
        {...field('knownAt')}
      />
      <Textarea label={t('incidents.risks')} autosize minRows={2} {...field('risks')} />
      <Textarea label={t('incidents.measures')} autosize minRows={2} {...field('measuresAfter')} />
      {(['sensitive', 'minors'] as const).map((name) => (
        <Checkbox
          key={name}
          mb="xs"
          label={t(`incidents.${name}`)}
          checked={flags[name]}
          onChange={(event) => {
            const { checked } = event.currentTarget
            setFlags((before) => ({ ...before, [name]: checked }))
          }}
        />
      ))}
    </FormDialog>
  )
}
