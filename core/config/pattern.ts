/** Which files a pattern such as ./rules/*.yaml names. */
import { existsSync, readdirSync } from 'node:fs'
import { resolve, sep } from 'node:path'

/** Files a pattern names, sorted. `*` and `?` stay within a folder, `**` goes through any number. */
export function expand(dir: string, pattern: string): string[] {
  const full = resolve(dir, pattern)
  if (!/[*?]/.test(pattern)) return existsSync(full) ? [full] : []
  const steps = full.split(sep)
  const root =
    steps
      .slice(
        0,
        steps.findIndex((step) => /[*?]/.test(step)),
      )
      .join(sep) || sep
  if (!existsSync(root)) return []
  const source = full
    .split(sep)
    .map((step) =>
      step === '**'
        ? '**'
        : step
            .replace(/[.+^${}()|[\]\\]/g, '\\$&')
            .replaceAll('*', '[^/\\\\]*')
            .replaceAll('?', '[^/\\\\]'),
    )
    .join('/')
    .replaceAll('**/', '(?:.*/)?')
    .replaceAll('**', '.*')
  const matches = new RegExp(`^${source}$`)
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => resolve(entry.parentPath, entry.name))
    .filter((name) => matches.test(name.split(sep).join('/')))
    .sort()
}
