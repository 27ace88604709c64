/** Variants and offers of deliveries, and the codes of offers that are each given to one person. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export interface OfferTables {
  /** Codes as their file listed them; `delivery_id` null: nobody has it. */
  offer_codes: { offer: string; code: string; ord: number; delivery_id: string | null; at: number | null }
}

export async function offerTables(db: Kysely<Tables>): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  await run('alter table deliveries add column variant text')
  await run('alter table deliveries add column offer text')
  await run(
    'create table offer_codes (offer text not null, code text not null, ord bigint not null, delivery_id text, at bigint, primary key (offer, code))',
  )
  await run('create index offer_codes_free on offer_codes (offer, ord) where delivery_id is null')
  await run('create unique index offer_codes_delivery on offer_codes (delivery_id) where delivery_id is not null')
}
