import type { TObject, TSchema } from 'typebox'

export interface MaskedSetting {
  name: string
  value: unknown
  secret: boolean
  description: string | null
}

/** The last four characters tell two keys apart; of a short secret they would tell too much. */
function mask(value: unknown): string {
  const text = typeof value === 'string' ? value : ''
  return text.length >= 12 ? `••••${text.slice(-4)}` : '••••'
}

/** Secrets inside an object hide too; so does everything the connector does not declare. */
function maskValue(value: unknown, schema: TSchema | undefined): unknown {
  const declared = schema as
    | (TSchema & {
        secret?: boolean
        properties?: Record<string, TSchema>
        items?: TSchema
        type?: string
        anyOf?: TSchema[]
      })
    | undefined
  if (!declared || declared.secret === true) return mask(value)
  if (Array.isArray(value))
    return value.map((item) => maskValue(item, declared.items ?? (declared.type === 'array' ? {} : undefined)))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, maskValue(inner, declared.properties?.[key])]),
    )
  }
  return value
}

/** Settings as the cockpit may see them. */
export function maskSettings(
  settings: Readonly<Record<string, unknown>>,
  schema: TObject | undefined,
): MaskedSetting[] {
  return Object.entries(settings).map(([name, value]) => {
    const declared = schema?.properties[name] as (TSchema & { secret?: boolean; description?: string }) | undefined
    return {
      name,
      value: maskValue(value, declared),
      secret: !declared || declared.secret === true,
      description: declared?.description ?? null,
    }
  })
}
