/** What the people of random lives are held against, and rules that answer to it. */
import type { Config } from '../../schemas/config.ts'

type Measures = Pick<Config, 'audiences' | 'computed' | 'scores'>

const title = { pt: 'x', en: 'x' }
const calibration = title
const PURPOSE = 'email_marketing'
const viewed = (window: string, op: 'gte' | 'eq', value: number) => ({
  count: { event: 'Product Viewed', window },
  op,
  value,
})

/** Windows that run out, silence, memberships of memberships, a score of each kind, exclusion lists, a minimum stay. */
export const LIFE_MEASURES = {
  computed: {
    gasto: { title, purpose: PURPOSE, sum: { event: 'Order Completed', property: 'total', window: 'PT2H' } },
    maior: { title, purpose: PURPOSE, max: { event: 'Order Completed', property: 'total' } },
    vistos: { title, purpose: PURPOSE, distinct: { event: 'Product *', property: 'product_id', window: 'PT1H' } },
    por_visto: { title, purpose: PURPOSE, ratio: { of: 'gasto', to: 'vistos' } },
    faixa: { title, purpose: PURPOSE, bucket: { of: 'gasto', limits: [20, 50] } },
  },
  scores: {
    interesse: {
      title,
      purpose: PURPOSE,
      calibration,
      scorecard: {
        points: [
          { if: { all: [viewed('PT45M', 'gte', 1)] }, points: 3 },
          { if: { all: [viewed('PT2H', 'gte', 2)] }, points: 3 },
          { if: { all: [{ field: 'computed.gasto', op: 'gte', value: 30 }] }, points: 4 },
          { if: { all: [{ field: 'cart.total', op: 'gte', value: 800 }] }, points: 2 },
        ],
        max: 12,
      },
    },
    compra: {
      title,
      purpose: PURPOSE,
      calibration,
      logistic: {
        intercept: -1,
        features: [
          { field: 'computed.vistos', weight: 0.8 },
          { field: 'counters.email_marketing.orders', weight: 0.5, missing: 0 },
        ],
      },
    },
  },
  audiences: {
    olham: {
      title,
      purpose: PURPOSE,
      who: { all: [viewed('PT40M', 'gte', 1)] },
      stay: 'PT50M',
      experiment: { holdout: 'global', control: 0.3 },
      destinations: [{ destination: 'lists', with: { audience: 'l1' } }],
    },
    calados: {
      title,
      purpose: PURPOSE,
      who: { all: [viewed('PT1H', 'eq', 0)] },
      destinations: [{ destination: 'lists', with: { audience: 'l2' } }],
    },
    quentes: {
      title,
      purpose: PURPOSE,
      who: {
        any: [
          { field: 'scores.interesse', op: 'gte', value: 0.5 },
          {
            all: [
              { audience: 'olham', in: true },
              { field: 'computed.faixa', op: 'gte', value: 2 },
            ],
          },
        ],
      },
    },
    pagantes: {
      title,
      purpose: PURPOSE,
      who: { all: [{ field: 'counters.email_marketing.revenue', op: 'gte', value: 3000 }] },
      destinations: [{ destination: 'lists', with: { audience: 'l3' } }],
    },
    de_fora: { title, purpose: PURPOSE, held_out: [{ rule: 'terceira-vista' }, { audience: 'olham' }] },
  },
} satisfies Measures

/** The same with other windows and limits, one audience less and one more. */
export const OTHER_MEASURES = {
  computed: { ...LIFE_MEASURES.computed, faixa: { title, purpose: PURPOSE, bucket: { of: 'gasto', limits: [15] } } },
  scores: LIFE_MEASURES.scores,
  audiences: {
    ...Object.fromEntries(Object.entries(LIFE_MEASURES.audiences).filter(([id]) => id !== 'de_fora')),
    olham: { ...LIFE_MEASURES.audiences.olham, who: { all: [viewed('PT3H', 'gte', 2)] }, stay: 'PT10M' },
    fieis: {
      title,
      purpose: PURPOSE,
      who: { all: [{ count: { event: 'Order Completed', window: 'PT4H' }, op: 'gte', value: 2 }] },
    },
  },
} satisfies Measures

const SEND = '{all: [{destination: mail, action: send}]}'

export const MEASURE_RULES = [
  `
id: entrou
version: 1
when: {audience: {enters: olham}}
unless: {purpose: email_marketing, caps: [{per: person, max: 6, window: PT6H}]}
then: ${SEND}
experiment: {control: 0.2}
`,
  `
id: calou
version: 1
when: {audience: {enters: calados}}
who: {any: [{field: scores.compra, op: gte, value: 0.1}, {audience: quentes, in: true}]}
unless: {purpose: email_marketing, caps: [{per: person+rule, max: 2, window: PT3H}]}
then: ${SEND}
`,
  `
id: saiu
version: 1
when: {audience: {leaves: quentes}}
who: {all: [{field: computed.vistos, op: gte, value: 1}]}
unless: {purpose: email_marketing}
then: ${SEND}
`,
  `
id: esquentou
version: 1
when: {crosses: {score: interesse, above: 0.45, rearm_below: 0.3}}
unless: {purpose: email_marketing, caps: [{per: person, max: 6, window: PT6H}]}
then: ${SEND}
`,
  `
id: esfriou
version: 1
when: {crosses: {score: compra, below: 0.4, rearm_above: 0.5}}
unless: {purpose: email_marketing}
then: ${SEND}
rollout: {stage: shadow}
`,
  `
id: gastou
version: 1
when: {event: Order Completed}
who:
  all:
    - {sum: {event: Order Completed, property: total, window: PT5H}, op: gte, value: 40}
    - {any: [{field: computed.maior, op: gte, value: 25}, {audience: olham, in: true}]}
unless: {purpose: email_marketing, caps: [{per: person+rule, max: 3, window: PT2H}]}
then: ${SEND}
`,
  `
id: parou-quente
version: 1
when: {absence: {start: {event: Product Viewed}, unless: {any: [{event: Product Added}]}, within: PT25M}}
who: {all: [{audience: olham, in: true}, {field: scores.interesse, op: gte, value: 0.2}]}
unless: {purpose: email_marketing, caps: [{per: person, max: 6, window: PT6H}]}
then: ${SEND}
`,
]
