/**
 * What a connector is: one object literal per direction. Types are inferred from the TypeBox
 * schemas in it; there is no code generation and nothing to register by hand.
 */
import type { Static, TObject } from 'typebox'
import type { ConsentSignal, EvidenceFlag, EvidenceMethod } from '../../schemas/consent.ts'
import type { LaneKind } from '../../schemas/delivery.ts'
import type { CallType, IdentifierType } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { Cart } from '../../schemas/profile.ts'
import type { Http, HttpResponse } from './http.ts'
import type { OAuthClient, OAuthDefinition } from './oauth.ts'

declare module 'typebox' {
  interface TSchemaOptions {
    /** Path(s) in the MappingView this field is filled from; the first present one wins. */
    from?: string | readonly string[]
    /** The value is a credential: write-only in API and cockpit, never logged. */
    secret?: boolean
    /** The value is personal data: never in a log, an error, a URL path or a metric label. */
    pii?: boolean
  }
}

export interface Localized {
  readonly pt: string
  readonly en: string
}

// ---------------------------------------------------------------- sources

/** A request as a source sees it: the body already decompressed, header names lower-cased. */
export interface RawRequest {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** ISO 8601, UTC. */
  readonly receivedAt: string
  readonly ip?: string
}

export interface HttpAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Readonly<Record<string, unknown>>
}

/**
 * The vendors whose consent words the hub understands; consent/signals.ts maps them to purposes. `mapped`: the
 * source's settings translated them, and the answers are named by purpose.
 */
export type ConsentVendor = 'google' | 'segment' | 'rudder' | 'rd' | 'gpc' | 'mapped'

/**
 * Consent in the vendor's own words. Only what the vendor states: an absent category is absent
 * here too, because absence changes nothing.
 */
export interface ConsentEvidence {
  readonly vendor: ConsentVendor
  readonly answers: Readonly<
    Record<
      string,
      {
        readonly answer: 'granted' | 'denied'
        readonly flags?: readonly EvidenceFlag[]
        readonly basis?: ConsentSignal['basis']
      }
    >
  >
  readonly method: EvidenceMethod
  readonly actor: ConsentSignal['actor']
  /** As received. */
  readonly raw: unknown
}

/** One event as a source reads it, before the hub checks identifiers, clocks, size and consent. */
export interface SourceEvent {
  readonly type: CallType
  /** Event name for track; page or screen name otherwise. */
  readonly name?: string
  /** Name the source used, when a table changed it. */
  readonly originalName?: string
  /** Absent when the source has no id and the content does not name the hit: the hub makes a random one. */
  readonly messageId?: string
  /** When it happened by the client's clock. Absent: when it was received. */
  readonly timestamp?: string
  /** When the client sent it, by the same clock: occurredAt = receivedAt - (sentAt - timestamp). */
  readonly sentAt?: string
  readonly identifiers: readonly { readonly type: IdentifierType; readonly value: unknown }[]
  readonly previousId?: string
  readonly traits?: Readonly<Record<string, unknown>>
  readonly properties?: Readonly<Record<string, unknown>>
  readonly context?: Readonly<Record<string, unknown>>
  readonly consent?: readonly ConsentEvidence[]
  /** The id of the delivery that caused this event, when it carries one (anuente_delivery_id). */
  readonly deliveryId?: string
  /** What this event would look like if a delivery of the hub had caused it; compared with ActionCommon.echo for seven days. */
  readonly echo?: string
}

export type SourceItem =
  | {
      readonly event: SourceEvent
      readonly raw: unknown
      /** JSON pointer to where it stands in the body, `/batch/3`; absent: it is the body. What is wrong with it is named from there. */
      readonly path?: string
      /** The same place in `raw`, where that repeats what the events of a body share; absent: `raw` is the event. */
      readonly rawPath?: string
    }
  | {
      readonly rejected: { readonly code: ExitCode; readonly path: string; readonly message: string }
      readonly raw: unknown
    }

export interface SourceRoute {
  readonly method: 'GET' | 'POST'
  /** Fastify path pattern. Several connectors may share one path; the credentials say which is meant. */
  readonly path: string
  /** Largest body accepted, in bytes, after decompression. */
  readonly maxBytes?: number
  /** A route that carries no events (boot configuration, validation): answers by itself. */
  readonly reply?: boolean
}

/** What one run of a poll starts from. */
export interface PollContext<S extends TObject = TObject> {
  readonly settings: Static<S>
  /** What the newest page that is on disk left; undefined the first time. */
  readonly cursor: unknown
  readonly now: Date
  /** Folder of the configuration file: what paths in settings are relative to. */
  readonly home: string
  /**
   * GET of one of the hosts `poll.hosts` named; nothing else is reached.
   * @throws RetryableError, AuthenticationError, RejectedError
   */
  get(url: string, options?: { readonly headers?: Readonly<Record<string, string>> }): Promise<PolledAnswer>
}
export interface PolledAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** Parsed when the body is JSON. */
  readonly json: unknown
}
export interface PollPage {
  /** Handed to `normalize` as a POST to /in/<source id>, with the query. Absent: nothing new on this page. */
  readonly body?: Buffer
  readonly query?: Readonly<Record<string, string>>
  /** JSON without personal data: it is kept in the open. Stored once the page is on disk. */
  readonly cursor: unknown
  /** Runs after that: what was taken may be put away. */
  readonly done?: () => Promise<void>
}
/**
 * A source that is asked instead of telling. Pages are taken at least once: after a crash the last one comes again, so
 * every event needs an id that its content gives.
 */
export interface PollDefinition<S extends TObject = TObject> {
  /** Seconds between two runs; undefined: this instance is not polled. */
  every(settings: Static<S>): number | undefined
  /** Host names that `get` may reach. */
  hosts(settings: Static<S>): readonly string[]
  /** One run: pages until nothing more waits. */
  pages(context: PollContext<S>): AsyncIterable<PollPage>
}

export interface SourceDefinition<S extends TObject = TObject> {
  readonly id: string
  readonly name: string
  readonly docs: string
  readonly support: 'certified' | 'community'
  readonly settings: S
  /** Paths besides /in/<source id>, which every source has. */
  readonly routes: readonly SourceRoute[]
  /** Largest body accepted at /in/<source id>, in bytes, after decompression. */
  readonly maxBytes: number
  /**
   * `anuente backfill` and the admin API may hand rows of a file to it: a JSON list at /in/<source id>, with `import`
   * (which file) and `row` (number of the first) in the query. (import, row) is the message id where none is mapped.
   */
  readonly takesRows?: true
  readonly poll?: PollDefinition<S>
  /** Fields of one raw event that an SDK's retry changes; left out of its hash. */
  readonly volatileFields: readonly string[]
  /** Credentials found on a request to one of `routes`, most trusted first. */
  credentials(request: RawRequest): string[]
  /** The credentials that mean an instance with these settings. */
  keys(settings: Static<S>): string[]
  /** `true`, or the exit to refuse with. Runs on the raw bytes, in constant time where it compares secrets. */
  verify(request: RawRequest, settings: Static<S>): true | ExitCode | Promise<true | ExitCode>
  /** Pure. One item per event found; a bad item does not lose its neighbours. Throws InputError when nothing can be read. */
  normalize(request: RawRequest, settings: Static<S>): SourceItem[]
  /** The answer once everything is on disk: what makes the sender consider it taken. */
  accept(request: RawRequest, taken: { readonly recorded: number; readonly quarantined: number }): HttpAnswer
  /** The answer of a `reply` route. */
  reply?(request: RawRequest, settings: Static<S>, sourceId: string): HttpAnswer | Promise<HttpAnswer>
}

export function defineSource<S extends TObject>(definition: SourceDefinition<S>): SourceDefinition<S> {
  return definition
}

// ---------------------------------------------------------------- destinations

/** What `from` paths of a payload schema resolve in. Only fields the action's purpose declares are present. */
export interface MappingView {
  readonly type: CallType
  readonly name: string
  readonly messageId: string
  readonly occurredAt: string
  readonly properties: Readonly<Record<string, unknown>>
  readonly context: Readonly<Record<string, unknown>>
  /** The profile's traits with those of the event on top. */
  readonly traits: Readonly<Record<string, unknown>>
  /** What the event says by itself, without the profile: for passing it on as it came. */
  readonly event?: {
    readonly traits: Readonly<Record<string, unknown>>
    readonly identifiers: Readonly<Partial<Record<IdentifierType, string>>>
    /** alias only. */
    readonly previousId?: string
  }
  readonly identifiers: Readonly<Partial<Record<IdentifierType, string>>>
  readonly cart?: Cart
  /** What the hub computed for the purpose of the delivery, by id. */
  readonly computed?: Readonly<Record<string, unknown>>
  readonly scores?: Readonly<Record<string, number>>
  readonly audiences?: readonly string[]
  readonly person: { readonly id: string }
  readonly delivery: { readonly id: string }
  /** Signed, without personal data. */
  readonly links: { readonly stop: string; readonly why: string }
  readonly rule?: { readonly id: string; readonly version: number; readonly variant?: string }
  /** What goes with the message; amounts in minor units. `to`: the last day, YYYY-MM-DD. */
  readonly offer?: {
    readonly id: string
    readonly title: Localized
    readonly value?: number
    readonly code?: string
    readonly to?: string
  }
}
export const MAPPING_ROOTS = [
  'type',
  'name',
  'messageId',
  'occurredAt',
  'properties',
  'context',
  'traits',
  'event',
  'identifiers',
  'cart',
  'computed',
  'scores',
  'audiences',
  'person',
  'delivery',
  'links',
  'rule',
  'offer',
] as const

/** Consent as each vendor wants to hear it, computed per person from the ledger; never set by hand. */
export interface OutgoingSignals {
  /** RD Station legal_bases. */
  readonly rd: readonly { readonly category: string; readonly type: string; readonly status?: 'granted' | 'declined' }[]
  /** Google Consent Mode words: only what is known. */
  readonly google: Readonly<Partial<Record<'ad_user_data' | 'ad_personalization', 'GRANTED' | 'DENIED'>>>
  /** Segment category -> allowed, for every category the configuration maps. */
  readonly segment: Readonly<Record<string, boolean>>
  readonly rudder: { readonly allowedConsentIds: readonly string[]; readonly deniedConsentIds: readonly string[] }
  /** Configured purpose -> the ledger entry its signal rests on. */
  readonly entries?: Readonly<Record<string, string>>
  /** What RD Station has no word for: never mapped to the nearest. */
  readonly omitted?: readonly { readonly purpose: string; readonly basis: string; readonly reason: string }[]
}

/** What became of one item. */
export type Outcome =
  | { readonly status: 'delivered'; readonly answer?: string }
  | { readonly status: 'retry'; readonly reason: string; readonly retryAfterMs?: number }
  | { readonly status: 'rejected'; readonly reason: string }
  | { readonly status: 'authentication'; readonly reason: string }

export interface ItemContext<P> {
  readonly payload: P
  readonly signals: OutgoingSignals
  /** `key` is stable over every attempt of this delivery: send it wherever the vendor deduplicates. */
  readonly delivery: { readonly id: string; readonly key: string }
  readonly occurredAt: string
}

export interface VendorContext<S> {
  readonly http: Http
  readonly settings: S
  readonly now: Date
}

interface ActionCommon<P extends TObject> {
  readonly title: Localized
  readonly description: Localized
  /** A starter purpose; `destinations.<id>.purposes` may map it to a configured one. */
  readonly purpose: string
  /** email, sms, whatsapp, push, onsite, task, ads or any id. Absent: nobody is contacted. */
  readonly channel?: string
  /** state: newest value wins; message: in order per person; event: in order, never waits long. */
  readonly kind: LaneKind
  /** Any one of these must be known. */
  readonly identifier: readonly IdentifierType[]
  /** Who writes the text a person reads. */
  readonly renders?: 'vendor' | 'hub'
  /** key: the vendor deduplicates on `delivery.key` for that many hours; natural: writing twice equals once; none: neither. */
  readonly idempotency: { readonly key: number } | 'natural' | 'none'
  /** Calls this action follows by itself. Absent: only rules use it. */
  readonly trigger?: {
    readonly type: CallType | readonly CallType[]
    readonly name?: string | readonly string[]
    readonly has?: readonly string[]
  }
  /**
   * Starter purposes (`*`: all) whose withdrawal this action takes to the vendor: unsubscribe, leave the audience,
   * legal_bases declined. The hub enqueues it by itself for whoever the vendor has, and needs no consent for it.
   */
  readonly withdraws?: readonly string[]
  /** What the write will look like when a source reports it back, as SourceEvent.echo words it. */
  readonly echo?: (payload: Static<P>) => string
  readonly payload: P
}

/** Exactly one of perform and performBatch. */
export type ActionDefinition<S, P extends TObject> = ActionCommon<P> &
  (
    | {
        readonly perform: (context: VendorContext<S> & ItemContext<Static<P>>) => Promise<HttpResponse | Outcome>
        readonly batch?: never
        readonly performBatch?: never
      }
    | {
        readonly perform?: never
        /** Items and bytes of JSON one request may carry. */
        readonly batch: { readonly max: number; readonly maxBytes?: number }
        /** One outcome per item, in order. Throwing applies to all of them. */
        readonly performBatch: (
          context: VendorContext<S> & { readonly items: readonly ItemContext<Static<P>>[] },
        ) => Promise<readonly Outcome[]>
      }
  )

/** The person a data-subject request is about, as the vendor knows them. */
export interface SubjectIdentifiers {
  readonly identifiers: Readonly<Partial<Record<IdentifierType, string>>>
}

export type SubjectRight<S> =
  | {
      readonly implemented: (
        context: VendorContext<S> & {
          readonly subject: SubjectIdentifiers
          /** correctSubject only: trait or contact -> right value. The identifiers are those from before. */
          readonly corrections?: Readonly<Record<string, unknown>>
        },
      ) => Promise<HttpResponse | Outcome>
    }
  | { readonly manual: Localized }
  | { readonly impossible: Localized }

export interface Limits {
  /** Requests per second; fractions allowed (2 per minute = 0.033). */
  readonly perSecond: number
  /** Requests at the same time. */
  readonly concurrency: number
  /** Counted per window of at least 60 s, over all requests of the instance. */
  readonly windows?: readonly { readonly seconds: number; readonly max: number }[]
  /** Writes per contact and window, per action. */
  readonly perContact?: readonly {
    readonly seconds: number
    readonly max: number
    readonly actions: readonly string[]
  }[]
}

/** What a vendor tells of one message, or of one person. */
export interface FeedbackItem {
  readonly kind: 'delivered' | 'opened' | 'clicked' | 'bounced' | 'complained' | 'unsubscribed' | 'replied'
  /** The delivery it is about, when the vendor gives its id back. */
  readonly deliveryId?: string
  /** Otherwise whom it is about. */
  readonly identifiers?: readonly { readonly type: IdentifierType; readonly value: unknown }[]
  /** Channel the person used; the delivery's own when absent. */
  readonly channel?: string
  /** ISO 8601; when it was received when absent. */
  readonly at?: string
  /** replied: what the person wrote. Only words such as SAIR are looked for; it is not kept. */
  readonly text?: string
}

/** The vendor calls /in/<destination id>. `receive` absent: a source of the same vendor takes what it tells. */
export interface FeedbackDefinition<S> {
  readonly webhook: Localized
  readonly receive?: {
    /** `true`, or the exit to refuse with: without a secret anybody could unsubscribe anybody. */
    readonly verify: (request: RawRequest, settings: S) => true | ExitCode
    /**
     * What a vendor is answered that asks whether the address is ours before it tells anything, or the exit to refuse
     * with; undefined: this request is no such question.
     */
    readonly challenge?: (request: RawRequest, settings: S) => HttpAnswer | ExitCode | undefined
    /** Pure. Throws InputError when nothing can be read. */
    readonly read: (request: RawRequest, settings: S) => readonly FeedbackItem[]
  }
}

/** A webhook at the vendor. */
export interface VendorWebhook {
  readonly id: string
  readonly event: string
  readonly url: string
}

/** Webhooks at the vendor that call a source of the hub, made and taken away through its API. */
export interface WebhookManagement<S> {
  /** Connector of the source that takes what they tell. */
  readonly source: string
  /** One webhook is made for each. */
  readonly events: readonly string[]
  readonly list: (context: VendorContext<S>) => Promise<readonly VendorWebhook[]>
  /** @param context.source settings of the source: by what it recognises the vendor. */
  readonly create: (
    context: VendorContext<S> & {
      readonly url: string
      readonly event: string
      readonly source: Readonly<Record<string, unknown>>
    },
  ) => Promise<HttpResponse>
  readonly remove: (context: VendorContext<S> & { readonly id: string }) => Promise<HttpResponse>
}

export interface DestinationDefinition<
  S extends TObject = TObject,
  A extends Record<string, TObject> = Record<string, TObject>,
> {
  readonly id: string
  readonly name: string
  readonly docs: string
  /** certified only with a recorded answer of the vendor. */
  readonly support: 'certified' | 'community'
  /** Version of the vendor's API in baseUrl or header, and where its end of life is announced. */
  readonly apiVersion?: {
    readonly version: string
    readonly docs: string
    /** Setting by which an operator raises it before there is a new release of the hub. */
    readonly setting?: string
    /** Day from which the vendor no longer answers it, YYYY-MM-DD, where that is known. */
    readonly ends?: (version: string) => string | undefined
  }
  readonly baseUrl: string | ((settings: Static<S>) => string)
  /** Hosts it reaches besides that of `baseUrl`; `*.` stands for any subdomain. Requests to all others are refused. */
  readonly hosts?: readonly string[]
  readonly settings: S
  /** How an account is connected. `client` undefined: these settings have a credential of their own. */
  readonly oauth?: OAuthDefinition<Static<S>> & { readonly client: (settings: Static<S>) => OAuthClient | undefined }
  /** Headers added to every request. Of a connected account `accessToken` is among the settings. */
  readonly authenticate?: (settings: Static<S>) => Record<string, string>
  /** Finds errors inside 2xx and reads the vendor's error bodies. Undefined: judge by status alone. */
  readonly verdict?: (response: HttpResponse) => Outcome | undefined
  readonly limits: Limits
  readonly actions: { readonly [K in keyof A]: ActionDefinition<Static<S>, A[K]> }
  /** A read-only call that proves the credentials; missing fields and scopes go in `warnings`. */
  readonly check: (
    context: VendorContext<Static<S>>,
  ) => Promise<{ readonly ok: boolean; readonly detail: string; readonly warnings?: readonly string[] }>
  readonly deleteSubject: SubjectRight<Static<S>>
  readonly exportSubject: SubjectRight<Static<S>>
  readonly correctSubject: SubjectRight<Static<S>>
  /** Absent: webhooks are made in the vendor's own pages. */
  readonly webhooks?: WebhookManagement<Static<S>>
  /** How the vendor tells what became of a message. */
  readonly feedback: { readonly none: Localized } | FeedbackDefinition<Static<S>>
}

export function defineDestination<S extends TObject, A extends Record<string, TObject>>(
  definition: DestinationDefinition<S, A>,
): DestinationDefinition<S, A> {
  return definition
}

/** A definition whose own types no longer matter: what the core works with. */
// biome-ignore lint/suspicious/noExplicitAny: variance of S and A; connectors stay fully typed, the core validates by schema.
export type AnyDestination = DestinationDefinition<any, any>
// biome-ignore lint/suspicious/noExplicitAny: as above.
export type AnySource = SourceDefinition<any>

/** What cli/ hands to the core: every connector by id. */
export interface Registry {
  readonly sources: ReadonlyMap<string, AnySource>
  readonly destinations: ReadonlyMap<string, AnyDestination>
}
