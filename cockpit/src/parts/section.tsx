import type { ReactNode } from 'react'

/** A part of a drawer, named by its heading. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="section" aria-label={title}>
      <h3>{title}</h3>
      {children}
    </section>
  )
}
