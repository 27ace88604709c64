/** What changes a rule, each act with its question and its reason; by the id `*` on all rules. */
import { Button, NativeSelect, Textarea } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { PublishRequest, RuleDetail, RuleState } from '../../../schemas/rules.ts'
import { post } from '../api.ts'
import { number, share as percent } from '../format.ts'
import { useMe } from '../session.ts'
import { ReasonDialog } from './reason-dialog.tsx'
import { ruleName, useStageWords } from './rule-stage.tsx'

export const ALL_RULES = '*'
type Act = 'publish' | 'pause' | 'resume' | 'revert' | 'kill'

/** The number the hub answers with: what was held, released or cancelled, or the version. */
type Answer = Readonly<Record<string, unknown>>
const counted = (answer: Answer) =>
  number(Object.values(answer).find((value): value is number => typeof value === 'number') ?? 0)

function useAct(id: string, done: (act: Act, n: string) => void) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ act, body }: { act: Act; body: object }) =>
      post<Answer>(`/api/rules/${encodeURIComponent(id)}/${act}`, body),
    onSuccess: (answer, { act }) => done(act, counted(answer)),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['rules'] }),
  })
}

const LEAST = 5

/** Pause, resume and stop. */
export function SwitchActs({ id, name, state }: { id: string; name: string; state: RuleState }) {
  const { t } = useTranslation()
  const [asked, setAsked] = useState<'pause' | 'resume' | 'kill'>()
  const [said, setSaid] = useState('')
  const all = id === ALL_RULES
  const run = useAct(id, (act, n) => {
    setAsked(undefined)
    setSaid(t(`rules.done.${act}`, { n }))
  })
  const ask = (act: 'pause' | 'resume' | 'kill') => () => {
    run.reset()
    setAsked(act)
  }
  const label = (act: 'pause' | 'resume' | 'kill') => t(all ? `rules.all.${act}` : `rules.act.${act}`)
  return (
    <div className="acts">
      <span className="acts">
        {state !== 'running' && (
          <Button size="xs" variant="default" onClick={ask('resume')}>
            {label('resume')}
          </Button>
        )}
        {state === 'running' && (
          <Button size="xs" variant="default" onClick={ask('pause')}>
            {label('pause')}
          </Button>
        )}
        {state !== 'killed' && (
          <Button
            size="xs"
            {...(all ? { color: 'red.9' } : { variant: 'default', c: 'var(--tone-failed-ink)' })}
            onClick={ask('kill')}
          >
            {label('kill')}
          </Button>
        )}
      </span>
      <span role="status" className="quiet">
        {said}
      </span>
      {asked && (
        <ReasonDialog
          opened
          onClose={() => setAsked(undefined)}
          title={t(`rules.ask.${asked}`, { rule: name })}
          text={t(`rules.ask.${asked}Text`)}
          label={t('rules.ask.reason')}
          act={label(asked)}
          pending={run.isPending}
          error={run.error}
          least={LEAST}
          go={(reason) => run.mutate({ act: asked, body: { reason } })}
        />
      )}
    </div>
  )
}

const SHARES = [0.01, 0.1, 0.5, 1] as const

/** What is being asked: publishing, first offered as far as `to`, or going back. */
export type PublishAsk = { readonly act: 'publish'; readonly to: string } | { readonly act: 'revert' }

/** Publish a version and go back to an earlier one. */
export function PublishActs({
  detail: { rule, versions },
  asked,
  ask,
}: {
  detail: RuleDetail
  asked: PublishAsk | undefined
  ask: (asked: PublishAsk | undefined) => void
}) {
  const { t } = useTranslation()
  const [said, setSaid] = useState('')
  const run = useAct(rule.id, (act, n) => {
    ask(undefined)
    setSaid(t(`rules.done.${act}`, { n }))
  })
  const open = (next: PublishAsk) => () => {
    run.reset()
    ask(next)
  }
  const send = (act: Act, body: object) => run.mutate({ act, body })
  const common = { detail: { rule, versions }, onClose: () => ask(undefined), run, send }
  return (
    <>
      <span className="acts">
        <Button size="xs" onClick={open({ act: 'publish', to: 'test' })}>
          {t('rules.act.publish')}
        </Button>
        {versions.length > 1 && (
          <Button size="xs" variant="default" onClick={open({ act: 'revert' })}>
            {t('rules.act.revert')}
          </Button>
        )}
      </span>
      <span role="status" className="quiet">
        {said}
      </span>
      {asked?.act === 'publish' && <PublishDialog {...common} first={asked.to} />}
      {asked?.act === 'revert' && <RevertDialog {...common} />}
    </>
  )
}

interface Asking {
  readonly detail: Pick<RuleDetail, 'rule' | 'versions'>
  readonly onClose: () => void
  readonly run: { readonly isPending: boolean; readonly error: unknown }
  readonly send: (act: Act, body: object) => void
}

function PublishDialog({ detail: { rule, versions }, onClose, run, send, first }: Asking & { readonly first: string }) {
  const { t } = useTranslation()
  const words = useStageWords()
  const { email } = useMe().user
  const [version, setVersion] = useState(String(rule.version))
  const [to, setTo] = useState(first)
  // To whoever publishes, unless the version names somebody already.
  const [recipients, setRecipients] = useState(versions[0]?.recipients === 0 ? (email ?? '') : '')
  const emails = recipients.split(/[\s,;]+/).filter((text) => text !== '')
  const go = (reason: string) => {
    const share = Number(to)
    const body: PublishRequest = {
      version: Number(version),
      reason,
      ...(share > 0 ? { stage: 'live', share } : { stage: to as 'draft' | 'test' | 'shadow' }),
      ...(to === 'test' && emails.length > 0 && { recipients: emails.map((email) => ({ email })) }),
    }
    send('publish', body)
  }
  return (
    <ReasonDialog
      opened
      onClose={onClose}
      title={t('rules.ask.publish', { rule: ruleName(rule) })}
      text={t('rules.ask.publishText')}
      label={t('rules.ask.reason')}
      act={t('rules.act.publish')}
      pending={run.isPending}
      error={run.error}
      least={LEAST}
      go={go}
    >
      <NativeSelect
        mt="sm"
        label={t('rules.ask.version')}
        value={version}
        data={versions.map((one) => ({
          value: String(one.version),
          label: t('rules.ask.versionOf', { version: one.version, stage: words(one.stage, one.share) }),
        }))}
        onChange={(event) => setVersion(event.currentTarget.value)}
      />
      <NativeSelect
        mt="sm"
        label={t('rules.ask.to')}
        description={t(
          `rules.stageHint.${to === '1' ? 'live' : Number(to) > 0 ? 'part' : (to as 'draft' | 'test' | 'shadow')}`,
        )}
        value={to}
        data={[
          ...(['draft', 'test', 'shadow'] as const).map((stage) => ({
            value: stage,
            label: t(`rules.stage.${stage}`),
          })),
          ...SHARES.map((one) => ({
            value: String(one),
            label: one === 1 ? t('rules.stage.live') : t('rules.stage.part', { share: percent(one) }),
          })),
        ]}
        onChange={(event) => setTo(event.currentTarget.value)}
      />
      {to === 'test' && (
        <Textarea
          mt="sm"
          label={t('rules.ask.recipients')}
          description={t('rules.ask.recipientsHint')}
          autosize
          minRows={2}
          value={recipients}
          onChange={(event) => setRecipients(event.currentTarget.value)}
        />
      )}
    </ReasonDialog>
  )
}

function RevertDialog({ detail: { rule, versions }, onClose, run, send }: Asking) {
  const { t } = useTranslation()
  const words = useStageWords()
  const [version, setVersion] = useState('')
  return (
    <ReasonDialog
      opened
      onClose={onClose}
      title={t('rules.ask.revert', { rule: ruleName(rule) })}
      text={t('rules.ask.revertText')}
      label={t('rules.ask.reason')}
      act={t('rules.act.revert')}
      pending={run.isPending}
      error={run.error}
      least={LEAST}
      go={(reason) => send('revert', { reason, ...(version !== '' && { version: Number(version) }) })}
    >
      <NativeSelect
        mt="sm"
        label={t('rules.ask.version')}
        value={version}
        data={[
          { value: '', label: t('rules.ask.lastForAll') },
          ...versions
            .filter((one) => one.version !== rule.live?.version)
            .map((one) => ({
              value: String(one.version),
              label: t('rules.ask.versionOf', { version: one.version, stage: words(one.stage, one.share) }),
            })),
        ]}
        onChange={(event) => setVersion(event.currentTarget.value)}
      />
    </ReasonDialog>
  )
}
