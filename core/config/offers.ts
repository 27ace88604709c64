/** Offers of the configuration: their dates, conditions and files of codes. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse } from 'csv-parse/sync'
import type { OfferConfig } from '../../schemas/offers.ts'
import type { Path } from './words.ts'

interface OfferProblem {
  readonly path: Path
  readonly message: string
}

export function offerProblems(offers: Readonly<Record<string, OfferConfig>> = {}): OfferProblem[] {
  return Object.entries(offers).flatMap(([id, offer]): OfferProblem[] => {
    const at = ['offers', id]
    return [
      ...(offer.code !== undefined && offer.codes !== undefined
        ? [
            {
              path: [...at, 'codes'],
              message: 'stands beside "code". Use one code for everybody or a file of codes, not both.',
            },
          ]
        : []),
      ...(offer.from !== undefined && offer.to !== undefined && offer.from > offer.to
        ? [{ path: [...at, 'to'], message: 'is before "from", so the offer is never valid. Correct the dates.' }]
        : []),
      ...(measures(offer.who) ? [{ path: [...at, 'who'], message: NO_MEASURES }] : []),
    ]
  })
}

const NO_MEASURES =
  'counts or adds up events, which belongs to a purpose, and an offer has none. Make it an audience and write {audience: …, in: true}.'

function measures(conditions: unknown): boolean {
  if (conditions === null || typeof conditions !== 'object') return false
  if (Array.isArray(conditions)) return conditions.some(measures)
  if ('field' in conditions || 'audience' in conditions) return false
  const groups = ['all', 'any', 'none'].filter((key) => key in conditions)
  if (groups.length === 0) return Object.keys(conditions).length > 0
  return groups.some((key) => measures((conditions as Record<string, unknown>)[key]))
}

/** The codes of a CSV file: one a line, or those of its column "code"; each once. */
export function readCodes(text: string): string[] {
  const rows = parse(text, {
    bom: true,
    trim: true,
    skip_empty_lines: true,
    relax_column_count: true,
    delimiter: [',', ';', '\t'],
  }) as string[][]
  const column = rows[0]?.findIndex((name) => /^(code|c[oó]digo|cupom)$/i.test(name)) ?? -1
  const codes = (column >= 0 ? rows.slice(1) : rows).map((row) => row[Math.max(column, 0)] ?? '')
  return [...new Set(codes.filter((code) => code !== ''))]
}

/** @param report takes what is wrong with a file. */
export function codesOfOffers(
  offers: Readonly<Record<string, OfferConfig>> = {},
  dir: string,
  report: (path: Path, message: string) => void = () => {},
): Map<string, readonly string[]> {
  const lists = new Map<string, readonly string[]>()
  for (const [id, { codes: file }] of Object.entries(offers)) {
    if (file === undefined) continue
    try {
      const codes = readCodes(readFileSync(resolve(dir, file), 'utf8'))
      if (codes.length === 0) report(['offers', id, 'codes'], 'has no codes in it. Put one code on each line.')
      lists.set(id, codes)
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      report(
        ['offers', id, 'codes'],
        missing
          ? 'names a file that does not exist. Correct the path; it is relative to the configuration file.'
          : 'names a file that cannot be read as CSV: one code a line, or a column "code".',
      )
    }
  }
  return lists
}
