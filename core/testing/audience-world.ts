/** A shop with one audience of viewers and a vendor who keeps its list: for tests of audiences in the pipeline. */
import type { Config } from '../../schemas/config.ts'
import { signal } from './consent-signals.ts'
import { identify, track } from './events.ts'
import type { Rig } from './pipeline-rig.ts'

export const title = { pt: 'x', en: 'x' }
export const VIEWERS = {
  title,
  purpose: 'email_marketing',
  who: { all: [{ count: { event: 'Product Viewed', window: 'P1D' }, op: 'gte', value: 1 }] },
  destinations: [{ destination: 'lists', with: { audience: 'l1' } }],
} satisfies NonNullable<Config['audiences']>[string]
export const measures = { audiences: { viewers: VIEWERS } }

let made = 0
export const times = (rig: Rig) => ({ occurredAt: rig.at(), receivedAt: rig.at(), messageId: `m-${++made}` })
export const says = (rig: Rig, who: string, action: 'grant' | 'revoke' = 'grant') =>
  rig.take(
    identify({
      userId: who,
      traits: { email: `${who}@loja.example` },
      ...times(rig),
      consent: [signal('email_marketing', action, rig.at())],
    }),
  )
export const views = (rig: Rig, who: string, given: Partial<Parameters<typeof track>[0]> = {}) =>
  rig.take(track({ name: 'Product Viewed', userId: who, properties: { product_id: 'p1' }, ...times(rig), ...given }))

export const stays = async (rig: Rig) =>
  (await rig.state.db.selectFrom('audience_stays').selectAll().orderBy('entered_at').orderBy('id').execute()).map(
    ({ audience, entered_at, left_at }) => ({ audience, entered_at, left_at }),
  )
/** What the vendor's list holds, by what it was told. */
export function vendorList(rig: Rig): string[] {
  const list = new Set<string>()
  for (const { request, json } of rig.seen) {
    const { email } = json as { email: string }
    if (request.method === 'PUT') list.add(email)
    else list.delete(email)
  }
  return [...list].sort()
}
export const inside = async (rig: Rig, who: string) =>
  Object.keys((await rig.person('userId', who))?.profile.audiences ?? {})
