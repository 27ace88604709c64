import { useElementSize } from '@mantine/hooks'
import { type KeyboardEvent, type PointerEvent, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { compact, dayHour, hourMinute, number } from '../format.ts'

type Values = readonly (number | null)[]

/** Runs without gaps: missing data is a hole in the line, never a zero. */
function segments(values: Values, x: (index: number) => number, y: (value: number) => number): string {
  let path = ''
  let open = false
  values.forEach((value, index) => {
    if (value === null) {
      open = false
      return
    }
    path += `${open ? 'L' : 'M'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`
    open = true
  })
  return path
}

/** A line begins where the data do: an hour of nothing and a squiggle at its end tells nobody anything. */
const LEAST = 8
export function firstShown(lines: readonly Values[], length: number): number {
  const first = Math.min(
    ...lines.map((values) => {
      const index = values.findIndex((value) => value !== null)
      return index === -1 ? length : index
    }),
  )
  return Math.max(0, Math.min(first, length - LEAST))
}

/** @param label says in words what the line shows; the numbers stand beside it. */
export function Sparkline({ values: all, label }: { values: Values; label: string }) {
  const { t } = useTranslation()
  const width = 160
  const height = 32
  const values = all.slice(firstShown([all], all.length))
  const known = values.filter((value) => value !== null)
  const max = Math.max(1, ...known)
  const x = (index: number) => 3 + (values.length < 2 ? 0 : (index / (values.length - 1)) * (width - 6))
  const y = (value: number) => height - 3 - (value / max) * (height - 6)
  const last = values.findLastIndex((value) => value !== null)
  if (known.length < 2) return <span className="spark-note">{t('now.tiles.collecting')}</span>
  return (
    <svg className="spark" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path d={`M0 ${height - 1}H${width}`} stroke="var(--line)" strokeWidth="1" vectorEffect="non-scaling-stroke" />
      <path
        d={segments(values, x, y)}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.75"
        strokeLinejoin="round"
        vectorEffect="non-scaling-stroke"
      />
      {/* A line of no length with round ends is a dot that the stretched picture does not flatten. */}
      <path
        d={`M${x(last)} ${y(values[last]!)}h0`}
        stroke="currentColor"
        strokeWidth="5"
        strokeLinecap="round"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  )
}

export interface Series {
  readonly name: string
  readonly values: Values
}

/** The next "round" number at or above, with a whole one at its half: what is counted comes in wholes. */
function ceilingOf(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)))
  return [2, 4, 6, 10].map((step) => step * power).find((step) => step >= value) ?? value
}

const HEIGHT = 190
const LEFT = 40
const RIGHT = 8
const BOTTOM = 22

/** Lines over time from zero, at most five and the rest as one. Arrow keys and the pointer read one point. */
export function LineChart({
  at: wholeAt,
  series: whole,
  label,
  time: given,
}: {
  at: readonly number[]
  series: readonly Series[]
  label: string
  /** How a time is written; by the length of the whole when absent. */
  time?: (at: number) => string
}) {
  const { t } = useTranslation()
  const id = useId()
  const { ref, width: seen } = useElementSize<HTMLDivElement>()
  const [cursorAt, setCursorAt] = useState<number>()
  const from = firstShown(
    whole.map(({ values }) => values),
    wholeAt.length,
  )
  const at = wholeAt.slice(from)
  const series = whole.map(({ name, values }) => ({ name, values: values.slice(from) }))
  const cursor = cursorAt === undefined ? -1 : at.indexOf(cursorAt)
  const width = Math.max(280, seen)
  const max = ceilingOf(Math.max(1, ...series.flatMap(({ values }) => values.map((value) => value ?? 0))))
  const x = (index: number) => LEFT + (at.length < 2 ? 0 : (index / (at.length - 1)) * (width - LEFT - RIGHT))
  const y = (value: number) => 8 + (1 - value / max) * (HEIGHT - BOTTOM - 8)
  const time = given ?? (at.length > 1 && at.at(-1)! - at[0]! > 86_400_000 ? dayHour : hourMinute)
  const marks = at.length < 2 ? [] : [...new Set([0, 1, 2, 3].map((part) => Math.round((part / 3) * (at.length - 1))))]
  const show = (index: number) => setCursorAt(at[Math.min(at.length - 1, Math.max(0, index))])
  const onKey = (event: KeyboardEvent) => {
    const current = cursor === -1 ? at.length - 1 : cursor
    const next = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: at.length - 1 }[event.key]
    if (event.key === 'Escape') setCursorAt(undefined)
    if (next === undefined) return
    event.preventDefault()
    show(cursor === -1 ? at.length - 1 : next)
  }
  const onPointer = (event: PointerEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect()
    const inside = ((event.clientX - box.left) / box.width) * width
    show(Math.round(((inside - LEFT) / (width - LEFT - RIGHT)) * (at.length - 1)))
  }
  return (
    <div ref={ref}>
      {/* biome-ignore lint/a11y/useSemanticElements: a group of a drawing, not of form fields. */}
      <div
        className="chart-box"
        role="group"
        aria-label={label}
        aria-describedby={`${id}-keys`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read its points.
        tabIndex={0}
        onKeyDown={onKey}
        onPointerMove={onPointer}
        onPointerLeave={() => setCursorAt(undefined)}
      >
        <svg className="chart" viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden>
          {[0, 0.5, 1].map((part) => (
            <g key={part}>
              <line className="grid" x1={LEFT} x2={width - RIGHT} y1={y(max * part)} y2={y(max * part)} />
              <text x={LEFT - 6} y={y(max * part) + 4} textAnchor="end">
                {compact(max * part)}
              </text>
            </g>
          ))}
          {marks.map((index, n) => (
            <text
              key={index}
              x={x(index)}
              y={HEIGHT - 4}
              textAnchor={n === 0 ? 'start' : n === marks.length - 1 ? 'end' : 'middle'}
            >
              {time(at[index]!)}
            </text>
          ))}
          {series.map(({ name, values }, index) => (
            <path
              key={name}
              d={segments(values, x, y)}
              fill="none"
              stroke={`var(--series-${index})`}
              strokeWidth="2"
              strokeDasharray={DASHES[index]}
              strokeLinejoin="round"
              strokeLinecap="round"
            />
          ))}
          {cursor !== -1 && (
            <>
              <line className="cursor" x1={x(cursor)} x2={x(cursor)} y1={8} y2={HEIGHT - BOTTOM} />
              {series.map(({ name, values }, index) => {
                const value = values[cursor]
                return value === null || value === undefined ? null : (
                  <circle key={name} cx={x(cursor)} cy={y(value)} r="4" fill={`var(--series-${index})`} />
                )
              })}
            </>
          )}
        </svg>
      </div>
      <p className="chart-read" role="status">
        {cursor === -1 ? (
          <span className="quiet" id={`${id}-keys`}>
            {t('chart.keys')}
          </span>
        ) : (
          <>
            <strong>{time(at[cursor]!)}</strong>{' '}
            {series
              .map(({ name, values }) => {
                const value = values[cursor]
                return `${name} ${value === null || value === undefined ? t('now.sources.noData') : number(value)}`
              })
              .join(' · ')}
          </>
        )}
      </p>
      <ul className="legend">
        {series.map(({ name, values }, index) => {
          const last = values.findLast((value) => value !== null)
          return (
            <li key={name}>
              <svg width="20" height="8" aria-hidden>
                <line
                  x1="0"
                  x2="20"
                  y1="4"
                  y2="4"
                  stroke={`var(--series-${index})`}
                  strokeWidth="2.5"
                  strokeDasharray={DASHES[index]}
                />
              </svg>
              {name}{' '}
              <span className="quiet">
                {last === undefined || last === null ? t('now.sources.noData') : number(last)}
              </span>
            </li>
          )
        })}
      </ul>
    </div>
  )
}

/** Told apart without colour too. */
const DASHES = [undefined, '7 3', '2 3', '9 3 2 3', '4 2', '1 4']
