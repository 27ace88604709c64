/** Every connector of this installation, as the cockpit shows it to somebody who wants to plug it in. */
import { type Static, Type } from 'typebox'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Text = Type.Object({ pt: Type.String(), en: Type.String() }, closed)

export const CatalogEntry = Type.Object(
  {
    direction: oneOf(['source', 'destination']),
    id: Type.String(),
    name: Type.String(),
    docs: Type.String(),
    support: oneOf(['certified', 'community']),
    used: Type.Array(Type.String(), { description: 'Instances of the configuration.' }),
    settings: Type.Unknown({ description: 'JSON Schema of its settings; `secret: true` marks secrets.' }),
    actions: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          title: Text,
          purpose: Type.String(),
          channel: Type.Union([Type.String(), Type.Null()]),
        },
        closed,
      ),
    ),
    account: Type.Boolean({ description: 'Its account can be connected by OAuth.' }),
    feedback: Type.Union([Text, Type.Null()], {
      description: 'How it tells what became of messages; null: it does not.',
    }),
    deletesSubject: Type.Union([oneOf(['implemented', 'manual', 'impossible']), Type.Null()]),
    webhook: Type.Boolean({ description: 'A source that others send to, at /in/<id>.' }),
  },
  closed,
)
export type CatalogEntry = Static<typeof CatalogEntry>

export const Catalog = Type.Object({ items: Type.Array(CatalogEntry) }, closed)
export type Catalog = Static<typeof Catalog>

export const CatalogCheck = Type.Object(
  {
    connector: Type.String({ minLength: 1, maxLength: 64 }),
    settings: Type.Record(Type.String(), Type.Unknown()),
  },
  { ...closed, description: 'Settings are used for this one question and kept nowhere.' },
)
export const CatalogChecked = Type.Object(
  {
    ok: Type.Boolean(),
    detail: Type.String(),
    warnings: Type.Array(Type.String()),
  },
  closed,
)
export type CatalogChecked = Static<typeof CatalogChecked>
