/**
 * The record of processing operations (LGPD art. 37): what the configuration declares, joined with what was seen.
 * The eight blocks are those of the ANPD's model of June 2023.
 */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { Config, PurposeConfig } from '../../schemas/config.ts'
import { BASES, type Basis } from '../../schemas/consent.ts'
import type { Drift, Ropa, RopaActivity, RopaChange, RopaDiff, RopaRecipient } from '../../schemas/records.ts'
import { pairsOf } from '../declared.ts'
import { CLASS_RULES } from '../retention/classes.ts'
import { EVERY, type ResolvedPolicy } from '../retention/policies.ts'

type Text = { pt: string; en: string }

export interface ObservedEvents {
  readonly purposes: readonly string[]
  /** Event name, or the call. */
  readonly name: string
  readonly source: string
  readonly events: number
  readonly firstAt: number
  readonly lastAt: number
}

export interface ObservedDeliveries {
  readonly destination: string
  readonly purpose: string
  readonly delivered: number
  readonly blocked: number
  readonly firstAt: number
  readonly lastAt: number
}

export interface Observed {
  readonly events: readonly ObservedEvents[]
  readonly deliveries: readonly ObservedDeliveries[]
  /** People with kept events, per purpose. */
  readonly people: ReadonlyMap<string, number>
  /** Paths found in a sample, per purpose. */
  readonly fields: ReadonlyMap<string, ReadonlySet<string>>
}

export interface RopaFacts {
  readonly config: Pick<Config, 'organization' | 'purposes' | 'destinations' | 'notices' | 'minors'>
  readonly policies: readonly ResolvedPolicy[]
  readonly policyHash: string
  /** Name of a vendor by destination id. */
  readonly vendor: (destination: string) => string
  readonly rules: readonly { readonly id: string; readonly purpose: string }[]
  readonly observed: Observed
  readonly drift: readonly Drift[]
  readonly checkpoint: Ropa['checkpoint']
  readonly at: number
}

const SUBJECTS: readonly Text[] = [
  {
    pt: 'Clientes e pessoas que visitam o site ou o aplicativo',
    en: 'Customers, and people who visit the site or the app',
  },
]
const MINORS: Text = { pt: 'Crianças e adolescentes', en: 'Children and adolescents' }

const SECURITY: readonly Text[] = [
  {
    pt: 'Dados de contato e texto livre cifrados (AES-256-GCM), uma chave por identificador',
    en: 'Contact data and free text encrypted (AES-256-GCM), one key per identifier',
  },
  { pt: 'Identificadores buscados por HMAC, só por igualdade', en: 'Identifiers found by HMAC, by exact match only' },
  {
    pt: 'Consentimento conferido na coleta, na decisão e no envio; o desconhecido é negado',
    en: 'Consent asked at collection, decision and delivery; unknown is denied',
  },
  {
    pt: 'Papéis com permissões; cada leitura de dados pessoais exige motivo e fica registrada',
    en: 'Roles with permissions; every look at personal data needs a reason and is logged',
  },
  { pt: 'Livro de consentimento em árvore de Merkle assinada', en: 'Consent ledger as a signed Merkle tree' },
]

const ROMAN = ['I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX', 'X']
export const articleOf = (basis: Basis): string => `LGPD art. 7, ${ROMAN[BASES.indexOf(basis)]}`

export function buildRopa(facts: RopaFacts): Ropa {
  const activities = Object.entries(facts.config.purposes).map(([id, purpose]) => activity(id, purpose, facts))
  return {
    at: facts.at,
    hash: declaredHash(activities),
    policyHash: facts.policyHash,
    organization: facts.config.organization.name,
    activities,
    drift: [...facts.drift],
    checkpoint: facts.checkpoint,
  }
}

function activity(id: string, purpose: PurposeConfig, facts: RopaFacts): RopaActivity {
  const { config, observed } = facts
  const { organization } = config
  const mine = observed.events.filter(({ purposes }) => purposes.includes(id))
  const span = (pick: (row: ObservedEvents) => number, fold: (...values: number[]) => number) =>
    mine.length === 0 ? null : fold(...mine.map(pick))
  return {
    purpose: id,
    contact: {
      controller: organization.name,
      cnpj: organization.cnpj ?? null,
      dpo: organization.dpo?.name ?? null,
      dpoEmail: organization.dpo?.email ?? null,
    },
    subjects: config.minors?.audience === 'children' ? [...SUBJECTS, MINORS] : [...SUBJECTS],
    data: {
      declared: purpose.collects.flatMap((item) =>
        typeof item === 'string' ? [item] : Object.entries(item).map(([name, paths]) => `${name}: ${paths.join(', ')}`),
      ),
      seen: [...(observed.fields.get(id) ?? [])].sort(),
      sensitive: purpose.sensitive ?? false,
      events: mine.reduce((sum, row) => sum + row.events, 0),
      people: observed.people.get(id) ?? 0,
      sources: [...new Set(mine.map(({ source }) => source))].sort(),
      firstAt: span(({ firstAt }) => firstAt, Math.min),
      lastAt: span(({ lastAt }) => lastAt, Math.max),
    },
    sharing: recipients(id, facts),
    security: [...SECURITY],
    retention: retentionWords(id, facts.policies),
    process: {
      title: purpose.title,
      description: purpose.description ?? null,
      basis: purpose.basis,
      article: articleOf(purpose.basis),
      scope: purpose.scope,
      stages: [...purpose.stages],
      rules: facts.rules.filter((rule) => rule.purpose === id).map((rule) => rule.id),
      automated: purpose.automated ?? null,
    },
    remarks: remarks(id, purpose, facts),
  }
}

function recipients(id: string, { config, vendor, observed }: RopaFacts): RopaRecipient[] {
  return Object.entries(config.destinations ?? {})
    .filter(([, { purposes }]) => pairsOf(purposes).some(([, configured]) => configured === id))
    .map(([destination, { role, country, transfer }]) => {
      const seen = observed.deliveries.filter((row) => row.destination === destination && row.purpose === id)
      return {
        destination,
        name: vendor(destination),
        role: role ?? 'operator',
        country: country ?? null,
        transfer: transfer ? `art. 33 ${transfer.art33}: ${transfer.ref}` : null,
        delivered: seen.reduce((sum, row) => sum + row.delivered, 0),
        blocked: seen.reduce((sum, row) => sum + row.blocked, 0),
        firstAt: seen.length === 0 ? null : Math.min(...seen.map(({ firstAt }) => firstAt)),
        lastAt: seen.length === 0 ? null : Math.max(...seen.map(({ lastAt }) => lastAt)),
      }
    })
}

const TRIGGERS: Readonly<Record<string, Text>> = {
  occurred: { pt: 'do acontecimento', en: 'it happened' },
  ended: {
    pt: 'do fim da finalidade (revogação, fim do contrato)',
    en: 'the purpose ended (revocation, end of the contract)',
  },
  last_seen: { pt: 'da última atividade', en: 'the last activity' },
  settled: { pt: 'do encerramento', en: 'it was settled' },
}

function retentionWords(id: string, policies: readonly ResolvedPolicy[]): Text[] {
  const wanted = ['history', 'profile', 'deliveries'] as const
  return wanted.flatMap((kind) => {
    const triggers = [
      ...new Set(policies.filter(({ policy }) => policy.class === kind).map(({ policy }) => policy.trigger)),
    ]
    return triggers.flatMap((trigger) => {
      const found =
        policies.find(({ policy }) => policy.class === kind && policy.trigger === trigger && policy.purpose === id) ??
        policies.find(
          ({ policy }) => policy.class === kind && policy.trigger === trigger && (policy.purpose ?? EVERY) === EVERY,
        )
      if (!found) return []
      const { period, action } = found.policy
      const words = TRIGGERS[trigger] ?? { pt: trigger, en: trigger }
      return [
        {
          pt: `${CLASS_RULES[kind].title.pt}: ${period} a partir ${words.pt} (${action})`,
          en: `${CLASS_RULES[kind].title.en}: ${period} after ${words.en} (${action})`,
        },
      ]
    })
  })
}

function remarks(id: string, purpose: PurposeConfig, { config, drift }: RopaFacts): Text[] {
  const found: Text[] = []
  if (purpose.lia)
    found.push({
      pt: `Teste de balanceamento ${purpose.lia.ref}, aprovado por ${purpose.lia.approvedBy} em ${purpose.lia.approvedAt}`,
      en: `Balancing test ${purpose.lia.ref}, approved by ${purpose.lia.approvedBy} on ${purpose.lia.approvedAt}`,
    })
  for (const [notice, versions] of Object.entries(config.notices ?? {})) {
    const newest = versions.filter(({ purposes }) => purposes === undefined || purposes.includes(id)).at(-1)
    if (newest)
      found.push({
        pt: `Aviso ${notice}, versão ${newest.version}, desde ${newest.since}`,
        en: `Notice ${notice}, version ${newest.version}, since ${newest.since}`,
      })
  }
  for (const item of drift) if (item.subject === `purpose:${id}`) found.push(item.detail)
  return found
}

/** Over what people declare: traffic that goes on is no change of the record. */
export function declaredHash(activities: readonly RopaActivity[]): string {
  return createHash('sha256')
    .update(canonicalize(activities.map(declaredPart)) ?? '')
    .digest('hex')
}

function declaredPart({ purpose, contact, subjects, data, sharing, retention, process }: RopaActivity) {
  return {
    purpose,
    contact,
    subjects,
    data: { declared: data.declared, sensitive: data.sensitive },
    sharing: sharing.map(({ destination, name, role, country, transfer }) => ({
      destination,
      name,
      role,
      country,
      transfer,
    })),
    retention,
    process,
  }
}

/** What changed between two records, in the declared part. */
export function diffRopa(before: Ropa, after: Ropa): RopaDiff {
  const old = new Map(before.activities.map((activity) => [activity.purpose, activity]))
  const changed: RopaChange[] = []
  for (const activity of after.activities) {
    const was = old.get(activity.purpose)
    if (was) compare(declaredPart(was), declaredPart(activity), '', activity.purpose, changed)
  }
  const now = new Set(after.activities.map(({ purpose }) => purpose))
  return {
    from: before.at,
    to: after.at,
    added: after.activities.map(({ purpose }) => purpose).filter((purpose) => !old.has(purpose)),
    removed: [...old.keys()].filter((purpose) => !now.has(purpose)),
    changed,
  }
}

function compare(before: unknown, after: unknown, path: string, purpose: string, changed: RopaChange[]): void {
  if (canonicalize(before) === canonicalize(after)) return
  const deeper = (value: unknown): value is Record<string, unknown> =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
  if (deeper(before) && deeper(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
      compare(before[key], after[key], `${path}/${key}`, purpose, changed)
    return
  }
  changed.push({ purpose, path, before: before ?? null, after: after ?? null })
}
