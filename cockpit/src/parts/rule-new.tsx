/** A rule, or a new version of one, pasted as YAML: mistakes are shown at their line and column. */
import { Button, Modal, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { RuleAdded, RuleProblemView, RuleValidation, RuleVersionsAdded } from '../../../schemas/rules.ts'
import { post } from '../api.ts'
import { useStageWords } from './rule-stage.tsx'
import { Failure } from './states.tsx'

/** The text of a version as the beginning of the next. */
export const nextText = (text: string, version: number) => text.replace(/^version: \d+$/m, `version: ${version + 1}`)

export function NewRuleDialog({ text: given, onClose }: { text: string; onClose: () => void }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
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
  const submit = (event: FormEvent) => {
    event.preventDefault()
    send.mutate(true)
  }
  const goTo = ({ line, column }: RuleProblemView) => {
    const before = text.split('\n').slice(0, line - 1)
    const at = before.reduce((sum, one) => sum + one.length + 1, 0) + column - 1
    area.current?.focus()
    area.current?.setSelectionRange(at, at)
  }
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={<strong>{t('rules.new.title')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <form onSubmit={submit}>
        <p style={{ marginTop: 0 }}>{t('rules.new.text')}</p>
        <Textarea
          ref={area}
          label={t('rules.new.yaml')}
          required
          withAsterisk={false}
          autosize
          minRows={10}
          maxRows={20}
          spellCheck={false}
          classNames={{ input: 'mono' }}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value)
            send.reset()
          }}
        />
        <TextInput
          mt="sm"
          label={t('rules.ask.reason')}
          maxLength={500}
          required
          withAsterisk={false}
          minLength={5}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <div role="status" style={{ marginTop: '0.75rem' }}>
          {send.data && <Outcome {...send.data} text={text} goTo={goTo} />}
        </div>
        {send.error && <Failure error={send.error} />}
        <div className="dialog-acts">
          <Button variant="default" onClick={onClose}>
            {t(send.data?.added ? 'app.close' : 'app.cancel')}
          </Button>
          <Button variant="default" disabled={text.trim() === ''} onClick={() => send.mutate(false)}>
            {t('rules.new.check')}
          </Button>
          <Button type="submit" loading={send.isPending}>
            {t('rules.new.add')}
          </Button>
        </div>
      </form>
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
          <li key={`${problem.line}:${problem.column}:${problem.message}`} className="remedy">
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
            {problem.message}
            {lines[problem.line - 1]?.trim() && <div className="mono quiet">{lines[problem.line - 1]!.trim()}</div>}
          </li>
        ))}
      </ul>
    </>
  )
}
