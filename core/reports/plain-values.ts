/**
 * Personal or sensitive values in fields that are not for them: a CPF in a note, a diagnosis in a search. Only the
 * path and a count leave here, never the value. Words are our own list: a hint for a person to look, not a verdict.
 */
import { normalizeCpf } from '../kit/identifiers.ts'

export interface Found {
  readonly path: string
  readonly what: 'cpf' | 'email' | 'health'
  readonly count: number
}

const CPF = /(?<!\d)\d{3}\.?\d{3}\.?\d{3}-?\d{2}(?!\d)/g
const EMAIL = /[^\s@"'<>]+@[^\s@"'<>]+\.[a-z]{2,}/i
const HEALTH =
  /\b(gr[áa]vida|gravidez|gestante|diabet\w*|c[âa]ncer|quimioterapia|hiv|aids|depress[ãa]o|ansiedade|esquizofren\w*|autis\w*|epilep\w*|hipertens[ãa]o|psiquiatr\w*|diagn[óo]stico|cid[- ]?10|laudo m[ée]dico|pregnan\w*|cancer|chemotherapy|depression|anxiety disorder)\b/i

/** Fields whose name says what they hold are judged by the purposes, not here. */
const NAMED: Readonly<Record<Found['what'], RegExp>> = {
  cpf: /cpf|document|tax_?id/i,
  email: /e-?mail/i,
  health: /health|sa[úu]de|cid\b|diagn/i,
}

export function findingsIn(roots: Readonly<Record<string, unknown>>): Found[] {
  const found = new Map<string, Found>()
  const note = (path: string, what: Found['what']) => {
    if (NAMED[what].test(path)) return
    const key = `${path} ${what}`
    found.set(key, { path, what, count: (found.get(key)?.count ?? 0) + 1 })
  }
  const walk = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const item of value) walk(item, `${path}.*`)
    else if (value !== null && typeof value === 'object')
      for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`)
    else if (typeof value === 'string' || typeof value === 'number') {
      const text = String(value)
      // An order number of eleven digits is a CPF only when both check digits fit.
      if ([...text.matchAll(CPF)].some(([digits]) => normalizeCpf(digits) !== undefined)) note(path, 'cpf')
      if (EMAIL.test(text)) note(path, 'email')
      if (HEALTH.test(text)) note(path, 'health')
    }
  }
  walk(roots, '')
  return [...found.values()]
}
