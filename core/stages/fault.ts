/** What an exception is: trouble with the database, which is waited out, or a fault about one input. */

/** Faults of the database are waited out; anything else is about what was being worked on. */
export function isStorageFault(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code !== 'string') return false
  // SQLite: busy, full, I/O. PostgreSQL: classes 08 connection, 40 serialization, 53 resources, 57 operator intervention; Node: sockets.
  return (
    /^SQLITE_(BUSY|LOCKED|FULL|IOERR|CANTOPEN|READONLY)/.test(code) ||
    /^(08|40|53|57)[0-9A-Z]{3}$/.test(code) ||
    /^E[A-Z]+$/.test(code)
  )
}

export interface Fault {
  readonly where: string
  readonly name: string
  readonly code?: string
  readonly message: string
}

/** Class, code and place: what may be written down of an exception. */
export function faultOf(where: string, error: unknown): Fault {
  if (!(error instanceof Error)) return { where, name: typeof error, message: '' }
  const code = (error as { code?: unknown }).code
  // The place in our code, never the message: it may quote what was being processed.
  const place =
    error.stack
      ?.split('\n')
      .find((line) => line.includes('/core/') || line.includes('/consent/'))
      ?.trim() ?? ''
  return {
    where,
    name: error.name,
    ...(typeof code === 'string' && { code }),
    message: place.replace(/^.*\/(core|consent)\//, '$1/').replace(/\)$/, ''),
  }
}
