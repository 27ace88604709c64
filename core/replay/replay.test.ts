/** Rules of many kinds decide in a replay what they decided live, and people end as they are. */
import { test } from 'vitest'
import { cases, patience } from '../testing/effort.ts'
import { Rig } from '../testing/pipeline-rig.ts'
import { replaysAsLived } from '../testing/replay-property.ts'

test(
  'a replay decides what was decided, and ends with the people there are',
  () => replaysAsLived(cases(4), Rig.open),
  patience(60_000),
)
