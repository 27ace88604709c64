/**
 * The people of the simulated shop: invented names, addresses under the reserved .example domain, telephone numbers
 * and CPFs in forms that are valid and seen in practice. Nobody here exists, and nothing is ever sent to them.
 */
import type { Random } from './random.ts'

/** What a device's cookie banner or app dialogue was answered. */
export type BannerAnswer = 'all' | 'statistics' | 'nothing' | 'unanswered'

export interface Device {
  readonly kind: 'web' | 'app'
  readonly anonymousId: string
  /** Web only: the GA4 cookie. */
  readonly gaClientId: string
  readonly banner: BannerAnswer
  /** Milliseconds the device's clock is ahead. */
  readonly clockAhead: number
}

/** What the person told RD Station's form about e-mails; `withdrawn` is granted first and declined later. */
export type EmailAnswer = 'granted' | 'declined' | 'unasked' | 'withdrawn'

/** A part in the opening of the demo. */
export type Script = 'abandons' | 'refuses' | 'buys-in-time' | 'withdraws'

export interface Person {
  readonly userId: string
  readonly firstName: string
  readonly lastName: string
  readonly email: string
  /** National digits with area code. */
  readonly phone: string
  readonly cpf: string
  readonly city: string
  readonly state: string
  readonly rdUuid: string
  readonly devices: readonly Device[]
  readonly answer: EmailAnswer
  readonly script?: Script
}

const FIRST = ['Ana', 'João', 'Maria', 'José', 'Antônia', 'Luís', 'Conceição', 'Márcio', 'Iara', 'Caetano', 'Tainá', 'Zé', 'Inês', 'Raul', 'Nádia', 'Cauã', 'Lívia', 'Otávio', 'Jussara', 'Vinícius'] // biome-ignore format: one line of names
const LAST = ['Souza', 'da Silva', 'Araújo', 'Conceição', 'Gonçalves', "Sant'Anna", 'Brandão', 'Nóbrega', 'Guimarães', 'Peçanha', 'Mello', 'Assunção', 'Ibañez', 'Tanaka', 'Müller'] // biome-ignore format: one line of names
const PLACES = [
  { city: 'São Paulo', state: 'SP', area: '11' },
  { city: 'Goiânia', state: 'GO', area: '62' },
  { city: 'Belém', state: 'PA', area: '91' },
  { city: 'Florianópolis', state: 'SC', area: '48' },
  { city: 'Recife', state: 'PE', area: '81' },
  { city: 'Cuiabá', state: 'MT', area: '65' },
] as const
const CLOCKS = [0, 0, 0, 0, 0, 0, 0, 0, 3 * 3_600_000, -26 * 3_600_000] as const

/** The first people of every run. Who is held out is drawn by the hub, so that several abandon: one gets the message. */
const CAST: readonly {
  readonly script: Script
  readonly answer: EmailAnswer
  readonly called: readonly [string, string]
}[] = [
  { script: 'abandons', answer: 'granted', called: ['Alice', 'Abandona'] },
  { script: 'refuses', answer: 'declined', called: ['Rita', 'Recusa'] },
  { script: 'buys-in-time', answer: 'granted', called: ['Bruno', 'Compra'] },
  { script: 'withdraws', answer: 'withdrawn', called: ['Rebeca', 'Revoga'] },
  { script: 'abandons', answer: 'granted', called: ['Abel', 'Abandona'] },
  { script: 'abandons', answer: 'granted', called: ['Aline', 'Abandona'] },
  { script: 'abandons', answer: 'granted', called: ['Adão', 'Abandona'] },
  { script: 'abandons', answer: 'granted', called: ['Ágata', 'Abandona'] },
]

/** @param run tells people of different runs apart. */
export function createPeople(count: number, run: string, random: Random): Person[] {
  const people: Person[] = []
  for (let index = 0; index < Math.max(count, CAST.length); index++) {
    const part = CAST[index]
    const place = random.pick(PLACES)
    const [firstName, lastName] = part?.called ?? [random.pick(FIRST), random.pick(LAST)]
    const before = people[index - 1]
    // Every tenth shares a device with the one before (a family), another shares the telephone, another the CPF by mistake.
    const collision = !part && before && !before.script ? index % 10 : -1
    const own = createDevices(index, run, part !== undefined, random)
    const drawn = random.next()
    const answer: EmailAnswer = part
      ? part.answer
      : collision === 4
        ? // One telephone in two RD Station contacts makes them one person to everybody; they answer alike.
          before!.answer
        : drawn < 0.55
          ? 'granted'
          : drawn < 0.7
            ? 'declined'
            : drawn < 0.85
              ? 'unasked'
              : 'withdrawn'
    people.push({
      userId: `cliente-${run}-${index + 1}`,
      firstName,
      lastName,
      email: `${plain(firstName)}.${plain(lastName)}.${run}${index + 1}@cliente.example`,
      phone:
        collision === 4
          ? before!.phone
          : `${place.area}9${random.int(6, 9)}${String(random.int(0, 9_999_999)).padStart(7, '0')}`,
      cpf: collision === 7 ? before!.cpf : cpfOf(random.int(1, 99_999)),
      city: place.city,
      state: place.state,
      rdUuid: uuid(random),
      devices: collision === 2 ? [before!.devices[0]!, ...own] : own,
      answer,
      ...(part && { script: part.script }),
    })
  }
  return people
}

function createDevices(index: number, run: string, scripted: boolean, random: Random): Device[] {
  const banners: readonly BannerAnswer[] = ['all', 'all', 'all', 'statistics', 'nothing', 'unanswered']
  const device = (kind: Device['kind'], n: number): Device => ({
    kind,
    anonymousId: `anon-${run}-${index + 1}-${n}`,
    gaClientId: `${random.int(100_000_000, 999_999_999)}.${1_760_000_000 + index}`,
    banner: scripted ? 'all' : random.pick(banners),
    clockAhead: scripted ? 0 : random.pick(CLOCKS),
  })
  if (scripted) return [device('web', 1)]
  return random.chance(0.3)
    ? [device('web', 1), device('app', 2)]
    : random.chance(0.2)
      ? [device('app', 1)]
      : [device('web', 1)]
}

/** As people and forms write it: with and without country code, punctuation, and the ninth digit. */
export function writePhone(phone: string, random: Random): string {
  const area = phone.slice(0, 2)
  const number = phone.slice(2)
  switch (random.int(0, 3)) {
    case 0:
      return `+55 ${area} ${number.slice(0, 5)}-${number.slice(5)}`
    case 1:
      return `(${area}) ${number.slice(0, 5)}-${number.slice(5)}`
    case 2:
      return `${area}${number.slice(1)}` // Without the ninth digit, as old address books have it.
    default:
      return `55${phone}`
  }
}

export const writeEmail = (email: string, random: Random): string =>
  random.chance(0.2) ? `${email.charAt(0).toUpperCase()}${email.slice(1)}` : email

export const writeCpf = (cpf: string, random: Random): string =>
  random.chance(0.5) ? cpf.replace(/^(\d{3})(\d{3})(\d{3})(\d{2})$/, '$1.$2.$3-$4') : cpf

/** Right check digits; the low numbers were given out long before anybody shopped online. */
function cpfOf(number: number): string {
  let digits = String(number).padStart(9, '0')
  for (let length = 9; length < 11; length++) {
    const sum = [...digits].reduce((total, digit, index) => total + Number(digit) * (length + 1 - index), 0)
    digits += String(((sum * 10) % 11) % 10)
  }
  return digits
}

const plain = (name: string): string =>
  name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z]+/g, '')

function uuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => random.int(0, 15).toString(16)).join('')
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-a$4-$5')
}
