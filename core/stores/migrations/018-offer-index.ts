/** 018-offer-index: what was given of an offer is counted without reading every delivery. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function offerIndex(db: Kysely<Tables>): Promise<void> {
  await sql
    .raw('create index deliveries_offer on deliveries (offer, rule, status, arm) where offer is not null')
    .execute(db)
}
