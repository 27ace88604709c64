/** What the encarregado should hear about a configuration before it runs. */
import type { DestinationConfig, PurposeConfig } from '../schemas/config.ts'
import { CMP_VENDORS, type PurposesConfig, pairsOf } from './declared.ts'
import { lintNotices } from './notices.ts'
import { POLICY } from './policy/lgpd.ts'

export interface PurposeFinding {
  /** JSON pointer into anuente.yaml, or rules/<id>. */
  readonly path: string
  readonly message: string
  /** error: the hub refuses to start with it. */
  readonly severity: 'error' | 'warning'
}

/** The part of a rule that names a purpose. */
export interface LintedRule {
  readonly id: string
  readonly unless: { readonly purpose: string }
}

/** Bases that nothing is processed on before their ground is written down. */
const WRITTEN: readonly string[] = ['public_policy', 'research', 'vital_interest', 'health', 'credit']
const PROMOTION = /^ads_|_marketing$/
const COMMUNICATION = /(^|_)(email|sms|whatsapp|push)(_|$)/

export function lintPurposes(config: PurposesConfig, rules: readonly LintedRule[] = []): PurposeFinding[] {
  const findings: PurposeFinding[] = []
  const destinations = Object.entries(config.destinations ?? {})
  const starters = new Map<string, string[]>()
  for (const [, destination] of destinations) {
    for (const [starter, configured] of pairsOf(destination.purposes))
      starters.set(configured, [...(starters.get(configured) ?? []), starter])
  }
  for (const [id, purpose] of Object.entries(config.purposes))
    findings.push(...lintPurpose(id, purpose, starters.get(id) ?? []))

  findings.push(...lintNotices(config))
  const known = new Set(Object.keys(config.purposes))
  for (const [id, { role }] of destinations) if (role === 'controller') known.add(`share.${id}`)
  for (const [id, destination] of destinations)
    findings.push(...lintDestination(id, destination, known, config.purposes))
  for (const rule of rules) {
    if (!known.has(rule.unless.purpose)) {
      findings.push({
        path: `rules/${rule.id}/unless/purpose`,
        severity: 'error',
        message: `No purpose is called ${rule.unless.purpose}.`,
      })
    }
  }
  return findings
}

function lintPurpose(id: string, purpose: PurposeConfig, starters: readonly string[]): PurposeFinding[] {
  const path = `/purposes/${id}`
  const found: PurposeFinding[] = []
  const signals = purpose.signals ?? {}
  const communication = signals.rd === 'communications' || [id, ...starters].some((name) => COMMUNICATION.test(name))
  for (const vendor of CMP_VENDORS) {
    const categories = signals[vendor] ?? []
    if (categories.length === 0) continue
    if (communication && !signals.person) {
      found.push({
        path: `${path}/signals/${vendor}`,
        severity: 'error',
        message: `A cookie category (${categories.join(', ')}) is an answer about a device, not a permission to write to a person. Remove it, or state person: true if the banner asks for it by name.`,
      })
    } else if (purpose.scope === 'person' && !signals.person) {
      found.push({
        path: `${path}/signals/${vendor}`,
        severity: 'warning',
        message: 'Cookie categories never reach a person-scoped purpose unless person: true.',
      })
    }
  }
  if (purpose.sensitive && POLICY.noSensitive.includes(purpose.basis)) {
    found.push({
      path: `${path}/basis`,
      severity: 'error',
      message: `Sensitive data cannot rest on ${purpose.basis} (LGPD art. 11).`,
    })
  }
  if (purpose.sensitive && !POLICY.noSensitive.includes(purpose.basis) && purpose.basis !== 'consent') {
    const ground = purpose.sensitiveGround
    if (ground === undefined || ground === '11.I')
      found.push({
        path: `${path}/sensitiveGround`,
        severity: 'warning',
        message:
          'Off: sensitive data without consent need a ground of LGPD art. 11 II. Write sensitiveGround: 11.II.a to 11.II.g.',
      })
  }
  if (purpose.basis === 'legitimate_interest' && !purpose.lia) {
    found.push({
      path: `${path}/lia`,
      severity: 'warning',
      message: 'Off: legitimate interest needs an approved balancing test (LGPD art. 10). Fill in lia.',
    })
  } else if (purpose.basis === 'legitimate_interest' && !purpose.lia?.phases) {
    found.push({
      path: `${path}/lia/phases`,
      severity: 'warning',
      message: 'Off: write the three phases of the balancing test: purpose, necessity, balancing (LGPD art. 10).',
    })
  }
  const uses = [id, ...starters]
  if (purpose.basis === 'contract' && uses.some((name) => PROMOTION.test(name))) {
    found.push({
      path: `${path}/basis`,
      severity: 'error',
      message:
        'Offers and ads are not what a contract needs (LGPD art. 7 V): they rest on consent or legitimate interest.',
    })
  }
  if (WRITTEN.includes(purpose.basis)) {
    if (purpose.ground === undefined)
      found.push({
        path: `${path}/ground`,
        severity: 'warning',
        message: `Off: ${purpose.basis} needs its ground in writing. Fill in ground.`,
      })
    if (uses.some((name) => name.startsWith('ads_')))
      found.push({ path: `${path}/basis`, severity: 'error', message: `Ads never rest on ${purpose.basis}.` })
  }
  if (purpose.basis === 'contract' && (purpose.opens ?? []).length === 0) {
    found.push({
      path: `${path}/opens`,
      severity: signals.rd ? 'warning' : 'error',
      message: 'A contract purpose never opens without opens: [event].',
    })
  }
  if (purpose.basis !== 'contract' && purpose.opens) {
    found.push({
      path: `${path}/opens`,
      severity: 'warning',
      message: 'Only a contract purpose opens by an event; this has no effect.',
    })
  }
  if (id.startsWith('share.') && purpose.basis !== 'consent') {
    found.push({
      path: `${path}/basis`,
      severity: 'error',
      message: 'Sharing with another controller needs specific consent (LGPD art. 7 §5).',
    })
  }
  return found
}

function lintDestination(
  id: string,
  destination: DestinationConfig,
  known: ReadonlySet<string>,
  purposes: PurposesConfig['purposes'],
): PurposeFinding[] {
  const path = `/destinations/${id}`
  const found: PurposeFinding[] = []
  for (const [starter, configured] of pairsOf(destination.purposes)) {
    if (!known.has(configured)) {
      const at = Array.isArray(destination.purposes) ? destination.purposes.indexOf(configured) : starter
      found.push({ path: `${path}/purposes/${at}`, severity: 'error', message: `No purpose is called ${configured}.` })
    }
    const purpose = Object.hasOwn(purposes, configured) ? purposes[configured] : undefined
    // `share.<id>` is asked besides the action's own purpose and needs no stage of acting.
    if (purpose && !configured.startsWith('share.') && !purpose.stages.includes('activate')) {
      const stages = [...purpose.stages, 'activate'].join(', ')
      found.push({
        path: `/purposes/${configured}/stages`,
        severity: 'warning',
        message: `Without activate nothing leaves to ${id} for ${configured}: it may be collected and decided on, not acted on. Write "stages: [${stages}]" if people are told so, or take ${configured} out of destinations.${id}.purposes.`,
      })
    }
  }
  if (!destination.role) {
    found.push({
      path: `${path}/role`,
      severity: 'warning',
      message:
        'Not declared: treated as operator. An ads platform that uses the data for itself is a controller (LGPD art. 7 §5).',
    })
  }
  if (destination.roleChange && destination.roleChange.from === (destination.role ?? 'operator')) {
    found.push({
      path: `${path}/roleChange/from`,
      severity: 'error',
      message: 'The role before is the role now: nothing changed. Remove roleChange, or correct role.',
    })
  }
  if (destination.role === 'controller' && !Object.hasOwn(purposes, `share.${id}`)) {
    found.push({
      path: `/purposes/share.${id}`,
      severity: 'warning',
      message: `Not written down: nobody can agree to sharing with ${id} by a banner or form, so nothing based on consent leaves to it (LGPD art. 7 §5). Write "share.${id}: {basis: consent, scope: device, title: {pt: …, en: …}, collects: [], stages: [share], signals: {…}}" under purposes.`,
    })
  }
  const { country, transfer } = destination
  if (!country) {
    found.push({
      path: `${path}/country`,
      severity: 'warning',
      message: `Not declared: nothing but contract data leaves until it is (LGPD art. 33). Add the line "country: BR" to destinations.${id}; for a vendor abroad its own country, and transfer.`,
    })
  } else if (country !== POLICY.home && !POLICY.adequate.includes(country) && !transfer) {
    found.push({
      path: `${path}/transfer`,
      severity: 'warning',
      message: `${country} is abroad: nothing but contract data leaves without a ground of LGPD art. 33 (standard clauses are II.b). Add "transfer: {art33: II.b, ref: <contract>}" to destinations.${id}.`,
    })
  }
  return found
}
