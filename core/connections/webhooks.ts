/**
 * Webhooks at a vendor that call a source of this hub: listed, made and taken away through the vendor's API. Webhooks
 * of others are shown and never touched.
 */
import type { DestinationSettings, LoadedConfig, SourceSettings } from '../config.ts'
import { type Credentials, connect, reachOf } from '../delivery/perform.ts'
import { AuthenticationError, RejectedError, RetryableError } from '../kit/errors.ts'
import type { Http, Transport } from '../kit/http.ts'
import { createTransport } from '../kit/transport.ts'
import { type Command, CommandError } from '../server/context.ts'

export interface WebhookPorts {
  readonly config: LoadedConfig
  readonly clock: () => number
  readonly credentialsFor: (destination: DestinationSettings) => Credentials | undefined
  readonly transportFor?: ((id: string) => Transport | undefined) | undefined
}

export interface ListedWebhook {
  readonly id: string
  readonly event: string
  /** Without its query: a token may stand there. */
  readonly url: string
  readonly ours: boolean
}

export const WEBHOOK_COMMANDS: ReadonlySet<string> = new Set(['listWebhooks', 'createWebhooks', 'deleteWebhooks'])

const withoutQuery = (url: string): string => url.replace(/[?#].*$/, '')

/** @returns every webhook of the account afterwards. @throws CommandError */
export async function manageWebhooks(
  { name, args }: Pick<Command, 'name' | 'args'>,
  ports: WebhookPorts,
): Promise<{ url: string; items: ListedWebhook[]; changed: number }> {
  const destination = ports.config.destinationSettings.get(String(args['destination'] ?? ''))
  if (!destination) throw new CommandError('NOT_FOUND', 'There is no such destination in the configuration.')
  const { definition, settings } = destination
  const ways = definition.webhooks
  if (!ways)
    throw new CommandError('INVALID', `Webhooks of ${definition.name} are made in its own pages, not through its API.`)
  const source = sourceOf(ports.config, ways.source, args['source'])
  const url = `${ports.config.publicUrl}/in/${source.id}`
  return withHttp(destination, ports, async (http) => {
    const context = { http, settings, now: new Date(ports.clock()) }
    const list = async () =>
      (await ways.list(context)).map((one) => ({
        ...one,
        url: withoutQuery(one.url),
        ours: withoutQuery(one.url) === url,
      }))
    let items = await list()
    const there = items.filter(({ ours }) => ours)
    let changed = 0
    if (name === 'createWebhooks')
      for (const event of ways.events) {
        if (there.some((one) => one.event === event)) continue
        await ways.create({ ...context, url, event, source: source.settings })
        changed += 1
      }
    if (name === 'deleteWebhooks')
      for (const { id } of there) {
        await ways.remove({ ...context, id })
        changed += 1
      }
    if (changed > 0) items = await list()
    return { url, items, changed }
  })
}

function sourceOf({ sourceSettings }: LoadedConfig, connector: string, asked: unknown): SourceSettings {
  const able = [...sourceSettings.values()].filter((source) => source.connector === connector)
  const found = asked === undefined ? able : able.filter(({ id }) => id === asked)
  if (found.length === 1) return found[0]!
  throw new CommandError(
    'INVALID',
    found.length === 0
      ? `No source with connector ${connector}${asked === undefined ? '' : ` is called ${String(asked)}`}: write one under sources first, so that there is somebody to call.`
      : `Several sources have the connector ${connector}: say which one (${able.map(({ id }) => id).join(', ')}).`,
  )
}

async function withHttp<T>(
  destination: DestinationSettings,
  ports: WebhookPorts,
  work: (http: Http) => Promise<T>,
): Promise<T> {
  const { id, definition, settings, config } = destination
  const { origin, hosts } = reachOf(definition, settings)
  const given = ports.transportFor?.(id)
  const own = given
    ? undefined
    : createTransport({
        allowPrivate: ports.config.config.network?.allow ?? [],
        hosts,
        timeoutMs: 15_000,
        ...(config.sandbox !== undefined && { sandbox: { vendorOrigin: origin.origin, target: config.sandbox } }),
      })
  try {
    return await work(
      connect(definition, settings, {
        credentials: ports.credentialsFor(destination),
        slot: (job) => job(),
        lastLook: async () => {},
        transport: given ?? own!,
      }),
    )
  } catch (error) {
    if (error instanceof RetryableError) throw new CommandError('UNAVAILABLE', `${definition.name}: ${error.message}`)
    if (error instanceof AuthenticationError || error instanceof RejectedError)
      throw new CommandError('REFUSED', `${definition.name} refused this: ${error.message}`)
    throw error
  } finally {
    await own?.close()
  }
}
