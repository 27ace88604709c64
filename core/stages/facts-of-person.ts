/** What the gates know of a person besides their answers: age band, and whatever else restricts every purpose. */
import type { PersonFacts } from '../../consent/policy.ts'
import type { Purposes } from '../../consent/purposes.ts'
import type { AgeBand } from '../../schemas/consent.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { readPath } from '../kit/read-path.ts'
import type { Identified } from './identify.ts'
import type { PersonState } from './people.ts'

/** @param now ISO 8601 UTC. */
export function factsOf(
  person: Pick<PersonState, 'profile' | 'legalHold'> | undefined,
  purposes: Purposes,
  now: string,
): PersonFacts {
  const age = purposes.ageTrait === undefined ? undefined : bandAt(person?.profile.age, now)
  return { ...(age && { age }), ...(person?.legalHold && { legalHold: true }) }
}

/**
 * As `factsOf`, for everybody an event reaches; what the event says of the age counts for it already, and is
 * remembered of people who are known, also when nothing else of the event may be kept.
 */
export function factsOfEvent({ event, people }: Identified, purposes: Purposes, now: string): PersonFacts {
  if (purposes.ageTrait === undefined) return NO_FACTS
  const said = ageOn(event, purposes)
  for (const person of people) rememberAge(person, said)
  let age = said
  for (const { profile } of people) age = youngerOf(age, profile.age)
  const band = bandAt(age, now)
  return band ? { age: band } : NO_FACTS
}

const NO_FACTS: PersonFacts = {}

/** What an event says of the age of its person; undefined: nothing. */
export function ageOn(
  event: Pick<CanonicalEvent, 'traits' | 'occurredAt'>,
  { ageTrait }: Purposes,
): OpenProfile['age'] {
  return ageTrait === undefined ? undefined : readAge(readPath(event.traits, ageTrait), event.occurredAt)
}

/** The newest statement counts: a typing mistake can be corrected. */
export function rememberAge(person: PersonState, age: OpenProfile['age']): void {
  if (!age || JSON.stringify(age) === JSON.stringify(person.profile.age)) return
  person.profile.age = age
  person.dirty = true
}

/** People grow: the band at a moment. */
export function bandAt(age: OpenProfile['age'], now: string): AgeBand | undefined {
  if (!age) return undefined
  const month = now.slice(0, 7)
  if (age.band !== 'adult' && age.adultFrom !== undefined && age.adultFrom <= month) return 'adult'
  if (age.band === 'child' && age.teenFrom !== undefined && age.teenFrom <= month) return 'teen'
  return age.band
}

const ADULT = 18
/** ECA (Lei 8.069/1990) art. 2: a child is under twelve. */
const TEEN = 12

/**
 * The age band out of a date of birth, an age in years or a word. Only the band is kept, and for minors
 * the months in which it changes, rounded up: a date of birth is nobody's business here.
 * @param at ISO 8601: when it was said.
 * @returns undefined when the value says nothing.
 */
export function readAge(value: unknown, at: string): OpenProfile['age'] {
  if (value === 'child' || value === 'teen' || value === 'adult') return { band: value }
  if (typeof value === 'number' || (typeof value === 'string' && /^\d{1,3}$/.test(value.trim()))) {
    const years = Number(value)
    if (!Number.isInteger(years) || years < 0 || years > 130) return undefined
    if (years >= ADULT) return { band: 'adult' }
    // Somebody who is 17 is so for a year at most from now on.
    return {
      band: years < TEEN ? 'child' : 'teen',
      ...(years < TEEN && { teenFrom: monthAfter(at, TEEN - years) }),
      adultFrom: monthAfter(at, ADULT - years),
    }
  }
  const born = typeof value === 'string' ? birthDate(value) : undefined
  if (born === undefined || born > at.slice(0, 10)) return undefined
  const teenFrom = monthAfter(born, TEEN)
  const adultFrom = monthAfter(born, ADULT)
  const month = at.slice(0, 7)
  if (adultFrom <= month) return { band: 'adult' }
  return teenFrom <= month ? { band: 'teen', adultFrom } : { band: 'child', teenFrom, adultFrom }
}

/** ISO, or day/month/year as Brazil writes it. */
function birthDate(text: string): string | undefined {
  const iso = /^(\d{4})-(\d{2})-(\d{2})/.exec(text.trim())
  const local = /^(\d{2})\/(\d{2})\/(\d{4})$/.exec(text.trim())
  const [year, month, day] = iso ? [iso[1], iso[2], iso[3]] : local ? [local[3], local[2], local[1]] : []
  if (!year || !month || !day || year < '1900') return undefined
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`)
  return Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day) ? undefined : `${year}-${month}-${day}`
}

/** The month after the one in which so many years have passed: never a day too early. */
function monthAfter(date: string, years: number): string {
  const months = (Number(date.slice(0, 4)) + years) * 12 + Number(date.slice(5, 7))
  return `${String(Math.floor(months / 12)).padStart(4, '0')}-${String((months % 12) + 1).padStart(2, '0')}`
}

const YOUNGEST_FIRST = ['child', 'teen', 'adult'] as const

/** Of two statements the younger one counts: a mistake then protects too much and never too little. */
export function youngerOf(a: OpenProfile['age'], b: OpenProfile['age']): OpenProfile['age'] {
  if (!a || !b) return a ?? b
  if (a.band !== b.band) return YOUNGEST_FIRST.indexOf(a.band) < YOUNGEST_FIRST.indexOf(b.band) ? a : b
  return (a.adultFrom ?? '') >= (b.adultFrom ?? '') ? a : b
}
