import { type Static, Type } from 'typebox'
import { measuresConfig } from './audience.ts'
import { conditionDefs } from './conditions.ts'
import { ART9_ITEMS, BASES, MATERIAL_ITEMS, Notice, SCOPES, SENSITIVE_GROUNDS, STAGES } from './consent.ts'
import { IdentityConfig } from './identity.ts'
import { LEDGER_PRIVACY } from './ledger.ts'
import { OfferConfig } from './offers.ts'
import { oneOf } from './one-of.ts'
import { SourcePlan } from './plan.ts'
import { RequestsConfig, SystemConfig } from './requests.ts'
import { RetentionConfig } from './retention.ts'
import { Duration, TestRecipient } from './rule.ts'

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

/** The three phases are those of the ANPD's guide on legitimate interest (2024). */
export const BalancingTest = Type.Object(
  {
    approvedAt: Type.String({ format: 'date' }),
    approvedBy: Type.String(),
    ref: Type.String(),
    phases: Type.Optional(
      Type.Object(
        {
          purpose: Type.String({ minLength: 1, description: 'What for: a concrete and lawful purpose.' }),
          necessity: Type.String({ minLength: 1, description: 'Why these data, and why no less would do.' }),
          balancing: Type.String({
            minLength: 1,
            description: 'Expectation and rights of the person against the interest, and the safeguards.',
          }),
        },
        { additionalProperties: false },
      ),
    ),
    sharing: Type.Optional(
      Type.Array(Type.String(), { description: 'Destinations that are controllers and that this test covers.' }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Balancing test (LGPD art. 10); legitimate interest is off without it and its three phases.',
  },
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
    sensitive: Type.Optional(
      Type.Boolean({ description: 'Needs sensitive data (LGPD art. 5 II): the fields of `sensitiveFields` are kept.' }),
    ),
    sensitiveGround: Type.Optional(oneOf(SENSITIVE_GROUNDS)),
    lia: Type.Optional(BalancingTest),
    contract: Type.Optional(
      Type.Object(
        {
          ref: Type.String({ description: 'The terms this contract is in.' }),
          recipients: Type.Optional(
            Type.Array(Type.String(), {
              description: 'Destinations that are controllers and that the contract names.',
            }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    ground: Type.Optional(
      Type.String({
        minLength: 10,
        description:
          'public_policy, research, vital_interest, health, credit: the written ground. Nothing is processed on these bases without it.',
      }),
    ),
    automated: Type.Optional(
      oneOf(['harmless', 'harmful'], 'Decided by automation alone (LGPD art. 20), and whether it may harm the person.'),
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
    plan: Type.Optional(SourcePlan),
    settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
)
export type SourceConfig = Static<typeof SourceConfig>

export const DestinationConfig = Type.Object(
  {
    connector: Type.String(),
    role: Type.Optional(oneOf(['operator', 'controller'])),
    roleChange: Type.Optional(
      Type.Object(
        {
          from: oneOf(['operator', 'controller']),
          reason: Type.String({ minLength: 20 }),
          by: Type.String({ minLength: 1 }),
          at: Type.String({ format: 'date' }),
        },
        {
          additionalProperties: false,
          description: 'Why the role is another one than before (LGPD art. 7 §5); goes into the ledger.',
        },
      ),
    ),
    recipient: Type.Optional(
      oneOf(
        ['authority', 'counsel'],
        'What a legal duty (authority) or a proceeding (counsel, court) may be shared with.',
      ),
    ),
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

export const NoticeVersion = Type.Object(
  {
    version: Type.Integer({ minimum: 1 }),
    since: Type.String({ format: 'date' }),
    language: Type.Optional(oneOf(['pt-BR', 'en'])),
    text: Type.String({
      minLength: 1,
      description: 'As shown to the person. A long one may stand in a file of its own, by a file reference.',
    }),
    purposes: Type.Optional(Type.Array(Type.String(), { description: 'Purposes it speaks of; all when absent.' })),
    covers: Type.Object(Object.fromEntries(ART9_ITEMS.map((item) => [item, Type.Optional(Type.String())])), {
      additionalProperties: false,
      description: 'Where the text says each of the seven items of LGPD art. 9: the words themselves.',
    }),
    materialChange: Type.Optional(
      Type.Array(oneOf(MATERIAL_ITEMS), {
        description: 'What changed against the version before (LGPD art. 8 §6). Consent given before becomes stale.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type NoticeVersion = Static<typeof NoticeVersion>

export const MinorsConfig = Type.Object(
  {
    audience: Type.Optional(
      oneOf(
        ['general', 'children'],
        'children: likely to be used by minors, so people of unknown age count as minors.',
      ),
    ),
    trait: Type.Optional(
      Type.String({
        description:
          'Trait with a date of birth, an age in years, or one of child, teen, adult. Only the age band is kept.',
      }),
    ),
  },
  { additionalProperties: false, description: 'LGPD art. 14 and ECA Digital (Lei 15.211/2025).' },
)
export type MinorsConfig = Static<typeof MinorsConfig>

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
          Type.Boolean({
            description: 'Agente de tratamento de pequeno porte: deadlines doubled (Res. CD/ANPD 2/2022).',
          }),
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
    // `share.<destination id>` is as long and has the same characters as the id of a destination.
    purposes: Type.Record(
      Type.String({ pattern: '^([a-z0-9_.]{1,64}|share\\.[a-z0-9][a-z0-9_-]{0,62})$' }),
      PurposeConfig,
      {
        additionalProperties: false,
      },
    ),
    destinations: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' }), DestinationConfig, {
        additionalProperties: false,
      }),
    ),
    notices: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' }), Type.Array(NoticeVersion, { minItems: 1 }), {
        additionalProperties: false,
        description: 'Texts by which people were told, by id and version; published ones never change.',
      }),
    ),
    sensitiveFields: Type.Optional(
      Type.Array(Type.String({ pattern: '^(traits|properties|context)\\..+' }), {
        description:
          'Paths of sensitive data (LGPD art. 5 II), such as traits.health or properties.*.cid; stripped for every purpose without a ground of art. 11.',
      }),
    ),
    minors: Type.Optional(MinorsConfig),
    identity: Type.Optional(IdentityConfig),
    ledger: Type.Optional(
      Type.Object(
        {
          anchors: Type.Optional(
            Type.Object(
              {
                folder: Type.String({
                  minLength: 1,
                  description: 'Checkpoints are copied here, write-once. Best on storage that the hub cannot rewrite.',
                }),
              },
              { additionalProperties: false },
            ),
          ),
          privacy: Type.Optional(oneOf(LEDGER_PRIVACY)),
        },
        {
          additionalProperties: false,
          description:
            'The consent ledger. privacy strict: purpose, status and basis stand behind the commitment too, and only who holds the payload can read them.',
        },
      ),
    ),
    retention: Type.Optional(RetentionConfig),
    tradeSecrets: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description:
          'Fields of rules, such as traits.score, that explanations to people leave out as a commercial secret (LGPD art. 20 §1). They are counted.',
      }),
    ),
    requests: Type.Optional(RequestsConfig),
    systems: Type.Optional(Type.Array(SystemConfig)),
    rules: Type.Optional(Type.Array(Type.String(), { description: 'Files or globs of rule documents.' })),
    offers: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' }), OfferConfig, {
        additionalProperties: false,
        description: 'What may go with a message: a discount, a gift. Rules name them by then.offer.',
      }),
    ),
    ...measuresConfig,
    testRecipients: Type.Optional(
      Type.Array(TestRecipient, {
        description: 'People who get rules in the stage test, by e-mail, phone or userId. The hub keeps HMACs alone.',
      }),
    ),
    connectors: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'Connectors besides those of the hub: folders such as ./connectors, and installed packages named anuente-connector-*.',
      }),
    ),
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
  {
    $id: 'https://anuente.dev/schemas/config.json',
    title: 'anuente.yaml',
    description:
      'A text may come from elsewhere: $' +
      '{NAME} from the environment, file:<path> from a file, $' +
      '{secret:NAME} from the secrets of the hub (anuente secrets set NAME; not below storage).',
    additionalProperties: false,
    $defs: conditionDefs,
  },
)
export type Config = Static<typeof Config>
