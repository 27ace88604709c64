/** One request: what is due, who asks, what would be done, what each recipient said, and the acts that are possible now. */
import { Button, Drawer, NativeSelect, Textarea } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { RequestContent, RequestDetail, RequestPlan, RequestRecipient } from '../../../schemas/requests.ts'
import { useAddress, useChangeAddress } from '../address.ts'
import { get, post } from '../api.ts'
import { saveBytes } from '../csv.ts'
import { date, dateTime, number } from '../format.ts'
import { useMay } from '../session.ts'
import { told } from '../words.ts'
import { Confirm } from './confirm.tsx'
import { Badge, type Tone } from './exit-badge.tsx'
import { ReasonDialog } from './reason-dialog.tsx'
import { RequestClockBadge } from './request-clock.tsx'
import { Failure, Loading } from './states.tsx'
import { type Upload, UploadField } from './upload.tsx'

export function RequestDrawer() {
  const { t } = useTranslation()
  const { item } = useAddress()
  const change = useChangeAddress()
  return (
    <Drawer
      opened={item !== undefined}
      onClose={() => change({ item: undefined })}
      position="right"
      size="xl"
      title={<strong>{t('requests.one')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      {item !== undefined && <Detail key={item} id={item} />}
    </Drawer>
  )
}

const url = (id: string, act = '') => `/api/requests/${encodeURIComponent(id)}${act}`

/** Each act answers with the request as it is then. */
function useAct(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ act, body }: { act: string; body: unknown }) => post<unknown>(url(id, act), body),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['requests'] }),
  })
}

function Detail({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['requests', 'one', id],
    queryFn: () => get<RequestDetail>(url(id)),
    // Reading names is logged: once when it is opened, and after each act.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  })
  if (error) return <Failure error={error} retry={() => void refetch()} />
  if (!data) return <Loading lines={8} />
  return <View detail={data} />
}

function View({ detail }: { detail: RequestDetail }) {
  const { t, i18n } = useTranslation()
  const step = (what: string) =>
    i18n.exists(`requests.step.${what}`) ? t(`requests.step.${what}` as 'requests.step.opened') : what
  const { request, person, plan, recipients, files, log, answer } = detail
  return (
    <div>
      <p className="lead">
        {told(request.title)} <span className="quiet">{request.article}</span>
      </p>
      <div className="acts">
        <Badge tone="rule">{t(`requests.state.${request.state}`)}</Badge>
        {request.closedAt === null && <RequestClockBadge request={request} />}
        {request.duplicateOf !== null && <Badge tone="duplicate">{t('requests.duplicate')}</Badge>}
      </div>
      {request.needs !== null && <p>{told(request.needs)}</p>}
      <ul className="plain spaced">
        {request.clocks.map((clock) => (
          <li key={clock.id}>
            {told(clock.label)}{' '}
            <span className="quiet">
              {clock.doneAt === null
                ? t('clock.until', { time: dateTime(clock.dueAt) })
                : t('clock.done', { time: dateTime(clock.doneAt) })}
              {clock.law !== null && ` · ${clock.law}`}
            </span>
          </li>
        ))}
      </ul>
      <Acts detail={detail} />

      <section className="section">
        <h3>{t('requests.who')}</h3>
        {person === null ? (
          <p style={{ margin: 0 }}>
            {t('requests.pseudonym')} <span className="mono">{request.subject ?? t('app.none')}</span>
          </p>
        ) : (
          <dl className="facts">
            {person.name !== null && (
              <>
                <dt>{t('requests.name')}</dt>
                <dd>{person.name}</dd>
              </>
            )}
            {person.contact !== null && (
              <>
                <dt>{t('requests.contact')}</dt>
                <dd>{person.contact}</dd>
              </>
            )}
            {person.identifiers.map(({ type, value }) => (
              <div key={`${type} ${value}`} style={{ display: 'contents' }}>
                <dt>{type}</dt>
                <dd>{value}</dd>
              </div>
            ))}
            {person.representative !== null && (
              <>
                <dt>{t('requests.representative')}</dt>
                <dd>
                  {person.representative.name} · {person.representative.proof}
                </dd>
              </>
            )}
            <dt>{t('requests.assurance')}</dt>
            <dd>
              {t(`requests.assurances.${request.assurance}`)}
              {person.identityCheck !== null && ` · ${person.identityCheck}`}
            </dd>
            {person.text !== null && (
              <>
                <dt>{t('requests.text')}</dt>
                <dd>{person.text}</dd>
              </>
            )}
          </dl>
        )}
      </section>

      {plan !== null && <Plan plan={plan} />}
      {recipients.length > 0 && <Recipients detail={detail} />}
      {files.length > 0 && <Files detail={detail} />}
      {answer !== null && (
        <section className="section">
          <h3>{t('requests.answer')}</h3>
          <p style={{ margin: 0, whiteSpace: 'pre-wrap' }}>{answer}</p>
        </section>
      )}
      <section className="section">
        <h3>{t('requests.log')}</h3>
        <ol className="journey">
          {log.map((line) => (
            <li key={`${line.at} ${line.what} ${line.detail}`}>
              {step(line.what)} {line.detail !== null && <span className="quiet">{line.detail}</span>}
              <div className="quiet">{dateTime(line.at)}</div>
            </li>
          ))}
        </ol>
      </section>
    </div>
  )
}

function Acts({ detail }: { detail: RequestDetail }) {
  const { t } = useTranslation()
  const may = useMay()
  const { request, plan } = detail
  const act = useAct(request.id)
  const [asking, setAsking] = useState<'run' | 'ask' | 'identity' | 'refuse' | 'answer'>()
  if (!may('requests.write') || request.closedAt !== null) return null
  const can = (name: string) => detail.may.includes(name)
  const go = (name: string, body: unknown) => act.mutate({ act: name, body }, { onSuccess: () => setAsking(undefined) })
  const close = () => setAsking(undefined)
  return (
    <div className="section">
      <div className="acts" style={{ justifyContent: 'start' }}>
        {can('identify') && (
          <Button size="xs" variant="default" onClick={() => setAsking('identity')}>
            {t('requests.act.identity')}
          </Button>
        )}
        {can('ask_identity') && request.kind === 'subject' && (
          <Button size="xs" variant="default" onClick={() => setAsking('ask')}>
            {t('requests.act.ask')}
          </Button>
        )}
        {can('plan') && (
          <Button size="xs" variant="default" loading={act.isPending} onClick={() => go('/plan', {})}>
            {t('requests.act.plan')}
          </Button>
        )}
        {can('execute') && (
          <Button size="xs" onClick={() => setAsking('run')}>
            {t(plan === null ? 'requests.act.run' : 'requests.act.approve')}
          </Button>
        )}
        {can('answer') && (
          <Button size="xs" variant="default" onClick={() => setAsking('answer')}>
            {t('requests.act.answer')}
          </Button>
        )}
        {can('refuse') && (
          <Button size="xs" variant="default" onClick={() => setAsking('refuse')}>
            {t('requests.act.refuse')}
          </Button>
        )}
      </div>
      {act.error && asking === undefined && <Failure error={act.error} />}
      <Confirm
        opened={asking === 'run'}
        onClose={close}
        title={t('requests.runTitle')}
        text={plan === null ? t('requests.runText') : told(plan.summary)}
        act={t('requests.act.approve')}
        go={() => act.mutate({ act: '/run', body: plan === null ? {} : { planHash: plan.hash } })}
      />
      {asking === 'ask' && (
        <ReasonDialog
          opened
          onClose={close}
          title={t('requests.act.ask')}
          text={t('requests.askText')}
          label={t('requests.askMissing')}
          act={t('requests.act.askGo')}
          least={3}
          pending={act.isPending}
          error={act.error}
          go={(missing) => go('/ask-identity', { missing })}
        />
      )}
      {asking === 'identity' && (
        <ReasonDialog
          opened
          onClose={close}
          title={t('requests.act.identity')}
          text={t('requests.identityText')}
          label={t('requests.identityCheck')}
          act={t('requests.act.identityGo')}
          least={3}
          pending={act.isPending}
          error={act.error}
          go={(check) => go('/identity', { assurance: 'document', check })}
        />
      )}
      {asking === 'answer' && (
        <ReasonDialog
          opened
          onClose={close}
          title={t('requests.act.answer')}
          text={t('requests.answerText')}
          label={t('requests.answer')}
          act={t('requests.act.answer')}
          pending={act.isPending}
          error={act.error}
          go={(text) => go('/answer', { text })}
        />
      )}
      {asking === 'refuse' && <Refuse act={act} onClose={close} go={(body) => go('/refuse', body)} />}
    </div>
  )
}

const GROUNDS = [
  'identity_not_proven',
  'not_the_subject',
  'not_agent',
  'legal_obligation',
  'legal_claims',
  'fact_or_law',
  'trade_secret',
] as const

function Refuse({
  act,
  onClose,
  go,
}: {
  act: { readonly isPending: boolean; readonly error: unknown }
  onClose: () => void
  go: (body: unknown) => void
}) {
  const { t } = useTranslation()
  const [ground, setGround] = useState<string>('identity_not_proven')
  const [text, setText] = useState('')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    go({ ground, text: text.trim() })
  }
  return (
    <form className="card" style={{ marginTop: '0.75rem' }} onSubmit={submit}>
      <NativeSelect
        label={t('requests.ground')}
        value={ground}
        mb="sm"
        data={GROUNDS.map((value) => ({ value, label: t(`requests.grounds.${value}`) }))}
        onChange={(event) => setGround(event.currentTarget.value)}
      />
      <Textarea
        label={t('requests.refusalText')}
        required
        withAsterisk={false}
        minLength={10}
        autosize
        minRows={3}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {act.error ? <Failure error={act.error} /> : null}
      <div className="dialog-acts">
        <Button variant="default" onClick={onClose}>
          {t('app.cancel')}
        </Button>
        <Button type="submit" color="red.9" loading={act.isPending}>
          {t('requests.act.refuse')}
        </Button>
      </div>
    </form>
  )
}

function Plan({ plan }: { plan: RequestPlan }) {
  const { t } = useTranslation()
  return (
    <section className="section">
      <h3>{t('requests.plan')}</h3>
      <p style={{ marginTop: 0 }}>
        {told(plan.summary)} <span className="quiet">{dateTime(plan.at)}</span>
      </p>
      {plan.erase.length > 0 && (
        <>
          <h4>{t('requests.erases')}</h4>
          <ul className="plain">
            {plan.erase.map((one) => (
              <li key={one.what.pt}>
                {number(one.count)} {told(one.what)}
              </li>
            ))}
          </ul>
        </>
      )}
      {plan.keep.length > 0 && (
        <>
          <h4>{t('requests.keeps')}</h4>
          <ul className="plain spaced">
            {plan.keep.map((one) => (
              <li key={`${one.what.pt} ${one.ground}`}>
                {number(one.count)} {told(one.what)} · {one.ground}
                <div className="quiet">
                  {told(one.reason)} {one.until !== null && told(one.until)}
                </div>
              </li>
            ))}
          </ul>
        </>
      )}
      {plan.recipients.length > 0 && (
        <>
          <h4>{t('requests.asks')}</h4>
          <ul className="plain">
            {plan.recipients.map((one) => (
              <li key={`${one.recipient} ${one.operation}`}>
                <strong>{one.recipient}</strong> {t(`connectors.erasure.${one.how}`)}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

const RECIPIENT_TONE: Readonly<Record<RequestRecipient['status'], Tone>> = {
  pending: 'rule',
  retry: 'retried',
  done: 'delivered',
  manual: 'quarantined',
  impossible: 'refused',
  failed: 'failed',
}

function Recipients({ detail }: { detail: RequestDetail }) {
  const { t } = useTranslation()
  const may = useMay()
  const act = useAct(detail.request.id)
  const [doing, setDoing] = useState<RequestRecipient>()
  const [evidence, setEvidence] = useState<Upload>()
  const close = () => {
    setDoing(undefined)
    setEvidence(undefined)
  }
  return (
    <section className="section">
      <h3>{t('requests.recipients')}</h3>
      <ul className="plain spaced">
        {detail.recipients.map((one) => (
          <li key={`${one.recipient} ${one.operation}`}>
            <Badge tone={RECIPIENT_TONE[one.status]}>{t(`requests.recipient.${one.status}`)}</Badge>{' '}
            <strong>{one.recipient}</strong> {t(`requests.operation.${one.operation}`)}{' '}
            <span className="quiet">
              {one.doneAt !== null && date(one.doneAt)} {one.answer} {one.evidence}
            </span>
            {one.instructions !== null && one.status !== 'done' && <div>{told(one.instructions)}</div>}
            {may('requests.write') && (one.status === 'manual' || one.status === 'failed') && (
              <div>
                <Button
                  size="compact-sm"
                  variant="default"
                  aria-label={t('requests.markDoneOf', { recipient: one.recipient })}
                  onClick={() => setDoing(one)}
                >
                  {t('requests.markDone')}
                </Button>
              </div>
            )}
          </li>
        ))}
      </ul>
      {doing && (
        <ReasonDialog
          opened
          onClose={close}
          title={t('requests.markDoneOf', { recipient: doing.recipient })}
          text={doing.instructions === null ? t('requests.markDoneText') : told(doing.instructions)}
          label={t('requests.note')}
          act={t('requests.markDone')}
          least={3}
          pending={act.isPending}
          error={act.error}
          go={(note) =>
            act.mutate(
              {
                act: '/tasks',
                body: {
                  recipient: doing.recipient,
                  operation: doing.operation,
                  status: 'done',
                  note,
                  ...(evidence && { evidence }),
                },
              },
              { onSuccess: close },
            )
          }
        >
          <UploadField label={t('requests.evidence')} description={t('requests.evidenceHint')} onChange={setEvidence} />
        </ReasonDialog>
      )}
    </section>
  )
}

function Files({ detail }: { detail: RequestDetail }) {
  const { t } = useTranslation()
  const may = useMay()
  const load = useMutation({
    mutationFn: async (file: string) => {
      const { name, mediaType, base64 } = await get<RequestContent>(
        `${url(detail.request.id)}/files/${encodeURIComponent(file)}`,
      )
      saveBytes(name, mediaType, base64)
    },
  })
  return (
    <section className="section">
      <h3>{t('requests.files')}</h3>
      <ul className="plain spaced">
        {detail.files.map((file) => (
          <li key={file.id}>
            {may('requests.write') ? (
              <Button
                size="compact-sm"
                variant="default"
                leftSection={<IconDownload size={14} aria-hidden />}
                loading={load.isPending && load.variables === file.id}
                onClick={() => load.mutate(file.id)}
              >
                {file.name}
              </Button>
            ) : (
              file.name
            )}{' '}
            <span className="quiet">
              {dateTime(file.at)} · <span className="mono">{file.sha256.slice(0, 16)}…</span>
            </span>
          </li>
        ))}
      </ul>
      {load.error && <Failure error={load.error} />}
    </section>
  )
}
