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
