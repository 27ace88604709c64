/** Rows of a file, CSV, NDJSON or a JSON list: by `anuente backfill`, by the admin API, or uploaded to /in/<source id>. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { Type } from 'typebox'
import {
  defineSource,
  EventMapping,
  folderPages,
  type KeptItem,
  mapItem,
  type RawRequest,
  readJson,
  readKept,
  readTable,
  type SourceItem,
  sameSecret,
} from '../../core/kit/index.ts'
import { oneOf } from '../../schemas/one-of.ts'

export default defineSource({
  id: 'file',
  name: 'File',
  docs: 'https://anuente.dev/docs/sources/file',
  support: 'community',
  settings: Type.Object(
    {
      token: Type.Optional(
        Type.String({
          minLength: 8,
          secret: true,
          description: 'For uploads to /in/<source id>, in `header`. Absent: nobody may upload there.',
        }),
      ),
      header: Type.String({
        default: 'x-anuente-token',
        pattern: '^[A-Za-z0-9-]+$',
        description: 'Header the token comes in.',
      }),
      mapping: EventMapping,
      folder: Type.Optional(
        Type.Object(
          {
            path: Type.String({
              minLength: 1,
              description:
                'Folder on the machine of the hub that files are put into; relative to the configuration file.',
            }),
            endings: Type.Array(Type.String({ minLength: 1 }), {
              default: ['.csv', '.ndjson', '.json'],
              description: 'Ends of the names that are taken.',
            }),
            everySeconds: Type.Integer({ minimum: 1, maximum: 86_400, default: 10, description: 'Between two looks.' }),
            after: oneOf(
              ['keep', 'delete'],
              'keep: a file whose rows are in goes into done/ beside it. delete: it is deleted, so that its personal data lie in one place less.',
            ),
          },
          { additionalProperties: false, description: 'Take what is put into this folder.' },
        ),
      ),
      encoding: Type.Optional(oneOf(['utf-8', 'windows-1252'], 'Absent: told from the bytes.')),
      delimiter: Type.Optional(oneOf([',', ';', '\t', '|'], 'Absent: told from the first line.')),
      decimal: Type.Optional(oneOf([',', '.'], 'Decimal sign. Absent: 1.219,90 and 1219.90 are both read.')),
      dates: Type.Optional(oneOf(['DMY', 'MDY'], 'Order of day and month; DMY.')),
      timezone: Type.Optional(Type.String({ description: "Of times without one; the organisation's." })),
    },
    { additionalProperties: false },
  ),
  routes: [],
  maxBytes: 4_000_000,
  takesRows: true,
  volatileFields: [],
  credentials: () => [],
  keys: () => [],
  poll: {
    every: ({ folder }) => folder && (folder.everySeconds ?? 10),
    hosts: () => [],
    pages: ({ settings: { folder, encoding, delimiter }, cursor, now, home }) =>
      folder
        ? folderPages(
            {
              path: resolve(home, folder.path),
              endings: folder.endings ?? ['.csv', '.ndjson', '.json'],
              after: folder.after,
              encoding,
              delimiter,
            },
            cursor,
            now,
          )
        : nothing(),
  },

  verify: ({ headers }, { token, header = 'x-anuente-token' }) =>
    sameSecret(token, headers[header.toLowerCase()]) ? true : 'BAD_SIGNATURE',

  normalize(request, { mapping, encoding, delimiter, decimal, dates, timezone }): SourceItem[] {
    const notation = { ...(decimal && { decimal }), ...(dates && { dates }), ...(timezone && { timezone }) }
    const found = keptOf(request) ?? rowsOf(request, { encoding, delimiter })
    return found.flatMap(({ path, ...kept }) =>
      mapItem(kept, path, mapping.id === undefined ? { ...mapping, id: { const: kept.topic } } : mapping, notation),
    )
  },

  accept: (_request, { recorded, quarantined }) => ({ status: 200, body: { ok: true, recorded, quarantined } }),
})

async function* nothing(): AsyncGenerator<never> {}

/** A row that was set aside. */
function keptOf(request: RawRequest): (KeptItem & { path: string })[] | undefined {
  if (!/^\s*\{\s*"anuente_/.test(request.body.subarray(0, 64).toString('latin1'))) return undefined
  try {
    const kept = readKept(readJson(request))
    return kept && [{ ...kept, path: '' }]
  } catch {
    return undefined // Rows, one a line.
  }
}

/** `topic` is (import, row): the same file sent twice counts once. */
function rowsOf(request: RawRequest, form: Parameters<typeof readTable>[1]): (KeptItem & { path: string })[] {
  const named = request.query['import']
  const id = named ?? createHash('sha256').update(request.body).digest('hex').slice(0, 32)
  const first = /^\d{1,12}$/.test(request.query['row'] ?? '') ? Number(request.query['row']) : 1
  return readTable(request.body, form).rows.map((item, index) => ({
    item,
    topic: `${id}-${first + index}`,
    path: `/${index}`,
  }))
}
