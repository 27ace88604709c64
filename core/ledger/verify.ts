/**
 * Verification on the hub's own database: every byte of every entry against the tree, the chains, the
 * checkpoints and their copies outside, the payloads, the deliveries. Reads only; names everything it finds.
 */
import type { SequencedEntry } from '../../consent/ledger/entry.ts'
import { createFrontier, HASH_BYTES, textLeafHash } from '../../consent/ledger/merkle.ts'
import { openCheckpoint, type VerifierKey } from '../../consent/ledger/note.ts'
import { createStateFold, type SubjectHead } from '../../consent/ledger/state-tree.ts'
import { TILE_HEIGHT, TILE_WIDTH } from '../../consent/ledger/tiles.ts'
import type { Keys } from '../keys.ts'
import type { Db, StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { readAnchors } from './anchors.ts'
import { collectFindings, type Finding, type FindingCode, type Findings } from './findings.ts'
import { HUB } from './hub-entry.ts'
import { knownKeys } from './keyring.ts'
import { type Head, readHead } from './rows.ts'
import { asHead } from './sequence.ts'
import { verifyDeliveries } from './verify-deliveries.ts'
import { verifyPayloads } from './verify-payloads.ts'

const PAGE = 5_000

export interface VerifyOptions {
  readonly keys: Keys
  readonly anchorFolder: string | undefined
  /** A checkpoint from outside (paper, another machine), as text. */
  readonly notes?: readonly { readonly name: string; readonly note: string }[]
  /** Opens every capsule. */
  readonly payloads?: boolean
  readonly onProgress?: (entries: number) => void
}

export interface VerifyReport {
  readonly ok: boolean
  readonly origin: string
  readonly size: number
  /** Hex. */
  readonly root: string
  readonly pending: number
  readonly subjects: number
  readonly checkpoints: number
  readonly anchors: number
  readonly stateRoots: number
  readonly deliveries: number
  /** Opened and found to fit; 0 when not asked for. */
  readonly payloads: number
  /** Payloads whose key was destroyed, with an entry that says so. */
  readonly destroyed: number
  /** clock.behind entries: the clock of the machine was behind the ledger. Noticed, not a fault. */
  readonly clockBehind: number
  readonly findings: readonly Finding[]
  readonly counts: Readonly<Partial<Record<FindingCode, number>>>
}

/**
 * One moment of the database, so that a hub that goes on working meanwhile is not mistaken for somebody who tampers.
 * @returns undefined on a state without a ledger.
 */
export function verifyState(state: StateStore, options: VerifyOptions): Promise<VerifyReport | undefined> {
  const transaction = state.db.transaction()
  const snapshot = state.dialect === 'sqlite' ? transaction : transaction.setIsolationLevel('repeatable read')
  return snapshot.execute((db) => verifyLedger(db, options))
}

/** As above, in the caller's transaction. */
export async function verifyLedger(db: Db, options: VerifyOptions): Promise<VerifyReport | undefined> {
  const head = await readHead(db)
  if (!head) return undefined
  const findings = collectFindings()
  const signed = await signedRoots(db, head, options, findings)
  const walk = await walkEntries(db, head, signed, findings, options.onProgress)
  await verifyHeads(db, walk.heads, findings)
  const deliveries = await verifyDeliveries(db, walk.roots, await withPending(db, walk.acts), findings)
  const payloads = await verifyPayloads(db, options.keys, options.payloads ?? true, findings)
  const { pending } = await db
    .selectFrom('ledger_pending')
    .select(({ fn }) => fn.countAll<number>().as('pending'))
    .executeTakeFirstOrThrow()
  return {
    ok: findings.list.length === 0,
    origin: head.origin,
    size: walk.size,
    root: walk.root.toString('hex'),
    pending: Number(pending),
    subjects: walk.heads.size,
    checkpoints: signed.checkpoints,
    anchors: signed.anchors,
    stateRoots: walk.stateRoots,
    deliveries,
    payloads: payloads.fit,
    destroyed: payloads.destroyed,
    clockBehind: walk.clockBehind,
    findings: findings.list,
    counts: findings.counts,
  }
}

interface Signed {
  /** Size -> roots that were signed for it, and where. */
  readonly bySize: ReadonlyMap<number, readonly { readonly root: Buffer; readonly name: string }[]>
  readonly checkpoints: number
  readonly anchors: number
}

/** Signatures of all checkpoints, of the table, the folder and those handed in; their roots are compared on the walk. */
async function signedRoots(db: Db, head: Head, options: VerifyOptions, findings: Findings): Promise<Signed> {
  const known = (await knownKeys(db, head.origin)).map(({ key }) => key)
  const bySize = new Map<number, { root: Buffer; name: string }[]>()
  const take = (name: string, note: string): { size: number; root: Buffer } | undefined => {
    const checkpoint = opened(note, known, head.origin)
    if (!checkpoint) {
      findings.add('CHECKPOINT_SIGNATURE', name)
      return undefined
    }
    const roots = bySize.get(checkpoint.size)
    if (roots) roots.push({ root: checkpoint.root, name })
    else bySize.set(checkpoint.size, [{ root: checkpoint.root, name }])
    return checkpoint
  }
  const rows = await db.selectFrom('ledger_checkpoints').selectAll().orderBy('size').execute()
  for (const row of rows) {
    const name = `checkpoint ${row.size}`
    const checkpoint = take(name, row.note)
    if (checkpoint && (checkpoint.size !== row.size || !checkpoint.root.equals(row.root)))
      findings.add('CHECKPOINT_ALTERED', name)
  }
  const copies = await readAnchors(options.anchorFolder, head.origin)
  for (const { file, note } of copies) take(file, note)
  for (const { name, note } of options.notes ?? []) take(name, note)
  return { bySize, checkpoints: rows.length, anchors: copies.length }
}

function opened(note: string, known: readonly VerifierKey[], origin: string) {
  try {
    const checkpoint = openCheckpoint(note, known)
    return checkpoint.origin === origin ? checkpoint : undefined
  } catch {
    return undefined
  }
}

interface Walk {
  readonly size: number
  readonly root: Buffer
  readonly heads: ReadonlyMap<string, SubjectHead>
  readonly stateRoots: number
  readonly clockBehind: number
  /** deliveries.root entries: id -> what they say. */
  readonly roots: ReadonlyMap<string, { readonly count: number; readonly root: string; readonly seq: number }>
  /** Entries that name deliveries: id -> the root over their ids. */
  readonly acts: ReadonlyMap<string, { readonly count: number; readonly root: string }>
}

async function walkEntries(
  db: Db,
  head: Head,
  signed: Signed,
  findings: Findings,
  onProgress: VerifyOptions['onProgress'],
): Promise<Walk> {
  const tiles = tileChecker(db, findings)
  const tree = createFrontier(tiles.node)
  const fold = createStateFold(HUB)
  const roots = new Map<string, { count: number; root: string; seq: number }>()
  const acts = new Map<string, { count: number; root: string }>()
  const awaited = new Map<number, { id: string; seq: number; root: string }[]>()
  // A state.root covers entries before it: it is met only later, so those still to come are read first.
  const stated = await db
    .selectFrom('ledger_entries')
    .select(['id', 'seq', 'bytes'])
    .where('type', '=', 'state.root')
    .execute()
  for (const { id, seq, bytes } of stated) {
    const { size, root } = JSON.parse(bytes) as { size: number; root: string }
    const list = awaited.get(size)
    if (list) list.push({ id, seq, root })
    else awaited.set(size, [{ id, seq, root }])
  }
  let time = ''
  let clockBehind = 0
  let expected = 0
  const arrive = (size: number) => {
    for (const { root, name } of signed.bySize.get(size) ?? [])
      if (!tree.root().equals(root)) findings.add('LEDGER_FORKED', name, size)
    for (const { id, seq, root } of awaited.get(size) ?? [])
      if (fold.root().toString('hex') !== root) findings.add('STATE_ROOT_WRONG', id, seq)
  }
  for (;;) {
    const rows = await db
      .selectFrom('ledger_entries')
      .selectAll()
      .where('seq', '>=', expected)
      .orderBy('seq')
      .limit(PAGE)
      .execute()
    if (rows.length === 0) break
    await tiles.load(expected, rows.at(-1)!.seq + 1)
    for (const row of rows) {
      // What is gone is stood in for by its stored hash, so that what comes after can still be judged.
      for (; expected < row.seq; expected++) {
        findings.add('ENTRY_MISSING', `entry ${expected}`, expected)
        tree.add(tiles.stored(expected) ?? Buffer.alloc(HASH_BYTES))
        arrive(expected + 1)
      }
      const leaf = textLeafHash(row.bytes)
      const stored = tiles.stored(row.seq)
      if (row.seq >= head.size) findings.add('ENTRY_INSERTED', row.id, row.seq)
      else if (!stored?.equals(leaf)) findings.add('ENTRY_ALTERED', row.id, row.seq)
      tree.add(stored ?? leaf)
      const entry = readEntry(row, findings)
      if (entry) {
        const before = fold.add(entry, leaf)
        if (
          entry.subject_seq !== (before ? before.subject_seq + 1 : 0) ||
          entry.prev_subject_leaf !== (before?.last_leaf ?? null)
        )
          findings.add('CHAIN_BROKEN', row.id, row.seq)
        if (entry.logged_at < time) findings.add('TIME_WENT_BACK', row.id, row.seq)
        time = entry.logged_at
        if (entry.type === 'clock.behind') clockBehind += 1
        if (entry.subject === HUB) noteRoots(entry, roots, acts)
      }
      expected = row.seq + 1
      arrive(expected)
    }
    onProgress?.(rows.length)
  }
  for (; expected < head.size; expected++) findings.add('ENTRY_MISSING', `entry ${expected}`, expected)
  for (const [size, list] of signed.bySize)
    if (size > tree.size) for (const { name } of list) findings.add('LEDGER_SHORTENED', name, size)
  await tiles.finish(Math.max(tree.size, head.size))
  return {
    size: tree.size,
    root: tree.root(),
    heads: fold.heads,
    stateRoots: stated.length,
    clockBehind,
    roots,
    acts,
  }
}

function readEntry(row: Tables['ledger_entries'], findings: Findings): SequencedEntry | undefined {
  let entry: SequencedEntry
  try {
    entry = JSON.parse(row.bytes) as SequencedEntry
  } catch {
    return undefined
  }
  if (entry.seq !== row.seq) findings.add('ENTRY_REORDERED', row.id, row.seq)
  if (
    entry.id !== row.id ||
    entry.subject !== row.subject ||
    entry.subject_seq !== row.subject_seq ||
    entry.type !== row.type ||
    Date.parse(entry.ts) !== row.at ||
    (entry.purpose !== undefined && entry.purpose !== row.purpose)
  )
    findings.add('COLUMNS_ALTERED', row.id, row.seq)
  return entry
}

function noteRoots(
  entry: SequencedEntry,
  roots: Map<string, { count: number; root: string; seq: number }>,
  acts: Map<string, { count: number; root: string }>,
): void {
  if (entry.type === 'deliveries.root')
    roots.set(entry.id, { count: Number(entry['count']), root: String(entry['root']), seq: entry.seq })
  const named = entry['deliveries'] as { count: number; root: string } | undefined
  if (named) acts.set(entry.id, named)
}

/** Acts that wait for their number count already. */
async function withPending(db: Db, acts: Walk['acts']): Promise<Walk['acts']> {
  const rows = await db.selectFrom('ledger_pending').select(['id', 'public']).where('subject', '=', HUB).execute()
  const all = new Map(acts)
  for (const { id, public: bytes } of rows) {
    const named = (JSON.parse(bytes) as { deliveries?: { count: number; root: string } }).deliveries
    if (named) all.set(id, named)
  }
  return all
}

/** Compares every stored hash with the one computed on the walk. */
function tileChecker(db: Db, findings: Findings) {
  let level0 = new Map<number, Uint8Array>()
  /** Hashes of the upper tile levels as computed: a 256th, a 65,536th of the leaves. */
  const upper: Buffer[][] = []
  return {
    async load(from: number, to: number): Promise<void> {
      const [first, last] = [Math.floor(from / TILE_WIDTH), Math.floor((to - 1) / TILE_WIDTH)]
      const rows = await db
        .selectFrom('ledger_tiles')
        .select(['tile', 'hashes'])
        .where('level', '=', 0)
        .where('tile', '>=', first)
        .where('tile', '<=', last)
        .execute()
      level0 = new Map(rows.map(({ tile, hashes }) => [tile, hashes]))
    },
    stored(seq: number): Buffer | undefined {
      const offset = (seq % TILE_WIDTH) * HASH_BYTES
      const hash = level0.get(Math.floor(seq / TILE_WIDTH))?.subarray(offset, offset + HASH_BYTES)
      return hash?.length === HASH_BYTES ? Buffer.from(hash) : undefined
    },
    node(level: number, index: number, hash: Uint8Array): void {
      if (level === 0 || level % TILE_HEIGHT !== 0) return
      upper[level / TILE_HEIGHT] ??= []
      upper[level / TILE_HEIGHT]![index] = Buffer.from(hash)
    },
    async finish(size: number): Promise<void> {
      const { stored } = await db
        .selectFrom('ledger_tiles')
        .select(({ fn }) => fn.countAll<number>().as('stored'))
        .executeTakeFirstOrThrow()
      let tiles = Math.ceil(size / TILE_WIDTH)
      for (const [level, hashes] of upper.entries()) {
        if (!hashes) continue
        for (let tile = 0; tile * TILE_WIDTH < hashes.length; tile++) {
          tiles += 1
          const computed = Buffer.concat(hashes.slice(tile * TILE_WIDTH, (tile + 1) * TILE_WIDTH))
          const row = await db
            .selectFrom('ledger_tiles')
            .select('hashes')
            .where('level', '=', level)
            .where('tile', '=', tile)
            .executeTakeFirst()
          if (!row || !computed.equals(row.hashes)) findings.add('TREE_ALTERED', `tile ${level}/${tile}`)
        }
      }
      if (Number(stored) !== tiles) findings.add('TREE_ALTERED', `${stored} tiles instead of ${tiles}`)
    },
  }
}

/** The table of last words, from which the next entries are chained. */
async function verifyHeads(db: Db, heads: ReadonlyMap<string, SubjectHead>, findings: Findings): Promise<void> {
  let after = ''
  let seen = 0
  for (;;) {
    const rows = await db
      .selectFrom('ledger_subjects')
      .selectAll()
      .where('subject', '>', after)
      .orderBy('subject')
      .limit(PAGE)
      .execute()
    if (rows.length === 0) break
    for (const row of rows) {
      const kept = asHead(row)
      const walked = heads.get(row.subject)
      if (walked) seen += 1
      if (JSON.stringify(walked) !== JSON.stringify(kept)) findings.add('SUBJECT_ALTERED', row.subject)
    }
    after = rows.at(-1)!.subject
  }
  if (seen < heads.size) findings.add('SUBJECT_ALTERED', `${heads.size - seen} subjects are missing`)
}
