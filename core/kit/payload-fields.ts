/** Payload fields that many connectors map alike, so that the same fact is read from the same place everywhere. */
import { type TSchema, Type } from 'typebox'

/** Optional personal text. */
export const personal = (...from: string[]) => Type.Optional(Type.String({ pii: true, from }))

/** The address a contact is kept by. */
export const emailField = Type.String({
  format: 'email',
  pii: true,
  from: ['identifiers.email', 'traits.email'],
  description: 'E-mail, lower-cased.',
})

export const phoneField = Type.String({
  pattern: '^\\+[1-9]\\d{6,14}$',
  pii: true,
  from: ['identifiers.phone', 'traits.phone'],
  description: 'E.164, such as +5511987654321.',
})

/** Who somebody is, as far as it is known. */
export const personFields = {
  firstName: personal('traits.firstName', 'traits.first_name'),
  lastName: personal('traits.lastName', 'traits.last_name'),
  name: personal('traits.name'),
  city: personal('traits.address.city', 'traits.city'),
  state: personal('traits.address.state', 'traits.state'),
  zip: personal('traits.address.postalCode', 'traits.address.zip', 'traits.zip'),
  country: personal('traits.address.country', 'traits.country'),
}

/** Read by a table of the settings; only what it names leaves. */
export const traitsField = Type.Optional(
  Type.Record(Type.String(), Type.Unknown(), {
    pii: true,
    from: 'traits',
    description: 'Read by the fields of the settings; only those leave.',
  }),
)

/** What every message to a person carries. */
export const messageFields = {
  stop: Type.String({ format: 'uri', from: 'links.stop', description: 'Signed link that stops these messages.' }),
  why: Type.String({ format: 'uri', from: 'links.why', description: 'Signed link that explains this message.' }),
  deliveryId: Type.String({ from: 'delivery.id', description: 'Id of the delivery: the same on every attempt.' }),
}

/** Properties a rule adds, or those of the event. */
export const propertiesField = Type.Optional(
  Type.Record(Type.String(), Type.Unknown(), {
    pii: true,
    from: 'properties',
    description: 'Properties of the event.',
  }),
)

/** At least one of these payload fields must be there. */
export const someOf = (...names: readonly string[]): { anyOf: TSchema[] } => ({
  anyOf: names.map((name) => Type.Unsafe({ type: 'object', required: [name], properties: { [name]: {} } })),
})

/** First and last name, from the full one where they are not known apart. */
export function namesOf(payload: { readonly firstName?: string; readonly lastName?: string; readonly name?: string }): {
  readonly firstName?: string
  readonly lastName?: string
} {
  const { firstName, lastName, name } = payload
  if (firstName !== undefined || lastName !== undefined || name === undefined)
    return { ...(firstName !== undefined && { firstName }), ...(lastName !== undefined && { lastName }) }
  const [first, ...rest] = name.trim().split(/\s+/)
  return { ...(first && { firstName: first }), ...(rest.length > 0 && { lastName: rest.join(' ') }) }
}

/** Vendor field to the trait it is filled from; traits without a value stay out. */
export function mappedTraits(
  table: Readonly<Record<string, string>>,
  traits: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).flatMap(([field, trait]) => {
      const value = Object.hasOwn(traits, trait) ? traits[trait] : undefined
      return value === undefined || value === null || value === '' ? [] : [[field, value]]
    }),
  )
}

/** An object without its undefined values: what is not known is not written. */
export const known = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
