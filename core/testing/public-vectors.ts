import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe } from 'vitest'

/** Where the public test vectors lie, if they do: ANUENTE_SHARED, or the folder `shared` beside the clone. */
const folder = process.env['ANUENTE_SHARED'] ?? resolve(import.meta.dirname, '../../../shared')

/** @param name path below the folder, as `vectors/gcd.json`. */
export function readShared(name: string): string {
  return readFileSync(resolve(folder, name), 'utf8')
}

export const readVectors = (name: string) => JSON.parse(readShared(`vectors/${name}`)) as Record<string, unknown>

/**
 * Tests against files that a clone need not have. Where they are missing nothing is registered: the
 * project's own cases beside them stand for themselves, and a skipped test would count as failed.
 *
 * @param names files below the folder that the tests read.
 */
export function describeShared(title: string, names: readonly string[], tests: () => void): void {
  if (names.every((name) => existsSync(resolve(folder, name)))) describe(title, tests)
}
