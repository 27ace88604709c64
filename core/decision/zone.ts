/**
 * In which time zone a person lives: what they or their browser said, else their state, else the area code of their
 * phone. Only the zone is kept, never what it was read from. Pure.
 *
 * A state is taken as one zone. The far west of Amazonas (UTC-5) and Fernando de Noronha (UTC-2) are told apart only by
 * a stated time zone; zones are those of https://data.iana.org/time-zones/tzdb/zone.tab.
 */
import { IANAZone } from 'luxon'
import type { KnownZone } from '../../schemas/profile.ts'

/** The least certain first. */
const SOURCES = ['phone', 'state', 'timezone'] as const

const SAO_PAULO = 'America/Sao_Paulo'
const ZONES: Readonly<Record<string, string>> = {
  AC: 'America/Rio_Branco',
  AL: 'America/Maceio',
  AM: 'America/Manaus',
  AP: 'America/Belem',
  BA: 'America/Bahia',
  CE: 'America/Fortaleza',
  DF: SAO_PAULO,
  ES: SAO_PAULO,
  GO: SAO_PAULO,
  MA: 'America/Fortaleza',
  MG: SAO_PAULO,
  MS: 'America/Campo_Grande',
  MT: 'America/Cuiaba',
  PA: 'America/Belem',
  PB: 'America/Fortaleza',
  PE: 'America/Recife',
  PI: 'America/Fortaleza',
  PR: SAO_PAULO,
  RJ: SAO_PAULO,
  RN: 'America/Fortaleza',
  RO: 'America/Porto_Velho',
  RR: 'America/Boa_Vista',
  RS: SAO_PAULO,
  SC: SAO_PAULO,
  SE: 'America/Maceio',
  SP: SAO_PAULO,
  TO: 'America/Araguaina',
}

const NAMES: Readonly<Record<string, string>> = {
  acre: 'AC',
  alagoas: 'AL',
  amazonas: 'AM',
  amapa: 'AP',
  bahia: 'BA',
  ceara: 'CE',
  'distrito federal': 'DF',
  'espirito santo': 'ES',
  goias: 'GO',
  maranhao: 'MA',
  'minas gerais': 'MG',
  'mato grosso do sul': 'MS',
  'mato grosso': 'MT',
  para: 'PA',
  paraiba: 'PB',
  pernambuco: 'PE',
  piaui: 'PI',
  parana: 'PR',
  'rio de janeiro': 'RJ',
  'rio grande do norte': 'RN',
  rondonia: 'RO',
  roraima: 'RR',
  'rio grande do sul': 'RS',
  'santa catarina': 'SC',
  sergipe: 'SE',
  'sao paulo': 'SP',
  tocantins: 'TO',
}

/** Area codes (Anatel, Resolução 263/2001, anexo) by state; all others are of states on São Paulo's time. */
const AREA_CODES: readonly (readonly [state: string, codes: readonly number[]])[] = [
  ['AC', [68]],
  ['AL', [82]],
  ['AM', [92, 97]],
  ['AP', [96]],
  ['BA', [71, 73, 74, 75, 77]],
  ['CE', [85, 88]],
  ['MA', [98, 99]],
  ['MS', [67]],
  ['MT', [65, 66]],
  ['PA', [91, 93, 94]],
  ['PB', [83]],
  ['PE', [81, 87]],
  ['PI', [86, 89]],
  ['RN', [84]],
  ['RO', [69]],
  ['RR', [95]],
  ['SE', [79]],
  ['TO', [63]],
]
const BY_AREA_CODE = new Map(
  AREA_CODES.flatMap(([state, codes]) => codes.map((code) => [code, ZONES[state]!] as const)),
)
/** 11 to 55 without the numbers nobody was given, and 61, 62, 64. */
const OF_SAO_PAULO_TIME = new Set([
  ...[11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 24, 27, 28, 31, 32, 33, 34, 35, 37, 38],
  ...[41, 42, 43, 44, 45, 46, 47, 48, 49, 51, 53, 54, 55, 61, 62, 64],
])

/** @param state its two letters or its name, "BR-SP" as well. */
export function zoneOfState(state: string): string | undefined {
  const text = state.normalize('NFD').replace(/\p{M}/gu, '').trim().replace(/^BR-/i, '')
  const code = NAMES[text.toLowerCase()] ?? text.toUpperCase()
  return Object.hasOwn(ZONES, code) ? ZONES[code] : undefined
}

/** @param phone E.164. A mobile keeps its number when its owner moves, so this is the last thing asked. */
export function zoneOfPhone(phone: string): string | undefined {
  const code = Number(/^\+55([1-9]\d)\d{8,9}$/.exec(phone)?.[1])
  return BY_AREA_CODE.get(code) ?? (OF_SAO_PAULO_TIME.has(code) ? SAO_PAULO : undefined)
}

/** "UTC" and bare offsets are what machines say, not where somebody lives. */
export function statedZone(name: unknown): string | undefined {
  return typeof name === 'string' && name.includes('/') && !/^etc\//i.test(name) && isZone(name) ? name : undefined
}

// Asking costs a formatter, and every page view tells the same few names. Names come from outside: bounded.
const zones = new Map<string, boolean>()
const MOST_ZONES = 1000
function isZone(name: string): boolean {
  let known = zones.get(name)
  if (known === undefined) {
    if (zones.size >= MOST_ZONES) zones.clear()
    known = IANAZone.isValidZone(name)
    zones.set(name, known)
  }
  return known
}

export interface ZoneEvidence {
  readonly timezone?: unknown
  readonly state?: unknown
  readonly country?: unknown
  /** E.164. */
  readonly phone?: string | undefined
}

export function zoneFrom({
  timezone,
  state,
  country,
  phone,
}: ZoneEvidence): Pick<KnownZone, 'name' | 'from'> | undefined {
  const stated = statedZone(timezone)
  if (stated) return { name: stated, from: 'timezone' }
  const brazil = typeof country !== 'string' || /^(br|bra|bra[sz]il)$/i.test(country.trim())
  const ofState = brazil && typeof state === 'string' ? zoneOfState(state) : undefined
  if (ofState) return { name: ofState, from: 'state' }
  const ofPhone = phone === undefined ? undefined : zoneOfPhone(phone)
  return ofPhone ? { name: ofPhone, from: 'phone' } : undefined
}

/** What is more certain wins, else what is newer; the other order of the two gives the same. */
export function betterZone(a: KnownZone | undefined, b: KnownZone | undefined): KnownZone | undefined {
  if (!a || !b) return a ?? b
  const rank = SOURCES.indexOf(a.from) - SOURCES.indexOf(b.from)
  if (a.name === b.name && rank === 0)
    return {
      ...a,
      at: [a.at, b.at].sort()[1]!,
      purposes: [...new Set([...a.purposes, ...b.purposes])].sort(),
    }
  if (rank !== 0) return rank > 0 ? a : b
  if (a.at !== b.at) return a.at > b.at ? a : b
  return a.name > b.name ? a : b
}

/** `person`, `organization`, or an IANA name, as a rule writes it. */
export interface ZoneChoice {
  readonly zone: string
  /** Where the person's is not known; the organisation's when absent. */
  readonly defaultZone?: string | undefined
}

/** Whose clock counts. A zone read from what was kept for other purposes is not this rule's to know. */
export function zoneFor(
  { zone, defaultZone }: ZoneChoice,
  known: KnownZone | undefined,
  purpose: string,
  organization: string,
): string {
  if (zone === 'organization') return organization
  if (zone !== 'person') return zone
  return known?.purposes.includes(purpose) ? known.name : (defaultZone ?? organization)
}
