/**
 * A withdrawal goes on to every tool that has the person (LGPD art. 18 §6): where the hub delivered for that
 * purpose, the action that takes it back is enqueued, in order and with retries like any other delivery.
 */
import type { Purposes } from '../../consent/purposes.ts'
import type { DestinationSettings } from '../config.ts'
import { nextOrder } from '../ids.ts'
import { sealJson } from '../seal.ts'
import { insertMany } from '../stores/open.ts'
import { followingDeliveryId } from './apply.ts'
import { NEW_DELIVERY } from './new-delivery.ts'
import type { ProcessPorts } from './ports.ts'

const MOST = 200
const MARK = 'withdrawal:'

/** A delivery that tells a tool of a withdrawal; its `event_id` names the ledger entry. */
export const isWithdrawal = ({ event_id }: { readonly event_id: string }): boolean => event_id.startsWith(MARK)

/** action: it is told. origin: it told us. stop: nothing more is sent, and it has no call that takes back what it has. */
export type PropagationWay = 'action' | 'origin' | 'stop'

/** @returns how many withdrawals were passed on. */
export async function propagate({ state, keys, clock, settings }: ProcessPorts): Promise<number> {
  const open = await state.db
    .selectFrom('withdrawals')
    .selectAll()
    .where('passed_on_at', 'is', null)
    .orderBy('id')
    .limit(MOST)
    .execute()
  if (open.length === 0) return 0
  const now = clock()
  await state.transaction(async (trx) => {
    const deliveries: unknown[][] = []
    const propagations: unknown[][] = []
    for (const withdrawal of open) {
      const node = await trx
        .selectFrom('nodes')
        .select(['id', 'person_id', 'data_key'])
        .where('id', '=', withdrawal.node_id)
        .executeTakeFirst()
      // Whoever was erased since is deleted from the tools by the request itself.
      if (!node || node.data_key.length === 0) continue
      for (const destination of await havingPerson(node.person_id, withdrawal.purpose, settings.purposes, trx)) {
        const target = settings.destinations.get(destination)
        const action = target && withdrawingAction(target, withdrawal.purpose, settings.purposes)
        const told = withdrawal.origin_kind === 'feedback' && withdrawal.origin_ref === destination
        const way: PropagationWay = told ? 'origin' : action ? 'action' : 'stop'
        const id = action && way === 'action' ? followingDeliveryId(withdrawal.id, destination, action) : null
        propagations.push([withdrawal.id, destination, way, id, now, told ? now : null])
        if (!target || !action || id === null) continue
        deliveries.push([
          id,
          destination,
          action,
          target.definition.actions[action]!.kind,
          node.person_id,
          node.id,
          withdrawal.purpose,
          null,
          null,
          null,
          'treated',
          `${MARK}${withdrawal.id}`,
          nextOrder(now),
          'queued',
          null,
          withdrawal.entry_id ?? withdrawal.id,
          now,
          null,
          0,
          sealJson(keys.unwrap(node.data_key), { with: {}, device: node.id }),
          now,
          withdrawal.at,
        ])
      }
    }
    await insertMany(trx, state.dialect, 'deliveries', NEW_DELIVERY, deliveries, 'on conflict (id) do nothing')
    await insertMany(
      trx,
      state.dialect,
      'propagations',
      ['withdrawal_id', 'destination', 'how', 'delivery_id', 'asked_at', 'confirmed_at'],
      propagations,
      'on conflict (withdrawal_id, destination) do nothing',
    )
    await trx
      .updateTable('withdrawals')
      .set({ passed_on_at: now })
      .where(
        'id',
        'in',
        open.map(({ id }) => id),
      )
      .execute()
  })
  return open.length
}

/** Destinations that took something for this purpose, or may have. */
async function havingPerson(
  personId: string,
  purposeId: string,
  purposes: Purposes,
  trx: ProcessPorts['state']['db'],
): Promise<string[]> {
  const shares = purposes.get(purposeId)?.shares
  const rows = await trx
    .selectFrom('deliveries')
    .select('destination')
    .distinct()
    // What was settled before a merge stays under the person it was settled for.
    .where((eb) =>
      eb.or([
        eb('person_id', '=', personId),
        eb('person_id', 'in', eb.selectFrom('persons').select('id').where('merged_into', '=', personId)),
      ]),
    )
    .where('status', 'in', ['delivered', 'uncertain', 'attempted'])
    .where('event_id', 'not like', `${MARK}%`)
    // Without the consent to share, everything that controller got for a consent of its own is taken back.
    .$if(shares === undefined, (query) => query.where('purpose', '=', purposeId))
    .$if(shares !== undefined, (query) => query.where('destination', '=', shares!))
    .orderBy('destination')
    .execute()
  return rows.map(({ destination }) => destination)
}

/** The action of a destination that takes back what it has for a purpose; undefined: it has none. */
export function withdrawingAction(
  { id, definition }: Pick<DestinationSettings, 'id' | 'definition'>,
  purposeId: string,
  purposes: Purposes,
): string | undefined {
  const starters = [...(purposes.destinations.get(id)?.byStarter ?? [])]
    .filter(([, purpose]) => purpose.id === purposeId)
    .map(([starter]) => starter)
  const shared = purposes.get(purposeId)?.shares === id
  return Object.keys(definition.actions).find((name) => {
    const withdraws = definition.actions[name]?.withdraws as readonly string[] | undefined
    return withdraws?.some((word) => word === '*' || shared || starters.includes(word))
  })
}
