/** A text with the numbers of its lines; lines with a mistake are marked. */
import { type RefObject, useId } from 'react'

export function YamlEditor({
  label,
  value,
  onChange,
  wrong,
  describedBy,
  area,
}: {
  label: string
  value: string
  onChange: (value: string) => void
  /** Lines with a mistake, from 1. */
  wrong: ReadonlySet<number>
  /** Id of what says the mistakes. */
  describedBy: string
  area: RefObject<HTMLTextAreaElement | null>
}) {
  const id = useId()
  const lines = value.split('\n')
  const longest = lines.reduce((most, line) => Math.max(most, line.length), 0)
  return (
    <div>
      <label className="yaml-label" htmlFor={id}>
        {label}
      </label>
      <div className="yaml" data-wrong={wrong.size > 0 || undefined}>
        <div className="yaml-lines mono" aria-hidden>
          {lines.map((_, index) => (
            // A line is known by its number alone.
            // biome-ignore lint/suspicious/noArrayIndexKey: the number is who it is.
            <div key={index} data-wrong={wrong.has(index + 1) || undefined}>
              {index + 1}
            </div>
          ))}
        </div>
        <textarea
          ref={area}
          id={id}
          className="mono"
          required
          spellCheck={false}
          wrap="off"
          rows={Math.max(12, lines.length)}
          style={{ width: `max(100%, ${longest + 3}ch)` }}
          value={value}
          aria-invalid={wrong.size > 0}
          aria-describedby={describedBy}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      </div>
    </div>
  )
}
