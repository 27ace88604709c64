/** A rule, or a new version of one, pasted as YAML: mistakes are shown at their line and column. */
import { Button, Modal, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { RuleAdded, RuleProblemView, RuleValidation, RuleVersionsAdded } from '../../../schemas/rules.ts'
import { useChangeAddress } from '../address.ts'
import { post } from '../api.ts'
import { told } from '../words.ts'
import { BacktestPanel } from './backtest-panel.tsx'
import { useStageWords } from './rule-stage.tsx'
import { Section } from './section.tsx'
import { Failure } from './states.tsx'
import { YamlEditor } from './yaml-editor.tsx'

/** The text of a version as the beginning of the next. */
export const nextText = (text: string, version: number) => text.replace(/^version: \d+$/m, `version: ${version + 1}`)

export function NewRuleDialog({ text: given, onClose }: { text: string; onClose: () => void }) {
  const { t } = useTranslation()
  const change = useChangeAddress()
  const queries = useQueryClient()
  const id = useId()
  const [text, setText] = useState(given)
  const [reason, setReason] = useState('')
  const area = useRef<HTMLTextAreaElement>(null)
  const send = useMutation({
    mutationFn: async (add: boolean) => {
      const checked = await post<RuleValidation>('/api/rules/validate', { text })
      if (!checked.valid || !add) return { problems: checked.problems, versions: checked.versions, added: false }
      const { versions } = await post<RuleVersionsAdded>('/api/rules', {
        text,
        ...(reason.trim() !== '' && { reason: reason.trim() }),
      })
      void queries.invalidateQueries({ queryKey: ['rules'] })
      return { problems: [], versions, added: true }
    },
  })
  const goTo = ({ line, column }: RuleProblemView) => {
    const before = text.split('\n').slice(0, line - 1)
    const at = before.reduce((sum, one) => sum + one.length + 1, 0) + column - 1
    const written = area.current
    if (!written) return
    written.focus()
    written.setSelectionRange(at, at)
    // The box around it scrolls, not the text itself.
    written.parentElement?.scrollTo({ top: (line - 4) * (written.clientHeight / written.rows) })
  }
  const wrong = new Set(send.data?.problems.map(({ line }) => line).filter((line) => line > 0))
  const [first] = send.data?.added ? send.data.versions : []
  return (
    <Modal
      opened
      onClose={onClose}
      size={860}
      title={<strong>{t('rules.new.title')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <p style={{ marginTop: 0 }}>{t('rules.new.text')}</p>
      <YamlEditor
        label={t('rules.new.yaml')}
        area={area}
        value={text}
        wrong={wrong}
        describedBy={id}
        onChange={(next) => {
          setText(next)
          send.reset()
        }}
      />
      <div className="acts" style={{ marginTop: '0.5rem', justifyContent: 'start' }}>
        <Button size="xs" variant="default" disabled={text.trim() === ''} onClick={() => send.mutate(false)}>
          {t('rules.new.check')}
        </Button>
      </div>
      <div role="status" id={id} style={{ marginTop: '0.75rem' }}>
        {send.data && <Outcome {...send.data} text={text} goTo={goTo} />}
      </div>
      {send.error && <Failure error={send.error} />}
      {text.trim() !== '' && (
        <Section title={t('rules.backtest.title')}>
          <BacktestPanel
            wanted={{ text }}
            before={async () => {
              // What only stands in the way of adding it, such as its number, does not keep it from being tried.
              const { problems } = await send.mutateAsync(false)
              const mistake = problems.find(({ line }) => line > 0)
              if (mistake) goTo(mistake)
              return mistake === undefined
            }}
          />
        </Section>
      )}
      <Section title={t('rules.new.adding')}>
        <form
          onSubmit={(event) => {
            event.preventDefault()
            send.mutate(true)
          }}
        >
          <TextInput
            label={t('rules.ask.reason')}
            maxLength={500}
            required
            withAsterisk={false}
            minLength={5}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <div className="dialog-acts">
            <Button variant="default" onClick={onClose}>
              {t(send.data?.added ? 'app.close' : 'app.cancel')}
            </Button>
            {first ? (
              <Button
                onClick={() => {
                  onClose()
                  change({ item: first.rule })
                }}
              >
                {t('rules.new.openIt')}
              </Button>
            ) : (
              <Button type="submit" disabled={text.trim() === ''} loading={send.isPending}>
                {t('rules.new.add')}
              </Button>
            )}
          </div>
        </form>
      </Section>
    </Modal>
  )
}

function Outcome({
  problems,
  versions,
  added,
  text,
  goTo,
}: {
  problems: readonly RuleProblemView[]
  versions: readonly RuleAdded[]
  added: boolean
  text: string
  goTo: (problem: RuleProblemView) => void
}) {
  const { t } = useTranslation()
  const words = useStageWords()
  if (problems.length === 0) {
    const list = versions
      .map(({ rule, version, isNew, stage }) =>
        t(isNew ? 'rules.new.one' : 'rules.new.known', { rule, version, stage: words(stage, 1) }),
      )
      .join('; ')
    return <p style={{ margin: 0 }}>{t(added ? 'rules.new.added' : 'rules.new.valid', { versions: list })}</p>
  }
  const lines = text.split('\n')
  return (
    <>
      <strong>{t('rules.new.problems')}</strong>
      <ul className="plain spaced">
        {problems.map((problem) => (
          <li key={`${problem.line}:${problem.column}:${problem.message}`} className="remedy" data-wrong>
            {problem.line > 0 && (
              <Button
                size="compact-xs"
                variant="default"
                aria-label={t('rules.new.goTo', { line: problem.line, column: problem.column })}
                onClick={() => goTo(problem)}
              >
                {t('rules.new.at', { line: problem.line, column: problem.column })}
              </Button>
            )}{' '}
            {told({ pt: problem.pt, en: problem.message })}
            {lines[problem.line - 1]?.trim() && <div className="mono quiet">{lines[problem.line - 1]!.trim()}</div>}
          </li>
        ))}
      </ul>
    </>
  )
}
