/** Rules at every stage, and one audience that two destinations are told of: for tests of what people see of them. */
import { stringify } from 'yaml'
import type { Config } from '../../schemas/config.ts'
import type { LoadedConfig } from '../config.ts'
import { loadRules } from '../decision/index.ts'
import { insertMany, type StateStore } from '../stores/open.ts'
import { adminHubConfig, adminHubRegistry } from './admin-hub.ts'

const DAY_MS = 86_400_000

const publishedAudiences: NonNullable<Config['audiences']> = {
  big_carts: {
    title: { pt: 'Carrinhos grandes', en: 'Large carts' },
    description: { pt: 'Quem deixou mais de R$ 500 no carrinho.', en: 'Who left more than R$ 500 in the cart.' },
    purpose: 'email_marketing',
    who: { all: [{ field: 'cart.total', op: 'gte', value: 50_000 }] },
    destinations: [
      { destination: 'crm', add: 'sendConversion', remove: 'sendConversion' },
      { destination: 'ads', add: 'sendConversion', remove: 'sendConversion' },
    ],
  },
}

/** What commands on rules and audiences read of a configuration file, for the hub that has none. */
export const publishedConfig = {
  config: {
    ...adminHubConfig,
    purposes: { email_marketing: adminHubConfig.purposes['email_marketing']! },
    destinations: {},
    audiences: publishedAudiences,
  },
  ruleDocuments: [],
  publicUrl: 'http://hub.loja.example',
  timezone: 'America/Sao_Paulo',
  currency: 'BRL',
  sourceSettings: new Map(),
  destinationSettings: new Map(
    ['crm', 'ads'].map((id) => [id, { definition: adminHubRegistry.destinations.get('mailer') }]),
  ),
} as unknown as LoadedConfig

/** As its author would write it. @param most messages per person and week. */
const cart = (version: number, most: number, within: string) =>
  stringify({
    id: 'carrinho',
    version,
    title: { pt: 'Carrinho abandonado', en: 'Abandoned cart' },
    when: { absence: { start: { event: 'Product Added' }, unless: { any: [{ event: 'Order Completed' }] }, within } },
    who: { all: [{ field: 'cart.total', op: 'gte', value: 5000 }] },
    unless: { purpose: 'email_marketing', caps: [{ per: 'person', max: most, window: 'P7D' }] },
    then: {
      all: [{ destination: 'crm', action: 'sendConversion', with: { conversion: 'carrinho' } }],
      expires: 'PT30M',
    },
    experiment: { control: 0.2 },
  })

const news = stringify({
  id: 'novidades',
  version: 1,
  title: { pt: 'Novidades da semana', en: 'News of the week' },
  when: { schedule: { cron: '0 9 * * 2' } },
  unless: { purpose: 'email_marketing' },
  then: { all: [{ destination: 'crm', action: 'sendConversion', with: { conversion: 'novidades' } }], expires: 'PT2H' },
})

/** @param now epoch milliseconds. */
export async function publishWorld({ db, dialect }: StateStore, now: number): Promise<void> {
  const rules = [cart(1, 2, 'PT1H'), cart(2, 1, 'PT1H'), cart(3, 1, 'PT45M'), news].map(
    (text) => loadRules([{ file: 'rule.yaml', text }]).rules[0]!,
  )
  await db
    .insertInto('rule_versions')
    .values(
      rules.map(({ rule, hash }, index) => ({
        rule: rule.id,
        version: rule.version,
        hash,
        body: JSON.stringify(rule),
        loaded_at: now - (9 - index) * DAY_MS,
      })),
    )
    .execute()
  const standing = (rule: string, version: number, stage: string, share: number, reason: string) => ({
    rule,
    version,
    stage,
    share,
    recipients: '[]',
    shadowed: stage === 'shadow' ? 1 : 0,
    since: now - (4 - version) * DAY_MS,
    actor: 'Ana Souza',
    reason,
  })
  const rollouts = [
    standing('carrinho', 1, 'live', 10_000, 'Aprovada pela gerência'),
    standing('carrinho', 2, 'live', 1000, 'Menos mensagens por semana'),
    standing('carrinho', 3, 'shadow', 10_000, 'Ver o efeito de esperar menos'),
    standing('novidades', 1, 'live', 10_000, 'Campanha de novembro'),
  ]
  await db.insertInto('rule_rollouts').values(rollouts).execute()
  await db
    .insertInto('rule_rollout_log')
    .values(
      rollouts.map(({ rule, version, stage, share, since, actor, reason }, index) => ({
        id: `log-${index}`,
        rule,
        version,
        at: since,
        actor,
        act: 'publish',
        stage,
        share,
        reason,
      })),
    )
    .execute()
  await db
    .insertInto('rule_switches')
    .values({
      rule: 'novidades',
      state: 'paused',
      at: now - 3_600_000,
      actor: 'Ana Souza',
      reason: 'Preço errado na vitrine',
    })
    .execute()
  await db
    .insertInto('rule_slots')
    .values({
      rule: 'novidades',
      version: 1,
      slot: now - 7 * DAY_MS,
      state: 'done',
      place: '',
      started_at: now - 7 * DAY_MS,
      moved_at: now - 7 * DAY_MS,
      finished_at: now - 7 * DAY_MS + 60_000,
      people: 1840,
      decided: 912,
      reason: null,
    })
    .execute()
  const minute = Math.floor(now / 60_000) - 90
  const counts: [origin: string, code: string, count: number][] = [
    ['rule:carrinho@1', 'ENQUEUED', 1204],
    ['rule:carrinho@1', 'DELIVERED', 962],
    ['rule:carrinho@1', 'HELD_OUT', 238],
    ['rule:carrinho@1', 'CAPPED', 310],
    ['rule:carrinho@1', 'CONSENT_DENIED', 127],
    ['rule:carrinho@1', 'NOT_MATCHED', 2210],
    ['rule:carrinho@1', 'clause:unless.caps.0', 310],
    ['rule:carrinho@1', 'clause:who.all.0', 2210],
    ['shadow:carrinho@3', 'ENQUEUED', 1391],
    ['shadow:carrinho@3', 'CAPPED', 402],
  ]
  await insertMany(
    db,
    dialect,
    'rollups',
    ['minute', 'origin', 'code', 'count'],
    [
      ...counts.map((row) => [minute, ...row] as const),
      ...Array.from({ length: 20 }, (_, back) => back).flatMap((back) => [
        [minute - back * 1440, 'audience:big_carts', 'ENTERED', 14 + ((back * 7) % 11)] as const,
        [minute - back * 1440, 'audience:big_carts', 'LEFT', 5 + ((back * 5) % 7)] as const,
      ]),
    ],
  )
  const people = ['p_ana', 'p_bia', 'p_caio', 'p_davi']
  await db
    .insertInto('audience_stays')
    .values(
      people.map((person_id, index) => ({
        id: `stay-${index}`,
        audience: 'big_carts',
        person_id,
        entered_at: now - (index + 1) * 7_200_000,
        left_at: null,
        event_id: null,
        left_event_id: null,
        why_entered: JSON.stringify([
          {
            id: 'audiences.big_carts.who.all.0',
            clause: 'cart.total is at least 50000',
            pt: 'cart.total é pelo menos 50.000',
            ok: true,
            value: 61_990 + index,
            unit: 'cents',
          },
        ]),
        why_left: null,
      })),
    )
    .execute()
  // Deliveries of the made-up day stand for how each telling went.
  const told = [
    ['crm', 'p_ana', 'd-delivered'],
    ['crm', 'p_bia', 'd-more-00'],
    ['crm', 'p_caio', 'd-retry'],
    ['ads', 'p_ana', 'd-dead'],
    ['ads', 'p_bia', 'd-blocked'],
  ] as const
  await db
    .insertInto('audience_pushes')
    .values(
      told.map(([destination, person_id, delivery_id]) => ({
        audience: 'big_carts',
        destination,
        node_id: `n-${person_id}`,
        person_id,
        member: 1,
        delivery_id,
        at: now - 500_000,
      })),
    )
    .execute()
}
