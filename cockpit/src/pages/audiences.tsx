import { Alert, Button, Checkbox, Drawer } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { AudienceLeft, AudienceMember, AudienceSummary, AudienceSync } from '../../../schemas/audience.ts'
import { linkChanging, useAddress, useChangeAddress } from '../address.ts'
import { get, post } from '../api.ts'
import { dateTime, number, utcDay } from '../format.ts'
import { currentLanguage } from '../i18n/index.ts'
import { listingOf } from '../listing.ts'
import { LineChart } from '../parts/charts.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Badge, type Tone, useExits } from '../parts/exit-badge.tsx'
import { FormDialog } from '../parts/form-dialog.tsx'
import { Page } from '../parts/page.tsx'
import { Section } from '../parts/section.tsx'
import { Failure, Loading } from '../parts/states.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'
import { told } from '../words.ts'

export function AudiencesPage() {
  return (
    <Guard permission="rules.read">
      <Audiences />
    </Guard>
  )
}

const total = (rows: readonly { readonly count: number }[]) => rows.reduce((sum, { count }) => sum + count, 0)
const movedIn = ({ days }: AudienceSummary) => ({
  entered: number(days.reduce((sum, day) => sum + day.entered, 0)),
  left: number(days.reduce((sum, day) => sum + day.left, 0)),
})

function Audiences() {
  const { t } = useTranslation()
  const { item } = useAddress()
  const change = useChangeAddress()
  const list = useQuery({
    queryKey: ['audiences', 'list'],
    queryFn: () => get<{ items: AudienceSummary[] }>('/api/audiences'),
    refetchInterval: 15_000,
  })
  const chosen = list.data?.items.find(({ id }) => id === item)
  const columns: readonly Column<AudienceSummary>[] = [
    {
      id: 'audience',
      title: t('audiences.audience'),
      place: 'main',
      cell: ({ id, title, filling }) => (
        <span>
          <strong>{told(title)}</strong> <span className="mono quiet">{id}</span>{' '}
          {filling && <Badge tone="waiting">{t('audiences.filling')}</Badge>}
        </span>
      ),
      csv: ({ id }) => id,
    },
    {
      id: 'size',
      title: t('audiences.size'),
      right: true,
      cell: ({ size }) => number(size),
      csv: ({ size }) => size,
    },
    {
      id: 'moved',
      title: t('audiences.moved'),
      right: true,
      nowrap: true,
      cell: (audience) => t('audiences.movedOf', movedIn(audience)),
      csv: (audience) => t('audiences.movedOf', movedIn(audience)),
    },
    {
      id: 'destinations',
      title: t('audiences.destinations'),
      cell: ({ destinations }) =>
        destinations.length === 0 ? (
          <span className="quiet">{t('audiences.nowhere')}</span>
        ) : (
          <span className="acts" style={{ justifyContent: 'start' }}>
            {destinations.map(({ destination, counts }) => (
              <span key={destination}>
                {destination} <StandBadge counts={counts} />
              </span>
            ))}
          </span>
        ),
      csv: ({ destinations }) => destinations.map(({ destination }) => destination).join(', '),
    },
    {
      id: 'see',
      title: t('audiences.see'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: ({ id, title }) => (
        <Button
          component={Link}
          {...linkChanging({ item: id })}
          size="compact-sm"
          variant="default"
          aria-label={t('audiences.seeOf', { audience: told(title) })}
        >
          {t('audiences.see')}
        </Button>
      ),
    },
  ]
  return (
    <Page title={t('audiences.title')} about={t('audiences.about')} at={list.dataUpdatedAt || undefined}>
      <Left />
      <DataTable
        listing={listingOf(list)}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('audiences.title')}
        file={t('audiences.file')}
        empty={{ title: t('audiences.empty'), text: t('audiences.emptyText') }}
      />
      <Drawer
        opened={chosen !== undefined}
        onClose={() => change({ item: undefined })}
        position="right"
        size="xl"
        title={<strong>{chosen && told(chosen.title)}</strong>}
        closeButtonProps={{ 'aria-label': t('app.close') }}
      >
        {chosen && <Parts key={chosen.id} audience={chosen} />}
      </Drawer>
    </Page>
  )
}

/** Whoever is on a list that the configuration no longer describes: nobody else would notice. */
function Left() {
  const { t } = useTranslation()
  const left = useQuery({
    queryKey: ['audiences', 'left'],
    queryFn: () => get<{ items: AudienceLeft[] }>('/api/audience-lists/left'),
  })
  if (!left.data || left.data.items.length === 0) return null
  const worst = left.data.items.some(({ state }) => state !== 'leaving')
  return (
    <Alert color={worst ? 'red' : 'yellow'} variant="outline" role="status" mb="md" title={t('audiences.behind.title')}>
      <ul>
        {left.data.items.map(({ audience, destination, state, people }) => (
          <li key={`${audience} ${destination} ${state}`}>
            {t(`audiences.behind.${state}`, { audience, destination, n: number(people) })}
          </li>
        ))}
      </ul>
    </Alert>
  )
}

type Counts = AudienceSummary['destinations'][number]['counts']

/** The worst of it in a word: failures, then what is under way. */
function StandBadge({ counts }: { counts: Counts }) {
  const { t } = useTranslation()
  const failed = total(counts.failed)
  const pending = counts.pending + counts.removing
  if (failed > 0) return <Badge tone="failed">{t('audiences.failing', { n: number(failed) })}</Badge>
  if (pending > 0) return <Badge tone="waiting">{t('audiences.waiting', { n: number(pending) })}</Badge>
  return <Badge tone="delivered">{t('audiences.upToDate')}</Badge>
}

function Parts({ audience }: { audience: AudienceSummary }) {
  const { t } = useTranslation()
  const may = useMay()
  const [asking, askModal] = useDisclosure()
  const [said, setSaid] = useState(false)
  const { description, purpose, words, size, days, destinations } = audience
  const clauses = currentLanguage() === 'en' ? words.en : words.pt
  return (
    <div>
      {description && <p style={{ marginTop: 0 }}>{told(description)}</p>}
      <dl className="facts">
        <dt>{t('audiences.size')}</dt>
        <dd>{number(size)}</dd>
        <dt>{t('audiences.purpose')}</dt>
        <dd className="mono">{purpose}</dd>
      </dl>
      <Section title={t('audiences.definition')}>
        {clauses.length === 0 ? (
          <p>{t('audiences.definitionHeldOut')}</p>
        ) : (
          <ul>
            {clauses.map((clause) => (
              <li key={clause}>{clause}</li>
            ))}
          </ul>
        )}
      </Section>
      <Section title={t('audiences.sync.title')}>
        {destinations.length === 0 ? (
          <p className="quiet">{t('audiences.sync.none')}</p>
        ) : (
          <>
            {destinations.map((one) => (
              <Destination key={one.destination} destination={one} />
            ))}
            {may('rules.write') && (
              <Button size="xs" variant="default" onClick={askModal.open}>
                {t('audiences.sync.open')}
              </Button>
            )}{' '}
            <span role="status" className="quiet">
              {said && t('audiences.sync.done')}
            </span>
          </>
        )}
      </Section>
      <Section title={t('audiences.days')}>
        {days.length === 0 ? (
          <p className="quiet">{t('audiences.noDays')}</p>
        ) : (
          <>
            <p style={{ marginTop: 0 }}>{t('audiences.daysText', movedIn(audience))}</p>
            <Days days={days} />
          </>
        )}
      </Section>
      <Members id={audience.id} />
      {asking && (
        <SyncDialog
          audience={audience}
          onClose={askModal.close}
          done={() => {
            askModal.close()
            setSaid(true)
          }}
        />
      )}
    </div>
  )
}

function Destination({
  destination: { destination, counts },
}: {
  destination: AudienceSummary['destinations'][number]
}) {
  const { t } = useTranslation()
  const { text } = useExits()
  return (
    <div style={{ marginBottom: '1rem' }}>
      <strong>{destination}</strong> <StandBadge counts={counts} />
      <dl className="facts">
        {(['in', 'pending', 'removing', 'blocked'] as const).map((name) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>{t(`audiences.sync.${name}`)}</dt>
            <dd>{number(counts[name])}</dd>
          </div>
        ))}
        <dt>{t('audiences.sync.failed')}</dt>
        <dd>
          {number(total(counts.failed))}
          {counts.failed.map(({ reason, count }) => (
            <div key={reason} className="quiet">
              {text(reason)} <span className="mono">{reason}</span>: {number(count)}
            </div>
          ))}
        </dd>
        <dt>{t('audiences.sync.notTold')}</dt>
        <dd>
          {number(counts.notTold)} <span className="quiet">{t('audiences.sync.notToldWhy', counts.notToldWhy)}</span>
        </dd>
      </dl>
    </div>
  )
}

const DAY_MS = 86_400_000
const SHOWN = 30

/** Days that nobody entered or left are counted too: nothing happened is not nothing known. */
function Days({ days }: { days: AudienceSummary['days'] }) {
  const { t } = useTranslation()
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
  const at = Array.from({ length: SHOWN }, (_, index) => today - (SHOWN - 1 - index) * DAY_MS)
  const of = (ms: number) => days.find(({ day }) => day === new Date(ms).toISOString().slice(0, 10))
  return (
    <LineChart
      at={at}
      time={utcDay}
      series={[
        { name: t('audiences.entered'), values: at.map((ms) => of(ms)?.entered ?? 0) },
        { name: t('audiences.left'), values: at.map((ms) => of(ms)?.left ?? 0) },
      ]}
      label={t('audiences.days')}
    />
  )
}

const STATE_TONES: Readonly<Record<AudienceMember['destinations'][number]['state'], Tone>> = {
  in: 'delivered',
  pending: 'waiting',
  removing: 'waiting',
  failed: 'failed',
  blocked: 'consent',
  held_out: 'experiment',
  no_consent: 'consent',
  not_reachable: 'no_purpose',
  waiting: 'waiting',
}

function Members({ id }: { id: string }) {
  const { t } = useTranslation()
  const { text } = useExits()
  const members = useQuery({
    queryKey: ['audiences', 'members', id],
    queryFn: () => get<{ items: AudienceMember[] }>(`/api/audiences/${encodeURIComponent(id)}/members`),
  })
  return (
    <Section title={t('audiences.members')}>
      <p className="quiet" style={{ marginTop: 0 }}>
        {t('audiences.membersText')}
      </p>
      {members.error ? (
        <Failure error={members.error} retry={() => void members.refetch()} />
      ) : !members.data ? (
        <Loading />
      ) : members.data.items.length === 0 ? (
        <p>{t('audiences.noMembers')}</p>
      ) : (
        <ul className="journey">
          {members.data.items.map(({ personId, since, why, destinations }) => (
            <li key={personId}>
              <span className="mono">{personId}</span>{' '}
              <span className="quiet">
                {t('audiences.since')} {dateTime(Date.parse(since))}
              </span>
              {why.length > 0 && (
                <details>
                  <summary>{t('audiences.why')}</summary>
                  <ul>
                    {why.map((clause) => (
                      <li key={clause.id}>
                        {currentLanguage() === 'en' ? clause.clause : clause.pt}{' '}
                        <Shown value={clause.value} unit={clause.unit} />
                      </li>
                    ))}
                  </ul>
                </details>
              )}
              <div className="acts" style={{ justifyContent: 'start' }}>
                {destinations.map(({ destination, state, reason }) => (
                  <span key={destination}>
                    {destination}{' '}
                    <Badge tone={STATE_TONES[state]} {...(reason !== null && { title: text(reason) })}>
                      {t(`audiences.state.${state}`)}
                    </Badge>
                  </span>
                ))}
              </div>
            </li>
          ))}
        </ul>
      )}
    </Section>
  )
}

function Shown({ value, unit }: { value: AudienceMember['why'][number]['value']; unit: 'cents' | undefined }) {
  const { t } = useTranslation()
  if (value === null || typeof value === 'boolean') return null
  const text = typeof value === 'number' ? number(unit === 'cents' ? value / 100 : value) : value
  return <span className="quiet">({t('why.actual', { value: text })})</span>
}

function SyncDialog({
  audience: { id, title },
  onClose,
  done,
}: {
  audience: AudienceSummary
  onClose: () => void
  done: () => void
}) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const [full, setFull] = useState(false)
  const sync = useMutation({
    mutationFn: () => post<AudienceSync>('/api/audiences/sync', { audience: id, full }),
    onSuccess: done,
    onSettled: () => void queries.invalidateQueries({ queryKey: ['audiences'] }),
  })
  return (
    <FormDialog
      onClose={onClose}
      title={t('audiences.sync.ask', { audience: told(title) })}
      text={t('audiences.sync.askText')}
      act={t('audiences.sync.go')}
      pending={sync.isPending}
      error={sync.error}
      go={() => sync.mutate()}
    >
      <Checkbox
        label={t('audiences.sync.full')}
        description={t('audiences.sync.fullHint')}
        checked={full}
        onChange={(event) => setFull(event.currentTarget.checked)}
      />
    </FormDialog>
  )
}
