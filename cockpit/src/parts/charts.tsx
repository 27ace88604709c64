import { useElementSize } from '@mantine/hooks'
import { useId } from 'react'
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

/** @param label says in words what the line shows; the numbers stand beside it. */
export function Sparkline({ values, label }: { values: Values; label: string }) {
  const width = 160
  const height = 32
  const max = Math.max(1, ...values.map((value) => value ?? 0))
  const x = (index: number) => (values.length < 2 ? 0 : (index / (values.length - 1)) * width)
  const y = (value: number) => height - 2 - (value / max) * (height - 4)
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
    </svg>
  )
}

export interface Series {
  readonly name: string
  readonly values: Values
}

/** The next "round" number at or above. */
function ceilingOf(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)))
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value
}

/** Lines over time from zero, at most five and the rest as one; each is named at its end. */
export function LineChart({ at, series, label }: { at: readonly number[]; series: readonly Series[]; label: string }) {
  const { t } = useTranslation()
  const id = useId()
  const { ref, width: seen } = useElementSize<HTMLDivElement>()
  const width = Math.max(280, seen)
  const height = 190
  const left = 40
  const right = 8
  const bottom = 22
  const max = ceilingOf(Math.max(1, ...series.flatMap(({ values }) => values.map((value) => value ?? 0))))
  const x = (index: number) => left + (at.length < 2 ? 0 : (index / (at.length - 1)) * (width - left - right))
  const y = (value: number) => 8 + (1 - value / max) * (height - bottom - 8)
  const long = at.length > 1 && at.at(-1)! - at[0]! > 86_400_000
  const marks = at.length < 2 ? [] : [0, 1, 2, 3].map((part) => Math.round((part / 3) * (at.length - 1)))
  return (
    <div ref={ref}>
      <svg className="chart" viewBox={`0 0 ${width} ${height}`} role="img" aria-labelledby={id}>
        <title id={id}>{label}</title>
        {[0, 0.5, 1].map((part) => (
          <g key={part}>
            <line className="grid" x1={left} x2={width - right} y1={y(max * part)} y2={y(max * part)} />
            <text x={left - 6} y={y(max * part) + 4} textAnchor="end">
              {compact(max * part)}
            </text>
          </g>
        ))}
        {marks.map((index, n) => (
          <text key={index} x={x(index)} y={height - 4} textAnchor={n === 0 ? 'start' : n === 3 ? 'end' : 'middle'}>
            {(long ? dayHour : hourMinute)(at[index]!)}
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
          />
        ))}
      </svg>
      <ul className="legend">
        {series.map(({ name, values }, index) => {
          const last = values.findLast((value) => value !== null)
          return (
            <li key={name}>
              <i style={{ background: `var(--series-${index})` }} />
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
