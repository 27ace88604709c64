/** The bar above a list: what it is narrowed by, and a way back to all of it. */
import { Button, NativeSelect, TextInput } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

export function FilterBar({
  children,
  end,
  clear,
}: {
  children: ReactNode
  end?: ReactNode
  /** Present while something is narrowed. */
  clear?: (() => void) | undefined
}) {
  const { t } = useTranslation()
  return (
    <search className="card filters" aria-label={t('table.filters')}>
      {children}
      <div className="filters-end">
        {clear && (
          <Button size="xs" variant="default" onClick={clear}>
            {t('table.clear')}
          </Button>
        )}
        {end}
      </div>
    </search>
  )
}

export type Choice = string | { readonly value: string; readonly label: string }

export function FilterSelect({
  label,
  all,
  value,
  options,
  onChange,
}: {
  label: string
  /** What "no filter" is called. */
  all: string
  value: string | undefined
  /** While they are on their way, the chosen one stands for them. */
  options: readonly Choice[] | undefined
  onChange: (value: string | undefined) => void
}) {
  return (
    <NativeSelect
      size="xs"
      label={label}
      value={value ?? ''}
      data={[{ value: '', label: all }, ...(options ?? (value === undefined ? [] : [value]))]}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
    />
  )
}

/** Takes effect on Enter or when the field is left: no request per key. */
export function FilterText({
  label,
  hint,
  value,
  onChange,
  tidy = (text) => text.trim(),
}: {
  label: string
  hint?: string
  value: string | undefined
  onChange: (value: string | undefined) => void
  tidy?: (text: string) => string
}) {
  const [text, setText] = useState(value ?? '')
  useEffect(() => setText(value ?? ''), [value])
  const take = () => {
    const next = tidy(text) || undefined
    if (next !== value) onChange(next)
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        take()
      }}
    >
      <TextInput
        size="xs"
        label={label}
        {...(hint === undefined ? {} : { placeholder: hint })}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={take}
      />
    </form>
  )
}

/** A day as YYYY-MM-DD. */
export function FilterDay({
  label,
  value,
  onChange,
}: {
  label: string
  value: string | undefined
  onChange: (value: string | undefined) => void
}) {
  return (
    <TextInput
      size="xs"
      type="date"
      label={label}
      value={value ?? ''}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
    />
  )
}
