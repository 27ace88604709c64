/** The part of anuente.yaml that a form stands for. JSON values are YAML, so what was typed cannot break out of its line. */
export interface ConnectorForm {
  readonly direction: 'source' | 'destination'
  readonly connector: string
  readonly instance: string
  readonly role: string
  readonly country: string
  readonly purposes: string
  readonly notice: string
  /** As typed; empty fields are left out. */
  readonly settings: Readonly<Record<string, string>>
}

export interface SettingSchema {
  readonly type?: string
  readonly secret?: boolean
  readonly default?: unknown
  readonly description?: string
  readonly const?: unknown
  readonly anyOf?: readonly SettingSchema[]
  readonly enum?: readonly unknown[]
}

/** Name under which a secret of this instance is kept: LOJA_BREVO_API_KEY. */
export const secretName = (instance: string, setting: string): string =>
  `${instance}_${setting.replace(/([a-z0-9])([A-Z])/g, '$1_$2')}`.replace(/[^A-Za-z0-9]+/g, '_').toUpperCase()

/** Text as it is; anything else as JSON, and what is no JSON stays text: the schema says what is wrong with it. */
export function readSetting(text: string, { type }: SettingSchema): unknown {
  if (type === 'string') return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

export function typedSettings(
  settings: Readonly<Record<string, string>>,
  schemas: Readonly<Record<string, SettingSchema>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([, text]) => text !== '')
      .map(([name, text]) => [name, readSetting(text, schemas[name] ?? {})]),
  )
}

export function connectorYaml(form: ConnectorForm, schemas: Readonly<Record<string, SettingSchema>>): string {
  const lines = [`${form.direction}s:`, `  ${form.instance}:`, `    connector: ${form.connector}`]
  if (form.direction === 'destination') {
    lines.push(`    role: ${form.role}`)
    if (form.country.trim() !== '') lines.push(`    country: ${JSON.stringify(form.country.trim().toUpperCase())}`)
    const purposes = form.purposes.split(',').map((purpose) => purpose.trim())
    lines.push(`    purposes: ${JSON.stringify(purposes.filter(Boolean))}`)
  } else {
    const [, id, version] = /^(.+?)\s+v?(\d+)$/.exec(form.notice.trim()) ?? []
    if (id !== undefined) lines.push(`    notice: {id: ${JSON.stringify(id)}, version: ${version}}`)
  }
  const settings = Object.entries(typedSettings(form.settings, schemas))
  if (settings.length > 0) lines.push('    settings:')
  for (const [name, value] of settings)
    lines.push(
      `      ${name}: ${schemas[name]?.secret ? JSON.stringify(`\${secret:${secretName(form.instance, name)}}`) : JSON.stringify(value)}`,
    )
  return `${lines.join('\n')}\n`
}
