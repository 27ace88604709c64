/** Secrets of settings and accounts connected by OAuth, as the admin API tells of them: never a value, never a token. */
import { type Static, type TSchema, Type } from 'typebox'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false }
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.Integer({ description: 'Epoch milliseconds.' })

export const SecretName = Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,62}$' })
export const SecretParams = Type.Object({ name: SecretName }, closed)
export const SetSecretRequest = Type.Object(
  {
    name: SecretName,
    value: Type.String({ minLength: 1, maxLength: 16_384, description: 'Taken, never given back.' }),
  },
  closed,
)
export const SecretAnswer = Type.Object({ name: Type.String(), replaced: Type.Boolean() }, closed)
export const Secrets = Type.Object(
  {
    items: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          setAt: Time,
          setBy: Type.String({ description: 'Name of the user or token, or "cli".' }),
          hint: Nullable(Type.String({ description: 'Last four characters; null of a short one.' })),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type Secrets = Static<typeof Secrets>

export const Connections = Type.Object(
  {
    redirectUrl: Type.String({ description: 'To be registered with the app at the vendor, exactly so.' }),
    items: Type.Array(
      Type.Object(
        {
          destination: Type.String(),
          connector: Type.String(),
          name: Type.String(),
          docs: Type.String(),
          state: oneOf(['connected', 'expiring', 'needs_connection', 'never']),
          problem: Nullable(
            Type.String({ description: 'Why it has to be connected again, or why the last refresh failed.' }),
          ),
          connectedAt: Nullable(Time),
          connectedBy: Nullable(Type.String()),
          refreshedAt: Nullable(Time),
          expiresAt: Nullable(Time),
          refreshExpiresAt: Nullable(Time),
          waiting: Type.Integer({ description: 'Deliveries that wait for it.' }),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type Connections = Static<typeof Connections>

export const BeginAnswer = Type.Object(
  {
    destination: Type.String(),
    url: Type.String({ description: "The vendor's page; open it in the browser of this session." }),
    redirectUrl: Type.String(),
    expiresAt: Time,
  },
  closed,
)
export type BeginAnswer = Static<typeof BeginAnswer>

export const FinishRequest = Type.Object(
  { state: Type.String({ minLength: 16, maxLength: 200 }), code: Type.String({ minLength: 1, maxLength: 4096 }) },
  closed,
)
export const ConnectionAnswer = Type.Object({ destination: Type.String() }, closed)
export type ConnectionAnswer = Static<typeof ConnectionAnswer>

export const Webhooks = Type.Object(
  {
    url: Type.String({ description: 'Where the hub takes what the vendor tells.' }),
    changed: Type.Integer({ description: 'How many were made or deleted.' }),
    items: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          event: Type.String(),
          url: Type.String({ description: 'Without its query.' }),
          ours: Type.Boolean({ description: 'It calls this hub.' }),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type Webhooks = Static<typeof Webhooks>
