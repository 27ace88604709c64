/** Where what was declared and what was observed part. What is not declared was denied by the gate; here it is told. */

import type { Observed } from '../../consent/reports/ropa.ts'
import type { Config } from '../../schemas/config.ts'
import type { Drift } from '../../schemas/records.ts'
import type { Db } from '../stores/open.ts'
import { OBSERVED_MS, type Sampled } from './observed.ts'

type Seen = Omit<Drift, 'firstSeenAt' | 'lastSeenAt'>

const VALUES: Readonly<Record<Sampled['values'][number]['what'], { pt: string; en: string }>> = {
  cpf: { pt: 'um CPF válido', en: 'a valid CPF' },
  email: { pt: 'um e-mail', en: 'an e-mail address' },
  health: { pt: 'uma palavra de saúde', en: 'a word about health' },
}

export async function findDrift(
  config: Pick<Config, 'purposes' | 'destinations' | 'sources'>,
  observed: Observed,
  sampled: Sampled,
  db: Db,
  now: number,
): Promise<Seen[]> {
  const found: Seen[] = []
  const counts = await db
    .selectFrom('rollups')
    .select(['origin', 'code'])
    .select((eb) => eb.fn.sum<number>('count').as('n'))
    .where('minute', '>=', Math.floor((now - OBSERVED_MS) / 60_000))
    .where('code', 'in', ['NO_PURPOSE', 'UNDECLARED', 'RECEIVED', 'KEPT'])
    .groupBy(['origin', 'code'])
    .execute()
  const counted = (origin: string, code: string) =>
    Number(counts.find((row) => row.origin === origin && row.code === code)?.n ?? 0)

  for (const { origin, code, n } of counts) {
    if (code === 'NO_PURPOSE')
      found.push({
        kind: 'observed_not_declared',
        subject: origin,
        detail: {
          pt: 'Chegaram eventos que nenhuma finalidade declara em "collects"; foram descartados.',
          en: 'Events came that no purpose declares in "collects"; they were dropped.',
        },
        count: Number(n),
        denied: true,
      })
    if (code === 'UNDECLARED')
      found.push({
        kind: 'observed_not_declared',
        subject: origin,
        detail: {
          pt: 'Houve envios para uma finalidade que o destino não declara; foram negados.',
          en: 'Deliveries were meant for a purpose the destination does not declare; they were denied.',
        },
        count: Number(n),
        denied: true,
      })
  }
  found.push(...undeclaredInHistory(config, observed), ...neverObserved(config, observed, counted))
  for (const [subject, count] of sampled.outside)
    found.push({
      kind: 'field_outside_declared',
      subject,
      detail: {
        pt: 'Campo mantido que as finalidades do evento já não declaram.',
        en: 'A kept field that the purposes of the event no longer declare.',
      },
      count,
      denied: false,
    })
  for (const { path, what, count } of sampled.values)
    found.push({
      kind: what === 'health' ? 'sensitive_value_in_plain_field' : 'personal_value_in_plain_field',
      subject: path,
      detail: {
        pt: `O campo contém ${VALUES[what].pt}, e o nome dele não diz isso.`,
        en: `The field holds ${VALUES[what].en}, and its name does not say so.`,
      },
      count,
      denied: false,
    })
  return found
}

function undeclaredInHistory(config: Pick<Config, 'purposes' | 'destinations'>, observed: Observed): Seen[] {
  const unknown = new Map<string, number>()
  for (const { purposes, events } of observed.events)
    for (const id of purposes)
      if (!Object.hasOwn(config.purposes, id))
        unknown.set(`purpose:${id}`, (unknown.get(`purpose:${id}`) ?? 0) + events)
  for (const { destination, delivered } of observed.deliveries)
    if (!Object.hasOwn(config.destinations ?? {}, destination))
      unknown.set(`destination:${destination}`, (unknown.get(`destination:${destination}`) ?? 0) + delivered)
  return [...unknown].map(([subject, count]) => ({
    kind: 'observed_not_declared',
    subject,
    detail: {
      pt: 'Há dados de antes que a configuração já não declara; nada novo é mantido nem enviado.',
      en: 'There are data of before that the configuration no longer declares; nothing new is kept or sent.',
    },
    count,
    denied: true,
  }))
}

function neverObserved(
  config: Pick<Config, 'purposes' | 'destinations' | 'sources'>,
  observed: Observed,
  counted: (origin: string, code: string) => number,
): Seen[] {
  const never = (subject: string): Seen => ({
    kind: 'declared_never_observed',
    subject,
    detail: {
      pt: 'Declarado, e nada foi visto nos últimos 90 dias.',
      en: 'Declared, and nothing was seen in the last 90 days.',
    },
    count: 0,
    denied: false,
  })
  return [
    ...Object.entries(config.purposes)
      .filter(
        ([id, { collects }]) => collects.length > 0 && !observed.events.some(({ purposes }) => purposes.includes(id)),
      )
      .map(([id]) => never(`purpose:${id}`)),
    ...Object.keys(config.destinations ?? {})
      .filter((id) => !observed.deliveries.some(({ destination }) => destination === id))
      .map((id) => never(`destination:${id}`)),
    ...Object.keys(config.sources)
      .filter((id) => counted(`source:${id}`, 'RECEIVED') + counted(`source:${id}`, 'KEPT') === 0)
      .map((id) => never(`source:${id}`)),
  ]
}

/** Keeps when each was first seen; what is no longer so goes. @returns those that are new: somebody should hear of them. */
export async function rememberDrift(found: readonly Seen[], db: Db, now: number): Promise<Drift[]> {
  const known = new Map(
    (await db.selectFrom('drift').selectAll().execute()).map((row) => [`${row.kind}\0${row.subject}`, row]),
  )
  await db.deleteFrom('drift').execute()
  const fresh: Drift[] = []
  for (const item of found) {
    const before = known.get(`${item.kind}\0${item.subject}`)
    await db
      .insertInto('drift')
      .values({
        kind: item.kind,
        subject: item.subject,
        detail: JSON.stringify(item.detail),
        count: item.count,
        denied: item.denied ? 1 : 0,
        first_at: before?.first_at ?? now,
        last_at: now,
      })
      .onConflict((conflict) => conflict.columns(['kind', 'subject']).doNothing())
      .execute()
    if (!before && item.kind !== 'declared_never_observed') fresh.push({ ...item, firstSeenAt: now, lastSeenAt: now })
  }
  return fresh
}

export async function listDrift(db: Db): Promise<Drift[]> {
  const rows = await db.selectFrom('drift').selectAll().orderBy('first_at', 'desc').orderBy('subject').execute()
  return rows.map((row) => ({
    kind: row.kind as Drift['kind'],
    subject: row.subject,
    detail: JSON.parse(row.detail) as Drift['detail'],
    count: row.count,
    denied: row.denied === 1,
    firstSeenAt: row.first_at,
    lastSeenAt: row.last_at,
  }))
}
