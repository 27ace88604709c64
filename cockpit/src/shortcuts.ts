/** Single keys (WCAG 2.1.4): only outside fields, and they can be turned off. */
import { useEffect, useRef } from 'react'

const KEY = 'anuente-shortcuts'

export function shortcutsOn(): boolean {
  return localStorage.getItem(KEY) !== 'off'
}

export function setShortcuts(on: boolean): void {
  localStorage.setItem(KEY, on ? 'on' : 'off')
}

/** Keys such as "g a" (one after the other within a second) or " ". */
export function useShortcuts(acts: Readonly<Record<string, () => void>>): void {
  const current = useRef(acts)
  current.current = acts
  useEffect(() => {
    let before = ''
    let at = 0
    const onKey = (event: KeyboardEvent) => {
      if (!shortcutsOn() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      const target = event.target as HTMLElement
      if (target.closest('input, textarea, select, [contenteditable], [role="dialog"], [role="listbox"]')) return
      // Space presses a focused button or follows a link; only elsewhere is it ours.
      if (event.key === ' ' && target.closest('button, a, [role="tab"], summary')) return
      const pair = Date.now() - at < 1000 ? `${before} ${event.key}` : ''
      before = event.key
      at = Date.now()
      const act = current.current[pair] ?? current.current[event.key]
      if (!act) return
      event.preventDefault()
      act()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}
