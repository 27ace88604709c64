/** What a person changes in the preference centre, as signals. The text they saw is the notice the answer rests on. */
import type { NoticeVersion } from '../../schemas/config.ts'
import type { ConsentSignal } from '../../schemas/consent.ts'
import { textHash } from '../notices.ts'
import type { Purpose, Purposes } from '../purposes.ts'
import { withdrawalSignals } from '../signals.ts'

export interface ShownNotice {
  readonly id: string
  readonly version: number
  readonly text: string
  /** YYYY-MM-DD */
  readonly since: string
}

/** The newest published text that speaks of a purpose, in the person's language where there is one. @param day YYYY-MM-DD */
export function noticeFor(
  purpose: string,
  notices: Readonly<Record<string, readonly NoticeVersion[]>> | undefined,
  language: 'pt' | 'en',
  day: string,
): ShownNotice | undefined {
  const found: (ShownNotice & { readonly wanted: boolean })[] = []
  for (const [id, versions] of Object.entries(notices ?? {})) {
    // Of one notice only the version in force counts: an older one may have promised something else.
    const current = versions.filter(({ since }) => since <= day).sort((a, b) => b.version - a.version)[0]
    if (!current || (current.purposes && !current.purposes.includes(purpose))) continue
    const { version, text, since } = current
    found.push({ id, version, text, since, wanted: (current.language ?? 'pt-BR').startsWith(language) })
  }
  const best = found.sort((a, b) => Number(b.wanted) - Number(a.wanted) || (a.since < b.since ? 1 : -1))[0]
  return best && { id: best.id, version: best.version, text: best.text, since: best.since }
}

/** Which purposes a person may switch. Contracts and duties are shown and have no switch. */
export const isSwitchable = ({ basis }: Pick<Purpose, 'basis'>): boolean =>
  basis === 'consent' || basis === 'legitimate_interest'

export interface Preference {
  readonly purposes: Purposes
  readonly purpose: Purpose
  readonly on: boolean
  /** Needed to switch on: without a text nobody knows what they agree to (art. 9). */
  readonly notice: ShownNotice | undefined
  /** Id of this act: stands in its evidence. */
  readonly ref: string
  /** ISO 8601. */
  readonly at: string
}

/** One clock, the hub's: two acts there follow their sequence, however close. */
const PORTAL = { kind: 'portal', ref: 'portal' } as const

/** Empty when nothing may be switched, or on without a text. */
export function preferenceSignals({ purposes, purpose, on, notice, ref, at }: Preference): ConsentSignal[] {
  if (!isSwitchable(purpose)) return []
  const raw = { portal: ref, purpose: purpose.id, on, ...(notice && { notice: notice.id, version: notice.version }) }
  if (!on)
    return withdrawalSignals({
      purposes,
      purpose: purpose.id,
      origin: PORTAL,
      actor: 'subject',
      method: 'button',
      raw,
      occurredAt: at,
    })
  if (!notice) return []
  return [
    {
      purpose: purpose.id,
      scope: purpose.scope,
      action: 'grant',
      basis: purpose.basis,
      origin: PORTAL,
      actor: 'subject',
      evidence: { method: 'button', flags: [], sha256: textHash(JSON.stringify(raw)), raw },
      notice: { id: notice.id, version: notice.version, since: notice.since },
      occurredAt: at,
    },
  ]
}
