/** Acts of consent for tests: valid, with notice and evidence, unless the test says otherwise. */
import type { ConsentSignal } from '../../schemas/consent.ts'

export type GivenSignal = Partial<Omit<ConsentSignal, 'purpose' | 'scope' | 'action'>>

/** Purposes of the starter set about a device; all others are about a person. */
const DEVICE_PURPOSES = ['analytics', 'onsite_personalization', 'ads_measurement', 'ads_personalization']

export function signal(
  purpose: string,
  action: ConsentSignal['action'],
  occurredAt: string,
  given: GivenSignal = {},
): ConsentSignal {
  const scope = DEVICE_PURPOSES.includes(purpose) ? 'device' : 'person'
  return {
    purpose,
    scope,
    action,
    basis: 'consent',
    origin: { kind: 'segment', ref: 'site' },
    actor: 'subject',
    evidence: { method: 'button', flags: [], sha256: 'a'.repeat(64), raw: { [purpose]: action } },
    notice: { id: 'cookies', version: 1 },
    occurredAt,
    ...given,
  }
}
