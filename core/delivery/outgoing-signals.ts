/** What each vendor is told about consent: computed from the status of each purpose, never set by hand. Pure. */
import type { Purposes } from '../../consent/purposes.ts'
import type { Basis, Status } from '../../schemas/consent.ts'
import type { OutgoingSignals } from '../kit/define.ts'

/** RD Station has no word for the other four bases of LGPD art. 7: they are not told, rather than told wrongly. */
const RD_TYPES: Readonly<Partial<Record<Basis, string>>> = {
  consent: 'consent',
  public_policy: 'public_interest',
  contract: 'pre_existent_contract',
  legal_claims: 'judicial_process',
  vital_interest: 'vital_interest',
  legitimate_interest: 'legitimate_interest',
}

/** Statuses that say nothing yet: the vendor keeps what it has. */
const SILENT: ReadonlySet<Status> = new Set(['unknown', 'conflict', 'invalid'])

/** @param statusOf status of a configured purpose for the person (person scope) or the device (device scope). */
export function outgoingSignals(purposes: Purposes, statusOf: (purpose: string) => Status): OutgoingSignals {
  const rd = new Map<string, OutgoingSignals['rd'][number]>()
  const google: { ad_user_data?: 'GRANTED' | 'DENIED'; ad_personalization?: 'GRANTED' | 'DENIED' } = {}
  for (const purpose of purposes.all) {
    const status = statusOf(purpose.id)
    if (SILENT.has(status)) continue
    const category = purpose.signals.rd
    const type = RD_TYPES[purpose.basis]
    if (category && type) {
      const key = `${category}\0${type}`
      const told = rd.get(key)
      if (purpose.basis !== 'consent') {
        if (status === 'granted') rd.set(key, { category, type })
      } else if (category === 'communications') {
        // Two purposes under one word: it is granted only if both are.
        const granted = status === 'granted' && told?.status !== 'declined'
        rd.set(key, { category, type, status: granted ? 'granted' : 'declined' })
      } else if (status === 'granted') rd.set(key, { category, type })
    }
    const answer = status === 'granted' ? 'GRANTED' : 'DENIED'
    if (purpose.starters.has('ads_measurement')) google.ad_user_data = stricter(google.ad_user_data, answer)
    if (purpose.starters.has('ads_personalization'))
      google.ad_personalization = stricter(google.ad_personalization, answer)
  }
  const categories = (vendor: 'segment' | 'rudder') =>
    [...purposes.byCategory[vendor]].map(
      ([category, all]) => [category, all.every((purpose) => statusOf(purpose.id) === 'granted')] as const,
    )
  const rudder = categories('rudder')
  return {
    rd: [...rd.values()],
    google,
    segment: Object.fromEntries(categories('segment')),
    rudder: {
      allowedConsentIds: rudder.filter(([, allowed]) => allowed).map(([category]) => category),
      deniedConsentIds: rudder.filter(([, allowed]) => !allowed).map(([category]) => category),
    },
  }
}

const stricter = (told: 'GRANTED' | 'DENIED' | undefined, answer: 'GRANTED' | 'DENIED') =>
  told === 'DENIED' ? told : answer
