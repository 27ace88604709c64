/**
 * The purposes of anuente.yaml, compiled once: what each wants, what may permit it, which vendor
 * words speak about it, and which destinations may serve it.
 */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { DestinationConfig, PurposeConfig } from '../schemas/config.ts'
import type { Basis, Scope, SensitiveGround, Stage } from '../schemas/consent.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import { type CollectRule, compileCollect, compileGlob, wants } from './collects.ts'
import { type CmpVendor, type PurposesConfig, pairsOf } from './declared.ts'
import { POLICY } from './policy/lgpd.ts'

export type { CmpVendor, PurposesConfig } from './declared.ts'
export { lintPurposes } from './lint.ts'
export { STARTER_PURPOSES } from './starter.ts'

export interface Purpose {
  readonly id: string
  readonly basis: Basis
  readonly scope: Scope
  readonly title: { readonly pt: string; readonly en: string }
  readonly description: { readonly pt: string; readonly en: string } | undefined
  readonly stages: ReadonlySet<Stage>
  readonly collects: readonly CollectRule[]
  /** Contract only: does this track event open the contract? */
  readonly opensOn: (name: string) => boolean
  /** ISO 8601 duration a contract (or a consent) lasts. */
  readonly ends: string | undefined
  readonly sensitive: boolean
  /** Sensitive paths of the configuration, split at the dots; the first step is traits, properties or context. */
  readonly sensitiveFields: readonly (readonly string[])[]
  /** What sensitive data rest on (LGPD art. 11); undefined: nothing, so they are stripped. */
  readonly sensitiveGround: SensitiveGround | undefined
  /** An approved balancing test with its three phases is on file (LGPD art. 10). */
  readonly lia: boolean
  /** The document its basis needs is there: the balancing test, or the written ground. Always true for the others. */
  readonly written: boolean
  /** Controllers that the balancing test or the contract names. */
  readonly recipients: ReadonlySet<string>
  /** Decides by automation alone in a way that may harm the person (LGPD art. 20). */
  readonly harmful: boolean
  /** Material changes of the notices that speak of it: notice id -> versions, oldest first. */
  readonly changes: ReadonlyMap<string, readonly NoticeChange[]>
  readonly signals: NonNullable<PurposeConfig['signals']>
  /** Its own id and the starter purposes that some destination maps to it. */
  readonly starters: ReadonlySet<string>
  /** Advertising: what a browser's opposition (GPC) reaches. */
  readonly ads: boolean
  /** Advertising or offers: never part of what a contract needs. */
  readonly promotional: boolean
  /** The destination a `share.<id>` purpose is about. */
  readonly shares: string | undefined
  /** Memory of `declares`, per trait path. */
  readonly declaredTraits: Map<string, boolean>
}

/** A notice version that changed something material (LGPD art. 8 §6). */
export interface NoticeChange {
  readonly version: number
  /** YYYY-MM-DD. */
  readonly since: string
  /** The purpose itself changed (art. 9 I): not even what was collected for the old one goes on. */
  readonly purpose: boolean
}

export interface SharingTarget {
  readonly id: string
  readonly role: 'operator' | 'controller'
  /** ISO 3166-1 alpha-2; undefined: not declared, so nothing that needs a ground may leave. */
  readonly country: string | undefined
  readonly transfer: DestinationConfig['transfer'] | undefined
  readonly recipient: DestinationConfig['recipient']
  /** Ids of the configured purposes this destination declares. */
  readonly purposes: ReadonlySet<string>
  /** Starter purpose of an action -> configured purpose. */
  readonly byStarter: ReadonlyMap<string, Purpose>
  /** Controllers only: the specific consent of LGPD art. 7 §5. */
  readonly sharePurpose: Purpose | undefined
}

/** The purposes that want one kind of event, with the sets of them that were allowed so far. */
export interface WantingPurposes {
  readonly purposes: readonly Purpose[]
  /** Bitmask over `purposes` -> the same array each time, so that field plans are made once per set. */
  readonly allowedSets: Map<number, readonly Purpose[]>
}

export interface Purposes {
  readonly all: readonly Purpose[]
  readonly size: number
  readonly destinations: ReadonlyMap<string, SharingTarget>
  /** SHA-256 (hex) over the policy table and everything of the configuration that gates read. */
  readonly policyHash: string
  /** Likely to be used by minors: people of unknown age count as such. */
  readonly childAudience: boolean
  /** The trait that tells how old somebody is; undefined: nothing does. */
  readonly ageTrait: string | undefined
  /** CMP category -> the purposes it speaks about. */
  readonly byCategory: Readonly<Record<CmpVendor, ReadonlyMap<string, readonly Purpose[]>>>
  get(id: string): Purpose | undefined
  has(id: string): boolean
  /** The purposes that collect events of this kind; remembered. */
  wanting(event: Pick<CanonicalEvent, 'type' | 'name'>): WantingPurposes
  /** Contract purposes that this event opens. */
  openedBy(event: Pick<CanonicalEvent, 'type' | 'name'>): readonly Purpose[]
  /** The configured purpose behind an action's starter purpose; undefined: undeclared, nothing leaves. */
  resolve(destinationId: string, starterId: string): Purpose | undefined
}

const MAX_KINDS = 10_000
const NONE: readonly Purpose[] = []

export function loadPurposes(config: PurposesConfig): Purposes {
  const destinations = config.destinations ?? {}
  const starters = startersOf(config)
  const sensitiveFields = (config.sensitiveFields ?? DEFAULT_SENSITIVE).map((path) => path.split('.'))
  const common = { notices: config.notices ?? {}, sensitiveFields }
  const byId = new Map<string, Purpose>()
  for (const [id, purpose] of Object.entries(config.purposes))
    byId.set(id, compile(id, purpose, starters.get(id), common))
  for (const [id, destination] of Object.entries(destinations)) {
    const share = `share.${id}`
    if (destination.role === 'controller' && !byId.has(share))
      byId.set(share, compile(share, sharePurposeOf(id), undefined, common))
  }

  const targets = new Map<string, SharingTarget>()
  for (const [id, destination] of Object.entries(destinations)) {
    const byStarter = new Map<string, Purpose>()
    for (const [starter, configured] of pairsOf(destination.purposes)) {
      const purpose = byId.get(configured)
      if (purpose) byStarter.set(starter, purpose)
    }
    targets.set(id, {
      id,
      role: destination.role ?? 'operator',
      country: destination.country,
      transfer: destination.transfer,
      recipient: destination.recipient,
      purposes: new Set([...byStarter.values()].map((purpose) => purpose.id)),
      byStarter,
      sharePurpose: destination.role === 'controller' ? byId.get(`share.${id}`) : undefined,
    })
  }

  const all = [...byId.values()]
  const collecting = all.filter((purpose) => purpose.stages.has('collect') && purpose.collects.length > 0)
  const contracts = all.filter((purpose) => purpose.basis === 'contract')
  const kinds = new Map<string, WantingPurposes>()
  const openings = new Map<string, readonly Purpose[]>()
  return {
    all,
    size: all.length,
    destinations: targets,
    policyHash: policyHash(config),
    childAudience: config.minors?.audience === 'children',
    ageTrait: config.minors?.trait,
    byCategory: {
      google: categories(all, 'google'),
      segment: categories(all, 'segment'),
      rudder: categories(all, 'rudder'),
    },
    get: (id) => byId.get(id),
    has: (id) => byId.has(id),
    wanting(event) {
      const kind = event.type === 'track' ? event.name : `\0${event.type}`
      let known = kinds.get(kind)
      if (!known) {
        // Names come from outside; a flood of new ones costs time, never memory.
        if (kinds.size >= MAX_KINDS) kinds.clear()
        known = { purposes: collecting.filter((purpose) => wants(purpose, event)), allowedSets: new Map() }
        kinds.set(kind, known)
      }
      return known
    },
    openedBy(event) {
      if (event.type !== 'track' || contracts.length === 0) return NONE
      let known = openings.get(event.name)
      if (!known) {
        if (openings.size >= MAX_KINDS) openings.clear()
        const opened = contracts.filter((purpose) => purpose.opensOn(event.name))
        known = opened.length > 0 ? opened : NONE
        openings.set(event.name, known)
      }
      return known
    },
    resolve: (destinationId, starterId) => targets.get(destinationId)?.byStarter.get(starterId),
  }
}

function compile(
  id: string,
  config: PurposeConfig,
  starters: ReadonlySet<string> | undefined,
  {
    notices,
    sensitiveFields,
  }: {
    readonly notices: NonNullable<PurposesConfig['notices']>
    readonly sensitiveFields: Purpose['sensitiveFields']
  },
): Purpose {
  const opens = (config.opens ?? []).map(compileGlob)
  const own = new Set([id, ...(starters ?? [])])
  const lia = config.lia?.phases !== undefined
  const ads = [...own].some((name) => name.startsWith('ads_'))
  return {
    id,
    basis: config.basis,
    scope: config.scope,
    title: config.title,
    description: config.description,
    stages: new Set(config.stages),
    collects: config.collects.flatMap((item) => compileCollect(item)),
    opensOn: (name) => opens.some((matches) => matches(name)),
    ends: config.ends,
    sensitive: config.sensitive ?? false,
    sensitiveGround: sensitiveGroundOf(config),
    lia,
    written:
      config.basis === 'legitimate_interest' ? lia : !GROUND_BASES.has(config.basis) || config.ground !== undefined,
    recipients: new Set(
      config.basis === 'legitimate_interest'
        ? config.lia?.sharing
        : config.basis === 'contract'
          ? config.contract?.recipients
          : undefined,
    ),
    harmful: config.automated === 'harmful',
    changes: changesFor(id, notices),
    sensitiveFields,
    signals: config.signals ?? {},
    starters: own,
    ads,
    promotional: ads || [...own].some((name) => name.endsWith('_marketing')),
    shares: id.startsWith('share.') ? id.slice('share.'.length) : undefined,
    declaredTraits: new Map(),
  }
}

/** Bases that exist only where somebody wrote down why (our own rule: as declared, with a ground). */
const GROUND_BASES: ReadonlySet<Basis> = new Set(['public_policy', 'research', 'vital_interest', 'health', 'credit'])

/** Legitimate interest, contract and credit never carry sensitive data; consent does so as specific consent (art. 11 I). */
function sensitiveGroundOf({ basis, sensitive, sensitiveGround }: PurposeConfig): SensitiveGround | undefined {
  if (!sensitive || POLICY.noSensitive.includes(basis)) return undefined
  if (basis === 'consent') return '11.I'
  return sensitiveGround === '11.I' ? undefined : sensitiveGround
}

function changesFor(
  purpose: string,
  notices: NonNullable<PurposesConfig['notices']>,
): ReadonlyMap<string, readonly NoticeChange[]> {
  const changes = new Map<string, readonly NoticeChange[]>()
  for (const [id, versions] of Object.entries(notices)) {
    const material = versions
      .filter(
        ({ materialChange, purposes }) =>
          (materialChange?.length ?? 0) > 0 && (purposes === undefined || purposes.includes(purpose)),
      )
      .map(({ version, since, materialChange }) => ({
        version,
        since,
        purpose: materialChange?.includes('9.I') ?? false,
      }))
      .sort((a, b) => a.version - b.version)
    if (material.length > 0) changes.set(id, material)
  }
  return changes
}

/**
 * Names under which data of LGPD art. 5 II usually arrive; our own list, replaced by `sensitiveFields`.
 * Only as whole names: `health_plan_id` of a shop for insurance is for its encarregado to judge.
 */
const DEFAULT_SENSITIVE: readonly string[] = [
  ...['race', 'ethnicity', 'raca', 'etnia', 'religion', 'religiao', 'political_opinion', 'opiniao_politica'],
  ...['union_membership', 'sindicato', 'health', 'saude', 'sex_life', 'vida_sexual', 'sexual_orientation'],
  ...['orientacao_sexual', 'genetic', 'genetico', 'biometric', 'biometria', 'blood_type', 'tipo_sanguineo'],
].flatMap((name) => [`traits.${name}`, `properties.${name}`])

/** Nothing but a gate: it collects no event. Its signals come from a `share.<id>` entry of the configuration. */
function sharePurposeOf(destination: string): PurposeConfig {
  return {
    basis: 'consent',
    scope: 'person',
    title: { pt: `Compartilhar com ${destination}`, en: `Share with ${destination}` },
    collects: [],
    stages: ['share'],
  }
}

function startersOf(config: PurposesConfig): ReadonlyMap<string, ReadonlySet<string>> {
  const starters = new Map<string, Set<string>>()
  for (const destination of Object.values(config.destinations ?? {})) {
    for (const [starter, configured] of pairsOf(destination.purposes)) {
      starters.set(configured, (starters.get(configured) ?? new Set()).add(starter))
    }
  }
  return starters
}

function categories(all: readonly Purpose[], vendor: CmpVendor): ReadonlyMap<string, readonly Purpose[]> {
  const index = new Map<string, Purpose[]>()
  for (const purpose of all) {
    for (const category of purpose.signals[vendor] ?? []) {
      const list = index.get(category)
      if (list) list.push(purpose)
      else index.set(category, [purpose])
    }
  }
  return index
}

/** Settings and credentials of destinations stay out: rotating a key is no change of policy. */
function policyHash(config: PurposesConfig): string {
  const destinations = Object.fromEntries(
    Object.entries(config.destinations ?? {}).map(([id, { role, country, transfer, recipient, purposes }]) => [
      id,
      {
        role: role ?? 'operator',
        country: country ?? null,
        transfer: transfer ?? null,
        recipient: recipient ?? null,
        purposes,
      },
    ]),
  )
  const text =
    canonicalize({
      policy: POLICY,
      purposes: config.purposes,
      destinations,
      notices: config.notices ?? null,
      sensitive: config.sensitiveFields ?? DEFAULT_SENSITIVE,
      minors: config.minors ?? null,
    }) ?? ''
  return createHash('sha256').update(text).digest('hex')
}
