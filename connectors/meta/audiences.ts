/**
 * Custom audiences. Every value leaves as SHA-256, but the hub's own id of the person (EXTERN_ID).
 * https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences
 */
import { type Static, Type } from 'typebox'
import {
  countryCode,
  type Http,
  hashedOnce,
  type ItemContext,
  inGroups,
  namesOf,
  type Outcome,
  personal,
  personFields,
  someOf,
} from '../../core/kit/index.ts'
import { nameOf } from './normalize.ts'

export const Member = Type.Object(
  {
    email: personal('identifiers.email', 'traits.email'),
    phone: personal('identifiers.phone', 'traits.phone'),
    ...personFields,
    audience: Type.String({ pattern: '^\\d+$', description: 'Id of the custom audience.' }),
  },
  someOf('email', 'phone'),
)
type Member = Static<typeof Member>

/** Whoever leaves: one audience, or all that the settings name. */
export const Leaver = Type.Object(
  { ...Member.properties, audience: Type.Optional(Member.properties.audience) },
  someOf('email', 'phone'),
)
type Leaver = Static<typeof Leaver>

export const SCHEMA = ['EMAIL', 'PHONE', 'FN', 'LN', 'CT', 'ST', 'ZIP', 'COUNTRY'] as const

/** One row of the data, in the order of the schema; an empty text is "not known". */
export function rowOf(payload: Omit<Member, 'audience'>): string[] {
  const { firstName, lastName } = namesOf(payload)
  const compact = (value: string) => nameOf(value).replace(/\s/g, '')
  return [
    hashedOnce(payload.email, (value) => value.trim().toLowerCase()),
    // Digits with the country code, without zeros in front.
    hashedOnce(payload.phone, (value) => value.replace(/\D/g, '').replace(/^0+/, '')),
    hashedOnce(firstName, nameOf),
    hashedOnce(lastName, nameOf),
    hashedOnce(payload.city, compact),
    hashedOnce(payload.state, compact),
    hashedOnce(payload.zip, (value) => value.toLowerCase().replace(/[\s-]/g, '')),
    hashedOnce(payload.country, countryCode),
  ].map((hash) => hash ?? '')
}

/** Out of the audience of the item, or of all those of the settings: each is a request of its own, and repeatable. */
export async function leave(
  http: Http,
  settings: { readonly accessToken: string; readonly audiences: readonly string[] },
  items: readonly ItemContext<Leaver>[],
): Promise<readonly Outcome[]> {
  const memberships = items.flatMap((item) =>
    (item.payload.audience === undefined ? settings.audiences : [item.payload.audience]).map((audience) => ({
      ...item,
      payload: { ...item.payload, audience },
    })),
  )
  const answers = memberships.length > 0 ? await changeMembers(http, settings.accessToken, memberships, 'DELETE') : []
  return items.map(({ delivery }) => {
    const mine = answers.filter((_, index) => memberships[index]!.delivery.id === delivery.id)
    return (
      mine.find(({ status }) => status !== 'delivered') ??
      mine[0] ?? { status: 'delivered', answer: 'no audiences in the settings' }
    )
  })
}

/** Adds or removes the members of each audience in one request. */
export const changeMembers = (
  http: Http,
  accessToken: string,
  items: readonly ItemContext<Member>[],
  method: 'POST' | 'DELETE',
): Promise<readonly Outcome[]> =>
  inGroups(
    items,
    ({ payload }) => payload.audience,
    async (group, audience) => {
      const { json } = await http.request(method, `/${audience}/users`, {
        json: {
          payload: { schema: SCHEMA, data: group.map(({ payload }) => rowOf(payload)) },
          access_token: accessToken,
        },
      })
      const { num_invalid_entries: invalid } = (json ?? {}) as { num_invalid_entries?: unknown }
      // Meta counts the wrong rows without naming them; of one row it is plain which.
      if (group.length === 1 && invalid === 1) return [{ status: 'rejected', reason: 'Meta finds the member invalid' }]
      const answer = `${group.length} received${typeof invalid === 'number' && invalid > 0 ? `, ${invalid} of them invalid` : ''}`
      return group.map(() => ({ status: 'delivered', answer }))
    },
  )
