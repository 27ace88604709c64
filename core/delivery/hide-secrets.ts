/** Credentials of the configuration do not end on a screen, however a request spells them. */
import type { TSchema } from 'typebox'
import type { Settings } from '../config.ts'

export const HIDDEN = '•••'

interface Shown {
  readonly headers: Readonly<Record<string, string>>
}

/** Long enough to hold a user and a password; shorter text is no credential that anybody could tell apart. */
const BASE64 = /[A-Za-z0-9+/_-]{8,}={0,2}/g

/** @param own settings that the case itself brought: those are the caller's own. */
export function hideSecrets<T extends Shown>(
  request: T,
  { schema, settings, own = {} }: { readonly schema: TSchema; readonly settings: Settings; readonly own?: Settings },
): T {
  const ours = Object.fromEntries(Object.entries(settings).filter(([name]) => !Object.hasOwn(own, name)))
  const secrets = secretTexts(schema, ours)
  if (secrets.length === 0) return request
  const holds = (text: string) => secrets.some((secret) => text.includes(secret))
  const clean = (text: string): string => {
    let shown = text
    for (const secret of secrets)
      for (const spelling of new Set([secret, encodeURIComponent(secret)])) shown = shown.replaceAll(spelling, HIDDEN)
    // `user:password` in base64, in whatever header, address or body it stands.
    return shown.replace(BASE64, (word) => (holds(Buffer.from(word, 'base64').toString('utf8')) ? HIDDEN : word))
  }
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return clean(value)
    if (Array.isArray(value)) return value.map(walk)
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [clean(key), walk(part)]))
  }
  const headers = Object.entries(request.headers).map(([name, value]) => [
    name,
    // Signatures are made of the secret and hold no trace of it.
    /^(authorization|proxy-authorization|cookie)$/i.test(name)
      ? value.replace(/^(\w+ )?.*$/s, `$1${HIDDEN}`)
      : clean(value),
  ])
  return { ...(walk(request) as T), headers: Object.fromEntries(headers) }
}

/** Every text that a schema marks as a secret, however deep, also where the names are free (headers). */
function secretTexts(schema: TSchema | undefined, value: unknown): string[] {
  if (!schema || value === undefined || value === null) return []
  const { secret, properties, patternProperties, items, anyOf, allOf } = schema as TSchema & {
    secret?: boolean
    properties?: Record<string, TSchema>
    patternProperties?: Record<string, TSchema>
    items?: TSchema
    anyOf?: TSchema[]
    allOf?: TSchema[]
  }
  if (typeof value === 'string') {
    const marked = secret || [...(anyOf ?? []), ...(allOf ?? [])].some((part) => (part as { secret?: boolean }).secret)
    return marked && value !== '' ? [value] : []
  }
  if (Array.isArray(value)) return value.flatMap((item) => secretTexts(items, item))
  if (typeof value !== 'object') return []
  const free = Object.values(patternProperties ?? {})
  const own = Object.entries(value).flatMap(([name, part]) =>
    properties && Object.hasOwn(properties, name)
      ? secretTexts(properties[name], part)
      : free.flatMap((one) => secretTexts(one, part)),
  )
  return [...own, ...[...(anyOf ?? []), ...(allOf ?? [])].flatMap((part) => secretTexts(part, value))]
}
