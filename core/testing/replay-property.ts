/** History given again leads to what it led to the first time: the same decisions, the same people. */
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { OpenProfile } from '../../schemas/profile.ts'
import type { Explanation } from '../decision/index.ts'
import { unmerge } from '../identity/unmerge.ts'
import { histories } from '../replay/history.ts'
import { type Clock, type ReplayedTurn, replayPerson } from '../replay/person.ts'
import { rebuild } from '../replay/rebuild.ts'
import { CommandError } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import { LIFE_MEASURES, MEASURE_RULES } from './life-measures.ts'
import type { Rig, RigOptions } from './pipeline-rig.ts'
import { LIFE_RULES, life, live, punctually, TRIGGER_RULES, unchanging } from './random-history.ts'
import { storedDecisions } from './stored-decisions.ts'

interface Whose {
  readonly explanation: Explanation
  readonly personId: string
}

/** Everything the replay of a rig decides, and the people it ends with. */
async function replayed(rig: Rig, since = 0, clock: Clock = 'noted') {
  const explanations: Whose[] = []
  const profiles: Record<string, unknown> = {}
  let whose = ''
  const watch = ({ batch }: ReplayedTurn) => {
    if (batch.now <= since) return
    for (const { explanation } of batch.rows.explanations) explanations.push({ explanation, personId: whose })
  }
  const ports = { state: rig.state, keys: rig.keys, now: rig.now }
  for await (const history of histories(rig.now, ports)) {
    whose = history.person.id
    const { people } = replayPerson(history, {
      settings: rig.processPorts.settings,
      keys: rig.keys,
      clock,
      until: rig.now,
      watch,
    })
    for (const { id, profile } of people) profiles[id] = profile
  }
  return { explanations, profiles }
}

/** The same of the live one. */
async function lived(rig: Rig, but: ReadonlySet<string> = new Set()) {
  const { db } = rig.state
  const people = await db.selectFrom('persons').selectAll().execute()
  const all = await storedDecisions(rig.state)
  const explanations = all
    .filter(({ id }) => !but.has(id))
    .map(({ id: _, personId, ...explanation }): Whose => ({ explanation, personId }))
  const profiles: Record<string, unknown> = {}
  for (const { id, profile, merged_into } of people) if (merged_into === null) profiles[id] = JSON.parse(profile)
  return { explanations, profiles, moved: new Map(people.map(({ id, merged_into }) => [id, merged_into ?? id])) }
}

/** As text, so that they have an order. */
const now = (decisions: readonly Whose[], moved: ReadonlyMap<string, string> = new Map()) =>
  decisions.map(({ explanation, personId }) => `${moved.get(personId) ?? personId} ${canonicalize(explanation)}`).sort()

/**
 * People of whom something is kept. When somebody was first and last seen is also told by events of which nothing may
 * be kept: that is not in history.
 */
const seen = (profiles: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(profiles as Record<string, OpenProfile>)
      .filter(([, { seq }]) => seq > 0)
      .map(([id, { firstSeenAt: _first, lastSeenAt: _last, ...profile }]) => [id, profile]),
  )

/** A moment from which on both are held against each other, with what had been decided by then. */
interface Since {
  readonly at: number
  readonly decided: ReadonlySet<string>
}

/** What a rig decided and whom it has, and what a replay says of both: here, and as `anuente replay` tells it. */
export async function compared(rig: Rig, since?: Since) {
  const [was, is] = [await lived(rig, since?.decided), await replayed(rig, since?.at)]
  const { changed, incomplete, different } = await rebuild({
    state: rig.state,
    keys: rig.keys,
    settings: rig.processPorts.settings,
    now: rig.now,
  })
  return {
    was: {
      decided: now(was.explanations, was.moved),
      people: seen(was.profiles),
      rebuilt: { changed: 0, incomplete: 0, different: {} },
    },
    is: { decided: now(is.explanations), people: seen(is.profiles), rebuilt: { changed, incomplete, different } },
  }
}

/**
 * Somebody is taken apart at one of the edges that hold people together; nobody when others hold, or a delivery is on its way.
 * @returns from when on a replay has to agree again: of the time before, history knows two where one was.
 */
export async function takeApart(rig: Rig, place: number): Promise<Since> {
  const { db } = rig.state
  const edges = await db
    .selectFrom('edges')
    .selectAll()
    .where('refused', 'is', null)
    .orderBy('node_a')
    .orderBy('node_b')
    .execute()
  const edge = edges[place % Math.max(1, edges.length)]
  if (edge)
    try {
      await rig.state.transaction((trx) =>
        unmerge([{ a: edge.node_a, b: edge.node_b }], 'two people at one computer', {
          state: { ...rig.state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
          keys: rig.keys,
          settings: rig.processPorts.settings,
          actor: 'officer',
          now: rig.now,
        }),
      )
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
    }
  const decided = await storedDecisions(rig.state)
  return { at: rig.now, decided: new Set(decided.map(({ id }) => id)) }
}

export const OPTIONS = {
  rules: [...LIFE_RULES, ...TRIGGER_RULES, ...MEASURE_RULES],
  measures: LIFE_MEASURES,
  globalHoldout: 0.1,
} satisfies RigOptions

/** Rules of many kinds over lives of a few people. */
export async function replaysAsLived(runs: number, open: (options: RigOptions) => Promise<Rig>): Promise<void> {
  let run = 0
  await fc.assert(
    fc.asyncProperty(life, async (happenings) => {
      const rig = await open(OPTIONS)
      try {
        await live(happenings, rig, `h${++run}`)
        const { was, is } = await compared(rig)
        expect(is).toEqual(was)
      } finally {
        await rig.close()
      }
    }),
    { numRuns: runs },
  )
}

/** Lives in which people who became one are taken apart, and live on. */
export async function replaysAfterSeparation(runs: number, open: (options: RigOptions) => Promise<Rig>): Promise<void> {
  let run = 0
  await fc.assert(
    fc.asyncProperty(life, life, fc.nat(30), async (before, after, place) => {
      const rig = await open(OPTIONS)
      try {
        await live(before, rig, `s${++run}`)
        rig.advance(1)
        const since = await takeApart(rig, place)
        await live(after, rig, `t${run}`)
        const { was, is } = await compared(rig, since)
        expect(is).toEqual(was)
      } finally {
        await rig.close()
      }
    }),
    { numRuns: runs },
  )
}

/** Lives with a hub that is never late, replayed as if nothing were known of when it looked. */
export async function replaysAsOnTime(runs: number, open: (options: RigOptions) => Promise<Rig>): Promise<void> {
  let run = 0
  await fc.assert(
    fc.asyncProperty(unchanging, async (happenings) => {
      const rig = await open(OPTIONS)
      try {
        await live(happenings, rig, `p${++run}`, punctually)
        const { was, is } = await comparedOnTime(rig)
        expect(is).toEqual(was)
      } finally {
        await rig.close()
      }
    }),
    { numRuns: runs },
  )
}

export async function comparedOnTime(rig: Rig) {
  const [was, is] = [await lived(rig), await replayed(rig, 0, 'ideal')]
  return {
    was: { decided: now(was.explanations, was.moved), people: seen(was.profiles) },
    is: { decided: now(is.explanations), people: seen(is.profiles) },
  }
}
