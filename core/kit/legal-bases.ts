/**
 * `legal_bases` as RD Station Marketing and CRM write them into contacts.
 * https://developers.rdstation.com/reference/webhooks-payload-copy
 */
import type { ConsentEvidence } from './define.ts'
import { isLoose } from './json-body.ts'

/** RD Station's `type` -> basis of LGPD art. 7. It knows six of the ten. */
const BASES = {
  consent: 'consent',
  public_interest: 'public_policy',
  pre_existent_contract: 'contract',
  judicial_process: 'legal_claims',
  vital_interest: 'vital_interest',
  legitimate_interest: 'legitimate_interest',
} as const

/**
 * `legal_bases`. A status exists for communications only, and says something only about consent; every other entry
 * states its basis. Entries whose category, type or status RD Station does not document say nothing.
 */
export function legalBasesOf(bases: unknown): ConsentEvidence[] {
  if (!Array.isArray(bases)) return []
  const statements: Record<string, ConsentEvidence['answers'][string]>[] = []
  for (const entry of bases) {
    if (!isLoose(entry)) continue
    const category = entry['category']
    const type = entry['type']
    const status = entry['status']
    if (category !== 'communications' && category !== 'data_processing') continue
    if (typeof type !== 'string' || !Object.hasOwn(BASES, type)) continue
    const basis = BASES[type as keyof typeof BASES]
    const answer = answerOf(category, basis, status)
    if (answer === undefined) continue
    // Two bases for one category are two statements: neither may hide the other.
    let statement = statements.find((known) => !Object.hasOwn(known, category))
    if (!statement) {
      statement = {}
      statements.push(statement)
    }
    statement[category] = { answer, basis }
  }
  // Nothing in the webhook says by which act the contact answered.
  return statements.map((answers) => ({ vendor: 'rd', answers, method: 'none', actor: 'subject', raw: bases }))
}

function answerOf(category: string, basis: string, status: unknown): 'granted' | 'denied' | undefined {
  if (status === 'declined') return 'denied'
  if (status === 'granted') return 'granted'
  return status === undefined && !(category === 'communications' && basis === 'consent') ? 'granted' : undefined
}
