import { type Static, Type } from 'typebox'
import { BASES, Notice, SCOPES, STAGES } from './consent.ts'
import { oneOf } from './one-of.ts'
import { RetentionConfig } from './retention.ts'
import { Duration } from './rule.ts'

const Text = Type.Object({ pt: Type.String(), en: Type.String() }, { additionalProperties: false })

export const Collects = Type.Array(
  Type.Union([
    Type.String({
      description:
        "Event name, glob, or call type (identify, page, screen, group, alias): brings the event's spec properties, no traits and no contact data.",
    }),
    Type.Record(Type.String(), Type.Array(Type.String()), { description: 'Name -> the paths this purpose needs.' }),
  ]),
)

export const PurposeConfig = Type.Object(
  {
    basis: oneOf(BASES),
    scope: oneOf(SCOPES),
    title: Text,
    description: Type.Optional(Text),
    collects: Collects,
    stages: Type.Array(oneOf(STAGES)),
    opens: Type.Optional(Type.Array(Type.String(), { description: 'contract only: events that open the contract.' })),
    ends: Type.Optional(Duration),
    sensitive: Type.Optional(Type.Boolean()),
    lia: Type.Optional(
      Type.Object(
        { approvedAt: Type.String({ format: 'date' }), approvedBy: Type.String(), ref: Type.String() },
        {
          additionalProperties: false,
          description: 'Balancing test (LGPD art. 10); legitimate interest is off without it.',
        },
      ),
    ),
    signals: Type.Optional(
      Type.Object(
        {
          google: Type.Optional(Type.Array(Type.String())),
          segment: Type.Optional(Type.Array(Type.String())),
          rudder: Type.Optional(Type.Array(Type.String())),
          rd: Type.Optional(oneOf(['communications', 'data_processing'])),
          person: Type.Optional(
            Type.Boolean({ description: 'A device signal may speak for the person when the identity is verified.' }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type PurposeConfig = Static<typeof PurposeConfig>

export const SourceConfig = Type.Object(
  {
    connector: Type.String(),
    notice: Type.Optional(Notice),
    settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
)
export type SourceConfig = Static<typeof SourceConfig>

export const DestinationConfig = Type.Object(
  {
    connector: Type.String(),
    role: Type.Optional(oneOf(['operator', 'controller'])),
    country: Type.Optional(Type.String({ pattern: '^[A-Z]{2}$' })),
    transfer: Type.Optional(
      Type.Object(
        { art33: oneOf(['I', 'II.a', 'II.b', 'II.c', 'II.d', 'VIII', 'IX']), ref: Type.String() },
        { additionalProperties: false, description: 'Ground of LGPD art. 33 for sending data abroad.' },
      ),
    ),
    purposes: Type.Union([Type.Array(Type.String()), Type.Record(Type.String(), Type.String())]),
    actions: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'Actions that follow events by themselves; all that have a trigger when absent. Rules may use any action.',
      }),
    ),
    settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    sandbox: Type.Optional(
      Type.String({
        format: 'uri',
        description: 'Requests go to this address instead of to the vendor; deliveries count as simulated.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type DestinationConfig = Static<typeof DestinationConfig>

export const Config = Type.Object(
  {
    organization: Type.Object(
      {
        name: Type.String(),
        cnpj: Type.Optional(Type.String()),
        dpo: Type.Optional(
          Type.Object(
            { name: Type.String(), email: Type.String({ format: 'email' }) },
            { additionalProperties: false, description: 'Encarregado (LGPD art. 41): shown to every data subject.' },
          ),
        ),
        timezone: Type.Optional(Type.String()),
        currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
        smallAgent: Type.Optional(
          Type.Boolean({ description: 'Agente de tratamento de pequeno porte: deadlines doubled (Res. CD/ANPD 2/2022).' }),
        ),
        holidays: Type.Optional(
          Type.Array(Type.String({ format: 'date' }), {
            description: 'Local holidays that deadlines in business days skip besides the national ones.',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    server: Type.Optional(
      Type.Object(
        {
          port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535 })),
          host: Type.Optional(Type.String()),
          publicUrl: Type.Optional(Type.String({ format: 'uri' })),
          trustedProxies: Type.Optional(Type.Array(Type.String())),
        },
        { additionalProperties: false },
      ),
    ),
    mail: Type.Optional(Type.Object({ smtp: Type.String(), from: Type.String() }, { additionalProperties: false })),
    storage: Type.Optional(
      Type.Object(
        {
          dir: Type.Optional(Type.String()),
          state: Type.Optional(Type.String({ pattern: '^postgres(ql)?://' })),
          maxLogBytes: Type.Optional(
            Type.Integer({ minimum: 1_000_000, description: 'Above this the hub answers 429.' }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    sources: Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' }), SourceConfig, {
      additionalProperties: false,
    }),
    purposes: Type.Record(Type.String({ pattern: '^[a-z0-9_.]{1,64}$' }), PurposeConfig, {
      additionalProperties: false,
    }),
    destinations: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' }), DestinationConfig, {
        additionalProperties: false,
      }),
    ),
    retention: Type.Optional(RetentionConfig),
    rules: Type.Optional(Type.Array(Type.String(), { description: 'Files or globs of rule documents.' })),
    openTraits: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Text traits that are not personal on their own and may be read by rules (plan, state, …).',
      }),
    ),
    authoritative: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Connectors in the order they are believed when several report one fact.',
      }),
    ),
    experiments: Type.Optional(
      Type.Object(
        {
          globalHoldout: Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1 })),
          seed: Type.Optional(Type.String()),
        },
        { additionalProperties: false },
      ),
    ),
    network: Type.Optional(
      Type.Object(
        {
          allow: Type.Optional(
            Type.Array(Type.String(), {
              description: 'host or host:port on private networks that destinations may reach.',
            }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    simulated: Type.Optional(
      Type.Boolean({ description: 'Marks everything this hub shows as simulated (the demo sets it).' }),
    ),
  },
  { $id: 'https://anuente.dev/schemas/config.json', title: 'anuente.yaml', additionalProperties: false },
)
export type Config = Static<typeof Config>
