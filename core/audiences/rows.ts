/** Rows of audiences: collected while a batch is worked on, written in its transaction. */
import type { Transaction } from 'kysely'
import { newId } from '../ids.ts'
import { insertMany, type StateStore, sql } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { AudienceChange } from './measure.ts'

/** A stay as it is written. */
export interface StayRow {
  readonly id: string
  readonly audience: string
  personId: string
  readonly enteredAt: number
  leftAt: number | null
  readonly eventId: string | null
  leftEventId: string | null
  readonly whyEntered: string
  whyLeft: string | null
}

/** Stays that begin or end in a batch. */
export class Stays {
  readonly begun: StayRow[] = []
  readonly ended: { personId: string; audience: string; at: number; eventId: string | null; why: string }[] = []

  move(
    personId: string,
    { audience, change, at, why }: AudienceChange,
    eventId: string | undefined,
    now: number,
  ): void {
    const text = JSON.stringify(why)
    if (change === 'entered') {
      this.begun.push({
        id: newId(now),
        audience,
        personId,
        enteredAt: Date.parse(at),
        leftAt: null,
        eventId: eventId ?? null,
        leftEventId: null,
        whyEntered: text,
        whyLeft: null,
      })
      return
    }
    const open = this.begun.find(
      (stay) => stay.personId === personId && stay.audience === audience && stay.leftAt === null,
    )
    if (open) {
      open.leftAt = Date.parse(at)
      open.leftEventId = eventId ?? null
      open.whyLeft = text
    } else this.ended.push({ personId, audience, at: Date.parse(at), eventId: eventId ?? null, why: text })
  }
}

/** What a destination was told of a member in a batch. */
export interface PushRow {
  readonly audience: string
  readonly destination: string
  readonly nodeId: string
  personId: string
  readonly member: boolean
  readonly deliveryId: string
}

/** After the rows of people who were merged were given to whoever remains. */
export async function writeAudiences(
  {
    stays,
    pushes,
    merged,
    now,
  }: {
    readonly stays: Stays
    readonly pushes: ReadonlyMap<string, PushRow>
    /** Who remained of those that were merged. */
    readonly merged: ReadonlySet<string>
    readonly now: number
  },
  dialect: StateStore['dialect'],
  trx: Transaction<Tables>,
): Promise<void> {
  await insertMany(
    trx,
    dialect,
    'audience_stays',
    ['id', 'audience', 'person_id', 'entered_at', 'left_at', 'event_id', 'left_event_id', 'why_entered', 'why_left'],
    stays.begun.map((stay) => [
      stay.id,
      stay.audience,
      stay.personId,
      stay.enteredAt,
      stay.leftAt,
      stay.eventId,
      stay.leftEventId,
      stay.whyEntered,
      stay.whyLeft,
    ]),
  )
  const begun = stays.begun.map(({ id }) => id)
  for (const { personId, audience, at, eventId, why } of stays.ended)
    await trx
      .updateTable('audience_stays')
      .set({ left_at: at, left_event_id: eventId, why_left: why })
      .where('person_id', '=', personId)
      .where('audience', '=', audience)
      .where('left_at', 'is', null)
      .$if(begun.length > 0, (query) => query.where('id', 'not in', begun.slice(0, 500)))
      .execute()
  await insertMany(
    trx,
    dialect,
    'audience_pushes',
    ['audience', 'destination', 'node_id', 'person_id', 'member', 'delivery_id', 'at'],
    [...pushes.values()].map((push) => [
      push.audience,
      push.destination,
      push.nodeId,
      push.personId,
      push.member ? 1 : 0,
      push.deliveryId,
      now,
    ]),
    'on conflict (audience, destination, node_id) do update set person_id = excluded.person_id, member = excluded.member, delivery_id = excluded.delivery_id, at = excluded.at',
  )
  for (const personId of merged) await closeDoubles(personId, now, trx)
}

/** The rows of a person who is merged into another one. */
export async function mergeAudiences(from: string, into: string, trx: Transaction<Tables>): Promise<void> {
  await trx.updateTable('audience_stays').set({ person_id: into }).where('person_id', '=', from).execute()
  await trx.updateTable('audience_pushes').set({ person_id: into }).where('person_id', '=', from).execute()
}

/** One person out of two: of two stays in one audience the one that began first goes on. */
const closeDoubles = (personId: string, now: number, trx: Transaction<Tables>) =>
  sql`update audience_stays set left_at = ${now}, why_left = '[]'
    where person_id = ${personId} and left_at is null and exists (
      select 1 from audience_stays as other
      where other.person_id = ${personId} and other.audience = audience_stays.audience and other.left_at is null
        and (other.entered_at < audience_stays.entered_at
          or (other.entered_at = audience_stays.entered_at and other.id < audience_stays.id)))`.execute(trx)
