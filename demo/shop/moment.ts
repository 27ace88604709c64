/** One thing the simulated shop puts on the wire, and when. */
export type SdkCall = 'identify' | 'track' | 'page'

/** What the SDKs are given; they add ids of their own only where none is set. */
export interface SdkMessage {
  readonly messageId: string
  readonly userId?: string
  readonly anonymousId: string
  readonly event?: string
  readonly name?: string
  readonly traits?: Readonly<Record<string, unknown>>
  readonly properties?: Readonly<Record<string, unknown>>
  readonly context: Readonly<Record<string, unknown>>
  /** ISO 8601. */
  readonly timestamp: string
}

export type Sending =
  /** @segment/analytics-node and @rudderstack/rudder-sdk-node themselves. */
  | { readonly via: 'segment' | 'rudderstack'; readonly call: SdkCall; readonly message: SdkMessage }
  /** What analytics.js sends from a browser: JSON as text/plain to the short paths. */
  | { readonly via: 'browser'; readonly path: '/v1/t'; readonly body: Readonly<Record<string, unknown>> }
  /** A hit of gtag.js: everything in the query, or several events as lines of the body. */
  | {
      readonly via: 'ga4'
      readonly method: 'GET' | 'POST'
      readonly query: Readonly<Record<string, string>>
      readonly lines?: readonly Readonly<Record<string, string>>[]
    }
  | { readonly via: 'rdstation'; readonly body: Readonly<Record<string, unknown>> }

/** What RD Station was told about e-mails to an address: the demo's own record, kept apart from the hub's. */
export interface Told {
  readonly email: string
  readonly answer: 'granted' | 'declined'
}

export interface Moment {
  /** Milliseconds of the shop's time since it opened. */
  readonly at: number
  readonly sending: Sending
  readonly told?: Told
  /** Why it is not as it should be, for those that are so on purpose. */
  readonly flaw?: 'duplicate' | 'late' | 'skewed' | 'invalid' | 'oversize'
}
