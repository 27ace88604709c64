/** What can be plugged in, made from the definitions; and one question to a vendor with settings that are not kept. */
import {
  Catalog,
  CatalogCheck,
  type CatalogChecked,
  type CatalogEntry,
  CatalogChecked as Checked,
} from '../../../schemas/catalog.ts'
import { checkSettings } from '../../config.ts'
import { askVendor } from '../../delivery/ask-vendor.ts'
import { resultOf } from '../../delivery/perform.ts'
import type { AnyDestination, AnySource } from '../../kit/define.ts'
import { ConfigError } from '../../kit/errors.ts'
import { type AnyRoute, defineRoute, Refusal } from './route.ts'

const TAG = 'Connectors'

const usedBy = (config: Readonly<Record<string, { connector: string }>> | undefined, connector: string) =>
  Object.entries(config ?? {}).flatMap(([id, one]) => (one.connector === connector ? [id] : []))

function destinationEntry(definition: AnyDestination, used: string[]): CatalogEntry {
  const { id, name, docs, support, settings, actions, oauth, feedback, deleteSubject } = definition
  return {
    direction: 'destination',
    id,
    name,
    docs,
    support,
    used,
    settings,
    actions: Object.entries(actions).map(([action, { title, purpose, channel }]) => ({
      id: action,
      title,
      purpose,
      channel: channel ?? null,
    })),
    account: oauth !== undefined,
    feedback: 'none' in feedback ? null : feedback.webhook,
    deletesSubject:
      'implemented' in deleteSubject ? 'implemented' : 'manual' in deleteSubject ? 'manual' : 'impossible',
    webhook: false,
  }
}

function sourceEntry({ id, name, docs, support, settings }: AnySource, used: string[]): CatalogEntry {
  return {
    direction: 'source',
    id,
    name,
    docs,
    support,
    used,
    settings,
    actions: [],
    account: false,
    feedback: null,
    deletesSubject: null,
    webhook: true,
  }
}

export const catalogRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/catalog',
    operationId: 'listCatalog',
    tag: TAG,
    summary: 'Every connector of this installation with its settings as JSON Schema, what it does and who uses it.',
    permission: 'connectors.read',
    answer: Catalog,
    handle: async ({ context: { registry, config } }) => ({
      items: [
        ...[...registry.sources.values()].map((one) => sourceEntry(one, usedBy(config.sources, one.id))),
        ...[...registry.destinations.values()].map((one) => destinationEntry(one, usedBy(config.destinations, one.id))),
      ].sort((a, b) => a.name.localeCompare(b.name)),
    }),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/catalog/check',
    operationId: 'checkConnector',
    tag: TAG,
    summary: 'Try settings of a destination with the one call that only reads. They are kept nowhere.',
    permission: 'connectors.write',
    body: CatalogCheck,
    answer: Checked,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No destination connector has this id.' }],
    handle: async ({ context, body }) => {
      const definition = context.registry.destinations.get(body.connector)
      if (!definition) throw new Refusal(404, 'NOT_FOUND', 'No destination connector has this id.')
      return tryConnection(definition, body.settings, context.config.network?.allow ?? [])
    },
  }),
]

/** A wrong setting and a refusal of the vendor are answers; neither quotes a value. */
async function tryConnection(
  definition: AnyDestination,
  given: Readonly<Record<string, unknown>>,
  allowPrivate: readonly string[],
): Promise<CatalogChecked> {
  const no = (detail: string): CatalogChecked => ({ ok: false, detail, warnings: [] })
  let settings: Record<string, unknown>
  try {
    settings = checkSettings(definition.settings, given, '/settings')
  } catch (error) {
    if (error instanceof ConfigError) return no(error.message)
    throw error
  }
  if (definition.oauth?.client(settings) !== undefined)
    return no('This account is connected by OAuth: write the settings into the configuration, then connect it.')
  try {
    const { ok, detail, warnings = [] } = await askVendor(definition, settings, { allowPrivate })
    return { ok, detail, warnings: [...warnings] }
  } catch (error) {
    const result = resultOf(error)
    return no('reason' in result ? result.reason : result.status)
  }
}
