/**
 * Consent as of then decides what a rule would have done; consent as of now decides whether a person may be computed at
 * all (DESIGN §7): whatever people answer after the range, whoever is computed gets the log of then, and all others are
 * left out and counted.
 */
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Explanation } from '../decision/index.ts'
import type { StoredDecision } from '../explain/stored.ts'
import { backtest } from '../replay/backtest.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { personStatus } from '../stages/identify.ts'
import { signal } from './consent-signals.ts'
import { erasePerson } from './erase-person.ts'
import { identify } from './events.ts'
import { DAY, type Rig, type RigOptions } from './pipeline-rig.ts'
import { life, live } from './random-history.ts'
import { OPTIONS } from './replay-property.ts'
import { storedDecisions } from './stored-decisions.ts'

const PURPOSE = 'email_marketing'
const PEOPLE = ['ana', 'bia', 'cau'] as const

interface Later {
  readonly who: (typeof PEOPLE)[number]
  readonly does: 'revoke' | 'grant' | 'is erased'
}
const later: fc.Arbitrary<Later[]> = fc.array(
  fc.record({ who: fc.constantFrom(...PEOPLE), does: fc.constantFrom('revoke', 'revoke', 'grant', 'is erased') }),
  { maxLength: 3 },
)

export async function leavesOutWhoWithdrew(runs: number, open: (options: RigOptions) => Promise<Rig>): Promise<void> {
  let run = 0
  await fc.assert(
    fc.asyncProperty(life, later, async (happenings, afterwards) => {
      const rig = await open(OPTIONS)
      try {
        await live(happenings, rig, `w${++run}`)
        const to = rig.now
        const before = await storedDecisions(rig.state)
        for (const [place, act] of afterwards.entries()) {
          rig.advance(DAY)
          await answer(act, rig, `w${run}-later-${place}`)
        }
        await expectTheLogOfThen(rig, to, before)
      } finally {
        await rig.close()
      }
    }),
    { numRuns: runs },
  )
}

async function answer({ who, does }: Later, rig: Rig, messageId: string): Promise<void> {
  if (does === 'is erased') {
    await erasePerson(rig, [{ type: 'userId', value: who }], OPTIONS.measures)
    return
  }
  await rig.take(
    identify({
      userId: who,
      messageId,
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      consent: [signal(PURPOSE, does, rig.at())],
    }),
  )
}

async function expectTheLogOfThen(rig: Rig, to: number, before: readonly StoredDecision[]): Promise<void> {
  const { settings } = rig.processPorts
  const { today, may } = await peopleOfToday(rig)
  const gone = await rig.state.db
    .selectFrom('ledger_shredded')
    .innerJoin('nodes', 'nodes.id', 'ledger_shredded.node_id')
    .select('nodes.person_id')
    .where('nodes.founded_at', '<=', to)
    .distinct()
    .execute()
  for (const rule of settings.rules.current) {
    const decided: string[] = []
    const report = await backtest({
      state: rig.state,
      keys: rig.keys,
      settings,
      rule,
      published: true,
      live: { at: 0, settings },
      from: 0,
      to,
      now: rig.now,
      timezone: 'America/Sao_Paulo',
      onDecision: (explanation: Explanation) => {
        if (!explanation.latestOnly) decided.push(canonicalize(explanation)!)
      },
    })
    const stored = before.filter((one) => one.rule === rule.rule.id && may.has(today.get(one.personId) ?? ''))
    expect(decided.sort()).toEqual(
      stored.map(({ id: _, personId: __, ...explanation }) => canonicalize(explanation)!).sort(),
    )
    const counted = Object.values(report.people.leftOut).reduce((sum, count) => sum + count, 0)
    expect(report.people.computed).toBe(may.size)
    expect(counted).toBeGreaterThanOrEqual(gone.length)
  }
}

/** Who is who now, and of whom the purpose permits anything now. */
async function peopleOfToday(rig: Rig) {
  const rows = await rig.state.db.selectFrom('persons').select(['id', 'merged_into']).execute()
  const today = new Map(rows.map(({ id, merged_into }) => [id, merged_into ?? id]))
  const batch = new Batch(rig.now, rig.keys)
  await loadPeople(batch, rig.state, [], [...new Set(today.values())])
  const granted = [...batch.persons.values()].filter(
    ({ nodes }) => personStatus(nodes, PURPOSE, batch)?.row.status.status === 'granted',
  )
  return { today, may: new Set(granted.map(({ id }) => id)) }
}
