/**
 * What Segment and RudderStack would have let through, by their own rules, against what our gate lets through:
 * for a company that moves from one to the other. Pure; nothing here permits anything.
 */

/** Of one destination: the categories (Segment) or consent ids (RudderStack) it stands in. */
export type Categories = readonly string[]

export interface SegmentEvent {
  /** `context.consent`; undefined: the event carries none. */
  readonly consent?: unknown
  readonly integrations?: unknown
}

/**
 * Segment, https://segment.com/docs/privacy/consent-management/consent-in-segment-connections/: without a consent
 * object, or for a destination in no category, data flow; else every category of the destination must be true.
 * `integrations.<destination>: false` stops it in any case.
 */
export function segmentLetsThrough(destination: string, categories: Categories, event: SegmentEvent): boolean {
  const integrations = objectOf(event.integrations)
  if (integrations?.[destination] === false) return false
  if (integrations?.['All'] === false && integrations[destination] === undefined) return false
  const consent = objectOf(event.consent)
  if (!consent || categories.length === 0) return true
  const preferences = objectOf(consent['categoryPreferences']) ?? consent
  return categories.every((category) => preferences[category] === true)
}

/**
 * RudderStack's server (rudder-server, processor/consent.go): only `deniedConsentIds` counts. Missing or malformed
 * consent, or a destination without ids, and data flow. `or`: stopped only when all its ids are denied.
 */
export function rudderLetsThrough(ids: Categories, consentManagement: unknown): boolean {
  const consent = objectOf(consentManagement)
  const denied = consent?.['deniedConsentIds']
  if (ids.length === 0 || !Array.isArray(denied) || denied.length === 0) return true
  const refused = (id: string) => denied.includes(id)
  return consent?.['resolutionStrategy'] === 'or' ? !ids.every(refused) : !ids.some(refused)
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}
