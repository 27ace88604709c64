/**
 * Many people asking for the same thing in the same words within days: a campaign, a broker, or somebody asking for
 * others. Each request keeps its own clock and its own proof of identity; that they are alike is only told, so that
 * one decision about them is taken once and the deadline of all is seen in time. The statute says nothing of it: the
 * marks and the threshold are our own choice.
 */
import type { NewRequest, RequestGroupKind } from '../../schemas/requests.ts'

export interface MassSettings {
  /** People. */
  readonly count: number
  readonly days: number
}

export const DEFAULT_MASS: MassSettings = { count: 10, days: 7 }

export interface RequestMark {
  readonly kind: RequestGroupKind
  /** Normal form; it is stored as an HMAC only. */
  readonly value: string
}

const MIN_TEXT = 40

const plain = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

const PARTICLES: ReadonlySet<string> = new Set(['de', 'da', 'do', 'das', 'dos', 'e'])

/** What a form letter has in common once the person's own name, numbers and addresses are taken out of it. */
export function letterOf(text: string, name: string): string | undefined {
  let rest = plain(text).replace(/\S+@\S+/g, ' ')
  const words = new Set(plain(name).split(/[^\p{L}\p{N}]+/u))
  rest = rest
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '' && !/\d/.test(word) && !words.has(word) && !PARTICLES.has(word))
    .join(' ')
  return rest.length >= MIN_TEXT ? rest : undefined
}

/** @returns what this request may have in common with requests of others. */
export function marksOf(request: Pick<NewRequest, 'text' | 'name' | 'contact' | 'representative'>): RequestMark[] {
  const marks: RequestMark[] = []
  const letter = letterOf(request.text ?? '', request.name ?? '')
  if (letter !== undefined) marks.push({ kind: 'text', value: letter })
  const contact = request.contact?.trim().toLowerCase()
  if (contact) marks.push({ kind: 'contact', value: contact })
  if (request.representative) marks.push({ kind: 'representative', value: plain(request.representative.name).trim() })
  return marks
}

export interface Arrival {
  readonly id: string
  /** Whom it is about: the same person twice counts once. */
  readonly person: string
  /** Epoch milliseconds. */
  readonly at: number
}

/** @returns the arrivals of every stretch of `days` in which enough people asked; empty: none was. */
export function crowd(arrivals: readonly Arrival[], { count, days }: MassSettings): Arrival[] {
  const sorted = [...arrivals].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
  const span = days * 86_400_000
  const found = new Set<Arrival>()
  let from = 0
  for (let to = 0; to < sorted.length; to++) {
    while (sorted[to]!.at - sorted[from]!.at > span) from++
    const stretch = sorted.slice(from, to + 1)
    if (new Set(stretch.map(({ person }) => person)).size >= count) for (const one of stretch) found.add(one)
  }
  return [...found]
}
