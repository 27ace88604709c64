/** Acts of officers and integrators on identities, run between batches by the process role, each in one transaction. */
import { sql } from 'kysely'
import { IDENTIFIER_TYPES, type IdentifierType } from '../../schemas/event.ts'
import type {
  IdentifierBlocked,
  IdentityAct,
  IdentityEdge,
  IdentityMerge,
  IdentityNode,
  PersonIdentity,
  Unmerged,
} from '../../schemas/identity.ts'
import type { LoadedConfig } from '../config.ts'
import { buildRuleSet } from '../decision/index.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'
import { personOf } from '../retention/commands.ts'
import { processSettings, readSurroundings } from '../roles/surroundings.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { Db } from '../stores/open.ts'
import type { Tie } from './components.ts'
import { unmerge } from './unmerge.ts'

export function identityCommands(config: LoadedConfig, keys: Keys): CommandHandlers {
  let settings: ProcessPorts['settings'] | undefined
  const settled = () => {
    const surroundings = readSurroundings(config)
    settings ??= processSettings(config, surroundings, buildRuleSet([]), surroundings.rules)
    return settings
  }
  return {
    /** {person} -> PersonIdentity */
    async showIdentity(args, { state }): Promise<PersonIdentity> {
      return personIdentity(text(args, 'person'), state.db)
    },

    /** Unmerge -> Unmerged. With `dryRun` everything is done and taken back in the same transaction. */
    async unmergeIdentity(args, { state, actor, now }): Promise<Unmerged> {
      return unmergeCommand(args, { state, keys, settings: settled(), actor, now })
    },

    /** BlockIdentifier -> IdentifierBlocked. Who has it keeps it; it joins nobody from now on. */
    async blockIdentifier(args, { state: { db }, actor, now }): Promise<IdentifierBlocked> {
      const type = IDENTIFIER_TYPES.find((one) => one === args['type'])
      const value = type && normalizeIdentifier(type, args['value'])
      const reason = reasonOf(args)
      if (!type || value === undefined)
        throw new CommandError(
          'INVALID',
          'No such identifier: say its type and a whole value. The built-in list joins nobody anyway.',
        )
      return block(type, keys.identifier(type, value), reason, args['lift'] === true, { db, actor, now })
    },
  }
}

export async function unmergeCommand(
  args: Readonly<Record<string, unknown>>,
  context: Parameters<typeof unmerge>[2],
): Promise<Unmerged> {
  const edges = Array.isArray(args['edges']) ? (args['edges'] as Tie[]) : []
  if (edges.length === 0) throw new CommandError('INVALID', 'Say which edges are taken back, as two nodes each.')
  if (args['dryRun'] !== true) return unmerge(edges, reasonOf(args), context)
  await sql`savepoint unmerge`.execute(context.state.db)
  try {
    return { ...(await unmerge(edges, 'dry run', context)), dryRun: true, act: null }
  } finally {
    await sql`rollback to savepoint unmerge`.execute(context.state.db)
  }
}

async function block(
  type: IdentifierType,
  hmac: Buffer,
  reason: string,
  lift: boolean,
  { db, actor, now }: { readonly db: Db; readonly actor: string; readonly now: number },
): Promise<IdentifierBlocked> {
  const owner = await db
    .selectFrom('identifiers')
    .innerJoin('nodes', 'nodes.id', 'identifiers.node_id')
    .select('nodes.person_id')
    .where('identifiers.hmac', '=', hmac)
    .executeTakeFirst()
  if (lift) await db.deleteFrom('blocked_values').where('hmac', '=', hmac).execute()
  else
    await db
      .insertInto('blocked_values')
      .values({ hmac, type, at: now, actor, reason })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  const id = newId(now)
  const kind = lift ? 'unblock' : 'block'
  await db
    .insertInto('identity_acts')
    .values({ id, kind, person_id: owner?.person_id ?? '', at: now, actor, reason, body: JSON.stringify({ type }) })
    .execute()
  await db
    .insertInto('access_log')
    .values({ id: newId(now), at: now, actor, act: `identity.${kind}`, target: owner?.person_id ?? 'nobody', reason })
    .execute()
  const { n } = await db
    .selectFrom('nodes')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('person_id', '=', owner?.person_id ?? '')
    .executeTakeFirstOrThrow()
  return { blocked: !lift, personId: owner?.person_id ?? null, identifiers: Number(n) }
}

/** @throws CommandError NOT_FOUND. @param id person id, also an old one, or ledger subject. */
export async function personIdentity(id: string, db: Db): Promise<PersonIdentity> {
  const personId = await personOf({ db }, id)
  const older = await db.selectFrom('persons').select('id').where('merged_into', '=', personId).orderBy('id').execute()
  const rows = await db
    .selectFrom('nodes')
    .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
    .select((eb) => [
      'nodes.id',
      'nodes.subject',
      'nodes.device',
      'nodes.founded_at',
      'nodes.apart',
      'identifiers.type',
      eb('identifiers.sealed', 'is not', null).as('known'),
      eb
        .selectFrom('history')
        .select((inner) => inner.fn.countAll().as('n'))
        .whereRef('history.node_id', '=', 'nodes.id')
        .as('events'),
    ])
    .where('nodes.person_id', '=', personId)
    .orderBy('nodes.id')
    .execute()
  const ids = ['', ...rows.map((row) => row.id)]
  const edges = await db
    .selectFrom('edges')
    .selectAll()
    .where((eb) => eb.or([eb('node_a', 'in', ids), eb('node_b', 'in', ids)]))
    .orderBy('at')
    .orderBy('node_a')
    .orderBy('node_b')
    .execute()
  const people = ['', personId, ...ids, ...older.map((row) => row.id)]
  const merges = await db
    .selectFrom('merge_log')
    .selectAll()
    .where((eb) => eb.or([eb('into_person', 'in', people), eb('from_person', 'in', people)]))
    .orderBy('id')
    .execute()
  const acts = await db
    .selectFrom('identity_acts')
    .selectAll()
    // What was blocked while nobody had it is an act on nobody.
    .where('person_id', 'in', people.filter(Boolean))
    .orderBy('id')
    .execute()
  return {
    personId,
    olderIds: older.map((row) => row.id),
    nodes: rows.map(
      (row): IdentityNode => ({
        id: row.id,
        subject: row.subject,
        type: row.type as IdentityNode['type'],
        device: row.device === 1,
        foundedAt: row.founded_at,
        events: Number(row.events),
        known: Boolean(row.known),
        apart: row.apart ? (JSON.parse(row.apart) as string[]) : [],
      }),
    ),
    edges: edges.map(
      (row): IdentityEdge => ({
        a: row.node_a,
        b: row.node_b,
        strength: (row.strength ?? 'together') as IdentityEdge['strength'],
        event: row.event_id,
        source: row.source_id,
        at: row.at,
        refused: row.refused,
      }),
    ),
    merges: merges.map(
      (row): IdentityMerge => ({
        id: row.id,
        from: row.from_person,
        into: row.into_person,
        event: row.event_id,
        a: row.node_a ?? null,
        b: row.node_b ?? null,
        at: row.at,
        beforeHash: row.before_hash ?? null,
        undoneAt: row.undone_at ?? null,
      }),
    ),
    acts: acts.map(({ id: act, kind, at, actor, reason }) => ({
      id: act,
      kind: kind as IdentityAct['kind'],
      at,
      actor,
      reason,
    })),
  }
}

function text(args: Readonly<Record<string, unknown>>, name: string): string {
  const value = args[name]
  if (typeof value !== 'string' || value.trim() === '') throw new CommandError('INVALID', `"${name}" must be a text.`)
  return value.trim()
}

function reasonOf(args: Readonly<Record<string, unknown>>): string {
  const reason = typeof args['reason'] === 'string' ? args['reason'].trim() : ''
  if (reason.length < 10)
    throw new CommandError('REASON_REQUIRED', 'Say why, in at least 10 characters. It is kept in the log.')
  return reason
}
