/** The live stream as state: newest first, held back while somebody reads. */
import { useCallback, useEffect, useRef, useState } from 'react'
import type { LiveLine } from '../../schemas/admin.ts'

const KEPT = 500

export interface Live {
  readonly lines: readonly LiveLine[]
  readonly pending: number
  readonly missed: number
  readonly state: 'connecting' | 'open' | 'lost'
  readonly paused: boolean
  /** Time of the last word from the hub. */
  readonly at: number | undefined
  setPaused(paused: boolean): void
  /** While true, new lines wait: rows must not move under the pointer. */
  setReading(reading: boolean): void
  showPending(): void
}

export function useLive(enabled: boolean): Live {
  const [lines, setLines] = useState<readonly LiveLine[]>([])
  const [pendingCount, setPendingCount] = useState(0)
  const [missed, setMissed] = useState(0)
  const [state, setState] = useState<Live['state']>('connecting')
  const [paused, setPausedState] = useState(false)
  const [at, setAt] = useState<number>()
  const held = useRef({ paused: false, reading: false, waiting: [] as LiveLine[] })

  const flush = useCallback(() => {
    const { waiting } = held.current
    if (waiting.length === 0) return
    held.current.waiting = []
    setLines((before) => [...waiting.toReversed(), ...before].slice(0, KEPT))
    setPendingCount(0)
  }, [])

  useEffect(() => {
    if (!enabled) return
    const source = new EventSource('/api/live')
    const read = <T>(event: Event) => JSON.parse((event as MessageEvent<string>).data) as T
    const heard = () => {
      setAt(Date.now())
      setState('open')
    }
    source.addEventListener('open', heard)
    source.addEventListener('time', heard)
    source.addEventListener('recent', (event) => {
      heard()
      held.current.waiting = []
      setPendingCount(0)
      setLines(read<LiveLine[]>(event).toReversed().slice(0, KEPT))
    })
    source.addEventListener('events', (event) => {
      held.current.waiting = [...held.current.waiting, ...read<LiveLine[]>(event)].slice(-KEPT)
    })
    source.addEventListener('missed', (event) => setMissed((before) => before + read<{ count: number }>(event).count))
    source.addEventListener('error', () => setState('lost'))
    // Once a second, however many lines a second come.
    const tick = setInterval(() => {
      if (held.current.waiting.length === 0) return
      heard()
      if (held.current.paused || held.current.reading) setPendingCount(held.current.waiting.length)
      else flush()
    }, 1000)
    return () => {
      clearInterval(tick)
      source.close()
    }
  }, [enabled, flush])

  const setPaused = useCallback(
    (next: boolean) => {
      held.current.paused = next
      setPausedState(next)
      if (!next && !held.current.reading) flush()
    },
    [flush],
  )
  const setReading = useCallback((reading: boolean) => {
    held.current.reading = reading
  }, [])
  return { lines, pending: pendingCount, missed, state, paused, at, setPaused, setReading, showPending: flush }
}
