/**
 * A real event as an example: whatever could be somebody's is replaced by a stand-in of the same form. What stays is
 * the shape, the names of fields, flags, short numbers, and the names of goods.
 */
import type { CanonicalEvent, Identifier } from '../../schemas/event.ts'

const STAND_INS: Readonly<Record<string, string>> = {
  email: 'ana@example.com',
  phone: '+5511987654321',
  cpf: '39053344705',
  userId: 'u1',
  anonymousId: 'a1',
  ga_client_id: '1000000001.1700000001',
  rdstation_uuid: '5408c5a3-4711-4f2e-8d0b-13407a3e30f3',
  device_id: 'd1',
}

/** Fields whose text names goods or forms. Everything else that is text is replaced. */
const OF_GOODS = /^(currency|category|brand|variant|unit|language|locale|method)$/i
/** Names of things, inside lists of products only: elsewhere a name is somebody's. */
const OF_PRODUCTS = /^(name|product_name|item_name|sku)$/i

/** @returns an event in which no identifier, trait or free text of `event` is left. */
export function redactEvent(event: CanonicalEvent): CanonicalEvent {
  const own = ownTexts(event)
  return {
    ...event,
    messageId: 'm1',
    subject: {
      ...event.subject,
      identifiers: event.subject.identifiers.map(({ type }): Identifier => ({ type, value: STAND_INS[type]! })),
      ...(event.subject.previousId !== undefined && { previousId: 'a0' }),
    },
    traits: replaced(event.traits, [], () => false) as CanonicalEvent['traits'],
    properties: replaced(event.properties, [], keeping(own)) as CanonicalEvent['properties'],
    context: {},
    consent: [],
  }
}

/** Fields that a rule set: they may have been written with the person's own values. */
export function redactFields(
  fields: Readonly<Record<string, unknown>>,
  event: CanonicalEvent,
): Record<string, unknown> {
  return replaced(fields, [], keeping(ownTexts(event))) as Record<string, unknown>
}

function keeping(own: readonly string[]) {
  return (path: readonly string[], value: string): boolean => {
    const key = path.findLast((step) => step !== '*') ?? ''
    const named = OF_PRODUCTS.test(key) ? path.includes('*') : OF_GOODS.test(key)
    return named && !looksPersonal(value) && !own.some((text) => value.toLowerCase().includes(text))
  }
}

function replaced(
  value: unknown,
  path: readonly string[],
  stays: (path: readonly string[], value: string) => boolean,
): unknown {
  if (Array.isArray(value)) return value.map((item) => replaced(item, [...path, '*'], stays))
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, replaced(inner, [...path, key], stays)]),
    )
  // A long number is somebody's number; a short one is a price or a count.
  if (typeof value === 'number') return String(value).replace(/\D/g, '').length >= 7 ? 1 : value
  if (typeof value !== 'string' || value === '') return value
  return stays(path, value) ? value : standIn(path.findLast((step) => step !== '*') ?? '', value)
}

function standIn(key: string, value: string): string {
  if (/e-?mail/i.test(key) || value.includes('@')) return STAND_INS['email']!
  if (/phone|celular|mobile|whatsapp|telefone/i.test(key)) return STAND_INS['phone']!
  if (/cpf/i.test(key)) return STAND_INS['cpf']!
  if (/^https?:\/\//i.test(value)) return 'https://loja.example/pagina'
  if (/^\d{4}-\d{2}-\d{2}/.test(value)) return value.length > 10 ? '2026-01-15T12:00:00.000Z' : '2026-01-15'
  if (/^-?\d{1,6}([.,]\d{1,2})?$/.test(value)) return '10'
  if (/name|nome/i.test(key)) return 'Ana Souza'
  return /id$/i.test(key) ? 'id-1' : 'texto'
}

const looksPersonal = (value: string): boolean => value.includes('@') || value.replace(/\D/g, '').length >= 7

/** What of the event is the person's, in lower case; shorter than three letters it would be found everywhere. */
function ownTexts({ subject, traits }: CanonicalEvent): string[] {
  const found = [...subject.identifiers.map(({ value }) => value), ...textsOf(traits)]
  return [...new Set(found.flatMap((text) => [text, ...text.split(/\s+/)]).map((text) => text.toLowerCase()))].filter(
    (text) => text.length >= 3,
  )
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number') return [String(value)]
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(textsOf) : []
}
