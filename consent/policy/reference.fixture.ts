/**
 * The decision table once more, row by row as the design of the policy words it, with its footnotes and
 * overlays. Written without looking at the table of the product and importing nothing of it, so that
 * a mistake has to be made twice to pass. For tests only.
 */

export type Answer = 'allow' | 'redact' | 'hold' | 'deny'

export interface Situation {
  readonly basis: string
  readonly status: string
  readonly stage: 'collect' | 'profile' | 'decide' | 'activate' | 'share' | 'transfer' | 'export'
  /** LIA approved, or the ground in writing. */
  readonly document: boolean
  readonly use: 'plain' | 'offers' | 'ads'
  readonly stageDeclared: boolean
  readonly solelyAutomatedAndHarmful: boolean
  /** The purpose itself is about sensitive data: no, yes without a ground that suffices, yes with one. */
  readonly sensitivePurpose: 'no' | 'no ground' | 'ground'
  readonly sensitiveFieldAsked: boolean
  readonly person: 'adult' | 'unknown' | 'unknown, child product' | 'teen' | 'child' | 'child, guardian answered'
  readonly suppressed: boolean
  readonly gpcOrOpposition: boolean
  readonly legalHold: boolean
  /** Of a material change: the purpose is what changed. */
  readonly purposeChanged: boolean
  readonly destination?: {
    readonly declared: boolean
    readonly role: 'operator' | 'controller'
    readonly country: string | undefined
    readonly mechanism: boolean
    /** The LIA or the contract names it. */
    readonly named: boolean
    readonly is: 'company' | 'authority' | 'counsel'
    readonly share: 'unknown' | 'granted' | 'revoked'
  }
}

/** Columns: collect | profile | decide | activate | share (operator) | share (controller) | transfer */
const TABLE = `
consent: unknown                                  | hold¹ | deny | deny | deny | deny | deny | deny
consent: granted                                  | allow | allow | allow | allow | allow | own share consent | art. 33
consent: denied/revoked/expired/conflict/invalid  | drop² | deny | deny | deny | deny | deny | deny
consent: stale                                    | old purpose³ | old purpose³ | deny | deny | deny | deny | deny
legitimate_interest, LIA, no objection            | allow | allow | allow⁴ | allow | allow | LIA names it | art. 33
legitimate_interest, no LIA or objected           | deny | deny | deny | deny | deny | deny | deny
contract, active                                  | allow | allow | needed | transactional | allow | contract names it | 33 IX
contract, none or ended                           | deny | deny | deny | deny | deny | deny | deny
legal_obligation                                  | allow | store only | deny | deny | authority | authority | 33 IX
legal_claims                                      | store | blocked | deny | deny | counsel | counsel | 33 IX
vital_interest, health, public_policy, research, credit | declared | declared | declared | deny | declared | declared | declared, art. 33
`

const ROWS = new Map(
  TABLE.trim()
    .split('\n')
    .map((line) => {
      const [name, ...cells] = line.split('|').map((cell) => cell.trim())
      return [name, cells] as const
    }),
)

function rowOf({ basis, status, document }: Situation): string {
  switch (basis) {
    case 'consent':
      if (status === 'unknown' || status === 'granted' || status === 'stale') return `consent: ${status}`
      return 'consent: denied/revoked/expired/conflict/invalid'
    case 'legitimate_interest':
      // An objection is whatever else than silence or agreement.
      return document && (status === 'unknown' || status === 'granted')
        ? 'legitimate_interest, LIA, no objection'
        : 'legitimate_interest, no LIA or objected'
    case 'contract':
      return status === 'granted' ? 'contract, active' : 'contract, none or ended'
    case 'legal_obligation':
    case 'legal_claims':
      return basis
    default:
      return 'vital_interest, health, public_policy, research, credit'
  }
}

const EU = ['AT', 'BE', 'BG', 'CY', 'CZ', 'DE', 'DK', 'EE', 'ES', 'FI', 'FR', 'GR', 'HR', 'HU', 'IE', 'IT', 'LT', 'LU']
const EEA = [...EU, 'LV', 'MT', 'NL', 'PL', 'PT', 'RO', 'SE', 'SI', 'SK', 'IS', 'LI', 'NO']

/** O5. BR: none needed; EU and EEA: art. 33 I by Res. 32/2026; others: a mechanism on file. */
const placeIsFine = ({ country, mechanism }: NonNullable<Situation['destination']>) =>
  country === 'BR' || mechanism || (country !== undefined && EEA.includes(country))

function cell(situation: Situation): 'allow' | 'hold' | 'deny' {
  const { stage, destination, use, document, stageDeclared, purposeChanged } = situation
  const yes = (answer: boolean | undefined) => (answer ? 'allow' : 'deny')
  const row = ROWS.get(rowOf(situation))!
  // Not a column of the table, our own: a copy leaves where the row permits anything at all and the purpose says so.
  if (stage === 'export') {
    const permitsNothing = row.every((word) => ['deny', 'hold¹', 'drop²', 'old purpose³'].includes(word))
    return yes(!permitsNothing && stageDeclared && use !== 'ads' && (row[0] !== 'declared' || document))
  }
  const column = ['collect', 'profile', 'decide', 'activate'].indexOf(stage)
  const word = row[column >= 0 ? column : stage === 'transfer' ? 6 : destination?.role === 'operator' ? 4 : 5]!
  switch (word) {
    case 'allow':
    case 'store':
    case 'store only':
    case '33 IX':
      return 'allow'
    case 'hold¹':
      return 'hold'
    case 'drop²':
    case 'deny':
    case 'blocked':
      return 'deny'
    case 'old purpose³':
      return yes(!purposeChanged)
    case 'allow⁴':
      return yes(!situation.solelyAutomatedAndHarmful)
    case 'needed':
    case 'transactional':
      return yes(use === 'plain')
    case 'own share consent':
      return yes(destination?.share === 'granted')
    case 'LIA names it':
    case 'contract names it':
      return yes(destination?.named)
    case 'authority':
    case 'counsel':
      return yes(destination?.is === word)
    case 'art. 33':
      return yes(destination && placeIsFine(destination))
    case 'declared':
      return yes(document && stageDeclared && use !== 'ads')
    case 'declared, art. 33':
      return yes(document && stageDeclared && use !== 'ads' && destination && placeIsFine(destination))
    default:
      throw new Error(`no such word in the table: ${word}`)
  }
}

export function reference(situation: Situation): Answer {
  const { stage, basis, status, person, use, destination } = situation
  const outward = stage === 'share' || stage === 'transfer'
  // O1
  if (situation.suppressed) return 'deny'
  // O2
  if (!outward && !situation.stageDeclared) return 'deny'
  if (outward && !destination?.declared) return 'deny'
  // O3: a purpose about sensitive data without a ground does nothing; a field under another purpose is stripped.
  if (situation.sensitivePurpose === 'no ground') return 'deny'
  // O4
  const minor = person === 'unknown, child product' || person === 'teen' || person.startsWith('child')
  if (minor && use === 'ads') return 'deny'
  if (person === 'child' && basis === 'consent' && (status === 'granted' || status === 'stale')) return 'deny'
  // O6
  if (situation.gpcOrOpposition && use === 'ads') return 'deny'
  if (stage === 'share' && destination?.role === 'controller') {
    if (situation.gpcOrOpposition || destination.share === 'revoked') return 'deny'
  }
  // O7: no use; keeping is what a hold is for.
  if (situation.legalHold && stage !== 'collect') return 'deny'
  const answer = cell(situation)
  if (answer !== 'allow') return answer
  return situation.sensitiveFieldAsked && situation.sensitivePurpose !== 'ground' ? 'redact' : 'allow'
}
