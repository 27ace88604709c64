import { Alert, Button, Modal, NativeSelect, Switch, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { RedriveAnswer } from '../../../schemas/quarantine.ts'
import { post } from '../api.ts'
import { number } from '../format.ts'
import { useExits } from './exit-badge.tsx'
import { Failure } from './states.tsx'

const OPS = ['move', 'coerce', 'add', 'remove'] as const
const TYPES = ['number', 'integer', 'string', 'boolean'] as const

interface Draft {
  readonly key: number
  readonly op: (typeof OPS)[number]
  readonly path: string
  /** New place, type or value. */
  readonly more: string
}

/** JSON where it is JSON; what is typed plainly is text. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const fixOf = ({ op, path, more }: Draft) =>
  op === 'move'
    ? { op, from: path, path: more }
    : op === 'coerce'
      ? { op, path, to: more }
      : op === 'add'
        ? { op, path, value: jsonOrText(more) }
        : { op, path }

/** Fixes for every event a filter finds: looked at first, then carried out. */
export function FixDialog({
  onClose,
  filter,
}: {
  onClose: () => void
  filter: Readonly<Record<string, string | undefined>>
}) {
  const { t } = useTranslation()
  const { text } = useExits()
  const queries = useQueryClient()
  const [event, setEvent] = useState('')
  const [asIs, setAsIs] = useState(false)
  const [drafts, setDrafts] = useState<readonly Draft[]>([{ key: 0, op: 'move', path: '/properties/', more: '' }])
  const change = (key: number, part: Partial<Draft>) => {
    look.reset()
    setDrafts(drafts.map((draft) => (draft.key === key ? { ...draft, ...part } : draft)))
  }
  const body = (dryRun: boolean) => ({
    filter: Object.fromEntries(Object.entries({ ...filter, event: event.trim() }).filter(([, value]) => value)),
    fixes: drafts.filter(({ op, path, more }) => path.length > 1 && (op === 'remove' || more !== '')).map(fixOf),
    asIs,
    dryRun,
  })
  const look = useMutation({ mutationFn: () => post<RedriveAnswer>('/api/quarantine/redrive', body(true)) })
  const go = useMutation({
    mutationFn: () => post<RedriveAnswer>('/api/quarantine/redrive', body(false)),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ['quarantine'] }),
  })
  const result = go.data ?? look.data
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={<strong>{t('fix.title')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <p style={{ marginTop: 0 }}>{t('fix.text')}</p>
      <TextInput
        label={t('fix.event')}
        description={t('fix.eventHint')}
        value={event}
        onChange={({ currentTarget }) => {
          look.reset()
          setEvent(currentTarget.value)
        }}
      />
      {drafts.map((draft, place) => (
        <fieldset key={draft.key} className="fix">
          <legend>{t('fix.op', { n: place + 1 })}</legend>
          <NativeSelect
            aria-label={t('fix.op', { n: place + 1 })}
            value={draft.op}
            data={OPS.map((op) => ({ value: op, label: t(`fix.ops.${op}`) }))}
            onChange={({ currentTarget }) => {
              const op = OPS.find((one) => one === currentTarget.value) ?? 'move'
              change(draft.key, { op, more: op === 'coerce' ? 'number' : op === 'move' ? '/properties/' : '' })
            }}
          />
          <TextInput
            label={t(draft.op === 'move' ? 'fix.from' : 'fix.path')}
            value={draft.path}
            onChange={({ currentTarget }) => change(draft.key, { path: currentTarget.value })}
          />
          {draft.op === 'coerce' ? (
            <NativeSelect
              label={t('fix.type')}
              value={draft.more}
              data={TYPES.map((type) => ({ value: type, label: t(`fix.types.${type}`) }))}
              onChange={({ currentTarget }) => change(draft.key, { more: currentTarget.value })}
            />
          ) : draft.op !== 'remove' ? (
            <TextInput
              label={t(draft.op === 'move' ? 'fix.to' : 'fix.value')}
              value={draft.more}
              onChange={({ currentTarget }) => change(draft.key, { more: currentTarget.value })}
            />
          ) : null}
          {drafts.length > 1 && (
            <Button
              size="compact-sm"
              variant="default"
              aria-label={t('fix.remove', { n: place + 1 })}
              onClick={() => setDrafts(drafts.filter(({ key }) => key !== draft.key))}
            >
              {t('fix.ops.remove')}
            </Button>
          )}
        </fieldset>
      ))}
      <Button
        size="compact-sm"
        variant="default"
        mt="sm"
        onClick={() =>
          setDrafts([...drafts, { key: drafts.at(-1)!.key + 1, op: 'coerce', path: '/properties/', more: 'number' }])
        }
      >
        {t('fix.add')}
      </Button>
      <Switch
        mt="md"
        label={t('fix.asIs')}
        checked={asIs}
        onChange={({ currentTarget }) => {
          look.reset()
          setAsIs(currentTarget.checked)
        }}
      />
      {result && (
        <Alert mt="md" variant="outline" role="status">
          <p style={{ margin: 0 }}>
            {t(go.data ? 'fix.did' : 'fix.would', {
              redriven: number(result.redriven),
              changed: number(result.changed),
            })}
          </p>
          {Object.entries(result.refused).length > 0 && (
            <p>
              {t('fix.still')}:{' '}
              {Object.entries(result.refused)
                .map(([code, count]) => `${number(count)} · ${text(code)}`)
                .join(' ')}
            </p>
          )}
          {result.samples.slice(0, 3).map(({ id, event: name, before, after, violations }) => (
            <div key={id} className="mono" style={{ overflowWrap: 'anywhere', marginTop: '0.5rem' }}>
              <strong>{name}</strong>
              <div>
                {t('fix.was')} {JSON.stringify(before)}
              </div>
              <div>
                {t('fix.is')} {JSON.stringify(after)}
              </div>
              {violations.map(({ kind, path, expected }) => (
                <div key={`${kind}${path}`}>
                  {t(`source.kind.${kind}`)} {path} {expected}
                </div>
              ))}
            </div>
          ))}
        </Alert>
      )}
      {(look.error ?? go.error) && <Failure error={look.error ?? go.error} />}
      <div className="dialog-acts">
        <Button variant="default" onClick={onClose}>
          {t(go.data ? 'app.close' : 'app.cancel')}
        </Button>
        {!go.data &&
          (look.data ? (
            <Button onClick={() => go.mutate()} loading={go.isPending} disabled={look.data.redriven === 0}>
              {t('fix.go')}
            </Button>
          ) : (
            <Button onClick={() => look.mutate()} loading={look.isPending}>
              {t('fix.look')}
            </Button>
          ))}
      </div>
    </Modal>
  )
}
