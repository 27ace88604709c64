/** Rules with sessions and branches decide in a replay what they decided live, whatever happens to their people. */
import { test } from 'vitest'
import { cases, patience } from '../testing/effort.ts'
import { Rig } from '../testing/pipeline-rig.ts'
import { replaysAsLived } from '../testing/replay-property.ts'

const RULES = [
  `
id: ramos
version: 1
when:
  absence:
    start: {event: Product Added}
    unless: {any: [{event: Order Completed}]}
    within: PT20M
unless: {purpose: email_marketing, reentry: {max: 1, per: session}}
then:
  branches:
    - {id: grande, on: Order Completed, who: {all: [{field: event.total, op: gte, value: 50}]}, all: [{destination: mail, action: keyed}]}
    - {id: obrigado, on: Order Completed, all: [{destination: mail, action: send}]}
    - {id: cheio, who: {all: [{field: cart.total, op: gte, value: 2000}]}, all: [{destination: mail, action: send}]}
    - {id: outros, all: [{destination: mail, action: keyed}]}
`,
  `
id: visita
version: 1
when: {event: Product *}
unless: {purpose: email_marketing, reentry: {max: 2, per: session}}
then: {all: [{destination: mail, action: send}]}
`,
]

test(
  'a replay decides what was decided, and ends with the same sessions',
  () => replaysAsLived(cases(4), (options) => Rig.open({ ...options, rules: RULES })),
  patience(60_000),
)
