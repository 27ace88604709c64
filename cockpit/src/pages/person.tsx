/** One person: found by an exact identifier with the reason, told by pseudonym, as of any date. */
import { Alert, Button, NativeSelect, Slider, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { PersonFound, PersonTimeline, TimelineItem } from '../../../schemas/people.ts'
import type { Revealed } from '../../../schemas/records.ts'
import { linkChanging, linkTo, useAddress, useChangeAddress } from '../address.ts'
import { get, post, withQuery } from '../api.ts'
import { useFields } from '../fields.ts'
import { date, dateTime, dayRange } from '../format.ts'
import { ConsentStatus, useConsentWords } from '../parts/consent-words.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { StatusBadge } from '../parts/exit-badge.tsx'
import { Identity } from '../parts/identity.tsx'
import { Page } from '../parts/page.tsx'
import { Reveal } from '../parts/reveal.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'

export function PersonPage() {
  return (
    <Guard permission="ledger.read">
      <Person />
    </Guard>
  )
}

const TYPES = ['email', 'phone', 'cpf', 'userId'] as const

function Person() {
  const { t } = useTranslation()
  const may = useMay()
  const { subject, until } = useAddress()
  const asOf = dayRange(undefined, until).to
  const timeline = useQuery({
    queryKey: ['person', subject, asOf],
    queryFn: () =>
      get<PersonTimeline>(withQuery(`/api/people/${encodeURIComponent(subject ?? '')}/timeline`, { asOf })),
    enabled: subject !== undefined,
    placeholderData: (before) => before,
  })
  return (
    <Page title={t('person.title')} about={t('person.about')} at={timeline.dataUpdatedAt || undefined}>
      {may('people.reveal') && <Find />}
      {subject === undefined ? (
        <div className="card">
          <Empty title={t('person.none')} text={t(may('people.reveal') ? 'person.noneText' : 'person.noneAuditor')} />
        </div>
      ) : timeline.error ? (
        <Failure error={timeline.error} retry={() => void timeline.refetch()} />
      ) : !timeline.data ? (
        <div className="card">
          <Loading lines={8} />
        </div>
      ) : (
        <Known timeline={timeline.data} />
      )}
    </Page>
  )
}

function Find() {
  const { t } = useTranslation()
  const change = useChangeAddress()
  const { form, set, field } = useFields({ type: 'email', value: '', reason: '' }, { size: 'xs' })
  const find = useMutation({
    mutationFn: () =>
      post<PersonFound>('/api/people/find', { type: form.type, value: form.value.trim(), reason: form.reason.trim() }),
    onSuccess: ({ people }) => {
      if (people.length > 0) change({ subject: people[0]!.personId, until: undefined })
      // What identifies somebody does not stay on the screen.
      set('value', '')
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    find.mutate()
  }
  return (
    <search>
      <form className="card filters" onSubmit={submit}>
        <NativeSelect
          label={t('requests.identifier')}
          data={TYPES.map((value) => ({ value, label: t(`requests.identifiers.${value}`) }))}
          {...field('type')}
        />
        <TextInput
          label={t('person.value')}
          required
          withAsterisk={false}
          autoComplete="off"
          style={{ flex: '1 1 14rem' }}
          {...field('value')}
        />
        <TextInput
          label={t('person.reason')}
          placeholder={t('person.reasonHint')}
          required
          withAsterisk={false}
          minLength={10}
          maxLength={500}
          style={{ flex: '1 1 18rem' }}
          {...field('reason')}
        />
        <Button size="xs" type="submit" loading={find.isPending}>
          {t('person.find')}
        </Button>
      </form>
      <div role="status" className="collapses">
        {find.data?.people.length === 0 && (
          <Alert mt="sm" variant="outline" title={t('person.unknown')}>
            {t('person.unknownText')}
          </Alert>
        )}
        {find.data !== undefined && find.data.people.length > 1 && (
          <Alert mt="sm" variant="outline" title={t('person.several')}>
            {find.data.people.map(({ personId }) => (
              <Link key={personId} className="link mono" {...linkChanging({ subject: personId })}>
                {personId}{' '}
              </Link>
            ))}
          </Alert>
        )}
      </div>
      {find.error && <Failure error={find.error} />}
    </search>
  )
}

function Known({ timeline }: { timeline: PersonTimeline }) {
  const { t } = useTranslation()
  const may = useMay()
  const [revealed, setRevealed] = useState<Revealed>()
  const shown = revealed?.personId === timeline.personId ? revealed : undefined
  return (
    <>
      <section className="card" aria-label={t('person.who')}>
        <dl className="facts">
          <dt>{t('now.detail.person')}</dt>
          <dd className="mono">{timeline.personId}</dd>
          <dt>{t('person.subjects')}</dt>
          <dd className="mono">{timeline.subjects.join(' ')}</dd>
        </dl>
        <Reveal key={timeline.personId} personId={timeline.personId} shown={shown} onShown={setRevealed} />
      </section>
      <AsOf timeline={timeline} />
      <Statuses statuses={timeline.statuses} />
      <Items timeline={timeline} />
      {may('consent.read') && <Identity personId={timeline.personId} revealed={shown} />}
    </>
  )
}

const DAY_MS = 86_400_000
const dayOf = (at: number) => Math.floor(at / DAY_MS)

/** The slider and the field are two ways to the same day. */
function AsOf({ timeline }: { timeline: PersonTimeline }) {
  const { t } = useTranslation()
  const change = useChangeAddress()
  const { until } = useAddress()
  const today = dayOf(Date.now())
  const [first] = useState(() => Math.min(today - 1, dayOf(timeline.firstAt ?? Date.now())))
  const chosen = until === undefined ? today : dayOf(Date.parse(`${until}T00:00:00Z`))
  const [moving, setMoving] = useState<number>()
  const go = (day: number) => {
    setMoving(undefined)
    change({ until: day >= today ? undefined : new Date(day * DAY_MS).toISOString().slice(0, 10) }, { replace: true })
  }
  return (
    <section className="card" aria-labelledby="as-of">
      <div className="card-head">
        <h2 id="as-of">{t('person.asOf')}</h2>
        <strong role="status">
          {(moving ?? chosen) >= today ? t('person.today') : date((moving ?? chosen) * DAY_MS + DAY_MS / 2)}
        </strong>
        <div className="end">
          <TextInput
            type="date"
            size="xs"
            aria-label={t('person.day')}
            value={until ?? ''}
            onChange={(event) => change({ until: event.currentTarget.value || undefined }, { replace: true })}
          />
          {until !== undefined && (
            <Button size="xs" variant="default" onClick={() => go(today)}>
              {t('person.today')}
            </Button>
          )}
        </div>
      </div>
      <Slider
        thumbLabel={t('person.asOf')}
        thumbProps={{ 'aria-valuetext': date((moving ?? chosen) * DAY_MS + DAY_MS / 2) }}
        min={first}
        max={today}
        step={1}
        label={(day) => date(day * DAY_MS + DAY_MS / 2)}
        value={moving ?? Math.max(first, chosen)}
        onChange={setMoving}
        onChangeEnd={go}
      />
    </section>
  )
}

function Statuses({ statuses }: { statuses: PersonTimeline['statuses'] }) {
  const { t } = useTranslation()
  const columns: readonly Column<PersonTimeline['statuses'][number]>[] = [
    {
      id: 'purpose',
      title: t('deliveries.purpose'),
      place: 'main',
      cell: ({ purpose }) => <strong>{purpose}</strong>,
      csv: ({ purpose }) => purpose,
    },
    {
      id: 'status',
      title: t('deliveries.status'),
      place: 'state',
      cell: ({ status }) => <ConsentStatus status={status} />,
      csv: ({ status }) => status,
    },
    {
      id: 'whose',
      title: t('purposes.scope'),
      cell: ({ device, subject }) => <span title={subject}>{t(device ? 'purposes.device' : 'purposes.person')}</span>,
      csv: ({ subject }) => subject,
    },
    {
      id: 'since',
      title: t('settings.since'),
      cell: ({ at }) => dateTime(at),
      csv: ({ at }) => new Date(at).toISOString(),
    },
    {
      id: 'proof',
      title: t('ledger.column.proof'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: ({ entryId }) => <ProofLink id={entryId} />,
      csv: ({ entryId }) => entryId,
    },
  ]
  return (
    <section aria-labelledby="statuses">
      <h2 id="statuses" className="section-title">
        {t('person.statuses')}
      </h2>
      <DataTable
        listing={{ rows: statuses, error: undefined, at: undefined, retry: () => undefined }}
        columns={columns}
        rowKey={({ subject, purpose }) => `${subject} ${purpose}`}
        label={t('person.statuses')}
        file={t('person.statusesFile')}
        empty={{ title: t('person.noStatus'), text: t('person.noStatusText') }}
      />
    </section>
  )
}

function ProofLink({ id }: { id: string }) {
  const { t } = useTranslation()
  return (
    <Button
      component={Link}
      {...linkChanging({ entry: id })}
      size="compact-sm"
      variant="default"
      aria-label={t('ledger.proofOf', { id })}
    >
      {t('ledger.column.proof')}
    </Button>
  )
}

function Items({ timeline }: { timeline: PersonTimeline }) {
  const { t } = useTranslation()
  const may = useMay()
  const words = useConsentWords()
  const columns: readonly Column<TimelineItem>[] = [
    {
      id: 'at',
      title: t('ledger.column.at'),
      sort: 'descending',
      nowrap: true,
      cell: ({ at }) => dateTime(at),
      csv: ({ at }) => new Date(at).toISOString(),
    },
    {
      id: 'what',
      title: t('person.what'),
      place: 'main',
      cell: ({ kind, what }) => (
        <span>
          <strong>{t(`person.kind.${kind}`)}</strong>{' '}
          <span className="quiet">{kind === 'consent' ? words.act(what) : what}</span>
        </span>
      ),
      csv: ({ kind, what }) => `${kind} ${what}`,
    },
    {
      id: 'purpose',
      title: t('deliveries.purpose'),
      cell: ({ purpose }) => purpose ?? <span className="quiet">{t('app.none')}</span>,
      csv: ({ purpose }) => purpose,
    },
    {
      id: 'status',
      title: t('deliveries.status'),
      place: 'state',
      cell: ({ kind, status }) =>
        status === null ? null : kind === 'consent' ? (
          <ConsentStatus status={status} />
        ) : kind === 'delivery' ? (
          <StatusBadge status={status === 'open' ? 'queued' : status} />
        ) : (
          <span className="mono quiet">{status}</span>
        ),
      csv: ({ status }) => status,
    },
    {
      id: 'acts',
      title: t('quarantine.acts'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: ({ kind, id, entryId }) => (
        <span className="acts">
          {kind === 'delivery' && may('deliveries.read') && (
            <Button
              component={Link}
              {...linkChanging({ delivery: id })}
              size="compact-sm"
              variant="default"
              aria-label={t('deliveries.whyOf', { id })}
            >
              {t('deliveries.why')}
            </Button>
          )}
          {kind === 'consent' && entryId !== null && <ProofLink id={entryId} />}
        </span>
      ),
      csv: ({ id }) => id,
    },
  ]
  return (
    <section aria-labelledby="timeline">
      <h2 id="timeline" className="section-title">
        {t('person.timeline')}{' '}
        {timeline.truncated && <small className="quiet section-note">{t('person.truncated')}</small>}
      </h2>
      <DataTable
        listing={{ rows: timeline.items, error: undefined, at: undefined, retry: () => undefined }}
        columns={columns}
        rowKey={({ kind, id }) => `${kind} ${id}`}
        label={t('person.timeline')}
        file={t('person.file')}
        empty={{ title: t('person.nothing'), text: t('person.nothingText') }}
      />
      <p>
        <Link className="link" {...linkTo('/privacy/requests')}>
          {t('person.toRequests')}
        </Link>
      </p>
    </section>
  )
}
