/** People who withdrew, or were erased, after the days of a backtest: never computed, always counted. */
import { test } from 'vitest'
import { cases, patience } from '../testing/effort.ts'
import { Rig } from '../testing/pipeline-rig.ts'
import { leavesOutWhoWithdrew } from '../testing/withdrawal-property.ts'

test(
  'consent as of now says who is computed, consent as of then what a rule would have done',
  () => leavesOutWhoWithdrew(cases(2), Rig.open),
  patience(60_000),
)
