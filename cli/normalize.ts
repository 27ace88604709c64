/** `anuente normalize <source>`: raw requests in, canonical events out; nothing is recorded or sent. */
import type { Command } from 'commander'
import { Type } from 'typebox'
import { loadPurposes, STARTER_PURPOSES } from '../consent/purposes.ts'
import { defaultSettings, type LoadedConfig, type Settings } from '../core/config.ts'
import { checkAgainst } from '../core/delivery/payload.ts'
import { newId } from '../core/ids.ts'
import type { RawRequest } from '../core/kit/define.ts'
import { InputError } from '../core/kit/errors.ts'
import { canonicalize, type SourceContext } from '../core/stages/normalize.ts'
import { readLines } from './lines.ts'
import { openConfigIfThere, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, writeJson } from './output.ts'

const TextMap = Type.Record(Type.String(), Type.String())
const Line = Type.Object(
  {
    method: Type.Optional(Type.String()),
    path: Type.Optional(Type.String({ pattern: '^/' })),
    query: Type.Optional(TextMap),
    headers: Type.Optional(TextMap),
    body: Type.Optional(Type.Unknown()),
    receivedAt: Type.Optional(Type.String({ format: 'date-time' })),
  },
  { additionalProperties: false },
)
interface Line {
  readonly method?: string
  readonly path?: string
  readonly query?: Record<string, string>
  readonly headers?: Record<string, string>
  readonly body?: unknown
  readonly receivedAt?: string
}

interface Problem {
  readonly code: string
  readonly message: string
  readonly path: string
}

export function addNormalize(program: Command, cli: Cli): void {
  const command = program
    .command('normalize')
    .argument('<source>', 'source of the configuration, or a connector such as segment')
    .summary('turn raw requests into canonical events')
    .description(
      'Reads one request per line, {method?, path?, query?, headers?, body, receivedAt?}, and prints {"events":[…]} or {"error":{code,message,path}} for each. Records nothing.',
    )
    .action(async (name: string, options: StandardOptions) => {
      const loaded = await openConfigIfThere(options, cli, cli.registry.sources.has(name))
      const { source, settings } = findSource(name, loaded, cli)
      for await (const text of readLines(cli, 'normalize'))
        await writeJson(cli.stdout, normalizeLine(text, source, settings))
    })
  standard(command, [
    'anuente normalize segment < raw.ndjson',
    `echo '{"path":"/v1/track","body":{"userId":"u1","event":"Order Completed"}}' | anuente normalize site`,
    'anuente normalize tag --config ./loja.yaml < hits.ndjson | jq .events[].name',
  ])
}

function findSource(
  name: string,
  loaded: LoadedConfig | undefined,
  cli: Cli,
): { source: SourceContext; settings: Settings } {
  const purposes = loadPurposes(loaded?.config ?? { purposes: STARTER_PURPOSES })
  const instance = loaded?.sourceSettings.get(name)
  if (instance) {
    const { id, connector, definition, settings } = instance
    return { source: { id, connector, definition, notice: instance.config.notice, purposes }, settings }
  }
  const definition = cli.registry.sources.get(name)
  if (!definition) {
    const known = [...new Set([...(loaded?.sourceSettings.keys() ?? []), ...cli.registry.sources.keys()])]
    throw new CliError('UNKNOWN_SOURCE', `no source and no connector is called ${name}. Known: ${known.join(', ')}`)
  }
  return { source: { id: name, connector: name, definition, purposes }, settings: defaultSettings(definition.settings) }
}

function normalizeLine(text: string, source: SourceContext, settings: Settings): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { error: { code: 'MALFORMED_JSON', message: 'the line is not valid JSON', path: '' } }
  }
  const checked = checkAgainst<Line>(Line, value)
  if ('errors' in checked) {
    const first = checked.errors[0]
    const message = `a line is {method?, path?, query?, headers?, body, receivedAt?}: ${first?.message ?? ''}`
    return { error: { code: 'INVALID', message, path: first?.path ?? '' } }
  }
  const request = requestOf(checked.value, source.id)
  try {
    const events: unknown[] = []
    const errors: Problem[] = []
    for (const item of source.definition.normalize(request, settings)) {
      const result = canonicalize(item, source, request.receivedAt, newId)
      if ('event' in result) events.push(result.event)
      else
        errors.push({ code: result.quarantine.code, message: result.quarantine.message, path: result.quarantine.path })
    }
    if (errors.length === 0) return { events }
    if (events.length > 0) return { events, errors }
    return { error: errors[0], ...(errors.length > 1 && { errors }) }
  } catch (error) {
    if (error instanceof InputError) return { error: { code: error.code, message: error.message, path: error.path } }
    throw error
  }
}

function requestOf(line: Line, source: string): RawRequest {
  const url = new URL(line.path ?? `/in/${source}`, 'http://hub')
  const body = line.body === undefined ? '' : typeof line.body === 'string' ? line.body : JSON.stringify(line.body)
  const headers = Object.fromEntries(
    Object.entries(line.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  )
  return {
    method: (line.method ?? 'POST').toUpperCase(),
    path: url.pathname,
    query: { ...Object.fromEntries(url.searchParams), ...line.query },
    headers:
      typeof line.body === 'object' && !headers['content-type']
        ? { ...headers, 'content-type': 'application/json' }
        : headers,
    body: Buffer.from(body),
    receivedAt: new Date(line.receivedAt ?? Date.now()).toISOString(),
  }
}
